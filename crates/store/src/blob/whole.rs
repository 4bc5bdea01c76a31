//! One blob of middle size that comes whole, from its first byte to its last.
//!
//! 1. It gets a file in `staging/` whose name no start takes up again. Its bytes
//!    are appended and hashed as they come, once.
//! 2. With the last of them the hash is compared, a trailer without a block map
//!    is written, and a worker syncs the file.
//! 3. [`super::BlobStore::finish_whole`] moves it to its place. One that is
//!    dropped before that leaves nothing.
//!
//! Of a blob that is stored already nothing is written: its bytes only prove that
//! the sender has them. Uploads that can be resumed are [`super::upload`]'s.

use super::health::Health;
use super::uploads::{Key, Uploads};
use super::workers::{self, Task};
use super::{BlobError, large};
use crate::fs::File;
use crate::lock::{lock, wait};
use base::{Hash, Hasher, Millis};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};

/// The disk is asked for space ahead of what comes, so much at a time: together
/// the requests that a node serves at once stay far below the reserve with it.
const SPACE_STEP: u64 = 1 << 20;

/// A blob that is arriving whole, or has arrived and is to be finished.
pub struct Whole {
    uploads: Arc<Uploads>,
    key: Key,
    /// Tells it from others of the same key.
    number: u64,
    size: u64,
    begun: Millis,
    hasher: Hasher,
    /// Bytes from its beginning that the disk was seen to have space for.
    spaced: u64,
    /// `None` for a blob that is stored already.
    staged: Option<Arc<Staged>>,
}

/// The file of a [`Whole`].
pub(super) struct Staged {
    path: PathBuf,
    file: Box<dyn File>,
    synced: Mutex<Option<Result<(), BlobError>>>,
    changed: Condvar,
}

impl Whole {
    /// Of `size` bytes, with its own `number` among those of `uploads`. Without a
    /// `file` its bytes are only compared.
    pub(super) fn new(
        uploads: Arc<Uploads>,
        key: Key,
        number: u64,
        size: u64,
        begun: Millis,
    ) -> Self {
        Self {
            uploads,
            key,
            number,
            size,
            begun,
            hasher: Hasher::new(),
            spaced: 0,
            staged: None,
        }
    }

    /// Gives it a file at `path`.
    pub(super) fn set_file(&mut self, path: PathBuf, file: Box<dyn File>) {
        self.staged = Some(Arc::new(Staged {
            path,
            file,
            synced: Mutex::default(),
            changed: Condvar::new(),
        }));
    }

    /// BLAKE3 of what it is to become.
    pub fn hash(&self) -> Hash {
        self.key.1
    }

    /// Its length in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Whether all its bytes have come and were right.
    pub fn is_complete(&self) -> bool {
        self.hasher.count() == self.size
    }

    /// Takes its next `bytes`. With the last of them it is verified and begins to
    /// become durable.
    ///
    /// # Errors
    /// [`BlobError::Invalid`] beyond its size, [`BlobError::WrongHash`],
    /// [`BlobError::Full`] and [`BlobError::Reserved`], or what the disk says: it
    /// is of no use then, and is to be dropped.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), BlobError> {
        let offset = self.hasher.count();
        let end = offset + bytes.len() as u64;
        if end > self.size {
            let (hash, size) = (self.hash(), self.size);
            let what = format!("more than its {size} bytes came");
            return Err(BlobError::Invalid { hash, what });
        }
        if let Some(staged) = &self.staged {
            if end > self.spaced {
                let ahead = self.size.min(end + SPACE_STEP);
                self.uploads.check_space(ahead - offset)?;
                self.spaced = ahead;
            }
            staged.write(bytes, offset)?;
        }
        self.hasher.update(bytes);
        if self.is_complete() && !bytes.is_empty() {
            self.complete()?;
        }
        Ok(())
    }

    fn complete(&self) -> Result<(), BlobError> {
        let (expected, actual) = (self.hash(), self.hasher.finish());
        if actual != expected {
            return Err(BlobError::WrongHash { expected, actual });
        }
        if let Some(staged) = &self.staged {
            let trailer = large::trailer_without_map(expected, self.size, self.begun);
            staged.write(&trailer, self.size)?;
            staged.file.start_writeback(0, self.size);
            self.uploads.hand(Task::Whole(Arc::clone(staged)));
        }
        Ok(())
    }

    /// Waits until its file is durable and moves it to `target`, whose directory
    /// the caller syncs. False when there is no file, as the blob is stored.
    pub(super) fn put_in_place(mut self, target: &Path) -> Result<bool, BlobError> {
        if !self.is_complete() {
            let (hash, missing) = (self.hash(), self.size - self.hasher.count());
            return Err(BlobError::Incomplete { hash, missing });
        }
        let Some(staged) = &self.staged else {
            return Ok(false);
        };
        staged.wait_synced()?;
        self.uploads.put_whole_in_place(&staged.path, target)?;
        // There is no file of its own left to remove.
        self.staged = None;
        Ok(true)
    }
}

impl Drop for Whole {
    fn drop(&mut self) {
        let path = self.staged.as_ref().map(|staged| &*staged.path);
        self.uploads.leave_whole(self.number, path);
    }
}

impl Staged {
    fn write(&self, bytes: &[u8], offset: u64) -> Result<(), BlobError> {
        self.file
            .write_all_at(bytes, offset)
            .map_err(|error| BlobError::io("write", &self.path, error))
    }

    /// Makes it durable: a worker's task.
    pub(super) fn sync(&self, health: &Health) {
        let synced = workers::sync(&*self.file, &self.path, health);
        *lock(&self.synced) = Some(synced);
        self.changed.notify_all();
    }

    fn wait_synced(&self) -> Result<(), BlobError> {
        let mut synced = lock(&self.synced);
        loop {
            match &*synced {
                Some(result) => return result.clone(),
                None => synced = wait(&self.changed, synced),
            }
        }
    }
}
