//! Rows of the projection as checked types, and the statements about items
//! that `apply` and the readers share. Which rows there are is `schema`'s.

use crate::error::StateError;
use crate::merkle::Sum;
use crate::version::Version;
use base::{DeviceId, Hash, ItemId, Name, SpaceId, VersionId, limits};
use meta::{Kind, Metadata, binary};
use rusqlite::{Connection, Row};

/// The kind column of items that are deleted, and of the others.
const DELETED: u32 = 0;
/// See [`DELETED`].
const FILE: u32 = 1;
/// See [`DELETED`].
pub(crate) const DIRECTORY: u32 = 2;
/// See [`DELETED`].
const SYMLINK: u32 = 3;

/// Bytes of a file's metadata, about: links alone grow past this.
const METADATA_BYTES: usize = 64;

/// The columns that [`version`] reads, of `versions` under the name `v`.
macro_rules! version_columns {
    () => {
        "v.item, v.counter, v.parent, v.name, v.metadata, v.device, v.time, v.idx, v.ordinal, \
         v.space"
    };
}
pub(crate) use version_columns;

/// Columns in [`version_columns`]: where further ones begin.
pub(crate) const VERSION_COLUMNS: usize = 10;

/// Joins each item `i` with its current version `v`.
macro_rules! items_with_versions {
    () => {
        "items i JOIN versions v ON v.space = i.space AND v.idx = i.idx AND v.ordinal = i.ordinal"
    };
}
pub(crate) use items_with_versions;

/// A version and the space it is in.
#[derive(Debug, Clone)]
pub(crate) struct Placed {
    pub(crate) space: SpaceId,
    pub(crate) version: Version,
}

/// Rows that `apply` never writes.
pub(crate) fn damaged(what: impl std::fmt::Display) -> StateError {
    StateError::Damaged(what.to_string())
}

/// An unsigned number of a column.
pub(crate) fn number(row: &Row<'_>, column: usize) -> Result<u64, StateError> {
    let value: i64 = row.get(column)?;
    u64::try_from(value).map_err(|_| damaged(format!("a negative number {value}")))
}

/// An id of a column.
pub(crate) fn id<T>(
    row: &Row<'_>,
    column: usize,
    from_u64: fn(u64) -> Option<T>,
) -> Result<T, StateError> {
    from_u64(number(row, column)?).ok_or_else(|| damaged("an id beyond 2^63"))
}

/// An id of a column that may be null.
pub(crate) fn optional_id<T>(
    row: &Row<'_>,
    column: usize,
    from_u64: fn(u64) -> Option<T>,
) -> Result<Option<T>, StateError> {
    match row.get::<_, Option<i64>>(column)? {
        None => Ok(None),
        Some(_) => id(row, column, from_u64).map(Some),
    }
}

/// A hash of a column that may be null.
pub(crate) fn optional_hash(row: &Row<'_>, column: usize) -> Result<Option<Hash>, StateError> {
    match row.get_ref(column)?.as_blob_or_null() {
        Ok(None) => Ok(None),
        Ok(Some(bytes)) => Hash::from_slice(bytes)
            .map(Some)
            .ok_or_else(|| damaged("a hash that is not 32 bytes")),
        Err(error) => Err(damaged(error)),
    }
}

/// A text of a column, borrowed from the row.
pub(crate) fn text<'r>(row: &'r Row<'_>, column: usize) -> Result<&'r str, StateError> {
    row.get_ref(column)?.as_str().map_err(damaged)
}

/// A directory sum of a column; null, as of what is no directory, is zero.
pub(crate) fn sum(row: &Row<'_>, column: usize) -> Result<Sum, StateError> {
    let hash = optional_hash(row, column)?;
    Ok(hash.map_or(Sum::EMPTY, |bytes| Sum::from_bytes(bytes.as_bytes())))
}

/// A packed id as SQLite takes it.
pub(crate) const fn sql(packed: u64) -> i64 {
    packed.cast_signed()
}

/// The kind column of a state.
fn kind_number(state: Option<&Metadata>) -> u32 {
    match state.map(|metadata| &metadata.kind) {
        None => DELETED,
        Some(Kind::File { .. }) => FILE,
        Some(Kind::Directory) => DIRECTORY,
        Some(Kind::Symlink(_)) => SYMLINK,
    }
}

/// Reads the columns of [`version_columns`].
pub(crate) fn version(row: &Row<'_>) -> Result<Placed, StateError> {
    let (index, ordinal) = place(row)?;
    Ok(Placed {
        version: Version {
            id: VersionId {
                item: id(row, 0, ItemId::from_u64)?,
                counter: number(row, 1)?,
            },
            parent: id(row, 2, ItemId::from_u64)?,
            name: Name::new(text(row, 3)?).map_err(damaged)?,
            state: state(row)?,
            device: id(row, 5, DeviceId::from_u64)?,
            time: number(row, 6)?,
            index,
            ordinal,
        },
        space: id(row, 9, SpaceId::from_u64)?,
    })
}

/// The place in the feed, of the columns of [`version_columns`].
pub(crate) fn place(row: &Row<'_>) -> Result<(u64, u16), StateError> {
    Ok((number(row, 7)?, row.get(8)?))
}

fn state(row: &Row<'_>) -> Result<Option<Metadata>, StateError> {
    let bytes = row.get_ref(4)?.as_blob_or_null().map_err(damaged)?;
    bytes
        .map(binary::decode_metadata)
        .transpose()
        .map_err(damaged)
}

/// The current version of an item, its deletion included.
pub(crate) fn current(db: &Connection, item: ItemId) -> Result<Option<Placed>, StateError> {
    let mut statement = db.prepare_cached(concat!(
        "SELECT ",
        version_columns!(),
        " FROM ",
        items_with_versions!(),
        " WHERE i.item = ?"
    ))?;
    let mut rows = statement.query([sql(item.to_u64())])?;
    rows.next()?.map(version).transpose()
}

/// The existing item of that name in a directory.
pub(crate) fn child(
    db: &Connection,
    parent: ItemId,
    name: &str,
) -> Result<Option<Placed>, StateError> {
    let mut statement = db.prepare_cached(concat!(
        "SELECT ",
        version_columns!(),
        " FROM ",
        items_with_versions!(),
        " WHERE i.parent = ? AND i.name = ? AND i.kind <> 0"
    ))?;
    let mut rows = statement.query((sql(parent.to_u64()), name))?;
    rows.next()?.map(version).transpose()
}

/// Whether a directory has children.
pub(crate) fn has_children(db: &Connection, parent: ItemId) -> Result<bool, StateError> {
    let mut statement =
        db.prepare_cached("SELECT 1 FROM items WHERE parent = ? AND kind <> 0 LIMIT 1")?;
    Ok(statement.exists([sql(parent.to_u64())])?)
}

/// The path of an item in its space, without a leading `/`; empty for a root.
/// Of a deleted item it is the path that it had. `None` for an unknown item.
pub(crate) fn path_of(db: &Connection, item: ItemId) -> Result<Option<String>, StateError> {
    let mut statement = db.prepare_cached("SELECT parent, name FROM items WHERE item = ?")?;
    let mut names: Vec<String> = Vec::new();
    let mut next = Some(item);
    while let Some(item) = next {
        let mut rows = statement.query([sql(item.to_u64())])?;
        let Some(row) = rows.next()? else {
            return Ok(None);
        };
        next = optional_id(row, 0, ItemId::from_u64)?;
        if next.is_some() {
            names.push(text(row, 1)?.to_owned());
        }
        // Only the path of a deleted item, whose parent moved since, can be
        // longer than what `apply` allows; it ends at a directory's id then.
        if names.len() > limits::PATH_DEPTH {
            break;
        }
    }
    names.reverse();
    Ok(Some(names.join("/")))
}

/// Writes a row of the feed.
pub(crate) fn insert_version(
    db: &Connection,
    space: SpaceId,
    version: &Version,
) -> Result<(), StateError> {
    let state = version.state.as_ref();
    let metadata = state.map(|state| {
        let mut bytes = Vec::with_capacity(METADATA_BYTES);
        binary::encode_metadata(state, &mut bytes);
        bytes
    });
    let content = state.and_then(Metadata::content);
    let mut insert = db.prepare_cached(
        "INSERT INTO versions (space, idx, ordinal, item, counter, parent, name, metadata, hash,
             device, time)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )?;
    insert.execute(rusqlite::params![
        sql(space.to_u64()),
        sql(version.index),
        version.ordinal,
        sql(version.id.item.to_u64()),
        sql(version.id.counter),
        sql(version.parent.to_u64()),
        version.name.as_str(),
        metadata,
        content.map(|(hash, _)| *hash.as_bytes()),
        sql(version.device.to_u64()),
        sql(version.time),
    ])?;
    Ok(())
}

/// Lets an item's row name a version as the current one.
pub(crate) fn store_item(
    db: &Connection,
    space: SpaceId,
    version: &Version,
) -> Result<(), StateError> {
    let parent = (!version.is_root()).then(|| sql(version.parent.to_u64()));
    let kind = kind_number(version.state.as_ref());
    let item = sql(version.id.item.to_u64());
    let place = (sql(version.index), version.ordinal);
    if version.id.counter == 1 {
        let mut insert = db.prepare_cached(
            "INSERT INTO items (item, space, parent, name, kind, counter, idx, ordinal)
             VALUES (?, ?, ?, ?, ?, 1, ?, ?)",
        )?;
        insert.execute((
            item,
            sql(space.to_u64()),
            parent,
            version.name.as_str(),
            kind,
            place.0,
            place.1,
        ))?;
    } else {
        let mut update = db.prepare_cached(
            "UPDATE items SET parent = ?, name = ?, kind = ?, counter = ?, idx = ?, ordinal = ?
             WHERE item = ?",
        )?;
        update.execute((
            parent,
            version.name.as_str(),
            kind,
            sql(version.id.counter),
            place.0,
            place.1,
            item,
        ))?;
    }
    Ok(())
}
