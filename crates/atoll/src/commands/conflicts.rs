//! `atoll conflicts`: the conflicts of a synced folder's space, and the choice
//! between the two sides of one. The choice is carried out in the folder, whose
//! client brings it to the node; the node only records it.

use crate::client::{Client, encode};
use crate::output::line;
use crate::place::{self, Synced};
use anyhow::{Context, Result, bail};
use clap::Subcommand;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    action: Option<Action>,
    /// Print the node's answer as JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand)]
enum Action {
    /// Show the open conflicts
    List {
        /// A synced folder
        #[arg(default_value = ".")]
        dir: PathBuf,
    },
    /// Choose between the sides of a file's conflicts
    Resolve {
        /// The file, as it is named in the list
        path: PathBuf,
        /// `local`: the conflict copy; `remote`: what the space has; `both`; or
        /// a file that takes the place of both
        #[arg(long, value_name = "local|remote|both|FILE")]
        keep: String,
    },
}

pub fn run(arguments: &Arguments) -> Result<()> {
    match &arguments.action {
        None => list(Path::new("."), arguments.json),
        Some(Action::List { dir }) => list(dir, arguments.json),
        Some(Action::Resolve { path, keep }) => resolve(path, keep),
    }
}

fn list(dir: &Path, as_json: bool) -> Result<()> {
    let place = place::synced(dir)?;
    for conflict in open_conflicts(&place)? {
        if as_json {
            line(format_args!("{conflict}"))?;
            continue;
        }
        let text = |name: &str| conflict[name].as_str().unwrap_or("-");
        line(format_args!(
            "{}  {}  (copy: {})",
            text("time"),
            text("path"),
            text("copy_path")
        ))?;
    }
    Ok(())
}

fn resolve(path: &Path, keep: &str) -> Result<()> {
    let place = place::synced(path)?;
    let of_path = |conflict: &Value| conflict["path"] == place.path.as_str();
    let conflicts: Vec<Value> = open_conflicts(&place)?
        .into_iter()
        .filter(of_path)
        .collect();
    if conflicts.is_empty() {
        bail!("{} has no open conflict", path.display());
    }
    let copies: Vec<PathBuf> = conflicts
        .iter()
        .filter_map(|conflict| conflict["copy_path"].as_str())
        .map(|copy| place.root.join(copy))
        .collect();
    let target = place.root.join(&place.path);
    let kept = match keep {
        "both" => "both",
        "remote" => {
            remove_all(&copies)?;
            "remote"
        }
        "local" => {
            let (newest, older) = copies
                .split_last()
                .context("the conflict has no copy in the folder")?;
            fs::rename(newest, &target)
                .with_context(|| format!("cannot put {} in place", newest.display()))?;
            remove_all(older)?;
            "local"
        }
        file => {
            replace(Path::new(file), &target)?;
            remove_all(&copies)?;
            "both"
        }
    };
    let client = client(&place);
    for conflict in &conflicts {
        let resolution = json!({ "space": place.marker.space, "id": conflict["id"], "keep": kept });
        client.post("/api/conflict", &resolution)?;
    }
    Ok(())
}

fn open_conflicts(place: &Synced) -> Result<Vec<Value>> {
    let (client, space) = (client(place), encode(&place.marker.space));
    let (mut conflicts, mut since) = (Vec::new(), String::new());
    loop {
        let page = client.get(&format!("/api/spaces/{space}/conflicts{since}"))?;
        conflicts.extend(page["items"].as_array().into_iter().flatten().cloned());
        match page["next"].as_str() {
            Some(next) => since = format!("?since={}", encode(next)),
            None => return Ok(conflicts),
        }
    }
}

fn client(place: &Synced) -> Client {
    Client::new(&place.marker.address(), &place.token)
}

/// Puts a copy of `file` in `target`'s place, whole or not at all.
fn replace(file: &Path, target: &Path) -> Result<()> {
    let beside = target
        .parent()
        .context("the root of a space has no conflict")?;
    let mut temporary = tempfile::NamedTempFile::new_in(beside)
        .with_context(|| format!("cannot write beside {}", target.display()))?;
    let mut source =
        fs::File::open(file).with_context(|| format!("cannot open {}", file.display()))?;
    std::io::copy(&mut source, &mut temporary)
        .with_context(|| format!("cannot copy {}", file.display()))?;
    temporary
        .persist(target)
        .with_context(|| format!("cannot replace {}", target.display()))?;
    Ok(())
}

fn remove_all(copies: &[PathBuf]) -> Result<()> {
    for copy in copies {
        match fs::remove_file(copy) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("cannot remove {}", copy.display()));
            }
            _ => {}
        }
    }
    Ok(())
}
