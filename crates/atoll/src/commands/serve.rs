//! `atoll serve`: a node in the foreground.

use crate::client::Client;
use crate::output::line;
use crate::place::Data;
use anyhow::{Context, Result, bail};
use base::{SystemClock, SystemRandom};
use server::Server;
use server::address::{listen_address, public_url};
use server::node::{Settings, SnapshotPolicy};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    data: Data,
    /// Address to listen on; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "ADDR", value_parser = listen_address)]
    listen: SocketAddr,
    /// Listen beyond this machine without encryption
    #[arg(long)]
    plain: bool,
    /// A name for the node, remembered
    #[arg(long = "id", visible_alias = "name", value_name = "NAME")]
    name: Option<String>,
    /// Start on a directory of its own, check, stop
    #[arg(long)]
    self_test: bool,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    if arguments.self_test {
        return self_test();
    }
    let server = start(
        arguments.data.path()?,
        arguments.name.clone(),
        arguments.listen,
        arguments.plain,
    )?;
    let node = server.node();
    // The node serves whether or not anyone reads this.
    let _ = line(format_args!(
        "atoll: node `{}` listens on {}",
        node.identity().name,
        public_url(server.address())
    ));
    let _ = line(format_args!("       data {}", node.data().display()));
    until_stopped(server)
}

/// Starts a node with the machine's own clock and randomness.
pub fn start(
    data: PathBuf,
    name: Option<String>,
    listen: SocketAddr,
    plain: bool,
) -> Result<Server> {
    let settings = Settings {
        data,
        name,
        clock: Arc::new(SystemClock),
        random: Arc::new(SystemRandom),
        snapshots: SnapshotPolicy::default(),
    };
    Ok(Server::start(&settings, listen, plain)?)
}

/// Serves until a signal or a failure, then stops in order.
pub fn until_stopped(server: Server) -> Result<()> {
    let ended = server.wait();
    server.stop();
    ended
        .map_err(anyhow::Error::msg)
        .context("the node had to stop")
}

/// Everything a node does at its start, once, on a directory that is removed.
fn self_test() -> Result<()> {
    let data = tempfile::tempdir().context("cannot make a directory for the test")?;
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let server = start(data.path().to_owned(), None, listen, false)?;
    let client = Client::new(&server.url(), server.node().admin_token());
    client.post("/api/spaces", &serde_json::json!({ "slug": "self-test" }))?;
    let spaces = client.get("/api/spaces")?;
    let found = spaces["items"][0]["slug"] == "self-test";
    server.stop();
    if !found {
        bail!("the node does not show the space it made");
    }
    line(format_args!("self-test: ok"))?;
    Ok(())
}
