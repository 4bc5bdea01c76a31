//! Letting a large file that keeps changing rest before it is taken again: each
//! version of one costs up to its whole size, and a log that grows line by line
//! has hundreds of them a minute.
//!
//! 1. A file below [`REST_FROM`], or one not taken lately, is taken at once.
//! 2. One that changed again soon after it was taken waits until it has been
//!    still for a pause, or has waited four pauses.
//! 3. Each time it is taken like that the pause doubles, to at most
//!    [`PAUSE_LAST`]; no file waits longer than [`WAIT_LAST`].
//! 4. Ten pauses (at most [`COOL_LAST`]) without being taken, and it begins anew.
//!
//! Pure: time is an argument, counted from any fixed moment.

use crate::folder::{Observation, RelativePath};
use std::collections::HashMap;
use std::time::Duration;

/// Smaller files are never made to wait: their versions are cheap.
pub const REST_FROM: u64 = 1 << 20;
/// How long a file that keeps changing must be still at first…
const PAUSE_FIRST: Duration = Duration::from_secs(1);
/// …and at last.
const PAUSE_LAST: Duration = Duration::from_secs(16);
/// No change waits longer: what is written all day is still on the other side.
pub const WAIT_LAST: Duration = Duration::from_secs(60);
/// A file not taken for so long is as one never taken.
const COOL_LAST: Duration = Duration::from_secs(60);

/// The large files that were taken lately.
#[derive(Debug, Default)]
pub struct Rests(HashMap<RelativePath, Rest>);

#[derive(Debug)]
struct Rest {
    taken: Duration,
    pause: Duration,
    waiting: Option<Waiting>,
}

/// A change that waits.
#[derive(Debug)]
struct Waiting {
    since: Duration,
    /// How it looked when it last changed, and when that was seen.
    look: Observation,
    still_since: Duration,
}

impl Rests {
    /// How much longer the file at `path`, which looks like `look`, waits;
    /// `None`: it may be taken now.
    pub fn wait(
        &mut self,
        path: &RelativePath,
        look: &Observation,
        now: Duration,
    ) -> Option<Duration> {
        if look.size < REST_FROM {
            return None;
        }
        let rest = self.0.get_mut(path)?;
        if rest.waiting.is_none() && rest.is_cool(now) {
            return None;
        }
        let waiting = rest.waiting.get_or_insert(Waiting {
            since: now,
            look: *look,
            still_since: now,
        });
        if waiting.look != *look {
            (waiting.look, waiting.still_since) = (*look, now);
        }
        let still = waiting.still_since + rest.pause;
        let longest = waiting.since + (rest.pause * 4).min(WAIT_LAST);
        let left = still.min(longest).saturating_sub(now);
        (!left.is_zero()).then_some(left)
    }

    /// Notes that the file at `path` was taken, `size` bytes of it.
    pub fn taken(&mut self, path: &RelativePath, size: u64, now: Duration) {
        if size < REST_FROM {
            return;
        }
        self.0
            .retain(|_, rest| !rest.is_cool(now) || rest.is_awaited(now));
        let pause = match self.0.get(path) {
            Some(rest) => (rest.pause * 2).min(PAUSE_LAST),
            None => PAUSE_FIRST,
        };
        let rest = Rest {
            taken: now,
            pause,
            waiting: None,
        };
        self.0.insert(path.clone(), rest);
    }

    /// Forgets the file at `path`: it is gone, or came from the node.
    pub fn forget(&mut self, path: &RelativePath) {
        self.0.remove(path);
    }
}

impl Rest {
    /// Whether its change was looked at lately: else the file is gone.
    fn is_awaited(&self, now: Duration) -> bool {
        let waiting = self.waiting.as_ref();
        waiting.is_some_and(|waiting| now.saturating_sub(waiting.still_since) <= WAIT_LAST)
    }

    fn is_cool(&self, now: Duration) -> bool {
        now.saturating_sub(self.taken) > (self.pause * 10).min(COOL_LAST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::folder::ObservedKind;
    use meta::{Mode, Timestamp};

    fn look(size: u64, change: u64) -> Observation {
        let time = Timestamp::new(change as i64, 0).unwrap();
        Observation {
            kind: ObservedKind::File,
            size,
            mode: Mode::FILE,
            modified: time,
            changed: time,
            inode: 1,
        }
    }

    /// Changes a file of `size` bytes every `every`, `count` times, looking each
    /// 10 ms, and gives when it was taken.
    fn taken(size: u64, every: Duration, count: u32) -> Vec<Duration> {
        let (mut rests, mut times) = (Rests::default(), Vec::new());
        let path = RelativePath::root().child("log");
        let (mut known, mut now) = (0, Duration::ZERO);
        while now < every * count + WAIT_LAST * 2 {
            let change = 1 + (now.as_millis() / every.as_millis()).min(u128::from(count)) as u64;
            if change != known && rests.wait(&path, &look(size, change), now).is_none() {
                rests.taken(&path, size, now);
                known = change;
                times.push(now);
            }
            now += Duration::from_millis(10);
        }
        assert_eq!(known, 1 + u64::from(count), "the last change is taken");
        times
    }

    #[test]
    fn a_hot_large_file_is_taken_now_and_then() {
        let tenth = Duration::from_millis(100);
        for (size, every, count, at_most) in [
            // Small, or seldom changed: each change, at once.
            (REST_FROM - 1, tenth, 400, 401),
            (REST_FROM, COOL_LAST + tenth, 5, 6),
            // Forty seconds, ten minutes, and a save every second and a half.
            (REST_FROM, tenth, 400, 6),
            (REST_FROM, tenth, 6000, 16),
            (REST_FROM, tenth * 15, 100, 9),
        ] {
            let times = taken(size, every, count);
            assert!(times.len() <= at_most, "{size} {every:?}: {times:?}");
            let immediate = size < REST_FROM || every > COOL_LAST;
            assert!(!immediate || times.len() == at_most, "{times:?}");
            let longest = times.windows(2).map(|pair| pair[1] - pair[0]).max();
            let bound = WAIT_LAST.max(every) + every;
            assert!(longest.unwrap() <= bound, "{size} {every:?}: {longest:?}");
        }
    }

    #[test]
    fn the_first_change_is_taken_at_once_and_the_second_after_a_pause() {
        let mut rests = Rests::default();
        let path = RelativePath::root().child("image");
        let second = Duration::from_secs(1);
        assert_eq!(rests.wait(&path, &look(REST_FROM, 1), second), None);
        rests.taken(&path, REST_FROM, second);
        let wait =
            |rests: &mut Rests, change, now| rests.wait(&path, &look(REST_FROM, change), now);
        assert_eq!(wait(&mut rests, 2, second * 2), Some(PAUSE_FIRST));
        assert_eq!(wait(&mut rests, 2, second * 3), None);
        rests.forget(&path);
        assert_eq!(wait(&mut rests, 3, second * 3), None);
    }
}
