//! Giving the node what it lacks: content first, then the commit that names it.
//!
//! Small files travel whole, in the same request as their commit, and so do those
//! of middle size that have no base to differ from; of large ones the node is told
//! the chunks, as runs against a base it has, and then gets those it asks for. A file is looked at before and after it is read: one that
//! changed meanwhile is not committed but left for the next look. A commit that
//! got no answer is repeated under the same sequence number, which the node
//! answers once (DESIGN.md, "Once"). Runs on worker threads ([`crate::pool`]);
//! the trees are not touched here.

use crate::chunk::{Cut, cut, runs};
use crate::folder::{
    Directory, Folder, Observation, ObservedKind, RelativePath, is_link, now, observe_open,
};
use crate::known::Known;
use crate::remote::{Node, RemoteError};
use crate::wire::{CHUNKS_PER_FRAME, Frame, Open, encode_blob, encode_chunk, encode_whole};
use base::{Hash, ItemId, Name, SpaceId, VersionId, limits};
use meta::{Kind, Metadata};
use state::{Base, Change, Commit, Outcome, Parent};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use store::blob::{BlockMap, Run};

/// Content sent in one request: large enough to amortise it, small enough
/// that a broken connection costs little and eight streams hold 64 MiB.
const REQUEST_BYTES: usize = 8 << 20;

/// A commit without an answer is repeated so often before the whole round is
/// given up; the pauses double from the first.
const ATTEMPTS: u32 = 3;
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// A node that wants to be left alone for longer is waited for by the engine, which
/// can be stopped meanwhile.
const LONGEST_PAUSE: Duration = Duration::from_secs(3);

/// Where commits go and how they are numbered.
#[derive(Debug)]
pub struct Outlet {
    /// The node.
    pub node: Node,
    /// The space.
    pub space: SpaceId,
    stream: u64,
    sequence: AtomicU64,
    /// Content that need not be sent.
    pub(crate) known: Known,
}

/// A local entry that the node shall have.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// The directory it is in.
    pub parent: ItemId,
    /// The same, relative to the folder.
    pub directory: RelativePath,
    /// Its name.
    pub name: Name,
    /// How it looked when it was chosen.
    pub seen: Observation,
    /// The version it replaces; `None` for a new item.
    pub base: Option<VersionId>,
    /// What both sides agreed on, to tell whether anything changed at all.
    pub synced: Option<Metadata>,
    /// The version that this is a conflict copy of.
    pub conflict_of: Option<VersionId>,
    /// Content to cut deltas against, with its map if it was kept.
    pub delta: Option<DeltaBase>,
}

/// A version whose chunks the node has.
#[derive(Debug, Clone)]
pub struct DeltaBase {
    /// The version.
    pub version: VersionId,
    /// Its content.
    pub hash: Hash,
    /// Its map, encoded; asked of the node when absent.
    pub map: Option<Vec<u8>>,
}

/// What came of one [`Candidate`].
#[derive(Debug)]
pub enum Uploaded {
    /// The node has it durably as this version.
    Committed(Box<Agreement>),
    /// It is what both sides agreed on already.
    Unchanged(Box<Agreement>),
    /// It changed while it was read; look again.
    Changing,
    /// It is gone.
    Gone,
    /// The node stands elsewhere; this is what it has.
    Conflict(Option<Box<state::Version>>),
    /// The node does not take it in this tree.
    Refused(state::Refusal),
    /// It cannot be read.
    Unreadable(io::Error),
}

/// A version and how it looks here.
#[derive(Debug)]
pub struct Agreement {
    /// The version; its counter is 0 where the node has another mode or time.
    pub version: VersionId,
    /// Its state.
    pub metadata: Metadata,
    /// The look that goes with it.
    pub seen: Observation,
    /// Whether that look proves nothing.
    pub racy: bool,
    /// The encoded block map, for large files that were cut.
    pub map: Option<Vec<u8>>,
}

impl Candidate {
    /// Whether `size` bytes of it travel whole, without being cut.
    fn travels_whole(&self, size: u64) -> bool {
        let middle = limits::SMALL_FILE_BYTES + 1..=limits::WHOLE_FILE_BYTES;
        self.seen.kind == ObservedKind::File && self.delta.is_none() && middle.contains(&size)
    }
}

impl Outlet {
    /// Commits to `space` under the random `stream`.
    pub fn new(node: Node, space: SpaceId, stream: u64) -> Self {
        // Stream 0 is no stream: commands of it are not deduplicated.
        Self {
            node,
            space,
            stream: stream.max(1),
            sequence: AtomicU64::new(0),
            known: Known::default(),
        }
    }

    /// Sends `content` (encoded frames) and then commits `changes`.
    ///
    /// # Errors
    /// [`RemoteError`] after `ATTEMPTS` passing ones.
    pub fn commit(
        &self,
        mut content: Vec<u8>,
        changes: Vec<Change>,
    ) -> Result<Vec<Outcome>, RemoteError> {
        let sequence = self.sequence.fetch_add(1, Ordering::Relaxed) + 1;
        let commit = Commit {
            space: self.space,
            changes,
        }
        .encode();
        Frame::Commit {
            stream: self.stream,
            sequence,
            commit: commit.into(),
        }
        .encode(&mut content);
        let answers = persist(|| self.node.upload(self.space, &content))?;
        answers
            .into_iter()
            .find_map(|frame| match frame {
                Frame::Outcomes {
                    sequence: of,
                    outcomes,
                    ..
                } if of == sequence => state::decode_outcomes(&outcomes).ok(),
                _ => None,
            })
            .ok_or_else(|| self.nonsense("no outcomes"))
    }

    fn nonsense(&self, reason: &str) -> RemoteError {
        RemoteError::Nonsense {
            server: self.node.server().to_owned(),
            what: "/api/file/upload".to_owned(),
            reason: reason.to_owned(),
        }
    }
}

/// Repeats what fails for a passing reason, no sooner than the node says.
fn persist<T>(mut request: impl FnMut() -> Result<T, RemoteError>) -> Result<T, RemoteError> {
    let mut pause = FIRST_PAUSE;
    for _ in 1..ATTEMPTS {
        match request() {
            Err(error) if error.is_passing() => {
                let told = error.retry_after().unwrap_or_default();
                if told > LONGEST_PAUSE {
                    return Err(error);
                }
                std::thread::sleep(pause.max(told));
            }
            result => return result,
        }
        pause *= 2;
    }
    request()
}

/// A candidate that was read.
struct Ready {
    metadata: Metadata,
    seen: Observation,
    racy: bool,
    content: Content,
}

enum Content {
    /// Nothing to send: a directory, a link, bytes both sides agree on, or content
    /// that the space has.
    None,
    /// A small file.
    Small(Vec<u8>),
    /// A file of middle size: what was read of it is in the [`Request`], unless the
    /// space has such content.
    Whole(File),
    /// A large file, cut.
    Large(Cut, File),
}

/// Files that travel whole, as the frames of a request, gathered while they are
/// read: their bytes are in memory once.
#[derive(Default)]
struct Request {
    frames: Vec<u8>,
    /// Their bytes together.
    content: u64,
}

impl Request {
    /// Reads a file of `size` bytes into the request; returns its hash.
    fn add(&mut self, file: &File, size: u64) -> io::Result<Hash> {
        let read = |piece: &mut [u8], offset| file.read_exact_at(piece, offset);
        let hash = encode_whole(&mut self.frames, size, read)?;
        self.content += size;
        Ok(hash)
    }

    /// How far it is gathered.
    fn place(&self) -> (usize, u64) {
        (self.frames.len(), self.content)
    }

    /// Takes back what was added since.
    fn back_to(&mut self, (frames, content): (usize, u64)) {
        self.frames.truncate(frames);
        self.content = content;
    }

    /// Sends what is gathered if `size` bytes more are too many for one request.
    fn make_room(&mut self, outlet: &Outlet, size: u64) -> Result<(), RemoteError> {
        if self.content > 0 && self.content + size > REQUEST_BYTES as u64 {
            persist(|| outlet.node.upload(outlet.space, &self.frames))?;
            self.frames.clear();
            self.content = 0;
        }
        Ok(())
    }
}

/// Uploads `candidates` in one commit. Large files among them are sent first.
///
/// # Errors
/// [`RemoteError`]: nothing is known of any of them then.
pub fn upload(
    folder: &Folder,
    outlet: &Outlet,
    candidates: Vec<Candidate>,
) -> Result<Vec<(Candidate, Uploaded)>, RemoteError> {
    let mut done = Vec::with_capacity(candidates.len());
    let mut ready = Vec::with_capacity(candidates.len());
    let mut request = Request::default();
    for candidate in candidates {
        if candidate.travels_whole(candidate.seen.size) {
            request.make_room(outlet, candidate.seen.size)?;
        }
        match read(folder, &candidate, &outlet.known, &mut request) {
            Ok(read) => ready.push((candidate, read)),
            Err(outcome) => done.push((candidate, outcome)),
        }
    }
    let (same, changed): (Vec<_>, Vec<_>) = ready
        .into_iter()
        .partition(|(candidate, ready)| candidate.synced.as_ref() == Some(&ready.metadata));
    done.extend(same.into_iter().filter_map(|(candidate, ready)| {
        let version = candidate.base?;
        let outcome = Uploaded::Unchanged(agreement(version, ready));
        Some((candidate, outcome))
    }));
    match commit_all(folder, outlet, &changed, request) {
        Ok(outcomes) => {
            let pairs = changed.into_iter().zip(outcomes);
            done.extend(
                pairs.map(|((candidate, ready), outcome)| (candidate, concluded(ready, outcome))),
            );
            Ok(done)
        }
        Err(error) => Err(error),
    }
}

fn commit_all(
    folder: &Folder,
    outlet: &Outlet,
    ready: &[(Candidate, Ready)],
    request: Request,
) -> Result<Vec<Outcome>, RemoteError> {
    if ready.is_empty() {
        return Ok(Vec::new());
    }
    let changes = || ready.iter().map(change).collect();
    let sent = send_content(outlet, ready, false, request.frames)
        .and_then(|content| outlet.commit(content, changes()));
    match sent {
        // The node does not have, or may not assume, bytes that we thought both
        // agree on: send everything.
        Err(error) if error.is_kind("upload-again") || error.is_kind("no-base") => {
            let request = read_again(outlet, ready)?;
            let mut content = send_content(outlet, ready, true, request.frames)?;
            resend_agreed(folder, ready, &mut content);
            outlet.commit(content, changes())
        }
        result => result,
    }
}

/// Gathers anew the files that travel whole.
fn read_again(outlet: &Outlet, ready: &[(Candidate, Ready)]) -> Result<Request, RemoteError> {
    let mut request = Request::default();
    for (_, ready) in ready {
        if let (Content::Whole(file), Some((_, size))) = (&ready.content, ready.metadata.content())
        {
            request.make_room(outlet, size)?;
            // Of one that changed since, the node has other bytes than the commit
            // names, and refuses it; the next look finds it.
            let _ = request.add(file, size);
        }
    }
    Ok(request)
}

/// Sends the content of large files and adds to `frames` those of small ones, and
/// of the last part of large ones, that shall precede the commit.
fn send_content(
    outlet: &Outlet,
    ready: &[(Candidate, Ready)],
    whole: bool,
    mut frames: Vec<u8>,
) -> Result<Vec<u8>, RemoteError> {
    send_large(outlet, ready, whole, &mut frames)?;
    for (_, ready) in ready {
        if let (Content::Small(bytes), Some((hash, _))) = (&ready.content, ready.metadata.content())
        {
            encode_blob(&mut frames, &hash, bytes);
        }
    }
    Ok(frames)
}

/// Adds the bytes of small files that were taken as agreed or known.
fn resend_agreed(folder: &Folder, ready: &[(Candidate, Ready)], frames: &mut Vec<u8>) {
    for (candidate, ready) in ready {
        let (Content::None, Some((hash, size))) = (&ready.content, ready.metadata.content()) else {
            continue;
        };
        if size > limits::SMALL_FILE_BYTES {
            continue;
        }
        let bytes = folder
            .directory(&candidate.directory)
            .and_then(|directory| {
                let mut bytes = Vec::new();
                directory
                    .open(candidate.name.as_str())?
                    .take(size + 1)
                    .read_to_end(&mut bytes)?;
                Ok(bytes)
            });
        if let Ok(bytes) = bytes
            && Hash::of(&bytes) == hash
        {
            encode_blob(frames, &hash, &bytes);
        }
    }
}

fn send_large(
    outlet: &Outlet,
    ready: &[(Candidate, Ready)],
    whole: bool,
    frames: &mut Vec<u8>,
) -> Result<(), RemoteError> {
    let large: Vec<_> = ready
        .iter()
        .filter_map(|(candidate, ready)| match &ready.content {
            Content::Large(cut, file) => Some((candidate, cut, file)),
            Content::None | Content::Small(_) | Content::Whole(_) => None,
        })
        .collect();
    if large.is_empty() {
        return Ok(());
    }
    let mut opening = Vec::new();
    for (candidate, cut, _) in &large {
        let base = candidate.delta.as_ref().filter(|_| !whole);
        let base = base.and_then(|base| Some((base.hash, base_map(outlet, base)?)));
        open(cut, base.as_ref(), &mut opening);
    }
    let answers = persist(|| outlet.node.upload(outlet.space, &opening))?;
    if answers.len() != large.len() {
        return Err(outlet.nonsense("not one answer for each file"));
    }
    let mut sent = Vec::new();
    for ((_, cut, file), answer) in large.iter().zip(&answers) {
        match answer {
            Frame::Have(hash) if *hash == cut.hash => {}
            Frame::Need { file: hash, ranges } if *hash == cut.hash => {
                send_ranges(outlet, cut, file, ranges, frames)?;
                sent.push(cut.hash);
            }
            _ => return Err(outlet.nonsense("an answer about another file")),
        }
    }
    if !sent.is_empty() {
        Frame::Finish(sent).encode(frames);
    }
    Ok(())
}

fn base_map(outlet: &Outlet, base: &DeltaBase) -> Option<BlockMap> {
    match &base.map {
        Some(bytes) => BlockMap::decode(bytes).ok(),
        // Without it the file travels whole, so a failure here costs only bytes.
        None => outlet.node.map(outlet.space, base.version).ok(),
    }
}

/// Encodes the opening of a large file, its runs spread over as many frames as
/// they need.
fn open(cut: &Cut, base: Option<&(Hash, BlockMap)>, frames: &mut Vec<u8>) {
    let runs = match base {
        Some((_, map)) => runs(map, &cut.map),
        None => vec![Run::Insert(cut.map.chunks().to_vec())],
    };
    let mut parts = split_runs(runs).into_iter();
    let head = Open {
        file: cut.hash,
        size: cut.size(),
        base: base.map(|(hash, _)| *hash),
        runs: parts.next().unwrap_or_default(),
        continued: parts.len() as u32,
    };
    Frame::Open(head).encode(frames);
    parts.for_each(|part| Frame::Runs(part).encode(frames));
}

fn split_runs(runs: Vec<Run>) -> Vec<Vec<Run>> {
    let mut parts = vec![Vec::new()];
    let mut weight = 0;
    let mut push = |run: Run, cost: usize| {
        if weight + cost > CHUNKS_PER_FRAME {
            parts.push(Vec::new());
            weight = 0;
        }
        weight += cost;
        if let Some(part) = parts.last_mut() {
            part.push(run);
        }
    };
    for run in runs {
        match run {
            Run::Insert(chunks) => {
                for piece in chunks.chunks(CHUNKS_PER_FRAME) {
                    push(Run::Insert(piece.to_vec()), piece.len());
                }
            }
            Run::Copy { .. } => push(run, 1),
        }
    }
    parts
}

/// Sends the chunks in `ranges`; what remains below [`REQUEST_BYTES`] is left in
/// `frames` to travel with the commit.
fn send_ranges(
    outlet: &Outlet,
    cut: &Cut,
    file: &File,
    ranges: &[(u64, u64)],
    frames: &mut Vec<u8>,
) -> Result<(), RemoteError> {
    let mut buffer = vec![0; limits::CHUNK_MAX_BYTES];
    for &(start, end) in ranges {
        let mut offset = start;
        while offset < end {
            let Some(number) = cut.map.chunk_at(offset) else {
                return Err(outlet.nonsense("a range that does not begin at a chunk"));
            };
            let chunk = cut.map.chunks()[number];
            let bytes = &mut buffer[..chunk.len as usize];
            // A file that shrank meanwhile sends what no longer hashes to its
            // name; the node refuses it, and the next look finds the new size.
            if file.read_exact_at(bytes, offset).is_err() {
                bytes.fill(0);
            }
            encode_chunk(frames, &cut.hash, offset, bytes);
            offset += u64::from(chunk.len);
            if frames.len() >= REQUEST_BYTES {
                persist(|| outlet.node.upload(outlet.space, frames))?;
                frames.clear();
            }
        }
    }
    Ok(())
}

fn change((candidate, ready): &(Candidate, Ready)) -> Change {
    let base = match candidate.base {
        Some(version) => Base::Version(version),
        None => Base::Absent {
            parent: Parent::Item(candidate.parent),
            name: candidate.name.clone(),
        },
    };
    Change::Put {
        base,
        metadata: ready.metadata.clone(),
        conflict_of: candidate.conflict_of,
    }
}

fn concluded(ready: Ready, outcome: Outcome) -> Uploaded {
    match outcome {
        Outcome::Committed(version) => Uploaded::Committed(agreement(version, ready)),
        Outcome::Same(version) if ready.metadata.is_directory() => Uploaded::Committed(agreement(
            VersionId {
                counter: 0,
                ..version
            },
            ready,
        )),
        Outcome::Same(version) => Uploaded::Committed(agreement(version, ready)),
        Outcome::Conflict { current } => Uploaded::Conflict(current.map(Box::new)),
        Outcome::Refused(refusal) => Uploaded::Refused(refusal),
    }
}

fn agreement(version: VersionId, ready: Ready) -> Box<Agreement> {
    let map = match &ready.content {
        Content::Large(cut, _) => Some(cut.map.encode()),
        Content::None | Content::Small(_) | Content::Whole(_) => None,
    };
    Box::new(Agreement {
        version,
        metadata: ready.metadata,
        seen: ready.seen,
        racy: ready.racy,
        map,
    })
}

/// Reads a candidate; `Err` is what came of it when it cannot be uploaded.
fn read(
    folder: &Folder,
    candidate: &Candidate,
    known: &Known,
    request: &mut Request,
) -> Result<Ready, Uploaded> {
    let directory = folder.directory(&candidate.directory).map_err(unreadable)?;
    let (kind, seen, begun, content) = read_kind(&directory, candidate, known, request)?;
    let metadata = Metadata {
        kind,
        mode: seen.mode,
        modified: seen.modified,
    };
    let racy = seen.kind == ObservedKind::File && seen.is_racy(begun);
    Ok(Ready {
        metadata,
        seen,
        racy,
        content,
    })
}

/// The local metadata of an entry with its content hashed, for comparing.
///
/// # Errors
/// `Interrupted` when it changed while it was read, `NotFound`, or as the
/// operating system says.
pub fn examine(
    folder: &Folder,
    directory: &RelativePath,
    name: &str,
) -> io::Result<(Metadata, Observation, bool)> {
    let begun = now();
    let directory = folder.directory(directory)?;
    let seen = directory.observe(name)?.ok_or(io::ErrorKind::NotFound)?;
    let kind = match seen.kind {
        ObservedKind::Directory => Kind::Directory,
        ObservedKind::Symlink => Kind::Symlink(directory.read_link(name)?),
        ObservedKind::Other => return Err(io::ErrorKind::Unsupported.into()),
        ObservedKind::File => {
            let mut file = directory.open(name)?;
            let mut hasher = base::Hasher::new();
            let mut buffer = vec![0; limits::CHUNK_MAX_BYTES];
            loop {
                match file.read(&mut buffer)? {
                    0 => break,
                    length => hasher.update(&buffer[..length]),
                }
            }
            if observe_open(&file)? != seen || hasher.count() != seen.size {
                return Err(io::ErrorKind::Interrupted.into());
            }
            Kind::File {
                hash: hasher.finish(),
                size: seen.size,
            }
        }
    };
    let racy = seen.kind == ObservedKind::File && seen.is_racy(begun);
    Ok((
        Metadata {
            kind,
            mode: seen.mode,
            modified: seen.modified,
        },
        seen,
        racy,
    ))
}

fn unreadable(error: io::Error) -> Uploaded {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Uploaded::Gone,
        _ => Uploaded::Unreadable(error),
    }
}

type Read4 = (Kind, Observation, meta::Timestamp, Content);

fn read_kind(
    directory: &Directory,
    candidate: &Candidate,
    known: &Known,
    request: &mut Request,
) -> Result<Read4, Uploaded> {
    let begun = now();
    let name = candidate.name.as_str();
    match candidate.seen.kind {
        ObservedKind::File => read_file(directory, candidate, known, begun, request),
        ObservedKind::Directory | ObservedKind::Symlink | ObservedKind::Other => {
            let seen = directory
                .observe(name)
                .map_err(unreadable)?
                .ok_or(Uploaded::Gone)?;
            let kind = match seen.kind {
                ObservedKind::Directory if candidate.seen.kind == ObservedKind::Directory => {
                    Kind::Directory
                }
                ObservedKind::Symlink => {
                    Kind::Symlink(directory.read_link(name).map_err(unreadable)?)
                }
                _ => return Err(Uploaded::Changing),
            };
            Ok((kind, seen, begun, Content::None))
        }
    }
}

fn read_file(
    directory: &Directory,
    candidate: &Candidate,
    known: &Known,
    begun: meta::Timestamp,
    request: &mut Request,
) -> Result<Read4, Uploaded> {
    let mut file = directory.open(candidate.name.as_str()).map_err(|error| {
        if is_link(&error) {
            Uploaded::Changing
        } else {
            unreadable(error)
        }
    })?;
    let seen = observe_open(&file).map_err(unreadable)?;
    if seen.kind != ObservedKind::File {
        return Err(Uploaded::Changing);
    }
    if seen.size > limits::FILE_BYTES {
        let told = format!(
            "{} bytes; the largest file may have {}",
            seen.size,
            limits::FILE_BYTES
        );
        return Err(Uploaded::Unreadable(io::Error::new(
            io::ErrorKind::FileTooLarge,
            told,
        )));
    }
    let before = request.place();
    let read = read_content(&mut file, candidate, seen.size, request);
    let (hash, size, content) = read.map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => Uploaded::Changing,
        _ => unreadable(error),
    })?;
    let is_still = observe_open(&file).map(|now| now == seen && size == seen.size);
    let agreed = candidate.synced.as_ref().and_then(Metadata::content) == Some((hash, size));
    // Of a large file that was cut the node says itself whether it has it.
    let is_known = known.has(&hash);
    if agreed || is_known || !matches!(is_still, Ok(true)) {
        request.back_to(before);
    }
    if !is_still.map_err(unreadable)? {
        return Err(Uploaded::Changing);
    }
    let content = match content {
        _ if agreed => Content::None,
        Content::Small(_) if is_known => Content::None,
        other => other,
    };
    Ok((Kind::File { hash, size }, seen, begun, content))
}

/// Reads a file that looks as if it had `size` bytes; returns hash and length of
/// what it has.
fn read_content(
    file: &mut File,
    candidate: &Candidate,
    size: u64,
    request: &mut Request,
) -> io::Result<(Hash, u64, Content)> {
    if size <= limits::SMALL_FILE_BYTES {
        let mut bytes = Vec::with_capacity(size as usize + 1);
        file.take(size + 1).read_to_end(&mut bytes)?;
        let length = bytes.len() as u64;
        Ok((Hash::of(&bytes), length, Content::Small(bytes)))
    } else if candidate.travels_whole(size) {
        let hash = request.add(file, size)?;
        Ok((hash, size, Content::Whole(file.try_clone()?)))
    } else {
        let cut = cut(file)?;
        let (hash, length) = (cut.hash, cut.size());
        Ok((hash, length, Content::Large(cut, file.try_clone()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::blob::ChunkRef;

    #[test]
    fn runs_are_split_without_loss() {
        let chunk = |n: u32| ChunkRef {
            hash: Hash::of(&n.to_le_bytes()),
            len: 1,
        };
        let chunks: Vec<_> = (0..CHUNKS_PER_FRAME as u32 + 5).map(chunk).collect();
        let runs = vec![
            Run::Insert(chunks),
            Run::Copy {
                first_chunk: 1,
                count: 2,
            },
        ];
        let base = BlockMap::new((0..9).map(chunk).collect()).unwrap();
        let parts = split_runs(runs.clone());
        assert_eq!(parts.len(), 2);
        let joined: Vec<Run> = parts.into_iter().flatten().collect();
        assert_eq!(
            BlockMap::from_runs(Some(&base), &joined),
            BlockMap::from_runs(Some(&base), &runs)
        );
    }
}
