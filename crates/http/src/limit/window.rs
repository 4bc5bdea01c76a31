//! The exact sliding window: in no stretch of one period, wherever it begins, are
//! there more than the allowed number of events.
//!
//! It remembers when each event was, which is what exactness costs; a
//! [`super::bucket`] needs a single number instead.

use std::collections::VecDeque;
use std::time::Duration;

use super::decision::{Allowance, Decision};

/// The events of one client within the last period.
#[derive(Debug, Default)]
pub struct SlidingWindow {
    /// Oldest first; events of one moment share a run.
    runs: VecDeque<Run>,
    /// Events in all runs.
    total: u64,
}

#[derive(Debug, Clone, Copy)]
struct Run {
    at: Duration,
    count: u32,
}

impl SlidingWindow {
    /// Asks for `cost` events at `now`, of `count` in each `period`. What is
    /// refused is not counted.
    ///
    /// A `now` before that of an earlier call counts as that earlier one, so
    /// that threads need not agree to the nanosecond.
    pub fn take(&mut self, count: u32, period: Duration, cost: u32, now: Duration) -> Decision {
        let now = self.runs.back().map_or(now, |newest| newest.at.max(now));
        self.forget_before(now, period);
        let allowed = self.total + u64::from(cost) <= u64::from(count);
        if allowed && cost > 0 {
            self.count(cost, now);
        }
        let allowance = Allowance {
            count,
            period,
            remaining: (u64::from(count).saturating_sub(self.total)) as u32,
            reset: self
                .runs
                .back()
                .map_or(Duration::ZERO, |newest| newest.at + period - now),
        };
        match allowed {
            true => Decision::Allowed(allowance),
            false => Decision::Refused {
                allowance,
                retry_after: self.until_free(count, period, cost, now),
            },
        }
    }

    /// How much memory it holds beside itself, in bytes.
    pub fn weight(&self) -> usize {
        self.runs.capacity() * size_of::<Run>()
    }

    /// An event counts for one whole period: at its end it is forgotten.
    fn forget_before(&mut self, now: Duration, period: Duration) {
        while let Some(oldest) = self.runs.front()
            && oldest.at + period <= now
        {
            self.total -= u64::from(oldest.count);
            self.runs.pop_front();
        }
    }

    fn count(&mut self, cost: u32, now: Duration) {
        self.total += u64::from(cost);
        match self.runs.back_mut() {
            Some(newest) if newest.at == now => newest.count += cost,
            _ => self.runs.push_back(Run {
                at: now,
                count: cost,
            }),
        }
    }

    /// When enough of the oldest will be forgotten. What costs more than a whole
    /// window never fits; one period is said for it.
    fn until_free(&self, count: u32, period: Duration, cost: u32, now: Duration) -> Duration {
        let mut left = self.total;
        for run in &self.runs {
            left -= u64::from(run.count);
            if left + u64::from(cost) <= u64::from(count) {
                return run.at + period - now;
            }
        }
        period
    }
}

#[cfg(test)]
mod tests {
    use super::{Decision, SlidingWindow};
    use proptest::prelude::*;
    use std::time::Duration;

    const PERIOD: Duration = Duration::from_millis(100);

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn what_is_told() {
        let mut window = SlidingWindow::default();
        let mut check = |now, cost, expected: Result<(u32, u64), u64>| {
            let found = match window.take(3, PERIOD, cost, millis(now)) {
                Decision::Allowed(it) => Ok((it.remaining, it.reset.as_millis() as u64)),
                Decision::Refused { retry_after, .. } => Err(retry_after.as_millis() as u64),
                Decision::Unlimited => panic!("there is a limit"),
            };
            assert_eq!(found, expected, "{cost} at {now}");
        };
        check(0, 1, Ok((2, 100)));
        check(10, 2, Ok((0, 100)));
        check(20, 1, Err(80));
        check(20, 2, Err(90));
        check(20, 4, Err(100));
        check(99, 1, Err(1));
        check(100, 1, Ok((0, 100)));
        // The clock of another thread may be behind.
        check(90, 1, Err(10));
        check(110, 2, Ok((0, 100)));
        check(110, 0, Ok((0, 100)));
    }

    proptest! {
        /// Against a list of all events ever allowed: never more than `count` in
        /// any period, never fewer than could be, and who waits as told succeeds.
        #[test]
        fn never_more_than_the_count_in_any_period(
            steps in proptest::collection::vec((0..40u64, 1..3u32), 1..120),
            count in 1..6u32,
        ) {
            let mut window = SlidingWindow::default();
            let mut events: Vec<Duration> = Vec::new();
            let mut now = Duration::ZERO;
            for (pause, cost) in steps {
                now += millis(pause);
                let recent = events.iter().filter(|at| **at + PERIOD > now).count() as u32;
                match window.take(count, PERIOD, cost, now) {
                    Decision::Allowed(allowance) => {
                        prop_assert!(recent + cost <= count);
                        prop_assert_eq!(allowance.remaining, count - recent - cost);
                        events.extend((0..cost).map(|_| now));
                    }
                    Decision::Refused { retry_after, .. } => {
                        prop_assert!(recent + cost > count);
                        let later = now + retry_after;
                        let then = events.iter().filter(|at| **at + PERIOD > later).count() as u32;
                        prop_assert!(cost > count || then + cost <= count);
                        prop_assert!(retry_after > Duration::ZERO);
                    }
                    Decision::Unlimited => prop_assert!(false),
                }
                prop_assert!(window.runs.len() as u32 <= count);
            }
        }
    }
}
