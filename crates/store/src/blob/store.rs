//! The blob store as a whole: small blobs, large ones, unfinished uploads and
//! the index over them.
//!
//! It orders their work, so that whatever the index names is durable and
//! whatever is acknowledged is in the index; each part's own work is elsewhere.

use super::health::Health;
use super::index::{Index, Place, Stored};
use super::large::{self, Footer};
use super::parts::Parts;
use super::scrub;
use super::small::{Appended, SmallBlobs};
use super::uploads::{Source, Uploads};
use super::{
    Base, Begun, BlobError, BlobReader, BlockMap, ChunkRef, IndexPlace, Mapped, Options, Run,
    ScrubProgress, ScrubReport, Whole,
};
use crate::fs::{FileSystem, Open};
use base::{DeviceId, Hash, Millis, Random, limits};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

/// The blobs of one node.
pub struct BlobStore {
    parts: Arc<Parts>,
    uploads: Arc<Uploads>,
    health: Health,
    indexer: Option<JoinHandle<()>>,
}

impl BlobStore {
    /// Opens or creates the store in `directory`, and removes uploads that were
    /// left unfinished for longer than a lease before `now`.
    ///
    /// # Errors
    /// [`BlobError::Damaged`], [`BlobError::Index`], or what the disk says.
    pub fn open(
        fs: Arc<dyn FileSystem>,
        directory: &Path,
        options: &Options,
        random: &dyn Random,
        now: Millis,
    ) -> Result<Self, BlobError> {
        let large = directory.join("large");
        large::create_shelves(&*fs, &large)
            .map_err(|error| BlobError::io("create", &large, error))?;
        let health = Health::default();
        let index_path = directory.join("index.db");
        let index_path = match options.index {
            IndexPlace::File => Some(&*index_path),
            IndexPlace::Memory => None,
        };
        let mut index = None;
        let segments = directory.join("segments");
        let small = SmallBlobs::open(
            Arc::clone(&fs),
            &segments,
            options.segment_bytes,
            random,
            health.clone(),
            |store| index.insert(Index::open(index_path, store)?).through(),
        )?;
        let index = index.expect("the segments were opened with it");
        let staging = directory.join("staging");
        let uploads = Uploads::open(Arc::clone(&fs), &staging, options, now, health.clone())?;
        let parts = Arc::new(Parts {
            fs,
            large,
            small,
            index,
        });
        parts.index_new_small()?;
        parts.index_new_large()?;
        let indexer = Arc::clone(&parts);
        let indexer = std::thread::Builder::new()
            .name("blob-index".to_owned())
            .spawn(move || indexer.write_index())
            .map_err(|error| BlobError::io("start a thread for", directory, error))?;
        Ok(Self {
            parts,
            uploads: Arc::new(uploads),
            health,
            indexer: Some(indexer),
        })
    }

    /// Stores blobs of at most [`limits::SMALL_FILE_BYTES`] that `owner` sent.
    /// On return all are durable and leased to it.
    ///
    /// # Errors
    /// [`BlobError::WrongHash`] or [`BlobError::Invalid`] before anything is
    /// stored; otherwise what the disk says.
    pub fn put_small(
        &self,
        owner: DeviceId,
        now: Millis,
        blobs: &[(Hash, &[u8])],
    ) -> Result<(), BlobError> {
        for (hash, bytes) in blobs {
            check_small(*hash, bytes)?;
        }
        let mut known = Vec::new();
        let mut new = Vec::new();
        let mut seen = BTreeSet::new();
        for (hash, bytes) in blobs {
            match self.parts.index.find(hash)? {
                _ if !seen.insert(*hash) => {}
                Some(stored) => known.push((*hash, stored)),
                None => new.push((*hash, *bytes)),
            }
        }
        let appended = self.append_durably(&new)?;
        let stored = known.into_iter().chain(appended.blobs.iter().copied());
        let noted = self.parts.index.add(stored, Some((owner, now)));
        self.parts.small.noted(&appended);
        noted
    }

    fn append_durably(&self, blobs: &[(Hash, &[u8])]) -> Result<Appended, BlobError> {
        if !blobs.is_empty() {
            let bytes = blobs.iter().map(|(_, bytes)| bytes.len() as u64).sum();
            self.uploads.check_space(bytes)?;
        }
        let appended = self.parts.small.append(blobs)?;
        if let Err(error) = self.parts.small.wait_durable(&appended) {
            self.parts.small.noted(&appended);
            return Err(error);
        }
        Ok(appended)
    }

    /// Begins or resumes the upload of a large blob. `runs` describe all of it,
    /// in pieces of `base` (which the caller let `owner` read) and new chunks;
    /// what `base` gives is copied at once.
    ///
    /// # Errors
    /// [`BlobError::Invalid`], [`BlobError::Map`], [`BlobError::NoBase`],
    /// [`BlobError::Busy`] or [`BlobError::Full`], or what the disk says.
    pub fn begin(
        &self,
        owner: DeviceId,
        now: Millis,
        hash: Hash,
        size: u64,
        base: Option<Base>,
        runs: &[Run],
    ) -> Result<Begun, BlobError> {
        if self.lease(owner, now, &hash)? {
            self.uploads.discard((owner, hash))?;
            return Ok(Begun::Have);
        }
        check_large(hash, size)?;
        // Before memory is spent on it: what the disk has no room for.
        if !self.uploads.has((owner, hash)) {
            self.uploads.check_space(size)?;
        }
        let base = base.map(|base| self.base(base)).transpose()?;
        let map = BlockMap::from_runs_within(base.as_ref().map(|base| &base.map), runs, size)
            .and_then(|map| map.check_total(size))
            .map_err(|source| BlobError::Map { hash, source })?;
        let footer = Footer {
            hash,
            begun: now,
            map,
        };
        let upload = self
            .uploads
            .begin((owner, hash), footer, base.as_ref(), runs)?;
        Ok(Begun::Need(upload.missing()))
    }

    fn base(&self, base: Base) -> Result<Source, BlobError> {
        let Base { hash, map } = base;
        let reader = self.open_blob(&hash)?;
        // Its map is the caller's word: nothing is copied from beyond its end.
        let reader = reader.filter(|reader| reader.len() == map.total_len());
        let reader = reader.ok_or(BlobError::NoBase { base: hash })?;
        Ok(Source { reader, map })
    }

    /// Takes one whole chunk of an upload, at its place. May be repeated.
    ///
    /// # Errors
    /// [`BlobError::NotBegun`], [`BlobError::Invalid`], [`BlobError::WrongHash`],
    /// or what the disk says; the upload can go on.
    pub fn write(
        &self,
        owner: DeviceId,
        hash: Hash,
        offset: u64,
        bytes: &[u8],
    ) -> Result<(), BlobError> {
        self.uploads.write((owner, hash), offset, bytes)
    }

    /// Ends uploads whose chunks have all come. On return the blobs are
    /// verified, durable and leased to `owner`. Blobs already leased to it count
    /// as finished, so this may be repeated.
    ///
    /// # Errors
    /// The first of [`BlobError::NotBegun`], [`BlobError::Incomplete`] (begin
    /// again to learn what is missing) or [`BlobError::WrongHash`] (that upload
    /// is thrown away), or what the disk says. The other blobs are stored all
    /// the same.
    pub fn finish(&self, owner: DeviceId, now: Millis, hashes: &[Hash]) -> Result<(), BlobError> {
        let mut stored = BTreeMap::new();
        let mut failure = None;
        for hash in hashes.iter().collect::<BTreeSet<_>>() {
            match self.put_in_place(owner, now, hash) {
                Ok(Some(length)) => {
                    let place = Place::Large;
                    stored.insert(*hash, Stored { place, length });
                }
                Ok(None) => {}
                Err(error) => {
                    failure.get_or_insert(error);
                }
            }
        }
        self.note_large(owner, now, stored)?;
        failure.map_or(Ok(()), Err)
    }

    /// Makes the places of large blobs durable, indexes them and leases them to
    /// `owner`.
    fn note_large(
        &self,
        owner: DeviceId,
        now: Millis,
        stored: BTreeMap<Hash, Stored>,
    ) -> Result<(), BlobError> {
        let shelves: BTreeSet<_> = stored
            .keys()
            .map(|hash| large::shelf(&self.parts.large, hash))
            .collect();
        for shelf in shelves {
            self.parts
                .fs
                .sync_dir(&shelf)
                .map_err(|error| self.health.fail(&shelf, error))?;
        }
        self.parts.index.add(stored.into_iter(), Some((owner, now)))
    }

    /// Moves a finished upload to its place and returns its length; `None` when
    /// the blob is there and already leased to `owner`. That others have stored
    /// it is not enough: a hash alone would then open their bytes.
    fn put_in_place(
        &self,
        owner: DeviceId,
        now: Millis,
        hash: &Hash,
    ) -> Result<Option<u64>, BlobError> {
        let target = large::path(&self.parts.large, hash);
        match self.uploads.finish((owner, *hash), &target)? {
            Some(length) => Ok(Some(length)),
            // This call is repeated, or another one of `owner` finished it.
            None if self.has_lease(owner, now, hash)? && self.lease(owner, now, hash)? => Ok(None),
            None => Err(BlobError::NotBegun { hash: *hash, owner }),
        }
    }

    /// Begins a blob of middle size whose bytes come in order, all of them, and
    /// without a block map. One that is stored already is only compared.
    ///
    /// # Errors
    /// [`BlobError::Invalid`], [`BlobError::Busy`], [`BlobError::Crowded`],
    /// [`BlobError::Full`] or [`BlobError::Reserved`], or what the disk says.
    pub fn begin_whole(
        &self,
        owner: DeviceId,
        now: Millis,
        hash: Hash,
        size: u64,
    ) -> Result<Whole, BlobError> {
        check_middle(hash, size)?;
        let is_stored = self.contains(&hash)?;
        self.uploads
            .begin_whole((owner, hash), size, now, is_stored)
    }

    /// Ends blobs that came whole from `owner`. On return they are durable and
    /// leased to it.
    ///
    /// # Errors
    /// The first of [`BlobError::Incomplete`] or what the disk says. The other
    /// blobs are stored all the same.
    pub fn finish_whole(
        &self,
        owner: DeviceId,
        now: Millis,
        wholes: Vec<Whole>,
    ) -> Result<(), BlobError> {
        let mut stored = BTreeMap::new();
        let mut failure = None;
        for whole in wholes {
            let (hash, length) = (whole.hash(), whole.size());
            let placed = match whole.put_in_place(&large::path(&self.parts.large, &hash)) {
                Ok(true) => {
                    let place = Place::Large;
                    stored.insert(hash, Stored { place, length });
                    Ok(())
                }
                Ok(false) => self.lease(owner, now, &hash).map(drop),
                Err(error) => Err(error),
            };
            // Those before it are in their places and must become known all the same.
            if let Err(error) = placed {
                failure.get_or_insert(error);
            }
        }
        self.note_large(owner, now, stored)?;
        failure.map_or(Ok(()), Err)
    }

    /// Closes the files of `owner`'s unfinished uploads, for when it has gone.
    /// Beginning them again resumes them.
    pub fn suspend(&self, owner: DeviceId) {
        self.uploads.suspend(owner);
    }

    /// Closes the files of uploads that nobody touched since the last call:
    /// called now and then, it ends those whose client never came back.
    /// Beginning them again resumes them.
    pub fn suspend_idle(&self) {
        self.uploads.suspend_idle();
    }

    /// Refuses to take `bytes` more than the reserve allows: also for who keeps
    /// bytes beside the store before they come in.
    ///
    /// # Errors
    /// [`BlobError::Full`], or what the disk says.
    pub fn check_space(&self, bytes: u64) -> Result<(), BlobError> {
        self.uploads.check_space(bytes)
    }

    /// Whether the blob is stored.
    ///
    /// # Errors
    /// [`BlobError::Index`].
    pub fn contains(&self, hash: &Hash) -> Result<bool, BlobError> {
        self.length(hash).map(|length| length.is_some())
    }

    /// Length of a stored blob in bytes.
    ///
    /// # Errors
    /// [`BlobError::Index`].
    pub fn length(&self, hash: &Hash) -> Result<Option<u64>, BlobError> {
        let stored = self.parts.index.find(hash)?;
        Ok(stored.map(|stored| stored.length))
    }

    /// Opens a stored blob.
    ///
    /// # Errors
    /// [`BlobError::Index`], or what the disk says.
    pub fn open_blob(&self, hash: &Hash) -> Result<Option<BlobReader>, BlobError> {
        let Some(stored) = self.parts.index.find(hash)? else {
            return Ok(None);
        };
        let (file, offset) = match stored.place {
            Place::Small(at) => (self.parts.small.file(at.segment)?, at.offset),
            Place::Large => {
                let path = large::path(&self.parts.large, hash);
                let file = self
                    .parts
                    .fs
                    .open(&path, Open::Read)
                    .map_err(|error| BlobError::io("open", &path, error))?;
                (Arc::from(file), 0)
            }
        };
        Ok(Some(BlobReader {
            file,
            offset,
            length: stored.length,
        }))
    }

    /// The block map of a stored blob; a small one is a single chunk, the empty
    /// one has none.
    ///
    /// # Errors
    /// [`BlobError::Index`], [`BlobError::Damaged`], or what the disk says.
    pub fn block_map(&self, hash: &Hash) -> Result<Option<Mapped>, BlobError> {
        let Some(reader) = self.open_blob(hash)? else {
            return Ok(None);
        };
        if reader.len() > limits::SMALL_FILE_BYTES {
            let path = large::path(&self.parts.large, hash);
            let map = large::Stored::read(&*reader.file, &path, *hash)?.map;
            return Ok(Some(map.map_or(Mapped::Uncut(reader), Mapped::Map)));
        }
        let chunk = ChunkRef {
            hash: *hash,
            len: reader.len() as u32,
        };
        let chunks = if reader.is_empty() {
            vec![]
        } else {
            vec![chunk]
        };
        let map = BlockMap::new(chunks).map_err(|source| BlobError::Map {
            hash: *hash,
            source,
        })?;
        Ok(Some(Mapped::Map(map)))
    }

    /// Gives `owner` the right to commit the blob for the next 24 hours, if it
    /// is stored; returns whether it is.
    ///
    /// # Errors
    /// [`BlobError::Index`].
    pub fn lease(&self, owner: DeviceId, now: Millis, hash: &Hash) -> Result<bool, BlobError> {
        let Some(stored) = self.parts.index.find(hash)? else {
            return Ok(false);
        };
        let blob = std::iter::once((*hash, stored));
        self.parts.index.add(blob, Some((owner, now)))?;
        Ok(true)
    }

    /// Whether `owner` uploaded the blob within the last 24 hours.
    ///
    /// # Errors
    /// [`BlobError::Index`].
    pub fn has_lease(&self, owner: DeviceId, now: Millis, hash: &Hash) -> Result<bool, BlobError> {
        self.parts.index.has_lease(owner, now, hash)
    }

    /// Forgets leases and unfinished uploads older than 24 hours.
    ///
    /// # Errors
    /// [`BlobError::Index`], or what the disk says.
    pub fn expire(&self, now: Millis) -> Result<(), BlobError> {
        self.uploads.expire(now)?;
        self.parts.index.expire_leases(now)
    }

    /// Reads every blob and verifies its hash. Changes nothing.
    ///
    /// # Errors
    /// What the disk says, where it is more than damage of one blob.
    pub fn scrub(&self, progress: &mut dyn FnMut(ScrubProgress)) -> Result<ScrubReport, BlobError> {
        self.parts.flush_index()?;
        scrub::run(&self.parts, progress)
    }
}

impl Drop for BlobStore {
    fn drop(&mut self) {
        self.parts.index.close();
        if let Some(indexer) = self.indexer.take() {
            // A panic was reported by the panic hook; the index can be rebuilt.
            let _ = indexer.join();
        }
    }
}

fn check_small(hash: Hash, bytes: &[u8]) -> Result<(), BlobError> {
    let (length, limit) = (bytes.len(), limits::SMALL_FILE_BYTES);
    if length as u64 > limit {
        let what = format!("{length} bytes are no small blob; the limit is {limit}");
        return Err(BlobError::Invalid { hash, what });
    }
    let actual = Hash::of(bytes);
    if actual != hash {
        let expected = hash;
        return Err(BlobError::WrongHash { expected, actual });
    }
    Ok(())
}

fn check_large(hash: Hash, size: u64) -> Result<(), BlobError> {
    let (small, limit) = (limits::SMALL_FILE_BYTES, limits::FILE_BYTES);
    if size <= small || size > limit {
        let what = format!("{size} bytes are no large blob; expected {small} to {limit}");
        return Err(BlobError::Invalid { hash, what });
    }
    Ok(())
}

fn check_middle(hash: Hash, size: u64) -> Result<(), BlobError> {
    let (small, limit) = (limits::SMALL_FILE_BYTES, limits::WHOLE_FILE_BYTES);
    if size <= small || size > limit {
        let what = format!("{size} bytes do not come whole; expected {small} to {limit}");
        return Err(BlobError::Invalid { hash, what });
    }
    Ok(())
}
