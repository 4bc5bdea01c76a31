//! `atoll history PATH`: the versions of a file in a synced folder.

use crate::client::{Client, encode};
use crate::output::line;
use crate::place;
use anyhow::Result;
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Arguments {
    /// A file in a synced folder; it may be deleted
    path: PathBuf,
    /// Print the node's answer as JSON
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let place = place::synced(&arguments.path)?;
    let client = Client::new(&place.marker.address(), &place.token);
    let space = encode(&place.marker.space);
    let answer = client.get(&format!(
        "/api/spaces/{space}/history?path={}",
        encode(&place.path)
    ))?;
    if arguments.json {
        line(format_args!("{answer}"))?;
        return Ok(());
    }
    for version in answer["items"].as_array().into_iter().flatten() {
        let text = |name: &str| version[name].as_str().unwrap_or("");
        let size = version["size"]
            .as_u64()
            .map_or(String::new(), |size| format!("{size} bytes"));
        line(format_args!(
            "{}  {:>10}  {:<9}  {size}",
            text("time"),
            text("version"),
            text("kind")
        ))?;
    }
    Ok(())
}
