//! When requests are due: as soon as a client is free, or at a steady rate.
//!
//! In the open loop a request is due at its time whether or not a client is free, as the
//! users of a server do not wait for each other. Whoever counts its latency from then on
//! does not leave out the waiting that a slow server causes ("coordinated omission",
//! G. Tene, "How NOT to Measure Latency"). Pure: times are since the beginning of the run.

use std::time::Duration;

/// In the open loop, the last requests begin up to so long after the end: it may be this
/// machine that was late, not the server.
const GRACE: Duration = Duration::from_millis(200);

/// What makes a request due.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// The closed loop: each client asks again when it was answered.
    Closed,
    /// The open loop: so many requests a second by all clients together, evenly spread.
    Open {
        /// More than 0.
        per_second: f64,
    },
}

/// When a run is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    /// After so many requests of all clients together.
    Requests(u64),
    /// After so long, in which requests begin.
    Lasting(Duration),
    /// When each of so many requests was sent once: those of each client one after another.
    /// Who has sent all of its own is known to whoever runs the clients, and not here.
    Once(u64),
}

/// Whether a request begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Now, and it was due at the time that is given, which may be past.
    Now(Duration),
    /// Not before this time.
    At(Duration),
    /// Never again.
    Over,
}

/// The requests of one thread, one after another.
#[derive(Clone, Debug)]
pub struct Schedule {
    pace: Pace,
    amount: Amount,
    /// Which request is next, among those of all threads, and how far it is from there to
    /// the next but one: threads take them in turn.
    number: u64,
    step: u64,
}

impl Schedule {
    /// The requests of thread `thread` of `threads`.
    pub fn new(pace: Pace, amount: Amount, thread: usize, threads: usize) -> Self {
        Self {
            pace,
            amount,
            number: thread as u64,
            step: threads as u64,
        }
    }

    /// Whether a client that is free at `now` begins a request; if so, it is taken.
    pub fn next(&mut self, now: Duration) -> Turn {
        let is_over = match self.amount {
            Amount::Requests(count) => self.number >= count,
            Amount::Lasting(time) => self.due(now) >= time || now >= time + self.grace(),
            Amount::Once(_) => false,
        };
        if is_over {
            return Turn::Over;
        }
        let due = self.due(now);
        if due > now {
            return Turn::At(due);
        }
        self.number += self.step;
        Turn::Now(due)
    }

    /// How many requests were due before `now` and have not begun. In the closed loop
    /// these are none, because a request is due when it begins; nor are there any of those
    /// that are sent once.
    pub fn overdue(&self, now: Duration) -> u64 {
        let Pace::Open { per_second } = self.pace else {
            return 0;
        };
        let due = |until: Duration| (until.as_secs_f64() * per_second).ceil() as u64;
        let end = match self.amount {
            Amount::Requests(count) => count.min(due(now)),
            Amount::Lasting(time) => due(time.min(now)),
            Amount::Once(_) => return 0,
        };
        end.saturating_sub(self.number).div_ceil(self.step)
    }

    /// How long after the end a request may begin that was due before it.
    fn grace(&self) -> Duration {
        match self.pace {
            Pace::Closed => Duration::ZERO,
            Pace::Open { .. } => GRACE,
        }
    }

    /// When the next request is due.
    fn due(&self, now: Duration) -> Duration {
        match self.pace {
            Pace::Closed => now,
            Pace::Open { per_second } => {
                let seconds = self.number as f64 / per_second;
                // What lies beyond all time is never due.
                Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const fn ms(time: u64) -> Duration {
        Duration::from_millis(time)
    }

    /// What is told at each of `times`, of thread `thread` of two.
    #[track_caller]
    fn check(pace: Pace, amount: Amount, thread: usize, expected: &[(u64, Turn)]) {
        let mut schedule = Schedule::new(pace, amount, thread, 2);
        for &(now, turn) in expected {
            assert_eq!(schedule.next(ms(now)), turn, "at {now} ms");
        }
    }

    #[test]
    fn a_closed_loop_asks_whenever_a_client_is_free() {
        let now = |time| (time, Turn::Now(ms(time)));
        let three = Amount::Requests(3);
        check(Pace::Closed, three, 0, &[now(0), now(7), (7, Turn::Over)]);
        check(Pace::Closed, three, 1, &[now(5), (9, Turn::Over)]);
        let lasting = Amount::Lasting(ms(10));
        check(
            Pace::Closed,
            lasting,
            1,
            &[now(0), now(9), (10, Turn::Over)],
        );
    }

    #[test]
    fn an_open_loop_asks_at_its_rate_and_catches_up() {
        let pace = Pace::Open { per_second: 100.0 };
        let late = [
            (0, Turn::Now(ms(0))),
            (1, Turn::At(ms(20))),
            (55, Turn::Now(ms(20))),
            (55, Turn::Now(ms(40))),
            (55, Turn::At(ms(60))),
        ];
        check(pace, Amount::Lasting(ms(100)), 0, &late);
        let second = [
            (0, Turn::At(ms(10))),
            (10, Turn::Now(ms(10))),
            (10, Turn::Over),
        ];
        check(pace, Amount::Requests(3), 1, &second);
        let end = [(15, Turn::Now(ms(10))), (15, Turn::Over)];
        check(pace, Amount::Lasting(ms(30)), 1, &end);
        // Who has sent what is not known here.
        let on = [(30, Turn::Now(ms(10))), (30, Turn::Now(ms(30)))];
        check(pace, Amount::Once(1), 1, &on);
    }

    #[test]
    fn what_was_due_and_did_not_begin_is_counted() {
        let pace = Pace::Open { per_second: 100.0 };
        let mut schedule = Schedule::new(pace, Amount::Lasting(ms(50)), 0, 1);
        assert_eq!(schedule.overdue(ms(0)), 0);
        assert_eq!(schedule.overdue(ms(20)), 2);
        assert_eq!(schedule.overdue(ms(21)), 3);
        assert_eq!(schedule.overdue(ms(1000)), 5);
        assert_eq!(schedule.next(ms(20)), Turn::Now(ms(0)));
        assert_eq!(schedule.overdue(ms(1000)), 4);
        assert_eq!(schedule.next(ms(249)), Turn::Now(ms(10)));
        assert_eq!(schedule.next(ms(250)), Turn::Over);
        let closed = Schedule::new(Pace::Closed, Amount::Requests(9), 0, 1);
        assert_eq!(closed.overdue(ms(9)), 0);
    }

    proptest! {
        /// However late clients are, and however many threads there are: every request
        /// begins once, none before it is due, and those that did not begin are overdue.
        #[test]
        fn no_request_is_lost_or_early(
            rate in 1_u32..5000,
            count in 0_u64..300,
            threads in 1_usize..5,
            waits in proptest::collection::vec(0_u64..100, 1..400),
        ) {
            let pace = Pace::Open { per_second: rate.into() };
            let mut dues = Vec::new();
            for thread in 0..threads {
                let amount = Amount::Requests(count);
                let mut schedule = Schedule::new(pace, amount, thread, threads);
                let mut now = Duration::ZERO;
                for wait in waits.iter().cycle() {
                    match schedule.next(now) {
                        Turn::Now(due) => {
                            prop_assert!(due <= now);
                            dues.push(due);
                        }
                        Turn::At(due) => {
                            prop_assert!(due > now);
                            prop_assert_eq!(schedule.overdue(now), 0);
                            now = due + ms(*wait);
                        }
                        Turn::Over => break,
                    }
                }
                prop_assert_eq!(schedule.overdue(Duration::MAX), 0);
            }
            dues.sort();
            let expected: Vec<_> = (0..count)
                .map(|number| Duration::from_secs_f64(number as f64 / f64::from(rate)))
                .collect();
            prop_assert_eq!(dues, expected);
        }
    }
}
