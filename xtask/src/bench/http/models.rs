//! The four models side by side: with more and more workers, and each way to spread
//! connections over them.
//!
//! All workers of a server share one core, so the table shows what a model costs and
//! how fair it is; what more cores bring is `scaling`'s. What the figures mean is
//! told in docs/concurrency.md.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use super::client::Client;
use super::load::{self, Load};
use super::servers::{CORE, Running, Server};
use super::{Bench, accounting};
use crate::bench::failures::Failures;

/// How many workers.
const WORKERS: [usize; 5] = [2, 4, 8, 16, 32];

/// The ways to spread connections.
const BALANCES: [&str; 3] = ["per-slot", "shared", "least-loaded"];

/// The clients of a crowd want an answer within this.
const PATIENCE: Duration = Duration::from_secs(1);

/// Between two looks at a crowd.
const LOOK: Duration = Duration::from_millis(5);

/// A shape of a server.
struct Shape {
    model: &'static str,
    balance: &'static str,
    workers: usize,
}

/// The section of the report; a server that does not start, or fails under load, has no
/// line in it.
pub fn run(bench: &Bench, failures: &mut Failures) -> String {
    let crowd = bench.scale.crowd;
    let mut section = format!(
        "\n### Models\n\n\
         The 1 KiB file over 64 connections for {} s; all workers on one core. *At once* is how \
         many of {crowd} clients that come together, and stay, are answered within a second.\n\n\
         | model | connections go | workers | requests/s | p50 | p99 | CPU per request | memory \
         | at once |\n|---|---|---|---|---|---|---|---|---|\n",
        bench.scale.glance.as_secs()
    );
    for shape in shapes() {
        let Shape {
            model,
            balance,
            workers,
        } = shape;
        let name = format!("Models, {workers} × {model} {balance}");
        eprintln!("{}", name.trim_end());
        if let Some(line) = failures.keep(name.trim_end(), shape.measure(bench)) {
            eprint!("{line}");
            section += &line;
        }
    }
    section
}

fn shapes() -> Vec<Shape> {
    let shape = |model, balance, workers| Shape {
        model,
        balance,
        workers,
    };
    let mut shapes = vec![shape("sequential", "", 1)];
    shapes.extend(WORKERS.map(|workers| shape("threads", "", workers)));
    for model in ["events", "processes"] {
        for balance in BALANCES {
            shapes.extend(WORKERS.map(|workers| shape(model, balance, workers)));
        }
    }
    shapes
}

impl Shape {
    /// The flags that make `atoll web` so.
    fn flags(&self) -> Vec<String> {
        let mut flags = vec!["--model".to_owned(), self.model.to_owned()];
        if self.workers > 1 {
            flags.extend(["--workers".to_owned(), self.workers.to_string()]);
        }
        if !self.balance.is_empty() {
            flags.extend(["--balance".to_owned(), self.balance.to_owned()]);
        }
        flags
    }

    /// Its line of the table.
    fn measure(&self, bench: &Bench) -> anyhow::Result<String> {
        let flags = self.flags();
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        let running = Server::Atoll.start_as(bench, CORE, &flags)?;
        let load = Load {
            waits: true,
            ..Load::default()
        };
        let figures = load::look(&running, &load, bench, bench.scale.glance)?;
        let memory = accounting::tree_share(running.pid())?;
        let at_once = answered_at_once(&running, bench.scale.crowd);
        Ok(format!(
            "| {} | {} | {} | {:.0} | {:.2} ms | {:.2} ms | {:.2} µs | {:.1} MB | {at_once} |\n",
            self.model,
            self.balance,
            self.workers,
            figures.rate,
            figures.p50 * 1e3,
            figures.p99 * 1e3,
            figures.cost * 1e6,
            memory as f64 / 1e6,
        ))
    }
}

/// How many of `count` clients that come together are answered while all of them
/// stay.
fn answered_at_once(running: &Running, count: usize) -> usize {
    // A client that finds no place at all is one that is not answered.
    let come = || {
        let mut client = Client::connect(running.address()).ok()?;
        client.ask().ok()?;
        client.never_wait().ok()?;
        Some(client)
    };
    let begun = Instant::now();
    let mut waiting: Vec<Client> = (0..count).filter_map(|_| come()).collect();
    let mut stayed = Vec::new();
    while !waiting.is_empty() && begun.elapsed() < PATIENCE {
        let mut unanswered = Vec::new();
        for mut client in waiting {
            match client.receive() {
                Ok(response) if response.status == 200 => stayed.push(client),
                // Told to go, or let go.
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => unanswered.push(client),
                Err(_) => {}
            }
        }
        waiting = unanswered;
        std::thread::sleep(LOOK);
    }
    stayed.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_model_is_there_in_every_shape() {
        let shapes = shapes();
        assert_eq!(shapes.len(), 1 + 5 + 2 * 3 * 5);
        let flags = shapes[0].flags();
        assert_eq!(flags, ["--model", "sequential"]);
        let flags = shapes.last().expect("some").flags();
        let expected = [
            "--model",
            "processes",
            "--workers",
            "32",
            "--balance",
            "least-loaded",
        ];
        assert_eq!(flags, expected);
    }
}
