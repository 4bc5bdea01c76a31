//! `atoll status`: how a node is, and what its folders do.

use crate::output::line;
use crate::place::Reach;
use anyhow::Result;
use serde_json::Value;
use std::io;

#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    reach: Reach,
    /// Print the node's answer as JSON
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let client = arguments.reach.client()?;
    let mut status = client.get("/api/status")?;
    let spaces = client.get("/api/spaces")?;
    if arguments.json {
        status["spaces"] = spaces["items"].clone();
        line(format_args!("{status}"))?;
        return Ok(());
    }
    let word = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    line(format_args!(
        "node {} at {} ({})",
        word(&status["node"]),
        client.server(),
        word(&status["role"])
    ))?;
    if let Some(problem) = status["problem"].as_str() {
        line(format_args!("  takes nothing new: {problem}"))?;
    }
    line(format_args!(
        "  applied {} of {} log entries",
        status["applied"], status["committed"]
    ))?;
    line(format_args!(
        "  {} folders sync now",
        status["sync_sessions"]
    ))?;
    for space in spaces["items"].as_array().into_iter().flatten() {
        line(format_args!(
            "space {}: {} files, {} directories, {} bytes; your role: {}",
            word(&space["slug"]),
            space["files"],
            space["directories"],
            space["bytes"],
            word(&space["role"])
        ))?;
    }
    for folder in status["folders"].as_array().into_iter().flatten() {
        line(format_args!(
            "folder {}: space {}, {}",
            word(&folder["path"]),
            word(&folder["space"]),
            word(&folder["state"])
        ))?;
        tell_skipped(folder)?;
    }
    Ok(())
}

/// What a folder does not sync, and how often two sides differed.
fn tell_skipped(folder: &Value) -> io::Result<()> {
    if let Some(skipped @ 1..) = folder["skipped"].as_u64() {
        let more = folder["more_skipped"].as_bool().unwrap_or_default();
        line(format_args!(
            "  {skipped}{} entries were not synced; the last: {}",
            if more { " and more" } else { "" },
            folder["last_problem"].as_str().unwrap_or("?")
        ))?;
    }
    if let Some(conflicts @ 1..) = folder["conflicts"].as_u64() {
        line(format_args!("  {conflicts} conflict copies were made"))?;
    }
    Ok(())
}
