//! What records are made of: sync states, attributes and times, and the values of single
//! fields.

use super::{FIRST, MODIFIED_NANOSECONDS, MODIFIED_SECONDS, REPLICA, SECOND, STATUS};
use crate::attributes::{AttributeName, Attributes};
use crate::binary::error::DecodeError;
use crate::binary::wire::{Fields, Value, put_bytes, put_fixed32, put_number, unzigzag, zigzag};
use crate::metadata::Timestamp;
use crate::record::{NodeName, Replica, Replicas, Status, SyncState};
use std::num::NonZeroU64;

pub(super) fn put_nanoseconds(out: &mut Vec<u8>, tag: u64, time: Timestamp) {
    if time.nanoseconds() != 0 {
        put_fixed32(out, tag, time.nanoseconds());
    }
}

pub(super) fn encode_sync_state(state: &SyncState) -> Vec<u8> {
    let mut out = Vec::new();
    put_number(&mut out, STATUS, status_number(state.status));
    if let Some(time) = state.last_modified {
        put_number(&mut out, MODIFIED_SECONDS, zigzag(time.seconds()));
        put_nanoseconds(&mut out, MODIFIED_NANOSECONDS, time);
    }
    for replica in state.replicas.iter() {
        let mut one = Vec::new();
        put_bytes(&mut one, FIRST, replica.node.as_str().as_bytes());
        put_number(&mut one, SECOND, replica.version.get());
        put_bytes(&mut out, REPLICA, &one);
    }
    out
}

const fn status_number(status: Status) -> u64 {
    match status {
        Status::Synced => 1,
        Status::Modified => 2,
        Status::Pending => 3,
        Status::Conflict => 4,
    }
}

pub(super) fn decode_sync_state(bytes: &[u8]) -> Result<SyncState, DecodeError> {
    let (mut status, mut time) = (None, (None, None));
    let mut replicas = Replicas::default();
    let mut fields = Fields::new(bytes, "a sync state");
    let mut last = 0;
    while let Some((tag, value)) = fields.next()? {
        if tag < last || (tag == last && tag != REPLICA) {
            return Err(DecodeError::Order(tag));
        }
        last = tag;
        match tag {
            STATUS => {
                let number = number_of(tag, value)?;
                let known = Status::ALL
                    .into_iter()
                    .find(|it| status_number(*it) == number);
                let what = "sync status";
                status = Some(known.ok_or(DecodeError::Unknown { what, number })?);
            }
            MODIFIED_SECONDS => time.0 = Some(unzigzag(number_of(tag, value)?)),
            MODIFIED_NANOSECONDS => time.1 = Some(fixed32_of(tag, value)?),
            REPLICA => replicas.add(decode_replica(bytes_of(tag, value)?)?)?,
            _ => return Err(DecodeError::UnknownField(tag)),
        }
    }
    Ok(SyncState {
        status: required("status", status)?,
        last_modified: timestamp(time.0, time.1)?,
        replicas,
    })
}

fn decode_replica(bytes: &[u8]) -> Result<Replica, DecodeError> {
    let (node, version) = pair(bytes, "a replica")?;
    let version = required("version", version)?;
    let version = NonZeroU64::new(number_of(SECOND, version)?);
    Ok(Replica {
        node: NodeName::new(utf8("a node", node)?)?,
        version: required("version", version)?,
    })
}

pub(super) fn encode_attribute(name: &str, value: &[u8]) -> Vec<u8> {
    let mut attribute = Vec::with_capacity(name.len() + value.len() + 8);
    put_bytes(&mut attribute, FIRST, name.as_bytes());
    put_bytes(&mut attribute, SECOND, value);
    attribute
}

pub(super) fn add_attribute(attributes: &mut Attributes, bytes: &[u8]) -> Result<(), DecodeError> {
    let (name, value) = pair(bytes, "an attribute")?;
    let value = required("value", value)?;
    let name = AttributeName::new(utf8("an attribute's name", name)?)?;
    Ok(attributes.add(name, bytes_of(SECOND, value)?)?)
}

/// A message of two fields, the first of which is a name.
fn pair<'a>(
    bytes: &'a [u8],
    what: &'static str,
) -> Result<(&'a [u8], Option<Value<'a>>), DecodeError> {
    let mut fields = Fields::new(bytes, what);
    let name = match fields.next()? {
        Some((FIRST, value)) => bytes_of(FIRST, value)?,
        _ => return Err(DecodeError::Missing("name")),
    };
    let second = match fields.next()? {
        None => None,
        Some((SECOND, value)) => Some(value),
        Some((tag, _)) => return Err(DecodeError::UnknownField(tag)),
    };
    match fields.next()? {
        None => Ok((name, second)),
        Some((tag, _)) => Err(DecodeError::Order(tag)),
    }
}

/// What must be there. The error is made only where it is not: to make and drop one for
/// each field would cost more than the field.
pub(super) fn required<T>(what: &'static str, value: Option<T>) -> Result<T, DecodeError> {
    match value {
        Some(value) => Ok(value),
        None => Err(DecodeError::Missing(what)),
    }
}

/// A time whose nanoseconds are left out when they are 0.
pub(super) fn timestamp(
    seconds: Option<i64>,
    nanoseconds: Option<u32>,
) -> Result<Option<Timestamp>, DecodeError> {
    match (seconds, nanoseconds) {
        (None, None) => Ok(None),
        (None, Some(_)) => Err(DecodeError::Missing("seconds")),
        (Some(seconds), nanoseconds) => {
            Ok(Some(Timestamp::new(seconds, nanoseconds.unwrap_or(0))?))
        }
    }
}

pub(super) fn number_of(tag: u64, value: Value<'_>) -> Result<u64, DecodeError> {
    match value {
        Value::Varint(number) => Ok(number),
        _ => Err(DecodeError::WireType(tag)),
    }
}

pub(super) fn fixed32_of(tag: u64, value: Value<'_>) -> Result<u32, DecodeError> {
    match value {
        Value::Fixed32(number) => Ok(number),
        _ => Err(DecodeError::WireType(tag)),
    }
}

pub(super) fn bytes_of(tag: u64, value: Value<'_>) -> Result<&[u8], DecodeError> {
    match value {
        Value::Bytes(bytes) => Ok(bytes),
        _ => Err(DecodeError::WireType(tag)),
    }
}

pub(super) fn utf8<'a>(what: &'static str, bytes: &'a [u8]) -> Result<&'a str, DecodeError> {
    std::str::from_utf8(bytes).map_err(|_| DecodeError::Utf8(what))
}
