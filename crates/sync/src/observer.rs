//! What a client tells whoever started it, as it happens.

use crate::folder::RelativePath;
use crate::plan::Step;
use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};

/// Something that happened.
#[derive(Debug)]
pub enum Event<'a> {
    /// Joined to a space, and watching from now on; the first round begins.
    Watching {
        /// The folder.
        folder: &'a Path,
        /// The space's slug.
        space: &'a str,
        /// The node's address.
        server: &'a str,
    },
    /// Content of so many bytes is set aside to be moved.
    Queued {
        /// How many.
        bytes: u64,
    },
    /// Content of so many bytes was moved, or turned out not to need it.
    Moved {
        /// How many.
        bytes: u64,
    },
    /// The node has it durably.
    Uploaded {
        /// What.
        path: &'a RelativePath,
    },
    /// It stands here durably.
    Fetched {
        /// What.
        path: &'a RelativePath,
    },
    /// Deleted at the node.
    Deleted {
        /// What.
        path: &'a RelativePath,
    },
    /// Removed here.
    Removed {
        /// What.
        path: &'a RelativePath,
    },
    /// Two sides changed it differently; the local one was kept as `copy`.
    Conflict {
        /// What.
        path: &'a RelativePath,
        /// Its copy.
        copy: &'a RelativePath,
    },
    /// A dry run would do this.
    Planned {
        /// To what.
        path: &'a RelativePath,
        /// What.
        step: Step,
    },
    /// It cannot be synced as it is.
    Problem {
        /// What.
        path: &'a RelativePath,
        /// Why.
        reason: &'a str,
    },
    /// Everything known is on both sides.
    Quiet,
    /// The node is away; trying again.
    Waiting {
        /// Why.
        reason: &'a str,
    },
}

/// Is told what happens. Called on the engine's thread: be quick.
pub trait Observer: Send + Sync {
    /// Something happened.
    fn event(&self, event: &Event<'_>);
}

/// Tells why a client waits: each reason once, and again after a while if the
/// node is not heard of meanwhile.
#[derive(Debug, Default)]
pub(crate) struct Waits(HashMap<String, Instant>);

/// A reason that still holds is told again after this.
const TELL_AGAIN: Duration = Duration::from_secs(60);
/// Reasons that are remembered; beyond it some are told too often.
const REASONS: usize = 64;

impl Waits {
    /// Tells `reason` at `now` unless it was told lately; one that is `lasting`
    /// only once.
    pub(crate) fn tell(
        &mut self,
        observer: &dyn Observer,
        reason: &str,
        lasting: bool,
        now: Instant,
    ) {
        match self.0.get(reason) {
            Some(told) if lasting || now.saturating_duration_since(*told) < TELL_AGAIN => return,
            _ => {}
        }
        if self.0.len() >= REASONS {
            self.0.clear();
        }
        self.0.insert(reason.to_owned(), now);
        observer.event(&Event::Waiting { reason });
    }

    /// The node was heard of: what holds from now on is told anew.
    pub(crate) fn end(&mut self) {
        self.0.clear();
    }
}

/// Tells nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {
    fn event(&self, _: &Event<'_>) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[derive(Default)]
    struct Heard(Mutex<Vec<String>>);

    impl Observer for Heard {
        fn event(&self, event: &Event<'_>) {
            if let Event::Waiting { reason } = event {
                self.0.lock().unwrap().push((*reason).to_owned());
            }
        }
    }

    #[test]
    fn a_reason_is_told_when_it_is_new_and_once_a_minute() {
        let (mut waits, heard, start) = (Waits::default(), Heard::default(), Instant::now());
        for (second, reason, lasting) in [
            (0, "away", false),
            (1, "away", false),
            (2, "full", false),
            (3, "away", false),
            (60, "away", false),
            (61, "removed", true),
            (600, "removed", true),
        ] {
            let now = start + Duration::from_secs(second);
            waits.tell(&heard, reason, lasting, now);
        }
        waits.end();
        waits.tell(&heard, "removed", true, start);
        assert_eq!(
            *heard.0.lock().unwrap(),
            ["away", "full", "away", "removed", "removed"]
        );
    }
}
