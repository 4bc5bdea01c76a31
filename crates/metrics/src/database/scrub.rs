//! Reads every part and holds it to its checksums, at a pace.

use super::Database;
use super::error::UpkeepError;
use super::keeper::{Damaged, PARTS, file_name, read_manifest};
use super::upkeep::Pace;
use crate::part::{Part, PartError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use store::fs::FileSystem;

/// Bytes read in a second.
const BYTES_PER_SECOND: u64 = 64 << 20;

/// What a scrub found.
#[derive(Debug, Clone, Default)]
pub struct Scrubbed {
    /// Parts that were read.
    pub parts: usize,
    /// Bytes of them.
    pub bytes: u64,
    /// Those that are not as they were written, and those that could not be opened before.
    pub damaged: Vec<Damaged>,
}

/// Reads every part of the store in `directory`, of which no process has a hold. Changes
/// nothing.
///
/// # Errors
/// The list of parts cannot be read, or `pace` says to stop.
pub fn scrub_folder(
    fs: &dyn FileSystem,
    directory: &Path,
    pace: &dyn Pace,
) -> Result<Scrubbed, UpkeepError> {
    let mut scrubbed = Scrubbed::default();
    let manifest = read_manifest(fs, directory)?;
    for line in manifest.map_or_else(Vec::new, |manifest| manifest.parts) {
        let path = directory.join(PARTS).join(file_name(line.number));
        match Part::open(fs, &path) {
            Ok(part) => scrubbed.verify(&part, path, pace)?,
            Err(error) => scrubbed.note(path, &error),
        }
    }
    Ok(scrubbed)
}

impl Database {
    /// Reads every part. Damaged ones stay where they are: a copy may have what they lack.
    ///
    /// # Errors
    /// [`UpkeepError::Stopped`] when `pace` says so.
    pub fn scrub(&self, pace: &dyn Pace) -> Result<Scrubbed, UpkeepError> {
        let (parts, damaged) = {
            let keeper = self.keeper();
            let parts = keeper.parts().iter();
            // Each part for itself: what was live as a whole is not to be held for long.
            let parts = parts.map(|part| (keeper.path_of(part.line().number), Arc::clone(part)));
            (parts.collect::<Vec<_>>(), keeper.damaged().to_vec())
        };
        let mut scrubbed = Scrubbed {
            damaged,
            ..Scrubbed::default()
        };
        for (path, part) in parts {
            scrubbed.verify(part.part(), path, pace)?;
        }
        self.damaged
            .store(scrubbed.damaged.len(), Ordering::Relaxed);
        Ok(scrubbed)
    }
}

impl Scrubbed {
    fn verify(&mut self, part: &Part, path: PathBuf, pace: &dyn Pace) -> Result<(), UpkeepError> {
        let verified = part.verify(&mut |bytes| {
            self.bytes += bytes;
            pace.pause(Duration::from_millis(bytes * 1000 / BYTES_PER_SECOND))
        });
        self.parts += 1;
        match verified {
            Ok(true) => {}
            Ok(false) => return Err(UpkeepError::Stopped),
            Err(error) => self.note(path, &error),
        }
        Ok(())
    }

    fn note(&mut self, path: PathBuf, error: &PartError) {
        let reason = error.to_string();
        tracing::error!("metrics: {reason}");
        self.damaged.push(Damaged { path, reason });
    }
}
