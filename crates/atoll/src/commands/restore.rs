//! `atoll restore PATH --at TIME`: a file, or a directory with all that was in
//! it, as it was, on top of what it is. The node writes new versions; the
//! folder's client brings them.

use crate::client::Client;
use crate::output::line;
use crate::place;
use anyhow::Result;
use serde_json::{Value, json};
use std::io;
use std::path::{Path, PathBuf};

/// Shown below the options.
const EXAMPLES: &str = "\
Examples:
  atoll restore notes/plan.txt --at 2026-11-20
  atoll restore notes/plan.txt --version 65539.2";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// A file or directory in a synced folder; it may be deleted
    path: PathBuf,
    /// The moment to go back to, like 2026-11-20T12:00:00Z, or a date
    #[arg(long, value_name = "TIME", required_unless_present = "version")]
    at: Option<String>,
    /// The version to go back to, from `atoll history`
    #[arg(long, value_name = "VERSION", conflicts_with = "at")]
    version: Option<String>,
    /// Print the node's answer as JSON
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let place = place::synced(&arguments.path)?;
    let client = Client::new(&place.marker.address(), &place.token);
    let mut wanted = json!({ "space": place.marker.space, "path": place.path });
    if let Some(at) = &arguments.at {
        wanted["at"] = at.as_str().into();
    }
    if let Some(version) = &arguments.version {
        wanted["version"] = version.as_str().into();
    }
    let answer = client.post("/api/restore", &wanted)?;
    if arguments.json {
        line(format_args!("{answer}"))?;
        return Ok(());
    }
    tell(&place.root.join(&place.path), &answer)?;
    Ok(())
}

fn tell(path: &Path, answer: &Value) -> io::Result<()> {
    let word = |name: &str| answer[name].as_str().unwrap_or("?");
    line(format_args!(
        "restored {} to version {}",
        path.display(),
        word("restored")
    ))?;
    if let Some(replaced) = answer["replaced_version"].as_str() {
        line(format_args!(
            "  version {replaced}, which stood there, stays in its history"
        ))?;
    }
    let count = |name: &str| answer[name].as_u64();
    // Only a directory's answer counts what was in it.
    let Some(unchanged) = count("unchanged") else {
        return Ok(());
    };
    line(format_args!(
        "  {} entries came back, {unchanged} were there as they had been",
        count("entries").unwrap_or(0)
    ))?;
    if let Some(replaced @ 1..) = count("replaced") {
        line(format_args!(
            "  {replaced} files went back to the version of then; the newer ones stay in their history"
        ))?;
    }
    if let Some(blocked @ 1..) = count("blocked") {
        line(format_args!(
            "  {blocked} entries did not come back, because something else stands there now:"
        ))?;
    }
    for path in answer["in_the_way"].as_array().into_iter().flatten() {
        line(format_args!("    {}", path.as_str().unwrap_or("?")))?;
    }
    Ok(())
}
