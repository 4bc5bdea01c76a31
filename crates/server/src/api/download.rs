//! Downloads: a file's bytes as they are, many small files as frames, or what
//! turns a version the client has into the one it wants.
//!
//! Bodies are read by workers in bounded pieces, each only when the reader has
//! taken the one before, so a slow reader holds under 1 MiB and no worker.

use super::Service;
use super::access::Caller;
use super::body::{self, Gone, Outgoing, PIECE_BYTES};
use super::delta::{self, Step};
use super::input::{Query, parse};
use super::lazy;
use super::lookup;
use super::maps::{self, Share};
use super::range::{self, Asked};
use crate::problem::Problem;
use crate::sessions::Traffic;
use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use base::{DeviceId, Hash, SpaceId, VersionId, limits};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use httpd::files::{FileRange, Span, Tally};
use serde::Deserialize;
use state::{Reader, Role, Version};
use std::fmt::{self, Display};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use store::blob::{BlobReader, ChunkRef};
use sync::wire::{CHUNKS_PER_FRAME, Frame, MEDIA_TYPE};
use tokio::sync::OwnedSemaphorePermit;

/// Versions that one request may ask for as frames: some 64 MiB at most.
pub const ITEMS: usize = 512;

#[derive(Deserialize)]
pub struct Which {
    /// Slug or id.
    space: String,
    path: Option<String>,
    hash: Option<String>,
    version: Option<String>,
    /// Versions with commas between: answered as frames.
    items: Option<String>,
    /// A version that the client has: answered as a delta.
    base: Option<String>,
    /// Present: the block map instead of the bytes.
    map: Option<String>,
}

/// A file of a space.
struct Found {
    space: SpaceId,
    hash: Hash,
    name: Option<String>,
}

/// `GET /api/file/download`
pub async fn download(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Query(which): Query<Which>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let named = [&which.path, &which.hash, &which.version, &which.items];
    if named.iter().filter(|name| name.is_some()).count() != 1 {
        return Err(Problem::Malformed(
            "say which file by one of `path=`, `hash=`, `version=` and `items=`".to_owned(),
        ));
    }
    if which.items.is_some() {
        return many(service, caller, which).await;
    }
    let (base, map) = (which.base.clone(), which.map.is_some());
    let (found, base) = service
        .node
        .read(move |reader| {
            let found = find(reader, caller, &which)?;
            let base = base
                .map(|base| base_hash(reader, found.space, &base))
                .transpose()?;
            Ok((found, base))
        })
        .await?;
    match base {
        Some(base) => send_delta(service, caller.0, found, base).await,
        None if map => send_map(service, found.hash).await,
        None => send_bytes(service, caller.0, found, &method, &headers).await,
    }
}

fn find(reader: &Reader, caller: Caller, which: &Which) -> Result<Found, Problem> {
    let space = caller.space(reader, &which.space, Role::Reader)?.id;
    let version = match which {
        Which {
            hash: Some(hash), ..
        } => {
            let hash: Hash = parse("hash", hash)?;
            return if reader.hash_in_space(space, &hash)? {
                Ok(Found {
                    space,
                    hash,
                    name: None,
                })
            } else {
                Err(Problem::NotFound(format!(
                    "the space holds no content {hash}"
                )))
            };
        }
        Which {
            version: Some(version),
            ..
        } => lookup::version(reader, space, version)?,
        Which {
            path: Some(path), ..
        } => lookup::live(reader, space, path)?,
        _ => {
            return Err(Problem::Malformed(
                "say which file by one of `path=`, `hash=` and `version=`".to_owned(),
            ));
        }
    };
    let hash = content_hash(&version)?;
    Ok(Found {
        space,
        hash,
        name: Some(version.name.as_str().to_owned()),
    })
}

fn base_hash(reader: &Reader, space: SpaceId, base: &str) -> Result<Hash, Problem> {
    content_hash(&lookup::version(reader, space, base)?)
}

fn content_hash(version: &Version) -> Result<Hash, Problem> {
    version
        .state
        .as_ref()
        .and_then(meta::Metadata::content)
        .map(|(hash, _)| hash)
        .ok_or_else(|| Problem::NotFound(format!("version {} is not a file", version.id)))
}

async fn open(service: &Arc<Service>, hash: Hash) -> Result<Arc<BlobReader>, Problem> {
    let node = Arc::clone(&service.node);
    service
        .node
        .fetch(move || open_now(node.blobs(), &hash))
        .await
}

fn open_now(blobs: &store::blob::BlobStore, hash: &Hash) -> Result<Arc<BlobReader>, Problem> {
    // The database names it, so it must be there: its absence is damage.
    let missing = || Problem::Internal(format!("content {hash} is missing on this node: scrub it"));
    blobs.open_blob(hash)?.map(Arc::new).ok_or_else(missing)
}

async fn send_bytes(
    service: Arc<Service>,
    device: DeviceId,
    found: Found,
    method: &Method,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let etag = format!("\"{}\"", found.hash.to_hex());
    if range::matches_etag(headers, &etag) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, etag)]).into_response());
    }
    let reader = open(&service, found.hash).await?;
    let asked = match *method {
        // RFC 9110 section 14.2 defines `Range` for GET alone.
        Method::HEAD => Asked::All,
        _ => range::asked(headers, &etag, reader.len())?,
    };
    let (status, start, end) = match asked {
        Asked::All => (StatusCode::OK, 0, reader.len()),
        Asked::Part(start, end) => (StatusCode::PARTIAL_CONTENT, start, end),
    };
    let total = reader.len();
    let span = Span {
        offset: start,
        length: end - start,
    };
    let mut response = match *method {
        // Its length is told below; nothing is sent, and nothing counted.
        Method::HEAD => status.into_response(),
        _ => (
            status,
            range_body(&service, device, found.space, reader, span)?,
        )
            .into_response(),
    };
    let fields = response.headers_mut();
    let mut set = |name, value: String| {
        if let Ok(value) = HeaderValue::try_from(value) {
            fields.insert(name, value);
        }
    };
    set(header::CONTENT_TYPE, "application/octet-stream".to_owned());
    set(header::CONTENT_LENGTH, (end - start).to_string());
    set(header::ACCEPT_RANGES, "bytes".to_owned());
    set(header::ETAG, etag);
    // Never shown inside the node's own pages: a file may be a hostile page.
    set(
        header::CONTENT_DISPOSITION,
        disposition(found.name.as_deref()),
    );
    if status == StatusCode::PARTIAL_CONTENT {
        set(
            header::CONTENT_RANGE,
            format!("bytes {start}-{}/{total}", end - 1),
        );
    }
    Ok(response)
}

/// A run of a content, to be given to the socket from the file that holds it, or to
/// be read piece by piece where that cannot be.
fn range_body(
    service: &Arc<Service>,
    device: DeviceId,
    space: SpaceId,
    reader: Arc<BlobReader>,
    span: Span,
) -> Result<(Option<Extension<FileRange>>, Body), Problem> {
    // An empty run has no place in a file.
    let file = reader.file_range().filter(|_| span.length > 0);
    let sending = Arc::new(Sending {
        _slot: service.stream_slot()?,
        service: Arc::clone(service),
        device,
        space,
        length: span.length,
        sent: AtomicU64::new(0),
    });
    let range = file.map(|(file, start, _)| {
        let offset = start + span.offset;
        let tally: Arc<dyn Tally> = Arc::clone(&sending) as _;
        Extension(FileRange {
            file,
            span: Span { offset, ..span },
            tally: Some(tally),
        })
    });
    let body = lazy::body(span.length, move || {
        let (outgoing, body) = body::stream(Some(span.length));
        tokio::spawn(async move {
            // A client that has gone needs no more.
            let _ = send_range(&sending, &outgoing, &reader, span.offset, span.end()).await;
        });
        body
    });
    Ok((range, body))
}

/// A content that is being sent: it has its slot until that has ended, and what went
/// by then is counted, as a file only if that was all.
struct Sending {
    service: Arc<Service>,
    device: DeviceId,
    space: SpaceId,
    length: u64,
    sent: AtomicU64,
    _slot: OwnedSemaphorePermit,
}

impl Tally for Sending {
    fn add(&self, bytes: u64) {
        self.sent.fetch_add(bytes, Ordering::Relaxed);
    }
}

impl fmt::Debug for Sending {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "Sending({} of {})",
            self.sent.load(Ordering::Relaxed),
            self.length
        )
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        let sent = *self.sent.get_mut();
        let files = u64::from(sent == self.length);
        note(&self.service, self.device, self.space, files, sent);
    }
}

/// RFC 6266 with the name in RFC 8187's form, which is plain ASCII.
fn disposition(name: Option<&str>) -> String {
    use std::fmt::Write;
    let Some(name) = name else {
        return "attachment".to_owned();
    };
    let mut value = "attachment; filename*=UTF-8''".to_owned();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_') {
            value.push(char::from(byte));
        } else {
            // Writing into a text cannot fail.
            let _ = write!(value, "%{byte:02X}");
        }
    }
    value
}

async fn send_map(service: Arc<Service>, hash: Hash) -> Result<Response, Problem> {
    let mut share = Share::default();
    let map = maps::load(&service, hash, &mut share).await?;
    let (outgoing, body) = body::stream(None);
    service.stream(async move {
        let _share = share;
        for chunks in map.chunks().chunks(CHUNKS_PER_FRAME) {
            send_frames(&outgoing, &[Frame::Map(chunks.to_vec())]).await?;
        }
        send_frames(&outgoing, &[Frame::End]).await
    })?;
    Ok(frames(body))
}

async fn send_delta(
    service: Arc<Service>,
    device: DeviceId,
    found: Found,
    base: Hash,
) -> Result<Response, Problem> {
    let mut share = Share::default();
    let base = maps::load(&service, base, &mut share).await?;
    let target = maps::load(&service, found.hash, &mut share).await?;
    let reader = open(&service, found.hash).await?;
    let compare = move || Ok(delta::between(&base, &target));
    let steps = service.node.fetch(compare).await?;
    let (outgoing, body) = body::stream(None);
    let sender = Arc::clone(&service);
    service.stream(async move {
        let (service, _share) = (&sender, share);
        let mut sent = 0;
        for step in steps {
            let frame = match step {
                Step::Copy { offset, length } => Frame::Copy { offset, length },
                Step::Insert { offset, chunk } => {
                    let length = u64::from(chunk.len);
                    sent += length;
                    let bytes = read_piece(service, &reader, offset, length).await?;
                    check_chunk(service, found.hash, chunk, &bytes)?;
                    Frame::Insert(bytes.into())
                }
            };
            send_frames(&outgoing, &[frame]).await?;
        }
        note(service, device, found.space, 1, sent);
        send_frames(&outgoing, &[Frame::End]).await
    })?;
    Ok(frames(body))
}

/// Ends the answer before bytes that are not what they were.
fn check_chunk(service: &Service, file: Hash, chunk: ChunkRef, bytes: &[u8]) -> Result<(), Gone> {
    if Hash::of(bytes) == chunk.hash {
        return Ok(());
    }
    service.unreadable.fetch_add(1, Ordering::Relaxed);
    let chunk = chunk.hash;
    tracing::error!("content {file} is damaged on this node, in its chunk {chunk}: scrub it");
    Err(Gone)
}

async fn many(service: Arc<Service>, caller: Caller, which: Which) -> Result<Response, Problem> {
    let asked = asked_versions(which.items.as_deref().unwrap_or_default())?;
    let (space, wanted) = service
        .node
        .read(move |reader| {
            let space = caller.space(reader, &which.space, Role::Reader)?.id;
            let mut wanted = Vec::with_capacity(asked.len());
            for id in asked {
                let version = lookup::version_in(reader, space, id)?;
                let content = version.and_then(|version| version.state?.content());
                let small = content.filter(|(_, size)| *size <= limits::SMALL_FILE_BYTES);
                wanted.push((id, small.map(|(hash, _)| hash)));
            }
            Ok((space, wanted))
        })
        .await?;
    let (outgoing, body) = body::stream(None);
    let sender = Arc::clone(&service);
    service.stream(async move {
        let service = &sender;
        let (count, mut sent, mut rest) = (wanted.len() as u64, 0, wanted);
        while !rest.is_empty() {
            let reading = Arc::clone(service);
            let piece = service.node.fetch(move || Ok(gather(&reading, rest)));
            let (bytes, left) = piece.await.map_err(|_| Gone)?;
            sent += bytes.len() as u64;
            outgoing.send(bytes).await?;
            rest = left;
        }
        note(service, caller.0, space, count, sent);
        send_frames(&outgoing, &[Frame::End]).await
    })?;
    Ok(frames(body))
}

fn asked_versions(text: &str) -> Result<Vec<VersionId>, Problem> {
    let asked: Vec<VersionId> = text
        .split(',')
        .map(|item| parse("items", item))
        .collect::<Result<_, _>>()?;
    if asked.len() > ITEMS {
        return Err(Problem::Malformed(format!(
            "{} items are more than the limit of {ITEMS}",
            asked.len()
        )));
    }
    Ok(asked)
}

/// Reads whole contents until a piece is full; the rest stays for the next. One
/// that this node cannot read is missing like one that is gone, so that the
/// others go through; its operator is told.
fn gather(
    service: &Service,
    wanted: Vec<(VersionId, Option<Hash>)>,
) -> (Vec<u8>, Vec<(VersionId, Option<Hash>)>) {
    let mut bytes = Vec::with_capacity(PIECE_BYTES);
    let mut wanted = wanted.into_iter();
    while bytes.len() < PIECE_BYTES
        && let Some((version, hash)) = wanted.next()
    {
        let content = hash.and_then(|hash| {
            let read = read_whole(service.node.blobs(), &hash);
            read.inspect_err(|problem| {
                service.unreadable.fetch_add(1, Ordering::Relaxed);
                tracing::error!("version {version} cannot be downloaded: {problem}");
            })
            .ok()
        });
        match content {
            Some(content) => Frame::Content {
                version,
                bytes: content.into(),
            }
            .encode(&mut bytes),
            None => Frame::Missing(version).encode(&mut bytes),
        }
    }
    (bytes, wanted.collect())
}

/// A small content, with the bytes of its hash: small ones share files, whose
/// checksums do not cover them, and one hash more costs microseconds.
fn read_whole(blobs: &store::blob::BlobStore, hash: &Hash) -> Result<Vec<u8>, Problem> {
    let unreadable = |why: &dyn Display| {
        Problem::Internal(format!(
            "content {hash} cannot be read on this node ({why}): scrub it"
        ))
    };
    let bytes = open_now(blobs, hash)?
        .read_all()
        .map_err(|error| unreadable(&error))?;
    if Hash::of(&bytes) == *hash {
        Ok(bytes)
    } else {
        Err(unreadable(&"its bytes have another hash"))
    }
}

async fn send_range(
    sending: &Sending,
    outgoing: &Outgoing,
    reader: &Arc<BlobReader>,
    start: u64,
    end: u64,
) -> Result<(), Gone> {
    let mut place = start;
    while place < end {
        let length = (end - place).min(PIECE_BYTES as u64);
        let piece = read_piece(&sending.service, reader, place, length).await?;
        place += length;
        outgoing.send(piece).await?;
        sending.add(length);
    }
    Ok(())
}

/// Reads exactly `length` bytes, at most a piece or a chunk. A failure ends the
/// answer short of its announced length or its end frame, which the client sees.
async fn read_piece(
    service: &Arc<Service>,
    reader: &Arc<BlobReader>,
    offset: u64,
    length: u64,
) -> Result<Vec<u8>, Gone> {
    let reader = Arc::clone(reader);
    let job = move || {
        let mut bytes = vec![0; length as usize];
        let mut filled = 0;
        while filled < bytes.len() {
            match reader.read_at(&mut bytes[filled..], offset + filled as u64) {
                Ok(0) => {
                    return Err(Problem::Internal(
                        "a blob is shorter than it was".to_owned(),
                    ));
                }
                Ok(count) => filled += count,
                Err(error) => {
                    return Err(Problem::Internal(format!("cannot read a blob: {error}")));
                }
            }
        }
        Ok(bytes)
    };
    service.node.fetch(job).await.map_err(|problem| {
        tracing::error!("a download broke off: {problem}");
        Gone
    })
}

async fn send_frames(outgoing: &Outgoing, frames: &[Frame]) -> Result<(), Gone> {
    let mut bytes = Vec::new();
    frames.iter().for_each(|frame| frame.encode(&mut bytes));
    outgoing.send(bytes).await
}

fn frames(body: Body) -> Response {
    ([(header::CONTENT_TYPE, MEDIA_TYPE)], body).into_response()
}

fn note(service: &Service, device: DeviceId, space: SpaceId, files: u64, bytes: u64) {
    let files = Traffic { up: 0, down: files };
    let bytes = Traffic { up: 0, down: bytes };
    service
        .syncs
        .note(device, space, service.node.now(), files, bytes);
}
