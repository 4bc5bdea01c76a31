//! What a row of round trips comes to: percentiles and rates. Only arithmetic.
//!
//! However many there are, they take the same room: they are counted by how long
//! they took, in steps of less than a hundredth.

use std::time::Duration;

/// Steps between a time and twice that time: `2^STEP_BITS` of them.
const STEP_BITS: u32 = 7;
const STEPS: u64 = 1 << STEP_BITS;

/// Round trips, as they were measured.
#[derive(Clone, Debug, Default)]
pub(super) struct Rounds {
    /// How many took about as long, by [`step`]; as long as the slowest needs.
    counts: Vec<u64>,
    sent: u64,
    received: u64,
    lost: u64,
    least: Option<Duration>,
    most: Duration,
}

/// What they come to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Report {
    /// Round trips that were begun.
    pub sent: u64,
    /// Round trips that were completed.
    pub received: u64,
    /// Those that nothing came back of, in time or at all. Beside them, what else was
    /// sent is what came back wrong, or was given up.
    pub lost: u64,
    /// The fastest.
    pub least: Duration,
    /// The half was no slower; exact to a hundredth, as the next.
    pub p50: Duration,
    /// Ninety-nine of a hundred were no slower.
    pub p99: Duration,
    /// The slowest.
    pub most: Duration,
    /// How long all of it took.
    pub elapsed: Duration,
    /// Completed round trips each second, over all of the time.
    pub per_second: f64,
    /// Bytes each second, in one direction.
    pub bytes_per_second: f64,
}

impl Rounds {
    pub(super) fn begin(&mut self) {
        self.sent += 1;
    }

    pub(super) fn add(&mut self, time: Duration) {
        let step = step(nanoseconds(time));
        if self.counts.len() <= step {
            self.counts.resize(step + 1, 0);
        }
        self.counts[step] += 1;
        self.received += 1;
        self.least = Some(self.least.map_or(time, |least| least.min(time)));
        self.most = self.most.max(time);
    }

    pub(super) fn lose(&mut self) {
        self.lost += 1;
    }

    pub(super) fn append(&mut self, other: &Self) {
        if self.counts.len() < other.counts.len() {
            self.counts.resize(other.counts.len(), 0);
        }
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.sent += other.sent;
        self.received += other.received;
        self.lost += other.lost;
        self.least = self.least.into_iter().chain(other.least).min();
        self.most = self.most.max(other.most);
    }

    /// The report on rounds of `bytes` each, which took `elapsed` together.
    pub(super) fn report(&self, bytes: usize, elapsed: Duration) -> Report {
        let seconds = elapsed.as_secs_f64();
        let per_second = if seconds > 0.0 {
            self.received as f64 / seconds
        } else {
            0.0
        };
        Report {
            sent: self.sent,
            received: self.received,
            lost: self.lost,
            least: self.least.unwrap_or_default(),
            p50: self.percentile(50),
            p99: self.percentile(99),
            most: self.most,
            elapsed,
            per_second,
            bytes_per_second: per_second * bytes as f64,
        }
    }

    /// The smallest that `percent` of all do not exceed (nearest rank).
    fn percentile(&self, percent: u64) -> Duration {
        let rank = (self.received * percent).div_ceil(100);
        let mut passed = 0;
        let found = self.counts.iter().position(|count| {
            passed += count;
            passed >= rank && passed > 0
        });
        let longest = found.map(|step| Duration::from_nanos(longest_of(step)));
        longest.map_or(Duration::ZERO, |longest| {
            longest.clamp(self.least.unwrap_or_default(), self.most)
        })
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// The step that a time belongs to: each nanosecond is one up to [`STEPS`]; from
/// there on, as many between each power of two and the next.
fn step(nanoseconds: u64) -> usize {
    let bits = u64::BITS - nanoseconds.leading_zeros();
    let shift = bits.saturating_sub(STEP_BITS + 1);
    (u64::from(shift) * STEPS + (nanoseconds >> shift)) as usize
}

/// The longest time that belongs to a step.
fn longest_of(step: usize) -> u64 {
    let shift = (step as u64 / STEPS).saturating_sub(1);
    let first = (step as u64 - shift * STEPS) << shift;
    first + ((1 << shift) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(times: impl IntoIterator<Item = u64>, expected: [u64; 4]) {
        let mut rounds = Rounds::default();
        for time in times {
            rounds.add(Duration::from_micros(time));
        }
        let report = rounds.report(10, Duration::from_secs(2));
        let found = [report.least, report.p50, report.p99, report.most];
        for (found, expected) in found.into_iter().zip(expected) {
            let expected = Duration::from_micros(expected);
            assert!(
                (expected..=expected + expected / 100).contains(&found),
                "{found:?} instead of {expected:?}"
            );
        }
    }

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        check([], [0, 0, 0, 0]);
        check([7], [7, 7, 7, 7]);
        check([2, 1], [1, 1, 2, 2]);
        check([3, 1, 2], [1, 2, 3, 3]);
        check((1..=100).rev(), [1, 50, 99, 100]);
        check(1..=1000, [1, 500, 990, 1000]);
        check([1, 1, 60_000_000], [1, 1, 60_000_000, 60_000_000]);
    }

    /// No time is lost between two steps, and none is wider than a hundredth.
    #[test]
    fn steps_follow_each_other() {
        let mut next = 0;
        for index in 0..57 * STEPS as usize {
            let longest = longest_of(index);
            assert_eq!((step(next), step(longest)), (index, index));
            assert!(longest - next <= next / 100, "{next} to {longest}");
            next = longest + 1;
        }
        assert_eq!(longest_of(step(u64::MAX)), u64::MAX);
    }

    #[test]
    fn rates_are_over_all_of_the_time() {
        let mut rounds = Rounds::default();
        rounds.begin();
        rounds.lose();
        let mut other = Rounds::default();
        (0..3).for_each(|_| other.begin());
        other.add(Duration::from_millis(1));
        other.lose();
        rounds.append(&other);
        let report = rounds.report(100, Duration::from_millis(500));
        assert_eq!((report.sent, report.received, report.lost), (4, 1, 2));
        assert_eq!((report.per_second, report.bytes_per_second), (2.0, 200.0));
        assert_eq!(report.least, Duration::from_millis(1));
        assert_eq!(Rounds::default().report(1, Duration::ZERO).per_second, 0.0);
    }
}
