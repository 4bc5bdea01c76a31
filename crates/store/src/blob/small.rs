//! Small blobs: appended to shared segments, one after the other, raw.
//!
//! 1. Whoever stores blobs appends them under the lock, in one write.
//! 2. Then it waits until they are durable. The first who waits syncs, without
//!    the lock, whatever is appended by then; the others wait for it.
//! 3. Then it notes them in the index and tells so here. Until then a second
//!    sender of the same blob finds it in `unnoted`.
//!
//! Blobs are known by their hash alone, so a record that a crash brings back is
//! never wrong, only unneeded: nothing has to be voided, and reading a segment
//! from anywhere finds the next record by its checksum.

use super::BlobError;
use super::index::{Place, Stored};
use crate::fs::{
    File, FileSystem, Open, UNFINISHED_SUFFIX, Window, create_whole, make_durable_dir,
};
use crate::lock::{lock, wait};
use base::{Hash, Random, limits};
use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

const MAGIC: [u8; 8] = *b"ATOLLBLB";
const VERSION: u32 = 1;
const SEGMENT_HEADER_BYTES: usize = 64;
const RECORD_HEADER_BYTES: usize = 40;

/// Records begin at multiples of this.
const ALIGNMENT: u64 = 8;

const NAME_SUFFIX: &str = ".blobs";

/// Segments kept open for reading.
const OPEN_SEGMENTS: usize = 256;

/// A place in the segments. Segments are numbered from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Position {
    pub(super) segment: u64,
    pub(super) offset: u64,
}

/// The small blobs of one store.
pub(super) struct SmallBlobs {
    fs: Arc<dyn FileSystem>,
    directory: PathBuf,
    id: u64,
    segment_bytes: u64,
    state: Mutex<State>,
    synced: Condvar,
    open: Mutex<HashMap<u64, Arc<dyn File>>>,
}

struct State {
    active: Active,
    /// Everything before it is durable.
    durable: Position,
    syncing: bool,
    poisoned: Option<BlobError>,
    /// Appended, but not in the index yet.
    unnoted: HashMap<Hash, Stored>,
    /// Where the batches begin that are not in the index yet.
    batches: BTreeSet<Position>,
    buffer: Vec<u8>,
}

/// The segment that is appended to.
struct Active {
    number: u64,
    path: PathBuf,
    file: Arc<dyn File>,
    tail: u64,
}

/// Blobs that were appended and wait to be durable, then to be noted.
pub(super) struct Appended {
    pub(super) blobs: Vec<(Hash, Stored)>,
    /// Where the batch begins, if it had to append anything.
    start: Option<Position>,
    end: Position,
}

/// What stands in a segment.
#[derive(Debug, Clone, Copy)]
pub(super) enum Scanned {
    /// A record whose header is right.
    Blob {
        hash: Hash,
        at: Position,
        length: u64,
        /// Whether its bytes have that hash; `None` when not asked.
        intact: Option<bool>,
    },
    /// Bytes that are no record.
    Gap { start: Position, end: u64 },
    /// Bytes that opening found to be no record, and marked so.
    Void { start: Position, end: u64 },
}

/// The header of a record.
struct RecordHeader {
    hash: Hash,
    length: u32,
    void: bool,
}

/// Set in the length of a record that is none: it covers what a power cut tore.
const VOID: u32 = 1 << 31;

impl SmallBlobs {
    /// Opens or creates the segments in `directory`. What was appended last is
    /// made durable, so that whatever can be read may be relied on.
    pub(super) fn open(
        fs: Arc<dyn FileSystem>,
        directory: &Path,
        segment_bytes: u64,
        random: &dyn Random,
    ) -> Result<Self, BlobError> {
        let failed = |what| move |error| BlobError::io(what, directory, error);
        make_durable_dir(&*fs, directory).map_err(failed("create"))?;
        let numbers = list_segments(&*fs, directory)?;
        let (id, active) = match numbers.last() {
            None => {
                let id = random.next_u64();
                (id, create_segment(&*fs, directory, id, 1)?)
            }
            Some(last) => {
                fs.sync_dir(directory).map_err(failed("sync"))?;
                open_last(&*fs, directory, *last)?
            }
        };
        let durable = active.end();
        Ok(Self {
            fs,
            directory: directory.to_owned(),
            id,
            segment_bytes,
            state: Mutex::new(State {
                active,
                durable,
                syncing: false,
                poisoned: None,
                unnoted: HashMap::new(),
                batches: BTreeSet::new(),
                buffer: Vec::new(),
            }),
            synced: Condvar::new(),
            open: Mutex::default(),
        })
    }

    /// The store's identity, drawn when it was created.
    pub(super) fn id(&self) -> u64 {
        self.id
    }

    /// The numbers of all segments, rising.
    pub(super) fn segments(&self) -> Result<Vec<u64>, BlobError> {
        list_segments(&*self.fs, &self.directory)
    }

    /// The file of a segment.
    pub(super) fn path(&self, segment: u64) -> PathBuf {
        segment_path(&self.directory, segment)
    }

    /// Appends blobs whose hashes were verified. They are durable after
    /// [`SmallBlobs::wait_durable`].
    pub(super) fn append(&self, blobs: &[(Hash, &[u8])]) -> Result<Appended, BlobError> {
        let mut state = lock(&self.state);
        if let Some(poisoned) = &state.poisoned {
            return Err(poisoned.clone());
        }
        let mut appended = Appended {
            blobs: Vec::with_capacity(blobs.len()),
            start: None,
            end: state.active.end(),
        };
        let mut new = Vec::new();
        for (hash, bytes) in blobs {
            match state.unnoted.get(hash) {
                Some(stored) => appended.blobs.push((*hash, *stored)),
                None => new.push((*hash, *bytes)),
            }
        }
        let mut rest = &new[..];
        while !rest.is_empty() {
            if state.active.tail >= self.segment_bytes {
                self.begin_segment(&mut state)?;
            }
            appended.start.get_or_insert(state.active.end());
            let stored = self.fill_segment(&mut state, rest)?;
            rest = &rest[stored.len()..];
            appended.blobs.extend(stored);
        }
        for (hash, stored) in &appended.blobs {
            state.unnoted.insert(*hash, *stored);
        }
        state.batches.extend(appended.start);
        appended.end = state.active.end();
        Ok(appended)
    }

    /// Appends as many of the first blobs as the active segment takes.
    fn fill_segment(
        &self,
        state: &mut State,
        blobs: &[(Hash, &[u8])],
    ) -> Result<Vec<(Hash, Stored)>, BlobError> {
        let State { active, buffer, .. } = state;
        buffer.clear();
        let mut stored = Vec::new();
        for (hash, bytes) in blobs {
            let offset = active.tail + buffer.len() as u64;
            if offset >= self.segment_bytes {
                break;
            }
            encode_record(self.id, active.number, offset, *hash, bytes, buffer);
            let place = Place::Small(Position {
                segment: active.number,
                offset: offset + RECORD_HEADER_BYTES as u64,
            });
            let length = bytes.len() as u64;
            stored.push((*hash, Stored { place, length }));
        }
        if let Err(error) = active.file.write_all_at(buffer, active.tail) {
            // What remains behind the tail is overwritten, or harmless.
            let _ = active.file.set_len(active.tail);
            return Err(BlobError::io("append to", &active.path, error));
        }
        active.tail += buffer.len() as u64;
        Ok(stored)
    }

    fn begin_segment(&self, state: &mut State) -> Result<(), BlobError> {
        if let Err(error) = state.active.file.sync_data() {
            return Err(state.poison(error));
        }
        let next = create_segment(&*self.fs, &self.directory, self.id, state.active.number + 1)?;
        state.durable = next.end();
        state.active = next;
        Ok(())
    }

    /// Returns when what was appended is durable.
    pub(super) fn wait_durable(&self, appended: &Appended) -> Result<(), BlobError> {
        let mut state = lock(&self.state);
        while state.durable < appended.end {
            if let Some(poisoned) = &state.poisoned {
                return Err(poisoned.clone());
            }
            state = if state.syncing {
                wait(&self.synced, state)
            } else {
                self.sync(state)
            };
        }
        Ok(())
    }

    fn sync<'a>(&'a self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        let target = state.active.end();
        let file = Arc::clone(&state.active.file);
        state.syncing = true;
        drop(state);

        let result = file.sync_data();

        let mut state = lock(&self.state);
        state.syncing = false;
        match result {
            Ok(()) => state.durable = state.durable.max(target),
            Err(error) => {
                state.poison(error);
            }
        }
        self.synced.notify_all();
        state
    }

    /// Takes note that the index has what was appended, or that nobody wants it.
    pub(super) fn noted(&self, appended: &Appended) {
        let mut state = lock(&self.state);
        for (hash, _) in &appended.blobs {
            state.unnoted.remove(hash);
        }
        if let Some(start) = appended.start {
            state.batches.remove(&start);
        }
    }

    /// Up to where every durable blob has been noted in the index.
    pub(super) fn noted_through(&self) -> Position {
        let state = lock(&self.state);
        state.batches.first().copied().unwrap_or(state.durable)
    }

    /// Where the next blob goes.
    pub(super) fn end(&self) -> Position {
        lock(&self.state).active.end()
    }

    /// Everything before it is durable.
    pub(super) fn durable(&self) -> Position {
        lock(&self.state).durable
    }

    /// The open file of a segment.
    pub(super) fn file(&self, segment: u64) -> Result<Arc<dyn File>, BlobError> {
        let mut open = lock(&self.open);
        if let Some(file) = open.get(&segment) {
            return Ok(Arc::clone(file));
        }
        let path = self.path(segment);
        let file = self
            .fs
            .open(&path, Open::Read)
            .map_err(|error| BlobError::io("open", &path, error))?;
        let file: Arc<dyn File> = Arc::from(file);
        if open.len() >= OPEN_SEGMENTS {
            // Which one goes hardly matters: reopening takes microseconds.
            let victim = open.keys().next().copied();
            victim.map(|victim| open.remove(&victim));
        }
        open.insert(segment, Arc::clone(&file));
        Ok(file)
    }

    /// Reports every record of `segment` from byte `start` on, and what lies
    /// between them; `verify` reads their bytes too.
    pub(super) fn scan(
        &self,
        segment: u64,
        start: u64,
        verify: bool,
        found: &mut dyn FnMut(Scanned) -> Result<(), BlobError>,
    ) -> Result<(), BlobError> {
        let file = self.file(segment)?;
        scan(
            &file,
            &self.path(segment),
            (self.id, segment),
            start,
            verify,
            found,
        )
    }
}

impl Scanned {
    /// Where it begins and ends in the segment, with header and padding.
    fn extent(&self) -> (u64, u64) {
        match self {
            Self::Blob { at, length, .. } => (
                at.offset - RECORD_HEADER_BYTES as u64,
                (at.offset + length).next_multiple_of(ALIGNMENT),
            ),
            Self::Gap { start, end } | Self::Void { start, end } => (start.offset, *end),
        }
    }
}

impl State {
    fn poison(&mut self, error: std::io::Error) -> BlobError {
        // The page cache may go on showing what never reached the disk; cut it
        // off, so that a restart does not take it for stored.
        if self.durable.segment == self.active.number {
            let _ = self.active.file.set_len(self.durable.offset);
        }
        let poisoned = BlobError::Poisoned {
            path: self.active.path.clone(),
            source: Arc::new(error),
        };
        self.poisoned.get_or_insert(poisoned).clone()
    }
}

impl Active {
    fn end(&self) -> Position {
        Position {
            segment: self.number,
            offset: self.tail,
        }
    }
}

fn segment_path(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("{number:016}{NAME_SUFFIX}"))
}

fn list_segments(fs: &dyn FileSystem, directory: &Path) -> Result<Vec<u64>, BlobError> {
    let entries = fs
        .list(directory)
        .map_err(|error| BlobError::io("list", directory, error))?;
    let numbers = entries
        .iter()
        .filter_map(|entry| entry.name.strip_suffix(NAME_SUFFIX)?.parse().ok());
    let mut numbers: Vec<u64> = numbers.collect();
    numbers.sort_unstable();
    Ok(numbers)
}

fn create_segment(
    fs: &dyn FileSystem,
    directory: &Path,
    id: u64,
    number: u64,
) -> Result<Active, BlobError> {
    let path = segment_path(directory, number);
    let file = create_whole(fs, &path, &encode_header(id, number))
        .and_then(|file| fs.sync_dir(directory).map(|()| file))
        .map_err(|error| BlobError::io("create", &path, error))?;
    Ok(Active {
        number,
        path,
        file: Arc::from(file),
        tail: SEGMENT_HEADER_BYTES as u64,
    })
}

/// Opens the last segment, cuts off a torn end and makes the rest durable.
fn open_last(
    fs: &dyn FileSystem,
    directory: &Path,
    number: u64,
) -> Result<(u64, Active), BlobError> {
    let path = segment_path(directory, number);
    let failed = |what| {
        let path = path.clone();
        move |error| BlobError::io(what, &path, error)
    };
    remove_unfinished(fs, directory)?;
    let file = fs.open(&path, Open::ReadWrite).map_err(failed("open"))?;
    let file: Arc<dyn File> = Arc::from(file);
    let mut header = [0; SEGMENT_HEADER_BYTES];
    file.read_exact_at(&mut header, 0).map_err(failed("read"))?;
    let id = decode_header(&header, number).map_err(|what| BlobError::Damaged {
        path: path.clone(),
        what,
    })?;
    let mut tail = SEGMENT_HEADER_BYTES as u64;
    let mut torn = Vec::new();
    scan(&file, &path, (id, number), 0, true, &mut |scanned| {
        let (start, end) = scanned.extent();
        match scanned {
            Scanned::Blob {
                intact: Some(true), ..
            }
            | Scanned::Void { .. } => tail = end,
            Scanned::Blob { .. } | Scanned::Gap { .. } => torn.push((start, end)),
        }
        Ok(())
    })?;
    for (start, end) in torn.into_iter().filter(|(_, end)| *end <= tail) {
        let header = encode_void(id, number, start, end);
        file.write_all_at(&header, start).map_err(failed("write"))?;
    }
    let length = file.length().map_err(failed("read the length of"))?;
    if length != tail {
        file.set_len(tail).map_err(failed("truncate"))?;
    }
    file.sync_data().map_err(failed("sync"))?;
    Ok((
        id,
        Active {
            number,
            path,
            file,
            tail,
        },
    ))
}

fn remove_unfinished(fs: &dyn FileSystem, directory: &Path) -> Result<(), BlobError> {
    let failed = |error| BlobError::io("remove unfinished files in", directory, error);
    for entry in fs.list(directory).map_err(failed)? {
        if entry.name.ends_with(UNFINISHED_SUFFIX) {
            fs.remove_file(&directory.join(&entry.name))
                .map_err(failed)?;
        }
    }
    Ok(())
}

fn scan(
    file: &Arc<dyn File>,
    path: &Path,
    (id, number): (u64, u64),
    start: u64,
    verify: bool,
    found: &mut dyn FnMut(Scanned) -> Result<(), BlobError>,
) -> Result<(), BlobError> {
    let failed = |error| BlobError::io("read", path, error);
    let length = file.length().map_err(failed)?;
    let mut window = Window::new(Arc::clone(file), length);
    let mut offset = start
        .max(SEGMENT_HEADER_BYTES as u64)
        .next_multiple_of(ALIGNMENT);
    let mut gap = offset;
    let report_gap = |start, end, found: &mut dyn FnMut(Scanned) -> _| {
        let start = Position {
            segment: number,
            offset: start,
        };
        if start.offset < end {
            found(Scanned::Gap { start, end })
        } else {
            Ok(())
        }
    };
    while let Some(bytes) = window.bytes(offset, RECORD_HEADER_BYTES).map_err(failed)? {
        let bytes = bytes.first_chunk().expect("as many as asked for");
        let body = offset + RECORD_HEADER_BYTES as u64;
        let header = decode_record(id, number, offset, bytes)
            .filter(|header| body + u64::from(header.length) <= length);
        let Some(RecordHeader { hash, length, void }) = header else {
            offset += ALIGNMENT;
            continue;
        };
        report_gap(gap, offset, found)?;
        if void {
            let start = Position {
                segment: number,
                offset,
            };
            let end = body + u64::from(length);
            found(Scanned::Void { start, end })?;
            (offset, gap) = (end, end);
            continue;
        }
        let intact = if verify {
            let bytes = window.bytes(body, length as usize).map_err(failed)?;
            Some(bytes.is_some_and(|bytes| Hash::of(bytes) == hash))
        } else {
            None
        };
        let at = Position {
            segment: number,
            offset: body,
        };
        let length = u64::from(length);
        found(Scanned::Blob {
            hash,
            at,
            length,
            intact,
        })?;
        offset = (body + length).next_multiple_of(ALIGNMENT);
        gap = offset;
    }
    report_gap(gap, length, found)
}

fn encode_header(id: u64, number: u64) -> [u8; SEGMENT_HEADER_BYTES] {
    let mut bytes = [0; SEGMENT_HEADER_BYTES];
    bytes[0..8].copy_from_slice(&MAGIC);
    bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
    bytes[16..24].copy_from_slice(&id.to_le_bytes());
    bytes[24..32].copy_from_slice(&number.to_le_bytes());
    let crc = crc32c::crc32c(&bytes[..60]);
    bytes[60..64].copy_from_slice(&crc.to_le_bytes());
    bytes
}

/// The store's identity, or what is wrong with the header.
fn decode_header(bytes: &[u8; SEGMENT_HEADER_BYTES], number: u64) -> Result<u64, String> {
    let u32_at = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
    let u64_at = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
    if bytes[0..8] != MAGIC || crc32c::crc32c(&bytes[..60]) != u32_at(60) {
        return Err("its header does not match its checksum".to_owned());
    }
    match (u32_at(8), u64_at(24)) {
        (VERSION, found) if found == number => Ok(u64_at(16)),
        (VERSION, found) => Err(format!("it says that it is segment {found}")),
        (version, _) => Err(format!(
            "format version {version} is unknown to this program, which writes {VERSION}"
        )),
    }
}

/// A record that covers the bytes from `start` to `end`, which hold none.
fn encode_void(id: u64, number: u64, start: u64, end: u64) -> [u8; RECORD_HEADER_BYTES] {
    let covered = end - start - RECORD_HEADER_BYTES as u64;
    let mut header = [0; RECORD_HEADER_BYTES];
    header[4..8].copy_from_slice(&(covered as u32 | VOID).to_le_bytes());
    let crc = record_crc(id, number, start, &header);
    header[0..4].copy_from_slice(&crc.to_le_bytes());
    header
}

fn encode_record(id: u64, number: u64, offset: u64, hash: Hash, body: &[u8], out: &mut Vec<u8>) {
    let mut header = [0; RECORD_HEADER_BYTES];
    header[4..8].copy_from_slice(&(body.len() as u32).to_le_bytes());
    header[8..40].copy_from_slice(hash.as_bytes());
    let crc = record_crc(id, number, offset, &header);
    header[0..4].copy_from_slice(&crc.to_le_bytes());
    out.extend_from_slice(&header);
    out.extend_from_slice(body);
    out.resize(out.len().next_multiple_of(ALIGNMENT as usize), 0);
}

fn decode_record(
    id: u64,
    number: u64,
    offset: u64,
    bytes: &[u8; RECORD_HEADER_BYTES],
) -> Option<RecordHeader> {
    let length = u32::from_le_bytes(bytes[4..8].try_into().expect("four bytes"));
    let crc = u32::from_le_bytes(bytes[0..4].try_into().expect("four bytes"));
    let void = length & VOID != 0;
    // The cheap test first: gaps are searched step by step.
    let possible = void || u64::from(length) <= limits::SMALL_FILE_BYTES;
    (possible && record_crc(id, number, offset, bytes) == crc).then(|| RecordHeader {
        hash: Hash::from_slice(&bytes[8..40]).expect("32 bytes"),
        length: length & !VOID,
        void,
    })
}

/// Covers the record's place and the store's secret identity, so that no blob's
/// content can pass for a record.
fn record_crc(id: u64, number: u64, offset: u64, header: &[u8; RECORD_HEADER_BYTES]) -> u32 {
    let mut seed = [0; 24];
    seed[0..8].copy_from_slice(&id.to_le_bytes());
    seed[8..16].copy_from_slice(&number.to_le_bytes());
    seed[16..24].copy_from_slice(&offset.to_le_bytes());
    crc32c::crc32c_append(crc32c::crc32c(&seed), &header[4..])
}
