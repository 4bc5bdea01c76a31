//! Block maps of stored content, and the memory that they may take together
//! while files are opened or sent. A map is small beside its file, but one request
//! names it with a few bytes: its memory is taken before it is made.
//!
//! Maps of uploads that have begun are the blob store's to bound.

use super::Service;
use crate::problem::Problem;
use base::{Hash, limits};
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use store::blob::{BlobStore, BlockMap, Mapped};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What there is, in [`UNIT`]s: the maps of the two largest files with the
/// smallest chunks, one made from the other, or what many usual ones need.
const UNITS: usize = 512;

/// What is taken of it at a time: 1 MiB.
const UNIT: usize = 1 << 20;

/// What one chunk costs in a map that is used.
const CHUNK_BYTES: usize = 64;

/// All of it.
pub struct MapMemory(Arc<Semaphore>);

/// One request's part, until it is dropped.
#[derive(Default)]
pub struct Share {
    bytes: usize,
    permit: Option<OwnedSemaphorePermit>,
}

impl Default for MapMemory {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(UNITS)))
    }
}

impl MapMemory {
    /// Adds `bytes` to `share`. What does not fill a unit is free: most files need
    /// no more.
    ///
    /// # Errors
    /// [`Problem::Busy`] while others have it.
    pub fn add(&self, share: &mut Share, bytes: usize) -> Result<(), Problem> {
        let wanted = share.bytes.saturating_add(bytes);
        let more = (wanted / UNIT).saturating_sub(share.units());
        if more > 0 {
            // There are never more units than that.
            let more = u32::try_from(more).unwrap_or(u32::MAX);
            let taken = Arc::clone(&self.0)
                .try_acquire_many_owned(more)
                .map_err(|_| Problem::Busy("too many large files are opened or sent"))?;
            match &mut share.permit {
                Some(permit) => permit.merge(taken),
                None => share.permit = Some(taken),
            }
        }
        share.bytes = wanted;
        Ok(())
    }
}

impl Share {
    /// Gives back `bytes` of what was added.
    pub fn give_back(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_sub(bytes);
        let excess = self.units().saturating_sub(self.bytes / UNIT);
        if let Some(permit) = &mut self.permit {
            drop(permit.split(excess));
        }
    }

    fn units(&self) -> usize {
        let permit = self.permit.as_ref();
        permit.map_or(0, OwnedSemaphorePermit::num_permits)
    }
}

/// Memory for a map of `chunks`.
pub const fn memory_for(chunks: usize) -> usize {
    chunks.saturating_mul(CHUNK_BYTES)
}

/// The most chunks that a file of `size` bytes has.
pub const fn most_chunks(size: u64) -> usize {
    (size / limits::CHUNK_MIN_BYTES as u64) as usize + 1
}

/// The block map of a stored content, its memory added to `share` before it is
/// read.
///
/// # Errors
/// [`Problem::NoBase`] for content that has none to offer, [`Problem::Busy`], or
/// what the blob store says.
pub async fn load(
    service: &Arc<Service>,
    hash: Hash,
    share: &mut Share,
) -> Result<BlockMap, Problem> {
    let node = Arc::clone(&service.node);
    let length = move || Ok(node.blobs().length(&hash)?);
    let size = service.node.fetch(length).await?;
    let most = most_chunks(size.ok_or(Problem::NoBase(hash))?);
    service.maps.add(share, memory_for(most))?;
    let reading = Arc::clone(service);
    let map = service.node.fetch(move || read(&reading, &hash)).await?;
    share.give_back(memory_for(most.saturating_sub(map.chunks().len())));
    Ok(map)
}

/// Reads the map, or cuts it of content that came whole: that is at most 4 MiB,
/// and its next version brings a map of its own.
fn read(service: &Service, hash: &Hash) -> Result<BlockMap, Problem> {
    let blobs: &BlobStore = service.node.blobs();
    let uncut = match blobs.block_map(hash)?.ok_or(Problem::NoBase(*hash))? {
        Mapped::Map(map) => return Ok(map),
        Mapped::Uncut(reader) => reader,
    };
    let mut bytes = uncut.bytes().take(limits::WHOLE_FILE_BYTES);
    let cut = sync::chunk::cut(&mut bytes);
    cut.ok()
        .filter(|cut| cut.hash == *hash)
        .map(|cut| cut.map)
        .ok_or_else(|| {
            service.unreadable.fetch_add(1, Ordering::Relaxed);
            tracing::error!("content {hash} is damaged on this node: scrub it");
            Problem::NoBase(*hash)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_maps_wait_for_each_other_and_small_ones_for_nobody() {
        let memory = MapMemory::default();
        let (mut first, mut second, mut small) = Default::default();
        let busy = |result| matches!(result, Err(Problem::Busy(_)));
        memory.add(&mut first, 100 * UNIT).unwrap();
        memory.add(&mut first, 200 * UNIT + 1).unwrap();
        assert!(busy(memory.add(&mut second, 213 * UNIT)));
        memory.add(&mut second, 212 * UNIT).unwrap();
        assert!(busy(memory.add(&mut second, UNIT)));
        memory.add(&mut small, UNIT - 1).unwrap();
        assert!(busy(memory.add(&mut small, 1)));
        first.give_back(100 * UNIT);
        memory.add(&mut second, 99 * UNIT).unwrap();
        assert!(busy(memory.add(&mut second, 2 * UNIT)));
        drop(first);
        memory.add(&mut second, 201 * UNIT).unwrap();
        assert!(busy(memory.add(&mut second, usize::MAX)));
    }

    #[test]
    fn the_largest_file_made_from_the_largest_fits() {
        let memory = MapMemory::default();
        let mut share = Share::default();
        for _ in 0..2 {
            let most = most_chunks(limits::FILE_BYTES);
            memory.add(&mut share, memory_for(most)).unwrap();
        }
    }
}
