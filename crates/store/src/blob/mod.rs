//! The bytes of files, named by their BLAKE3 hash.
//!
//! Small blobs are appended to shared segments, large ones are files of their
//! own with their block map behind them. Everything is durable before the call
//! that stores it returns, and whoever waits at the same time shares the work.
//! Which blobs are needed is not known here: `state` decides that. The byte
//! layout is `docs/formats/blobs.md`.

mod map;

use crate::fs::{File, FileSystem};
use base::{DeviceId, Hash, Millis, Random};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use map::{BlockMap, ChunkRef, MAP_CHUNKS, MapError, Run};

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
    /// Unfinished large uploads of all devices together; each holds a file open.
    pub uploads: usize,
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
            uploads_per_owner: 256,
            uploads: 512,
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

/// Why the store could not do something.
#[derive(Debug, Clone, thiserror::Error)]
pub enum BlobError {
    /// Bytes that do not have the hash they were sent under: the sender's fault.
    #[error("the bytes sent as {expected} have the hash {actual}; send them again")]
    WrongHash {
        /// What was promised.
        expected: Hash,
        /// What came.
        actual: Hash,
    },
    /// A length or place that does not fit: the sender's fault.
    #[error("{hash}: {what}")]
    Invalid {
        /// The blob.
        hash: Hash,
        /// What is wrong.
        what: String,
    },
    /// A block map that makes no sense: the sender's fault.
    #[error("{hash}: bad block map: {source}")]
    Map {
        /// The blob.
        hash: Hash,
        /// What is wrong.
        source: MapError,
    },
    /// The base of a delta is not stored, or has no block map: send it whole.
    #[error("{base} is not stored with a block map; send the blob whole")]
    NoBase {
        /// The base.
        base: Hash,
    },
    /// No such upload: begin it (again).
    #[error("{hash} is not being uploaded by device {owner}; begin the upload again")]
    NotBegun {
        /// The blob.
        hash: Hash,
        /// Who sent for it.
        owner: DeviceId,
    },
    /// An upload finished before all its bytes came.
    #[error("{hash}: {missing} bytes have not been sent yet")]
    Incomplete {
        /// The blob.
        hash: Hash,
        /// Bytes missing.
        missing: u64,
    },
    /// Too many uploads at once; finish some first.
    #[error("{open} uploads are unfinished, the limit is {limit}; finish some first")]
    Busy {
        /// Unfinished uploads counted.
        open: usize,
        /// What is allowed.
        limit: usize,
    },
    /// No space. Nothing that was stored is harmed.
    #[error("the disk that holds {path} is full; free some space and try again")]
    Full {
        /// The store.
        path: PathBuf,
    },
    /// Bytes could not be made durable. Nothing more is taken until a restart,
    /// because what the disk holds is not known.
    #[error(
        "{path}: the blob store stopped taking blobs because the disk failed ({source}); check the disk, then restart the node"
    )]
    Poisoned {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: Arc<io::Error>,
    },
    /// Any other operation of the file system failed.
    #[error("{path}: cannot {what}: {source}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// The operating system's reason.
        source: Arc<io::Error>,
    },
    /// The index failed. It holds nothing that the blobs do not.
    #[error(
        "{path}: the blob index failed ({message}); stop the node, delete this file and start again: it is rebuilt"
    )]
    Index {
        /// The index.
        path: PathBuf,
        /// SQLite's reason.
        message: String,
    },
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

    /// The range (file, offset, length) that holds the blob, for `sendfile`;
    /// `None` on a simulated disk.
    pub fn file_range(&self) -> Option<(Arc<std::fs::File>, u64, u64)> {
        let file = self.file.as_std()?;
        Some((Arc::clone(file), self.offset, self.length))
    }
}

/// The blobs of one node.
pub struct BlobStore {}

impl BlobStore {
    /// Opens or creates the store in `dir`, and removes uploads that were left
    /// unfinished for longer than a lease before `now`.
    ///
    /// # Errors
    /// As the operating system says.
    pub fn open(
        _fs: Arc<dyn FileSystem>,
        dir: &Path,
        _options: Options,
        _random: &dyn Random,
        _now: Millis,
    ) -> Result<Self, BlobError> {
        Err(BlobError::Full {
            path: dir.to_owned(),
        })
    }

    /// Stores blobs of at most [`base::limits::SMALL_FILE_BYTES`] that `owner`
    /// sent. On return all are durable and leased to it.
    ///
    /// # Errors
    /// [`BlobError::WrongHash`] or [`BlobError::Invalid`] before anything is
    /// stored; otherwise what the disk says.
    pub fn put_small(
        &self,
        _owner: DeviceId,
        _now: Millis,
        _blobs: &[(Hash, &[u8])],
    ) -> Result<(), BlobError> {
        Ok(())
    }

    /// Begins or resumes the upload of a large blob. `runs` describe all of it,
    /// in pieces of `base`'s block map (which the caller let `owner` read) and
    /// new chunks; what `base` gives is copied at once.
    ///
    /// # Errors
    /// [`BlobError::Map`], [`BlobError::NoBase`], [`BlobError::Busy`] or
    /// [`BlobError::Full`], or what the disk says.
    pub fn begin(
        &self,
        _owner: DeviceId,
        _now: Millis,
        _hash: Hash,
        _size: u64,
        _base: Option<Hash>,
        _runs: &[Run],
    ) -> Result<Begun, BlobError> {
        Ok(Begun::Have)
    }

    /// Takes one whole chunk of an upload, at its place. May be repeated.
    ///
    /// # Errors
    /// [`BlobError::NotBegun`], [`BlobError::Invalid`], [`BlobError::WrongHash`],
    /// or what the disk says; the upload can go on.
    pub fn write(
        &self,
        _owner: DeviceId,
        _hash: Hash,
        _offset: u64,
        _bytes: &[u8],
    ) -> Result<(), BlobError> {
        Ok(())
    }

    /// Ends uploads whose chunks have all come. On return the blobs are
    /// verified, durable and leased to `owner`. Blobs already stored count as
    /// finished, so this may be repeated.
    ///
    /// # Errors
    /// The first of [`BlobError::NotBegun`], [`BlobError::Incomplete`] or
    /// [`BlobError::WrongHash`] (then that upload is thrown away), or what the
    /// disk says. Other blobs of the call may have been stored.
    pub fn finish(
        &self,
        _owner: DeviceId,
        _now: Millis,
        _hashes: &[Hash],
    ) -> Result<(), BlobError> {
        Ok(())
    }

    /// Whether the blob is stored.
    ///
    /// # Errors
    /// [`BlobError::Index`].
    pub fn contains(&self, hash: &Hash) -> Result<bool, BlobError> {
        self.length(hash).map(|length| length.is_some())
    }

    /// Length of a stored blob.
    ///
    /// # Errors
    /// [`BlobError::Index`].
    pub fn length(&self, _hash: &Hash) -> Result<Option<u64>, BlobError> {
        Ok(None)
    }

    /// Opens a stored blob.
    ///
    /// # Errors
    /// [`BlobError::Index`], or what the disk says.
    pub fn open_blob(&self, _hash: &Hash) -> Result<Option<BlobReader>, BlobError> {
        Ok(None)
    }

    /// The block map of a stored blob; a small one is a single chunk, the empty
    /// one has none.
    ///
    /// # Errors
    /// [`BlobError::Index`], or what the disk says.
    pub fn block_map(&self, _hash: &Hash) -> Result<Option<BlockMap>, BlobError> {
        Ok(None)
    }

    /// Gives `owner` the right to commit a stored blob for the next 24 hours.
    ///
    /// # Errors
    /// [`BlobError::Index`].
    pub fn lease(&self, _owner: DeviceId, _now: Millis, _hash: &Hash) -> Result<(), BlobError> {
        Ok(())
    }

    /// Whether `owner` uploaded the blob within the last 24 hours.
    ///
    /// # Errors
    /// [`BlobError::Index`].
    pub fn has_lease(
        &self,
        _owner: DeviceId,
        _now: Millis,
        _hash: &Hash,
    ) -> Result<bool, BlobError> {
        Ok(false)
    }

    /// Forgets leases and unfinished uploads older than 24 hours.
    ///
    /// # Errors
    /// [`BlobError::Index`], or what the disk says.
    pub fn expire(&self, _now: Millis) -> Result<(), BlobError> {
        Ok(())
    }

    /// Reads every blob and verifies its hash. Changes nothing.
    ///
    /// # Errors
    /// What the disk says, where it is more than damage of one blob.
    pub fn scrub(
        &self,
        _progress: &mut dyn FnMut(ScrubProgress),
    ) -> Result<ScrubReport, BlobError> {
        Ok(ScrubReport::default())
    }
}
