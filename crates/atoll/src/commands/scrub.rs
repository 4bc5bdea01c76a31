//! `atoll scrub`: reads every stored byte of a node and verifies its hash. On a
//! data directory without a node it works alone; otherwise the node does it.

use crate::output::line;
use crate::place::Reach;
use anyhow::{Result, bail};
use base::{Clock, SystemClock, SystemRandom};
use metrics::database::{Unpaced, scrub_folder};
use serde_json::{Value, json};
use server::node::{Directory, DirectoryError};
use std::path::Path;
use std::sync::Arc;
use store::blob::{BlobStore, Options};
use store::fs::RealFileSystem;

#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    reach: Reach,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let report = if arguments.reach.server.is_some() {
        arguments.reach.client()?.post("/api/scrub", &json!({}))?
    } else {
        let data = arguments.reach.data.path()?;
        if !data.is_dir() {
            bail!(
                "there is no data directory {}: say which with --data PATH",
                data.display()
            );
        }
        match Directory::open_existing(&data) {
            Ok(directory) => scrub_alone(directory.path())?,
            Err(DirectoryError::Locked(_)) => {
                arguments.reach.client()?.post("/api/scrub", &json!({}))?
            }
            Err(error) => return Err(error.into()),
        }
    };
    let damaged = report["damaged"].as_array().map_or(0, Vec::len);
    if arguments.json {
        line(format_args!("{report}"))?;
    } else {
        print(&report)?;
    }
    if damaged > 0 {
        let are = if damaged == 1 {
            "1 place is"
        } else {
            &format!("{damaged} places are")
        };
        bail!("{are} damaged: restore them from a backup or another node");
    }
    Ok(())
}

fn scrub_alone(data: &Path) -> Result<Value> {
    let blobs = BlobStore::open(
        Arc::new(RealFileSystem),
        &data.join("blobs"),
        &Options::default(),
        &SystemRandom,
        SystemClock.now(),
    )?;
    let metrics = scrub_folder(&RealFileSystem, &data.join("metrics"), &Unpaced)?;
    Ok(server::scrub::run(data, &blobs, &metrics)?)
}

fn print(report: &Value) -> Result<()> {
    line(format_args!(
        "{} blobs and {} parts of metrics, {} bytes verified",
        report["blobs"], report["parts"], report["bytes"]
    ))?;
    for damage in report["damaged"].as_array().into_iter().flatten() {
        let text = |name: &str| damage[name].as_str().unwrap_or("unknown");
        let place = damage["offset"]
            .as_u64()
            .map_or(String::new(), |offset| format!(" at byte {offset}"));
        let blob = damage["hash"].as_str();
        let blob = blob.map_or(String::new(), |hash| format!("{hash} in "));
        line(format_args!(
            "damaged: {blob}{}{place}: {}",
            text("path"),
            text("what")
        ))?;
    }
    Ok(())
}
