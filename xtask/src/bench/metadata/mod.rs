//! `cargo xtask bench meta`: metadata as text and as bytes, and manifests of folders.
//!
//! 1. `codec` runs the criterion benchmarks of `benches/` on one core: reading and
//!    writing, beside what reads YAML into the same types.
//! 2. `folders` makes and verifies manifests of real folders with the release binary,
//!    beside mtree, and compares the sizes of the text and the bytes; then of folders of
//!    many files, to see what memory it takes.
//!
//! The real folders are those of `cargo xtask judge`. Nothing here is a test: a missed
//! bar is a figure.

mod codec;
mod folders;

use clap::ValueEnum;
use std::path::PathBuf;

use super::failures::Failures;
use super::{Run, fresh, machine, report};
use crate::shell;

/// The works, as in the bars of BENCHMARKS.md.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Work {
    /// Reading and writing, in memory, on one core
    Codec,
    /// Manifests of real folders: how long, and how large
    Folders,
    /// Manifests of a hundred thousand files and of a million: memory
    Memory,
}

/// One run of the benchmark.
struct Bench {
    binary: PathBuf,
    folder: PathBuf,
    rounds: usize,
    quick: bool,
}

/// Runs the benchmark.
///
/// # Errors
/// When a program fails; the other works are measured and shown all the same.
pub fn run(options: &Run<Work>) -> anyhow::Result<()> {
    options.check()?;
    let bench = Bench {
        binary: shell::atoll(options.binary.as_deref())?,
        folder: fresh(&shell::root().join("target").join("bench-meta"))?,
        rounds: options.rounds,
        quick: options.quick,
    };
    let machine = format!("{}.", machine::hardware()?);
    eprintln!("{machine}");
    let mut failures = Failures::default();
    let mut rows = Vec::new();
    let mut sizes = String::new();
    for work in options.works() {
        let measured = match work {
            Work::Codec => codec::measure(&bench),
            Work::Folders => folders::measure(&bench, &mut sizes),
            Work::Memory => folders::memory(&bench),
        };
        let found = failures.keep(&format!("{work:?}"), measured);
        for row in found.unwrap_or_default() {
            eprint!("{row}");
            rows.push(row);
        }
    }
    let table = report::text(&machine, bench.rounds, &rows);
    options.finish("meta", &bench.folder, &format!("{table}{sizes}"), &failures)
}
