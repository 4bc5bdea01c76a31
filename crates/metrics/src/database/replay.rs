//! The head as it was: from the entries of the log that no part holds.
//!
//! It holds a few entries at a time, and the head does not get larger than it was.

use super::deletion::Deletion;
use super::error::{EntryError, OpenError};
use super::kinds::Kinds;
use super::writer::buckets;
use crate::chunk::Sample;
use crate::eval::TimeRange;
use crate::head::{Client, Head, SeriesId};
use crate::log::{RECORDS, Record, decode};
use hashbrown::HashMap;
use store::log::{Entry, LogReader};

/// About the bytes of entries that are held.
const READ_BYTES: usize = 4 << 20;

/// Who owns the series of the log: it does not say who brought them. They count for the
/// bound of all, and for no client's own.
const NOBODY: Client = Client(u128::MAX);

/// Puts entries into the head.
pub(super) struct Replay<'h> {
    head: &'h Head,
    kinds: &'h Kinds,
    /// In seconds since 1970.
    now: u32,
    series: HashMap<u32, SeriesId>,
    shards: Vec<Vec<(u32, Sample)>>,
    replayed: Replayed,
}

/// What else the entries say.
#[derive(Default)]
pub(super) struct Replayed {
    /// What was deleted; parts are to be read without it too.
    pub(super) deletions: Vec<Deletion>,
    /// Bytes of labels.
    pub(super) label_bytes: u64,
}

impl<'h> Replay<'h> {
    pub(super) fn new(head: &'h Head, kinds: &'h Kinds, now: u32) -> Self {
        Self {
            head,
            kinds,
            now,
            series: HashMap::new(),
            shards: buckets(),
            replayed: Replayed::default(),
        }
    }

    /// Replays what is behind the entry `after`.
    pub(super) fn run(mut self, log: &LogReader, after: u64) -> Result<Replayed, OpenError> {
        let last = log.last().index;
        let mut next = (after + 1).max(log.first());
        while next <= last {
            for entry in log.read(next, last, READ_BYTES)? {
                next = entry.index + 1;
                self.take(&entry).map_err(|reason| OpenError::Entry {
                    index: entry.index,
                    reason,
                })?;
            }
        }
        Ok(self.replayed)
    }

    fn take(&mut self, entry: &Entry) -> Result<(), EntryError> {
        if entry.kind != RECORDS {
            return Err(EntryError::Sort(entry.kind));
        }
        for record in decode(&entry.bytes) {
            match record? {
                Record::Series { number, labels } => {
                    let checked = crate::eval::Labels::from_bytes(labels);
                    checked.ok_or(EntryError::Labels(number))?;
                    self.replayed.label_bytes += labels.len() as u64;
                    let id = self.head.adopt(NOBODY, self.now, labels)?;
                    self.series.insert(number, id);
                }
                Record::Kind { name, kind } => self.kinds.set(name, kind),
                Record::Sample { number, sample } => {
                    let id = self.series.get(&number);
                    let id = id.ok_or(EntryError::Number(number))?;
                    self.shards[id.shard()].push((id.slot(), sample));
                }
                Record::Deletion {
                    selector,
                    start,
                    end,
                } => {
                    self.append();
                    let deletion = Deletion::new(selector, TimeRange { start, end });
                    let told =
                        |error: crate::promql::ParseError| EntryError::Selector(error.to_string());
                    let deletion = deletion.map_err(told)?;
                    self.head.delete(deletion.matchers(), deletion.range());
                    self.replayed.deletions.push(deletion);
                }
            }
        }
        self.append();
        Ok(())
    }

    fn append(&mut self) {
        for (shard, samples) in self.shards.iter_mut().enumerate() {
            if !samples.is_empty() {
                self.head.append(shard, samples, 0, self.now);
                samples.clear();
            }
        }
    }
}
