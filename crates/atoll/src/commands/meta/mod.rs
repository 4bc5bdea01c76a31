//! `atoll meta`: what is known of files and folders, shown, checked, converted and
//! compared; one file for each subcommand.
//!
//! The language and its bytes are `meta`'s, walking and hashing are `sync::inventory`'s.
//! Here documents are read from wherever they are (`input`, `entries`), written to
//! wherever they go (`sink`, `writer`), and told of (`problems`, `told`, `json`).

mod check;
mod decode;
mod diff;
mod encode;
mod entries;
mod fmt;
mod input;
mod json;
mod problems;
mod show;
mod sink;
mod told;
mod verify;
mod writer;

use crate::output::{FoundUnread, nobody_reads};
use anyhow::Result;
use clap::Subcommand;

/// Shown below the subcommands.
const EXAMPLES: &str = "\
Examples:
  atoll meta show photos --output photos.atollmeta    take down what is there
  atoll meta verify photos.atollmeta photos           whether it is still so
  atoll meta diff monday.atollmeta photos             what came, went and changed";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Show what is known of a file or link, or of everything in a directory: its
    /// manifest
    Show(show::Arguments),
    /// Find everything that is wrong with documents
    Check(check::Arguments),
    /// Bring the texts of documents into their one canonical form
    Fmt(fmt::Arguments),
    /// Turn a text into the binary form; its comments are lost
    Encode(encode::Arguments),
    /// Turn the binary form into a text
    Decode(decode::Arguments),
    /// Compare two documents, manifests or directories
    Diff(diff::Arguments),
    /// Compare a directory with its manifest
    Verify(verify::Arguments),
}

pub fn run(arguments: &Arguments) -> Result<()> {
    match &arguments.action {
        Action::Show(arguments) => show::run(arguments),
        Action::Check(arguments) => verdict(check::run(arguments)),
        Action::Fmt(arguments) => fmt::run(arguments),
        Action::Encode(arguments) => encode::run(arguments),
        Action::Decode(arguments) => decode::run(arguments),
        Action::Diff(arguments) => verdict(diff::run(arguments)),
        Action::Verify(arguments) => verdict(verify::run(arguments)),
    }
}

/// The end of a command that says whether something is wrong: a line that nobody reads is
/// about something that is.
fn verdict(done: Result<()>) -> Result<()> {
    done.map_err(|error| match nobody_reads(&error) {
        true => error.context(FoundUnread),
        false => error,
    })
}
