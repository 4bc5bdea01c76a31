//! How long a connection may wait for its client, whatever the number of its requests.
//!
//! Time is given in seconds of the loop's clock; nothing here reads one.

use crate::serve::Timeouts;
use std::cell::Cell;
use std::time::Duration;

/// What is under way on one connection.
#[derive(Debug)]
pub(super) struct Streams {
    /// Requests whose response has not ended.
    open: Cell<u32>,
    /// Responses of which the client has been given a piece, and no other is wanted
    /// yet.
    untaken: Cell<u32>,
    /// When anything went on.
    moved: Cell<u32>,
    /// There has been a request.
    is_begun: Cell<bool>,
}

/// What is to be done with a connection.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Look again after this time.
    Wait(Duration),
    /// Take no more requests.
    End,
    /// The client has gone or acts so: cut it off.
    Cut,
}

impl Streams {
    pub(super) fn new(now: u32) -> Self {
        Self {
            open: Cell::new(0),
            untaken: Cell::new(0),
            moved: Cell::new(now),
            is_begun: Cell::new(false),
        }
    }

    pub(super) fn begin(&self, now: u32) {
        self.open.set(self.open.get() + 1);
        self.is_begun.set(true);
        self.moved.set(now);
    }

    pub(super) fn end(&self, now: u32) {
        self.open.set(self.open.get() - 1);
        self.moved.set(now);
    }

    /// A piece of a response was given to the client.
    pub(super) fn give(&self, now: u32) {
        self.untaken.set(self.untaken.get() + 1);
        self.moved.set(now);
    }

    /// The client has taken it, or its response is over.
    pub(super) fn take(&self, now: u32) {
        self.untaken.set(self.untaken.get() - 1);
        self.moved.set(now);
    }

    /// What is to be done at `now`; `is_ending` when it was [`Verdict::End`] before.
    pub(super) fn judge(&self, now: u32, timeouts: &Timeouts, is_ending: bool) -> Verdict {
        let (patience, verdict) = if self.open.get() > 0 {
            if self.untaken.get() == 0 {
                // A service takes its time, and so it may.
                return Verdict::Wait(timeouts.write.max(SHORTEST));
            }
            (timeouts.write, Verdict::Cut)
        } else if is_ending {
            (timeouts.linger, Verdict::Cut)
        } else if self.is_begun.get() {
            (timeouts.idle, Verdict::End)
        } else {
            (timeouts.head, Verdict::End)
        };
        let waited = Duration::from_secs(now.saturating_sub(self.moved.get()).into());
        match patience.checked_sub(waited) {
            Some(rest) if !rest.is_zero() => Verdict::Wait(rest.max(SHORTEST)),
            _ => verdict,
        }
    }
}

/// The clock's step: looking more often sees nothing new.
const SHORTEST: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::{Streams, Verdict};
    use crate::serve::Timeouts;
    use std::time::Duration;

    const fn wait(seconds: u64) -> Verdict {
        Verdict::Wait(Duration::from_secs(seconds))
    }

    #[test]
    fn each_way_of_waiting_has_its_end() {
        let seconds = Duration::from_secs;
        let timeouts = Timeouts {
            head: seconds(10),
            idle: seconds(70),
            write: seconds(30),
            linger: seconds(5),
            ..Timeouts::default()
        };
        let streams = Streams::new(100);
        let judge = |now, is_ending| streams.judge(now, &timeouts, is_ending);
        assert_eq!(judge(100, false), wait(10));
        assert_eq!(judge(110, false), Verdict::End);
        streams.begin(109);
        assert_eq!(judge(500, false), wait(30), "the service takes its time");
        streams.give(500);
        assert_eq!(judge(529, false), wait(1));
        assert_eq!(judge(530, false), Verdict::Cut, "nobody takes the answer");
        streams.take(529);
        assert_eq!(judge(600, false), wait(30), "the service goes on");
        streams.end(600);
        assert_eq!(judge(669, false), wait(1));
        assert_eq!(judge(670, false), Verdict::End);
        assert_eq!(judge(604, true), wait(1));
        assert_eq!(judge(605, true), Verdict::Cut);
    }
}
