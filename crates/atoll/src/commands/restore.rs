//! `atoll restore PATH --at TIME`: a file as it was, on top of what it is. The
//! node writes a new version; the folder's client brings it.

use crate::client::Client;
use crate::output::line;
use crate::place;
use anyhow::Result;
use serde_json::json;
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Arguments {
    /// A file in a synced folder; it may be deleted
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
    let client = Client::new(&place.marker.server, &place.token);
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
    } else {
        line(format_args!(
            "restored {} to version {}",
            place.root.join(&place.path).display(),
            answer["restored"].as_str().unwrap_or("?")
        ))?;
    }
    Ok(())
}
