//! From records to fields.

use super::parts::{encode_attribute, encode_sync_state, put_nanoseconds};
use super::{
    ATTRIBUTE, BLAKE3, CREATED_NANOSECONDS, CREATED_SECONDS, DIRECTORY, FILE, KIND, MODE, NAME,
    NANOSECONDS, REST, SECONDS, SHA256, SHARED, SIZE, SPACE, SYMLINK, SYNC_STATE, TARGET, VERSION,
};
use crate::binary::wire::{put_bytes, put_number, zigzag};
use crate::content_hash::ContentHash;
use crate::manifest::{Entry, Header};
use crate::metadata::{Kind, Metadata};
use crate::record::{FileMetadata, Record, RecordKind};

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

/// The fields of a file's document.
pub(in crate::binary) fn encode_file(file: &FileMetadata, out: &mut Vec<u8>) {
    encode_record(&file.record, out, |out| {
        put_bytes(out, NAME, file.name.as_str().as_bytes());
    });
    end_record(&file.record, out);
}

/// The fields of an entry behind one of the path `last`.
pub(in crate::binary) fn encode_entry(entry: &Entry, last: &str, out: &mut Vec<u8>) {
    let path = entry.path.as_str();
    let shared = shared(last, path);
    encode_record(&entry.record, out, |_| {});
    if shared > 0 {
        put_number(out, SHARED, shared as u64);
    }
    put_bytes(out, REST, &path.as_bytes()[shared..]);
    end_record(&entry.record, out);
}

/// How many bytes two paths have in common at their beginning, up to whole characters.
fn shared(one: &str, other: &str) -> usize {
    let bytes = one.bytes().zip(other.bytes());
    let common = bytes.take_while(|(one, other)| one == other).count();
    other.floor_char_boundary(common)
}

/// The fields of a manifest's header.
pub(in crate::binary) fn encode_header(header: &Header, out: &mut Vec<u8>) {
    if let Some(space) = &header.space {
        put_bytes(out, SPACE, space.as_str().as_bytes());
    }
    if let Some(created) = header.created {
        put_number(out, CREATED_SECONDS, zigzag(created.seconds()));
        put_nanoseconds(out, CREATED_NANOSECONDS, created);
    }
    out.extend_from_slice(&header.unrecognized);
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
        put_bytes(out, ATTRIBUTE, &encode_attribute(name, value));
    }
}

fn end_record(record: &Record, out: &mut Vec<u8>) {
    out.extend_from_slice(&record.unrecognized);
}
