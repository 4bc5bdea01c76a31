//! The log of a site with one node: whatever is durable is committed.
//!
//! One thread writes. It takes everything that waits, appends it in one write,
//! syncs once, answers all proposers, and only then lets followers see the
//! entries. Recent entries stay in memory, so that followers who keep up never
//! touch the disk.

use super::reader::LogReader;
use super::segments::{SEGMENT_BYTES, Segments};
use super::{Done, Entry, Follow, Followed, HardState, Log, LogError, Proposed};
use crate::fs::FileSystem;
use crate::lock::{lock, wait};
use base::{LogId, Random, limits};
use std::collections::VecDeque;
use std::path::Path;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;

/// The only term of a log without elections; raft's are higher.
const TERM: u64 = 1;

/// Most bytes written and synced together: a sync of more takes long enough for
/// the first proposer to notice.
const BATCH_BYTES: usize = 8 << 20;

/// About the most bytes in one answer of [`Follow::next`].
const FOLLOW_BYTES: usize = 4 << 20;

/// Sizes of an embedded log; the default suits a node.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Length at which a segment is full.
    pub segment_bytes: u64,
    /// Commands that may wait to be written, in bytes.
    pub queue_bytes: usize,
    /// Recent entries kept in memory for followers, in bytes.
    pub recent_bytes: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            segment_bytes: SEGMENT_BYTES,
            queue_bytes: 32 << 20,
            recent_bytes: 8 << 20,
        }
    }
}

/// The log of a site with one node.
pub struct EmbeddedLog {
    id: LogId,
    shared: Arc<Shared>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    queue: Mutex<Queue>,
    work: Condvar,
    published: Mutex<Published>,
    news: Condvar,
    reader: LogReader,
    queue_bytes: usize,
    recent_bytes: usize,
}

/// What waits for the writer.
#[derive(Default)]
struct Queue {
    proposals: VecDeque<Proposal>,
    bytes: usize,
    compactions: Vec<Compaction>,
    closed: bool,
}

struct Proposal {
    batch: Vec<Vec<u8>>,
    bytes: usize,
    done: Done,
}

struct Compaction {
    through: u64,
    answer: SyncSender<Result<(), LogError>>,
}

/// What others may know.
struct Published {
    committed: u64,
    /// The last entry that followers may see: `committed`, except while the
    /// proposers of the entries between are being answered.
    visible: u64,
    /// The last entries, without gaps, ending at `visible`.
    recent: VecDeque<Entry>,
    recent_bytes: usize,
    /// Why nothing will be committed any more, once the disk has failed.
    failed: Option<LogError>,
    closed: bool,
}

struct Follower {
    shared: Arc<Shared>,
    after: u64,
}

impl EmbeddedLog {
    /// Opens the log in `directory`, or creates one whose id is drawn from
    /// `random`.
    ///
    /// # Errors
    /// [`LogError::Damaged`], or what the disk says.
    pub fn open(
        fs: Arc<dyn FileSystem>,
        directory: &Path,
        random: &dyn Random,
    ) -> Result<Self, LogError> {
        Self::open_with(fs, directory, random, &Settings::default())
    }

    /// [`EmbeddedLog::open`] with other sizes.
    ///
    /// # Errors
    /// As [`EmbeddedLog::open`].
    pub fn open_with(
        fs: Arc<dyn FileSystem>,
        directory: &Path,
        random: &dyn Random,
        settings: &Settings,
    ) -> Result<Self, LogError> {
        let mut segments = Segments::open(fs, directory, settings.segment_bytes, random)?;
        if segments.hard_state().term < TERM {
            segments.set_hard_state(HardState {
                term: TERM,
                ..HardState::default()
            })?;
            segments.sync()?;
        }
        let id = segments.id();
        let last = segments.last().index;
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            work: Condvar::new(),
            published: Mutex::new(Published {
                committed: last,
                visible: last,
                recent: VecDeque::new(),
                recent_bytes: 0,
                failed: None,
                closed: false,
            }),
            news: Condvar::new(),
            reader: segments.reader(),
            queue_bytes: settings.queue_bytes,
            recent_bytes: settings.recent_bytes,
        });
        let writer = Writer {
            shared: Arc::clone(&shared),
            segments,
        };
        let thread = std::thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || writer.run())
            .map_err(|error| LogError::io("start a thread for", directory, error))?;
        Ok(Self {
            id,
            shared,
            writer: Mutex::new(Some(thread)),
        })
    }
}

impl Log for EmbeddedLog {
    fn id(&self) -> LogId {
        self.id
    }

    fn propose(&self, batch: Vec<Vec<u8>>, done: Done) {
        if let Err((error, done)) = self.shared.enqueue(batch, done) {
            done(Err(error));
        }
    }

    fn follow(&self, after: u64) -> Result<Box<dyn Follow>, LogError> {
        self.shared.check_committed(after)?;
        Ok(Box::new(Follower {
            shared: Arc::clone(&self.shared),
            after,
        }))
    }

    fn compact(&self, through: u64) -> Result<(), LogError> {
        self.shared.check_committed(through)?;
        let (answer, answered) = sync_channel(1);
        let mut queue = self.shared.queue();
        if queue.closed {
            return Err(LogError::Closed);
        }
        queue.compactions.push(Compaction { through, answer });
        drop(queue);
        self.shared.work.notify_one();
        answered.recv().unwrap_or(Err(LogError::Closed))
    }

    fn committed(&self) -> u64 {
        self.shared.published().committed
    }

    fn first(&self) -> u64 {
        self.shared.reader.first()
    }

    fn shutdown(&self) {
        self.shared.queue().closed = true;
        self.shared.work.notify_one();
        let writer = lock(&self.writer).take();
        if let Some(thread) = writer
            && thread.thread().id() != std::thread::current().id()
        {
            // Its panic was reported by the panic hook, and followers saw the end.
            let _ = thread.join();
        }
    }
}

impl Drop for EmbeddedLog {
    fn drop(&mut self) {
        self.shutdown();
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        lock(&self.queue)
    }

    fn published(&self) -> MutexGuard<'_, Published> {
        lock(&self.published)
    }

    fn check_committed(&self, index: u64) -> Result<(), LogError> {
        let committed = self.published().committed;
        if index > committed {
            return Err(LogError::Ahead { index, committed });
        }
        Ok(())
    }

    fn enqueue(&self, batch: Vec<Vec<u8>>, done: Done) -> Result<(), (LogError, Done)> {
        let limit = limits::COMMAND_BYTES;
        if let Some(long) = batch.iter().find(|command| command.len() > limit) {
            let bytes = long.len();
            return Err((LogError::TooLong { bytes, limit }, done));
        }
        let bytes = batch.iter().map(Vec::len).sum();
        let mut queue = self.queue();
        if queue.closed {
            return Err((LogError::Closed, done));
        }
        // A batch longer than the whole queue is taken when nothing waits.
        if queue.bytes > 0 && queue.bytes + bytes > self.queue_bytes {
            let waiting = queue.bytes;
            return Err((LogError::Full { waiting }, done));
        }
        queue.bytes += bytes;
        queue.proposals.push_back(Proposal { batch, bytes, done });
        drop(queue);
        self.work.notify_one();
        Ok(())
    }

    fn publish(&self, entries: Vec<Entry>) {
        let Some(last) = entries.last() else { return };
        let mut published = self.published();
        published.visible = last.index;
        published.recent_bytes += entries.iter().map(|entry| entry.bytes.len()).sum::<usize>();
        published.recent.extend(entries);
        while published.recent_bytes > self.recent_bytes {
            let oldest = published.recent.pop_front().expect("its bytes are counted");
            published.recent_bytes -= oldest.bytes.len();
        }
        drop(published);
        self.news.notify_all();
    }

    /// Tells followers, once they have seen what is committed, that no more comes.
    fn fail(&self, error: LogError) {
        self.published().failed.get_or_insert(error);
        self.news.notify_all();
    }

    /// Ends everything, whatever ended the writer.
    fn close(&self) {
        let mut queue = self.queue();
        queue.closed = true;
        let left = std::mem::take(&mut *queue);
        queue.closed = true;
        drop(queue);
        for proposal in left.proposals {
            (proposal.done)(Err(LogError::Closed));
        }
        self.published().closed = true;
        self.news.notify_all();
    }
}

struct Writer {
    shared: Arc<Shared>,
    segments: Segments,
}

/// What the writer does next.
#[derive(Default)]
struct Work {
    proposals: Vec<Proposal>,
    compactions: Vec<Compaction>,
    closed: bool,
}

impl Writer {
    fn run(mut self) {
        /// A panic in a proposer's callback must not leave anyone waiting.
        struct CloseAtEnd(Arc<Shared>);
        impl Drop for CloseAtEnd {
            fn drop(&mut self) {
                self.0.close();
            }
        }
        let _close = CloseAtEnd(Arc::clone(&self.shared));
        loop {
            let work = self.wait_for_work();
            if !work.proposals.is_empty() {
                self.commit(work.proposals);
            }
            for compaction in work.compactions {
                let result = self.segments.purge_prefix(compaction.through);
                // Who asked may have gone.
                let _ = compaction.answer.send(result);
            }
            if work.closed {
                return;
            }
        }
    }

    /// Blocks until there is work; `closed` only comes when nothing else is left.
    fn wait_for_work(&self) -> Work {
        let mut queue = self.shared.queue();
        while queue.proposals.is_empty() && queue.compactions.is_empty() && !queue.closed {
            queue = wait(&self.shared.work, queue);
        }
        let mut work = Work {
            compactions: std::mem::take(&mut queue.compactions),
            ..Work::default()
        };
        let mut bytes = 0;
        while let Some(proposal) = queue.proposals.front()
            && (bytes == 0 || bytes + proposal.bytes <= BATCH_BYTES)
        {
            bytes += proposal.bytes.max(1);
            queue.bytes -= proposal.bytes;
            work.proposals.extend(queue.proposals.pop_front());
        }
        work.closed = queue.closed && queue.proposals.is_empty();
        work
    }

    fn commit(&mut self, proposals: Vec<Proposal>) {
        let mut index = self.segments.last().index;
        let mut entries = Vec::new();
        let mut waiting = Vec::with_capacity(proposals.len());
        for proposal in proposals {
            let first = index + 1;
            for command in proposal.batch {
                index += 1;
                entries.push(Entry {
                    index,
                    term: TERM,
                    kind: Entry::COMMAND,
                    bytes: command.into(),
                });
            }
            waiting.push((first..=index, proposal.done));
        }
        let was_poisoned = self.segments.is_poisoned();
        let written = self
            .segments
            .append(&entries)
            .and_then(|()| self.segments.sync());
        if written.is_ok() {
            self.shared.published().committed = index;
        }
        for (indexes, done) in waiting {
            done(match &written {
                Ok(()) => Ok(Proposed::Committed {
                    indexes: indexes.collect(),
                }),
                // These may be on the disk; only a restart shows it.
                Err(LogError::Poisoned { .. }) if !was_poisoned => Ok(Proposed::Unknown),
                Err(error) => Err(error.clone()),
            });
        }
        match written {
            Ok(()) => self.shared.publish(entries),
            Err(error @ LogError::Poisoned { .. }) => self.shared.fail(error),
            Err(_) => {}
        }
    }
}

impl Follow for Follower {
    fn next(&mut self) -> Result<Followed, LogError> {
        let shared = Arc::clone(&self.shared);
        let mut published = shared.published();
        while published.visible <= self.after && published.failed.is_none() && !published.closed {
            published = wait(&shared.news, published);
        }
        let visible = published.visible;
        if visible <= self.after {
            return published.failed.clone().map_or(Ok(Followed::Closed), Err);
        }
        let recent = recent_entries(&published.recent, self.after);
        drop(published);
        let entries = match recent {
            Some(entries) => entries,
            None => shared.reader.read(self.after + 1, visible, FOLLOW_BYTES)?,
        };
        match entries.last() {
            Some(last) => {
                self.after = last.index;
                Ok(Followed::Entries(entries))
            }
            None => Ok(Followed::Compacted {
                first: shared.reader.first(),
            }),
        }
    }
}

/// The entries behind `after`, if they are all in memory.
fn recent_entries(recent: &VecDeque<Entry>, after: u64) -> Option<Vec<Entry>> {
    let oldest = recent.front()?.index;
    let skipped = (after + 1).checked_sub(oldest)? as usize;
    let mut bytes = 0;
    let fitting = recent.iter().skip(skipped).take_while(|entry| {
        let fits = bytes == 0 || bytes + entry.bytes.len() <= FOLLOW_BYTES;
        bytes += entry.bytes.len().max(1);
        fits
    });
    Some(fitting.cloned().collect())
}
