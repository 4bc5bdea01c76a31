//! A run seen from outside while it lasts: how far it is, and a way to end it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Shared by the threads of a run and whoever watches it.
#[derive(Debug, Default)]
pub struct Course {
    is_stopped: AtomicBool,
    answered: AtomicU64,
    failed: AtomicU64,
}

impl Course {
    /// No request begins any more, and those under way are not counted.
    pub fn stop(&self) {
        self.is_stopped.store(true, Ordering::Relaxed);
    }

    /// Whether somebody stopped it.
    pub fn is_stopped(&self) -> bool {
        self.is_stopped.load(Ordering::Relaxed)
    }

    /// Requests that were answered so far, however.
    pub fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }

    /// Requests that were not answered.
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    pub(super) fn count_answer(&self) {
        self.answered.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_failure(&self) {
        self.failed.fetch_add(1, Ordering::Relaxed);
    }
}
