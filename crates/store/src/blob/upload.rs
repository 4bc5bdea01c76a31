//! One unfinished large blob: filled chunk by chunk, in any order, then verified
//! and synced.
//!
//! 1. With its first bytes it gets a file in `staging/`, laid out like the large
//!    blob it is to become, with its block map already at its end. Nothing of it
//!    is synced, and space is reserved for it as its bytes come.
//! 2. A chunk is verified by its hash, written, and noted as present in memory.
//!    Chunks that come in order are hashed for the whole at once.
//! 3. When the last one is there, a worker of `uploads` hashes what came out of
//!    order, compares the whole, and syncs the file.
//!
//! After a restart, what is present is found out by hashing what is there. So
//! neither a crash nor a power cut can make anyone believe in absent bytes.

use super::health::Health;
use super::large::Footer;
use super::uploads::Source;
use super::workers;
use super::{BlobError, BlockMap};
use crate::fs::File;
use crate::lock::{lock, wait};
use base::{Hash, Hasher, Millis, limits};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock};

/// The kernel is asked to begin writing whenever this much more is in order, so
/// that the sync at the end finds little to do.
const WRITEBACK_BYTES: u64 = 8 << 20;

/// Space reserved beyond what has come: files up to this size lie in one piece,
/// and who announces a large file takes no more than this of the disk with it.
const RESERVED_BYTES: u64 = 16 << 20;

/// Space is reserved anew when less than this is left of it: the largest chunk.
const CHUNK_SLACK: u64 = limits::CHUNK_MAX_BYTES as u64;

/// Bytes read at a time to hash what came out of order.
const HASH_BUFFER_BYTES: u64 = 1 << 20;

/// An unfinished large blob.
pub(super) struct Upload {
    pub(super) path: PathBuf,
    pub(super) footer: Footer,
    /// When it was begun last.
    begun: AtomicU64,
    /// Whether it was begun or got a chunk since it was last asked.
    touched: AtomicBool,
    /// Set with the first bytes.
    file: OnceLock<Arc<dyn File>>,
    /// Bytes from the file's beginning that have space.
    reserved: AtomicU64,
    progress: Mutex<Progress>,
    changed: Condvar,
}

struct Progress {
    present: Vec<bool>,
    missing: u64,
    /// Has seen the chunks that came in order.
    hasher: Hasher,
    written_back: u64,
    stage: Stage,
}

/// How far an upload is.
#[derive(Debug, Clone)]
enum Stage {
    Receiving,
    Verifying,
    Ready,
    Failed(BlobError),
}

/// What [`Upload::settle`] finds.
pub(super) enum Settled {
    /// Verified and synced.
    Ready,
    /// Bytes are missing, perhaps because those of a base were damaged.
    Missing(u64),
    /// It cannot be finished.
    Failed(BlobError),
}

impl Upload {
    /// An upload without any chunks and without a file.
    pub(super) fn new(path: PathBuf, footer: Footer) -> Self {
        let progress = Progress {
            present: vec![false; footer.map.chunks().len()],
            missing: footer.map.total_len(),
            hasher: Hasher::new(),
            written_back: 0,
            stage: Stage::Receiving,
        };
        Self {
            path,
            begun: AtomicU64::new(footer.begun),
            touched: AtomicBool::new(true),
            footer,
            file: OnceLock::new(),
            reserved: AtomicU64::new(0),
            progress: Mutex::new(progress),
            changed: Condvar::new(),
        }
    }

    /// Whether bytes have come for it.
    pub(super) fn has_file(&self) -> bool {
        self.file.get().is_some()
    }

    /// Gives it the file of its path, laid out for its footer.
    pub(super) fn set_file(&self, file: Arc<dyn File>) {
        // The first stays: both are the file of this path.
        let _ = self.file.set(file);
    }

    /// Bytes of space that it lacks for what comes next; 0 mostly.
    pub(super) fn lacks_space(&self) -> u64 {
        let come = self.map().total_len() - lock(&self.progress).missing;
        let reserved = self.reserved.load(Ordering::Relaxed);
        if reserved >= self.map().total_len().min(come + CHUNK_SLACK) {
            return 0;
        }
        self.next_reservation(come).saturating_sub(reserved)
    }

    /// Reserves space for what comes next.
    pub(super) fn reserve(&self) -> Result<(), BlobError> {
        let come = self.map().total_len() - lock(&self.progress).missing;
        self.reserve_until(self.next_reservation(come))
    }

    /// Reserves space for everything.
    pub(super) fn reserve_all(&self) -> Result<(), BlobError> {
        self.reserve_until(self.map().total_len())
    }

    fn reserve_until(&self, until: u64) -> Result<(), BlobError> {
        self.file()
            .preallocate(until)
            .map_err(|error| BlobError::io("reserve space for", &self.path, error))?;
        self.reserved.fetch_max(until, Ordering::Relaxed);
        Ok(())
    }

    fn next_reservation(&self, come: u64) -> u64 {
        self.map().total_len().min(come + RESERVED_BYTES)
    }

    fn file(&self) -> &dyn File {
        &**self.file.get().expect("bytes come after their file")
    }

    /// When it was begun last.
    pub(super) fn begun(&self) -> Millis {
        self.begun.load(Ordering::Relaxed)
    }

    /// Notes that it was begun again.
    pub(super) fn begin_again(&self, now: Millis) {
        self.begun.store(now, Ordering::Relaxed);
        self.touched.store(true, Ordering::Relaxed);
    }

    /// Whether nothing has happened to it since this was last asked.
    pub(super) fn is_idle(&self) -> bool {
        !self.touched.swap(false, Ordering::Relaxed)
    }

    fn map(&self) -> &BlockMap {
        &self.footer.map
    }

    fn invalid(&self, what: String) -> BlobError {
        let hash = self.footer.hash;
        BlobError::Invalid { hash, what }
    }

    /// Notes as present what the file holds already.
    pub(super) fn find_present(&self) -> Result<(), BlobError> {
        let mut buffer = vec![0; limits::CHUNK_MAX_BYTES];
        for (number, chunk) in self.map().chunks().iter().enumerate() {
            let bytes = &mut buffer[..chunk.len as usize];
            self.read(bytes, self.map().start(number))?;
            if Hash::of(bytes) == chunk.hash {
                self.note_present(number..number + 1);
            }
        }
        Ok(())
    }

    /// Fills the chunks from `first` on with `count` chunks of `base`, unless
    /// they are all present. Verified later, with the whole.
    pub(super) fn copy_from_base(
        &self,
        first: usize,
        base: &Source,
        base_first: usize,
        count: usize,
    ) -> Result<(), BlobError> {
        if lock(&self.progress).present[first..first + count]
            .iter()
            .all(|present| *present)
        {
            return Ok(());
        }
        let source = base.map.start(base_first);
        let length = base.map.start(base_first + count) - source;
        let reader = &base.reader;
        self.file()
            .copy_from(
                &*reader.file,
                reader.offset + source,
                self.map().start(first),
                length,
            )
            .map_err(|error| BlobError::io("copy from the base to", &self.path, error))?;
        self.note_present(first..first + count);
        Ok(())
    }

    fn note_present(&self, chunks: Range<usize>) {
        let mut progress = lock(&self.progress);
        for number in chunks {
            progress.note(number, self.map());
        }
    }

    /// Checks a chunk that came for `offset`; the result is its number, and
    /// nothing when it is there already.
    pub(super) fn check(&self, offset: u64, bytes: &[u8]) -> Result<Option<usize>, BlobError> {
        let number = self
            .map()
            .chunk_at(offset)
            .ok_or_else(|| self.invalid(format!("no chunk begins at byte {offset}")))?;
        let chunk = self.map().chunks()[number];
        if chunk.len as usize != bytes.len() {
            let (came, len) = (bytes.len(), chunk.len);
            return Err(self.invalid(format!(
                "the chunk at byte {offset} has {len} bytes, not {came}"
            )));
        }
        let actual = Hash::of(bytes);
        if actual != chunk.hash {
            return Err(BlobError::WrongHash {
                expected: chunk.hash,
                actual,
            });
        }
        self.touched.store(true, Ordering::Relaxed);
        let is_present = lock(&self.progress).present[number];
        Ok((!is_present).then_some(number))
    }

    /// Takes the chunk of that number, which was checked. Returns whether it was
    /// the last one missing: then the caller has the upload verified.
    pub(super) fn write(
        &self,
        number: usize,
        offset: u64,
        bytes: &[u8],
    ) -> Result<bool, BlobError> {
        self.file()
            .write_all_at(bytes, offset)
            .map_err(|error| BlobError::io("write", &self.path, error))?;
        Ok(self.note_written(number, offset, bytes))
    }

    fn note_written(&self, number: usize, offset: u64, bytes: &[u8]) -> bool {
        let mut progress = lock(&self.progress);
        if !progress.note(number, self.map()) {
            return false;
        }
        if progress.hasher.count() == offset {
            progress.hasher.update(bytes);
        }
        let (from, to) = (progress.written_back, progress.hasher.count());
        let write_back = to - from >= WRITEBACK_BYTES;
        if write_back {
            progress.written_back = to;
        }
        let complete = progress.begin_verifying();
        drop(progress);
        if write_back {
            self.file().start_writeback(from, to - from);
        }
        complete
    }

    /// Whether all chunks are there and nobody has begun to verify them: then
    /// the caller must.
    pub(super) fn is_complete(&self) -> bool {
        lock(&self.progress).begin_verifying()
    }

    /// The ranges still missing.
    pub(super) fn missing(&self) -> Vec<Range<u64>> {
        let progress = lock(&self.progress);
        let mut ranges: Vec<Range<u64>> = Vec::new();
        for (number, present) in progress.present.iter().enumerate() {
            let (start, end) = (self.map().start(number), self.map().start(number + 1));
            match ranges.last_mut() {
                _ if *present => {}
                Some(range) if range.end == start => range.end = end,
                _ => ranges.push(start..end),
            }
        }
        ranges
    }

    /// Whether a worker has it.
    pub(super) fn is_verifying(&self) -> bool {
        matches!(lock(&self.progress).stage, Stage::Verifying)
    }

    /// Verifies the whole and makes it durable: a worker's task.
    pub(super) fn verify_and_sync(&self, health: &Health) {
        let stage = match self.verify() {
            Ok(true) => self.sync(health),
            Ok(false) => Stage::Receiving,
            Err(error) => Stage::Failed(error),
        };
        lock(&self.progress).stage = stage;
        self.changed.notify_all();
    }

    fn sync(&self, health: &Health) -> Stage {
        match workers::sync(self.file(), &self.path, health) {
            Ok(()) => Stage::Ready,
            Err(error) => Stage::Failed(error),
        }
    }

    /// Waits until verification, if it has begun, has ended.
    pub(super) fn settle(&self) -> Settled {
        let mut progress = lock(&self.progress);
        while matches!(progress.stage, Stage::Verifying) {
            progress = wait(&self.changed, progress);
        }
        match &progress.stage {
            Stage::Ready => Settled::Ready,
            Stage::Failed(error) => Settled::Failed(error.clone()),
            Stage::Receiving | Stage::Verifying => Settled::Missing(progress.missing),
        }
    }

    /// Whether the whole is right; if not, wrong chunks are noted as missing.
    fn verify(&self) -> Result<bool, BlobError> {
        let mut hasher = lock(&self.progress).hasher.clone();
        let total = self.map().total_len();
        let mut buffer = vec![0; HASH_BUFFER_BYTES.min(total - hasher.count()) as usize];
        while hasher.count() < total {
            let part = (total - hasher.count()).min(HASH_BUFFER_BYTES) as usize;
            self.read(&mut buffer[..part], hasher.count())?;
            hasher.update(&buffer[..part]);
        }
        let actual = hasher.finish();
        if actual == self.footer.hash {
            return Ok(true);
        }
        self.forget_present();
        self.find_present()?;
        if lock(&self.progress).missing > 0 {
            return Ok(false);
        }
        Err(BlobError::WrongHash {
            expected: self.footer.hash,
            actual,
        })
    }

    fn forget_present(&self) {
        let mut progress = lock(&self.progress);
        progress.present.fill(false);
        progress.missing = self.map().total_len();
        progress.hasher = Hasher::new();
    }

    fn read(&self, bytes: &mut [u8], offset: u64) -> Result<(), BlobError> {
        self.file()
            .read_exact_at(bytes, offset)
            .map_err(|error| BlobError::io("read", &self.path, error))
    }
}

impl Progress {
    /// Notes a chunk as present; `false` when it was already.
    fn note(&mut self, number: usize, map: &BlockMap) -> bool {
        let is_new = !std::mem::replace(&mut self.present[number], true);
        if is_new {
            self.missing -= u64::from(map.chunks()[number].len);
        }
        is_new
    }

    fn begin_verifying(&mut self) -> bool {
        let begins = self.missing == 0 && matches!(self.stage, Stage::Receiving);
        if begins {
            self.stage = Stage::Verifying;
        }
        begins
    }
}
