//! How many files and connections the process may have open. Most systems give
//! 1024 unless a process asks for more; a node that runs out of them could not
//! even go on with its log.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What a node can use at most: all connections, unfinished uploads, downloads
/// and segments, twice.
const WANTED: u64 = 16_384;

/// Asks for as many as a node can use; returns how many there are.
pub fn raise() -> u64 {
    let limits = getrlimit(Resource::Nofile);
    let (current, maximum) = (
        limits.current.unwrap_or(u64::MAX),
        limits.maximum.unwrap_or(u64::MAX),
    );
    let wanted = WANTED.min(maximum);
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

/// The connections that fit into `descriptors`, at most `wanted`: half of them,
/// so that files are never short of some.
pub fn connections(descriptors: u64, wanted: usize) -> usize {
    usize::try_from(descriptors / 2)
        .unwrap_or(wanted)
        .min(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_room_for_files() {
        for (descriptors, expected) in [
            (256, 128),
            (1024, 512),
            (8192, 4096),
            (16_384, 4096),
            (u64::MAX, 4096),
        ] {
            assert_eq!(connections(descriptors, 4096), expected, "{descriptors}");
        }
    }

    #[test]
    fn raising_never_lowers() {
        let before = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        assert!(raise() >= before);
        assert!(getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX) >= before);
    }
}
