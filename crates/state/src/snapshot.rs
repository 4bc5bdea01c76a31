//! A projection as one stream of bytes, and back: what a log is compacted
//! against, what a new node starts from, and what a backup holds.
//!
//! The form is logical (rows, not pages), so it does not depend on SQLite's
//! files; equal states give equal bytes. `frames` has the framing and the
//! checks, `docs/formats/snapshot.md` the layout. Where snapshots are kept,
//! and when one is taken, is the node's concern (`server`).

mod format_1;
mod frames;

use crate::error::StateError;
use crate::projection::Projection;
use crate::reader::Reader;
use crate::schema::{self, Progress};
use base::LogId;
use frames::{FrameReader, FrameWriter, decode_value, encode_value};
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};
use std::io::{self, Read, Write};
use std::path::Path;

/// Version of the snapshot format that is written. Every version from 1 on is read.
const FORMAT: u32 = 2;

/// Rows are gathered into frames of about this size.
const FRAME_TARGET_BYTES: usize = 64 * 1024;

/// What a snapshot is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SnapshotInfo {
    /// The log whose projection it is.
    pub log: LogId,
    /// The last entry that it contains; the log continues after it.
    pub applied: u64,
}

/// Why a snapshot cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The stream failed or ended too early.
    #[error("snapshot stream failed: {0}")]
    Io(#[from] io::Error),
    /// The stream is something else.
    #[error("this is not a snapshot of atoll")]
    NotASnapshot,
    /// Written by a newer program.
    #[error("snapshot format {found} is unknown, this program reads {FORMAT}: update this node")]
    Format {
        /// The format found.
        found: u32,
    },
    /// Bytes that differ from those written.
    #[error("snapshot is damaged in frame {frame}: {what}; use another copy")]
    Damaged {
        /// Which frame, from 0.
        frame: u64,
        /// What does not fit.
        what: &'static str,
    },
    /// The projection failed.
    #[error(transparent)]
    State(#[from] StateError),
}

impl From<rusqlite::Error> for SnapshotError {
    fn from(error: rusqlite::Error) -> Self {
        Self::State(error.into())
    }
}

/// A table in a snapshot. Its number is for ever; the columns are those of
/// snapshot format 2, ordered by their first `keys`, the primary key.
struct Table {
    number: u8,
    name: &'static str,
    columns: &'static [&'static str],
    keys: usize,
}

/// The table that has other columns in [`format_1`].
const VERSIONS: u8 = 7;

const TABLES: [Table; 12] = [
    Table {
        number: 1,
        name: "spaces",
        columns: &[
            "space",
            "slug",
            "created",
            "creator",
            "files",
            "directories",
            "bytes",
            "longest_path",
        ],
        keys: 1,
    },
    Table {
        number: 2,
        name: "members",
        columns: &["member", "name", "created"],
        keys: 1,
    },
    Table {
        number: 3,
        name: "devices",
        columns: &["device", "member", "name", "token", "created", "revoked"],
        keys: 1,
    },
    Table {
        number: 4,
        name: "grants",
        columns: &["member", "space", "role"],
        keys: 2,
    },
    Table {
        number: 5,
        name: "invites",
        columns: &[
            "token", "kind", "space", "role", "expires", "creator", "used_by",
        ],
        keys: 1,
    },
    Table {
        number: 6,
        name: "items",
        columns: &[
            "item", "space", "parent", "name", "kind", "counter", "idx", "ordinal",
        ],
        keys: 1,
    },
    Table {
        number: VERSIONS,
        name: "versions",
        columns: &[
            "space", "idx", "ordinal", "item", "counter", "parent", "name", "metadata", "hash",
            "device", "time",
        ],
        keys: 3,
    },
    Table {
        number: 8,
        name: "directories",
        columns: &["item", "sum"],
        keys: 1,
    },
    Table {
        number: 9,
        name: "conflicts",
        columns: &[
            "conflict", "space", "item", "path", "device", "base", "current", "hash", "size",
            "time", "kept", "copy",
        ],
        keys: 1,
    },
    Table {
        number: 10,
        name: "streams",
        columns: &["device", "stream", "highest", "used"],
        keys: 2,
    },
    Table {
        number: 11,
        name: "results",
        columns: &["device", "stream", "sequence", "body", "reply"],
        keys: 3,
    },
    Table {
        number: 12,
        name: "meta",
        columns: &["key", "value"],
        keys: 1,
    },
];

/// Writes the state that `reader` sees now. Memory is that of one frame; the
/// writer of the projection goes on meanwhile.
///
/// # Errors
/// [`SnapshotError::Io`] from `out`, [`SnapshotError::State`] from the
/// projection. What was written by then is no snapshot.
pub fn export(reader: &Reader, out: &mut dyn Write) -> Result<SnapshotInfo, SnapshotError> {
    reader.at_once(|reader| Ok(export_state(reader.connection(), out)))?
}

/// Makes a new projection at `path` from a snapshot; the file must not exist.
/// Every byte is verified; when one is wrong, no projection remains.
///
/// # Errors
/// [`SnapshotError`]: which says whether the stream, its content or the disk
/// is at fault.
pub fn import(path: &Path, input: &mut dyn Read) -> Result<SnapshotInfo, SnapshotError> {
    let db = schema::create(path)?;
    let imported = import_state(&db, input);
    drop(db);
    if imported.is_err() {
        Projection::remove(path)?;
    }
    imported
}

fn export_state(db: &Connection, out: &mut dyn Write) -> Result<SnapshotInfo, SnapshotError> {
    let progress = Progress::load(db)?;
    let info = SnapshotInfo {
        log: progress.log,
        applied: progress.applied,
    };
    let mut frames = FrameWriter::start(out)?;
    frames.write(&encode_header(&info))?;
    for table in &TABLES {
        export_table(db, table, &mut frames)?;
    }
    frames.finish()?;
    Ok(info)
}

fn export_table(
    db: &Connection,
    table: &Table,
    frames: &mut FrameWriter<'_>,
) -> Result<(), SnapshotError> {
    let mut statement = db.prepare(&format!(
        "SELECT {} FROM {} ORDER BY {}",
        table.columns.join(", "),
        table.name,
        table.columns[..table.keys].join(", "),
    ))?;
    let mut rows = statement.query([])?;
    let mut frame = vec![table.number];
    while let Some(row) = rows.next()? {
        for column in 0..table.columns.len() {
            encode_value(&mut frame, row.get_ref(column)?);
        }
        if frame.len() >= FRAME_TARGET_BYTES {
            frames.write(&frame)?;
            frame.truncate(1);
        }
    }
    if frame.len() > 1 {
        frames.write(&frame)?;
    }
    Ok(())
}

fn import_state(db: &Connection, input: &mut dyn Read) -> Result<SnapshotInfo, SnapshotError> {
    let mut frames = FrameReader::start(input)?;
    let header = frames.read()?.ok_or(SnapshotError::NotASnapshot)?;
    let (format, info) = decode_header(&header)?;
    let transaction = db.unchecked_transaction()?;
    while let Some(frame) = frames.read()? {
        import_frame(db, format, &frame).map_err(|error| match error {
            Import::Damaged(what) => frames.damaged(what),
            Import::Failed(error) => error.into(),
        })?;
    }
    let progress = Progress::load(db)?;
    if (progress.log, progress.applied) != (info.log, info.applied) {
        return Err(frames.damaged("header and rows are of different states"));
    }
    transaction.commit()?;
    // All of it into the main file, and that onto the disk.
    db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    Ok(info)
}

/// Why a frame cannot be imported.
enum Import {
    Damaged(&'static str),
    Failed(rusqlite::Error),
}

impl From<rusqlite::Error> for Import {
    fn from(error: rusqlite::Error) -> Self {
        // The frame's checksum held, so this was written by something that
        // keeps other rules than the tables do.
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::ConstraintViolation | rusqlite::ErrorCode::TypeMismatch) => {
                Self::Damaged("its rows do not fit the tables")
            }
            _ => Self::Failed(error),
        }
    }
}

fn import_frame(db: &Connection, format: u32, frame: &[u8]) -> Result<(), Import> {
    let (number, mut rest) = frame.split_first().ok_or(Import::Damaged("it is empty"))?;
    let table = TABLES
        .iter()
        .find(|table| table.number == *number)
        .ok_or(Import::Damaged("its table is unknown"))?;
    let mut insert = db.prepare_cached(&format!(
        "INSERT INTO {} ({}) VALUES ({})",
        table.name,
        table.columns.join(", "),
        vec!["?"; table.columns.len()].join(", "),
    ))?;
    let is_older = format == 1 && table.number == VERSIONS;
    let columns = match is_older {
        true => format_1::VERSION_COLUMNS,
        false => table.columns.len(),
    };
    let mut row: Vec<Value> = Vec::with_capacity(columns);
    while !rest.is_empty() {
        row.clear();
        for _ in 0..columns {
            row.push(decode_value(&mut rest).ok_or(Import::Damaged("its row is cut short"))?);
        }
        if is_older {
            row = format_1::version(&row).ok_or(Import::Damaged("it has no version's row"))?;
        }
        insert.execute(params_from_iter(row.iter()))?;
    }
    Ok(())
}

fn encode_header(info: &SnapshotInfo) -> Vec<u8> {
    let mut header = Vec::with_capacity(20);
    header.extend_from_slice(&FORMAT.to_le_bytes());
    header.extend_from_slice(&info.log.to_u64().to_le_bytes());
    header.extend_from_slice(&info.applied.to_le_bytes());
    header
}

fn decode_header(header: &[u8]) -> Result<(u32, SnapshotInfo), SnapshotError> {
    let (format, rest) = header
        .split_first_chunk()
        .ok_or(SnapshotError::NotASnapshot)?;
    let format = u32::from_le_bytes(*format);
    if !(1..=FORMAT).contains(&format) {
        return Err(SnapshotError::Format { found: format });
    }
    let (log, rest) = rest
        .split_first_chunk()
        .ok_or(SnapshotError::NotASnapshot)?;
    let applied = rest.try_into().map_err(|_| SnapshotError::NotASnapshot)?;
    let info = SnapshotInfo {
        log: LogId::from_u64(u64::from_le_bytes(*log)),
        applied: u64::from_le_bytes(applied),
    };
    Ok((format, info))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A table or column that the list forgets would be lost with the log.
    #[test]
    fn every_column_of_every_table_is_exported() {
        let folder = tempfile::tempdir().unwrap();
        let db = schema::create(&folder.path().join("state.db")).unwrap();
        let mut known: Vec<String> = TABLES
            .iter()
            .flat_map(|table| {
                table
                    .columns
                    .iter()
                    .map(|column| format!("{}.{column}", table.name))
            })
            .collect();
        known.sort();
        let mut statement = db
            .prepare(
                "SELECT t.name || '.' || c.name FROM pragma_table_list t
                 JOIN pragma_table_info(t.name) c WHERE t.schema = 'main'
                 AND t.name NOT LIKE 'sqlite_%' ORDER BY 1",
            )
            .unwrap();
        let present: Vec<String> = statement
            .query_map([], |row| row.get(0))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        assert_eq!(known, present);
    }
}
