//! Versions as JSON, and the reasons of outcomes as problems: the shapes that
//! several addresses share.

use super::moment;
use crate::problem::Problem;
use base::{Cursor, LogId, Name};
use meta::{Kind, Metadata, Mode, Timestamp};
use serde_json::{Value, json};
use state::{Outcome, Version};

/// A version as the API shows it. Ids and counters are texts: they pass the
/// 53 bits that JSON readers keep exactly.
pub fn version(version: &Version, log: LogId) -> Value {
    let cursor = Cursor {
        log,
        index: version.index,
        ordinal: version.ordinal,
    };
    let mut value = json!({
        "item": version.id.item.to_string(),
        "version": version.id.to_string(),
        "parent": version.parent.to_string(),
        "name": if version.is_root() { "" } else { version.name.as_str() },
        "device": version.device.to_string(),
        "time": moment::format_millis(version.time),
        "cursor": cursor.to_string(),
    });
    match &version.state {
        Some(metadata) => add_metadata(&mut value, metadata),
        None => value["kind"] = "deleted".into(),
    }
    value
}

/// A path from its names.
pub fn path(names: &[Name]) -> String {
    names.iter().map(Name::as_str).collect::<Vec<_>>().join("/")
}

/// What a change came to, where it must have succeeded.
///
/// # Errors
/// [`Problem::Conflict`] with what stands there, or [`Problem::Refused`].
pub fn succeeded(outcome: &Outcome, log: LogId) -> Result<base::VersionId, Problem> {
    match outcome {
        Outcome::Committed(id) | Outcome::Same(id) => Ok(*id),
        Outcome::Conflict { current } => Err(Problem::Conflict {
            detail: "the item has changed since the version this was based on".to_owned(),
            current: current
                .as_ref()
                .map_or(Value::Null, |current| version(current, log)),
        }),
        Outcome::Refused(refusal) => Err(Problem::Refused(refusal.to_string())),
    }
}

/// Permission bits in octal digits.
///
/// # Errors
/// [`Problem::Malformed`].
pub fn mode(text: &str) -> Result<Mode, Problem> {
    u32::from_str_radix(text, 8)
        .ok()
        .and_then(|bits| Mode::new(bits).ok())
        .ok_or_else(|| Problem::Malformed(format!("mode `{text}` is not up to four octal digits")))
}

/// A file's time in RFC 3339.
///
/// # Errors
/// [`Problem::Malformed`].
pub fn time(text: &str) -> Result<Timestamp, Problem> {
    moment::parse(text).ok_or_else(|| {
        Problem::Malformed(format!(
            "time `{text}` is not RFC 3339, like 2026-11-20T12:00:00Z"
        ))
    })
}

fn add_metadata(value: &mut Value, metadata: &Metadata) {
    match &metadata.kind {
        Kind::File { hash, size } => {
            value["kind"] = "file".into();
            value["hash"] = hash.to_string().into();
            value["size"] = (*size).into();
        }
        Kind::Directory => value["kind"] = "directory".into(),
        Kind::Symlink(target) => {
            value["kind"] = "symlink".into();
            value["target"] = target.as_str().into();
        }
    }
    value["mode"] = format!("{:04o}", metadata.mode.bits()).into();
    value["mtime"] = moment::format(metadata.modified).into();
}
