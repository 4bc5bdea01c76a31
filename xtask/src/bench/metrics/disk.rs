//! Bytes on the disk.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::ensure;

/// The bytes on the disk count when they have been the same for this long, since merges run
/// in the background.
const STILL: Duration = Duration::from_secs(5);

/// Merges are over within this time.
const LIMIT: Duration = Duration::from_secs(300);

/// Bytes of all files in and below `folder`; none where there is no folder.
///
/// # Errors
/// When it cannot be read.
pub fn bytes_below(folder: &Path) -> anyhow::Result<u64> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(0),
        entries => entries?,
    };
    let mut bytes = 0;
    for entry in entries {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() {
            bytes_below(&entry.path())?
        } else {
            metadata.len()
        };
    }
    Ok(bytes)
}

/// What `size` gives once it stays.
///
/// # Errors
/// When it does not stay.
pub fn still(size: impl Fn() -> anyhow::Result<u64>) -> anyhow::Result<u64> {
    let begun = Instant::now();
    let (mut seen, mut since) = (size()?, Instant::now());
    while since.elapsed() < STILL {
        ensure!(begun.elapsed() < LIMIT, "the merges do not end");
        std::thread::sleep(Duration::from_millis(100));
        // A file that a merge has just let go is none to be counted.
        let Ok(bytes) = size() else { continue };
        if bytes != seen {
            (seen, since) = (bytes, Instant::now());
        }
    }
    Ok(seen)
}
