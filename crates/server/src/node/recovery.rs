//! Opening the database at start: as it is, or rebuilt from the newest verified
//! snapshot, and in both cases brought up to the end of the log.
//!
//! The database is a projection: losing it costs time, never data. So it is
//! rebuilt whenever it cannot be trusted. The one thing refused is a database
//! that is ahead of the log, for then the log has lost entries.

use super::NodeError;
use super::apply::Growth;
use super::snapshots;
use base::LogId;
use state::{Projection, StateError};
use std::path::{Path, PathBuf};
use store::log::{Entry, Followed, Log};

/// The database at the end of the log.
pub struct Recovered {
    /// The database.
    pub projection: Projection,
    /// What was applied since the newest snapshot, as far as is known.
    pub since_snapshot: Growth,
}

/// Where the database lies.
pub fn database(data: &Path) -> PathBuf {
    data.join("state.db")
}

/// Opens or rebuilds the database and applies what the log holds beyond it.
///
/// # Errors
/// [`NodeError::Recovery`] when log and snapshots together do not reach back to
/// the beginning, or the log has lost entries; otherwise what SQLite says.
pub fn open(data: &Path, log: &dyn Log) -> Result<Recovered, NodeError> {
    let path = database(data);
    let mut projection = match Projection::open(&path, log.id()) {
        Ok(projection) if projection.applied() + 1 >= log.first() => projection,
        Ok(projection) => {
            tracing::warn!(
                applied = projection.applied(),
                "the log no longer reaches the database"
            );
            drop(projection);
            rebuild(data, log)?
        }
        Err(error) if error.needs_rebuild() => {
            if !matches!(error, StateError::Missing(_)) {
                tracing::warn!("the database is rebuilt: {error}");
            }
            rebuild(data, log)?
        }
        Err(error) => return Err(error.into()),
    };
    if projection.applied() > log.committed() {
        return Err(NodeError::Recovery(format!(
            "{} has applied entry {} but the log ends at {}: the log lost entries; put its \
             files back, or remove state.db to go on with what the log has",
            path.display(),
            projection.applied(),
            log.committed()
        )));
    }
    let snapshot = snapshots::newest(data).unwrap_or(0);
    catch_up(&mut projection, log)?;
    let entries = projection.applied().saturating_sub(snapshot);
    Ok(Recovered {
        projection,
        since_snapshot: Growth { entries, bytes: 0 },
    })
}

fn rebuild(data: &Path, log: &dyn Log) -> Result<Projection, NodeError> {
    let path = database(data);
    for snapshot in snapshots::newest_first(data) {
        match from_snapshot(&path, &snapshot, log.id()) {
            Ok(projection) if projection.applied() + 1 >= log.first() => return Ok(projection),
            Ok(_) => {}
            Err(error) => tracing::warn!("snapshot {} is no use: {error}", snapshot.display()),
        }
    }
    if log.first() > 1 {
        return Err(NodeError::Recovery(format!(
            "the log begins at entry {} and no snapshot in {} reaches it: restore snapshots/ \
             from a backup",
            log.first(),
            data.display()
        )));
    }
    remove(&path)?;
    Ok(Projection::create(&path, log.id())?)
}

fn from_snapshot(path: &Path, snapshot: &Path, log: LogId) -> Result<Projection, NodeError> {
    remove(path)?;
    snapshots::import(path, snapshot).map_err(|error| NodeError::Recovery(error.to_string()))?;
    Ok(Projection::open(path, log)?)
}

fn remove(path: &Path) -> Result<(), NodeError> {
    Projection::remove(path)
        .map_err(|error| NodeError::Recovery(format!("cannot remove {}: {error}", path.display())))
}

fn catch_up(projection: &mut Projection, log: &dyn Log) -> Result<(), NodeError> {
    let target = log.committed();
    if projection.applied() >= target {
        return Ok(());
    }
    tracing::info!(from = projection.applied(), to = target, "applying the log");
    let mut follow = log.follow(projection.applied())?;
    loop {
        let Followed::Entries(entries) = follow.next()? else {
            return Err(NodeError::Recovery(
                "the log changed while it was applied".to_owned(),
            ));
        };
        let commands = entries
            .iter()
            .filter(|entry| entry.kind == Entry::COMMAND)
            .map(|entry| (entry.index, &*entry.bytes));
        projection.apply(commands)?;
        if entries.last().is_some_and(|last| last.index >= target) {
            return Ok(());
        }
    }
}
