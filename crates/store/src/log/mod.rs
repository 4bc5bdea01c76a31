//! The replicated log as its users see it: propose commands, follow entries,
//! drop what a snapshot covers.
//!
//! [`EmbeddedLog`] is the form for one node; raft takes its place behind the
//! same trait and over the same files, which [`segments`] writes. What entries
//! mean is `state`'s business. The byte layout is `docs/formats/log.md`.

mod embedded;
mod reader;
mod record;
mod recovery;
pub mod segments;
mod spare;

use base::LogId;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use embedded::{EmbeddedLog, Settings};
pub use reader::LogReader;
pub use record::{HardState, Position};
pub use segments::Segments;
pub use spare::Zeros;

/// A command with its place in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its place: rising, from 1. Some logs skip numbers.
    pub index: u64,
    /// The raft term in which it was proposed.
    pub term: u64,
    /// What the log itself should make of it; [`Entry::COMMAND`] for commands.
    pub kind: u8,
    /// The command as it was proposed.
    pub bytes: Arc<[u8]>,
}

impl Entry {
    /// The kind of entries that carry a proposed command.
    pub const COMMAND: u8 = 0;
}

/// What became of a proposed batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proposed {
    /// Durable and decided. Command `i` of the batch is at `indexes[i]`.
    Committed {
        /// One index per command, rising.
        indexes: Vec<u64>,
    },
    /// Not taken: another node leads.
    NotLeader {
        /// The address of the one that does, if known.
        hint: Option<String>,
    },
    /// It may be in the log or not; proposing it again under the same sequence
    /// number finds out, since commands are applied once.
    Unknown,
}

/// Called once with what became of a batch. It runs on the log's own thread and
/// must not block.
pub type Done = Box<dyn FnOnce(Result<Proposed, LogError>) + Send>;

/// One ordered log of commands, the same for every node of a site.
pub trait Log: Send + Sync {
    /// Which log this is: cursors of another mean nothing here.
    fn id(&self) -> LogId;

    /// Proposes commands, to be committed in this order (others may come
    /// between). `done` is called once, before any [`Follow`] yields the
    /// entries, so that a proposer can note who waits for an index; it may be
    /// called before this returns.
    fn propose(&self, batch: Vec<Vec<u8>>, done: Done);

    /// Follows the entries after index `after`, from 0 for all.
    ///
    /// # Errors
    /// [`LogError::Ahead`] when `after` is not committed yet.
    fn follow(&self, after: u64) -> Result<Box<dyn Follow>, LogError>;

    /// Lets the log drop entries up to and including `through`, which a durable
    /// snapshot covers. It may keep them a while.
    ///
    /// # Errors
    /// [`LogError::Ahead`] when `through` is not committed yet, or the failure to
    /// remove files.
    fn compact(&self, through: u64) -> Result<(), LogError>;

    /// Index of the last committed entry, 0 before the first.
    fn committed(&self) -> u64;

    /// Index of the first entry still there, or of the next one to come.
    fn first(&self) -> u64;

    /// Refuses new proposals, answers those already taken, ends all followers.
    /// Returns when everything is on disk. Dropping the log does the same.
    fn shutdown(&self);
}

/// One reader's place in a log.
pub trait Follow: Send {
    /// The entries after the last call's, blocking until there are some. One
    /// answer holds at most a few MiB, or a single entry.
    ///
    /// # Errors
    /// When the disk fails or holds something else than was written;
    /// [`LogError::Poisoned`] behind the last entry of a log that takes no more.
    fn next(&mut self) -> Result<Followed, LogError>;
}

/// What [`Follow::next`] brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Followed {
    /// The next entries; never empty.
    Entries(Vec<Entry>),
    /// The next entries are gone: load a snapshot, then follow from there.
    Compacted {
        /// The first entry that can be had.
        first: u64,
    },
    /// The log was shut down; nothing will come any more.
    Closed,
}

/// Why the log could not do something.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LogError {
    /// Too much waits to be written. Nothing of the batch was taken.
    #[error("the log is busy: {waiting} bytes wait to be written; try again")]
    Full {
        /// Bytes that wait.
        waiting: usize,
    },
    /// A command beyond the limit. Nothing of the batch was taken.
    #[error("a command of {bytes} bytes is too long; the limit is {limit}")]
    TooLong {
        /// Its length.
        bytes: usize,
        /// What is allowed.
        limit: usize,
    },
    /// The log is shut down. Nothing of the batch was taken.
    #[error("the log is shut down")]
    Closed,
    /// An index that is not committed yet.
    #[error("log index {index} is not committed yet; the last one is {committed}")]
    Ahead {
        /// What was asked for.
        index: u64,
        /// What there is.
        committed: u64,
    },
    /// Bytes could not be written and were taken back. Nothing of the batch is
    /// in the log; later proposals may succeed.
    #[error("{path}: cannot write to the log: {source}; {advice}", advice = advice(source))]
    Write {
        /// The segment.
        path: PathBuf,
        /// The operating system's reason.
        source: Arc<io::Error>,
    },
    /// Written bytes could not be made durable, or not be taken back. The log
    /// takes nothing more: what the disk holds is known only after a restart.
    #[error(
        "{path}: the log stopped because the disk failed ({source}); check the disk, then restart the node"
    )]
    Poisoned {
        /// The segment.
        path: PathBuf,
        /// The operating system's reason.
        source: Arc<io::Error>,
    },
    /// Any other operation of the file system failed.
    #[error("{path}: cannot {what}: {source}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// The operating system's reason.
        source: Arc<io::Error>,
    },
    /// The files hold something that was never written so.
    #[error(
        "{path}: damaged at byte {offset}: {what}; restore it from a backup, and keep the damaged one until then"
    )]
    Damaged {
        /// The segment.
        path: PathBuf,
        /// Where in it.
        offset: u64,
        /// What is wrong there.
        what: String,
    },
}

/// What to do about a failed write.
fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "free disk space and try again"
        }
        _ => "try again",
    }
}

impl LogError {
    fn io(what: &'static str, path: &Path, error: io::Error) -> Self {
        Self::Io {
            what,
            path: path.to_owned(),
            source: Arc::new(error),
        }
    }
}
