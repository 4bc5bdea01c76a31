//! `cargo xtask bench`: Atoll beside its rivals, in one run on one machine.
//!
//! `bench http`, `bench meta` and `bench metrics` are folders of their own, [`http`],
//! [`metadata`] and [`metrics`]. The rest is `bench sync`:
//!
//! 1. Build the release binary, make the data sets (`harness::tree`).
//! 2. Each work in `works` runs its rounds: fresh folders, the disk settled by
//!    `sync(2)`, the rivals in alternating order; the median counts.
//! 3. `report` prints the ratios against the bars and writes BENCHMARKS.md.
//!
//! `rsync` runs the rival, `counter` counts bytes on the wire, `machine`
//! describes what it ran on, `failures` keeps what failed from taking the rest along.
//! Nothing here is a test: a missed bar is a figure.

mod counter;
mod failures;
mod http;
mod latency;
mod machine;
mod metadata;
mod metrics;
mod report;
mod rsync;
mod works;

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::{Args, Subcommand, ValueEnum};

use crate::{packages, shell};
use failures::Failures;
use report::Row;

/// Seed of all data sets: the figures are of the same bytes every time.
const SEED: u64 = 2;

/// What to measure.
#[derive(Args)]
pub struct Options {
    #[command(subcommand)]
    area: Area,
}

#[derive(Subcommand)]
enum Area {
    /// Two folders through one node, beside rsync
    Sync(Run<Work>),
    /// The web server, beside nginx, lighttpd, hyper and axum
    Http(Run<http::Work>),
    /// Metadata as text and bytes, and manifests of folders, beside YAML and mtree
    Meta(Run<metadata::Work>),
    /// Metrics, beside VictoriaMetrics and Prometheus
    Metrics(metrics::Options),
}

/// What of a benchmark to run.
#[derive(Args)]
struct Run<W: ValueEnum + Send + Sync + 'static> {
    /// How often each work runs; the median counts
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Only this work; may be given more than once
    #[arg(long, value_enum)]
    only: Vec<W>,
    /// A small run, to try the benchmark itself; BENCHMARKS.md stays as it is
    #[arg(long)]
    quick: bool,
    /// An atoll binary to use instead of building one
    #[arg(long)]
    binary: Option<PathBuf>,
}

impl<W: ValueEnum + PartialEq + Send + Sync + 'static> Run<W> {
    fn check(&self) -> anyhow::Result<()> {
        if self.rounds == 0 {
            bail!("--rounds is at least 1");
        }
        Ok(())
    }

    /// The works that are asked for, in their order.
    fn works(&self) -> impl Iterator<Item = &W> {
        let works = W::value_variants().iter();
        works.filter(|work| self.only.is_empty() || self.only.contains(work))
    }

    /// Shows what came of it; a whole run becomes the section of BENCHMARKS.md.
    ///
    /// # Errors
    /// When something has failed, or the section cannot be written.
    fn finish(
        &self,
        area: &str,
        folder: &Path,
        report: &str,
        failures: &Failures,
    ) -> anyhow::Result<()> {
        println!("{report}{}", failures.section());
        std::fs::remove_dir_all(folder)?;
        failures.check()?;
        let is_whole = self.only.is_empty() && !self.quick;
        if is_whole {
            report::write(area, report)
        } else {
            Ok(())
        }
    }
}

/// The works, as in the bars of BENCHMARKS.md.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Work {
    /// 1000 files of 1 MiB, first sync
    Large,
    /// 100,000 files of 4 KiB: first sync, then nothing changed, and memory
    Small,
    /// One byte inserted at the front of 1 GiB
    Delta,
    /// A small edit until it is on the other side
    Edit,
}

/// How big the data sets are.
struct Scale {
    large_files: usize,
    small_files: usize,
    delta_bytes: usize,
    edits: usize,
}

const FULL: Scale = Scale {
    large_files: 1000,
    small_files: 100_000,
    delta_bytes: 1 << 30,
    edits: 200,
};

const QUICK: Scale = Scale {
    large_files: 100,
    small_files: 3000,
    delta_bytes: 32 << 20,
    edits: 20,
};

/// One run of the benchmark.
struct Bench {
    binary: PathBuf,
    folder: PathBuf,
    rounds: usize,
    scale: &'static Scale,
}

/// Runs the benchmark.
///
/// # Errors
/// When a program fails or two folders that must be equal are not; the other works
/// are measured and shown all the same.
pub fn run(options: &Options) -> anyhow::Result<()> {
    match &options.area {
        Area::Sync(options) => run_sync(options),
        Area::Http(options) => http::run(options),
        Area::Meta(options) => metadata::run(options),
        Area::Metrics(options) => metrics::run(options),
    }
}

fn run_sync(options: &Run<Work>) -> anyhow::Result<()> {
    options.check()?;
    packages::ensure(&[packages::RSYNC])?;
    let bench = Bench {
        binary: shell::atoll(options.binary.as_deref())?,
        folder: fresh(&shell::root().join("target").join("bench"))?,
        rounds: options.rounds,
        scale: if options.quick { &QUICK } else { &FULL },
    };
    let machine = machine::describe(&bench.folder)?;
    eprintln!("{machine}");
    let mut failures = Failures::default();
    let mut rows = Vec::new();
    for work in options.works() {
        let found = failures.keep(&format!("{work:?}"), bench.measure(*work));
        for row in found.unwrap_or_default() {
            eprint!("{row}");
            rows.push(row);
        }
    }
    let report = report::text(&machine, bench.rounds, &rows);
    options.finish("sync", &bench.folder, &report, &failures)
}

impl Bench {
    fn measure(&self, work: Work) -> anyhow::Result<Vec<Row>> {
        match work {
            Work::Large => works::large(self),
            Work::Small => works::small(self),
            Work::Delta => works::delta(self),
            Work::Edit => latency::edits(self),
        }
    }
}

/// An empty folder at `path`, whatever was there.
///
/// # Errors
/// When it cannot be emptied or made.
fn fresh(path: &Path) -> anyhow::Result<PathBuf> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("cannot remove {}", path.display()));
        }
        _ => {}
    }
    std::fs::create_dir_all(path).with_context(|| format!("cannot create {}", path.display()))?;
    Ok(path.to_owned())
}

/// Writes everything that waits to the disk, so that no work pays for another.
fn settle() {
    rustix::fs::sync();
}
