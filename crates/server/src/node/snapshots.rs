//! Snapshots in the background: when the log has grown enough, the database is
//! exported, read back, and the log may drop what both kept snapshots cover.
//!
//! A snapshot is a file `snapshots/INDEX.snapshot`; its name appears only once
//! it is whole and durable.

use super::apply::Growth;
use super::recovery;
use state::snapshot::{self, SnapshotError};
use state::{Reader, StateError};
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use store::log::{Log, LogError};
use tokio::sync::watch;

/// Snapshots kept: the older one serves when the newer is found damaged.
const KEPT: usize = 2;

/// When a snapshot is due.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    /// Entries since the last one: replaying them should take seconds. A commit
    /// entry may hold thousands of changes, hence the bytes beside it.
    pub entries: u64,
    /// Bytes of those entries.
    pub bytes: u64,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            entries: 100_000,
            bytes: 256 << 20,
        }
    }
}

/// What makes and keeps the snapshots of one node.
pub struct Keeper {
    /// The data directory.
    pub data: PathBuf,
    /// The log that snapshots shorten.
    pub log: Arc<dyn Log>,
    /// When they are due.
    pub policy: Policy,
}

/// Why a snapshot was not made. The node goes on without; its log grows.
#[derive(Debug, thiserror::Error)]
pub(super) enum KeeperError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    State(#[from] StateError),
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    #[error(transparent)]
    Log(#[from] LogError),
}

impl Keeper {
    /// Makes snapshots as `growth` asks for them, until its sender is gone.
    pub fn run(&self, growth: &mut watch::Receiver<Growth>, before: Growth) {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().build() else {
            return tracing::error!("no snapshots: cannot wait for the log to grow");
        };
        let mut covered = Growth::default();
        let mut since = before;
        loop {
            let now = *growth.borrow_and_update();
            let entries = since.entries + now.entries - covered.entries;
            let bytes = since.bytes + now.bytes - covered.bytes;
            if entries >= self.policy.entries || bytes >= self.policy.bytes {
                match self.make() {
                    Ok(index) => tracing::info!(index, "snapshot made"),
                    Err(error) => tracing::error!("no snapshot was made: {error}"),
                }
                // Also after a failure: the next try waits for as much again.
                (covered, since) = (now, Growth::default());
            }
            if runtime.block_on(growth.changed()).is_err() {
                return;
            }
        }
    }

    /// Exports, verifies, publishes; drops the oldest and shortens the log.
    fn make(&self) -> Result<u64, KeeperError> {
        let directory = directory(&self.data);
        fs::create_dir_all(&directory)?;
        File::open(&self.data)?.sync_all()?;
        let temporary = directory.join("new");
        let index = export(&recovery::database(&self.data), &temporary)?;
        verify(&temporary, &directory.join("check.db"))?;
        fs::rename(&temporary, directory.join(format!("{index:020}.snapshot")))?;
        File::open(&directory)?.sync_all()?;
        for old in newest_first(&self.data).into_iter().skip(KEPT) {
            fs::remove_file(old)?;
        }
        // Both kept snapshots must be able to reach the log.
        if let Some(oldest) = newest_first(&self.data)
            .get(KEPT - 1)
            .and_then(|path| index_of(path))
        {
            self.log.compact(oldest)?;
        }
        Ok(index)
    }
}

/// The index of the newest snapshot.
pub(super) fn newest(data: &Path) -> Option<u64> {
    newest_first(data).first().and_then(|path| index_of(path))
}

/// The snapshots there are, the newest first; none when they cannot be listed.
pub(super) fn newest_first(data: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(directory(data)) else {
        return Vec::new();
    };
    let mut found: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| index_of(path).is_some())
        .collect();
    found.sort_by_key(|path| std::cmp::Reverse(index_of(path)));
    found
}

/// Makes the database at `path` from a snapshot.
pub(super) fn import(path: &Path, snapshot: &Path) -> Result<u64, KeeperError> {
    let mut input = BufReader::new(File::open(snapshot)?);
    Ok(snapshot::import(path, &mut input)?.applied)
}

fn export(database: &Path, target: &Path) -> Result<u64, KeeperError> {
    let mut out = BufWriter::new(File::create(target)?);
    let info = snapshot::export(&Reader::open(database)?, &mut out)?;
    out.flush()?;
    out.get_ref().sync_all()?;
    Ok(info.applied)
}

/// Proves that a database can be made from the snapshot by making one.
fn verify(snapshot: &Path, scratch: &Path) -> Result<(), KeeperError> {
    state::Projection::remove(scratch)?;
    import(scratch, snapshot)?;
    Ok(state::Projection::remove(scratch)?)
}

fn directory(data: &Path) -> PathBuf {
    data.join("snapshots")
}

fn index_of(path: &Path) -> Option<u64> {
    path.file_name()?
        .to_str()?
        .strip_suffix(".snapshot")?
        .parse()
        .ok()
}
