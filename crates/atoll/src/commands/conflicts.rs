//! `atoll conflicts`: the conflicts of a synced folder's space, and what was
//! kept of one. Both files are in the folder; keeping one of them is done there.

use crate::client::{Client, encode};
use crate::place;
use anyhow::Result;
use clap::{Subcommand, ValueEnum};
use serde_json::json;
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    action: Option<Action>,
    /// A synced folder
    #[arg(long, global = true, default_value = ".", value_name = "DIR")]
    dir: PathBuf,
    /// Print the node's answer as JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand)]
enum Action {
    /// Show the open conflicts
    List,
    /// Close a conflict
    Resolve {
        /// Its number from the list
        id: String,
        /// What was kept
        #[arg(long)]
        keep: Keep,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum Keep {
    /// What this side had: the conflict copy
    Local,
    /// What the space had
    Remote,
    /// Both, or something merged from them
    Both,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let place = place::synced(&arguments.dir)?;
    let client = Client::new(&place.marker.server, &place.token);
    let space = &place.marker.space;
    match &arguments.action {
        None | Some(Action::List) => list(&client, space, arguments.json),
        Some(Action::Resolve { id, keep }) => {
            let keep = match keep {
                Keep::Local => "local",
                Keep::Remote => "remote",
                Keep::Both => "both",
            };
            client.post(
                "/api/conflict",
                &json!({ "space": space, "id": id, "keep": keep }),
            )?;
            Ok(())
        }
    }
}

fn list(client: &Client, space: &str, as_json: bool) -> Result<()> {
    let mut since = String::new();
    loop {
        let path = format!("/api/spaces/{}/conflicts?since={since}", encode(space));
        let page = client.get(path.trim_end_matches("?since="))?;
        for conflict in page["items"].as_array().into_iter().flatten() {
            if as_json {
                println!("{conflict}");
                continue;
            }
            let text = |name: &str| conflict[name].as_str().unwrap_or("?");
            println!("{}  {}  {}", text("id"), text("time"), text("path"));
        }
        match page["next"].as_str() {
            Some(next) => next.clone_into(&mut since),
            None => return Ok(()),
        }
    }
}
