//! The conflicts that were recorded, open and resolved.

use super::Reader;
use crate::command::Kept;
use crate::error::StateError;
use crate::rows::{damaged, id, number, optional_hash, optional_id, sql, text};
use base::{DeviceId, Hash, ItemId, Millis, SpaceId};
use rusqlite::Row;

/// Two changes of one item that did not know of each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// Its id: the place of the change that opened it.
    pub id: u64,
    /// The space.
    pub space: SpaceId,
    /// The item that both changed.
    pub item: ItemId,
    /// Its path when the conflict was opened.
    pub path: String,
    /// The device whose change lost.
    pub device: DeviceId,
    /// The counter of the version that the loser knew; 0 for none.
    pub base: u64,
    /// The counter of the version that won.
    pub current: u64,
    /// Hash and size of the loser's bytes, when it was a file.
    pub content: Option<(Hash, u64)>,
    /// Entry time of the change that opened it.
    pub time: Millis,
    /// What the user kept; `None` while it is open.
    pub kept: Option<Kept>,
    /// The conflict copy that holds the loser's bytes.
    pub copy: Option<ItemId>,
}

const COLUMNS: &str = "SELECT conflict, space, item, path, device, base, current, hash, size, \
                       time, kept, copy FROM conflicts";

impl Reader {
    /// A page of a space's conflicts, oldest first, of those after the id
    /// `after` (0 for the start).
    ///
    /// # Errors
    /// [`StateError`] when the projection cannot be read.
    pub fn conflicts(
        &self,
        space: SpaceId,
        open_only: bool,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Conflict>, StateError> {
        let mut statement = self.db.prepare_cached(&format!(
            "{COLUMNS} WHERE space = ? AND conflict > ? AND (kept = 0 OR NOT ?)
             ORDER BY conflict LIMIT ?"
        ))?;
        let mut rows =
            statement.query((sql(space.to_u64()), sql(after), open_only, limit as i64))?;
        let mut conflicts = Vec::new();
        while let Some(row) = rows.next()? {
            conflicts.push(conflict(row)?);
        }
        Ok(conflicts)
    }

    /// One conflict.
    ///
    /// # Errors
    /// [`StateError`] when the projection cannot be read.
    pub fn conflict(&self, id: u64) -> Result<Option<Conflict>, StateError> {
        let mut statement = self
            .db
            .prepare_cached(&format!("{COLUMNS} WHERE conflict = ?"))?;
        let mut rows = statement.query([sql(id)])?;
        rows.next()?.map(conflict).transpose()
    }
}

fn conflict(row: &Row<'_>) -> Result<Conflict, StateError> {
    let hash = optional_hash(row, 7)?;
    let size = number(row, 8)?;
    Ok(Conflict {
        id: number(row, 0)?,
        space: id(row, 1, SpaceId::from_u64)?,
        item: id(row, 2, ItemId::from_u64)?,
        path: text(row, 3)?.to_owned(),
        device: id(row, 4, DeviceId::from_u64)?,
        base: number(row, 5)?,
        current: number(row, 6)?,
        content: hash.map(|hash| (hash, size)),
        time: number(row, 9)?,
        kept: match row.get(10)? {
            0 => None,
            kept => Some(Kept::from_number(kept).ok_or_else(|| damaged(format!("kept {kept}")))?),
        },
        copy: optional_id(row, 11, ItemId::from_u64)?,
    })
}
