//! The record of conflicts: a change that lost against another it did not know
//! is written down until someone says that it is settled.
//!
//! A device has at most one open conflict without a copy per item: trying again
//! updates it, a conflict copy is added to it, and winning after all (a commit
//! on the current base) closes it.

use super::access::barred;
use super::{Effect, Entry};
use crate::command::{Kept, Role};
use crate::error::StateError;
use crate::outcome::{Denial, Reply};
use crate::rows::{id, path_of, sql};
use base::{DeviceId, ItemId, SpaceId};
use meta::Metadata;
use rusqlite::{Connection, OptionalExtension};

/// What is known of a conflict when it comes up.
pub(super) struct Lost<'a> {
    pub(super) space: SpaceId,
    /// The item that stands, or stood.
    pub(super) item: ItemId,
    /// Counter of the version that the loser knew; 0 for none.
    pub(super) base: u64,
    /// Counter of the version that won.
    pub(super) current: u64,
    /// What the loser wanted there.
    pub(super) loser: &'a Metadata,
    /// The copy that holds it.
    pub(super) copy: Option<ItemId>,
}

/// Opens a conflict, or adds to the one that is open.
pub(super) fn record(
    db: &Connection,
    entry: Entry,
    ordinal: u16,
    lost: &Lost<'_>,
) -> Result<(), StateError> {
    let (hash, size) = match lost.loser.content() {
        Some((hash, size)) => (Some(*hash.as_bytes()), size),
        None => (None, 0),
    };
    let copy = lost.copy.map(|item| sql(item.to_u64()));
    if let Some(open) = open_without_copy(db, lost.item, entry.device)? {
        db.prepare_cached(
            "UPDATE conflicts SET current = ?, hash = ?, size = ?, copy = ? WHERE conflict = ?",
        )?
        .execute((sql(lost.current), hash, sql(size), copy, open))?;
        return Ok(());
    }
    let path = path_of(db, lost.item)?.unwrap_or_default();
    db.prepare_cached(
        "INSERT INTO conflicts
            (conflict, space, item, path, device, base, current, hash, size, time, kept, copy)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?)",
    )?
    .execute((
        sql(ItemId::new(entry.index, ordinal).to_u64()),
        sql(lost.space.to_u64()),
        sql(lost.item.to_u64()),
        path,
        sql(entry.device.to_u64()),
        sql(lost.base),
        sql(lost.current),
        hash,
        sql(size),
        sql(entry.time),
        copy,
    ))?;
    Ok(())
}

/// Closes the open conflict of a device whose bytes stand now after all.
pub(super) fn settle(db: &Connection, device: DeviceId, item: ItemId) -> Result<(), StateError> {
    if let Some(open) = open_without_copy(db, item, device)? {
        close(db, open, Kept::Local)?;
    }
    Ok(())
}

pub(super) fn resolve(
    db: &Connection,
    entry: Entry,
    conflict: u64,
    kept: Kept,
) -> Result<Effect, StateError> {
    let mut statement = db.prepare_cached("SELECT space FROM conflicts WHERE conflict = ?")?;
    let mut rows = statement.query([sql(conflict)])?;
    let Some(row) = rows.next()? else {
        return Ok(Denial::UnknownConflict.into());
    };
    let space = id(row, 0, SpaceId::from_u64)?;
    if let Some(denial) = barred(db, entry.device, space, Role::Editor)? {
        return Ok(denial.into());
    }
    close(db, sql(conflict), kept)?;
    Ok(Reply::Done.into())
}

fn open_without_copy(
    db: &Connection,
    item: ItemId,
    device: DeviceId,
) -> Result<Option<i64>, StateError> {
    Ok(db
        .prepare_cached(
            "SELECT conflict FROM conflicts
             WHERE item = ? AND device = ? AND kept = 0 AND copy IS NULL",
        )?
        .query_row((sql(item.to_u64()), sql(device.to_u64())), |row| row.get(0))
        .optional()?)
}

fn close(db: &Connection, conflict: i64, kept: Kept) -> Result<(), StateError> {
    db.prepare_cached("UPDATE conflicts SET kept = ? WHERE conflict = ?")?
        .execute((kept.number(), conflict))?;
    Ok(())
}
