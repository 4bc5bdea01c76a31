//! Where each blob is, and who may commit it: an index that can always be
//! rebuilt from the blobs themselves.
//!
//! New blobs are noted in memory and written to SQLite thousands at a time, off
//! the path of any upload. The database records up to where the segments are
//! indexed, so that opening only has to read what came later. It is never
//! synced for anyone's sake; losing leases costs their owners a second upload.

use super::BlobError;
use super::segment::Position;
use crate::lock::{lock, wait};
use base::{DeviceId, Hash, Millis, limits};
use rusqlite::{Connection, ErrorCode, OptionalExtension, params};
use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// Blobs noted in memory that are worth a transaction: enough that most pages
/// it writes get more than one row, and 1 MB of memory.
const WORTH_FLUSHING: usize = 8192;

/// Most blobs noted in memory; beyond it uploads wait for the database.
const MOST_UNFLUSHED: usize = 8 * WORTH_FLUSHING;

/// Notes are written after this time even when they are few.
const FLUSH_INTERVAL: Duration = Duration::from_secs(2);

/// Connections for lookups beside the one that writes.
const READERS: usize = 4;

const SCHEMA_VERSION: i64 = 1;

/// Large blobs have this segment number; real ones begin at 1.
const LARGE: i64 = 0;

const SCHEMA: &str = "
    CREATE TABLE state (
        store INTEGER NOT NULL, segment INTEGER NOT NULL, offset INTEGER NOT NULL
    );
    CREATE TABLE blob (
        hash BLOB PRIMARY KEY, segment INTEGER NOT NULL, offset INTEGER NOT NULL,
        length INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE lease (
        owner INTEGER NOT NULL, hash BLOB NOT NULL, until INTEGER NOT NULL,
        PRIMARY KEY (owner, hash)
    ) WITHOUT ROWID;
    CREATE INDEX large ON blob (hash) WHERE segment = 0;
";

/// Where a blob is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In a segment; the position is that of its first byte.
    Small(Position),
    /// In a file of its own.
    Large,
}

/// A stored blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) place: Place,
    pub(super) length: u64,
}

pub(super) struct Index {
    path: PathBuf,
    writer: Mutex<Connection>,
    readers: Vec<Mutex<Connection>>,
    next_reader: AtomicUsize,
    notes: Mutex<Notes>,
    changed: Condvar,
}

/// What the database does not have yet.
#[derive(Default)]
struct Notes {
    fresh: Batch,
    /// What a transaction is just writing.
    flushing: Arc<Batch>,
    failure: Option<BlobError>,
    closed: bool,
}

#[derive(Default, Clone)]
struct Batch {
    blobs: HashMap<Hash, Stored>,
    leases: HashMap<(DeviceId, Hash), Millis>,
}

impl Batch {
    fn len(&self) -> usize {
        self.blobs.len().max(self.leases.len())
    }
}

impl Index {
    /// Opens the index of the store `store` in the file `path`, or in memory.
    /// What belongs to another store or is damaged is begun anew.
    pub(super) fn open(path: Option<&Path>, store: u64) -> Result<Self, BlobError> {
        let shown = path.unwrap_or(Path::new(":memory:"));
        let failed = |error| index_error(shown, &error);
        let writer = match connect(path, store) {
            Err(error) if is_damaged(&error) => {
                remove_database(shown)?;
                connect(path, store)
            }
            opened => opened,
        }
        .map_err(failed)?;
        let readers = (0..path.map_or(0, |_| READERS))
            .map(|_| Connection::open(shown).map(Mutex::new))
            .collect::<Result<_, _>>()
            .map_err(failed)?;
        Ok(Self {
            path: shown.to_owned(),
            writer: Mutex::new(writer),
            readers,
            next_reader: AtomicUsize::new(0),
            notes: Mutex::default(),
            changed: Condvar::new(),
        })
    }

    /// Up to where the segments are indexed.
    pub(super) fn through(&self) -> Result<Position, BlobError> {
        self.query(|database| {
            database.query_row("SELECT segment, offset FROM state", [], |row| {
                Ok(Position {
                    segment: row.get::<_, i64>(0)?.cast_unsigned(),
                    offset: row.get::<_, i64>(1)?.cast_unsigned(),
                })
            })
        })
    }

    /// Forgets all places, to be told them again.
    pub(super) fn clear(&self) -> Result<(), BlobError> {
        lock(&self.writer)
            .execute_batch("DELETE FROM blob; UPDATE state SET segment = 0, offset = 0")
            .map_err(|error| index_error(&self.path, &error))
    }

    /// Notes stored blobs and gives `owner`, if any, a lease of each. Waits
    /// while the database is far behind.
    pub(super) fn add(
        &self,
        blobs: impl Iterator<Item = (Hash, Stored)>,
        leases: Option<(DeviceId, Millis)>,
    ) -> Result<(), BlobError> {
        let mut notes = lock(&self.notes);
        while notes.fresh.len() >= MOST_UNFLUSHED {
            if let Some(failure) = &notes.failure {
                return Err(failure.clone());
            }
            notes = wait(&self.changed, notes);
        }
        for (hash, stored) in blobs {
            notes.fresh.blobs.insert(hash, stored);
            if let Some((owner, now)) = leases {
                let until = now.saturating_add(limits::LEASE_MILLIS);
                notes.fresh.leases.insert((owner, hash), until);
            }
        }
        if notes.fresh.len() >= WORTH_FLUSHING {
            self.changed.notify_all();
        }
        Ok(())
    }

    /// Where a blob is.
    pub(super) fn find(&self, hash: &Hash) -> Result<Option<Stored>, BlobError> {
        let notes = lock(&self.notes);
        let noted = notes.fresh.blobs.get(hash);
        if let Some(stored) = noted.or_else(|| notes.flushing.blobs.get(hash)) {
            return Ok(Some(*stored));
        }
        drop(notes);
        self.query(|database| {
            database
                .prepare_cached("SELECT segment, offset, length FROM blob WHERE hash = ?1")?
                .query_row([hash.as_bytes()], |row| {
                    Ok(stored_of(row.get(0)?, row.get(1)?, row.get(2)?))
                })
                .optional()
        })
    }

    /// Whether `owner` has a lease of the blob at `now`.
    pub(super) fn has_lease(
        &self,
        owner: DeviceId,
        now: Millis,
        hash: &Hash,
    ) -> Result<bool, BlobError> {
        let key = (owner, *hash);
        let notes = lock(&self.notes);
        let noted = notes.fresh.leases.get(&key);
        if let Some(until) = noted.or_else(|| notes.flushing.leases.get(&key)) {
            return Ok(*until > now);
        }
        drop(notes);
        let until: Option<i64> = self.query(|database| {
            database
                .prepare_cached("SELECT until FROM lease WHERE owner = ?1 AND hash = ?2")?
                .query_row(params![signed(owner.to_u64()), hash.as_bytes()], |row| {
                    row.get(0)
                })
                .optional()
        })?;
        Ok(until.is_some_and(|until| until.cast_unsigned() > now))
    }

    /// Forgets the leases that have ended at `now`.
    pub(super) fn expire_leases(&self, now: Millis) -> Result<(), BlobError> {
        lock(&self.notes)
            .fresh
            .leases
            .retain(|_, until| *until > now);
        lock(&self.writer)
            .execute("DELETE FROM lease WHERE until <= ?1", [signed(now)])
            .map(|_| ())
            .map_err(|error| index_error(&self.path, &error))
    }

    /// Forgets where blobs are that turned out to be gone.
    pub(super) fn remove(&self, hashes: &[Hash]) -> Result<(), BlobError> {
        let database = lock(&self.writer);
        let remove = || {
            let mut statement = database.prepare("DELETE FROM blob WHERE hash = ?1")?;
            for hash in hashes {
                statement.execute([hash.as_bytes()])?;
            }
            Ok(())
        };
        remove().map_err(|error| index_error(&self.path, &error))
    }

    /// All large blobs.
    pub(super) fn large(&self) -> Result<BTreeSet<Hash>, BlobError> {
        self.query(|database| {
            let mut statement = database.prepare("SELECT hash FROM blob WHERE segment = 0")?;
            let rows = statement.query_map([], |row| row.get(0).map(Hash::from_bytes))?;
            rows.collect()
        })
    }

    /// The blobs of segment `segment` from `start` to before `end`. Reads the
    /// whole table.
    pub(super) fn blobs_within(
        &self,
        segment: u64,
        start: u64,
        end: u64,
    ) -> Result<Vec<(Hash, u64)>, BlobError> {
        self.query(|database| {
            let mut statement = database.prepare(
                "SELECT hash, offset FROM blob
                 WHERE segment = ?1 AND offset >= ?2 AND offset < ?3 ORDER BY offset",
            )?;
            let rows = statement.query_map(
                params![signed(segment), signed(start), signed(end)],
                |row| {
                    Ok((
                        Hash::from_bytes(row.get(0)?),
                        row.get::<_, i64>(1)?.cast_unsigned(),
                    ))
                },
            )?;
            rows.collect()
        })
    }

    /// The numbers of all segments that hold an indexed blob. Reads the whole
    /// table.
    pub(super) fn segments(&self) -> Result<BTreeSet<u64>, BlobError> {
        self.query(|database| {
            let mut statement =
                database.prepare("SELECT DISTINCT segment FROM blob WHERE segment > 0")?;
            let rows = statement.query_map([], |row| row.get(0).map(i64::cast_unsigned))?;
            rows.collect()
        })
    }

    /// Bytes of all indexed blobs together. Reads the whole table.
    pub(super) fn total_bytes(&self) -> Result<u64, BlobError> {
        self.query(|database| {
            database.query_row("SELECT coalesce(sum(length), 0) FROM blob", [], |row| {
                Ok(row.get::<_, i64>(0)?.cast_unsigned())
            })
        })
    }

    /// Whether enough is noted for a transaction.
    pub(super) fn is_worth_flushing(&self) -> bool {
        lock(&self.notes).fresh.len() >= WORTH_FLUSHING
    }

    /// Waits until there is enough to write, or long enough. `false` once the
    /// index is closed.
    pub(super) fn wait_for_notes(&self) -> bool {
        let notes = lock(&self.notes);
        let idle = |notes: &mut Notes| notes.fresh.len() < WORTH_FLUSHING && !notes.closed;
        let (notes, _) = self
            .changed
            .wait_timeout_while(notes, FLUSH_INTERVAL, idle)
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        !notes.closed
    }

    /// Ends [`Index::wait_for_notes`].
    pub(super) fn close(&self) {
        lock(&self.notes).closed = true;
        self.changed.notify_all();
    }

    /// Writes what was noted. `through` tells up to where every blob of the
    /// segments has been noted.
    pub(super) fn flush(&self, through: impl FnOnce() -> Position) -> Result<(), BlobError> {
        let mut database = lock(&self.writer);
        let mut notes = lock(&self.notes);
        let batch = Arc::new(std::mem::take(&mut notes.fresh));
        notes.flushing = Arc::clone(&batch);
        let through = through();
        drop(notes);

        let written = if batch.len() == 0 {
            Ok(())
        } else {
            write_batch(&mut database, &batch, through)
        };

        let mut notes = lock(&self.notes);
        notes.flushing = Arc::default();
        notes.failure = None;
        let result = written.map_err(|error| index_error(&self.path, &error));
        if let Err(failure) = &result {
            notes.failure = Some(failure.clone());
            put_back(&mut notes.fresh, &batch);
        }
        drop(notes);
        self.changed.notify_all();
        result
    }

    fn query<T>(
        &self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, BlobError> {
        let connection = if self.readers.is_empty() {
            &self.writer
        } else {
            let number = self.next_reader.fetch_add(1, Ordering::Relaxed);
            &self.readers[number % self.readers.len()]
        };
        query(&lock(connection)).map_err(|error| index_error(&self.path, &error))
    }
}

fn write_batch(
    database: &mut Connection,
    batch: &Batch,
    through: Position,
) -> rusqlite::Result<()> {
    // In the tree's order, so that rows of one page come together.
    let mut blobs: Vec<_> = batch.blobs.iter().collect();
    blobs.sort_unstable_by_key(|(hash, _)| **hash);
    let mut leases: Vec<_> = batch.leases.iter().collect();
    leases.sort_unstable_by_key(|(key, _)| **key);

    let transaction = database.transaction()?;
    {
        let mut insert =
            transaction.prepare_cached("INSERT OR REPLACE INTO blob VALUES (?1, ?2, ?3, ?4)")?;
        for (hash, stored) in blobs {
            let (segment, offset) = match stored.place {
                Place::Small(at) => (signed(at.segment), signed(at.offset)),
                Place::Large => (LARGE, 0),
            };
            insert.execute(params![
                hash.as_bytes(),
                segment,
                offset,
                signed(stored.length)
            ])?;
        }
        let mut insert =
            transaction.prepare_cached("INSERT OR REPLACE INTO lease VALUES (?1, ?2, ?3)")?;
        for ((owner, hash), until) in leases {
            insert.execute(params![
                signed(owner.to_u64()),
                hash.as_bytes(),
                signed(*until)
            ])?;
        }
        transaction.execute(
            "UPDATE state SET segment = ?1, offset = ?2",
            [signed(through.segment), signed(through.offset)],
        )?;
    }
    transaction.commit()
}

/// Notes again what could not be written, under anything noted since.
fn put_back(fresh: &mut Batch, batch: &Batch) {
    for (hash, stored) in &batch.blobs {
        fresh.blobs.entry(*hash).or_insert(*stored);
    }
    for (key, until) in &batch.leases {
        fresh.leases.entry(*key).or_insert(*until);
    }
}

fn connect(path: Option<&Path>, store: u64) -> rusqlite::Result<Connection> {
    let mut database = match path {
        Some(path) => Connection::open(path)?,
        None => Connection::open_in_memory()?,
    };
    // A checkpoint syncs; it should be rare, and the database consistent.
    database.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;
         PRAGMA wal_autocheckpoint = 4000; PRAGMA journal_size_limit = 16777216;",
    )?;
    let version: i64 = database.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let is_ours = version == SCHEMA_VERSION
        && database.query_row("SELECT store FROM state", [], |row| row.get::<_, i64>(0))?
            == store.cast_signed();
    if !is_ours {
        let transaction = database.transaction()?;
        transaction.execute_batch(
            "DROP TABLE IF EXISTS state; DROP TABLE IF EXISTS blob; DROP TABLE IF EXISTS lease;",
        )?;
        transaction.execute_batch(SCHEMA)?;
        transaction.execute("INSERT INTO state VALUES (?1, 0, 0)", [store.cast_signed()])?;
        transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
        transaction.commit()?;
    }
    Ok(database)
}

fn is_damaged(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::Unknown)
    ) || matches!(error, rusqlite::Error::QueryReturnedNoRows)
}

/// Removes the files of a database, of which only the first must exist.
fn remove_database(path: &Path) -> Result<(), BlobError> {
    std::fs::remove_file(path).map_err(|error| BlobError::io("remove", path, error))?;
    for suffix in ["-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        match std::fs::remove_file(&name) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(BlobError::io("remove", Path::new(&name), error));
            }
            _ => {}
        }
    }
    Ok(())
}

fn index_error(path: &Path, error: &rusqlite::Error) -> BlobError {
    BlobError::Index {
        path: path.to_owned(),
        message: error.to_string(),
    }
}

fn stored_of(segment: i64, offset: i64, length: i64) -> Stored {
    let place = if segment == LARGE {
        Place::Large
    } else {
        Place::Small(Position {
            segment: segment.cast_unsigned(),
            offset: offset.cast_unsigned(),
        })
    };
    Stored {
        place,
        length: length.cast_unsigned(),
    }
}

/// Numbers in the index are ids, lengths and times, all below 2^63.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
