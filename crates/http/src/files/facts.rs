//! What the file system says about a file, as plain values.
//!
//! Equal facts mean that the file was not touched in between, save within one
//! tick of the file system's clock: see [`Facts::is_racy`]. Who asks the file
//! system is [`super::root`].

use std::time::Duration;

/// One look at a file or directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// Size in bytes.
    pub size: u64,
    /// When the content was changed, or is said to have been.
    pub modified: Time,
    /// When the inode was changed; programs cannot set it.
    pub changed: Time,
    /// Inode number.
    pub inode: u64,
    /// The file system it is on.
    pub device: u64,
}

/// A time of the file system, in nanoseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(i128);

/// The resolution below which times do not tell two writes apart: kernels before
/// 6.13 stamp with the timer tick, at most 10 ms.
const RACY: Duration = Duration::from_millis(20);

impl Facts {
    /// Whether the file was changed so shortly before `now` (since the epoch)
    /// that it may be changed again without any fact changing.
    pub fn is_racy(&self, now: Duration) -> bool {
        let now = i128::try_from(now.as_nanos()).unwrap_or(i128::MAX);
        self.changed.0.saturating_add(RACY.as_nanos() as i128) >= now
    }
}

impl Time {
    /// From seconds since the epoch and nanoseconds after them.
    pub fn new(seconds: i64, nanoseconds: u32) -> Self {
        Self(i128::from(seconds) * 1_000_000_000 + i128::from(nanoseconds))
    }

    /// Nanoseconds since the epoch.
    pub fn nanoseconds(self) -> i128 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down, as HTTP dates count.
    pub fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000_000) as i64
    }
}

#[cfg(test)]
mod tests {
    use super::{Facts, Time};
    use std::time::Duration;

    #[test]
    fn a_fresh_change_is_racy() {
        let facts = |changed| Facts {
            size: 0,
            modified: Time::new(0, 0),
            changed,
            inode: 0,
            device: 0,
        };
        let now = Duration::from_secs(100);
        assert!(facts(Time::new(99, 990_000_000)).is_racy(now));
        assert!(facts(Time::new(200, 0)).is_racy(now));
        assert!(!facts(Time::new(99, 970_000_000)).is_racy(now));
        assert_eq!(Time::new(-1, 999_999_999).seconds(), -1);
    }
}
