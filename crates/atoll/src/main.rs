//! The `atoll` binary: the command line, and nothing that a library could do.
//!
//! Each subcommand is a file of [`commands`]. Exit codes: 0 done, 1 failed,
//! 2 wrong usage.

mod client;
mod commands;
mod interrupt;
mod named;
mod output;
mod place;

use clap::{Parser, Subcommand};
use commands::{
    conflicts, echo, history, invite, load, meta, metrics, ping, restore, scrub, serve, status,
    sync, up, web,
};
use std::process::ExitCode;

/// Behind the options that a command has of its own.
const LAST: usize = 1000;

/// Files, shared and kept, on machines of your own.
#[derive(Parser)]
#[command(name = "atoll", version)]
struct Arguments {
    /// What to write to standard error: error, warn, info, debug or trace
    #[arg(
        long,
        global = true,
        default_value = "warn",
        value_name = "LEVEL",
        display_order = LAST
    )]
    log_level: tracing::Level,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start a node and share a folder through it, or add the folder to the
    /// node that runs
    Up(up::Arguments),
    /// Start a node without a folder
    Serve(serve::Arguments),
    /// Keep a folder equal to a space of a node
    Sync(sync::Arguments),
    /// Show how a node is
    Status(status::Arguments),
    /// Make a token that lets another device join, or a link for a browser
    Invite(invite::Arguments),
    /// Show what a file was
    History(history::Arguments),
    /// Set a file back to what it was
    Restore(restore::Arguments),
    /// Show conflicts, or say what was kept of one
    Conflicts(conflicts::Arguments),
    /// Show, check, convert and compare what is known of files and folders
    Meta(meta::Arguments),
    /// Send samples to a node, and ask for them
    Metrics(metrics::Arguments),
    /// Verify every stored byte of a node
    Scrub(scrub::Arguments),
    /// Serve a directory as a web site, without a node
    Web(Box<web::Arguments>),
    /// Send back what comes, without a node: to try and measure how connections
    /// are served
    Echo(echo::Arguments),
    /// Measure round trips through `atoll echo`
    Ping(ping::Arguments),
    /// Ask a web server by many clients, and measure how it answers
    Load(Box<load::Arguments>),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_max_level(arguments.log_level)
        .with_target(false)
        .init();
    let done = match arguments.command {
        Command::Up(arguments) => up::run(&arguments),
        Command::Serve(arguments) => serve::run(&arguments),
        Command::Sync(arguments) => sync::run(arguments),
        Command::Status(arguments) => status::run(&arguments),
        Command::Invite(arguments) => invite::run(&arguments),
        Command::History(arguments) => history::run(&arguments),
        Command::Restore(arguments) => restore::run(&arguments),
        Command::Conflicts(arguments) => conflicts::run(&arguments),
        Command::Meta(arguments) => meta::run(&arguments),
        Command::Metrics(arguments) => metrics::run(&arguments),
        Command::Scrub(arguments) => scrub::run(&arguments),
        Command::Web(arguments) => web::run(&arguments),
        Command::Echo(arguments) => echo::run(&arguments),
        Command::Ping(arguments) => ping::run(&arguments),
        Command::Load(arguments) => load::run(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if output::nobody_reads(&error) => output::unread_code(&error),
        Err(error) => {
            output::complain(format_args!("atoll: {}", output::told(&error)));
            output::exit_code(&error)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Arguments::command().debug_assert();
    }
}
