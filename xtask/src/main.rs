//! `cargo xtask`: test, bench, and everything else a maintainer runs.
//!
//! This file only reads the command line; each command is one module. What CI
//! runs is in `check.rs`. Nothing here is part of what a user installs.

mod bench;
mod check;
mod fuzz;
mod judge;
mod packages;
mod shell;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(
    name = "cargo xtask",
    about = "test, bench, and everything else a maintainer runs"
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Everything that CI runs: format, clippy, docs, all tests, fuzz targets
    Test(check::Options),
    /// Atoll beside its rivals, in one run
    Bench(bench::Options),
    /// Real trees and a real history, with processes killed at random
    Judge(judge::Options),
    /// One fuzz target, or all of them
    Fuzz(fuzz::Options),
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Test(options) => check::run(&options),
        Command::Bench(options) => bench::run(&options),
        Command::Judge(options) => judge::run(&options),
        Command::Fuzz(options) => fuzz::run(&options),
    }
}
