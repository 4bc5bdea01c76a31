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
use super::health::Health;
use super::index::{Place, Stored};
use super::segment::{Content, HEADER_BYTES, Position, RECORD_HEADER_BYTES, Scan, SegmentId};
use crate::fs::{
    File, FileSystem, Open, UNFINISHED_SUFFIX, Window, create_whole, make_durable_dir,
};
use crate::lock::{lock, wait};
use base::{Hash, Random};
use std::collections::{BTreeSet, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

const NAME_SUFFIX: &str = ".blobs";

/// Segments kept open for reading.
const OPEN_SEGMENTS: usize = 256;

/// The small blobs of one store.
pub(super) struct SmallBlobs {
    fs: Arc<dyn FileSystem>,
    directory: PathBuf,
    /// The store's identity.
    id: u64,
    segment_bytes: u64,
    health: Health,
    state: Mutex<State>,
    synced: Condvar,
    open: Mutex<HashMap<u64, Arc<dyn File>>>,
}

struct State {
    active: Active,
    /// Everything before it is durable.
    durable: Position,
    syncing: bool,
    /// Appended, but not in the index yet.
    unnoted: HashMap<Hash, Stored>,
    /// Where the batches begin that are not in the index yet.
    batches: BTreeSet<Position>,
    buffer: Vec<u8>,
}

/// The segment that is appended to.
struct Active {
    id: SegmentId,
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

impl SmallBlobs {
    /// Opens or creates the segments in `directory`. What was appended last is
    /// made durable, so that whatever can be read may be relied on. `durable`
    /// tells for the store's identity up to where it was known to be so before:
    /// what is wrong there was damaged later, and is left for a scrub to report.
    pub(super) fn open(
        fs: Arc<dyn FileSystem>,
        directory: &Path,
        segment_bytes: u64,
        random: &dyn Random,
        health: Health,
        durable: impl FnOnce(u64) -> Result<Position, BlobError>,
    ) -> Result<Self, BlobError> {
        let failed = |what| move |error| BlobError::io(what, directory, error);
        make_durable_dir(&*fs, directory).map_err(failed("create"))?;
        let numbers = list_segments(&*fs, directory)?;
        let active = match numbers.last() {
            None => {
                let store = random.next_u64();
                durable(store)?;
                create_segment(&*fs, directory, SegmentId { store, number: 1 })?
            }
            Some(last) => {
                fs.sync_dir(directory).map_err(failed("sync"))?;
                open_last(&*fs, directory, *last, durable)?
            }
        };
        let durable = active.end();
        Ok(Self {
            fs,
            directory: directory.to_owned(),
            id: active.id.store,
            segment_bytes,
            health,
            state: Mutex::new(State {
                active,
                durable,
                syncing: false,
                unnoted: HashMap::new(),
                batches: BTreeSet::new(),
                buffer: Vec::new(),
            }),
            synced: Condvar::new(),
            open: Mutex::default(),
        })
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
        self.health.check()?;
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
            active.id.encode(*hash, bytes, offset, buffer);
            let place = Place::Small(Position {
                segment: active.id.number,
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
            return Err(self.poison(state, error));
        }
        let id = SegmentId {
            number: state.active.id.number + 1,
            ..state.active.id
        };
        let next = create_segment(&*self.fs, &self.directory, id)?;
        state.durable = next.end();
        state.active = next;
        Ok(())
    }

    /// Returns when what was appended is durable.
    pub(super) fn wait_durable(&self, appended: &Appended) -> Result<(), BlobError> {
        let mut state = lock(&self.state);
        while state.durable < appended.end {
            self.health.check()?;
            state = if state.syncing {
                wait(&self.synced, state)
            } else {
                self.sync(state)
            };
        }
        // A failed sync is told once for a file: another thread's success since then
        // says nothing of these bytes.
        self.health.check()
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
                self.poison(&state, error);
            }
        }
        self.synced.notify_all();
        state
    }

    fn poison(&self, state: &State, error: io::Error) -> BlobError {
        // The page cache may go on showing what never reached the disk; cut it
        // off, so that a restart does not take it for stored.
        if state.durable.segment == state.active.id.number {
            let _ = state.active.file.set_len(state.durable.offset);
        }
        self.health.fail(&state.active.path, error)
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

    /// What is wrong with the header of `segment`, if anything is.
    pub(super) fn header_damage(&self, segment: u64) -> Result<Option<String>, BlobError> {
        let header = read_header(&*self.file(segment)?, segment)
            .map_err(|error| BlobError::io("read", &self.path(segment), error))?;
        Ok(match header {
            Ok(id) if id.store == self.id => None,
            Ok(_) => Some("it belongs to another store".to_owned()),
            Err(what) => Some(what),
        })
    }

    /// Reads what `segment` holds from byte `start` on.
    pub(super) fn scan(&self, segment: u64, start: u64) -> Result<Scan, BlobError> {
        let file = self.file(segment)?;
        let length = file
            .length()
            .map_err(|error| BlobError::io("read", &self.path(segment), error))?;
        let id = SegmentId {
            store: self.id,
            number: segment,
        };
        Ok(Scan::new(id, Window::new(file, length), start))
    }
}

impl Active {
    fn end(&self) -> Position {
        Position {
            segment: self.id.number,
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
    id: SegmentId,
) -> Result<Active, BlobError> {
    let path = segment_path(directory, id.number);
    let file = create_whole(fs, &path, &id.encode_header())
        .and_then(|file| fs.sync_dir(directory).map(|()| file))
        .map_err(|error| BlobError::io("create", &path, error))?;
    Ok(Active {
        id,
        path,
        file: Arc::from(file),
        tail: HEADER_BYTES as u64,
    })
}

/// Opens the last segment, cuts off a torn end and makes the rest durable.
fn open_last(
    fs: &dyn FileSystem,
    directory: &Path,
    number: u64,
    durable: impl FnOnce(u64) -> Result<Position, BlobError>,
) -> Result<Active, BlobError> {
    remove_unfinished(fs, directory)?;
    let path = segment_path(directory, number);
    let file = fs
        .open(&path, Open::ReadWrite)
        .map_err(|error| BlobError::io("open", &path, error))?;
    let id = read_header(&*file, number)
        .map_err(|error| BlobError::io("read", &path, error))?
        .map_err(|what| BlobError::Damaged {
            path: path.clone(),
            what,
        })?;
    let file: Arc<dyn File> = Arc::from(file);
    let durable = durable(id.store)?;
    let durable = (durable.segment == number).then_some(durable.offset);
    let tail = settle_end(id, &file, durable.unwrap_or(0))
        .map_err(|error| BlobError::io("recover", &path, error))?;
    Ok(Active {
        id,
        path,
        file,
        tail,
    })
}

/// The header of segment `number`, or what is wrong with it.
fn read_header(file: &dyn File, number: u64) -> io::Result<Result<SegmentId, String>> {
    let mut header = [0; HEADER_BYTES];
    file.read_exact_at(&mut header, 0)?;
    let header = SegmentId::decode_header(&header).and_then(|id| match id.number == number {
        true => Ok(id),
        false => Err(format!("it says that it is segment {}", id.number)),
    });
    Ok(header)
}

/// Cuts off what follows the last whole record of a segment, marks torn records
/// before it as void, and makes the rest durable. Returns its length. What lies
/// before `durable` is no torn write, whatever it is: it is left alone.
fn settle_end(id: SegmentId, file: &Arc<dyn File>, durable: u64) -> io::Result<u64> {
    let length = file.length()?;
    // A file that was put back from a backup may end before it.
    let durable = if durable <= length { durable } else { 0 };
    let mut scan = Scan::new(id, Window::new(Arc::clone(file), length), durable);
    let mut tail = durable.max(HEADER_BYTES as u64);
    let mut torn = Vec::new();
    while let Some(found) = scan.next()? {
        if found.what == Content::Void || scan.is_intact(&found)? {
            tail = found.end;
        } else {
            torn.push(found);
        }
    }
    for found in torn.iter().filter(|found| found.end <= tail) {
        let start = found.start.offset;
        file.write_all_at(&id.encode_void(start, found.end), start)?;
    }
    if length != tail {
        file.set_len(tail)?;
    }
    file.sync_data()?;
    Ok(tail)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::SimulatedFileSystem;
    use base::SeededRandom;

    #[test]
    fn the_index_is_told_only_of_what_was_noted() {
        let fs = Arc::new(SimulatedFileSystem::new());
        let directory = Path::new("segments");
        let random = SeededRandom::new(1);
        let nothing = |_| Ok(Position::default());
        let health = Health::default();
        let small = SmallBlobs::open(fs, directory, 1 << 20, &random, health, nothing).unwrap();
        let append = |bytes: &[u8]| small.append(&[(Hash::of(bytes), bytes)]).unwrap();
        let start = small.noted_through();
        let (first, second) = (append(b"first"), append(b"second"));
        assert_eq!(small.noted_through(), start);
        small.wait_durable(&second).unwrap();
        assert_eq!(small.durable(), second.end);
        small.noted(&second);
        assert_eq!(small.noted_through(), start);
        small.noted(&first);
        assert_eq!(small.noted_through(), second.end);
    }

    /// A failed sync is told once for a file: when another thread's sync succeeds
    /// after it, the bytes look durable, and are not.
    #[test]
    fn what_a_failed_sync_lost_is_durable_for_nobody() {
        let directory = Path::new("segments");
        let nothing = |_| Ok(Position::default());
        let (fs, health) = (Arc::new(SimulatedFileSystem::new()), Health::default());
        let random = SeededRandom::new(1);
        let small =
            SmallBlobs::open(fs, directory, 1 << 20, &random, health.clone(), nothing).unwrap();
        let bytes = b"lost";
        let appended = small.append(&[(Hash::of(bytes), &bytes[..])]).unwrap();
        lock(&small.state).durable = appended.end;
        small.wait_durable(&appended).unwrap();
        let failed = io::Error::other("the disk failed");
        let _ = health.fail(Path::new("other"), failed);
        let waited = small.wait_durable(&appended);
        let is_told = matches!(waited, Err(BlobError::Poisoned { .. }));
        assert!(is_told, "{waited:?}");
    }
}
