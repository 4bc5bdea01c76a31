//! The synced and the remote tree, remembered in `.atoll/state.db`.
//!
//! The remote tree is held as a difference: `news` has one row for each item
//! whose newest version is not the synced one. A quiet folder therefore has no
//! rows there, and looking through it reads the synced tree alone. The database
//! is a cache of agreements: losing it costs comparing everything again, never
//! bytes ([`crate::plan`], rule 5). It is written only after what it claims is
//! durable in the folder ([`crate::land`]) or at the node.

use crate::folder::{Observation, ObservedKind, landed_mode};
use crate::known::beginning;
use crate::plan::{Remote, Synced};
use base::{Cursor, DeviceId, Hash, ItemId, LogId, SpaceId, VersionId};
use meta::{Kind, Metadata, Mode, Timestamp, binary};
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, params};
use state::Version;
use std::collections::HashSet;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

mod format_3;
mod offers;

/// Format of the database. The one before is migrated; others are begun anew.
const FORMAT: i64 = 4;

/// The parent under which the root directory is filed.
const NOWHERE: i64 = 0;

/// Both remembered trees of one folder.
#[derive(Debug)]
pub struct Trees {
    connection: Connection,
    path: PathBuf,
    /// This client, and what it gave the node without having heard an answer.
    device: Option<DeviceId>,
    unheard: HashSet<(ItemId, String)>,
}

/// One row of the synced tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncedRow {
    /// The directory it is in; `None` for the root.
    pub parent: Option<ItemId>,
    /// Its name; empty for the root.
    pub name: String,
    /// The agreement.
    pub synced: Synced,
}

/// Which space of which log the trees describe, and how far the feed was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The space.
    pub space: SpaceId,
    /// Where to read on.
    pub cursor: Cursor,
}

/// The database cannot be used.
#[derive(Debug, thiserror::Error)]
#[error(
    "client state {path}: {source}; it is only a cache, remove it and the folder is compared anew"
)]
pub struct TreesError {
    path: PathBuf,
    source: rusqlite::Error,
}

/// The agreements. `metadata` has the form of `meta::binary`; `hash` is that of the content
/// it names, null of what is no file, and there to be looked for.
const SYNCED: &str = "
CREATE TABLE synced (
    parent INTEGER NOT NULL, name TEXT NOT NULL,
    item INTEGER NOT NULL, counter INTEGER NOT NULL,
    metadata BLOB NOT NULL, hash BLOB,
    seen_mode INTEGER NOT NULL, seen_seconds INTEGER NOT NULL, seen_nanoseconds INTEGER NOT NULL,
    changed_seconds INTEGER NOT NULL, changed_nanoseconds INTEGER NOT NULL,
    inode INTEGER NOT NULL, racy INTEGER NOT NULL,
    PRIMARY KEY (parent, name)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX synced_item ON synced (item);
";

/// Everything else.
const SCHEMA: &str = "
CREATE TABLE place (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    space INTEGER NOT NULL, log INTEGER NOT NULL,
    entry INTEGER NOT NULL, ordinal INTEGER NOT NULL
) STRICT;
CREATE TABLE news (
    item INTEGER PRIMARY KEY, parent INTEGER NOT NULL, name TEXT NOT NULL, version BLOB NOT NULL
) STRICT;
CREATE INDEX news_place ON news (parent, name);
CREATE TABLE maps (hash BLOB PRIMARY KEY, map BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE generation (one INTEGER PRIMARY KEY CHECK (one = 1), number INTEGER NOT NULL) STRICT;
CREATE TABLE offers (
    number INTEGER PRIMARY KEY, places BLOB NOT NULL, time INTEGER NOT NULL
) STRICT;
CREATE TABLE copies (
    parent INTEGER NOT NULL, name TEXT NOT NULL, item INTEGER NOT NULL, counter INTEGER NOT NULL,
    PRIMARY KEY (parent, name)
) STRICT, WITHOUT ROWID;
";

const COLUMNS: &str = "parent, name, item, counter, metadata, hash, seen_mode, seen_seconds, \
    seen_nanoseconds, changed_seconds, changed_nanoseconds, inode, racy";

impl Trees {
    /// Opens the trees at `path`; empty if there are none, or in a format that is not
    /// read any more.
    ///
    /// # Errors
    /// [`TreesError`] when the file can be neither used nor replaced.
    pub fn open(path: &Path) -> Result<Self, TreesError> {
        let error = |source| TreesError {
            path: path.to_owned(),
            source,
        };
        match Self::try_open(path) {
            // Only what can never be read again is begun anew: to forget what was
            // agreed for a full disk would undo deletions.
            Err(failure) if is_useless(&failure) => {
                for suffix in ["", "-wal", "-shm"] {
                    let mut file = path.as_os_str().to_owned();
                    file.push(suffix);
                    // Gone already, or the reopening says what is wrong.
                    let _ = std::fs::remove_file(PathBuf::from(file));
                }
                Self::try_open(path).map_err(error)
            }
            result => result.map_err(error),
        }
    }

    fn try_open(path: &Path) -> Result<Self, rusqlite::Error> {
        let connection = Connection::open(path)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.pragma_update(None, "cache_size", -8192)?;
        connection.set_prepared_statement_cache_capacity(32);
        let format: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        match format {
            0 => {
                connection.execute_batch(&format!(
                    "BEGIN; {SYNCED} {SCHEMA} PRAGMA user_version = {FORMAT}; COMMIT;"
                ))?;
            }
            3 => {
                let transaction = connection.unchecked_transaction()?;
                format_3::migrate(&transaction)?;
                transaction.pragma_update(None, "user_version", FORMAT)?;
                transaction.commit()?;
            }
            FORMAT => {}
            _ => return Err(rusqlite::Error::InvalidQuery),
        }
        // One transaction is always open; `commit` ends it and opens the next.
        connection.execute_batch("BEGIN")?;
        Ok(Self {
            connection,
            path: path.to_owned(),
            device: None,
            unheard: HashSet::new(),
        })
    }

    /// Opens the trees at `path` as they are at this moment, to read them alone, also
    /// while their client runs; `None` when there are none or in another format.
    ///
    /// # Errors
    /// [`TreesError`].
    pub fn open_to_read(path: &Path) -> Result<Option<Self>, TreesError> {
        if !path.exists() {
            return Ok(None);
        }
        let trees = Self {
            connection: connect_to_read(path).map_err(|source| TreesError {
                path: path.to_owned(),
                source,
            })?,
            path: path.to_owned(),
            device: None,
            unheard: HashSet::new(),
        };
        let format = trees
            .connection
            .execute_batch("BEGIN")
            .and_then(|()| {
                let value = |row: &Row<'_>| row.get::<_, i64>(0);
                trees
                    .connection
                    .pragma_query_value(None, "user_version", value)
            })
            .map_err(trees.error())?;
        Ok((format == FORMAT).then_some(trees))
    }

    fn error(&self) -> impl Fn(rusqlite::Error) -> TreesError + '_ {
        |source| TreesError {
            path: self.path.clone(),
            source,
        }
    }

    /// What the trees describe; `None` when they are new.
    ///
    /// # Errors
    /// [`TreesError`].
    pub fn place(&self) -> Result<Option<Place>, TreesError> {
        let query = "SELECT space, log, entry, ordinal FROM place";
        self.connection
            .query_row(query, [], |row| {
                let cursor = Cursor {
                    log: LogId::from_u64(row.get::<_, i64>(1)? as u64),
                    index: row.get::<_, i64>(2)? as u64,
                    ordinal: row.get(3)?,
                };
                Ok(Place {
                    space: id(row, 0, SpaceId::from_u64)?,
                    cursor,
                })
            })
            .optional()
            .map_err(self.error())
    }

    /// Which generation of [`crate::intents`] belongs to these trees; `None` when
    /// none was begun.
    ///
    /// # Errors
    /// [`TreesError`].
    pub fn generation(&self) -> Result<Option<u64>, TreesError> {
        self.connection
            .query_row("SELECT number FROM generation", [], |row| {
                row.get::<_, i64>(0)
            })
            .optional()
            .map(|number| number.map(|number| number as u64))
            .map_err(self.error())
    }

    /// Begins another generation: what came of everything intended before is
    /// noted in the same transaction.
    ///
    /// # Errors
    /// [`TreesError`].
    pub fn begin_generation(&self, number: u64) -> Result<(), TreesError> {
        self.connection
            .prepare_cached("INSERT OR REPLACE INTO generation VALUES (1, ?)")
            .and_then(|mut insert| insert.execute([number as i64]))
            .map(drop)
            .map_err(self.error())
    }

    /// Forgets every agreement and starts to describe `place`.
    ///
    /// # Errors
    /// [`TreesError`].
    pub fn restart(&self, place: Place) -> Result<(), TreesError> {
        self.connection
            .execute_batch(
                "DELETE FROM synced; DELETE FROM news; DELETE FROM copies; DELETE FROM generation;",
            )
            .map_err(self.error())?;
        self.advance(place)
    }

    /// Notes how far the feed was read.
    ///
    /// # Errors
    /// [`TreesError`].
    pub fn advance(&self, place: Place) -> Result<(), TreesError> {
        let Place { space, cursor } = place;
        self.connection
            .prepare_cached("INSERT OR REPLACE INTO place VALUES (1, ?, ?, ?, ?)")
            .and_then(|mut insert| {
                insert.execute(params![
                    space.to_u64() as i64,
                    cursor.log.to_u64() as i64,
                    cursor.index as i64,
                    cursor.ordinal
                ])
            })
            .map(drop)
            .map_err(self.error())
    }

    /// Keeps everything noted since the last time, and begins anew. The caller
    /// has made durable what the notes claim.
    ///
    /// # Errors
    /// [`TreesError`].
    pub fn commit(&self) -> Result<(), TreesError> {
        self.connection
            .execute_batch("COMMIT; BEGIN")
            .map_err(self.error())
    }

    /// Whether any agreement or news is about content `hash`: then the node has
    /// it. Looks through everything; for rare questions.
    ///
    /// # Errors
    /// [`TreesError`].
    pub fn knows_content(&self, hash: &Hash) -> Result<bool, TreesError> {
        let query = "SELECT EXISTS (SELECT 1 FROM synced WHERE hash = ?1) \
            OR EXISTS (SELECT 1 FROM news WHERE instr(version, ?1) > 0)";
        self.connection
            .query_row(query, [hash.as_bytes()], |row| row.get(0))
            .map_err(self.error())
    }

    /// What is agreed upon of content, by the [`beginning`](crate::known::beginning)
    /// of each hash. Looks through everything.
    ///
    /// # Errors
    /// [`TreesError`].
    pub(crate) fn contents(&self) -> Result<HashSet<u64>, TreesError> {
        self.connection
            .prepare_cached("SELECT hash FROM synced WHERE hash IS NOT NULL")
            .and_then(|mut statement| {
                let hash = |row: &Row<'_>| {
                    let bytes = row.get_ref(0)?.as_blob().map_err(|_| broken(0))?;
                    let hash = Hash::from_slice(bytes).ok_or_else(|| broken(0))?;
                    Ok(beginning(&hash))
                };
                statement.query_map([], hash)?.collect()
            })
            .map_err(self.error())
    }

    /// Takes every look as unproven, so that each file is hashed again.
    ///
    /// # Errors
    /// [`TreesError`].
    pub fn doubt_everything(&self) -> Result<(), TreesError> {
        self.connection
            .execute("UPDATE synced SET racy = 1 WHERE hash IS NOT NULL", [])
            .map(drop)
            .map_err(self.error())
    }

    /// The children of `parent` in the synced tree, in byte order of names.
    ///
    /// # Errors
    /// [`TreesError`].
    pub fn synced_children(&self, parent: ItemId) -> Result<Vec<SyncedRow>, TreesError> {
        let query = format!("SELECT {COLUMNS} FROM synced WHERE parent = ? ORDER BY name");
        let mut statement = self
            .connection
            .prepare_cached(&query)
            .map_err(self.error())?;
        let rows = statement.query_map([parent.to_u64() as i64], synced_row);
        rows.and_then(Iterator::collect).map_err(self.error())
    }

    /// The synced entry `name` of `parent`.
    ///
    /// # Errors
    /// [`TreesError`].
    pub fn synced_child(
        &self,
        parent: ItemId,
        name: &str,
    ) -> Result<Option<SyncedRow>, TreesError> {
        let query = format!("SELECT {COLUMNS} FROM synced WHERE parent = ? AND name = ?");
        self.one(&query, params![parent.to_u64() as i64, name])
    }

    /// The synced state of an item, wherever it is.
    ///
    /// # Errors
    /// [`TreesError`].
    pub fn synced_item(&self, item: ItemId) -> Result<Option<SyncedRow>, TreesError> {
        self.one(
            &format!("SELECT {COLUMNS} FROM synced WHERE item = ?"),
            params![item.to_u64() as i64],
        )
    }

    fn one(
        &self,
        query: &str,
        parameters: impl rusqlite::Params,
    ) -> Result<Option<SyncedRow>, TreesError> {
        self.connection
            .prepare_cached(query)
            .and_then(|mut statement| statement.query_row(parameters, synced_row).optional())
            .map_err(self.error())
    }

    /// Notes an agreement. What the feed said of this item up to the agreed
    /// version is no longer news.
    ///
    /// # Errors
    /// [`TreesError`].
    pub fn agree(&self, row: &SyncedRow) -> Result<(), TreesError> {
        let Synced {
            version,
            metadata,
            seen,
            racy,
        } = &row.synced;
        let (metadata, hash) = metadata_columns(metadata);
        // An item has one place; whoever stood here, or wherever it stood, goes.
        self.connection
            .prepare_cached(&format!(
                "INSERT OR REPLACE INTO synced ({COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)"
            ))
            .and_then(|mut insert| {
                insert.execute(params![
                    row.parent.map_or(NOWHERE, |parent| parent.to_u64() as i64),
                    row.name,
                    version.item.to_u64() as i64,
                    version.counter as i64,
                    metadata,
                    hash,
                    seen.mode.bits(),
                    seen.modified.seconds(),
                    seen.modified.nanoseconds(),
                    seen.changed.seconds(),
                    seen.changed.nanoseconds(),
                    seen.inode as i64,
                    racy,
                ])
            })
            .map_err(self.error())?;
        self.drop_news_until(*version)
    }

    fn drop_news_until(&self, version: VersionId) -> Result<(), TreesError> {
        let Some(news) = self.news_of(version.item)? else {
            return Ok(());
        };
        if news.id.counter <= version.counter {
            self.drop_news(version.item)
        } else {
            Ok(())
        }
    }

    /// Files what is in the directory `old` under `new`, which took its place: the
    /// same entries stand in it until their own news say otherwise.
    ///
    /// # Errors
    /// [`TreesError`].
    pub fn refile(&self, old: ItemId, new: ItemId) -> Result<(), TreesError> {
        self.connection
            .prepare_cached("UPDATE OR REPLACE synced SET parent = ? WHERE parent = ?")
            .and_then(|mut update| update.execute([new.to_u64() as i64, old.to_u64() as i64]))
            .map(drop)
            .map_err(self.error())
    }

    /// Forgets the agreement about `item`.
    ///
    /// # Errors
    /// [`TreesError`].
    pub fn forget(&self, item: ItemId) -> Result<(), TreesError> {
        self.connection
            .prepare_cached("DELETE FROM synced WHERE item = ?")
            .and_then(|mut delete| delete.execute([item.to_u64() as i64]))
            .map(drop)
            .map_err(self.error())
    }

    /// Takes one step of the feed. `false` when it was known already.
    ///
    /// # Errors
    /// [`TreesError`].
    pub fn learn(&self, version: &Version) -> Result<bool, TreesError> {
        let version = &as_landed(version);
        let synced = self.synced_item(version.id.item)?;
        let known = synced.as_ref().map(|row| row.synced.version.counter);
        let news = self.news_of(version.id.item)?;
        let told = news.as_ref().map(|news| news.id.counter);
        if known
            .max(told)
            .is_some_and(|counter| counter >= version.id.counter)
        {
            return Ok(false);
        }
        if version.state.is_none() && synced.is_none() {
            let own = news.filter(|news| self.is_own(news)).and_then(unproven);
            match own {
                // Deleted elsewhere after it was given from here.
                Some(row) if self.synced_child(version.parent, &row.name)?.is_none() => {
                    self.agree(&row)?;
                }
                // Deleted before it ever came here.
                _ => {
                    self.drop_news(version.id.item)?;
                    return Ok(told.is_some());
                }
            }
        }
        self.connection
            .prepare_cached("INSERT OR REPLACE INTO news VALUES (?, ?, ?, ?)")
            .and_then(|mut insert| {
                insert.execute(params![
                    version.id.item.to_u64() as i64,
                    parent_of(version),
                    name_of(version),
                    version.encode()
                ])
            })
            .map(|_| true)
            .map_err(self.error())
    }

    /// What is newer at the node than agreed about `item`.
    ///
    /// # Errors
    /// [`TreesError`].
    pub fn news_of(&self, item: ItemId) -> Result<Option<Version>, TreesError> {
        self.connection
            .prepare_cached("SELECT version FROM news WHERE item = ?")
            .and_then(|mut statement| {
                statement
                    .query_row([item.to_u64() as i64], version_row)
                    .optional()
            })
            .map_err(self.error())
    }

    /// Forgets the news of `item`: it came to nothing here.
    ///
    /// # Errors
    /// [`TreesError`].
    pub fn drop_news(&self, item: ItemId) -> Result<(), TreesError> {
        self.connection
            .prepare_cached("DELETE FROM news WHERE item = ?")
            .and_then(|mut delete| delete.execute([item.to_u64() as i64]))
            .map(drop)
            .map_err(self.error())
    }

    /// The newest remote states filed under `parent` that are not agreed, in
    /// byte order of names; at one name at most one is alive.
    ///
    /// # Errors
    /// [`TreesError`].
    pub fn news_children(&self, parent: ItemId) -> Result<Vec<Version>, TreesError> {
        let query = "SELECT version FROM news WHERE parent = ? ORDER BY name";
        let mut statement = self
            .connection
            .prepare_cached(query)
            .map_err(self.error())?;
        let rows = statement.query_map([parent.to_u64() as i64], version_row);
        rows.and_then(Iterator::collect).map_err(self.error())
    }

    /// Up to `limit` items with news after `after`, in order of age.
    ///
    /// # Errors
    /// [`TreesError`].
    pub fn news_after(
        &self,
        after: Option<ItemId>,
        limit: usize,
    ) -> Result<Vec<Version>, TreesError> {
        let query = "SELECT version FROM news WHERE item > ? ORDER BY item LIMIT ?";
        let mut statement = self
            .connection
            .prepare_cached(query)
            .map_err(self.error())?;
        let after = after.map_or(-1, |item| item.to_u64() as i64);
        let rows = statement.query_map(params![after, limit as i64], version_row);
        rows.and_then(Iterator::collect).map_err(self.error())
    }

    /// Items that the node has at another place than the synced one, each with
    /// its synced state and its news.
    ///
    /// # Errors
    /// [`TreesError`].
    pub fn moved(&self) -> Result<Vec<(SyncedRow, Version)>, TreesError> {
        let query = "SELECT news.version FROM news JOIN synced ON synced.item = news.item \
            WHERE news.parent <> synced.parent OR news.name <> synced.name ORDER BY news.item";
        let news: Vec<Version> = self
            .connection
            .prepare_cached(query)
            .and_then(|mut statement| statement.query_map([], version_row)?.collect())
            .map_err(self.error())?;
        let mut moved = Vec::new();
        for version in news.into_iter().filter(|version| version.state.is_some()) {
            if let Some(row) = self.synced_item(version.id.item)? {
                moved.push((row, version));
            }
        }
        Ok(moved)
    }

    /// What the node says stands at `name` of `parent`: the news of this place,
    /// else the synced item unless there is news that it went elsewhere.
    ///
    /// # Errors
    /// [`TreesError`].
    pub fn remote_child(
        &self,
        parent: ItemId,
        name: &str,
        synced: Option<&SyncedRow>,
    ) -> Result<Option<Remote>, TreesError> {
        let news = self
            .connection
            .prepare_cached("SELECT version FROM news WHERE parent = ? AND name = ?")
            .and_then(|mut statement| {
                let rows =
                    statement.query_map(params![parent.to_u64() as i64, name], version_row)?;
                rows.collect::<Result<Vec<_>, _>>()
            })
            .map_err(self.error())?;
        self.overlay(synced, &news)
    }

    /// Lays the news of one place over its synced state.
    ///
    /// # Errors
    /// [`TreesError`].
    pub fn overlay(
        &self,
        synced: Option<&SyncedRow>,
        news: &[Version],
    ) -> Result<Option<Remote>, TreesError> {
        let alive = news.iter().find_map(|version| {
            let metadata = version.state.clone()?;
            Some(Remote {
                version: version.id,
                metadata,
                own: self.is_own(version),
            })
        });
        let Some(row) = synced else { return Ok(alive) };
        // News of the synced item itself, here or elsewhere, replaces it.
        if alive.is_some() || self.news_of(row.synced.version.item)?.is_some() {
            return Ok(alive);
        }
        Ok(Some(Remote {
            version: row.synced.version,
            metadata: row.synced.metadata.clone(),
            own: false,
        }))
    }

    /// How many items are agreed upon, and how many are news.
    ///
    /// # Errors
    /// [`TreesError`].
    pub fn counts(&self) -> Result<(u64, u64), TreesError> {
        let query = "SELECT (SELECT count(*) FROM synced), (SELECT count(*) FROM news)";
        self.connection
            .query_row(query, [], |row| {
                Ok((row.get::<_, i64>(0)? as u64, row.get::<_, i64>(1)? as u64))
            })
            .map_err(self.error())
    }

    /// Remembers the encoded block map of a large file, for its next edit.
    ///
    /// # Errors
    /// [`TreesError`].
    pub fn keep_map(&self, hash: &Hash, map: &[u8]) -> Result<(), TreesError> {
        self.connection
            .prepare_cached("INSERT OR REPLACE INTO maps VALUES (?, ?)")
            .and_then(|mut insert| insert.execute(params![hash.as_bytes(), map]))
            .map(drop)
            .map_err(self.error())
    }

    /// The encoded block map of `hash`, if it was kept.
    ///
    /// # Errors
    /// [`TreesError`].
    pub fn map(&self, hash: &Hash) -> Result<Option<Vec<u8>>, TreesError> {
        self.connection
            .prepare_cached("SELECT map FROM maps WHERE hash = ?")
            .and_then(|mut statement| {
                statement
                    .query_row([hash.as_bytes()], |row| row.get(0))
                    .optional()
            })
            .map_err(self.error())
    }

    /// Drops the map of content that was replaced.
    ///
    /// # Errors
    /// [`TreesError`].
    pub fn drop_map(&self, hash: &Hash) -> Result<(), TreesError> {
        self.connection
            .prepare_cached("DELETE FROM maps WHERE hash = ?")
            .and_then(|mut delete| delete.execute([hash.as_bytes()]))
            .map(drop)
            .map_err(self.error())
    }

    /// Notes, before it is made, that `name` of `parent` is a conflict copy kept
    /// beside `of`.
    ///
    /// # Errors
    /// [`TreesError`].
    pub fn note_copy(&self, parent: ItemId, name: &str, of: VersionId) -> Result<(), TreesError> {
        self.connection
            .prepare_cached("INSERT OR REPLACE INTO copies VALUES (?, ?, ?, ?)")
            .and_then(|mut insert| {
                insert.execute(params![
                    parent.to_u64() as i64,
                    name,
                    of.item.to_u64() as i64,
                    of.counter as i64
                ])
            })
            .map(drop)
            .map_err(self.error())
    }

    /// The version beside which `name` was kept, if it is a conflict copy.
    ///
    /// # Errors
    /// [`TreesError`].
    pub fn copy_of(&self, parent: ItemId, name: &str) -> Result<Option<VersionId>, TreesError> {
        self.connection
            .prepare_cached("SELECT item, counter FROM copies WHERE parent = ? AND name = ?")
            .and_then(|mut statement| {
                statement
                    .query_row(params![parent.to_u64() as i64, name], |row| {
                        Ok(VersionId {
                            item: id(row, 0, ItemId::from_u64)?,
                            counter: row.get::<_, i64>(1)? as u64,
                        })
                    })
                    .optional()
            })
            .map_err(self.error())
    }
}

/// Opens a database and writes nothing, not even beside it. One that nobody else has open
/// has no log of changes beside it, and would get one from whoever only reads, unless it
/// is told that nothing changes meanwhile. That holds but for a client that begins just
/// now: then what is read may be of two moments, and is told as an error or as a state
/// that was true a moment ago.
fn connect_to_read(path: &Path) -> Result<Connection, rusqlite::Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    if Path::new(&log).exists() {
        return Connection::open_with_flags(path, flags);
    }
    let escaped = path.as_os_str().as_bytes().iter().map(|byte| match byte {
        b'/' | b'-' | b'.' | b'_' => char::from(*byte).to_string(),
        byte if byte.is_ascii_alphanumeric() => char::from(*byte).to_string(),
        byte => format!("%{byte:02x}"),
    });
    let uri = format!("file:{}?immutable=1", escaped.collect::<String>());
    Connection::open_with_flags(uri, flags | OpenFlags::SQLITE_OPEN_URI)
}

fn is_useless(failure: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
    match failure {
        // An older format, by `try_open`.
        rusqlite::Error::InvalidQuery => true,
        failure => matches!(
            failure.sqlite_error_code(),
            Some(DatabaseCorrupt | NotADatabase)
        ),
    }
}

/// The version as it can stand here: what of its mode no node hands out is
/// agreed to be dropped, so that it is neither missed nor given back.
fn as_landed(version: &Version) -> Version {
    let mut version = version.clone();
    if let Some(metadata) = &mut version.state
        && !matches!(metadata.kind, Kind::Symlink(_))
    {
        metadata.mode = landed_mode(metadata.mode);
    }
    version
}

/// The root directory is filed under [`NOWHERE`] with an empty name.
fn parent_of(version: &Version) -> i64 {
    if version.id.item == version.parent {
        NOWHERE
    } else {
        version.parent.to_u64() as i64
    }
}

fn name_of(version: &Version) -> &str {
    if version.id.item == version.parent {
        ""
    } else {
        version.name.as_str()
    }
}

/// The agreement on what this client gave without having heard the answer: no
/// look of the entry proves it, its bytes must.
fn unproven(own: Version) -> Option<SyncedRow> {
    let metadata = own.state?;
    let seen = usual_look(&metadata);
    Some(SyncedRow {
        parent: Some(own.parent),
        name: own.name.as_str().to_owned(),
        synced: Synced {
            version: own.id,
            metadata,
            seen,
            racy: true,
        },
    })
}

/// How an entry of this metadata looks, but for what only a look tells.
fn usual_look(metadata: &Metadata) -> Observation {
    let kind = match metadata.kind {
        Kind::File { .. } => ObservedKind::File,
        Kind::Directory => ObservedKind::Directory,
        Kind::Symlink(_) => ObservedKind::Symlink,
    };
    Observation {
        kind,
        size: metadata.content().map_or(0, |(_, size)| size),
        mode: metadata.mode,
        modified: metadata.modified,
        changed: Timestamp::default(),
        inode: 0,
    }
}

/// The columns `metadata` and `hash`.
fn metadata_columns(metadata: &Metadata) -> (Vec<u8>, Option<[u8; 32]>) {
    let mut bytes = Vec::with_capacity(64);
    binary::encode_metadata(metadata, &mut bytes);
    (bytes, metadata.content().map(|(hash, _)| *hash.as_bytes()))
}

fn broken(column: usize) -> rusqlite::Error {
    rusqlite::Error::IntegralValueOutOfRange(column, 0)
}

fn id<T>(
    row: &Row<'_>,
    column: usize,
    make: impl Fn(u64) -> Option<T>,
) -> Result<T, rusqlite::Error> {
    make(row.get::<_, i64>(column)? as u64).ok_or_else(|| broken(column))
}

fn time(row: &Row<'_>, column: usize) -> Result<Timestamp, rusqlite::Error> {
    Timestamp::new(row.get(column)?, row.get(column + 1)?).map_err(|_| broken(column))
}

fn mode(row: &Row<'_>, column: usize) -> Result<Mode, rusqlite::Error> {
    Mode::new(row.get(column)?).map_err(|_| broken(column))
}

fn synced_row(row: &Row<'_>) -> Result<SyncedRow, rusqlite::Error> {
    let bytes = row.get_ref(4)?.as_blob().map_err(|_| broken(4))?;
    let metadata = binary::decode_metadata(bytes).map_err(|_| broken(4))?;
    let parent = row.get::<_, i64>(0)?;
    Ok(SyncedRow {
        parent: if parent == NOWHERE {
            None
        } else {
            Some(id(row, 0, ItemId::from_u64)?)
        },
        name: row.get(1)?,
        synced: Synced {
            version: VersionId {
                item: id(row, 2, ItemId::from_u64)?,
                counter: row.get::<_, i64>(3)? as u64,
            },
            seen: Observation {
                mode: mode(row, 6)?,
                modified: time(row, 7)?,
                changed: time(row, 9)?,
                inode: row.get::<_, i64>(11)? as u64,
                ..usual_look(&metadata)
            },
            metadata,
            racy: row.get(12)?,
        },
    })
}

fn version_row(row: &Row<'_>) -> Result<Version, rusqlite::Error> {
    let bytes = row.get_ref(0)?.as_blob().map_err(|_| broken(0))?;
    Version::decode(bytes).map_err(|_| broken(0))
}

#[cfg(test)]
mod tests;
