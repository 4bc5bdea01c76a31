//! The feed of a space, and the history of an item: the same rows, asked by
//! place and by item.

use super::Reader;
use crate::error::StateError;
use crate::rows::{VERSION_COLUMNS, number, optional_hash, place, sql, version, version_columns};
use crate::version::Version;
use base::{Hash, ItemId, Millis, SpaceId, VersionId};

/// Which versions of the feed are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeedKind {
    /// Every version.
    All,
    /// Only those that are still current, deletions included. Enough to reach
    /// the present tree; an item may then come before the directory that holds
    /// it, since that may have changed later.
    Latest,
}

/// A page of the feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedPage {
    /// The versions, in the order of the log.
    pub versions: Vec<Version>,
    /// Where the next page begins: the place after which to ask. It advances
    /// even when every version was skipped.
    pub next: (u64, u16),
    /// Whether there was more when this page was read.
    pub more: bool,
}

/// Rows looked at per version wanted, so that a page whose versions are all
/// superseded costs a bounded read and not the whole feed.
const SCAN_FACTOR: usize = 8;

impl Reader {
    /// The versions of a space after a place, at most `limit`.
    ///
    /// # Errors
    /// [`StateError`] when the projection cannot be read.
    pub fn feed(
        &self,
        space: SpaceId,
        after: (u64, u16),
        limit: usize,
        kind: FeedKind,
    ) -> Result<FeedPage, StateError> {
        let mut statement = self.db.prepare_cached(concat!(
            "SELECT ",
            version_columns!(),
            ", i.counter FROM versions v JOIN items i ON i.item = v.item
             WHERE v.space = ? AND (v.idx, v.ordinal) > (?, ?)
             ORDER BY v.idx, v.ordinal LIMIT ?"
        ))?;
        let scanned_at_most = limit.saturating_mul(SCAN_FACTOR);
        let mut rows = statement.query((
            sql(space.to_u64()),
            sql(after.0),
            after.1,
            scanned_at_most.saturating_add(1) as i64,
        ))?;
        let mut page = FeedPage {
            versions: Vec::new(),
            next: after,
            more: false,
        };
        let mut scanned = 0;
        while let Some(row) = rows.next()? {
            if page.versions.len() == limit || scanned == scanned_at_most {
                page.more = true;
                break;
            }
            scanned += 1;
            page.next = place(row)?;
            let is_current = number(row, 1)? == number(row, VERSION_COLUMNS)?;
            if is_current || kind == FeedKind::All {
                page.versions.push(version(row)?.version);
            }
        }
        Ok(page)
    }

    /// The versions of an item, newest first.
    ///
    /// # Errors
    /// [`StateError`] when the projection cannot be read.
    pub fn history(&self, item: ItemId, limit: usize) -> Result<Vec<Version>, StateError> {
        self.at_once(|reader| {
            let mut statement = reader.db.prepare_cached(concat!(
                "SELECT ",
                version_columns!(),
                " FROM versions v WHERE v.item = ? AND v.counter > 1
                 ORDER BY v.counter DESC LIMIT ?"
            ))?;
            let mut rows = statement.query((sql(item.to_u64()), limit as i64))?;
            let mut versions = Vec::new();
            while let Some(row) = rows.next()? {
                versions.push(version(row)?.version);
            }
            if versions.len() < limit {
                versions.extend(reader.first_version(item)?);
            }
            Ok(versions)
        })
    }

    /// One version of an item.
    ///
    /// # Errors
    /// [`StateError`] when the projection cannot be read.
    pub fn version(&self, id: VersionId) -> Result<Option<Version>, StateError> {
        if id.counter <= 1 {
            let first = self.first_version(id.item)?;
            return Ok(first.filter(|version| version.id == id));
        }
        let mut statement = self.db.prepare_cached(concat!(
            "SELECT ",
            version_columns!(),
            " FROM versions v WHERE v.item = ? AND v.counter = ? AND v.counter > 1"
        ))?;
        let mut rows = statement.query((sql(id.item.to_u64()), sql(id.counter)))?;
        Ok(rows.next()?.map(version).transpose()?.map(|at| at.version))
    }

    /// The version of an item that stood at a time; `None` before its creation.
    ///
    /// # Errors
    /// [`StateError`] when the projection cannot be read.
    pub fn version_at(&self, item: ItemId, time: Millis) -> Result<Option<Version>, StateError> {
        self.at_once(|reader| {
            // Times rise with counters, so the first match from above is it.
            let mut statement = reader.db.prepare_cached(concat!(
                "SELECT ",
                version_columns!(),
                " FROM versions v WHERE v.item = ? AND v.counter > 1 AND v.time <= ?
                 ORDER BY v.counter DESC LIMIT 1"
            ))?;
            let time_limit = i64::try_from(time).unwrap_or(i64::MAX);
            let mut rows = statement.query((sql(item.to_u64()), time_limit))?;
            match rows.next()? {
                Some(row) => Ok(Some(version(row)?.version)),
                None => {
                    let first = reader.first_version(item)?;
                    Ok(first.filter(|version| version.time <= time))
                }
            }
        })
    }

    /// Whether some version of a space, current or not, has these bytes.
    ///
    /// # Errors
    /// [`StateError`] when the projection cannot be read.
    pub fn hash_in_space(&self, space: SpaceId, hash: &Hash) -> Result<bool, StateError> {
        let mut statement = self
            .db
            .prepare_cached("SELECT 1 FROM versions WHERE hash = ? AND space = ? LIMIT 1")?;
        Ok(statement.exists((hash.as_bytes(), sql(space.to_u64())))?)
    }

    /// The hashes that any version of any space names, in order, after one:
    /// what a scrub must find in the blob store.
    ///
    /// # Errors
    /// [`StateError`] when the projection cannot be read.
    pub fn all_hashes(&self, after: Option<&Hash>, limit: usize) -> Result<Vec<Hash>, StateError> {
        let mut statement = self.db.prepare_cached(
            "SELECT DISTINCT hash FROM versions WHERE hash > ? ORDER BY hash LIMIT ?",
        )?;
        let after: &[u8] = after.map_or(&[], |hash| hash.as_bytes());
        let mut rows = statement.query((after, limit as i64))?;
        let mut hashes = Vec::new();
        while let Some(row) = rows.next()? {
            hashes.extend(optional_hash(row, 0)?);
        }
        Ok(hashes)
    }

    /// The version that created an item: it stands where its id says.
    fn first_version(&self, item: ItemId) -> Result<Option<Version>, StateError> {
        let mut statement = self.db.prepare_cached(concat!(
            "SELECT ",
            version_columns!(),
            " FROM items i JOIN versions v ON v.space = i.space AND v.idx = ? AND v.ordinal = ?
             WHERE i.item = ?"
        ))?;
        let mut rows = statement.query((sql(item.index()), item.ordinal(), sql(item.to_u64())))?;
        Ok(rows.next()?.map(version).transpose()?.map(|at| at.version))
    }
}
