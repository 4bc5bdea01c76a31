//! The one thread that writes the log and appends to the head.
//!
//! 1. Take all requests that wait.
//! 2. Append them to the log in one write, series and kinds told before they are used.
//! 3. Wait until that is as durable as it should be: once, for all of them.
//! 4. Append the samples to the head, so that whoever is answered can read them.
//! 5. Let followers see the entries, and answer.
//!
//! Commands (a cut, a deletion, series that leave) are done between two groups: what was
//! asked for before them is done before.

use super::deletion::Deletion;
use super::durability::Durability;
use super::error::WriteError;
use super::follow::Durable;
use super::kinds::Kinds;
use super::queue::{Queue, Request, Work};
use super::told::Told;
use crate::chunk::Sample;
use crate::eval::TimeRange;
use crate::head::{Head, SHARDS, SeriesId};
use crate::log::{Encoder, RECORDS};
use crate::promql::METRIC_NAME;
use base::{Clock, Millis};
use hashbrown::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, RwLock, TryLockError};
use std::time::Duration;
use store::log::{Entry, LogError, Segments, Zeros};

/// The term of all entries: there are no elections here.
pub(super) const TERM: u64 = 1;

/// An entry is closed behind the request with which it has so many bytes; whoever reads the
/// log holds a few.
const ENTRY_BYTES: usize = 1 << 20;

/// The longest time for which samples that are acknowledged once they are written may be
/// kept by the operating system alone.
pub const UNSYNCED: Duration = Duration::from_secs(1);

/// What the writing thread is asked to do besides.
pub(super) enum Command {
    /// End the generation.
    Cut(SyncSender<Result<Cut, WriteError>>),
    /// Drop the entries up to this one.
    Purge(u64, SyncSender<Result<(), WriteError>>),
    /// Delete samples.
    Delete(Deletion, SyncSender<Result<u64, WriteError>>),
    /// Take away those of these series which are still idle since a time, in seconds.
    Retire(Vec<SeriesId>, u32, SyncSender<Result<usize, WriteError>>),
}

/// Where a generation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cut {
    /// The generation that began.
    pub(super) generation: u32,
    /// The last entry of the one before.
    pub(super) through: u64,
}

pub(super) struct Writer {
    pub(super) head: Arc<Head>,
    pub(super) kinds: Arc<Kinds>,
    pub(super) queue: Arc<Queue<Command>>,
    /// Held for reading by whoever looks for series and has not yet queued their samples.
    pub(super) gate: Arc<RwLock<()>>,
    pub(super) log: Segments,
    pub(super) durability: Box<dyn Durability>,
    pub(super) write_zeros: fn(Zeros),
    pub(super) durable: Arc<Durable>,
    pub(super) clock: Arc<dyn Clock>,
    /// When everything was made durable last.
    pub(super) synced: Millis,
    pub(super) told: Told,
    /// Bytes of labels that were written since the last cut.
    pub(super) label_bytes: Arc<AtomicU64>,
    /// Those that are about to be.
    pub(super) told_bytes: u64,
    pub(super) generation: u32,
    pub(super) shards: Vec<Vec<(u32, Sample)>>,
}

/// Lets nobody wait for a thread that has ended, however it did.
struct End {
    queue: Arc<Queue<Command>>,
    durable: Arc<Durable>,
}

impl Writer {
    /// Works until the queue is closed and empty; then everything is synced.
    pub(super) fn run(mut self) {
        let _end = End {
            queue: Arc::clone(&self.queue),
            durable: Arc::clone(&self.durable),
        };
        loop {
            let work = self.queue.take(UNSYNCED);
            let closed = work.closed;
            self.work_off(work);
            self.sync_at_times(closed);
            if closed {
                return;
            }
        }
    }

    /// Makes durable what was only written, a while after that.
    fn sync_at_times(&mut self, now: bool) {
        let since = self.clock.now().abs_diff(self.synced);
        if !now && u128::from(since) < UNSYNCED.as_millis() {
            return;
        }
        self.synced = self.clock.now();
        // A log that fails takes nothing more, and says so to whoever comes next.
        if let Err(error) = self.log.sync() {
            tracing::error!("metrics: {error}");
        }
    }

    fn work_off(&mut self, work: Work<Command>) {
        let mut requests = work.requests.into_iter();
        let mut done = 0;
        for (before, command) in work.commands {
            // A series that leaves must have no sample on the way.
            let first = match command {
                Command::Retire(..) => requests.len(),
                _ => before.saturating_sub(done),
            };
            self.commit(requests.by_ref().take(first).collect());
            done += first;
            self.obey(command);
        }
        self.commit(requests.collect());
    }

    fn commit(&mut self, requests: Vec<Request>) {
        if requests.is_empty() {
            return;
        }
        let entries = self.encode(&requests);
        if let Err(error) = self.write(&entries) {
            let error = WriteError::from(error);
            for request in requests {
                (request.done)(Err(error.clone()));
            }
            return;
        }
        self.append(&requests);
        self.durable.advance(self.log.last().index);
        for request in requests {
            (request.done)(Ok(()));
        }
        if let Some(zeros) = self.log.zeros_due() {
            (self.write_zeros)(zeros);
        }
    }

    fn encode(&mut self, requests: &[Request]) -> Vec<Entry> {
        let mut entries = Vec::new();
        let mut encoder = Encoder::default();
        for request in requests {
            for point in &request.points {
                self.tell(point.series, point.kind, &mut encoder);
            }
            let samples = request.points.iter();
            encoder.samples(samples.map(|point| (point.series.to_u32(), point.sample)));
            if encoder.len() >= ENTRY_BYTES {
                self.close_entry(&mut encoder, &mut entries);
            }
        }
        self.close_entry(&mut encoder, &mut entries);
        entries
    }

    fn tell(&mut self, id: SeriesId, kind: Option<crate::ingest::Kind>, encoder: &mut Encoder) {
        let news = self.told.tell(id, kind);
        if !news.labels && news.kind.is_none() {
            return;
        }
        let labels = self.head.labels(id);
        let labels = labels.expect("a series stays while a request has samples for it");
        if news.labels {
            encoder.series(id.to_u32(), labels.as_bytes());
            self.told_bytes += labels.as_bytes().len() as u64;
        }
        if let Some(kind) = news.kind {
            let name = labels.get(METRIC_NAME);
            encoder.kind(name, kind);
            self.kinds.set(name, kind);
        }
    }

    fn close_entry(&self, encoder: &mut Encoder, entries: &mut Vec<Entry>) {
        if !encoder.is_empty() {
            entries.push(Entry {
                index: self.log.last().index + 1 + entries.len() as u64,
                term: TERM,
                kind: RECORDS,
                bytes: encoder.take().into(),
            });
        }
    }

    fn write(&mut self, entries: &[Entry]) -> Result<(), LogError> {
        let written = self.log.append(entries).and_then(|()| {
            let through = self.log.last().index;
            self.durability.settle(&mut self.log, through)
        });
        let told_bytes = std::mem::take(&mut self.told_bytes);
        if written.is_ok() {
            self.label_bytes.fetch_add(told_bytes, Ordering::Relaxed);
        } else {
            // What was told with them may not be there.
            self.told.forget_all();
        }
        written
    }

    fn append(&mut self, requests: &[Request]) {
        for point in requests.iter().flat_map(|request| &request.points) {
            let id = point.series;
            self.shards[id.shard()].push((id.slot(), point.sample));
        }
        let now = seconds(&*self.clock);
        for (shard, samples) in self.shards.iter_mut().enumerate() {
            if !samples.is_empty() {
                self.head.append(shard, samples, self.generation, now);
                samples.clear();
            }
        }
    }

    fn obey(&mut self, command: Command) {
        // Whoever asked may have gone.
        match command {
            Command::Cut(answer) => drop(answer.send(self.cut())),
            Command::Purge(through, answer) => {
                drop(answer.send(self.log.purge_prefix(through).map_err(WriteError::from)));
            }
            Command::Delete(deletion, answer) => drop(answer.send(self.delete(&deletion))),
            Command::Retire(series, before, answer) => {
                drop(answer.send(Ok(self.retire(&series, before))));
            }
        }
    }

    /// What came so far is durable and of another generation than what comes.
    fn cut(&mut self) -> Result<Cut, WriteError> {
        self.log.sync()?;
        self.generation += 1;
        self.told.forget_all();
        self.label_bytes.store(0, Ordering::Relaxed);
        Ok(Cut {
            generation: self.generation,
            through: self.log.last().index,
        })
    }

    /// Gives the index of the entry that says so.
    fn delete(&mut self, deletion: &Deletion) -> Result<u64, WriteError> {
        let TimeRange { start, end } = deletion.range();
        let mut encoder = Encoder::default();
        encoder.deletion(deletion.selector(), start, end);
        let mut entries = Vec::new();
        self.close_entry(&mut encoder, &mut entries);
        self.write(&entries)?;
        // Whatever the durability of samples: a deletion is not taken back by a power cut.
        self.log.sync()?;
        self.head.delete(deletion.matchers(), deletion.range());
        let index = self.log.last().index;
        self.durable.advance(index);
        Ok(index)
    }

    /// Takes away those of these series that are idle and that no request names. If requests
    /// are being read just now, none: they will be asked for again.
    fn retire(&mut self, series: &[SeriesId], before: u32) -> usize {
        let gate = Arc::clone(&self.gate);
        // Not waited for: whoever comes after would have to wait as well.
        let _nobody_looks = match gate.try_write() {
            Ok(closed) => closed,
            Err(TryLockError::Poisoned(closed)) => closed.into_inner(),
            Err(TryLockError::WouldBlock) => return 0,
        };
        let mut leaving: HashSet<SeriesId> = series.iter().copied().collect();
        self.queue.for_each_series(|id| {
            leaving.remove(&id);
        });
        let leaving: Vec<SeriesId> = leaving.into_iter().collect();
        let retired = self.head.retire(&leaving, before);
        for id in &retired {
            self.told.forget(*id);
        }
        retired.len()
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.queue.close();
        // Whoever waits for an answer is told by its loss.
        drop(self.queue.take(Duration::ZERO));
        self.durable.close();
    }
}

/// Buckets for the samples of a group, one for each shard.
pub(super) fn buckets() -> Vec<Vec<(u32, Sample)>> {
    vec![Vec::new(); SHARDS]
}

/// The time now in seconds since 1970.
pub(super) fn seconds(clock: &dyn Clock) -> u32 {
    (clock.now() / 1000) as u32
}
