//! `atoll serve`: a node in the foreground.

use crate::client::Client;
use crate::output::line;
use crate::place::Data;
use anyhow::{Context, Result, bail};
use base::{SystemClock, SystemRandom};
use server::Server;
use server::address::listen_address;
use server::config::Source;
use server::node::{Settings, SnapshotPolicy};
use server::security::Security;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

/// Shown below the options.
const EXAMPLES: &str = "\
Examples:
  atoll serve --data /srv/atoll --listen 0.0.0.0:8080
  atoll serve --self-test";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    #[command(flatten)]
    data: Data,
    #[command(flatten)]
    listener: Listener,
    /// A name for the node, remembered
    #[arg(long = "id", visible_alias = "name", value_name = "NAME")]
    name: Option<String>,
    /// Start on a directory of its own, check, stop
    #[arg(long)]
    self_test: bool,
}

/// Where a node listens, how what is said there is kept from others, and what else
/// clients may do there.
#[derive(clap::Args)]
pub struct Listener {
    /// Read from this YAML file how often clients may ask, and again at SIGHUP
    /// [default: atoll.yaml in the data directory, if it is there]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Address to listen on; port 0 takes a free one. Beyond this machine it is
    /// encrypted
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "ADDR", value_parser = listen_address)]
    listen: SocketAddr,
    /// Listen beyond this machine without encryption
    #[arg(long, conflicts_with = "tls_cert")]
    plain: bool,
    /// Show this certificate (PEM) instead of one that the node makes for itself
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The certificate's key (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
}

impl Listener {
    fn security(&self) -> Security {
        match (&self.tls_cert, &self.tls_key) {
            (Some(certificate), Some(key)) => Security::Certificate {
                certificate: certificate.clone(),
                key: key.clone(),
            },
            _ if self.plain => Security::Plain,
            _ => Security::Fitting,
        }
    }
}

pub fn run(arguments: &Arguments) -> Result<()> {
    if arguments.self_test {
        return self_test();
    }
    let server = start(
        arguments.data.path()?,
        arguments.name.clone(),
        &arguments.listener,
    )?;
    let node = server.node();
    let address = server.endpoint().public();
    // The node serves whether or not anyone reads this.
    let _ = line(format_args!(
        "atoll: node `{}` listens on {}",
        node.identity().name,
        address.url()
    ));
    if let Some(fingerprint) = address.fingerprint() {
        let _ = line(format_args!("       certificate {fingerprint}"));
    }
    let _ = line(format_args!("       data {}", node.data().display()));
    until_stopped(server)
}

/// Starts a node with the machine's own clock and randomness.
pub fn start(data: PathBuf, name: Option<String>, listener: &Listener) -> Result<Server> {
    let source = Source::new(listener.config.as_deref(), &data);
    let settings = Settings {
        data,
        name,
        clock: Arc::new(SystemClock),
        random: Arc::new(SystemRandom),
        snapshots: SnapshotPolicy::default(),
        metrics: Default::default(),
        live_copy: false,
    };
    Ok(Server::start(
        &settings,
        listener.listen,
        listener.security(),
        source,
    )?)
}

/// Serves until a signal or a failure, then stops in order.
pub fn until_stopped(mut server: Server) -> Result<()> {
    let ended = server.wait();
    server.stop();
    ended
        .map_err(anyhow::Error::msg)
        .context("the node had to stop")
}

/// Everything a node does at its start, once, on a directory that is removed.
fn self_test() -> Result<()> {
    let data = tempfile::tempdir().context("cannot make a directory for the test")?;
    let listener = Listener {
        config: None,
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        plain: false,
        tls_cert: None,
        tls_key: None,
    };
    let server = start(data.path().to_owned(), None, &listener)?;
    let client = Client::new(&server.address(), server.node().admin_token());
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
