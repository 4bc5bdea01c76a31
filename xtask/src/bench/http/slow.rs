//! Thousands of clients that are slow in one way, and what the others notice.
//!
//! Healthy clients ask for the small file on time, before and while the slow ones are
//! there. The slow ones move a byte a second each, spread over the second. Both are moved
//! by the thread of `driver`; what is slow about a client is `crowd`'s.

use std::process::Command;
use std::time::{Duration, Instant};

use harness::process::Process;

use super::crowd::{Crowd, Kind};
use super::driver::{CLIENTS, Healthy, INTERVAL, Seen};
use super::servers::{CORE, Running, Server};
use super::{Bench, accounting};
use crate::bench::failures::Failures;
use crate::bench::report::verdict;

/// The healthy clients' p99 may become so many times what it was.
const BAR: f64 = 2.0;

const KINDS: [(Kind, &str); 3] = [
    (Kind::Head, "sending a head"),
    (Kind::Body, "sending a body"),
    (Kind::Reader, "reading 1 MiB"),
];

const SERVERS: [Server; 3] = [Server::Atoll, Server::Nginx, Server::Lighttpd];

/// A server is quiet when it uses less than this part of a core for so long.
const QUIET: f64 = 0.05;
const LOOK: Duration = Duration::from_millis(200);

/// One that is not quiet by then, after thousands have come, is measured as it is.
const LIMIT: Duration = Duration::from_secs(20);

/// What came of one server.
struct Outcome {
    before: Seen,
    during: Seen,
    /// Slow connections at the end, and those that the server ended.
    held: usize,
    ended: usize,
}

/// The section of the report; a server that refuses healthy clients has no line in it.
pub fn run(bench: &Bench, failures: &mut Failures) -> String {
    let Some(_awake) = failures.keep("Slow", keep_awake(bench)) else {
        return String::new();
    };
    let count = bench.scale.slow_connections;
    let mut section = format!(
        "\n### Slow clients\n\n\
         {CLIENTS} healthy clients ask for the 1 KiB file, one every {} µs, before and while \
         {count} others are slow; those move a byte a second. A time counts from the moment for \
         which the request was scheduled; *asked late* is what of that is no server's doing. An idle-priority loop keeps the \
         servers' core from sleeping.\n\n\
         | {count} are slow in | server | healthy p50 before | during | p99 before | during | \
         | asked late, p99, before | during | server's CPU before | during | slow ones at the end | the server ended | bar | |\n\
         |---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n",
        INTERVAL.as_micros()
    );
    for (kind, what) in KINDS {
        for server in SERVERS {
            let name = format!("Slow, {what}, {}", server.name());
            eprintln!("{name}");
            if let Some(outcome) = failures.keep(&name, measure(bench, server, kind)) {
                let line = outcome.line(what, server);
                eprint!("{line}");
                section += &line;
            }
        }
    }
    section
}

/// A process that has the servers' core whenever nobody else wants it. These works leave
/// that core idle for most of the time; a virtual one that is idle goes back to the host,
/// and waiting for its return, up to milliseconds, would be the tail of every server.
fn keep_awake(bench: &Bench) -> anyhow::Result<Process> {
    let mut command = Command::new("chrt");
    command.args(["--idle", "0", "taskset", "-c", CORE]);
    command.args(["sh", "-c", "while :; do :; done"]);
    let log = bench.folder.join("awake.log");
    Process::start("the loop that keeps a core awake", &mut command, &log)
}

fn measure(bench: &Bench, server: Server, kind: Kind) -> anyhow::Result<Outcome> {
    let running = server.start(bench)?;
    let mut healthy = Healthy::connect(&running)?;
    let time = bench.scale.slow_load;
    let before = healthy.ask(&running, None, time)?;
    let mut crowd = Crowd::new(kind, running.address(), bench.scale.slow_connections)?;
    settle(&running, &mut crowd)?;
    // The rarer disturbance needs the longer look.
    let during = healthy.ask(&running, Some(&mut crowd), time * 2)?;
    Ok(Outcome {
        before,
        during,
        held: crowd.held(),
        ended: crowd.ended(),
    })
}

/// Lets all slow ones come, and waits until the server is done with that.
fn settle(running: &Running, crowd: &mut Crowd) -> anyhow::Result<()> {
    let begun = Instant::now();
    while begun.elapsed() < LIMIT {
        crowd.gather();
        let before = accounting::tree_cpu(running.pid())?;
        std::thread::sleep(LOOK);
        let used = accounting::tree_cpu(running.pid())? - before;
        if crowd.held() == crowd.len() && used < LOOK.mul_f64(QUIET) {
            return Ok(());
        }
    }
    eprintln!("  it was not quiet after {LIMIT:?}");
    Ok(())
}

impl Outcome {
    /// Its line of the table.
    fn line(&self, what: &str, server: Server) -> String {
        let (before, during) = (self.before, self.during);
        let ratio = during.p99.as_secs_f64() / before.p99.as_secs_f64();
        let (bar, verdict) = match server {
            Server::Atoll => (format!("≤ {BAR:.0} ×"), verdict(ratio <= BAR)),
            _ => (String::new(), ""),
        };
        let milliseconds = |time: Duration| format!("{:.3} ms", time.as_secs_f64() * 1e3);
        format!(
            "| {what} | {} | {} | {} | {} | {} | {ratio:.2} × | {} | {} | {:.1} % | {:.1} % | {} | {} \
             | {bar} | {verdict} |\n",
            server.name(),
            milliseconds(before.p50),
            milliseconds(during.p50),
            milliseconds(before.p99),
            milliseconds(during.p99),
            milliseconds(before.late),
            milliseconds(during.late),
            before.cpu * 1e2,
            during.cpu * 1e2,
            self.held,
            self.ended,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(before: u64, during: u64, expected: &str) {
        let seen = |p99| Seen {
            p50: Duration::from_micros(50),
            p99: Duration::from_micros(p99),
            late: Duration::from_micros(1),
            cpu: 0.025,
        };
        let outcome = Outcome {
            before: seen(before),
            during: seen(during),
            held: 499,
            ended: 1,
        };
        let line = outcome.line("sending a head", Server::Atoll);
        assert!(line.ends_with(expected), "{line}");
    }

    #[test]
    fn the_tail_is_held_against_the_bar() {
        let rest = "0.001 ms | 0.001 ms | 2.5 % | 2.5 % | 499 | 1 | ≤ 2 ×";
        check(100, 200, &format!("| 2.00 × | {rest} | met |\n"));
        check(100, 201, &format!("| 2.01 × | {rest} | **missed** |\n"));
    }
}
