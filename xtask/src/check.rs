//! `cargo xtask test`: everything that CI runs, step by step.
//!
//! A failed step does not stop the later ones: one run shows all that is wrong.
//! The last line printed is `N passed, N failed`, counted from the runners' own
//! summaries. The house rules are ordinary tests in `tests/tidy.rs`.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::bail;
use clap::Args;

use crate::{fuzz, packages, shell};

/// How long all fuzz targets run, one after the other, after they are built; side by side they
/// take less.
const FUZZ_TIME: Duration = Duration::from_secs(300);

/// What to leave out.
#[derive(Args)]
pub struct Options {
    /// Leave out the release build with its end-to-end tests, and the fuzz targets
    #[arg(long)]
    fast: bool,
}

/// Tests as their runners counted them.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Count {
    passed: u64,
    failed: u64,
}

/// The run so far.
#[derive(Default)]
struct Progress {
    count: Count,
    failures: Vec<String>,
    times: Vec<(&'static str, Duration)>,
}

/// Runs all steps.
///
/// # Errors
/// Names the steps that failed.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let mut progress = Progress::default();
    progress.step("format", |_| {
        shell::run(&mut shell::cargo(&["fmt", "--all", "--check"]))
    });
    progress.step("clippy", |_| {
        shell::run(&mut shell::cargo(&[
            "clippy",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ]))
    });
    progress.step("documentation", |_| {
        let mut doc = shell::cargo(&["doc", "--no-deps", "--workspace"]);
        shell::run(doc.env("RUSTDOCFLAGS", "-D warnings"))
    });
    progress.step("tests", |count| test(&["--workspace"], count));
    progress.step("documentation tests", |count| {
        watch(&mut shell::cargo(&["test", "--workspace", "--doc"]), count)
    });
    progress.step("every order of threads", model);
    if !options.fast {
        progress.step("end to end, release binary", |count| {
            packages::ensure(&[packages::RSYNC, packages::GIT])?;
            test(&["--release", "--package", "atoll", "--test", "e2e"], count)
        });
        progress.step("fuzz", |_| fuzz::run_all(FUZZ_TIME));
    }
    progress.finish()
}

impl Progress {
    fn step(&mut self, name: &'static str, work: impl FnOnce(&mut Count) -> anyhow::Result<()>) {
        eprintln!("\n=== {name}");
        let start = Instant::now();
        if let Err(error) = work(&mut self.count) {
            eprintln!("{error:#}");
            self.failures.push(format!("{name}: {error:#}"));
        }
        self.times.push((name, start.elapsed()));
        eprintln!("=== {name}: {:.1} s", start.elapsed().as_secs_f64());
    }

    fn finish(self) -> anyhow::Result<()> {
        eprintln!("\n=== time of each step");
        for (name, time) in &self.times {
            eprintln!("{:8.1} s  {name}", time.as_secs_f64());
        }
        for failure in &self.failures {
            eprintln!("failed: {failure}");
        }
        // A step without tests that fails is still one failure for who reads only this line.
        let failed = self.count.failed.max(self.failures.len() as u64);
        println!("{} passed, {failed} failed", self.count.passed);
        if self.failures.is_empty() {
            return Ok(());
        }
        bail!(
            "{} of {} steps failed",
            self.failures.len(),
            self.times.len()
        )
    }
}

/// Runs tests with nextest where it is installed, else with cargo's own runner:
/// a machine with nothing but Rust has only that.
fn test(arguments: &[&str], count: &mut Count) -> anyhow::Result<()> {
    let runner: &[&str] = if shell::is_installed("cargo-nextest") {
        &["nextest", "run", "--no-fail-fast"]
    } else {
        &["test", "--no-fail-fast", "--tests"]
    };
    watch(&mut shell::cargo(&[runner, arguments].concat()), count)
}

/// Runs the tests that try every order in which threads may see each other. They are built
/// with a flag for all crates, so in a folder of their own: the ordinary build stays.
fn model(count: &mut Count) -> anyhow::Result<()> {
    let mut test = shell::cargo(&[
        "test",
        "--package",
        "rings",
        "--lib",
        "--release",
        "--target-dir",
        "target/loom",
    ]);
    watch(test.env("RUSTFLAGS", "--cfg loom"), count)
}

fn watch(command: &mut Command, count: &mut Count) -> anyhow::Result<()> {
    shell::run_watched(command.env("CARGO_TERM_COLOR", "never"), &mut |line| {
        let seen = count_in(line);
        count.passed += seen.passed;
        count.failed += seen.failed;
    })
}

/// Reads the summary line of nextest or of the standard harness; other lines
/// count nothing.
fn count_in(line: &str) -> Count {
    let line = line.trim();
    let is_summary = line.starts_with("Summary [") || line.starts_with("test result:");
    if !is_summary {
        return Count::default();
    }
    Count {
        passed: number_before(line, " passed"),
        failed: number_before(line, " failed") + number_before(line, " timed out"),
    }
}

fn number_before(line: &str, word: &str) -> u64 {
    let digits = |text: &str| {
        text.rsplit(|c: char| !c.is_ascii_digit())
            .next()
            .and_then(|digits| digits.parse().ok())
    };
    line.find(word)
        .and_then(|at| digits(&line[..at]))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_what_runners_say() {
        let check = |line: &str, passed: u64, failed: u64| {
            assert_eq!(count_in(line), Count { passed, failed }, "{line}");
        };
        check(
            "     Summary [   0.012s] 20 tests run: 20 passed, 0 skipped",
            20,
            0,
        );
        check(
            "Summary [ 1.0s] 7 tests run: 5 passed (1 slow), 2 failed, 3 skipped",
            5,
            2,
        );
        check(
            "Summary [ 1.0s] 3 tests run: 1 passed, 1 failed, 1 timed out, 0 skipped",
            1,
            2,
        );
        check(
            "test result: ok. 4 passed; 0 failed; 1 ignored; 0 measured",
            4,
            0,
        );
        check("test result: FAILED. 4 passed; 2 failed; 0 ignored", 4, 2);
        check("a test that printed 9 passed, 9 failed", 0, 0);
    }
}
