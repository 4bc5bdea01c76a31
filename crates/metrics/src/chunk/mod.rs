//! The samples of one series that came last, in as few bits as keep each of them exactly.
//!
//! A sample is told by what is new in it: how its time differs from the time that the
//! steps before it promise, and in which bits its value differs from the one before it
//! (Pelkonen et al., "Gorilla: A Fast, Scalable, In-Memory Time Series Database", VLDB
//! 2015, section 4.1). Most often neither is anything, and a sample is one bit.
//!
//! ```text
//! first sample     time 64, value 64
//! every other      0                        on time, the same value
//!                  1 0 value                on time, another value
//!                  1 1 0 time               the same value
//!                  1 1 1 time value
//! time             0 +7 | 10 +9 | 110 +12 | 1110 +20 | 1111 +64 bits, two's complement
//! value            0 bits                   of as many bits, as far right, as last time
//!                  1 leading 6, length 6, bits
//! ```
//!
//! A chunk checks nothing of what is given to it: that times grow is the head's concern.
//! Read `writer` first, then `reader`; `bits` puts bits into bytes.

mod bits;
mod reader;
mod writer;

pub use reader::{ChunkError, Reader};
pub use writer::Chunk;

/// What was measured at a moment.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// Milliseconds since 1970.
    pub time: i64,
    /// Any number, and any NaN with all its bits: one of them marks a series as stale.
    pub value: f64,
}

/// Two samples are the same when all their bits are.
impl PartialEq for Sample {
    fn eq(&self, other: &Self) -> bool {
        self.time == other.time && self.value.to_bits() == other.value.to_bits()
    }
}

/// Widths of the differences of times, by the number of ones before them: a second of
/// jitter takes the third, two hours of pause the fourth.
const TIME_BITS: [u32; 5] = [7, 9, 12, 20, 64];

/// Where the bits that differ lie in a value. In bytes: each series in memory has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Window {
    /// Bits before them.
    leading: u8,
    /// How many, from 1 to 64.
    length: u8,
}

impl Window {
    /// Of a difference that is not 0.
    const fn of(difference: u64) -> Self {
        let leading = difference.leading_zeros();
        let length = u64::BITS - leading - difference.trailing_zeros();
        Self {
            leading: leading as u8,
            length: length as u8,
        }
    }

    const fn leading(self) -> u32 {
        self.leading as u32
    }

    const fn length(self) -> u32 {
        self.length as u32
    }

    /// Bits behind them.
    const fn trailing(self) -> u32 {
        u64::BITS - self.leading() - self.length()
    }

    /// Whether all bits of `other` lie in it.
    const fn holds(self, other: Self) -> bool {
        self.leading <= other.leading && self.trailing() <= other.trailing()
    }
}

/// Orders the samples from this index on by time, and keeps of each time the last.
pub(crate) fn settle(samples: &mut Vec<Sample>, from: usize) {
    let added = &mut samples[from..];
    if added.is_sorted_by(|one, next| one.time < next.time) {
        return;
    }
    added.sort_by_key(|sample| sample.time);
    let mut kept = from;
    for index in from + 1..samples.len() {
        if samples[index].time != samples[kept].time {
            kept += 1;
        }
        samples[kept] = samples[index];
    }
    samples.truncate(kept + 1);
}
