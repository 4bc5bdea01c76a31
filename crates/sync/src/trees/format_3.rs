//! Trees of format 3, which kept metadata as columns of its own: their agreements as the
//! present rows. To forget them would undo deletions.

use super::{COLUMNS, SYNCED, broken, metadata_columns, mode, time};
use base::Hash;
use meta::{Kind, Metadata, Target};
use rusqlite::types::Value;
use rusqlite::{Connection, Row, params_from_iter};

/// What is kept of a row as it is: its place and version, then its look.
const BEFORE: &str = "parent, name, item, counter";
const BEHIND: &str = "seen_mode, seen_seconds, seen_nanoseconds, changed_seconds, \
    changed_nanoseconds, inode, racy";

/// Where the columns of metadata begin, and those behind them.
const METADATA: usize = 4;
const LOOK: usize = 10;
const ALL: usize = 17;

/// Makes the rows of a database in format 3 those of the present one. The caller's
/// transaction is around it.
pub(super) fn migrate(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.execute_batch(&format!(
        "DROP INDEX synced_item; ALTER TABLE synced RENAME TO synced_3; {SYNCED}"
    ))?;
    copy_rows(connection)?;
    connection.execute_batch("DROP TABLE synced_3")
}

fn copy_rows(connection: &Connection) -> Result<(), rusqlite::Error> {
    let metadata = "kind, content, size, mode, seconds, nanoseconds";
    let mut select = connection.prepare(&format!(
        "SELECT {BEFORE}, {metadata}, {BEHIND} FROM synced_3"
    ))?;
    let mut insert = connection.prepare(&format!(
        "INSERT INTO synced ({COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)"
    ))?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        insert.execute(params_from_iter(present(row)?))?;
    }
    Ok(())
}

fn present(row: &Row<'_>) -> Result<Vec<Value>, rusqlite::Error> {
    let (bytes, hash) = metadata_columns(&metadata(row)?);
    let hash = hash.map_or(Value::Null, |hash| Value::Blob(hash.to_vec()));
    let mut values = Vec::with_capacity(ALL);
    for column in 0..METADATA {
        values.push(row.get(column)?);
    }
    values.extend([Value::Blob(bytes), hash]);
    for column in LOOK..ALL {
        values.push(row.get(column)?);
    }
    Ok(values)
}

fn metadata(row: &Row<'_>) -> Result<Metadata, rusqlite::Error> {
    let content = row.get_ref(5)?.as_blob().map_err(|_| broken(5))?;
    let kind = match row.get(METADATA)? {
        0_u8 => Kind::File {
            hash: Hash::from_slice(content).ok_or_else(|| broken(5))?,
            size: row.get::<_, i64>(6)? as u64,
        },
        1 => Kind::Directory,
        2 => {
            let text = std::str::from_utf8(content).map_err(|_| broken(5))?;
            Kind::Symlink(Target::new(text).map_err(|_| broken(5))?)
        }
        _ => return Err(broken(METADATA)),
    };
    Ok(Metadata {
        kind,
        mode: mode(row, 7)?,
        modified: time(row, 8)?,
    })
}
