//! How long many things took, in little room: a histogram whose steps are a thousandth
//! of what they count (HDR).

use hdrhistogram::Histogram;
use std::fmt;
use std::time::Duration;

/// What is shorter counts as this: no request over a socket is.
const LEAST: Duration = Duration::from_micros(1);

/// What is longer counts as this: nobody waits longer for one answer.
const MOST: Duration = Duration::from_secs(24 * 60 * 60);

/// Decimal digits that are kept of each.
const DIGITS: u8 = 3;

/// Durations, exact to a thousandth of each.
#[derive(Clone)]
pub struct Latencies {
    nanoseconds: Histogram<u64>,
}

impl Default for Latencies {
    fn default() -> Self {
        let most = MOST.as_nanos() as u64;
        Self {
            nanoseconds: Histogram::new_with_bounds(1, most, DIGITS)
                .expect("the bounds are apart, and the digits few"),
        }
    }
}

impl Latencies {
    /// Counts one.
    pub fn add(&mut self, latency: Duration) {
        let bounded = latency.clamp(LEAST, MOST);
        self.nanoseconds
            .saturating_record(bounded.as_nanos() as u64);
    }

    /// Counts all of `other`.
    pub fn append(&mut self, other: &Self) {
        self.nanoseconds
            .add(&other.nanoseconds)
            .expect("all have the same bounds");
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.nanoseconds.len()
    }

    /// Their mean; 0 where there are none, as the next.
    pub fn mean(&self) -> Duration {
        Duration::from_nanos(self.nanoseconds.mean() as u64)
    }

    /// The smallest.
    pub fn least(&self) -> Duration {
        Duration::from_nanos(if self.count() == 0 {
            0
        } else {
            self.nanoseconds.min()
        })
    }

    /// The largest.
    pub fn most(&self) -> Duration {
        Duration::from_nanos(self.nanoseconds.max())
    }

    /// What a `quantile` of all (0 to 1) did not exceed.
    pub fn quantile(&self, quantile: f64) -> Duration {
        Duration::from_nanos(self.nanoseconds.value_at_quantile(quantile))
    }

    /// How many took `longer` than the one and no longer than the other.
    pub fn count_between(&self, longer: Duration, no_longer: Duration) -> u64 {
        let until = |time: Duration| {
            let time = time.min(MOST).as_nanos() as u64;
            let steps = self.nanoseconds.iter_recorded();
            steps
                .take_while(|step| step.value_iterated_to() <= time)
                .map(|step| step.count_since_last_iteration())
                .sum::<u64>()
        };
        until(no_longer).saturating_sub(until(longer))
    }
}

impl fmt::Debug for Latencies {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Latencies")
            .field("count", &self.count())
            .field("mean", &self.mean())
            .field("most", &self.most())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(microseconds: impl IntoIterator<Item = u64>) -> Latencies {
        let mut latencies = Latencies::default();
        for time in microseconds {
            latencies.add(Duration::from_micros(time));
        }
        latencies
    }

    #[track_caller]
    fn check(found: Duration, microseconds: u64) {
        let expected = Duration::from_micros(microseconds);
        let least = expected - expected / 1000;
        let most = expected + expected / 1000;
        assert!(
            (least..=most).contains(&found),
            "{found:?}, not {expected:?}"
        );
    }

    #[test]
    fn quantiles_are_exact_to_a_thousandth() {
        let latencies = of(1..=10_000);
        check(latencies.quantile(0.5), 5000);
        check(latencies.quantile(0.99), 9900);
        check(latencies.quantile(0.999), 9990);
        check(latencies.most(), 10_000);
        check(latencies.least(), 1);
        check(latencies.mean(), 5000);
        let none = of([]);
        let all = [none.mean(), none.least(), none.most(), none.quantile(0.5)];
        assert_eq!(all, [Duration::ZERO; 4]);
    }

    #[test]
    fn what_is_out_of_bounds_counts_as_the_bound() {
        let mut latencies = of([]);
        latencies.add(Duration::ZERO);
        latencies.add(Duration::MAX);
        assert_eq!(latencies.count(), 2);
        check(latencies.least(), 1);
        check(latencies.most(), MOST.as_micros() as u64);
    }

    #[test]
    fn parts_add_up() {
        let mut all = of([10, 20, 20]);
        all.append(&of([20, 5000]));
        assert_eq!(all.count(), 5);
        let between = |longer, no_longer| {
            let micros = Duration::from_micros;
            all.count_between(micros(longer), micros(no_longer))
        };
        assert_eq!(between(0, 15), 1);
        assert_eq!(between(15, 100), 3);
        assert_eq!(between(100, 1000), 0);
        assert_eq!(between(0, 6000), 5);
    }
}
