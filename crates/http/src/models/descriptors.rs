//! How many files and connections the process may have open. Most systems give
//! 1024 unless a process asks for more; a server that runs out of them can neither
//! accept nor open what it is asked for.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

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
}
