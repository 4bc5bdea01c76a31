//! Records as fields: which tags there are, and what each means.
//!
//! A tag is never reused. New fields get new tags behind [`LAST`], in the record itself
//! and not in a message within it, so that an older Atoll finds them at its end and keeps
//! them ([`Record::unrecognized`]).

use super::error::DecodeError;
use super::wire::{Fields, Value, put_bytes, put_fixed32, put_number, unzigzag, zigzag};
use crate::attributes::{AttributeName, Attributes};
use crate::content_hash::ContentHash;
use crate::manifest::{Entry, EntryPath, Header};
use crate::metadata::{Kind, Metadata, Mode, Target, Timestamp};
use crate::record::{
    FileMetadata, NodeName, Record, RecordKind, Replica, Replicas, Status, SyncState,
};
use base::{Hash, Name, Slug};
use std::num::NonZeroU64;

const KIND: u64 = 1;
const MODE: u64 = 2;
const SECONDS: u64 = 3;
const NANOSECONDS: u64 = 4;
const BLAKE3: u64 = 5;
const SIZE: u64 = 6;
const TARGET: u64 = 7;
const VERSION: u64 = 8;
const NAME: u64 = 9;
const SHA256: u64 = 10;
const SYNC_STATE: u64 = 11;
const ATTRIBUTE: u64 = 12;
/// Bytes that an entry's path shares with the one before it in the block.
const SHARED: u64 = 13;
/// The rest of the path.
const REST: u64 = 14;
/// The last tag that is known.
const LAST: u64 = REST;

const FILE: u64 = 1;
const DIRECTORY: u64 = 2;
const SYMLINK: u64 = 3;

/// Tags of a sync state.
const STATUS: u64 = 1;
const MODIFIED_SECONDS: u64 = 2;
const MODIFIED_NANOSECONDS: u64 = 3;
const REPLICA: u64 = 4;

/// Tags of a replica, and of an attribute.
const FIRST: u64 = 1;
const SECOND: u64 = 2;

/// Tags of a manifest's header.
const SPACE: u64 = 1;
const CREATED_SECONDS: u64 = 2;
const CREATED_NANOSECONDS: u64 = 3;

/// Most bytes of unrecognized fields that are kept of one record or header.
const UNRECOGNIZED_BYTES: usize = 64 << 10;

/// The fields of a version as the engine has it, all of them known. Zeros are left out.
pub fn encode_metadata(metadata: &Metadata, out: &mut Vec<u8>) {
    let (kind, size) = match &metadata.kind {
        Kind::File { size, .. } => (FILE, *size),
        Kind::Directory => (DIRECTORY, 0),
        Kind::Symlink(_) => (SYMLINK, 0),
    };
    let put_unless_0 = |out: &mut Vec<u8>, tag, number| {
        if number != 0 {
            put_number(out, tag, number);
        }
    };
    put_number(out, KIND, kind);
    put_unless_0(out, MODE, u64::from(metadata.mode.bits()));
    put_unless_0(out, SECONDS, zigzag(metadata.modified.seconds()));
    put_nanoseconds(out, NANOSECONDS, metadata.modified);
    match &metadata.kind {
        Kind::File { hash, .. } => put_bytes(out, BLAKE3, hash.as_bytes()),
        Kind::Directory => {}
        Kind::Symlink(target) => put_bytes(out, TARGET, target.as_str().as_bytes()),
    }
    put_unless_0(out, SIZE, size);
}

/// Reads what [`encode_metadata`] wrote, of which nothing may be unknown.
///
/// # Errors
/// [`DecodeError`]: also for every field that is not known or does not belong to the kind.
pub fn decode_metadata(bytes: &[u8]) -> Result<Metadata, DecodeError> {
    let read = Read::of(bytes)?;
    if let Some(tag) = Fields::new(read.unrecognized, "metadata").next()? {
        return Err(DecodeError::UnknownField(tag.0));
    }
    let not_here = [
        (read.version.is_some(), VERSION),
        (read.name.is_some(), NAME),
        (read.sha256.is_some(), SHA256),
        (read.sync_state.is_some(), SYNC_STATE),
        (!read.attributes.is_empty(), ATTRIBUTE),
        (read.shared.is_some(), SHARED),
        (read.rest.is_some(), REST),
    ];
    if let Some((_, tag)) = not_here.into_iter().find(|(is_there, _)| *is_there) {
        return Err(DecodeError::UnknownField(tag));
    }
    let mode = Mode::new(read.mode.unwrap_or(0))?;
    let modified = Timestamp::new(read.seconds.unwrap_or(0), read.nanoseconds.unwrap_or(0))?;
    match read.kind {
        FILE => {
            read.refuse("a file", &[(read.target.is_some(), "target")])?;
            let hash = required("hash", read.blake3)?;
            let hash = required("hash", Hash::from_slice(hash))?;
            Ok(Metadata::file(
                hash,
                read.size.unwrap_or(0),
                mode,
                modified,
            )?)
        }
        DIRECTORY => {
            read.refuse_content("a directory")?;
            read.refuse("a directory", &[(read.target.is_some(), "target")])?;
            Ok(Metadata::directory(mode, modified))
        }
        SYMLINK => {
            read.refuse_content("a symlink")?;
            // A link's mode is fixed, whatever a client says.
            Ok(Metadata::symlink(read.target()?, modified))
        }
        number => Err(DecodeError::Unknown {
            what: "item kind",
            number,
        }),
    }
}

/// The fields of a file's document.
pub(super) fn encode_file(file: &FileMetadata, out: &mut Vec<u8>) {
    encode_record(&file.record, out, |out| {
        put_bytes(out, NAME, file.name.as_str().as_bytes());
    });
    end_record(&file.record, out);
}

pub(super) fn decode_file(bytes: &[u8]) -> Result<FileMetadata, DecodeError> {
    let read = Read::of(bytes)?;
    read.refuse("a document", &[(read.rest.is_some(), "path")])?;
    let name = required("name", read.name)?;
    let name = Name::new(utf8("a name", name)?)?;
    let record = read.record()?;
    Ok(FileMetadata { name, record })
}

/// The fields of an entry behind one of the path `last`.
pub(super) fn encode_entry(entry: &Entry, last: &str, out: &mut Vec<u8>) {
    let path = entry.path.as_str();
    let shared = shared(last, path);
    encode_record(&entry.record, out, |_| {});
    if shared > 0 {
        put_number(out, SHARED, shared as u64);
    }
    put_bytes(out, REST, &path.as_bytes()[shared..]);
    end_record(&entry.record, out);
}

pub(super) fn decode_entry(bytes: &[u8], last: &str) -> Result<Entry, DecodeError> {
    let read = Read::of(bytes)?;
    read.refuse("an entry", &[(read.name.is_some(), "name")])?;
    let shared = read.shared.unwrap_or(0);
    let shared = usize::try_from(shared)
        .ok()
        .and_then(|length| last.get(..length));
    let Some(shared) = shared else {
        return Err(DecodeError::Truncated("a path"));
    };
    let rest = utf8("a path", required("path", read.rest)?)?;
    let path = EntryPath::of_parts(shared, rest)?;
    let record = read.record()?;
    Ok(Entry { path, record })
}

/// How many bytes two paths have in common at their beginning, up to whole characters.
fn shared(one: &str, other: &str) -> usize {
    let bytes = one.bytes().zip(other.bytes());
    let common = bytes.take_while(|(one, other)| one == other).count();
    other.floor_char_boundary(common)
}

/// The fields of a manifest's header.
pub(super) fn encode_header(header: &Header, out: &mut Vec<u8>) {
    if let Some(space) = &header.space {
        put_bytes(out, SPACE, space.as_str().as_bytes());
    }
    if let Some(created) = header.created {
        put_number(out, CREATED_SECONDS, zigzag(created.seconds()));
        put_nanoseconds(out, CREATED_NANOSECONDS, created);
    }
    out.extend_from_slice(&header.unrecognized);
}

pub(super) fn decode_header(bytes: &[u8]) -> Result<Header, DecodeError> {
    let mut header = Header::default();
    let mut time = (None, None);
    let mut fields = Fields::new(bytes, "a header");
    let mut last = 0;
    loop {
        let rest = fields.rest();
        let Some((tag, value)) = fields.next()? else {
            break;
        };
        if tag <= last {
            return Err(DecodeError::Order(tag));
        }
        last = tag;
        match tag {
            SPACE => header.space = Some(Slug::new(utf8("a space", bytes_of(tag, value)?)?)?),
            CREATED_SECONDS => time.0 = Some(unzigzag(number_of(tag, value)?)),
            CREATED_NANOSECONDS => time.1 = Some(fixed32_of(tag, value)?),
            _ => {
                check_unrecognized_of_header(rest)?;
                header.unrecognized = rest.into();
                break;
            }
        }
    }
    header.created = timestamp(time.0, time.1)?;
    Ok(header)
}

/// Whether bytes are fields of a newer Atoll, as a record keeps them.
///
/// # Errors
/// [`DecodeError`]: what is no field, or one that is known.
pub fn check_unrecognized(bytes: &[u8]) -> Result<(), DecodeError> {
    check_unrecognized_behind(bytes, LAST)
}

/// The same for the header of a manifest.
///
/// # Errors
/// As [`check_unrecognized`].
pub fn check_unrecognized_of_header(bytes: &[u8]) -> Result<(), DecodeError> {
    check_unrecognized_behind(bytes, CREATED_NANOSECONDS)
}

fn check_unrecognized_behind(bytes: &[u8], mut last: u64) -> Result<(), DecodeError> {
    if bytes.len() > UNRECOGNIZED_BYTES {
        return Err(DecodeError::TooLong {
            what: "unrecognized fields",
            found: bytes.len() as u64,
            limit: UNRECOGNIZED_BYTES as u64,
        });
    }
    let mut fields = Fields::new(bytes, "an unrecognized field");
    let mut is_first = true;
    while let Some((tag, _)) = fields.next()? {
        // One that may be there several times is.
        if tag < last || (tag == last && is_first) {
            return Err(DecodeError::Order(tag));
        }
        (last, is_first) = (tag, false);
    }
    Ok(())
}

/// All that a record has, in the order of the tags; `name` comes in the middle.
fn encode_record(record: &Record, out: &mut Vec<u8>, name: impl FnOnce(&mut Vec<u8>)) {
    let mut blake3 = None;
    let mut sha256 = None;
    let (kind, size, target) = match &record.kind {
        RecordKind::File { size, hash, .. } => {
            match hash {
                Some(ContentHash::Blake3(hash)) => blake3 = Some(hash.as_bytes()),
                Some(ContentHash::Sha256(hash)) => sha256 = Some(hash),
                None => {}
            }
            (FILE, *size, None)
        }
        RecordKind::Directory { .. } => (DIRECTORY, None, None),
        RecordKind::Symlink(target) => (SYMLINK, None, Some(target)),
    };
    put_number(out, KIND, kind);
    if let Some(mode) = record.mode() {
        put_number(out, MODE, u64::from(mode.bits()));
    }
    if let Some(mtime) = record.mtime {
        put_number(out, SECONDS, zigzag(mtime.seconds()));
        put_nanoseconds(out, NANOSECONDS, mtime);
    }
    if let Some(hash) = blake3 {
        put_bytes(out, BLAKE3, hash);
    }
    if let Some(size) = size {
        put_number(out, SIZE, size);
    }
    if let Some(target) = target {
        put_bytes(out, TARGET, target.as_str().as_bytes());
    }
    put_number(out, VERSION, record.version);
    name(out);
    if let Some(hash) = sha256 {
        put_bytes(out, SHA256, hash);
    }
    if let Some(state) = &record.sync_state {
        put_bytes(out, SYNC_STATE, &encode_sync_state(state));
    }
    for (name, value) in record.attributes.iter() {
        let mut attribute = Vec::with_capacity(name.len() + value.len() + 8);
        put_bytes(&mut attribute, FIRST, name.as_bytes());
        put_bytes(&mut attribute, SECOND, value);
        put_bytes(out, ATTRIBUTE, &attribute);
    }
}

fn end_record(record: &Record, out: &mut Vec<u8>) {
    out.extend_from_slice(&record.unrecognized);
}

fn put_nanoseconds(out: &mut Vec<u8>, tag: u64, time: Timestamp) {
    if time.nanoseconds() != 0 {
        put_fixed32(out, tag, time.nanoseconds());
    }
}

fn encode_sync_state(state: &SyncState) -> Vec<u8> {
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

fn decode_sync_state(bytes: &[u8]) -> Result<SyncState, DecodeError> {
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

fn add_attribute(attributes: &mut Attributes, bytes: &[u8]) -> Result<(), DecodeError> {
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

/// Fields as they were read, none of which has been given a meaning.
#[derive(Default)]
struct Read<'a> {
    kind: u64,
    mode: Option<u32>,
    seconds: Option<i64>,
    nanoseconds: Option<u32>,
    blake3: Option<&'a [u8]>,
    size: Option<u64>,
    target: Option<&'a [u8]>,
    version: Option<u64>,
    name: Option<&'a [u8]>,
    sha256: Option<&'a [u8]>,
    sync_state: Option<&'a [u8]>,
    attributes: Attributes,
    shared: Option<u64>,
    rest: Option<&'a [u8]>,
    unrecognized: &'a [u8],
}

impl<'a> Read<'a> {
    fn of(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut read = Self::default();
        let mut fields = Fields::new(bytes, "a record");
        let mut last = 0;
        loop {
            let rest = fields.rest();
            let Some((tag, value)) = fields.next()? else {
                return Ok(read);
            };
            if tag < last || (tag == last && tag != ATTRIBUTE) {
                return Err(DecodeError::Order(tag));
            }
            last = tag;
            match tag {
                KIND => read.kind = number_of(tag, value)?,
                MODE => {
                    let bits = number_of(tag, value)?;
                    read.mode = Some(u32::try_from(bits).unwrap_or(u32::MAX));
                }
                SECONDS => read.seconds = Some(unzigzag(number_of(tag, value)?)),
                NANOSECONDS => read.nanoseconds = Some(fixed32_of(tag, value)?),
                BLAKE3 => read.blake3 = Some(bytes_of(tag, value)?),
                SIZE => read.size = Some(number_of(tag, value)?),
                TARGET => read.target = Some(bytes_of(tag, value)?),
                VERSION => read.version = Some(number_of(tag, value)?),
                NAME => read.name = Some(bytes_of(tag, value)?),
                SHA256 => read.sha256 = Some(bytes_of(tag, value)?),
                SYNC_STATE => read.sync_state = Some(bytes_of(tag, value)?),
                ATTRIBUTE => add_attribute(&mut read.attributes, bytes_of(tag, value)?)?,
                SHARED => read.shared = Some(number_of(tag, value)?),
                REST => read.rest = Some(bytes_of(tag, value)?),
                _ => {
                    check_unrecognized(rest)?;
                    read.unrecognized = rest;
                    return Ok(read);
                }
            }
        }
    }

    fn refuse(
        &self,
        what: &'static str,
        fields: &[(bool, &'static str)],
    ) -> Result<(), DecodeError> {
        match fields.iter().find(|(is_there, _)| *is_there) {
            None => Ok(()),
            Some((_, field)) => Err(DecodeError::Contradiction { what, field }),
        }
    }

    fn refuse_content(&self, what: &'static str) -> Result<(), DecodeError> {
        let hash = self.blake3.is_some() || self.sha256.is_some();
        self.refuse(what, &[(self.size.is_some(), "size"), (hash, "hash")])
    }

    fn target(&self) -> Result<Target, DecodeError> {
        let target = required("target", self.target)?;
        Ok(Target::new(utf8("a target", target)?)?)
    }

    fn record(self) -> Result<Record, DecodeError> {
        let version = required("version", self.version)?;
        let mut record = Record::new(version, self.record_kind()?);
        record.mtime = timestamp(self.seconds, self.nanoseconds)?;
        record.sync_state = self.sync_state.map(decode_sync_state).transpose()?;
        record.attributes = self.attributes;
        record.unrecognized = self.unrecognized.into();
        Ok(record)
    }

    fn record_kind(&self) -> Result<RecordKind, DecodeError> {
        let mode = self.mode.map(Mode::new).transpose()?;
        match self.kind {
            FILE => {
                self.refuse("a file", &[(self.target.is_some(), "target")])?;
                Ok(RecordKind::File {
                    size: self.size,
                    hash: self.hash()?,
                    mode,
                })
            }
            DIRECTORY => {
                self.refuse_content("a directory")?;
                self.refuse("a directory", &[(self.target.is_some(), "target")])?;
                Ok(RecordKind::Directory { mode })
            }
            SYMLINK => {
                self.refuse_content("a symlink")?;
                self.refuse("a symlink", &[(mode.is_some(), "mode")])?;
                Ok(RecordKind::Symlink(self.target()?))
            }
            number => Err(DecodeError::Unknown {
                what: "file kind",
                number,
            }),
        }
    }

    fn hash(&self) -> Result<Option<ContentHash>, DecodeError> {
        let bytes = |bytes: &[u8]| <[u8; 32]>::try_from(bytes).ok();
        let wrong = || DecodeError::Missing("a hash of 32 bytes");
        match (self.blake3, self.sha256) {
            (None, None) => Ok(None),
            (Some(hash), None) => {
                let hash = Hash::from_bytes(bytes(hash).ok_or_else(wrong)?);
                Ok(Some(ContentHash::Blake3(hash)))
            }
            (None, Some(hash)) => Ok(Some(ContentHash::Sha256(bytes(hash).ok_or_else(wrong)?))),
            (Some(_), Some(_)) => Err(DecodeError::Order(SHA256)),
        }
    }
}

/// What must be there. The error is made only where it is not: to make and drop one for
/// each field would cost more than the field.
fn required<T>(what: &'static str, value: Option<T>) -> Result<T, DecodeError> {
    match value {
        Some(value) => Ok(value),
        None => Err(DecodeError::Missing(what)),
    }
}

/// A time whose nanoseconds are left out when they are 0.
fn timestamp(
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

fn number_of(tag: u64, value: Value<'_>) -> Result<u64, DecodeError> {
    match value {
        Value::Varint(number) => Ok(number),
        _ => Err(DecodeError::WireType(tag)),
    }
}

fn fixed32_of(tag: u64, value: Value<'_>) -> Result<u32, DecodeError> {
    match value {
        Value::Fixed32(number) => Ok(number),
        _ => Err(DecodeError::WireType(tag)),
    }
}

fn bytes_of(tag: u64, value: Value<'_>) -> Result<&[u8], DecodeError> {
    match value {
        Value::Bytes(bytes) => Ok(bytes),
        _ => Err(DecodeError::WireType(tag)),
    }
}

fn utf8<'a>(what: &'static str, bytes: &'a [u8]) -> Result<&'a str, DecodeError> {
    std::str::from_utf8(bytes).map_err(|_| DecodeError::Utf8(what))
}
