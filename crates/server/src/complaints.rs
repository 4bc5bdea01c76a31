//! Which faults are written to the log: a client that floods a busy node with requests must
//! not fill its disk with lines. Of each kind some are written, and then how many were not.
//!
//! Pure: the time is given. Whoever answers asks (`api::frontdoor`).

use base::Millis;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Lines of a kind in a period: more than one, since one kind has different reasons.
const LINES: u32 = 5;

/// How long they have to do, in milliseconds: with five kinds, three lines a second at most.
const PERIOD: Millis = 10_000;

/// What was written of each kind of fault. There are as many as there are names of problems.
#[derive(Debug, Default)]
pub struct Complaints {
    kinds: Mutex<BTreeMap<&'static str, Kind>>,
}

#[derive(Debug, Default)]
struct Kind {
    /// When the period began.
    begun: Millis,
    /// Lines in it.
    lines: u32,
    /// Faults without a line since the last line.
    untold: u64,
}

impl Complaints {
    /// Notes a fault of this kind. If it is to be written, tells how many were not since the
    /// last that was.
    pub fn note(&self, kind: &'static str, now: Millis) -> Option<u64> {
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        let kind = kinds.entry(kind).or_default();
        // A clock that goes back begins a period, too.
        let is_over = now
            .checked_sub(kind.begun)
            .is_none_or(|past| past >= PERIOD);
        if is_over {
            (kind.begun, kind.lines) = (now, 0);
        }
        if kind.lines == LINES {
            kind.untold += 1;
            return None;
        }
        kind.lines += 1;
        Some(std::mem::take(&mut kind.untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::{Clock, ManualClock};

    #[test]
    fn some_lines_of_each_kind_are_written_and_the_others_counted() {
        let (complaints, clock) = (Complaints::default(), ManualClock::new(1_000_000));
        let check = |kind, expected: &[Option<u64>]| {
            let found = expected
                .iter()
                .map(|_| complaints.note(kind, clock.now()))
                .collect::<Vec<_>>();
            assert_eq!(found, expected, "{kind} at {}", clock.now());
        };
        let new = Some(0);
        check("busy", &[new, new, new, new, new, None, None]);
        check("internal", &[new, new]);
        clock.set(1_000_000 + PERIOD - 1);
        check("busy", &[None]);
        clock.set(1_000_000 + PERIOD);
        check("busy", &[Some(3), new]);
        check("internal", &[new, new, new, new, new, None]);
        clock.set(5);
        check("internal", &[Some(1), new]);
    }
}
