//! Why the projection cannot be opened, asked or advanced. A command that is
//! merely wrong is no error: it gets a [`crate::Denial`] or a
//! [`crate::Refusal`]. Everything here stops the node or makes it rebuild.

use crate::command::CommandError;
use base::LogId;
use std::path::PathBuf;

/// A failure of the projection.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// There is no projection at this path.
    #[error("there is no projection at {path}: build it from the log", path = .0.display())]
    Missing(PathBuf),
    /// A file stands where a new projection was to be made.
    #[error("{path} exists already: remove it before building a new projection", path = .0.display())]
    Exists(PathBuf),
    /// The projection of another log.
    #[error("{path} is the projection of log {found}, not of {expected}: remove it and rebuild", path = .path.display())]
    ForeignLog {
        /// The file.
        path: PathBuf,
        /// The log it belongs to.
        found: LogId,
        /// The log asked for.
        expected: LogId,
    },
    /// Tables of another version of this program.
    #[error("{path} has projection format {found}, this program writes {known}: remove it and rebuild", path = .path.display())]
    OtherFormat {
        /// The file.
        path: PathBuf,
        /// The format found.
        found: i64,
        /// The format known.
        known: i64,
    },
    /// Rows that `apply` never writes.
    #[error("the projection is damaged ({0}): remove it and rebuild")]
    Damaged(String),
    /// A log entry that is no command this program knows. The node must stop:
    /// skipping the entry would fork it from the others.
    #[error("log entry {index} cannot be applied: {source}")]
    Entry {
        /// The entry.
        index: u64,
        /// What is wrong with it.
        source: CommandError,
    },
    /// The log asks for rules that this program does not have.
    #[error(
        "log entry {index} asks for apply version {version}, this program knows up to {known}: update this node"
    )]
    ApplyVersion {
        /// The entry.
        index: u64,
        /// The version asked for.
        version: u32,
        /// The highest version known.
        known: u32,
    },
    /// An index that no log reaches.
    #[error("log index {0} is out of range")]
    Index(u64),
    /// SQLite failed: a full disk, an I/O error, a damaged file.
    #[error("the projection's database failed: {0}")]
    Sqlite(#[from] rusqlite::Error),
}

impl StateError {
    /// Whether the cure is to remove the projection and build it anew from the
    /// newest snapshot and the log.
    pub fn needs_rebuild(&self) -> bool {
        match self {
            Self::Missing(_)
            | Self::ForeignLog { .. }
            | Self::OtherFormat { .. }
            | Self::Damaged(_) => true,
            Self::Sqlite(error) => matches!(
                error.sqlite_error_code(),
                Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase)
            ),
            Self::Exists(_) | Self::Entry { .. } | Self::ApplyVersion { .. } | Self::Index(_) => {
                false
            }
        }
    }
}
