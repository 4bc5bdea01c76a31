//! Connections that have asked once and then stay, and the memory they take.

use anyhow::{Context, ensure};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::accounting;
use super::client::Client;
use super::servers::Running;
use super::table::Figures;

/// Those of the connections that come before memory is looked at: buffers and caches
/// that every server has once are there then.
const FIRST: usize = 100;

/// Descriptors beside those of the connections.
const OTHER_DESCRIPTORS: usize = 500;

/// Lets this process and those that it starts hold `count` connections.
///
/// # Errors
/// When the hard limit is lower.
pub fn allow_connections(count: usize) -> anyhow::Result<()> {
    let needed = (count + OTHER_DESCRIPTORS) as u64;
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    ensure!(
        limit.maximum.is_none_or(|maximum| maximum >= needed),
        "this needs {needed} open files, and the hard limit is lower: raise it by ulimit -Hn"
    );
    let raised = Rlimit {
        current: Some(needed),
        ..limit
    };
    setrlimit(Resource::Nofile, raised).context("cannot raise the limit of open files")
}

/// Opens `count` connections, asks once on each, and gives the bytes that each of those
/// after the first takes while all are idle.
///
/// # Errors
/// When the server refuses one.
pub fn hold(running: &Running, count: usize) -> anyhow::Result<Figures> {
    let first = open(running, FIRST)?;
    let before = accounting::tree_resident(running.pid())?;
    let counted = count.saturating_sub(FIRST).max(1);
    let connections = open(running, counted)?;
    let after = accounting::tree_resident(running.pid())?;
    drop((first, connections));
    Ok(Figures {
        cost: after.saturating_sub(before) as f64 / counted as f64,
        ..Figures::default()
    })
}

fn open(running: &Running, count: usize) -> anyhow::Result<Vec<Client>> {
    (0..count)
        .map(|number| {
            ask(running.address())
                .with_context(|| format!("{} refused connection {}", running.name(), number + 1))
        })
        .collect()
}

/// A connection on which a small file was asked for and received.
fn ask(address: &str) -> anyhow::Result<Client> {
    let mut client = Client::connect(address)?;
    client.ask()?;
    let response = client.receive()?;
    ensure!(response.status == 200, "it answered {}", response.status);
    Ok(client)
}
