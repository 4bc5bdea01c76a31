//! How many files and connections the process may have open. Most systems give
//! 1024 unless a process asks for more; a server that runs out of them can neither
//! accept nor open what it is asked for.

use super::admission::Bounds;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Fewer files may be open than a server needs, before any client comes.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "no more than {there} files may be open at once, and at least {needed} are needed: allow \
     more (`ulimit -n`), or use fewer workers"
)]
pub struct TooFewDescriptors {
    /// How many may be.
    pub there: u64,
    /// How many are needed.
    pub needed: u64,
}

/// What a process has open beside its loops and listeners: its standard streams, its
/// log, its signals and the service manager.
const PROCESS: u64 = 20;

/// What a loop waits with, and hears of its end by.
const LOOP: u64 = 4;

/// A listener, its copy for the program that may take over, and what accepts from it.
const LISTENER: u64 = 3;

/// Makes sure that so many `loops` can accept from so many `listeners`, with `more`
/// files open beside them, and that a client finds room: what is short later, in the
/// middle of a start, cannot be told as clearly.
///
/// # Errors
/// The process may not ask for as many.
pub fn expect_descriptors(
    loops: usize,
    listeners: usize,
    more: usize,
) -> Result<(), TooFewDescriptors> {
    let own = PROCESS + LOOP * loops as u64 + LISTENER * listeners as u64 + more as u64;
    let needed = own.max(Bounds::LEAST_DESCRIPTORS);
    let there = raise_descriptors(needed);
    match there < needed {
        true => Err(TooFewDescriptors { there, needed }),
        false => Ok(()),
    }
}

/// Asks for `wanted` descriptors, or as many as the process may ask for; returns how
/// many there are. It never takes any away.
pub fn raise_descriptors(wanted: u64) -> u64 {
    let limits = getrlimit(Resource::Nofile);
    let (current, maximum) = (
        limits.current.unwrap_or(u64::MAX),
        limits.maximum.unwrap_or(u64::MAX),
    );
    let wanted = wanted.min(maximum);
    if current >= wanted {
        return current;
    }
    let raised = Rlimit {
        current: Some(wanted),
        ..limits
    };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => wanted,
        Err(error) => {
            tracing::warn!("only {current} files may be open at once ({error})");
            current
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raising_never_lowers() {
        let before = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        assert!(raise_descriptors(1) >= before);
        assert!(getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX) >= before);
    }

    #[test]
    fn what_cannot_be_asked_for_is_told() {
        assert_eq!(expect_descriptors(1, 1, 0), Ok(()));
        let refused = expect_descriptors(1, 1, 1 << 60).unwrap_err();
        assert_eq!(refused.needed, 20 + 4 + 3 + (1 << 60));
        assert!(refused.there < refused.needed);
    }
}
