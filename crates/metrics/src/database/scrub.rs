//! Reads every part and holds it to its checksums, at a pace.

use super::Database;
use super::error::UpkeepError;
use super::keeper::Damaged;
use super::upkeep::Pace;
use std::sync::Arc;
use std::time::Duration;

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
            let verified = part.part().verify(&mut |bytes| {
                scrubbed.bytes += bytes;
                pace.pause(Duration::from_millis(bytes * 1000 / BYTES_PER_SECOND))
            });
            if let Ok(false) = verified {
                return Err(UpkeepError::Stopped);
            }
            scrubbed.parts += 1;
            if let Err(error) = verified {
                let reason = error.to_string();
                tracing::error!("metrics: {reason}");
                scrubbed.damaged.push(Damaged { path, reason });
            }
        }
        Ok(scrubbed)
    }
}
