//! An item's metadata as a document, in the text language or the binary form, and what
//! such a document asks of the item it describes. Who may ask is [`super::metadata`]'s.

use crate::problem::Problem;
use base::{Millis, Name};
use meta::binary::{Compression, DecodeError, Decoder, Step, encode_files};
use meta::form::{Described, described, file_metadata_document, text_of};
use meta::text::{Problems, Source, parse};
use meta::{
    ContentHash, FileMetadata, Kind, Metadata, NodeName, Record, RecordKind, Replica, Replicas,
    Status, SyncState, Timestamp,
};
use state::Version;
use std::num::NonZeroU64;

/// Longest document that is read, in bytes: a name, a target and 64 replicas take a
/// quarter of it.
pub const DOCUMENT_BYTES: usize = 64 << 10;

/// What a document of one version is made of.
pub struct Shown<'a> {
    /// The item's name; the slug of the space for its root, which has none.
    pub name: Name,
    /// The version.
    pub version: &'a Version,
    /// Its state.
    pub metadata: &'a Metadata,
    /// Who has it.
    pub node: Option<NodeName>,
}

/// The document of a version.
pub fn of(shown: Shown<'_>) -> FileMetadata {
    let counter = shown.version.id.counter;
    let mut replicas = Replicas::default();
    if let (Some(node), Some(version)) = (shown.node, NonZeroU64::new(counter)) {
        // The first of them is neither too many nor there twice.
        let _ = replicas.add(Replica { node, version });
    }
    let mut record = Record::of(counter, shown.metadata);
    record.sync_state = Some(SyncState {
        status: Status::Synced,
        last_modified: Some(moment(shown.version.time)),
        replicas,
    });
    FileMetadata {
        name: shown.name,
        record,
    }
}

/// A document in the text language.
pub fn to_text(file: &FileMetadata) -> String {
    text_of(file_metadata_document(file))
}

/// A document in the binary form.
pub fn to_binary(file: &FileMetadata) -> Vec<u8> {
    encode_files([file], Compression::None)
}

/// Reads the one document of a text.
///
/// # Errors
/// [`Problem::Document`] with everything that is wrong, or [`Problem::Malformed`] when
/// it is not one document of a file.
pub fn from_text(bytes: &[u8]) -> Result<FileMetadata, Problem> {
    let source = Source::new(bytes).map_err(|problem| Problem::Document(vec![*problem]))?;
    let parsed = parse(source);
    if !parsed.problems.is_empty() {
        return Err(Problem::Document(parsed.problems));
    }
    let [document] = parsed.tree.documents.as_slice() else {
        let found = parsed.tree.documents.len();
        return Err(not_one(&format!("{found} documents")));
    };
    let mut problems = Problems::default();
    match described(document, &mut problems) {
        _ if !problems.is_empty() => Err(Problem::Document(problems.locate(source).0)),
        Some(Described::File(file)) => Ok(file),
        Some(Described::Folder(_)) => Err(not_one("a manifest")),
        None => Err(not_one("something else")),
    }
}

/// Reads the one document of a file in the binary form. Nothing is unpacked behind it: a
/// short body may hold very many.
///
/// # Errors
/// [`Problem::Malformed`].
pub fn from_binary(bytes: &[u8]) -> Result<FileMetadata, Problem> {
    let wrong = |error: DecodeError| Problem::Malformed(format!("the document is wrong: {error}"));
    let mut decoder = Decoder::new();
    decoder.feed(bytes);
    let file = match decoder.step().map_err(wrong)? {
        Step::File(file) => *file,
        Step::NeedMore => return Err(wrong(DecodeError::Truncated("the file"))),
        Step::End => return Err(not_one("0 documents")),
        Step::Header(_) | Step::Entry(_) => return Err(not_one("a manifest")),
    };
    match decoder.step().map_err(wrong)? {
        Step::End => decoder.finish().map_err(wrong)?,
        Step::NeedMore => return Err(wrong(DecodeError::Truncated("the file"))),
        _ => return Err(not_one("several documents")),
    }
    Ok(file)
}

/// What the item's metadata becomes by a document that describes it: permissions, time
/// and a link's target as they are given, everything else as it is.
///
/// # Errors
/// [`Problem::Refused`] for a document that says of the item what it is not and cannot
/// become this way, [`Problem::Malformed`] for what no item has.
pub fn applied(
    document: &FileMetadata,
    name: &Name,
    current: &Metadata,
) -> Result<Metadata, Problem> {
    let record = &document.record;
    if document.name != *name {
        return Err(Problem::Refused(format!(
            "the document is of `{}`, and the item is called `{name}`: rename it with a move in \
             a commit (POST /api/file/upload)",
            document.name
        )));
    }
    if !record.attributes.is_empty() {
        return Err(Problem::Malformed(
            "this node keeps no extended attributes: leave `attributes` out".to_owned(),
        ));
    }
    if !record.unrecognized.is_empty() {
        return Err(Problem::Malformed(
            "the document has fields of a newer atoll: update this node, or leave them out"
                .to_owned(),
        ));
    }
    let mut metadata = current.clone();
    metadata.modified = record.mtime.unwrap_or(current.modified);
    metadata.mode = record.mode().unwrap_or(current.mode);
    match (&record.kind, &mut metadata.kind) {
        (RecordKind::File { size, hash, .. }, Kind::File { .. }) => {
            check_content(*size, *hash, current)?;
        }
        (RecordKind::Directory { .. }, Kind::Directory) => {}
        (RecordKind::Symlink(wanted), Kind::Symlink(target)) => *target = wanted.clone(),
        (kind, _) => {
            return Err(Problem::Refused(format!(
                "the document is of a {}, and the item is a {}, which it stays: delete it and \
                 upload another",
                kind.as_str(),
                Record::of(document.record.version, current).kind.as_str(),
            )));
        }
    }
    Ok(metadata)
}

/// Content changes by an upload alone.
fn check_content(
    size: Option<u64>,
    hash: Option<ContentHash>,
    current: &Metadata,
) -> Result<(), Problem> {
    let Some((known, length)) = current.content() else {
        return Ok(());
    };
    if let Some(ContentHash::Sha256(_)) = hash {
        return Err(Problem::Malformed(
            "this node knows content by its BLAKE3 hash alone: leave the SHA-256 out".to_owned(),
        ));
    }
    let is_other = hash.is_some_and(|hash| hash != known.into());
    if is_other || size.is_some_and(|size| size != length) {
        return Err(Problem::Refused(format!(
            "the document is of other content than the item's {length} bytes with the hash \
             {known}: upload it (POST /api/file/upload)"
        )));
    }
    Ok(())
}

fn not_one(found: &str) -> Problem {
    Problem::Malformed(format!(
        "expected one document, the `file_metadata` of the item, and found {found}"
    ))
}

/// A moment of the log as a file's time.
fn moment(time: Millis) -> Timestamp {
    let nanoseconds = (time % 1000) as u32 * 1_000_000;
    Timestamp::new((time / 1000) as i64, nanoseconds).unwrap_or_default()
}
