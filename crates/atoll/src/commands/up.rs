//! `atoll up`: a folder, shared. Starts a node if none runs on the data
//! directory, hands it the folder, and prints the link to open and the line
//! that joins another machine. Everything after the start goes over HTTP, the
//! same whether the node runs in this process or in another.

use super::serve;
use crate::client::Client;
use crate::output::line;
use crate::place::Data;
use anyhow::{Context, Result};
use serde_json::{Value, json};
use server::StartError;
use server::address::shell_word;
use server::node::{DirectoryError, NodeError};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Shown below the options.
const EXAMPLES: &str = "\
Examples:
  atoll up notes                          for this machine
  atoll up notes --listen 0.0.0.0:8080    for others, too: encrypted";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// The folder; created when it is missing
    #[arg(default_value = ".")]
    dir: PathBuf,
    #[command(flatten)]
    data: Data,
    #[command(flatten)]
    listener: serve::Listener,
    /// A name for the node, remembered
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Print one line of JSON: url, fingerprint, space, token, join
    #[arg(long)]
    json: bool,
}

/// What another machine or a browser needs.
struct Invitation {
    space: String,
    /// The address that others use.
    server: String,
    /// Of the certificate that the node shows there.
    fingerprint: Option<String>,
    link: String,
    token: String,
    join: String,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let folder = std::path::absolute(&arguments.dir)
        .with_context(|| format!("cannot tell where {} is", arguments.dir.display()))?;
    let data = arguments.data.path()?;
    let started = serve::start(data.clone(), arguments.name.clone(), &arguments.listener);
    match started {
        Ok(server) => {
            let client = Client::new(&server.address(), server.node().admin_token());
            match share(&client, &folder) {
                Ok(invitation) => {
                    // The node serves whether or not anyone reads this.
                    let _ = announce(arguments, &folder, &invitation);
                }
                Err(error) => {
                    server.stop();
                    return Err(error);
                }
            }
            serve::until_stopped(server)
        }
        Err(error) if is_locked(&error) => add_to_running(arguments, &folder, &data),
        Err(error) => Err(error),
    }
}

fn is_locked(error: &anyhow::Error) -> bool {
    matches!(
        error.downcast_ref(),
        Some(StartError::Node(NodeError::Directory(
            DirectoryError::Locked(_)
        )))
    )
}

fn add_to_running(arguments: &Arguments, folder: &Path, data: &Path) -> Result<()> {
    let (address, token) = server::node::running_node(data)
        .with_context(|| format!("cannot read {}", data.display()))?
        .with_context(|| {
            format!(
                "a node is starting or stopping on {}: try again",
                data.display()
            )
        })?;
    let invitation = share(&Client::new(&address, &token), folder)?;
    Ok(announce(arguments, folder, &invitation)?)
}

/// Gives the folder to the node and asks for what lets others in.
fn share(client: &Client, folder: &Path) -> Result<Invitation> {
    let added = client.post("/api/folders", &json!({ "path": folder }))?;
    let space = text(&added["space"]["slug"])?;
    let invite = |kind: &str, role: &str| {
        let wanted = json!({ "space": space, "kind": kind, "role": role });
        client.post("/api/invites", &wanted)
    };
    let (join, link) = (invite("join", "editor")?, invite("link", "owner")?);
    let line = text(&join["join"])?;
    let (_, words) = line.split_once(' ').context("an empty line to join by")?;
    Ok(Invitation {
        server: text(&join["url"])?,
        fingerprint: join["fingerprint"].as_str().map(str::to_owned),
        link: text(&link["url"])?,
        join: format!("{} {words}", program_name()),
        token: text(&join["token"])?,
        space,
    })
}

fn announce(arguments: &Arguments, folder: &Path, invitation: &Invitation) -> io::Result<()> {
    if arguments.json {
        let invitation = json!({
            "url": invitation.server,
            "fingerprint": invitation.fingerprint,
            "link": invitation.link,
            "space": invitation.space,
            "token": invitation.token,
            "join": invitation.join,
        });
        return line(format_args!("{invitation}"));
    }
    line(format_args!(
        "atoll: folder {} is space `{}`",
        folder.display(),
        invitation.space
    ))?;
    line(format_args!("  open   {}", invitation.link))?;
    line(format_args!("  join   {}", invitation.join))?;
    if let Some(fingerprint) = &invitation.fingerprint {
        line(format_args!("  shows  {fingerprint}"))?;
        line(format_args!(
            "         (a browser warns of this certificate, for which nobody vouches: \
             compare it, and go on)"
        ))?;
    }
    if let Some(port) = loopback_port(&invitation.server) {
        line(format_args!(
            "         (reachable from this machine only; \
             --listen 0.0.0.0:{port} opens it to your network)"
        ))?;
    }
    Ok(())
}

/// The port of an address that only this machine reaches.
fn loopback_port(url: &str) -> Option<u16> {
    let (_, place) = url.split_once("://")?;
    let address: SocketAddr = place.parse().ok()?;
    address.ip().is_loopback().then(|| address.port())
}

fn text(value: &Value) -> Result<String> {
    value
        .as_str()
        .map(str::to_owned)
        .context("the node answered without a name, an address or a token")
}

/// How this program is called: by name when the shell would find it.
fn program_name() -> String {
    let executable = |directory: PathBuf| directory.join("atoll").is_file();
    let on_path =
        std::env::var_os("PATH").is_some_and(|path| std::env::split_paths(&path).any(executable));
    match std::env::current_exe() {
        Ok(path) if !on_path => shell_word(&path.to_string_lossy()),
        _ => "atoll".to_owned(),
    }
}
