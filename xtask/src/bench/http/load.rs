//! A load by wrk, and what the server spent on it.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use rustix::thread::{CpuSet, sched_setaffinity};

use super::servers::Running;
use super::table::Figures;
use super::{Bench, SMALL, accounting};
use crate::shell;

/// Requests that are sent at once where they are pipelined.
pub const DEPTH: usize = 16;

/// The first core that load comes from; those below it are the server's.
const CORE: usize = 1;

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// The target.
    pub target: &'static str,
    /// How many connections ask.
    pub connections: usize,
    /// [`DEPTH`] requests at once.
    pub is_pipelined: bool,
    /// Each request ends its connection.
    pub closes: bool,
    /// wrk's own threads, each on a core of its own.
    pub threads: usize,
    /// The first of these cores.
    pub core: usize,
    /// A client that waits long is no error: the server serves few at a time.
    pub waits: bool,
}

impl Default for Load {
    fn default() -> Self {
        Self {
            target: SMALL,
            connections: 64,
            is_pipelined: false,
            closes: false,
            threads: 1,
            core: CORE,
            waits: false,
        }
    }
}

/// What wrk saw.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Seen {
    requests: u64,
    seconds: f64,
    p50: Duration,
    p99: Duration,
}

/// Keeps this process, which is a client too, on the core of the load.
///
/// # Errors
/// When it may not choose.
pub fn stay_off_the_server() -> anyhow::Result<()> {
    let mut cores = CpuSet::new();
    cores.set(CORE);
    sched_setaffinity(None, &cores).context("cannot choose a core")
}

/// Loads a server, and takes what it used meanwhile.
///
/// # Errors
/// When wrk fails or an answer is not a success.
pub fn measure(running: &Running, load: &Load, bench: &Bench) -> anyhow::Result<Figures> {
    run(running, load, bench, bench.scale.warm_up)?;
    look(running, load, bench, bench.scale.load)
}

/// The same for `time`, at a server that may be cold.
///
/// # Errors
/// As [`measure`].
pub fn look(
    running: &Running,
    load: &Load,
    bench: &Bench,
    time: Duration,
) -> anyhow::Result<Figures> {
    let before = accounting::tree_cpu(running.pid())?;
    let seen = run(running, load, bench, time)?;
    let used = accounting::tree_cpu(running.pid())? - before;
    ensure!(seen.requests > 0, "{} answered nothing", running.name());
    Ok(Figures {
        cost: used.as_secs_f64() / seen.requests as f64,
        rate: seen.requests as f64 / seen.seconds,
        p50: seen.p50.as_secs_f64(),
        p99: seen.p99.as_secs_f64(),
    })
}

fn run(running: &Running, load: &Load, bench: &Bench, time: Duration) -> anyhow::Result<Seen> {
    let mut wrk = Command::new("taskset");
    let cores = format!("{}-{}", load.core, load.core + load.threads - 1);
    wrk.args(["-c", &cores, "wrk", "--latency"])
        .args(["--threads", &load.threads.to_string()])
        .args(["--connections", &load.connections.to_string()])
        .args(["--duration", &format!("{}s", time.as_secs())]);
    if load.waits {
        wrk.args(["--timeout", "60s"]);
    }
    if load.closes {
        wrk.args(["--header", "Connection: close"]);
    }
    if load.is_pipelined {
        let script = bench.folder.join("pipeline.lua");
        write_script(&script, load.target)?;
        wrk.arg("--script").arg(script);
    }
    wrk.arg(format!("http://{}{}", running.address(), load.target));
    let text = shell::output(&mut wrk)?;
    parse(&text).with_context(|| format!("{} under load", running.name()))
}

/// wrk takes what one `request` gives for one request; its counts are of answers.
fn write_script(path: &Path, target: &str) -> anyhow::Result<()> {
    let text = format!(
        "init = function(args)\n  \
           local all = {{}}\n  \
           for i = 1, {DEPTH} do all[i] = wrk.format(\"GET\", \"{target}\") end\n  \
           requests = table.concat(all)\n\
         end\n\
         request = function() return requests end\n"
    );
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// Reads what wrk prints.
fn parse(text: &str) -> anyhow::Result<Seen> {
    if let Some(line) = text.lines().find(|line| line.contains("Non-2xx")) {
        bail!("not every answer was a success: {}", line.trim());
    }
    if let Some(line) = text.lines().find(|line| line.contains("Socket errors")) {
        bail!("connections broke: {}", line.trim());
    }
    let summary = text
        .lines()
        .find_map(|line| line.trim().split_once(" requests in "))
        .with_context(|| format!("wrk printed no summary:\n{text}"))?;
    let percentile = |name: &str| {
        text.lines()
            .find_map(|line| line.trim().strip_prefix(name))
            .and_then(|rest| duration(rest.trim()))
            .with_context(|| format!("wrk printed no {name}:\n{text}"))
    };
    let time = summary.1.split(',').next().unwrap_or_default();
    Ok(Seen {
        requests: summary.0.parse()?,
        seconds: duration(time).context("wrk printed no time")?.as_secs_f64(),
        p50: percentile("50%")?,
        p99: percentile("99%")?,
    })
}

/// `12.34us`, `1.02ms`, `5.10s` or `1.00m`.
fn duration(text: &str) -> Option<Duration> {
    let unit = text.find(|c: char| c.is_ascii_alphabetic())?;
    let number: f64 = text[..unit].parse().ok()?;
    let seconds = match &text[unit..] {
        "us" => number / 1e6,
        "ms" => number / 1e3,
        "s" => number,
        "m" => number * 60.0,
        _ => return None,
    };
    Some(Duration::from_secs_f64(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRINTED: &str = "Running 2s test @ http://127.0.0.1:1/\n  \
        1 threads and 64 connections\n  \
        Thread Stats   Avg      Stdev     Max   +/- Stdev\n    \
        Latency   412.24us  100.10us   3.10ms   91.00%\n  \
        Latency Distribution\n     \
        50%  363.00us\n     75%  410.00us\n     90%  512.00us\n     99%    1.02ms\n  \
        310000 requests in 2.00s, 378.12MB read\nRequests/sec: 155000.00\n";

    #[test]
    fn what_wrk_prints_is_read() {
        let seen = parse(PRINTED).expect("a summary");
        let expected = Seen {
            requests: 310_000,
            seconds: 2.0,
            p50: Duration::from_micros(363),
            p99: Duration::from_micros(1020),
        };
        assert_eq!(seen, expected);
    }

    #[test]
    fn a_failure_is_no_figure() {
        for line in [
            "  Non-2xx or 3xx responses: 12\n",
            "  Socket errors: connect 0, read 3, write 0, timeout 0\n",
        ] {
            assert!(parse(&format!("{PRINTED}{line}")).is_err(), "{line}");
        }
        assert!(parse("").is_err());
    }
}
