//! Opening a log: replay every segment, tell a torn write from corruption, and
//! make durable what may only have been on its way to the disk.
//!
//! 1. Remove segments that never got their final name.
//! 2. Replay the segments in order. Their numbers follow each other, each begins
//!    where the one before it ended, and indexes have no gaps.
//! 3. Only the last segment may end in something that is no record. If a valid
//!    record behind it was written after those bytes were durable, they were
//!    damaged later: refuse. Otherwise the power failed during the write, which
//!    nobody was told of: cut it off.
//! 4. Write again what the last record's writer did not yet know to be durable.
//!    The page cache may show bytes that a failed sync left nowhere else.

use super::reader::{Index, Segment};
use super::record::{
    RECORD_ALIGNMENT, RECORD_HEADER_BYTES, Record, SEGMENT_HEADER_BYTES, SegmentHeader, SegmentId,
};
use super::segments::{
    Active, CreateError, FIRST_SPARE_AT_BYTES, NAME_SUFFIX, Recovered, create_segment,
};
use super::{HardState, LogError, Position};
use crate::fs::{File, FileSystem, Open, UNFINISHED_SUFFIX, Window, make_durable_dir};
use base::{LogId, Random};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes written again at a time.
const REWRITE_BYTES: u64 = 1 << 20;

/// Opens or creates the log in `directory`.
pub(super) fn open(
    fs: &dyn FileSystem,
    directory: &Path,
    random: &dyn Random,
) -> Result<Recovered, LogError> {
    make_durable_dir(fs, directory).map_err(|error| LogError::io("create", directory, error))?;
    let sequences = list_segments(fs, directory)?;
    if sequences.is_empty() {
        return create(fs, directory, LogId::from_u64(random.next_u64()));
    }
    // The names that were found may not be durable yet.
    fs.sync_dir(directory)
        .map_err(|error| LogError::io("sync", directory, error))?;
    replay(fs, directory, &sequences)
}

fn create(fs: &dyn FileSystem, directory: &Path, log: LogId) -> Result<Recovered, LogError> {
    let header = SegmentHeader {
        id: SegmentId { log, sequence: 1 },
        base: Position::default(),
    };
    let hard_state = HardState::default();
    let active =
        create_segment(fs, directory, header, hard_state, None).map_err(
            |failure| match failure {
                CreateError::Nothing(error) => error,
                CreateError::Named(error) => LogError::io("sync", directory, error),
            },
        )?;
    let mut index = Index::new(header.base);
    index
        .segments
        .push_back(Segment::new(&active, header.base.index));
    Ok(Recovered {
        index,
        active,
        hard_state,
    })
}

/// The segments' file names with their numbers, rising.
fn list_segments(fs: &dyn FileSystem, directory: &Path) -> Result<Vec<(u64, PathBuf)>, LogError> {
    let entries = fs
        .list(directory)
        .map_err(|error| LogError::io("list", directory, error))?;
    let mut segments = Vec::new();
    for entry in entries {
        let path = directory.join(&entry.name);
        if entry.directory {
            // Nothing of ours, whatever its name.
            continue;
        }
        if entry.name.ends_with(UNFINISHED_SUFFIX) {
            fs.remove_file(&path)
                .map_err(|error| LogError::io("remove", &path, error))?;
        } else if let Some(number) = entry.name.strip_suffix(NAME_SUFFIX)
            && let Ok(sequence) = number.parse()
        {
            segments.push((sequence, path));
        }
    }
    segments.sort();
    Ok(segments)
}

fn replay(
    fs: &dyn FileSystem,
    directory: &Path,
    segments: &[(u64, PathBuf)],
) -> Result<Recovered, LogError> {
    let mut replay: Option<Replay> = None;
    for (number, (sequence, path)) in segments.iter().enumerate() {
        let is_last = number + 1 == segments.len();
        let file = fs
            .open(path, Open::ReadWrite)
            .map_err(|error| LogError::io("open", path, error))?;
        let mut scan = Scan::begin(Arc::from(file), path)?;
        let so_far = replay.get_or_insert_with(|| Replay::new(scan.header));
        so_far.check_header(&scan, *sequence)?;
        so_far.replay_segment(&mut scan, is_last)?;
    }
    let replay =
        replay.ok_or_else(|| LogError::io("list", directory, io::ErrorKind::NotFound.into()))?;
    Ok(Recovered {
        index: replay.index,
        active: replay.active.expect("the last segment was replayed"),
        hard_state: replay.hard_state,
    })
}

/// The log as replayed so far.
struct Replay {
    log: LogId,
    next_sequence: u64,
    index: Index,
    hard_state: HardState,
    active: Option<Active>,
}

impl Replay {
    fn new(first: SegmentHeader) -> Self {
        Self {
            log: first.id.log,
            next_sequence: first.id.sequence,
            index: Index::new(first.base),
            hard_state: HardState::default(),
            active: None,
        }
    }

    fn check_header(&mut self, scan: &Scan<'_>, sequence: u64) -> Result<(), LogError> {
        let header = scan.header;
        if header.id.log != self.log {
            return Err(scan.damage(0, "it belongs to another log".to_owned()));
        }
        if header.id.sequence != sequence || sequence != self.next_sequence {
            let expected = self.next_sequence;
            return Err(scan.damage(0, format!("segment {expected} is missing before it")));
        }
        let last = self.index.last();
        if header.base != last {
            let (begins, ends) = (header.base.index, last.index);
            let what =
                format!("it begins behind entry {begins}, but the log so far ends at {ends}");
            return Err(scan.damage(0, what));
        }
        self.next_sequence += 1;
        Ok(())
    }

    fn replay_segment(&mut self, scan: &mut Scan<'_>, is_last: bool) -> Result<(), LogError> {
        let mut active = Active {
            id: scan.header.id,
            path: scan.path.to_owned(),
            file: Arc::clone(&scan.file),
            tail: SEGMENT_HEADER_BYTES as u64,
            durable: 0,
            length: scan.window.length(),
            switch_at: scan.window.length().max(FIRST_SPARE_AT_BYTES),
        };
        self.index
            .segments
            .push_back(Segment::new(&active, scan.header.base.index));
        let mut known_durable = 0;
        let path = scan.path;
        while let Some((record, durable, bytes)) = scan.record_at(active.tail)? {
            check_order(record, self.index.last())
                .map_err(|what| damage(path, active.tail, what))?;
            if let Record::HardState(state) = record {
                self.hard_state = state;
            }
            self.index.take(record, active.tail);
            known_durable = durable;
            active.tail += bytes;
        }
        self.index.set_tail(active.tail);
        if is_last {
            scan.check_torn(active.tail)?;
            finish_last(scan, &mut active, known_durable)?;
        } else if active.tail != scan.window.length() {
            return Err(scan.damage(active.tail, "no valid record".to_owned()));
        }
        self.active = Some(active);
        Ok(())
    }
}

fn check_order(record: Record<'_>, last: Position) -> Result<(), String> {
    match record {
        Record::Entry { at, .. } if at.index != last.index + 1 => {
            Err(format!("entry {} follows entry {}", at.index, last.index))
        }
        Record::Entry { at, .. } if at.term < last.term => {
            Err(format!("term {} follows term {}", at.term, last.term))
        }
        _ => Ok(()),
    }
}

/// Cuts a torn write off the last segment and makes the rest durable.
fn finish_last(
    scan: &mut Scan<'_>,
    active: &mut Active,
    known_durable: u64,
) -> Result<(), LogError> {
    let path = scan.path;
    let failed = |what| move |error| LogError::io(what, path, error);
    if !scan
        .window
        .is_zero_from(active.tail)
        .map_err(failed("read"))?
    {
        scan.file.set_len(active.tail).map_err(failed("truncate"))?;
        active.length = active.tail;
    }
    let mut offset = known_durable.min(active.tail);
    while offset < active.tail {
        let count = (active.tail - offset).min(REWRITE_BYTES);
        let mut bytes = vec![0; count as usize];
        scan.file
            .read_exact_at(&mut bytes, offset)
            .and_then(|()| scan.file.write_all_at(&bytes, offset))
            .map_err(failed("rewrite the end of"))?;
        offset += count;
    }
    scan.file.sync_data().map_err(failed("sync"))?;
    active.durable = active.tail;
    Ok(())
}

fn damage(path: &Path, offset: u64, what: String) -> LogError {
    LogError::Damaged {
        path: path.to_owned(),
        offset,
        what,
    }
}

/// A segment read through a window that moves forward.
struct Scan<'a> {
    path: &'a Path,
    file: Arc<dyn File>,
    header: SegmentHeader,
    window: Window,
}

impl<'a> Scan<'a> {
    fn begin(file: Arc<dyn File>, path: &'a Path) -> Result<Self, LogError> {
        let failed = |error| LogError::io("read", path, error);
        let length = file.length().map_err(failed)?;
        if length < SEGMENT_HEADER_BYTES as u64 {
            return Err(damage(path, length, "it ends within its header".to_owned()));
        }
        let mut header = [0; SEGMENT_HEADER_BYTES];
        file.read_exact_at(&mut header, 0).map_err(failed)?;
        let header = SegmentHeader::decode(&header).map_err(|what| damage(path, 0, what))?;
        Ok(Self {
            path,
            window: Window::new(Arc::clone(&file), length),
            file,
            header,
        })
    }

    fn damage(&self, offset: u64, what: String) -> LogError {
        damage(self.path, offset, what)
    }

    fn bytes(&mut self, offset: u64, count: usize) -> Result<Option<&[u8]>, LogError> {
        self.window
            .bytes(offset, count)
            .map_err(|error| LogError::io("read", self.path, error))
    }

    /// The valid record at `offset`, what its writer knew to be durable, and its
    /// length with padding.
    fn record_at(&mut self, offset: u64) -> Result<Option<(Record<'_>, u64, u64)>, LogError> {
        let id = self.header.id;
        let Some(bytes) = self.bytes(offset, RECORD_HEADER_BYTES)? else {
            return Ok(None);
        };
        let bytes = bytes.first_chunk().expect("as many as asked for");
        let Some(header) = id.decode_header(bytes, offset) else {
            return Ok(None);
        };
        let payload_at = offset + RECORD_HEADER_BYTES as u64;
        let payload = self.bytes(payload_at, header.payload_bytes())?;
        Ok(payload
            .and_then(|payload| header.record(payload))
            .map(|record| (record, header.durable, header.record_bytes())))
    }

    /// Refuses bytes from `tail` on that are no record although they once were.
    fn check_torn(&mut self, tail: u64) -> Result<(), LogError> {
        let mut offset = tail + RECORD_ALIGNMENT as u64;
        while offset < self.window.length() {
            let later = self.record_at(offset)?;
            if later.is_some_and(|(_, durable, _)| durable > tail) {
                let what = format!("no valid record, though one follows at byte {offset}");
                return Err(self.damage(tail, what));
            }
            offset += RECORD_ALIGNMENT as u64;
        }
        Ok(())
    }
}
