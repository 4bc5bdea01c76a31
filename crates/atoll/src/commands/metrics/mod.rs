//! `atoll metrics`: samples sent to a node and asked for; one file for each subcommand.
//!
//! All of them speak HTTP, the queries as Prometheus does, so that they ask its servers
//! too. Here are what people write (`line`, `moment`) and what they see (`told`, `table`,
//! `plot`, `axis`, `caret`); `answer` and `labels` are what the server says, `retry` is when it is
//! asked again.

mod answer;
mod axis;
mod caret;
mod export;
mod import;
mod labels;
mod line;
mod moment;
mod plot;
mod push;
mod query;
mod retry;
mod screen;
mod table;
mod told;

use anyhow::Result;
use clap::Subcommand;

/// Shown below the subcommands.
const EXAMPLES: &str = "\
Examples:
  atoll metrics push room_temperature 21.5 --tag room=kitchen
  atoll metrics query room_temperature
  atoll metrics query 'rate(node_cpu_seconds_total[1m])' --range 1h
  atoll metrics export --from 7d -o week.jsonl";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Send samples
    Push(push::Arguments),
    /// Ask in PromQL, for a table or a plot
    Query(query::Arguments),
    /// Send what was exported
    Import(import::Arguments),
    /// Write samples as JSON Lines
    Export(export::Arguments),
}

pub fn run(arguments: &Arguments) -> Result<()> {
    match &arguments.action {
        Action::Push(arguments) => push::run(arguments),
        Action::Query(arguments) => query::run(arguments),
        Action::Import(arguments) => import::run(arguments),
        Action::Export(arguments) => export::run(arguments),
    }
}
