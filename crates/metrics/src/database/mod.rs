//! The store put together: a log, the head, parts, and the threads that move samples from
//! one to the next.
//!
//! ```text
//! request ─▶ Intake ─▶ queue ─▶ writer ─▶ log, synced once for all who wait
//!                                  │
//!                                  └────▶ head ──flush──▶ part ──merge──▶ part
//! query ◀── View ◀───────────────────────── head and parts
//! ```
//!
//! 1. A request finds its series and names its samples (`Intake`), and waits in a bounded
//!    queue.
//! 2. One thread (`writer`) writes everything that waits into the log, syncs it, appends it
//!    to the head and answers.
//! 3. When the log has grown, a cut ends a generation, and what the head has of it is
//!    written into parts, one for each window of time (`flush`). Then the log is let go up to
//!    there, which bounds what a start has to replay (`replay`).
//! 4. Parts are merged, made coarser and let go (`merge`, `retention`); a manifest names
//!    those that count (`keeper`).
//! 5. A query reads the head and all parts, and of several samples of one time the newest
//!    (`view`).
//!
//! Of several locks they are taken in this order: the keeper, what was moved, the gate, then
//! those that are held for a moment alone. So whoever holds an [`Intake`] asks for nothing
//! else of the store.

mod coarse;
mod deletion;
mod durability;
mod error;
mod flush;
mod follow;
mod intake;
mod keeper;
mod kinds;
mod live;
mod live_copy;
mod manifest;
mod merge;
mod queue;
mod replay;
mod retention;
mod scrub;
mod settings;
mod snapshot;
mod told;
mod upkeep;
mod view;
mod window;
mod writer;
mod zeros;

use crate::head::{Head, SeriesLimits};
use base::{Clock, Random};
use flush::Moved;
use follow::Durable;
use keeper::Keeper;
use live::Current;
use manifest::PartDeletion;
use queue::Queue;
use replay::{Replay, Replayed};
use snapshot::Making;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread::JoinHandle;
use store::fs::FileSystem;
use store::log::{HardState, LogReader, Segments};
use told::Told;
use writer::{Command, Writer};

pub use coarse::Downsampling;
pub use deletion::Deletion;
pub use durability::{Durability, Synced, Written};
pub use error::{EntryError, OpenError, UpkeepError, WriteError};
pub use follow::Follower;
pub use intake::Intake;
pub use keeper::Damaged;
pub use kinds::Kinds;
pub use live_copy::LiveCopy;
pub use manifest::{ManifestError, rewrite_manifest};
pub use queue::Done;
pub use scrub::{Scrubbed, scrub_folder};
pub use settings::{Retention, Settings};
pub use upkeep::{Pace, Unpaced, Upkeep, Upkept};
pub use view::View;
pub use writer::UNSYNCED;

/// The folder of the log.
const LOG: &str = "log";

/// A store of samples.
pub struct Database {
    head: Arc<Head>,
    kinds: Arc<Kinds>,
    current: Current,
    queue: Arc<Queue<Command>>,
    gate: Arc<RwLock<()>>,
    reader: LogReader,
    durable: Arc<Durable>,
    keeper: Mutex<Keeper>,
    moved: Mutex<Moved>,
    /// Whether there may be series without samples that have not left.
    are_idle: AtomicBool,
    /// Bytes of labels that the log has since the last cut.
    label_bytes: Arc<AtomicU64>,
    /// Snapshots.
    making: Making,
    /// Parts that cannot be read.
    damaged: AtomicUsize,
    /// The id of the log.
    log: u64,
    settings: Settings,
    clock: Arc<dyn Clock>,
    /// Where the last cut was, and when, in milliseconds since 1970.
    cut: AtomicU64,
    cut_at: AtomicU64,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Statistics {
    /// Series of the head.
    pub series: u64,
    /// Samples that wait to be written.
    pub waiting: usize,
    /// Parts.
    pub parts: usize,
    /// Samples in parts, each as often as it is there.
    pub part_samples: u64,
    /// Bytes of parts.
    pub part_bytes: u64,
    /// Parts that cannot be read.
    pub damaged: usize,
}

impl Database {
    /// Opens the store in `directory`, or begins one there; replays what no part holds.
    ///
    /// # Errors
    /// [`OpenError`] says what is damaged or what the disk says. A damaged part is no error:
    /// it is left out ([`Database::damaged`]).
    pub fn open(
        fs: Arc<dyn FileSystem>,
        directory: &Path,
        settings: Settings,
        clock: Arc<dyn Clock>,
        random: &dyn Random,
    ) -> Result<Arc<Self>, OpenError> {
        let mut keeper = Keeper::open(Arc::clone(&fs), directory)?;
        snapshot::remove_unfinished(&*fs, directory);
        let mut log = Segments::open(fs, &directory.join(LOG), settings.segment_bytes, random)?;
        begin_terms(&mut log)?;
        let id = log.id().to_u64();
        let reader = log.reader();
        let head = Arc::new(Head::new(settings.series, random));
        let kinds = Arc::new(Kinds::default());
        for (name, kind) in &keeper.manifest().kinds {
            kinds.set(name, *kind);
        }
        let (flushed_log, flushed) = keeper.manifest().flushed;
        let flushed = if flushed_log == id { flushed } else { 0 };
        if flushed_log != id && flushed_log != 0 {
            let log = directory.join(LOG);
            let log = log.display();
            tracing::error!(
                "metrics: {log} is another log than the one whose samples lie in parts: what only \
                 that had is missing; it is {flushed_log:016x}"
            );
        }
        let replay = Replay::new(&head, &kinds, writer::seconds(&*clock));
        let Replayed {
            mut deletions,
            label_bytes,
        } = replay.run(&reader, flushed)?;
        // The manifest knows those that were noted before the store was closed.
        let noted = &keeper.manifest().deletions;
        deletions.retain(|one| !noted.iter().any(|other| other.deletion.is(one)));
        delete_from_parts(&mut keeper, deletions)?;

        let durable = Arc::new(Durable::new(reader.last().index));
        let queue = Arc::new(Queue::new(settings.queue_samples));
        let gate = Arc::new(RwLock::new(()));
        let label_bytes = Arc::new(AtomicU64::new(label_bytes));
        let writer = Writer {
            head: Arc::clone(&head),
            kinds: Arc::clone(&kinds),
            queue: Arc::clone(&queue),
            gate: Arc::clone(&gate),
            log,
            durability: (settings.durability)(),
            write_zeros: settings.write_zeros,
            durable: Arc::clone(&durable),
            synced: clock.now(),
            clock: Arc::clone(&clock),
            told: Told::default(),
            label_bytes: Arc::clone(&label_bytes),
            told_bytes: 0,
            generation: 0,
            shards: writer::buckets(),
        };
        let thread = std::thread::Builder::new().name("metrics log".to_owned());
        let thread = thread
            .spawn(move || writer.run())
            .map_err(OpenError::Thread)?;
        Ok(Arc::new(Self {
            head,
            kinds,
            current: Current::new(keeper.live()),
            queue,
            gate,
            reader,
            durable,
            damaged: AtomicUsize::new(keeper.damaged().len()),
            keeper: Mutex::new(keeper),
            moved: Mutex::default(),
            are_idle: AtomicBool::new(false),
            label_bytes,
            making: Making::default(),
            log: id,
            settings,
            cut: AtomicU64::new(flushed),
            cut_at: AtomicU64::new(clock.now()),
            clock,
            thread: Mutex::new(Some(thread)),
        }))
    }

    /// What there is now, for queries.
    pub fn view(&self) -> View {
        // What the head has now stays there for as long as the view does not know a part that
        // has it.
        View::new(
            Arc::clone(&self.head),
            self.current.live(),
            self.oldest_kept(),
        )
    }

    /// What the values of metrics mean.
    pub fn kinds(&self) -> &Kinds {
        &self.kinds
    }

    /// The settings that it was opened with.
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Puts other bounds of series in force, for series to come.
    pub fn set_series_limits(&self, limits: SeriesLimits) {
        self.head.set_limits(limits);
    }

    /// Deletes samples: those that were acknowledged before. They are gone from answers when
    /// this returns, and from files after the next merges.
    ///
    /// # Errors
    /// When it cannot be made durable; it may then be done or not.
    pub fn delete(&self, deletion: Deletion) -> Result<(), UpkeepError> {
        let mut keeper = self.keeper();
        if !keeper.has_room_for(&deletion) {
            return Err(UpkeepError::Deletions);
        }
        self.command(|answer| Command::Delete(deletion.clone(), answer))?;
        delete_from_parts(&mut keeper, vec![deletion])?;
        self.current.replace(keeper.live());
        Ok(())
    }

    /// Follows the log behind the entry `after`.
    pub fn follow(&self, after: u64) -> Follower {
        Follower::new(self.reader.clone(), Arc::clone(&self.durable), after)
    }

    /// The last entry of the generations that lie in parts: whoever follows from behind it
    /// is told everything that parts do not have.
    pub fn generation_start(&self) -> u64 {
        self.cut.load(Ordering::SeqCst)
    }

    /// The last entry that is acknowledged.
    pub fn acknowledged(&self) -> u64 {
        self.durable.through()
    }

    /// Parts that cannot be read, and why.
    pub fn damaged(&self) -> Vec<Damaged> {
        self.keeper().damaged().to_vec()
    }

    /// What there is.
    pub fn statistics(&self) -> Statistics {
        let live = self.current.live();
        let samples = live
            .parts()
            .iter()
            .map(|part| part.part().summary().samples);
        Statistics {
            series: self.head.series(),
            waiting: self.queue.waiting(),
            parts: live.parts().len(),
            part_samples: samples.sum(),
            part_bytes: live.bytes(),
            damaged: self.damaged.load(Ordering::Relaxed),
        }
    }

    /// Takes nothing more, writes what waits and syncs it. Dropping the store does the same.
    pub fn close(&self) {
        self.queue.close();
        let thread = self
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(thread) = thread {
            // If it panicked, that was told where it happened.
            let _ = thread.join();
        }
    }

    /// Has the writing thread do something and waits for its answer.
    fn command<T>(
        &self,
        command: impl FnOnce(SyncSender<Result<T, WriteError>>) -> Command,
    ) -> Result<T, WriteError> {
        let (answer, answered): (_, Receiver<_>) = sync_channel(1);
        self.queue.command(command(answer))?;
        answered.recv().unwrap_or(Err(WriteError::Closed))
    }

    fn moved(&self) -> MutexGuard<'_, Moved> {
        self.moved.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What it guards is replaced as a whole, so a panic leaves it as it was.
    fn keeper(&self) -> MutexGuard<'_, Keeper> {
        self.keeper.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        self.close();
    }
}

/// Entries have a term, and a log knows the latest.
fn begin_terms(log: &mut Segments) -> Result<(), OpenError> {
    if log.hard_state().term < writer::TERM {
        log.set_hard_state(HardState {
            term: writer::TERM,
            ..HardState::default()
        })?;
        log.sync()?;
    }
    Ok(())
}

/// Has all parts that there are read without what was deleted.
fn delete_from_parts(keeper: &mut Keeper, deletions: Vec<Deletion>) -> Result<(), UpkeepError> {
    if deletions.is_empty() {
        return Ok(());
    }
    let parts = keeper.parts().to_vec();
    keeper.commit(parts, &[], |manifest| {
        let before = manifest.next;
        let deletions = deletions.into_iter();
        let deletions = deletions.map(|deletion| PartDeletion { before, deletion });
        manifest.deletions.extend(deletions);
    })
}
