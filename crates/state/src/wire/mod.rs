//! The bytes of commands, versions and outcomes: prost messages by derive, kept
//! private behind checked conversions; the bytes of metadata are [`meta::binary`]'s.
//! What they mean is in `command` and `outcome`; `docs/formats/commands.md` lists every
//! kind and tag.
//!
//! Rules: a tag or kind is never reused; a new meaning is a new kind, never a
//! new field (an old node would ignore the field and fork from the others);
//! lists are runs of length-delimited messages, decoded one at a time, so that
//! a short hostile input cannot unfold into much memory.

mod change;
mod command;
mod item;
mod outcome;

pub(crate) use change::{decode_commit, encode_commit};
pub(crate) use command::{decode_command, decode_entry, encode_command};
pub(crate) use item::{decode_version, encode_version};
pub use outcome::{decode_outcomes, encode_outcomes};
pub(crate) use outcome::{decode_reply, encode_reply};

use crate::command::{CommandError, Role};
use base::limits;
use prost::Message;

/// Numbers that SQLite must hold as signed integers.
fn below_2_63(what: &'static str, value: u64) -> Result<u64, CommandError> {
    if value >> 63 == 0 {
        Ok(value)
    } else {
        Err(CommandError::Range { what, value })
    }
}

/// An id, which is never 0: a creation always has a log index.
fn required<T>(
    what: &'static str,
    packed: u64,
    from_u64: fn(u64) -> Option<T>,
) -> Result<T, CommandError> {
    match packed {
        0 => Err(CommandError::Missing(what)),
        _ => from_u64(packed).ok_or(CommandError::Range {
            what,
            value: packed,
        }),
    }
}

/// Appends length-delimited messages to one another.
fn encode_run<M: Message>(messages: impl Iterator<Item = M>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for message in messages {
        message
            .encode_length_delimited(&mut bytes)
            .expect("a Vec grows as needed");
    }
    bytes
}

/// Reads what [`encode_run`] wrote, at most [`limits::CHANGES_PER_COMMAND`]
/// messages.
fn decode_run<M: Message + Default, T>(
    what: &'static str,
    mut bytes: &[u8],
    convert: fn(M) -> Result<T, CommandError>,
) -> Result<Vec<T>, CommandError> {
    let mut values = Vec::new();
    while !bytes.is_empty() {
        check_count(what, values.len() + 1)?;
        values.push(convert(M::decode_length_delimited(&mut bytes)?)?);
    }
    Ok(values)
}

fn check_count(what: &'static str, count: usize) -> Result<(), CommandError> {
    if count <= limits::CHANGES_PER_COMMAND {
        Ok(())
    } else {
        Err(CommandError::TooMany {
            what,
            count,
            limit: limits::CHANGES_PER_COMMAND,
        })
    }
}

fn role(number: u32) -> Result<Role, CommandError> {
    Role::from_number(number).ok_or(CommandError::UnknownKind {
        what: "role",
        kind: number,
    })
}

fn check_length(bytes: &[u8]) -> Result<(), CommandError> {
    if bytes.len() <= limits::COMMAND_BYTES {
        Ok(())
    } else {
        Err(CommandError::TooLong(bytes.len()))
    }
}
