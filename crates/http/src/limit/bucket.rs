//! The token bucket: so many tokens per period, and a store of them for bursts.
//!
//! Kept as one time, that at which the bucket will be full again (the "generic
//! cell rate algorithm"): nothing has to be refilled, and integers suffice.

use std::time::Duration;

use super::decision::{Allowance, Decision};

/// The tokens of one client. A new bucket is full.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TokenBucket {
    /// When it is full again, in nanoseconds of the caller's clock.
    full_at: u64,
}

impl TokenBucket {
    /// Asks for `cost` tokens at `now`, where `count` come back in each
    /// `period`, one by one, and at most `burst` are held. What is refused takes
    /// nothing.
    ///
    /// In any stretch of time `t` at most `burst + count * t / period` are taken.
    pub fn take(
        &mut self,
        count: u32,
        period: Duration,
        burst: u32,
        cost: u32,
        now: Duration,
    ) -> Decision {
        let interval = interval(count, period);
        let now = nanoseconds(now);
        let latest = now.saturating_add(interval.saturating_mul(u64::from(burst)));
        let wanted = interval.saturating_mul(u64::from(cost));
        let full_at = self.full_at.max(now).saturating_add(wanted);
        let allowed = full_at <= latest;
        if allowed {
            self.full_at = full_at;
        }
        let allowance = Allowance {
            count,
            period,
            remaining: (latest.saturating_sub(self.full_at.max(now)) / interval) as u32,
            reset: Duration::from_nanos(self.full_at.saturating_sub(now)),
        };
        match allowed {
            true => Decision::Allowed(allowance),
            // What costs more than a whole bucket never fits; what is said for
            // it is the wait for a bucket of its size.
            false => Decision::Refused {
                allowance,
                retry_after: Duration::from_nanos(full_at - latest),
            },
        }
    }

    /// Makes the bucket one of another rate: at most empty at `now`. Otherwise a
    /// client that spent much under a generous rule would wait for ages under a
    /// strict one.
    pub fn adapt(&mut self, count: u32, period: Duration, burst: u32, now: Duration) {
        let empty = interval(count, period).saturating_mul(u64::from(burst));
        self.full_at = self.full_at.min(nanoseconds(now).saturating_add(empty));
    }
}

/// How long one token takes to come back; rounded up, so that never more come
/// back than allowed.
fn interval(count: u32, period: Duration) -> u64 {
    nanoseconds(period).div_ceil(u64::from(count.max(1))).max(1)
}

/// Up to 584 years.
fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::{Decision, TokenBucket};
    use proptest::prelude::*;
    use std::time::Duration;

    const PERIOD: Duration = Duration::from_millis(100);

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn what_is_told() {
        let mut bucket = TokenBucket::default();
        let mut check = |now, cost, expected: Result<(u32, u64), u64>| {
            let found = match bucket.take(10, PERIOD, 3, cost, millis(now)) {
                Decision::Allowed(it) => Ok((it.remaining, it.reset.as_millis() as u64)),
                Decision::Refused { retry_after, .. } => Err(retry_after.as_millis() as u64),
                Decision::Unlimited => panic!("there is a limit"),
            };
            assert_eq!(found, expected, "{cost} at {now}");
        };
        check(1000, 1, Ok((2, 10)));
        check(1000, 2, Ok((0, 30)));
        check(1000, 1, Err(10));
        check(1009, 1, Err(1));
        check(1010, 1, Ok((0, 30)));
        check(1035, 0, Ok((2, 5)));
        check(1035, 4, Err(15));
        check(5000, 3, Ok((0, 30)));
        check(4000, 1, Err(1010));
    }

    #[test]
    fn a_stricter_rule_does_not_wait_for_the_old_one() {
        let mut bucket = TokenBucket::default();
        let now = millis(1000);
        assert!(
            bucket
                .take(1, Duration::from_secs(60), 100, 100, now)
                .is_allowed()
        );
        bucket.adapt(10, PERIOD, 3, now);
        assert!(!bucket.take(10, PERIOD, 3, 1, now).is_allowed());
        assert!(bucket.take(10, PERIOD, 3, 1, now + millis(10)).is_allowed());
    }

    proptest! {
        /// Between any two takings: at most the burst and what came back, and
        /// who waits as told succeeds.
        #[test]
        fn never_more_than_burst_and_rate(
            steps in proptest::collection::vec((0..40u64, 1..4u32, any::<bool>()), 1..120),
            count in 1..20u32,
            burst in 1..8u32,
        ) {
            let mut bucket = TokenBucket::default();
            let mut taken: Vec<(Duration, u32)> = Vec::new();
            let mut now = millis(50);
            for (pause, cost, waits) in steps {
                now += if waits { Duration::ZERO } else { millis(pause) };
                match bucket.take(count, PERIOD, burst, cost, now) {
                    Decision::Allowed(_) => taken.push((now, cost)),
                    Decision::Refused { retry_after, .. } => {
                        let mut later = bucket;
                        let fits = later.take(count, PERIOD, burst, cost, now + retry_after);
                        prop_assert!(cost > burst || fits.is_allowed());
                        if waits {
                            // To the nanosecond: what is rounded the wrong way shows.
                            now += retry_after;
                        }
                    }
                    Decision::Unlimited => prop_assert!(false),
                }
            }
            for (start, (from, _)) in taken.iter().enumerate() {
                let mut sum = 0u64;
                for (to, cost) in &taken[start..] {
                    sum += u64::from(*cost);
                    let came_back = u128::from(count) * (*to - *from).as_nanos() / PERIOD.as_nanos();
                    prop_assert!(u128::from(sum) <= u128::from(burst) + came_back);
                }
            }
        }
    }
}
