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
use server::address::{listen_address, public_url, shell_word};
use server::node::{DirectoryError, NodeError};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub struct Arguments {
    /// The folder; created when it is missing
    #[arg(default_value = ".")]
    dir: PathBuf,
    #[command(flatten)]
    data: Data,
    /// Address to listen on; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "ADDR", value_parser = listen_address)]
    listen: SocketAddr,
    /// Listen beyond this machine without encryption
    #[arg(long)]
    plain: bool,
    /// A name for the node, remembered
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Print one line of JSON: url, space, token, join
    #[arg(long)]
    json: bool,
}

/// What another machine or a browser needs.
struct Invitation {
    space: String,
    /// The address that others use.
    server: String,
    link: String,
    token: String,
    join: String,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let folder = std::path::absolute(&arguments.dir)
        .with_context(|| format!("cannot tell where {} is", arguments.dir.display()))?;
    let data = arguments.data.path()?;
    let started = serve::start(
        data.clone(),
        arguments.name.clone(),
        arguments.listen,
        arguments.plain,
    );
    match started {
        Ok(server) => {
            let client = Client::new(&server.url(), server.node().admin_token());
            let listens = server.address();
            match share(&client, &folder, public_url(listens)) {
                Ok(invitation) => {
                    // The node serves whether or not anyone reads this.
                    let loopback = listens.ip().is_loopback();
                    let _ = announce(arguments, &folder, &invitation, loopback);
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
    let (url, token) = server::node::running_node(data)
        .with_context(|| format!("cannot read {}", data.display()))?
        .with_context(|| {
            format!(
                "a node is starting or stopping on {}: try again",
                data.display()
            )
        })?;
    let invitation = share(&Client::new(&url, &token), folder, url.clone())?;
    Ok(announce(arguments, folder, &invitation, true)?)
}

/// Gives the folder to the node and asks for what lets others in.
fn share(client: &Client, folder: &Path, server: String) -> Result<Invitation> {
    let added = client.post("/api/folders", &json!({ "path": folder }))?;
    let space = text(&added["space"]["slug"])?;
    let invite = |kind: &str, role: &str| {
        let wanted = json!({ "space": space, "kind": kind, "role": role });
        client
            .post("/api/invites", &wanted)
            .and_then(|answer| text(&answer["token"]))
    };
    let (token, link) = (invite("join", "editor")?, invite("link", "owner")?);
    let (program, quoted) = (program_name(), shell_word(&server));
    Ok(Invitation {
        link: format!("{server}/link#{link}"),
        join: format!("{program} sync ./{space} --server {quoted} --space {space} --token {token}"),
        space,
        server,
        token,
    })
}

fn announce(
    arguments: &Arguments,
    folder: &Path,
    invitation: &Invitation,
    loopback: bool,
) -> io::Result<()> {
    if arguments.json {
        let invitation = json!({
            "url": invitation.server,
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
    if loopback {
        let port = invitation.server.rsplit(':').next().unwrap_or("8080");
        line(format_args!(
            "         (reachable from this machine only; \
             --listen 0.0.0.0:{port} --plain opens it to your network)"
        ))?;
    }
    Ok(())
}

fn text(value: &Value) -> Result<String> {
    value
        .as_str()
        .map(str::to_owned)
        .context("the node answered without a name or token")
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
