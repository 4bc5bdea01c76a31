//! Where each entry of the log lies, and reading entries while others are
//! written.
//!
//! The index is kept in memory, 8 bytes per entry, rebuilt at opening. Files
//! are never changed below their tail, so a reader needs the lock only to learn
//! where to read. What may be read (committed or not) is the caller's business.

use super::record::{RECORD_HEADER_BYTES, Record, SegmentId};
use super::segments::Active;
use super::{Entry, LogError, Position};
use crate::fs::File;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Where the valid entries of one segment are.
pub(super) struct Segment {
    id: SegmentId,
    pub(super) path: PathBuf,
    file: Arc<dyn File>,
    /// The index before its first entry.
    base: u64,
    offsets: Vec<u64>,
    tail: u64,
}

/// Where the valid entries are.
pub(super) struct Index {
    pub(super) segments: VecDeque<Segment>,
    /// The position before the first entry.
    base: Position,
    /// Where each term begins, rising.
    terms: VecDeque<Position>,
}

/// Reads a log that a [`Segments`](super::segments::Segments) writes.
#[derive(Clone)]
pub struct LogReader {
    index: Arc<RwLock<Index>>,
}

/// A stretch of one segment to read.
struct Stretch {
    id: SegmentId,
    path: PathBuf,
    file: Arc<dyn File>,
    first: u64,
    offsets: Vec<u64>,
    end: u64,
}

/// The index is valid between any two statements that change it, so a panic
/// elsewhere does not spoil it.
pub(super) fn lock_for_writing(index: &RwLock<Index>) -> RwLockWriteGuard<'_, Index> {
    index.write().unwrap_or_else(PoisonError::into_inner)
}

impl Segment {
    pub(super) fn new(active: &Active, base: u64) -> Self {
        Self {
            id: active.id,
            path: active.path.clone(),
            file: Arc::clone(&active.file),
            base,
            offsets: Vec::new(),
            tail: active.tail,
        }
    }

    /// Index of its last entry, or of the last one before it.
    fn last(&self) -> u64 {
        self.base + self.offsets.len() as u64
    }
}

impl Segment {
    /// Bytes of those of its entries that are behind `after` and not behind `through`.
    fn bytes_between(&self, after: u64, through: u64) -> u64 {
        let place = |index: u64| (index.clamp(self.base, self.last()) - self.base) as usize;
        let start_of = |entry: usize| self.offsets.get(entry).copied().unwrap_or(self.tail);
        start_of(place(through)).saturating_sub(start_of(place(after)))
    }
}

impl Index {
    /// The index of a log whose first segment begins behind `base`.
    pub(super) fn new(base: Position) -> Self {
        Self {
            segments: VecDeque::new(),
            base,
            terms: VecDeque::new(),
        }
    }

    pub(super) fn last(&self) -> Position {
        let index = self.segments.back().map_or(self.base.index, Segment::last);
        self.position(index).unwrap_or(self.base)
    }

    fn position(&self, index: u64) -> Option<Position> {
        let last = self.segments.back().map_or(self.base.index, Segment::last);
        if index == self.base.index {
            return Some(self.base);
        }
        if index < self.base.index || index > last {
            return None;
        }
        let after = self.terms.partition_point(|begin| begin.index <= index);
        let term = self.terms[after - 1].term;
        Some(Position { index, term })
    }

    /// Takes over a record that stands at `offset` of the last segment.
    pub(super) fn take(&mut self, record: Record<'_>, offset: u64) {
        match record {
            Record::Entry { at, .. } => {
                if self.terms.back().is_none_or(|begin| begin.term < at.term) {
                    self.terms.push_back(at);
                }
                let segment = self.segments.back_mut().expect("a log has a segment");
                segment.offsets.push(offset);
            }
            Record::Cut(at) => self.cut(at),
            Record::HardState(_) => {}
        }
    }

    pub(super) fn set_tail(&mut self, tail: u64) {
        let segment = self.segments.back_mut().expect("a log has a segment");
        segment.tail = tail;
    }

    fn cut(&mut self, at: Position) {
        if self.position(at.index) == Some(at) {
            for segment in &mut self.segments {
                segment.base = segment.base.min(at.index);
                segment.offsets.truncate((at.index - segment.base) as usize);
            }
            self.terms.retain(|begin| begin.index <= at.index);
        } else {
            for segment in &mut self.segments {
                segment.base = at.index;
                segment.offsets.clear();
            }
            self.terms.clear();
            self.base = at;
        }
    }

    /// The file of the first segment, if it holds nothing above `through` and is
    /// not the last one.
    pub(super) fn purgeable(&self, through: u64) -> Option<&Path> {
        let first = self.segments.front()?;
        (self.segments.len() > 1 && first.last() <= through).then_some(&first.path)
    }

    /// Forgets the first segment, which is not the last one.
    pub(super) fn forget_first(&mut self) {
        let base = self.position(self.segments[0].last());
        self.segments.pop_front();
        self.base = base.expect("a segment's last entry is in the log");
        while self
            .terms
            .get(1)
            .is_some_and(|next| next.index <= self.base.index + 1)
        {
            self.terms.pop_front();
        }
    }

    fn stretch(&self, from: u64, through: u64, bytes: usize) -> Option<Stretch> {
        let place = self
            .segments
            .partition_point(|segment| segment.last() < from);
        let segment = self
            .segments
            .get(place)
            .filter(|segment| segment.base < from)?;
        let first = (from - segment.base - 1) as usize;
        let start = segment.offsets[first];
        let end_of = |entry: usize| *segment.offsets.get(entry + 1).unwrap_or(&segment.tail);
        let last = (segment.last().min(through) - segment.base) as usize;
        let count = (first + 1..last)
            .take_while(|entry| end_of(*entry) - start <= bytes as u64)
            .count();
        Some(Stretch {
            id: segment.id,
            path: segment.path.clone(),
            file: Arc::clone(&segment.file),
            first: from,
            offsets: segment.offsets[first..=first + count].to_vec(),
            end: end_of(first + count),
        })
    }
}

impl LogReader {
    pub(super) fn new(index: Arc<RwLock<Index>>) -> Self {
        Self { index }
    }

    fn index(&self) -> RwLockReadGuard<'_, Index> {
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Index of the first entry there is, or of the next one to come.
    pub fn first(&self) -> u64 {
        self.index().base.index + 1
    }

    /// Where the log ends.
    pub fn last(&self) -> Position {
        self.index().last()
    }

    /// The position of an entry, or of the place just before the first one.
    pub fn position(&self, index: u64) -> Option<Position> {
        self.index().position(index)
    }

    /// About how many bytes the entries behind `after` up to `through` take.
    pub fn bytes_between(&self, after: u64, through: u64) -> u64 {
        let index = self.index();
        let segments = index.segments.iter();
        segments
            .map(|segment| segment.bytes_between(after, through))
            .sum()
    }

    /// Entries from `from`, none behind `through`, of about `bytes` bytes: at
    /// least one, unless there is no entry `from`.
    ///
    /// # Errors
    /// [`LogError::Damaged`], or what the disk says.
    pub fn read(&self, from: u64, through: u64, bytes: usize) -> Result<Vec<Entry>, LogError> {
        let stretch = self.index().stretch(from, through, bytes);
        stretch.map_or(Ok(Vec::new()), |stretch| stretch.read())
    }
}

impl Stretch {
    fn read(&self) -> Result<Vec<Entry>, LogError> {
        let start = self.offsets[0];
        let mut bytes = vec![0; (self.end - start) as usize];
        self.file
            .read_exact_at(&mut bytes, start)
            .map_err(|error| LogError::io("read", &self.path, error))?;
        let entries = self.offsets.iter().zip(self.first..);
        entries
            .map(|(offset, index)| {
                let bytes = &bytes[(offset - start) as usize..];
                self.entry(bytes, *offset, index)
                    .ok_or_else(|| LogError::Damaged {
                        path: self.path.clone(),
                        offset: *offset,
                        what: format!("entry {index} is not what was written"),
                    })
            })
            .collect()
    }

    fn entry(&self, bytes: &[u8], offset: u64, index: u64) -> Option<Entry> {
        let header = self.id.decode_header(bytes.first_chunk()?, offset)?;
        let payload = bytes
            .get(RECORD_HEADER_BYTES..)?
            .get(..header.payload_bytes())?;
        match header.record(payload)? {
            Record::Entry { at, kind, bytes } if at.index == index => Some(Entry {
                index,
                term: at.term,
                kind,
                bytes: bytes.into(),
            }),
            _ => None,
        }
    }
}
