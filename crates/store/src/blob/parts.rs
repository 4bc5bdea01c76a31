//! The parts that the index stands on, and keeping it up with them: at opening,
//! and then in the background.
//!
//! What the index has is decided by what is durable, never the other way round.

use super::BlobError;
use super::index::{Index, Place, Stored};
use super::large;
use super::segment::{Content, Position};
use super::small::SmallBlobs;
use crate::fs::{FileSystem, Open};
use base::Hash;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What is shared with the thread that writes the index.
pub(super) struct Parts {
    pub(super) fs: Arc<dyn FileSystem>,
    pub(super) large: PathBuf,
    pub(super) small: SmallBlobs,
    pub(super) index: Index,
}

impl Parts {
    /// Indexes what was appended to the segments since the index was written.
    pub(super) fn index_new_small(&self) -> Result<(), BlobError> {
        let segments = self.small.segments()?;
        let mut through = self.index.through()?;
        let end = self.small.end();
        if through > end {
            // The segments are older than the index: they were restored.
            self.index.clear()?;
            through = Position::default();
        }
        for segment in segments.into_iter().filter(|s| *s >= through.segment) {
            let start = if segment == through.segment {
                through.offset
            } else {
                0
            };
            self.index_segment(segment, start, segment == end.segment)?;
        }
        self.index.flush(|| end)
    }

    /// Indexes a segment from `start` on. Only the last one can hold blobs that
    /// were never durable, and so have the wrong bytes.
    fn index_segment(&self, segment: u64, start: u64, is_last: bool) -> Result<(), BlobError> {
        let failed = |error| BlobError::io("read", &self.small.path(segment), error);
        let mut scan = self.small.scan(segment, start)?;
        while let Some(found) = scan.next().map_err(failed)? {
            let Content::Blob { hash, length } = found.what else {
                continue;
            };
            if is_last && !scan.is_intact(&found).map_err(failed)? {
                continue;
            }
            let place = Place::Small(found.body());
            let blob = std::iter::once((hash, Stored { place, length }));
            self.index.add(blob, None)?;
            let offset = found.end;
            self.flush_when_worth(Position { segment, offset })?;
        }
        Ok(())
    }

    /// While the store is being opened nobody else writes the index.
    fn flush_when_worth(&self, through: Position) -> Result<(), BlobError> {
        if self.index.is_worth_flushing() {
            self.index.flush(|| through)?;
        }
        Ok(())
    }

    /// Compares the index with the large files that are there.
    pub(super) fn index_new_large(&self) -> Result<(), BlobError> {
        let mut gone = self.index.large()?;
        for shelf in large::shelves(&self.large) {
            let hashes = large::list_shelf(&*self.fs, &shelf)
                .map_err(|error| BlobError::io("list", &shelf, error))?;
            let (_, new): (Vec<_>, Vec<_>) = hashes.into_iter().partition(|hash| gone.remove(hash));
            if !new.is_empty() {
                self.index_shelf(&shelf, &new)?;
            }
        }
        let gone: Vec<Hash> = gone.into_iter().collect();
        self.index.remove(&gone)?;
        self.index.flush(|| self.small.end())
    }

    /// Indexes large blobs whose names may not be durable yet.
    fn index_shelf(&self, shelf: &Path, hashes: &[Hash]) -> Result<(), BlobError> {
        self.fs
            .sync_dir(shelf)
            .map_err(|error| BlobError::io("sync", shelf, error))?;
        for hash in hashes {
            if let Some(length) = self.large_length(hash)? {
                let place = Place::Large;
                let blob = std::iter::once((*hash, Stored { place, length }));
                self.index.add(blob, None)?;
                self.flush_when_worth(self.small.end())?;
            }
        }
        Ok(())
    }

    /// Length of a large blob by its file; `None` when that is damaged.
    fn large_length(&self, hash: &Hash) -> Result<Option<u64>, BlobError> {
        let path = large::path(&self.large, hash);
        self.fs
            .open(&path, Open::Read)
            .and_then(|file| large::blob_length(&*file))
            .map_err(|error| BlobError::io("read", &path, error))
    }

    /// Writes the index now and then until the store is closed.
    pub(super) fn write_index(&self) {
        loop {
            let goes_on = self.index.wait_for_notes();
            // A failure is kept: whoever has to wait for the index is told.
            let _ = self.flush_index();
            if !goes_on {
                return;
            }
        }
    }

    pub(super) fn flush_index(&self) -> Result<(), BlobError> {
        self.index.flush(|| self.small.noted_through())
    }
}
