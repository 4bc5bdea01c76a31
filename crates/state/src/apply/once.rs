//! Commands are done once: the answers to recent ones are kept, per device and
//! stream, and given again to a repetition.
//!
//! A stream remembers its highest sequence and the answers of the last
//! [`limits::DEDUPLICATION_WINDOW`] numbers; a device, its
//! [`limits::STREAMS_PER_DEVICE`] most recently used streams. A stream that was
//! evicted begins anew: its commands would be done again, which the bases of
//! their changes then refuse.

use crate::command::Command;
use crate::error::StateError;
use crate::outcome::{Denial, Reply};
use crate::rows::{damaged, sql};
use base::{DeviceId, Hash, limits};
use rusqlite::{Connection, OptionalExtension};

/// Names one request of one client.
pub(super) struct Key {
    device: DeviceId,
    stream: u64,
    sequence: u64,
}

impl Key {
    pub(super) fn of(command: &Command) -> Self {
        Self {
            device: command.device,
            stream: command.stream,
            sequence: command.sequence,
        }
    }

    /// Stream 0 asks for no memory.
    const fn is_once(&self) -> bool {
        self.stream != 0
    }

    fn stream_row(&self) -> (i64, i64) {
        (sql(self.device.to_u64()), self.stream.cast_signed())
    }
}

/// The answer to a command that was done, or that cannot be told from one;
/// `None` for a new one.
pub(super) fn recall(db: &Connection, key: &Key, body: &Hash) -> Result<Option<Reply>, StateError> {
    if !key.is_once() {
        return Ok(None);
    }
    let (device, stream) = key.stream_row();
    let highest: Option<i64> = db
        .prepare_cached("SELECT highest FROM streams WHERE device = ? AND stream = ?")?
        .query_row((device, stream), |row| row.get(0))
        .optional()?;
    let Some(highest) = highest else {
        return Ok(None);
    };
    if key.sequence <= window_start(highest.cast_unsigned()) {
        return Ok(Some(Reply::Denied(Denial::SequenceTooOld)));
    }
    let mut statement = db.prepare_cached(
        "SELECT body, reply FROM results WHERE device = ? AND stream = ? AND sequence = ?",
    )?;
    let mut rows = statement.query((device, stream, sql(key.sequence)))?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    let known: [u8; Hash::BYTES] = row.get(0)?;
    if known != *body.as_bytes() {
        return Ok(Some(Reply::Denied(Denial::SequenceReused)));
    }
    let bytes = row.get_ref(1)?.as_blob().map_err(damaged)?;
    Reply::decode(bytes).map(Some).map_err(damaged)
}

/// Keeps an answer, and forgets what fell out of the window.
pub(super) fn remember(
    db: &Connection,
    key: &Key,
    index: u64,
    body: &Hash,
    reply: &Reply,
) -> Result<(), StateError> {
    if !key.is_once() {
        return Ok(());
    }
    let (device, stream) = key.stream_row();
    let sequence = sql(key.sequence);
    let highest: i64 = db
        .prepare_cached(
            "INSERT INTO streams (device, stream, highest, used) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT DO UPDATE SET highest = max(highest, ?3), used = ?4 RETURNING highest",
        )?
        .query_row((device, stream, sequence, sql(index)), |row| row.get(0))?;
    db.prepare_cached(
        "INSERT INTO results (device, stream, sequence, body, reply) VALUES (?, ?, ?, ?, ?)",
    )?
    .execute((device, stream, sequence, body.as_bytes(), reply.encode()))?;
    db.prepare_cached("DELETE FROM results WHERE device = ? AND stream = ? AND sequence <= ?")?
        .execute((device, stream, sql(window_start(highest.cast_unsigned()))))?;
    evict_streams(db, device)
}

/// The highest sequence that is no longer remembered. Sequences begin at 1.
const fn window_start(highest: u64) -> u64 {
    highest.saturating_sub(limits::DEDUPLICATION_WINDOW)
}

fn evict_streams(db: &Connection, device: i64) -> Result<(), StateError> {
    let streams: i64 = db
        .prepare_cached("SELECT count(*) FROM streams WHERE device = ?")?
        .query_row([device], |row| row.get(0))?;
    if streams.cast_unsigned() <= limits::STREAMS_PER_DEVICE {
        return Ok(());
    }
    let oldest: i64 = db
        .prepare_cached("SELECT stream FROM streams WHERE device = ? ORDER BY used LIMIT 1")?
        .query_row([device], |row| row.get(0))?;
    for delete in [
        "DELETE FROM results WHERE device = ? AND stream = ?",
        "DELETE FROM streams WHERE device = ? AND stream = ?",
    ] {
        db.prepare_cached(delete)?.execute((device, oldest))?;
    }
    Ok(())
}
