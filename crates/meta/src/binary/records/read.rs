//! From fields to records.

use super::parts::{
    add_attribute, bytes_of, decode_sync_state, fixed32_of, number_of, required, timestamp, utf8,
};
use super::{
    ATTRIBUTE, BLAKE3, CREATED_NANOSECONDS, CREATED_SECONDS, DIRECTORY, FILE, KIND, LAST, MODE,
    NAME, NANOSECONDS, REST, SECONDS, SHA256, SHARED, SIZE, SPACE, SYMLINK, SYNC_STATE, TARGET,
    VERSION,
};
use crate::attributes::Attributes;
use crate::binary::error::DecodeError;
use crate::binary::wire::{Fields, unzigzag};
use crate::content_hash::ContentHash;
use crate::manifest::{Entry, EntryPath, Header};
use crate::metadata::{Metadata, Mode, Target, Timestamp};
use crate::record::{FileMetadata, Record, RecordKind};
use base::{Hash, Name, Slug};

/// Most bytes of unrecognized fields that are kept of one record or header.
const UNRECOGNIZED_BYTES: usize = 64 << 10;

/// Reads what [`encode_metadata`](super::encode_metadata) wrote, of which nothing may be unknown.
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

pub(in crate::binary) fn decode_file(bytes: &[u8]) -> Result<FileMetadata, DecodeError> {
    let read = Read::of(bytes)?;
    read.refuse("a document", &[(read.rest.is_some(), "path")])?;
    let name = required("name", read.name)?;
    let name = Name::new(utf8("a name", name)?)?;
    let record = read.record()?;
    Ok(FileMetadata { name, record })
}

pub(in crate::binary) fn decode_entry(bytes: &[u8], last: &str) -> Result<Entry, DecodeError> {
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

pub(in crate::binary) fn decode_header(bytes: &[u8]) -> Result<Header, DecodeError> {
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
