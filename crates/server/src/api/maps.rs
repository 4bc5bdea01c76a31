//! The memory that block maps may take together while files are opened or sent.
//! A map is small beside its file, but one request names it with a few bytes.
//!
//! Maps of uploads that have begun are the blob store's to bound.

use crate::problem::Problem;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What there is, in [`UNIT`]s: the largest file with the smallest chunks, and
/// beside it what many usual ones need.
const UNITS: usize = 512;

/// What is taken of it at a time: 1 MiB.
const UNIT: usize = 1 << 20;

/// All of it.
pub struct MapMemory(Arc<Semaphore>);

/// One request's part, until it is dropped.
#[derive(Default)]
pub struct Share(Option<OwnedSemaphorePermit>);

impl Default for MapMemory {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(UNITS)))
    }
}

impl MapMemory {
    /// Makes `share` enough for `bytes`. What does not fill a unit is free: most
    /// files need no more.
    ///
    /// # Errors
    /// [`Problem::Busy`] while others have it.
    pub fn hold(&self, share: &mut Share, bytes: usize) -> Result<(), Problem> {
        let held = share
            .0
            .as_ref()
            .map_or(0, OwnedSemaphorePermit::num_permits);
        let more = (bytes / UNIT).saturating_sub(held);
        if more == 0 {
            return Ok(());
        }
        // There are never more units than that.
        let more = u32::try_from(more).unwrap_or(u32::MAX);
        let taken = Arc::clone(&self.0)
            .try_acquire_many_owned(more)
            .map_err(|_| Problem::Busy("too many large files are opened or sent"))?;
        match &mut share.0 {
            Some(share) => share.merge(taken),
            None => share.0 = Some(taken),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_maps_wait_for_each_other_and_small_ones_for_nobody() {
        let memory = MapMemory::default();
        let (mut first, mut second, mut small) = Default::default();
        let busy = |result| matches!(result, Err(Problem::Busy(_)));
        memory.hold(&mut first, 100 * UNIT).unwrap();
        memory.hold(&mut first, 300 * UNIT + 1).unwrap();
        assert!(busy(memory.hold(&mut second, 213 * UNIT)));
        memory.hold(&mut second, 212 * UNIT).unwrap();
        assert!(busy(memory.hold(&mut second, 213 * UNIT)));
        memory.hold(&mut small, UNIT - 1).unwrap();
        assert!(busy(memory.hold(&mut small, UNIT)));
        drop(first);
        memory.hold(&mut second, 512 * UNIT).unwrap();
        assert!(busy(memory.hold(&mut second, usize::MAX)));
    }
}
