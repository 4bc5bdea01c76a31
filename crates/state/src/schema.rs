//! The tables of the projection and how its database is opened. What is in the
//! rows is `rows`' and `apply`'s concern.
//!
//! Ids are stored as their packed 63-bit numbers. Streams are random 64 bits,
//! stored with the same bits as a signed number.

use crate::error::StateError;
use base::LogId;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use std::path::Path;

/// Version of the tables (`PRAGMA user_version`). A file of another version is
/// not migrated: it is a projection, so it is rebuilt.
pub(crate) const FORMAT: i64 = 2;

/// "ATOL": tells other programs whose file it is.
const APPLICATION_ID: i64 = 0x4154_4f4c;

/// Page cache of the writer. 100,000 items have about 30 MB of tables, but a
/// batch touches the pages at the end of most of them.
const WRITER_CACHE_KIB: i64 = 8 * 1024;

/// Page cache of one reader: there are many, and their walks are short.
const READER_CACHE_KIB: i64 = 1024;

/// Pages in the write-ahead log before it is copied back (64 MiB). A new file
/// dirties about 1.3 pages, most of them in the index of hashes, so this lets
/// some 12,000 files share the two fsyncs of a checkpoint; reading as much back
/// after a crash takes a tenth of a second.
const CHECKPOINT_PAGES: i64 = 16 * 1024;

/// What remains of the write-ahead log's file after a checkpoint: all of it in
/// ordinary use, but not what it grew to under a long snapshot.
const WAL_BYTES_KEPT: i64 = 80 << 20;

/// All statements fit, so none is compiled twice.
const STATEMENTS: usize = 96;

/// How long a reader waits for a lock: only during recovery and closing does
/// WAL mode lock readers out.
const BUSY: std::time::Duration = std::time::Duration::from_secs(5);

/// `items` names each item's current version; the feed and the history are one
/// table, `versions`, in feed order. An item's first version stands at the
/// place that its id names, so only later ones need an index by item. A version's
/// `metadata` has the form of `meta::binary`, and is null of a deletion; `hash` is
/// that of the content it names, and there for its index.
const TABLES: &str = "
CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE spaces (
    space INTEGER PRIMARY KEY,
    slug TEXT NOT NULL UNIQUE,
    created INTEGER NOT NULL,
    creator INTEGER NOT NULL,
    files INTEGER NOT NULL,
    directories INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    longest_path INTEGER NOT NULL
) STRICT;

CREATE TABLE members (
    member INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    created INTEGER NOT NULL
) STRICT;

CREATE TABLE devices (
    device INTEGER PRIMARY KEY,
    member INTEGER NOT NULL,
    name TEXT NOT NULL,
    token BLOB NOT NULL UNIQUE,
    created INTEGER NOT NULL,
    revoked INTEGER NOT NULL
) STRICT;

CREATE TABLE grants (
    member INTEGER NOT NULL,
    space INTEGER NOT NULL,
    role INTEGER NOT NULL,
    PRIMARY KEY (member, space)
) STRICT, WITHOUT ROWID;
CREATE INDEX grants_space ON grants (space);

CREATE TABLE invites (
    token BLOB PRIMARY KEY,
    kind INTEGER NOT NULL,
    space INTEGER NOT NULL,
    role INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    creator INTEGER NOT NULL,
    used_by INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE items (
    item INTEGER PRIMARY KEY,
    space INTEGER NOT NULL,
    parent INTEGER,
    name TEXT NOT NULL,
    kind INTEGER NOT NULL,
    counter INTEGER NOT NULL,
    idx INTEGER NOT NULL,
    ordinal INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX items_live ON items (parent, name) WHERE kind <> 0;

CREATE TABLE versions (
    space INTEGER NOT NULL,
    idx INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    item INTEGER NOT NULL,
    counter INTEGER NOT NULL,
    parent INTEGER NOT NULL,
    name TEXT NOT NULL,
    metadata BLOB,
    hash BLOB,
    device INTEGER NOT NULL,
    time INTEGER NOT NULL,
    PRIMARY KEY (space, idx, ordinal)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX versions_later ON versions (item, counter) WHERE counter > 1;
CREATE INDEX versions_hash ON versions (hash) WHERE hash IS NOT NULL;

CREATE TABLE directories (
    item INTEGER PRIMARY KEY,
    sum BLOB NOT NULL
) STRICT;

CREATE TABLE conflicts (
    conflict INTEGER PRIMARY KEY,
    space INTEGER NOT NULL,
    item INTEGER NOT NULL,
    path TEXT NOT NULL,
    device INTEGER NOT NULL,
    base INTEGER NOT NULL,
    current INTEGER NOT NULL,
    hash BLOB,
    size INTEGER NOT NULL,
    time INTEGER NOT NULL,
    kept INTEGER NOT NULL,
    copy INTEGER
) STRICT;
CREATE INDEX conflicts_space ON conflicts (space, conflict);
CREATE INDEX conflicts_open ON conflicts (item, device) WHERE kept = 0;

CREATE TABLE streams (
    device INTEGER NOT NULL,
    stream INTEGER NOT NULL,
    highest INTEGER NOT NULL,
    used INTEGER NOT NULL,
    PRIMARY KEY (device, stream)
) STRICT, WITHOUT ROWID;

CREATE TABLE results (
    device INTEGER NOT NULL,
    stream INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    body BLOB NOT NULL,
    reply BLOB NOT NULL,
    PRIMARY KEY (device, stream, sequence)
) STRICT, WITHOUT ROWID;
";

/// Makes a new database with empty tables.
pub(crate) fn create(path: &Path) -> Result<Connection, StateError> {
    if path.exists() {
        return Err(StateError::Exists(path.to_owned()));
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    let mut connection = Connection::open_with_flags(path, flags | shared_flags())?;
    set_up_writer(&connection)?;
    let transaction = connection.transaction()?;
    transaction.execute_batch(TABLES)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", FORMAT)?;
    transaction.commit()?;
    Ok(connection)
}

/// Opens an existing database for the one writer.
pub(crate) fn open_writer(path: &Path) -> Result<Connection, StateError> {
    let connection = open_existing(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    set_up_writer(&connection)?;
    Ok(connection)
}

/// Opens an existing database for reading.
pub(crate) fn open_reader(path: &Path) -> Result<Connection, StateError> {
    let connection = open_existing(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.pragma_update(None, "cache_size", -READER_CACHE_KIB)?;
    set_up(&connection)?;
    Ok(connection)
}

fn open_existing(path: &Path, access: OpenFlags) -> Result<Connection, StateError> {
    if !path.exists() {
        return Err(StateError::Missing(path.to_owned()));
    }
    let connection = Connection::open_with_flags(path, access | shared_flags())?;
    let found = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    match found {
        FORMAT => Ok(connection),
        // A creation that was cut short left an empty database.
        0 => Err(StateError::Missing(path.to_owned())),
        found => Err(StateError::OtherFormat {
            path: path.to_owned(),
            found,
            known: FORMAT,
        }),
    }
}

/// Each connection belongs to one thread at a time, so it needs no lock.
fn shared_flags() -> OpenFlags {
    OpenFlags::SQLITE_OPEN_NO_MUTEX
}

fn set_up_writer(connection: &Connection) -> Result<(), StateError> {
    connection.pragma_update(None, "journal_mode", "wal")?;
    // A power cut may take the last transactions with it, never half of one:
    // the log applies them again.
    connection.pragma_update(None, "synchronous", "normal")?;
    connection.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    connection.pragma_update(None, "journal_size_limit", WAL_BYTES_KEPT)?;
    set_up(connection)
}

fn set_up(connection: &Connection) -> Result<(), StateError> {
    connection.pragma_update(None, "temp_store", "memory")?;
    connection.pragma_update(None, "mmap_size", 0)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    // Without this, SQLite compiles a statement anew for each value of a
    // parameter that it compared with the condition of a partial index.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(())
}

/// The numbers that the projection keeps about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Progress {
    /// The log that is projected.
    pub(crate) log: LogId,
    /// The last entry applied; 0 before the first.
    pub(crate) applied: u64,
    /// The rules of `apply` in force.
    pub(crate) apply_version: u32,
    /// Entry time of the last entry.
    pub(crate) time: u64,
}

impl Progress {
    /// Before the first entry of `log`.
    pub(crate) const fn start(log: LogId) -> Self {
        Self {
            log,
            applied: 0,
            apply_version: 1,
            time: 0,
        }
    }

    pub(crate) fn load(connection: &Connection) -> Result<Self, StateError> {
        let mut statement = connection.prepare_cached("SELECT value FROM meta WHERE key = ?")?;
        let mut value = |key: &str| -> Result<u64, StateError> {
            match statement.query_row([key], |row| row.get::<_, i64>(0)) {
                Ok(value) => Ok(value.cast_unsigned()),
                Err(rusqlite::Error::QueryReturnedNoRows) => {
                    Err(StateError::Damaged(format!("meta has no {key}")))
                }
                Err(error) => Err(error.into()),
            }
        };
        Ok(Self {
            log: LogId::from_u64(value("log")?),
            applied: value("applied")?,
            apply_version: value("apply_version")? as u32,
            time: value("time")?,
        })
    }

    pub(crate) fn save(self, connection: &Connection) -> Result<(), StateError> {
        let mut statement =
            connection.prepare_cached("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)")?;
        for (key, value) in [
            ("log", self.log.to_u64()),
            ("applied", self.applied),
            ("apply_version", u64::from(self.apply_version)),
            ("time", self.time),
        ] {
            statement.execute((key, value.cast_signed()))?;
        }
        Ok(())
    }
}
