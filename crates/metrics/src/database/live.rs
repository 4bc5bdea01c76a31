//! The parts that queries read, and when the ones that were are read no more.
//!
//! What is live changes as a whole. Whoever holds a [`Live`] goes on with its parts, so
//! what a flush makes superfluous, the samples of the head that lie in a part now, is kept
//! until nobody holds any that was live before it ([`Current::former`]).

use super::deletion::Deletion;
use super::manifest::{PartDeletion, PartLine};
use crate::eval::TimeRange;
use crate::part::Part;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A part, and what the manifest says of it.
pub(super) struct LivePart {
    part: Part,
    line: PartLine,
    /// What was noted to be deleted before a part got this number is not in it.
    settled: AtomicU64,
}

/// The parts and what they are to be read without.
#[derive(Default)]
pub(super) struct Live {
    /// As the manifest has them: of two in one window the newer comes later.
    parts: Vec<Arc<LivePart>>,
    deletions: Vec<PartDeletion>,
    gone: Gone,
}

/// Whether nobody holds a [`Live`] any more.
pub(super) type Gone = Arc<AtomicBool>;

/// What is live now, and what was.
pub(super) struct Current(Mutex<State>);

struct State {
    live: Arc<Live>,
    /// Of those that were live before and are still held, perhaps.
    former: Vec<Gone>,
}

impl LivePart {
    pub(super) const fn new(part: Part, line: PartLine) -> Self {
        let settled = AtomicU64::new(line.number);
        Self {
            part,
            line,
            settled,
        }
    }

    pub(super) const fn part(&self) -> &Part {
        &self.part
    }

    pub(super) const fn line(&self) -> PartLine {
        self.line
    }

    /// Whether it may have samples in a range.
    pub(super) fn overlaps(&self, range: TimeRange) -> bool {
        let summary = self.part.summary();
        summary.start <= range.end && range.start <= summary.end
    }

    /// Whether it may have something of a deletion, and is to be read without it.
    pub(super) fn may_have(&self, noted: &PartDeletion) -> bool {
        self.settled.load(Ordering::Acquire) < noted.before && self.overlaps(noted.deletion.range())
    }

    /// It was looked through, and has nothing of what was noted to be deleted before a part
    /// got this number.
    pub(super) fn settle(&self, number: u64) {
        self.settled.fetch_max(number, Ordering::AcqRel);
    }

    /// Bytes of its file.
    pub(super) fn bytes(&self) -> u64 {
        self.part.summary().bytes
    }
}

impl Live {
    pub(super) fn new(parts: Vec<Arc<LivePart>>, deletions: Vec<PartDeletion>) -> Self {
        let gone = Arc::default();
        Self {
            parts,
            deletions,
            gone,
        }
    }

    pub(super) fn parts(&self) -> &[Arc<LivePart>] {
        &self.parts
    }

    /// What a part is to be read without.
    pub(super) fn deletions_of(&self, part: &LivePart) -> Vec<Deletion> {
        let about = self.deletions.iter().filter(|noted| part.may_have(noted));
        about.map(|noted| noted.deletion.clone()).collect()
    }

    /// Bytes of all files.
    pub(super) fn bytes(&self) -> u64 {
        self.parts.iter().map(|part| part.bytes()).sum()
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.gone.store(true, Ordering::Release);
    }
}

impl Current {
    pub(super) fn new(live: Live) -> Self {
        let live = Arc::new(live);
        let former = Vec::new();
        Self(Mutex::new(State { live, former }))
    }

    /// What is live now.
    pub(super) fn live(&self) -> Arc<Live> {
        Arc::clone(&self.lock().live)
    }

    /// Puts something else in its place.
    pub(super) fn replace(&self, live: Live) {
        let mut state = self.lock();
        let before = std::mem::replace(&mut state.live, Arc::new(live));
        state.former.push(Arc::clone(&before.gone));
        drop(before);
        state.former.retain(|gone| !gone.load(Ordering::Acquire));
    }

    /// Of everything that was live before and that somebody still reads: whether it has gone.
    pub(super) fn former(&self) -> Vec<Gone> {
        self.lock().former.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
