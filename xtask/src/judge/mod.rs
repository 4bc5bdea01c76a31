//! `cargo xtask judge`: what independent programs say of ours, at random and at length.
//!
//! Without a name, folders are judged.

mod folders;
mod metrics;
mod promql;

use std::path::PathBuf;

use base::{Random, SystemRandom};
use clap::{Args, Subcommand};

pub use folders::{real_tree, subfolders};

/// What to judge.
#[derive(Args)]
#[group(skip)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Options {
    #[command(subcommand)]
    other: Option<Other>,
    #[command(flatten)]
    folders: folders::Options,
}

#[derive(Subcommand)]
enum Other {
    /// Samples that are pushed to a node which is killed all the time
    Metrics(metrics::Options),
    /// Random queries over random samples, beside Prometheus
    Promql(promql::Options),
}

/// What every judge is told: all of them choose at random.
#[derive(Args)]
struct Seed {
    /// Replays a run's choices; drawn and printed when not given
    #[arg(long)]
    seed: Option<u64>,
}

/// What judges are told that kill nodes.
#[derive(Args)]
struct Killing {
    /// How many times a process is killed
    #[arg(long, default_value_t = 200)]
    kills: usize,
    /// An atoll binary to use instead of building one
    #[arg(long)]
    binary: Option<PathBuf>,
}

impl Seed {
    /// The seed of this run, which is printed.
    fn choose(&self) -> u64 {
        let seed = self.seed.unwrap_or_else(|| SystemRandom.next_u64());
        eprintln!("judge: seed {seed}");
        seed
    }
}

/// Runs the judge.
///
/// # Errors
/// Names the first thing that does not hold, and the seed.
pub fn run(options: &Options) -> anyhow::Result<()> {
    match &options.other {
        Some(Other::Metrics(options)) => metrics::run(options),
        Some(Other::Promql(options)) => promql::run(options),
        None => folders::run(&options.folders),
    }
}
