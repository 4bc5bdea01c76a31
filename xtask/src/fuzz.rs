//! `cargo xtask fuzz`: builds and runs the fuzz targets of `fuzz/`.
//!
//! libFuzzer's instrumentation works on the stable compiler through LLVM's own
//! options, so that no nightly toolchain is needed. The targets live in a
//! workspace of their own, because every crate below them is built with these
//! options. What a target checks is written in its file.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;

use crate::{packages, shell};

/// The options that `cargo fuzz` would give, without its sanitizers.
const INSTRUMENTATION: &str = "--cfg fuzzing \
    -Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares";

/// Named so that build scripts and macros are built without instrumentation.
const TRIPLE: &str = concat!("x86_64", "-unknown-linux-gnu");

/// Which target, for how long.
#[derive(Args)]
pub struct Options {
    /// The target, a file in fuzz/targets; without it, all of them in turn
    target: Option<String>,
    /// How long to run, shared by all targets when none is named
    #[arg(long, default_value_t = 60)]
    seconds: u64,
}

/// Runs one target or all.
///
/// # Errors
/// When a target does not build or finds something; libFuzzer's output names
/// the input that shows it.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let time = Duration::from_secs(options.seconds);
    match &options.target {
        None => run_all(time),
        Some(target) => {
            build()?;
            run_target(target, time)
        }
    }
}

/// Builds all targets and runs each for an equal share of `time`, as many at once as
/// there are cores.
///
/// # Errors
/// As [`run`], after all targets have had their turn.
pub fn run_all(time: Duration) -> anyhow::Result<()> {
    build()?;
    let targets = targets()?;
    let share = time / u32::try_from(targets.len().max(1))?;
    let next = AtomicUsize::new(0);
    let lane = || {
        let mut failed = Vec::new();
        while let Some(target) = targets.get(next.fetch_add(1, Ordering::Relaxed)) {
            eprintln!("--- fuzz target {target}, {} s", share.as_secs());
            if let Err(error) = run_target(target, share) {
                eprintln!("{error:#}");
                failed.push(target.as_str());
            }
        }
        failed
    };
    let lanes = thread::available_parallelism().map_or(1, usize::from);
    let failed: Vec<_> = thread::scope(|scope| {
        let lanes: Vec<_> = (0..lanes).map(|_| scope.spawn(lane)).collect();
        let ended = lanes.into_iter().map(|lane| lane.join());
        // A lane that panics has said so, and found nothing good.
        ended
            .flat_map(|failed| failed.unwrap_or(vec!["(a panic)"]))
            .collect()
    });
    if !failed.is_empty() {
        bail!("fuzz targets found something: {}", failed.join(", "));
    }
    Ok(())
}

fn build() -> anyhow::Result<()> {
    packages::ensure(&[packages::CXX])?;
    let mut build = shell::cargo(&["build", "--release", "--target", TRIPLE]);
    build
        .current_dir(shell::root().join("fuzz"))
        .env("RUSTFLAGS", INSTRUMENTATION);
    shell::run(&mut build)
}

fn run_target(target: &str, time: Duration) -> anyhow::Result<()> {
    let fuzz = shell::root().join("fuzz");
    let corpus = fuzz.join("corpus").join(target);
    let artifacts = fuzz.join("artifacts").join(target);
    for directory in [&corpus, &artifacts] {
        std::fs::create_dir_all(directory)
            .with_context(|| format!("cannot create {}", directory.display()))?;
    }
    let binary = fuzz
        .join("target")
        .join(TRIPLE)
        .join("release")
        .join(target);
    let mut command = std::process::Command::new(binary);
    command
        .current_dir(&fuzz)
        .arg(corpus)
        .arg(format!("-artifact_prefix={}/", artifacts.display()))
        .arg(format!("-max_total_time={}", time.as_secs().max(1)))
        .args(["-rss_limit_mb=2048", "-timeout=10", "-print_final_stats=1"]);
    let output = command
        .output()
        .with_context(|| format!("{target} does not run"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        bail!("{target} found something: {}\n{said}", output.status);
    }
    for line in said
        .lines()
        .filter(|line| line.starts_with("stat::number_of_executed"))
    {
        eprintln!("{target}: {line}");
    }
    Ok(())
}

/// The names of the files in `fuzz/targets`, sorted.
fn targets() -> anyhow::Result<Vec<String>> {
    let directory = shell::root().join("fuzz").join("targets");
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&directory)
        .with_context(|| format!("cannot list {}", directory.display()))?
    {
        let path = entry?.path();
        if let (Some("rs"), Some(stem)) = (
            path.extension().and_then(|e| e.to_str()),
            path.file_stem().and_then(|s| s.to_str()),
        ) {
            names.push(stem.to_owned());
        }
    }
    names.sort();
    Ok(names)
}
