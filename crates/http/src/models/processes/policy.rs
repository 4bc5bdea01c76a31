//! What a pool of worker processes is told to be.

use crate::models::{Drain, Strategy};
use std::time::Duration;

/// The most slots, and so workers, of one pool: a set of them is one integer.
pub const MAX_SLOTS: usize = 128;

/// The shape of a pool.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Policy {
    /// Workers that there always are, at least 1.
    pub minimum: usize,
    /// Workers that there are when all of them are busy, at most [`MAX_SLOTS`].
    pub maximum: usize,
    /// How connections are spread.
    pub strategy: Strategy,
    /// When the number of workers changes.
    pub load: Load,
    /// When a worker is replaced that serves well.
    pub recycle: Recycle,
    /// How a worker's connections end.
    pub drain: Drain,
    /// How long a worker may take to become ready.
    pub start: Duration,
    /// How long a worker that is ready may give no sign of life.
    pub silence: Duration,
    /// The pause after a worker that failed, and the most that it grows to.
    pub pause: (Duration, Duration),
}

/// When a pool grows and shrinks: by the share of its time for which a worker
/// computes, as the kernel counts it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Load {
    /// Above this share for [`Load::looks_up`] seconds, one is added.
    pub busy: f64,
    /// If one less would stay below this for [`Load::looks_down`] seconds, it goes.
    pub calm: f64,
    /// Seconds before growing: few, since clients wait.
    pub looks_up: u32,
    /// Seconds before shrinking: many, since the next crowd comes soon.
    pub looks_down: u32,
}

/// When a worker is replaced: at the first of these.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Recycle {
    /// After so many requests.
    pub requests: Option<u64>,
    /// At this age.
    pub age: Option<Duration>,
    /// With so many bytes of resident memory.
    pub resident_bytes: Option<u64>,
    /// The first two are shortened for each worker by a random part of this share
    /// (0 to 1), so that workers of one age do not go at one time.
    pub jitter: f64,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            minimum: 1,
            maximum: 1,
            strategy: Strategy::default(),
            load: Load::default(),
            recycle: Recycle::default(),
            drain: Drain::default(),
            start: Duration::from_secs(30),
            silence: Duration::from_secs(60),
            pause: (Duration::from_millis(100), Duration::from_secs(30)),
        }
    }
}

impl Default for Load {
    fn default() -> Self {
        Self {
            busy: 0.75,
            calm: 0.5,
            looks_up: 2,
            looks_down: 30,
        }
    }
}

impl Policy {
    /// A pool of `workers`, neither more nor less.
    pub fn fixed(workers: usize) -> Self {
        Self {
            minimum: workers,
            maximum: workers,
            ..Self::default()
        }
    }

    /// How many listeners the pool needs.
    pub fn listeners(&self) -> usize {
        self.strategy.listeners(self.maximum)
    }

    /// What is wrong with it.
    pub(super) fn fault(&self) -> Option<&'static str> {
        let Self {
            minimum, maximum, ..
        } = *self;
        if minimum == 0 {
            return Some("a pool needs at least one worker");
        }
        if maximum < minimum {
            return Some("a pool's maximum is below its minimum");
        }
        (maximum > MAX_SLOTS).then_some("a pool has at most 128 workers")
    }

    /// Processes that there are at most at the same time: all workers, and as many
    /// that end.
    pub(super) fn processes(&self) -> usize {
        2 * self.maximum
    }
}
