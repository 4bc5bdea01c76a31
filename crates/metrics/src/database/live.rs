//! The parts that queries read, and when the ones that were are read no more.
//!
//! What is live changes as a whole. Whoever holds a [`Live`] goes on with its parts, so
//! what a change makes superfluous (samples of the head that lie in a part now) is kept
//! until nobody holds the one before ([`Current::replace`]).

use super::deletion::Deletion;
use super::manifest::{PartDeletion, PartLine};
use crate::eval::TimeRange;
use crate::part::Part;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// A part, and what the manifest says of it.
pub(super) struct LivePart {
    part: Part,
    line: PartLine,
}

/// The parts and what they are to be read without.
#[derive(Default)]
pub(super) struct Live {
    /// As the manifest has them: of two in one window the newer comes later.
    parts: Vec<Arc<LivePart>>,
    deletions: Vec<PartDeletion>,
    gone: Arc<Gone>,
}

/// Tells when nobody holds a [`Live`] any more.
#[derive(Debug, Default)]
pub(super) struct Gone {
    has_gone: Mutex<bool>,
    news: Condvar,
}

/// What is live now.
pub(super) struct Current(Mutex<Arc<Live>>);

impl LivePart {
    pub(super) const fn new(part: Part, line: PartLine) -> Self {
        Self { part, line }
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
        let number = part.line.number;
        let about = self.deletions.iter().filter(|deletion| {
            number < deletion.before && part.overlaps(deletion.deletion.range())
        });
        about.map(|deletion| deletion.deletion.clone()).collect()
    }

    /// Bytes of all files.
    pub(super) fn bytes(&self) -> u64 {
        self.parts.iter().map(|part| part.bytes()).sum()
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        let has_gone = &self.gone.has_gone;
        *has_gone.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.gone.news.notify_all();
    }
}

impl Gone {
    /// Waits until it has.
    pub(super) fn wait(&self) {
        let has_gone = self.has_gone.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.news.wait_while(has_gone, |has_gone| !*has_gone);
        drop(waited);
    }
}

impl Current {
    pub(super) fn new(live: Live) -> Self {
        Self(Mutex::new(Arc::new(live)))
    }

    /// What is live now.
    pub(super) fn live(&self) -> Arc<Live> {
        Arc::clone(&self.lock())
    }

    /// Puts something else in its place; gives who tells when nobody reads what was there.
    pub(super) fn replace(&self, live: Live) -> Arc<Gone> {
        let before = std::mem::replace(&mut *self.lock(), Arc::new(live));
        Arc::clone(&before.gone)
    }

    fn lock(&self) -> MutexGuard<'_, Arc<Live>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
