//! Uploads of one whole file without frames, for `curl` and scripts. The body
//! is spooled to disk while it is hashed: only then is known whether it is
//! small, new, or here already.

use super::Service;
use super::access::Caller;
use super::body::{Incoming, PIECE_BYTES};
use super::entry;
use super::input::{self, parse};
use super::lookup;
use super::tree_edit;
use crate::problem::Problem;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use base::{DeviceId, Hash, SpaceId, VersionId, limits};
use http::StatusCode;
use meta::{Metadata, Mode, Timestamp};
use serde::Deserialize;
use serde_json::json;
use state::{Base, Change, Reader};
use std::fs::File;
use std::io::{self, Seek, Write};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use store::blob::{Begun, Run};

/// Where a whole file goes.
#[derive(Deserialize)]
pub struct Place {
    path: Option<String>,
    /// `absent`, a version, or nothing: whatever stands there is replaced.
    base: Option<String>,
    /// Octal digits; 0644 unless said.
    mode: Option<String>,
    /// RFC 3339; now unless said.
    mtime: Option<String>,
    /// Whether missing directories above are made.
    parents: Option<String>,
}

/// What the client believes to stand there.
enum Belief {
    Anything,
    Absent,
    Version(VersionId),
}

/// Takes one whole file.
pub async fn put(
    service: &Arc<Service>,
    device: DeviceId,
    space: SpaceId,
    place: Place,
    request: Request,
) -> Result<Response, Problem> {
    let mut incoming = Incoming::new(request.into_body(), limits::FILE_BYTES);
    let path = place.path.as_deref().unwrap_or_default();
    let names = input::path(path)?;
    input::check_not_reserved(&names)?;
    let parents = input::flag("parents", place.parents.as_deref())?;
    let belief = match place.base.as_deref() {
        None => Belief::Anything,
        Some("absent") => Belief::Absent,
        Some(version) => Belief::Version(parse("base", version)?),
    };
    let mode = place.mode.as_deref().map_or(Ok(Mode::FILE), entry::mode)?;
    let now = Timestamp::new((service.node.now() / 1000) as i64, 0).unwrap_or_default();
    let modified = place.mtime.as_deref().map_or(Ok(now), entry::time)?;

    let spool = spool(service, &mut incoming).await?;
    let (hash, size) = store(service, device, spool).await?;
    let metadata = Metadata::file(hash, size, mode, modified)
        .map_err(|error| Problem::Malformed(error.to_string()))?;
    let joined = entry::path(&names);
    let changes = service
        .node
        .read(move |reader| {
            let current = lookup::at(reader, space, &names)?;
            let base = match (&belief, &current) {
                (Belief::Version(id), _) => Some(*id),
                (Belief::Anything, Some(current)) => Some(current.id),
                (Belief::Anything | Belief::Absent, _) => None,
            };
            match base {
                Some(base) => Ok(vec![Change::Put {
                    base: Base::Version(base),
                    metadata,
                    conflict_of: None,
                }]),
                None => create(reader, space, &names, metadata, parents),
            }
        })
        .await?;
    let id = tree_edit::commit_last(service, Caller(device), space, changes).await?;
    let answer = json!({
        "outcome": "committed",
        "version": id.to_string(),
        "path": joined,
        "hash": hash.to_string(),
        "size": size,
    });
    Ok((StatusCode::CREATED, axum::Json(answer)).into_response())
}

fn create(
    reader: &Reader,
    space: SpaceId,
    names: &[base::Name],
    metadata: Metadata,
    parents: bool,
) -> Result<Vec<Change>, Problem> {
    let changes = tree_edit::changes_creating(reader, space, names, metadata)?;
    if changes.len() > 1 && !parents {
        return Err(Problem::Refused(
            "the directory above does not exist: make it, or add parents=1".to_owned(),
        ));
    }
    Ok(changes)
}

/// Writes the body to a nameless file of the data directory.
async fn spool(service: &Arc<Service>, incoming: &mut Incoming) -> Result<File, Problem> {
    let directory = service.node.data().to_owned();
    let mut file = service
        .node
        .store(move || tempfile::tempfile_in(directory).map_err(|error| spool_failed(&error)))
        .await?;
    let mut piece = Vec::with_capacity(PIECE_BYTES);
    loop {
        let bytes = incoming.next().await?;
        let ended = bytes.is_none();
        piece.extend_from_slice(&bytes.unwrap_or_default());
        if piece.len() >= PIECE_BYTES || ended {
            let written = std::mem::replace(&mut piece, Vec::with_capacity(PIECE_BYTES));
            let node = Arc::clone(&service.node);
            file = service
                .node
                .store(move || {
                    // The log needs what is left more than a file that may never
                    // be whole.
                    node.blobs().check_space(written.len() as u64)?;
                    file.write_all(&written)
                        .map_err(|error| spool_failed(&error))?;
                    Ok(file)
                })
                .await?;
        }
        if ended {
            return Ok(file);
        }
    }
}

fn spool_failed(error: &io::Error) -> Problem {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            Problem::DiskFull("no space left to take the file".to_owned())
        }
        _ => Problem::Internal(format!("cannot keep the file while it arrives: {error}")),
    }
}

/// Hands the spooled file to the blob store; durable on return.
async fn store(
    service: &Arc<Service>,
    device: DeviceId,
    spool: File,
) -> Result<(Hash, u64), Problem> {
    let service = Arc::clone(service);
    let node = Arc::clone(&service.node);
    node.store(move || store_now(&service, device, spool)).await
}

fn store_now(service: &Service, device: DeviceId, mut spool: File) -> Result<(Hash, u64), Problem> {
    let (node, now) = (&service.node, service.node.now());
    spool.rewind().map_err(|error| spool_failed(&error))?;
    let cut = sync::chunk::cut(&mut spool).map_err(|error| spool_failed(&error))?;
    let (hash, size) = (cut.hash, cut.size());
    let read = |offset: u64, length: u64| {
        let mut bytes = vec![0; length as usize];
        spool
            .read_exact_at(&mut bytes, offset)
            .map_err(|error| spool_failed(&error))?;
        Ok::<_, Problem>(bytes)
    };
    if size <= limits::SMALL_FILE_BYTES {
        let bytes = read(0, size)?;
        node.change_blobs(|blobs| blobs.put_small(device, now, &[(hash, &bytes)]))?;
        return Ok((hash, size));
    }
    let runs = [Run::Insert(cut.map.chunks().to_vec())];
    let begun = node.change_blobs(|blobs| blobs.begin(device, now, hash, size, None, &runs))?;
    if let Begun::Need(ranges) = begun {
        for (number, chunk) in cut.map.chunks().iter().enumerate() {
            let start = cut.map.start(number);
            if ranges.iter().any(|range| range.contains(&start)) {
                let bytes = read(start, u64::from(chunk.len))?;
                node.change_blobs(|blobs| blobs.write(device, hash, start, &bytes))?;
            }
        }
        node.change_blobs(|blobs| blobs.finish(device, now, &[hash]))?;
    }
    Ok((hash, size))
}
