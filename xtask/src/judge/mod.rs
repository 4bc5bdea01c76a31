//! `cargo xtask judge`: what independent programs say of ours, at random and at length.
//!
//! Without a name, folders are judged.

mod folders;
mod metrics;
mod promql;

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
