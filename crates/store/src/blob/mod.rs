//! The bytes of files, named by their BLAKE3 hash.
//!
//! Small blobs are appended to shared segments, large ones are files of their
//! own with their block map behind them. Everything is durable before the call
//! that stores it returns, and whoever waits at the same time shares the work.
//! Which blobs are needed is not known here: `state` decides that. The byte
//! layout is `docs/formats/blobs.md`.

mod error;
mod health;
mod index;
mod large;
mod map;
mod parts;
mod scrub;
mod segment;
mod small;
mod store;
mod upload;
mod uploads;
mod whole;
mod workers;

use crate::fs::File;
use base::{Hash, limits};
use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

pub use error::BlobError;
pub use map::{BlockMap, CHUNK_ENCODED_BYTES, ChunkRef, MAP_CHUNKS, MapError, Run};
pub use store::BlobStore;
pub use whole::Whole;

/// Where the index from hash to place is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IndexPlace {
    /// `index.db` in the store's directory; needs the real file system.
    File,
    /// In memory, rebuilt from the blobs at each opening: for tests.
    Memory,
}

/// Settings of a store; the default suits a node.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the index is kept.
    pub index: IndexPlace,
    /// Length at which a segment is full.
    pub segment_bytes: u64,
    /// Unfinished large uploads that one device may have.
    pub uploads_per_owner: usize,
    /// Bytes that the unfinished large uploads of one device will have.
    pub upload_bytes_per_owner: u64,
    /// Unfinished large uploads of all devices together; each holds a file open.
    pub uploads: usize,
    /// Chunks of all these together; each costs 45 bytes of memory.
    pub upload_chunks: usize,
    /// Free space below which nothing new is taken, so that the log and the
    /// database can go on.
    pub reserve_bytes: u64,
    /// Threads that write back finished uploads.
    pub sync_threads: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            index: IndexPlace::File,
            segment_bytes: 64 << 20,
            uploads_per_owner: 640,
            upload_bytes_per_owner: 4 * limits::FILE_BYTES,
            uploads: 1024,
            upload_chunks: 2 * MAP_CHUNKS,
            reserve_bytes: 256 << 20,
            sync_threads: 8,
        }
    }
}

/// What [`BlobStore::begin`] finds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begun {
    /// The blob is stored already; the owner now has a lease.
    Have,
    /// These byte ranges are missing: rising, apart, cut at chunks' ends. Empty
    /// when only [`BlobStore::finish`] is missing.
    Need(Vec<Range<u64>>),
}

/// The older blob whose chunks a new one takes over.
#[derive(Debug, Clone)]
pub struct Base {
    /// Which.
    pub hash: Hash,
    /// Its block map.
    pub map: BlockMap,
}

/// What [`BlobStore::block_map`] finds.
pub enum Mapped {
    /// The block map.
    Map(BlockMap),
    /// The blob came whole and no map was made of it: whoever needs one cuts it
    /// from these bytes.
    Uncut(BlobReader),
}

/// How far [`BlobStore::scrub`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ScrubProgress {
    /// Blobs verified.
    pub blobs: u64,
    /// Bytes verified.
    pub bytes: u64,
    /// Bytes there are, as far as known.
    pub total_bytes: u64,
}

/// What [`BlobStore::scrub`] found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ScrubReport {
    /// Blobs verified, the damaged ones included.
    pub blobs: u64,
    /// Bytes verified.
    pub bytes: u64,
    /// What is damaged.
    pub damaged: Vec<Damage>,
}

/// Bytes that are not what they were.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The blob, when it is known which.
    pub hash: Option<Hash>,
    /// The file.
    pub path: PathBuf,
    /// Where in it the blob or the damage begins.
    pub offset: u64,
    /// What is wrong.
    pub what: String,
}

/// An open blob.
pub struct BlobReader {
    file: Arc<dyn File>,
    offset: u64,
    length: u64,
}

impl BlobReader {
    /// Length of the blob in bytes.
    pub fn len(&self) -> u64 {
        self.length
    }

    /// Whether it is the empty blob.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Reads up to `buffer.len()` bytes of the blob; 0 at its end.
    ///
    /// # Errors
    /// As the operating system says.
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let rest = self.length.saturating_sub(offset);
        let count = (buffer.len() as u64).min(rest) as usize;
        self.file
            .read_at(&mut buffer[..count], self.offset + offset)
    }

    /// The whole blob. Only for blobs known to be small.
    ///
    /// # Errors
    /// As the operating system says.
    pub fn read_all(&self) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; self.length as usize];
        self.file.read_exact_at(&mut bytes, self.offset)?;
        Ok(bytes)
    }

    /// Its bytes from the first to the last.
    pub fn bytes(&self) -> impl io::Read + '_ {
        Bytes {
            blob: self,
            offset: 0,
        }
    }

    /// The range (file, offset, length) that holds the blob, for `sendfile`;
    /// `None` on a simulated disk.
    pub fn file_range(&self) -> Option<(Arc<std::fs::File>, u64, u64)> {
        let file = self.file.as_std()?;
        Some((Arc::clone(file), self.offset, self.length))
    }
}

/// Reads a blob in order.
struct Bytes<'a> {
    blob: &'a BlobReader,
    offset: u64,
}

impl io::Read for Bytes<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.blob.read_at(buffer, self.offset)?;
        self.offset += read as u64;
        Ok(read)
    }
}
