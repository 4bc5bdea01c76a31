//! What may be set, each with its reason.

use super::coarse::Downsampling;
use super::durability::{Durability, Synced};
use super::zeros;
use crate::head::SeriesLimits;
use crate::ingest::Times;
use store::log::Zeros;
use store::log::segments::SEGMENT_BYTES;

const DAY: u64 = 86_400_000;

/// What may be set.
#[derive(Clone)]
pub struct Settings {
    /// How many series there may be in memory.
    pub series: SeriesLimits,
    /// How long samples are kept.
    pub retention: Retention,
    /// How coarse old samples become; not at all without rules.
    pub downsampling: Vec<Downsampling>,
    /// How far in the future a sample may be, in milliseconds: clocks of senders go wrong,
    /// but seldom by more than a day.
    pub ahead: u64,
    /// Samples that may wait to be written: some tens of milliseconds of work, and 100 MB.
    pub queue_samples: usize,
    /// Entries of the log after which the head is flushed, in bytes without labels: a start
    /// replays as many in about two seconds, and no series has much in the head.
    pub flush_bytes: u64,
    /// Length at which a segment of the log is full, in bytes.
    pub segment_bytes: u64,
    /// Milliseconds after which it is flushed although there were fewer.
    pub flush_age: u64,
    /// Seconds without a sample after which a series leaves memory.
    pub idle_seconds: u32,
    /// Bytes of samples that a merge reads in a second, at 16 a sample: in the background, it
    /// takes a fraction of a core and of a disk.
    pub merge_bytes: u64,
    /// What an acknowledgement waits for.
    pub durability: fn() -> Box<dyn Durability>,
    /// Has the zeros of the log's next segment written. Who waits for samples to be durable
    /// should not wait for it.
    pub write_zeros: fn(Zeros),
}

/// How long samples are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// In milliseconds.
    pub age: u64,
    /// The most bytes of all parts, if there is a bound: the oldest go first.
    pub bytes: Option<u64>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            series: SeriesLimits::default(),
            retention: Retention::default(),
            downsampling: Vec::new(),
            ahead: DAY,
            queue_samples: 4_000_000,
            flush_bytes: 128 << 20,
            segment_bytes: SEGMENT_BYTES,
            flush_age: 2 * 3_600_000,
            idle_seconds: 3600,
            merge_bytes: 256 << 20,
            durability: || Box::new(Synced),
            write_zeros: zeros::write_in_background,
        }
    }
}

impl Default for Retention {
    /// Thirteen months, so that a month can be compared with the same a year before.
    fn default() -> Self {
        Self {
            age: 400 * DAY,
            bytes: None,
        }
    }
}

impl Settings {
    /// Which times are taken now, in milliseconds since 1970.
    pub(super) fn times(&self, now: u64) -> Times {
        let all = Times::default();
        let signed = |time: u64| i64::try_from(time).unwrap_or(i64::MAX);
        Times {
            oldest: all
                .oldest
                .max(signed(now).saturating_sub(signed(self.retention.age))),
            newest: all.newest.min(signed(now.saturating_add(self.ahead))),
        }
    }
}
