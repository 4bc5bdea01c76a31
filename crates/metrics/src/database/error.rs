//! Why the store cannot open, take samples or keep house.

use super::manifest::ManifestError;
use crate::eval::EvalError;
use crate::ingest::SeriesRefusal;
use crate::log::RecordError;
use crate::part::PartError;
use std::io;
use std::path::{Path, PathBuf};
use store::log::LogError;

/// Why samples were not taken.
#[derive(Debug, Clone, thiserror::Error)]
pub enum WriteError {
    /// As much waits as may. Nothing of the request was taken.
    #[error("the store is busy: {waiting} samples wait to be written; try again")]
    Full {
        /// How many wait.
        waiting: usize,
    },
    /// The store is shut down. Nothing of the request was taken.
    #[error("the store is shut down")]
    Closed,
    /// The log did not take them; after [`LogError::Poisoned`] they may be kept or not.
    #[error(transparent)]
    Log(#[from] LogError),
}

/// Why the store cannot open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The log.
    #[error("cannot open the log of metrics: {0}")]
    Log(#[from] LogError),
    /// An entry of the log that is whole and cannot be understood.
    #[error(
        "entry {index} of the log of metrics cannot be read: {reason}; was it written by a later \
         version of this program?"
    )]
    Entry {
        /// Which one.
        index: u64,
        /// What is wrong with it.
        reason: EntryError,
    },
    /// The parts.
    #[error("cannot open the parts of metrics: {0}")]
    Parts(#[from] UpkeepError),
    /// A thread.
    #[error("cannot start a thread: {0}")]
    Thread(io::Error),
}

/// What is wrong with an entry of the log.
#[derive(Debug, thiserror::Error)]
pub enum EntryError {
    /// A record.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// A sort of entries that is not known.
    #[error("it is of sort {0}")]
    Sort(u8),
    /// Labels that are none.
    #[error("the labels of series {0} are none")]
    Labels(u32),
    /// A number that no series was given.
    #[error("there is no series {0}")]
    Number(u32),
    /// A selector that is none.
    #[error("a deletion's selector cannot be read: {0}")]
    Selector(String),
    /// A series for which there is no room.
    #[error(transparent)]
    Series(#[from] SeriesRefusal),
}

/// Why the store cannot keep house: flush, merge, let go, copy or check.
#[derive(Debug, thiserror::Error)]
pub enum UpkeepError {
    /// A part cannot be written or read.
    #[error(transparent)]
    Part(#[from] PartError),
    /// What is there cannot be read.
    #[error("cannot read what is to be written: {0}")]
    Read(#[from] EvalError),
    /// The log takes no command.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The list of parts cannot be read.
    #[error(
        "{}: {reason}; without it the parts cannot be told apart: restore it from a copy",
        path.display()
    )]
    Manifest {
        /// Its file.
        path: PathBuf,
        /// What is wrong with it.
        reason: ManifestError,
    },
    /// There are parts and no list of them.
    #[error(
        "{} is missing, and there are parts: restore it from a copy, or move the parts away to \
         begin without them", .0.display()
    )]
    NoManifest(PathBuf),
    /// So much is to be deleted that it cannot be noted.
    #[error("too many deletions wait to be carried out by merges: try again later")]
    Deletions,
    /// A name that a snapshot cannot have.
    #[error(
        "a snapshot's name is 1 to 64 letters, digits, `-`, `_` and `.`, and neither begins with `.` nor ends with `.new`"
    )]
    SnapshotName,
    /// A snapshot that is there.
    #[error("there is a snapshot {0:?} already")]
    SnapshotExists(String),
    /// A snapshot of which there is not all yet.
    #[error("a snapshot {0:?} is being made: wait for it, or choose another name")]
    SnapshotBegun(String),
    /// The store is being shut down.
    #[error("the store is shut down")]
    Stopped,
    /// A file or folder.
    #[error("cannot {what} {}: {source}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

impl UpkeepError {
    /// The file for which the disk has no room, if that is why.
    pub fn no_room_for(&self) -> Option<&Path> {
        let (path, source) = match self {
            Self::Part(PartError::Full(path)) => return Some(path),
            Self::Write(WriteError::Log(LogError::Write { path, source })) => (path, &**source),
            Self::Io { path, source, .. } => (path, source),
            _ => return None,
        };
        let is_full = matches!(
            source.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
        );
        is_full.then_some(path)
    }

    pub(super) fn io(what: &'static str, path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        Self::Io { what, path, source }
    }
}
