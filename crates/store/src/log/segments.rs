//! A log in segment files: append, sync, cut the suffix, purge the prefix.
//! Raft and the single-node log both stand on it.
//!
//! 1. Segments are only ever appended to. Cutting the suffix appends a record
//!    that voids it, so no crash can bring half of it back.
//! 2. A segment gets its final name once its header and the hard state in it
//!    are durable; a segment that has a successor is durable to its last byte.
//! 3. Every record says how much of its segment was durable when it was
//!    written. So damage with a valid record behind it is a torn write when that
//!    record was written together with what is damaged, and corruption when it
//!    came later.
//! 4. After a failed sync nothing is taken any more: what the disk holds is
//!    only known after a restart, which writes the end of the log once more.
//!
//! Opening is in `recovery`, concurrent reading in `reader`, the file of the segment to come
//! in `spare`.

use super::reader::{Index, LogReader, Segment, lock_for_writing};
use super::record::{RECORD_HEADER_BYTES, Record, SEGMENT_HEADER_BYTES, SegmentHeader, SegmentId};
use super::spare::{Progress, Spare, Zeros};
use super::{Entry, HardState, LogError, Position, recovery};
use crate::fs::{File, FileSystem, create_whole};
use base::{LogId, Random};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};

/// Length at which a segment is full: few files for a large log, and little
/// that a purge must leave.
pub const SEGMENT_BYTES: u64 = 64 << 20;

/// The file is extended by this many zeros at a time: syncing bytes that replace
/// zeros costs half of syncing a file that grows (0.10 to 0.22 ms on ext4).
const ZEROS_AHEAD_BYTES: u64 = 256 << 10;

/// Appends longer than this are no faster over zeros.
const ZEROS_WORTH_BYTES: u64 = 64 << 10;

/// Length at which a log that is written in small pieces gets its second segment, if there
/// is a spare one by then. Each spare one is twice as long as the one before it, so that a
/// log has zeros ahead for as long as it took to write what it has.
pub(super) const FIRST_SPARE_AT_BYTES: u64 = 1 << 20;

pub(super) const NAME_SUFFIX: &str = ".log";

/// A log in segment files, for one writer.
pub struct Segments {
    fs: Arc<dyn FileSystem>,
    directory: PathBuf,
    segment_bytes: u64,
    index: Arc<RwLock<Index>>,
    active: Active,
    hard_state: HardState,
    poisoned: Option<LogError>,
    buffer: Vec<u8>,
    spare: Option<Spare>,
    /// Whether none can be had while this segment is written.
    without_spare: bool,
    /// Bytes of this segment that were written in pieces for which zeros are worth it.
    small_bytes: u64,
}

/// The segment that is written to.
pub(super) struct Active {
    pub(super) id: SegmentId,
    pub(super) path: PathBuf,
    pub(super) file: Arc<dyn File>,
    /// Where the next record goes.
    pub(super) tail: u64,
    /// How much is durable.
    pub(super) durable: u64,
    /// Length of the file; zeros from the tail on.
    pub(super) length: u64,
    /// The length from which on it ends if there is a spare segment.
    pub(super) switch_at: u64,
}

/// What opening finds.
pub(super) struct Recovered {
    pub(super) index: Index,
    pub(super) active: Active,
    pub(super) hard_state: HardState,
}

impl Segments {
    /// Opens the log in `directory`, or creates one whose id is drawn from
    /// `random`. Writes that a power cut tore are cut off.
    ///
    /// # Errors
    /// [`LogError::Damaged`] when bytes that were durable have changed or are
    /// missing, or what the disk says.
    pub fn open(
        fs: Arc<dyn FileSystem>,
        directory: &Path,
        segment_bytes: u64,
        random: &dyn Random,
    ) -> Result<Self, LogError> {
        let recovered = recovery::open(&*fs, directory, random)?;
        Ok(Self {
            fs,
            directory: directory.to_owned(),
            segment_bytes,
            index: Arc::new(RwLock::new(recovered.index)),
            active: recovered.active,
            hard_state: recovered.hard_state,
            poisoned: None,
            buffer: Vec::new(),
            spare: None,
            without_spare: false,
            small_bytes: 0,
        })
    }

    /// Which log this is.
    pub fn id(&self) -> LogId {
        self.active.id.log
    }

    /// The last hard state set, durable or not.
    pub fn hard_state(&self) -> HardState {
        self.hard_state
    }

    /// Where the log ends: the position of the last entry, durable or not.
    pub fn last(&self) -> Position {
        self.reader().last()
    }

    /// A handle that reads what this one writes.
    pub fn reader(&self) -> LogReader {
        LogReader::new(Arc::clone(&self.index))
    }

    /// Appends entries, the first of which must follow the last one there.
    /// They are durable after [`Segments::sync`].
    ///
    /// # Errors
    /// [`LogError::Write`] when nothing was appended and the log is as it was;
    /// [`LogError::Poisoned`] when it takes nothing more.
    ///
    /// # Panics
    /// When the indexes do not follow each other: a bug of the caller.
    pub fn append(&mut self, entries: &[Entry]) -> Result<(), LogError> {
        let mut last = self.last();
        for entry in entries {
            assert_eq!(entry.index, last.index + 1, "log entries follow each other");
            assert!(entry.term >= last.term, "terms of log entries never fall");
            last = Position {
                index: entry.index,
                term: entry.term,
            };
        }
        if entries.is_empty() {
            return self.check();
        }
        self.write(entries.iter().map(Record::from))
    }

    /// Voids all entries from `from` on. Durable after [`Segments::sync`].
    ///
    /// # Errors
    /// As [`Segments::append`].
    ///
    /// # Panics
    /// When `from` lies in what was purged, or behind the end: a caller's bug.
    pub fn truncate_suffix(&mut self, from: u64) -> Result<(), LogError> {
        let at = from
            .checked_sub(1)
            .and_then(|index| self.reader().position(index))
            .expect("only entries that exist are voided");
        self.write(std::iter::once(Record::Cut(at)))
    }

    /// Lets the log go on behind `at`, which a snapshot covers: if the log has
    /// that position, entries behind it become void, otherwise all entries do.
    /// Durable after [`Segments::sync`].
    ///
    /// # Errors
    /// As [`Segments::append`].
    pub fn restart_after(&mut self, at: Position) -> Result<(), LogError> {
        self.write(std::iter::once(Record::Cut(at)))
    }

    /// Sets the hard state. Durable after [`Segments::sync`].
    ///
    /// # Errors
    /// As [`Segments::append`].
    pub fn set_hard_state(&mut self, state: HardState) -> Result<(), LogError> {
        self.write(std::iter::once(Record::HardState(state)))
    }

    /// Makes everything appended durable.
    ///
    /// # Errors
    /// [`LogError::Poisoned`], for this call and all that follow.
    pub fn sync(&mut self) -> Result<(), LogError> {
        self.check()?;
        if self.active.durable == self.active.tail {
            return Ok(());
        }
        match self.active.file.sync_data() {
            Ok(()) => {
                self.active.durable = self.active.tail;
                Ok(())
            }
            Err(error) => Err(self.poison(error)),
        }
    }

    /// The zeros of a segment to come, when it is time to write them: half of what the
    /// active one should have is written, in small pieces. Nobody has to ask.
    pub fn zeros_due(&mut self) -> Option<Zeros> {
        self.let_failed_go();
        let is_due = self.small_bytes >= self.switch_at() / 2;
        if !is_due || self.spare.is_some() || self.without_spare || self.is_poisoned() {
            return None;
        }
        let length = (2 * self.switch_at()).min(self.segment_bytes);
        let begun = Spare::begin(&*self.fs, &self.directory, length);
        // Without one the log goes on as before.
        self.without_spare = begun.is_err();
        let (spare, zeros) = begun.ok()?;
        self.spare = Some(spare);
        Some(zeros)
    }

    /// Removes the oldest segments, as far as all their entries are at or below
    /// `through`.
    ///
    /// # Errors
    /// What the disk says. The segment it is about and those behind it stay, for
    /// a log with a gap is refused at the next start.
    pub fn purge_prefix(&mut self, through: u64) -> Result<(), LogError> {
        let mut removed = false;
        while let Some(path) = self.purgeable(through) {
            match self.fs.remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(LogError::io("remove", &path, error));
                }
                _ => lock_for_writing(&self.index).forget_first(),
            }
            removed = true;
        }
        if !removed {
            return Ok(());
        }
        self.fs
            .sync_dir(&self.directory)
            .map_err(|error| LogError::io("sync", &self.directory, error))
    }

    /// The file of the oldest segment, if it can go.
    fn purgeable(&self, through: u64) -> Option<PathBuf> {
        let index = lock_for_writing(&self.index);
        index.purgeable(through).map(Path::to_owned)
    }

    /// Whether the log takes nothing more until it is opened again.
    pub fn is_poisoned(&self) -> bool {
        self.poisoned.is_some()
    }

    fn check(&self) -> Result<(), LogError> {
        self.poisoned.clone().map_or(Ok(()), Err)
    }

    fn poison(&mut self, error: io::Error) -> LogError {
        let poisoned = LogError::Poisoned {
            path: self.active.path.clone(),
            source: Arc::new(error),
        };
        self.poisoned.get_or_insert(poisoned).clone()
    }

    /// Writes records in one piece and takes them into the index.
    fn write<'a>(
        &mut self,
        records: impl Iterator<Item = Record<'a>> + Clone,
    ) -> Result<(), LogError> {
        self.check()?;
        let bytes = records.clone().map(Record::encoded_bytes).sum();
        if self.is_full_for(bytes) {
            self.begin_segment()?;
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        let mut offsets = Vec::new();
        for record in records.clone() {
            let offset = self.active.tail + buffer.len() as u64;
            offsets.push(offset);
            self.active
                .id
                .encode(record, offset, self.active.durable, &mut buffer);
        }
        let written = self.write_at_tail(&mut buffer);
        self.buffer = buffer;
        written?;

        let mut index = lock_for_writing(&self.index);
        for (record, offset) in records.zip(offsets) {
            if let Record::HardState(state) = record {
                self.hard_state = state;
            }
            index.take(record, offset);
        }
        index.set_tail(self.active.tail);
        Ok(())
    }

    /// Whether so many bytes go into another segment.
    fn is_full_for(&self, bytes: u64) -> bool {
        let tail = self.active.tail;
        tail >= self.segment_bytes || tail + bytes > self.switch_at() && self.has_spare()
    }

    fn has_spare(&self) -> bool {
        let spare = self.spare.as_ref();
        spare.is_some_and(|spare| spare.progress() == Progress::Ready)
    }

    /// The length from which on the active segment ends if there is a spare one.
    fn switch_at(&self) -> u64 {
        self.active.switch_at.min(self.segment_bytes)
    }

    fn write_at_tail(&mut self, bytes: &mut Vec<u8>) -> Result<(), LogError> {
        let count = bytes.len() as u64;
        let end = self.active.tail + count;
        let zeros = if end > self.active.length && count <= ZEROS_WORTH_BYTES {
            ZEROS_AHEAD_BYTES
        } else {
            0
        };
        bytes.resize((count + zeros) as usize, 0);
        let mut written = self.active.file.write_all_at(bytes, self.active.tail);
        if written.is_err() && zeros > 0 {
            // The last free bytes of a disk are for entries, not for zeros.
            self.take_back()?;
            bytes.truncate(count as usize);
            written = self.active.file.write_all_at(bytes, self.active.tail);
        }
        if written.is_err()
            && let Some(spare) = self.spare.take()
        {
            spare.remove(&*self.fs);
            self.without_spare = true;
            self.take_back()?;
            written = self.active.file.write_all_at(bytes, self.active.tail);
        }
        if let Err(error) = written {
            self.take_back()?;
            return Err(LogError::Write {
                path: self.active.path.clone(),
                source: Arc::new(error),
            });
        }
        self.active.length = self
            .active
            .length
            .max(self.active.tail + bytes.len() as u64);
        self.active.tail = end;
        if count <= ZEROS_WORTH_BYTES {
            self.small_bytes += count;
        }
        Ok(())
    }

    /// Cuts off what a failed write left behind the tail. Synced, lest a power
    /// cut bring it back once other records stand before it.
    fn take_back(&mut self) -> Result<(), LogError> {
        let file = &self.active.file;
        match file
            .set_len(self.active.tail)
            .and_then(|()| file.sync_data())
        {
            Ok(()) => {
                self.active.length = self.active.tail;
                self.active.durable = self.active.tail;
                Ok(())
            }
            Err(error) => Err(self.poison(error)),
        }
    }

    /// Ends the active segment and begins the next one.
    fn begin_segment(&mut self) -> Result<(), LogError> {
        self.take_back()?;
        let header = SegmentHeader {
            id: SegmentId {
                log: self.active.id.log,
                sequence: self.active.id.sequence + 1,
            },
            base: self.last(),
        };
        self.let_failed_go();
        let spare = match self.has_spare() {
            true => self.spare.take(),
            // One that is not ready stays for the segment after this.
            false => None,
        };
        let created = create_segment(&*self.fs, &self.directory, header, self.hard_state, spare);
        self.active = created.map_err(|failure| match failure {
            CreateError::Nothing(error) => error,
            CreateError::Named(error) => self.poison(error),
        })?;
        self.without_spare = false;
        self.small_bytes = 0;
        let mut index = lock_for_writing(&self.index);
        index
            .segments
            .push_back(Segment::new(&self.active, header.base.index));
        Ok(())
    }

    /// Lets a spare file go that will never be ready: its room is for others.
    fn let_failed_go(&mut self) {
        let has_failed = |spare: &mut Spare| spare.progress() == Progress::Failed;
        if let Some(spare) = self.spare.take_if(has_failed) {
            spare.remove(&*self.fs);
            self.without_spare = true;
        }
    }
}

/// How far a new segment got.
pub(super) enum CreateError {
    /// There is none.
    Nothing(LogError),
    /// It has its name, but perhaps not durably.
    Named(io::Error),
}

/// Creates a segment that holds only `hard_state`, durably, in the spare file if there is
/// one.
pub(super) fn create_segment(
    fs: &dyn FileSystem,
    directory: &Path,
    header: SegmentHeader,
    hard_state: HardState,
    spare: Option<Spare>,
) -> Result<Active, CreateError> {
    let path = segment_path(directory, header.id.sequence);
    let mut bytes = Vec::with_capacity(SEGMENT_HEADER_BYTES + RECORD_HEADER_BYTES + 8);
    bytes.extend_from_slice(&header.encode());
    let offset = bytes.len() as u64;
    header
        .id
        .encode(Record::HardState(hard_state), offset, 0, &mut bytes);
    let tail = bytes.len() as u64;
    let spare = spare.and_then(|spare| {
        let length = spare.length();
        // Without it the segment begins as any other.
        let file = spare.become_segment(fs, &path, &bytes).ok()?;
        Some((file, length))
    });
    let created = match spare {
        Some(spare) => Ok(spare),
        None => create_whole(fs, &path, &bytes).map(|file| (Arc::from(file), tail)),
    };
    let (file, length) = created.map_err(|error| {
        CreateError::Nothing(LogError::Write {
            path: path.clone(),
            source: Arc::new(error),
        })
    })?;
    fs.sync_dir(directory).map_err(CreateError::Named)?;
    Ok(Active {
        id: header.id,
        path,
        file,
        tail,
        durable: tail,
        length,
        switch_at: length.max(FIRST_SPARE_AT_BYTES),
    })
}

fn segment_path(directory: &Path, sequence: u64) -> PathBuf {
    directory.join(format!("{sequence:016}{NAME_SUFFIX}"))
}
