//! `cargo xtask bench metrics`: the metrics of a node beside VictoriaMetrics and Prometheus.
//!
//! 1. Build the release binary; find the rivals, or unpack them from Debian (`programs`).
//! 2. Each work starts its servers anew on empty folders, on core 0; requests come from
//!    core 1 (`server`). In every round the servers take turns in another order. What counts
//!    of ingest is CPU time of the server's process, which noise disturbs least; the median
//!    of the rounds counts.
//! 3. `report` puts the rows beside the bars and into BENCHMARKS.md.
//!
//! `fleet` makes up series and their values, `body` and `wire` write them as requests. `load`
//! has `atoll load` send those, `client` asks one thing at a time. `push`, `paced` and
//! `remote_write` are about what comes in, `replay` is about a start, `memory` and `size` are
//! about what stays, and `query` is about what goes out. How fast JSON is parsed alone is
//! measured beside the parser, by `benches/metrics`. Nothing here is a test: a missed bar is
//! a figure.

mod answers;
mod body;
mod client;
mod cores;
mod corpus;
mod disk;
mod figures;
mod fleet;
mod load;
mod memory;
mod paced;
mod programs;
mod push;
mod query;
mod remote_write;
mod replay;
mod server;
mod size;
mod wire;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::ensure;
use clap::{Args, ValueEnum};

use super::failures::Failures;
use super::report::{self, Row};
use super::{Run, fresh, machine};
use crate::shell;
use programs::Programs;

/// The works, as in the bars of BENCHMARKS.md.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Work {
    /// 100 clients push 100 samples a request, as fast as they are answered
    Push,
    /// 100 clients push at a rate
    Paced,
    /// Remote write of 10,000 series
    RemoteWrite,
    /// Bytes of a sample of node_exporter
    Size,
    /// Memory of a series
    Memory,
    /// Queries over 1000 series and 6 hours
    Query,
    /// A start after kill -9
    Replay,
}

/// What to measure.
#[derive(Args)]
pub struct Options {
    #[command(flatten)]
    run: Run<Work>,
    /// Samples of node_exporter as JSON Lines, or the URL of a Prometheus that has scraped
    /// it as the jobs `node` and `node5`; otherwise it is scraped now
    #[arg(long, value_name = "FILE|URL")]
    corpus: Option<String>,
    /// How long it is scraped
    #[arg(long, value_name = "MINUTES", default_value_t = 30)]
    scrape_minutes: u64,
}

/// How long and how much.
struct Scale {
    warm_up: Duration,
    load: Duration,
    paced: Duration,
    /// Times at which each series of remote write has a sample.
    remote_write_times: usize,
    memory_series: [usize; 2],
    query_times: usize,
    queries: usize,
    replay_times: usize,
}

const FULL: Scale = Scale {
    warm_up: Duration::from_secs(2),
    load: Duration::from_secs(10),
    paced: Duration::from_secs(20),
    remote_write_times: 1000,
    memory_series: [200_000, 1_000_000],
    // 6 hours at 15 seconds.
    query_times: 1440,
    queries: 20,
    replay_times: 1000,
};

const QUICK: Scale = Scale {
    warm_up: Duration::from_secs(1),
    load: Duration::from_secs(2),
    paced: Duration::from_secs(3),
    remote_write_times: 100,
    memory_series: [20_000, 100_000],
    query_times: 240,
    queries: 5,
    replay_times: 100,
};

/// One run of the benchmark.
struct Bench {
    atoll: PathBuf,
    programs: Programs,
    folder: PathBuf,
    rounds: usize,
    scale: &'static Scale,
}

/// Runs the benchmark.
///
/// # Errors
/// When a program fails, or an answer is wrong; what else there is to measure is measured
/// and shown all the same.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let asked = &options.run;
    asked.check()?;
    let cores = std::thread::available_parallelism()?.get();
    ensure!(
        cores >= 2,
        "this needs two cores: one for servers, one for load"
    );
    let target = shell::root().join("target");
    let bench = Bench {
        atoll: shell::atoll(asked.binary.as_deref())?,
        programs: Programs::find(&target.join("bench-metrics-programs"))?,
        folder: fresh(&target.join("bench-metrics"))?,
        rounds: asked.rounds,
        scale: if asked.quick { &QUICK } else { &FULL },
    };
    let machine = bench.describe()?;
    eprintln!("{machine}");
    cores::stay_off_the_server()?;
    let mut failures = Failures::default();
    let mut rows = Vec::new();
    for work in asked.works() {
        eprintln!("{work:?}");
        let measured = bench.measure(*work, options);
        let measured = failures.keep(&format!("{work:?}"), measured);
        for row in measured.unwrap_or_default() {
            eprint!("{row}");
            rows.push(row);
        }
    }
    let report = report::text(&machine, bench.rounds, &rows);
    asked.finish("metrics", &bench.folder, &report, &failures)
}

impl Bench {
    fn measure(&self, work: Work, options: &Options) -> anyhow::Result<Vec<Row>> {
        match work {
            Work::Push => push::run(self),
            Work::Paced => paced::run(self),
            Work::RemoteWrite => remote_write::run(self),
            Work::Size => {
                let corpus = corpus::Corpus::get(
                    self,
                    options.corpus.as_deref(),
                    Duration::from_secs(options.scrape_minutes * 60),
                )?;
                size::run(self, &corpus)
            }
            Work::Memory => memory::run(self),
            Work::Query => query::run(self),
            Work::Replay => replay::run(self),
        }
    }

    /// One paragraph about the machine and the rivals.
    fn describe(&self) -> anyhow::Result<String> {
        let (median, worst) = machine::fsync_latency(&self.folder)?;
        Ok(format!(
            "{machine}. The server on core 0, the load on core 1. 4 KiB append + fdatasync: \
             median {median:.2} ms, p99 {worst:.2} ms. {rivals}.",
            machine = machine::hardware()?,
            median = median.as_secs_f64() * 1e3,
            worst = worst.as_secs_f64() * 1e3,
            rivals = self.programs.versions()?,
        ))
    }
}

/// Milliseconds since 1970.
fn now() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    i64::try_from(now.unwrap_or_default().as_millis()).unwrap_or(i64::MAX)
}
