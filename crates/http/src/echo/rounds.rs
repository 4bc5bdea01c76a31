//! What a row of round trips comes to: percentiles and rates. Only arithmetic.

use std::time::Duration;

/// Round trips, as they were measured.
#[derive(Clone, Debug, Default)]
pub(super) struct Rounds {
    times: Vec<Duration>,
    lost: u64,
}

/// What they come to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Report {
    /// Round trips that were completed.
    pub completed: u64,
    /// Those that were not, in time or at all.
    pub lost: u64,
    /// The fastest.
    pub least: Duration,
    /// The half was no slower.
    pub p50: Duration,
    /// Ninety-nine of a hundred were no slower.
    pub p99: Duration,
    /// The slowest.
    pub most: Duration,
    /// Completed round trips each second, over all of the time.
    pub per_second: f64,
    /// Bytes each second, in one direction.
    pub bytes_per_second: f64,
}

impl Rounds {
    pub(super) fn add(&mut self, time: Duration) {
        self.times.push(time);
    }

    pub(super) fn lose(&mut self) {
        self.lost += 1;
    }

    pub(super) fn append(&mut self, mut other: Self) {
        self.times.append(&mut other.times);
        self.lost += other.lost;
    }

    /// The report on rounds of `bytes` each, which took `elapsed` together.
    pub(super) fn report(mut self, bytes: usize, elapsed: Duration) -> Report {
        self.times.sort_unstable();
        let completed = self.times.len();
        let seconds = elapsed.as_secs_f64();
        let per_second = if seconds > 0.0 {
            completed as f64 / seconds
        } else {
            0.0
        };
        Report {
            completed: completed as u64,
            lost: self.lost,
            least: self.times.first().copied().unwrap_or_default(),
            p50: percentile(&self.times, 50),
            p99: percentile(&self.times, 99),
            most: self.times.last().copied().unwrap_or_default(),
            per_second,
            bytes_per_second: per_second * bytes as f64,
        }
    }
}

/// The smallest of `sorted` that `percent` of them do not exceed (nearest rank).
fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let rank = (sorted.len() * percent).div_ceil(100);
    let index = rank.saturating_sub(1);
    sorted.get(index).copied().unwrap_or_default()
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
        assert_eq!(found, expected.map(Duration::from_micros));
    }

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        check([], [0, 0, 0, 0]);
        check([7], [7, 7, 7, 7]);
        check([2, 1], [1, 1, 2, 2]);
        check([3, 1, 2], [1, 2, 3, 3]);
        check((1..=100).rev(), [1, 50, 99, 100]);
        check(1..=1000, [1, 500, 990, 1000]);
    }

    #[test]
    fn rates_are_over_all_of_the_time() {
        let mut rounds = Rounds::default();
        rounds.lose();
        let mut other = Rounds::default();
        other.add(Duration::from_millis(1));
        other.lose();
        rounds.append(other);
        let report = rounds.report(100, Duration::from_millis(500));
        assert_eq!((report.completed, report.lost), (1, 2));
        assert_eq!((report.per_second, report.bytes_per_second), (2.0, 200.0));
        assert_eq!(Rounds::default().report(1, Duration::ZERO).per_second, 0.0);
    }
}
