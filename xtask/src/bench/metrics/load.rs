//! What is sent, and what a server spent on it: by `atoll load`, which sends the same bodies
//! again and again, or by senders of our own, which send each body once.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::Value;

use super::Bench;
use super::body::Format;
use super::server::Server;

/// Requests that `atoll load` sends.
pub struct Load<'a> {
    pub target: &'a str,
    pub format: Format,
    /// Files; clients take one after another.
    pub bodies: &'a [PathBuf],
    pub clients: usize,
    /// Of all clients, a second; as fast as they are answered otherwise.
    pub rate: Option<u32>,
}

/// What came of it.
#[derive(Debug, Clone, Copy)]
pub struct Outcome {
    /// CPU time of the server.
    pub cpu: Duration,
    pub seconds: f64,
    pub succeeded: u64,
    /// Of all requests, 0 to 1.
    pub success_rate: f64,
    pub latency: Latency,
}

/// Of a request, in milliseconds.
#[derive(Debug, Clone, Copy, Default)]
pub struct Latency {
    pub mean: f64,
    pub p50: f64,
    pub p99: f64,
}

impl Load<'_> {
    /// Loads `server` for `time`, after it was warmed up.
    ///
    /// # Errors
    /// When `atoll load` cannot be run, or the server has ended. Requests that fail are
    /// figures.
    pub fn measure(
        &self,
        bench: &Bench,
        server: &Server,
        time: Duration,
    ) -> anyhow::Result<Outcome> {
        self.run(bench, server, bench.scale.warm_up)?;
        let before = server.cpu()?;
        let report = self.run(bench, server, time)?;
        let cpu = server.cpu()?.saturating_sub(before);
        read(&report, cpu).with_context(|| format!("atoll load printed {report}"))
    }

    fn run(&self, bench: &Bench, server: &Server, time: Duration) -> anyhow::Result<Value> {
        let mut command = Command::new(&bench.atoll);
        command
            .args(["load", "--json", "--clients", &self.clients.to_string()])
            .args(["--duration", &format!("{}ms", time.as_millis())])
            .arg(format!("http://{}{}", server.address(), self.target));
        if let Some(rate) = self.rate {
            command.args(["--rate", &rate.to_string()]);
        }
        for (name, value) in self.format.fields() {
            command.args(["--header", &format!("{name}: {value}")]);
        }
        for body in self.bodies {
            command.arg("--body").arg(body);
        }
        // It fails when a request did, and prints its report all the same.
        let output = command.output().context("atoll load did not start")?;
        serde_json::from_slice(&output.stdout).with_context(|| {
            let said = String::from_utf8_lossy(&output.stderr);
            format!("atoll load: {}: {said}", output.status)
        })
    }
}

fn read(report: &Value, cpu: Duration) -> Option<Outcome> {
    let latency = |name: &str| Some(report["latency_us"][name].as_f64()? / 1e3);
    Some(Outcome {
        cpu,
        seconds: report["seconds"].as_f64()?,
        succeeded: report["succeeded"].as_u64()?,
        success_rate: report["success_rate"].as_f64()?,
        latency: Latency {
            mean: latency("mean")?,
            p50: latency("p50")?,
            p99: latency("p99")?,
        },
    })
}

/// Writes bodies into files of `folder`, named by their numbers.
///
/// # Errors
/// When they cannot be written.
pub fn files(folder: &Path, bodies: &[Vec<u8>]) -> anyhow::Result<Vec<PathBuf>> {
    let written = bodies.iter().enumerate().map(|(number, body)| {
        let path = folder.join(number.to_string());
        std::fs::write(&path, body).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    });
    written.collect()
}

/// Sends each body once: those of each of `senders` one after another, all senders at the
/// same time.
///
/// # Errors
/// When one is not answered with success.
pub fn deliver<B>(
    server: &Server,
    target: &str,
    format: Format,
    senders: Vec<B>,
) -> anyhow::Result<Delivery>
where
    B: Iterator<Item: AsRef<[u8]>> + Send,
{
    let before = server.cpu()?;
    let begun = Instant::now();
    std::thread::scope(|scope| {
        let running: Vec<_> = senders
            .into_iter()
            .map(|bodies| {
                let client = server.client();
                scope.spawn(move || -> anyhow::Result<()> {
                    for body in bodies {
                        client.post(target, format.fields(), body.as_ref())?;
                    }
                    Ok(())
                })
            })
            .collect();
        for sender in running {
            let ended = sender.join();
            ensure!(ended.is_ok(), "a sender panicked");
            ended.unwrap_or(Ok(()))?;
        }
        Ok(())
    })?;
    Ok(Delivery {
        wall: begun.elapsed(),
        cpu: server.cpu()?.saturating_sub(before),
    })
}

/// What sending took.
#[derive(Debug, Clone, Copy)]
pub struct Delivery {
    pub wall: Duration,
    /// CPU time of the server.
    pub cpu: Duration,
}
