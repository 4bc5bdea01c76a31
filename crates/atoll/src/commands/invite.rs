//! `atoll invite`: a token for another device, or a link for a browser.

use crate::output::line;
use crate::place::Reach;
use anyhow::Result;
use clap::ValueEnum;
use serde_json::json;

/// Shown below the options.
const EXAMPLES: &str = "\
Examples:
  atoll invite --space notes --role reader
  atoll invite --space notes --link";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    #[command(flatten)]
    reach: Reach,
    /// The space it opens; without it, all of them
    #[arg(long, value_name = "NAME")]
    space: Option<String>,
    /// What the invited may do
    #[arg(long, default_value = "editor")]
    role: Role,
    /// A link that signs one browser in, instead of a join token
    #[arg(long)]
    link: bool,
    /// Print the node's answer as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Role {
    Reader,
    Editor,
    Owner,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let role = match arguments.role {
        Role::Reader => "reader",
        Role::Editor => "editor",
        Role::Owner => "owner",
    };
    let kind = if arguments.link { "link" } else { "join" };
    let wanted = json!({ "space": arguments.space, "role": role, "kind": kind });
    let answer = arguments.reach.client()?.post("/api/invites", &wanted)?;
    if arguments.json {
        line(format_args!("{answer}"))?;
        return Ok(());
    }
    let shown = if arguments.link {
        &answer["url"]
    } else {
        &answer["join"]
    };
    line(format_args!("{}", shown.as_str().unwrap_or_default()))?;
    if let (true, Some(fingerprint)) = (arguments.link, answer["fingerprint"].as_str()) {
        line(format_args!("  shows {fingerprint}"))?;
    }
    line(format_args!(
        "  works until {}",
        answer["expires"].as_str().unwrap_or("?")
    ))?;
    Ok(())
}
