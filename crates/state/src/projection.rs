//! The projection: the state of a site as one SQLite database, moved forward by
//! the entries of its log and rebuilt from them when it is lost.
//!
//! What an entry does is `apply`'s; questions are answered by [`Reader`]; how
//! the database gets smaller than its log is `snapshot`'s concern.

use crate::apply::Machine;
use crate::error::StateError;
use crate::outcome::Reply;
use crate::reader::Reader;
use crate::schema::{self, Progress};
use base::{DeviceId, LogId, SpaceId};
use rusqlite::{Connection, TransactionBehavior};
use std::io;
use std::path::{Path, PathBuf};

/// The one writer of a projection.
#[derive(Debug)]
pub struct Projection {
    db: Connection,
    path: PathBuf,
    progress: Progress,
}

/// What came of one log entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The entry.
    pub index: u64,
    /// Who asked.
    pub device: DeviceId,
    /// The stream of the request.
    pub stream: u64,
    /// Its number there.
    pub sequence: u64,
    /// The answer.
    pub reply: Reply,
    /// The space whose feed grew.
    pub space: Option<SpaceId>,
}

impl Projection {
    /// Makes an empty projection of `log`; the file must not exist.
    ///
    /// # Errors
    /// [`StateError::Exists`], or what SQLite says.
    pub fn create(path: &Path, log: LogId) -> Result<Self, StateError> {
        let db = schema::create(path)?;
        let progress = Progress::start(log);
        progress.save(&db)?;
        Ok(Self {
            db,
            path: path.to_owned(),
            progress,
        })
    }

    /// Opens the projection of `log`.
    ///
    /// # Errors
    /// When [`StateError::needs_rebuild`] says so (missing, of another log or
    /// format, damaged), remove it ([`Projection::remove`]) and build it anew:
    /// from a snapshot, or with [`Projection::create`] and the whole log.
    pub fn open(path: &Path, log: LogId) -> Result<Self, StateError> {
        let db = schema::open_writer(path)?;
        let progress = Progress::load(&db)?;
        if progress.log != log {
            return Err(StateError::ForeignLog {
                path: path.to_owned(),
                found: progress.log,
                expected: log,
            });
        }
        Ok(Self {
            db,
            path: path.to_owned(),
            progress,
        })
    }

    /// Removes a closed projection: the database and the files beside it.
    ///
    /// # Errors
    /// What the file system says; that nothing was there is no error.
    pub fn remove(path: &Path) -> io::Result<()> {
        for suffix in ["-wal", "-shm", ""] {
            let mut file = path.as_os_str().to_owned();
            file.push(suffix);
            match std::fs::remove_file(&file) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// Index of the last entry applied; 0 before the first.
    pub fn applied(&self) -> u64 {
        self.progress.applied
    }

    /// A reader of this projection.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn reader(&self) -> Result<Reader, StateError> {
        Reader::open(&self.path)
    }

    /// Looks at every page and row of the database for damage.
    ///
    /// # Errors
    /// [`StateError::Damaged`] with the first finding.
    pub fn verify(&self) -> Result<(), StateError> {
        let found: String = self
            .db
            .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        match found.as_str() {
            "ok" => Ok(()),
            _ => Err(StateError::Damaged(found)),
        }
    }

    /// Applies entries in one transaction, together with the index of the last.
    /// Entries that were applied before are skipped, without an answer; indexes
    /// must rise but may skip. An entry that asks for something wrong is
    /// answered, not an error.
    ///
    /// # Errors
    /// [`StateError::Entry`] and [`StateError::ApplyVersion`] for entries that
    /// this program does not understand, or what SQLite says. Then nothing of
    /// the batch was applied.
    pub fn apply<'e>(
        &mut self,
        entries: impl IntoIterator<Item = (u64, &'e [u8])>,
    ) -> Result<Vec<Applied>, StateError> {
        let transaction = self
            .db
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut machine = Machine::new(&transaction, self.progress);
        let mut applied = Vec::new();
        for (index, bytes) in entries {
            applied.extend(machine.apply(index, bytes)?);
        }
        let progress = machine.finish()?;
        transaction.commit()?;
        self.progress = progress;
        Ok(applied)
    }
}
