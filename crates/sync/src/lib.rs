//! The client side of files: a folder follows a space of a node, and the space
//! follows the folder.
//!
//! [`run`] is the way in. Inside, one direction at a time: [`plan`] decides (pure),
//! [`engine`] goes round, `round` looks and acts, `upload` and `fetch` move
//! content, [`land`] makes it stand durably, [`trees`] remembers what was agreed,
//! [`intents`] what was about to be done,
//! [`folder`] is the only one that touches the disk beneath the folder. Beside all this,
//! [`inventory`] takes stock of any directory for manifests. The
//! frames that travel are [`wire`]'s, which the node uses too. What a command
//! means is `state`'s business, where bytes rest is `store`'s.

pub mod address;
pub mod chunk;
pub mod conflict;
pub mod engine;
mod error;
pub mod fetch;
pub mod folder;
pub mod intents;
pub mod inventory;
mod join;
mod known;
pub mod land;
pub mod leftovers;
pub mod marker;
pub mod observer;
pub mod plan;
pub mod pool;
pub mod printable;
pub mod progress;
pub mod remote;
mod rest;
mod round;
#[cfg(test)]
mod stand_in;
pub mod surroundings;
pub mod tls;
pub mod trees;
pub mod upload;
pub mod watch;
pub mod wire;

pub use address::Address;
pub use engine::{Engine, Strategy};
pub use error::EngineError as SyncError;
pub use observer::{Event, Observer, Silent};
pub use remote::RemoteError;

use base::{Fingerprint, Slug};
use round::Report;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// What to sync with what.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The folder; it must exist.
    pub dir: PathBuf,
    /// The node, `https://host:port` or `http://host:port`; by default the one it was
    /// joined to.
    pub server: Option<String>,
    /// Of the certificate that alone is believed there; by default the one it was
    /// joined by.
    pub fingerprint: Option<Fingerprint>,
    /// The space; by default the one it was joined to, or the invite's.
    pub space: Option<Slug>,
    /// A join, device or admin token; not needed by a folder that has joined.
    pub token: Option<String>,
    /// What this device is called in histories and conflict names.
    pub device_name: String,
    /// What happens to files that both sides changed.
    pub strategy: Strategy,
    /// Whether the folder was joined before, and so must have its marker: one
    /// without is a drive that is not mounted.
    pub joined: bool,
}

/// How long to sync.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Until both sides are equal.
    Once,
    /// Until stopped.
    Watch,
    /// Only say what would be done.
    DryRun,
    /// As once, but believe no timestamp: hash every file.
    Verify,
}

/// What was done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// The space's slug.
    pub space: String,
    /// Items given to the node.
    pub uploaded: u64,
    /// Items brought from it.
    pub fetched: u64,
    /// Items deleted at the node.
    pub deleted: u64,
    /// Items removed here.
    pub removed: u64,
    /// Conflict copies made.
    pub conflicts: u64,
    /// Entries that could not be synced.
    pub problems: u64,
    /// Sockets, pipes and devices, which nobody syncs.
    pub ignored: u64,
}

impl Summary {
    fn add(&mut self, report: &Report) {
        self.uploaded += report.uploaded;
        self.fetched += report.fetched;
        self.deleted += report.deleted;
        self.removed += report.removed;
        self.conflicts += report.conflicts;
    }
}

/// Asks a client to end, from another thread.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<(Mutex<bool>, Condvar)>);

impl Stop {
    /// Not stopped.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks.
    pub fn stop(&self) {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.0.1.notify_all();
    }

    /// Whether it was asked.
    pub fn is_stopped(&self) -> bool {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits, at most so long, to be asked.
    pub fn wait(&self, time: Duration) {
        let stopped = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Whether it was asked or the time ran out is read by `is_stopped`.
        drop(
            self.0
                .1
                .wait_timeout_while(stopped, time, |stopped| !*stopped),
        );
    }
}

/// Syncs a folder.
///
/// # Errors
/// [`SyncError`]: it cannot begin or go on. While it watches, a node that is
/// away is no error.
#[expect(
    clippy::needless_pass_by_value,
    reason = "whoever starts a client leaves its observer to it"
)]
pub fn run(
    settings: &Settings,
    mode: Mode,
    stop: &Stop,
    observer: Arc<dyn Observer>,
) -> Result<Summary, SyncError> {
    Engine::open_patiently(settings, mode, stop, &observer)?.run(mode, stop)
}
