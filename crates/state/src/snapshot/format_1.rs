//! Snapshots of format 1, which kept a version's metadata as columns of its own: their
//! rows as the present ones. Nothing writes the format any more, but what stands in
//! such a snapshot stands nowhere else.

use base::Hash;
use meta::{Metadata, Mode, Target, Timestamp, binary};
use rusqlite::types::Value;

/// Columns of a version: `space`, `idx`, `ordinal`, `item`, `counter`, `parent`, `name`,
/// `kind`, `mode`, `seconds`, `nanoseconds`, `hash`, `size`, `target`, `device`, `time`.
pub(super) const VERSION_COLUMNS: usize = 16;

const DELETED: i64 = 0;
const FILE: i64 = 1;
const DIRECTORY: i64 = 2;
const SYMLINK: i64 = 3;

/// The row of a version with its metadata in one column; `None` when it holds what no
/// version can have.
pub(super) fn version(row: &[Value]) -> Option<Vec<Value>> {
    let [
        place @ ..,
        kind,
        mode,
        seconds,
        nanoseconds,
        hash,
        size,
        target,
        device,
        time,
    ] = row
    else {
        return None;
    };
    let metadata = match integer(kind)? {
        DELETED => Value::Null,
        kind => {
            let mode = Mode::new(u32::try_from(integer(mode)?).ok()?).ok()?;
            let nanoseconds = u32::try_from(integer(nanoseconds)?).ok()?;
            let modified = Timestamp::new(integer(seconds)?, nanoseconds).ok()?;
            let metadata = match kind {
                FILE => {
                    let size = u64::try_from(integer(size)?).ok()?;
                    Metadata::file(content(hash)?, size, mode, modified).ok()?
                }
                DIRECTORY => Metadata::directory(mode, modified),
                SYMLINK => Metadata::symlink(link(target)?, modified),
                _ => return None,
            };
            let mut bytes = Vec::new();
            binary::encode_metadata(&metadata, &mut bytes);
            Value::Blob(bytes)
        }
    };
    let mut present = place.to_vec();
    present.extend([metadata, hash.clone(), device.clone(), time.clone()]);
    Some(present)
}

const fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Integer(number) => Some(*number),
        _ => None,
    }
}

fn content(value: &Value) -> Option<Hash> {
    match value {
        Value::Blob(bytes) => Hash::from_slice(bytes),
        _ => None,
    }
}

fn link(value: &Value) -> Option<Target> {
    match value {
        Value::Text(text) => Target::new(text).ok(),
        _ => None,
    }
}
