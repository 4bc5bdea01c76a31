//! Questions to the projection, each answered from one consistent state of it.
//!
//! A reader owns a read-only connection and never waits for the writer. It
//! changes nothing and checks no roles: whoever asks on behalf of a device
//! (`server`) does. Lists are paged and their work per call is bounded.

mod access;
mod conflicts;
mod feed;
mod past;
mod tree;

pub(crate) use access::role_of;
pub use access::{Device, Membership, Space};
pub use conflicts::Conflict;
pub use feed::{FeedKind, FeedPage};
pub use past::PastEntry;
pub use tree::{Clash, Counts, TreeNode};

use crate::error::StateError;
use crate::schema::{self, Progress};
use base::LogId;
use rusqlite::Connection;
use std::path::Path;

/// A read-only view of the projection, for one thread at a time.
#[derive(Debug)]
pub struct Reader {
    db: Connection,
}

impl Reader {
    /// Opens the projection at `path`, which a [`crate::Projection`] holds open.
    ///
    /// # Errors
    /// [`StateError::Missing`] or [`StateError::OtherFormat`], or what SQLite
    /// says.
    pub fn open(path: &Path) -> Result<Self, StateError> {
        Ok(Self {
            db: schema::open_reader(path)?,
        })
    }

    /// Runs several questions on one state of the projection, so that their
    /// answers belong together. Calls nest.
    ///
    /// # Errors
    /// Those of `questions`, and [`StateError::Sqlite`].
    pub fn at_once<T>(
        &self,
        questions: impl FnOnce(&Self) -> Result<T, StateError>,
    ) -> Result<T, StateError> {
        if !self.db.is_autocommit() {
            return questions(self);
        }
        // Dropping the transaction ends it; it has nothing to write.
        let _transaction = self.db.unchecked_transaction()?;
        questions(self)
    }

    /// Index of the last entry applied; 0 before the first.
    ///
    /// # Errors
    /// [`StateError`] when the projection cannot be read.
    pub fn applied(&self) -> Result<u64, StateError> {
        Ok(Progress::load(&self.db)?.applied)
    }

    /// The log that is projected.
    ///
    /// # Errors
    /// [`StateError`] when the projection cannot be read.
    pub fn log(&self) -> Result<LogId, StateError> {
        Ok(Progress::load(&self.db)?.log)
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.db
    }
}
