//! All unfinished uploads: who may begin how many, which are left from before a
//! restart, and the workers that verify and sync those whose bytes have all come.
//!
//! An upload is *open* while its file is, and *dormant* when only the file is
//! left: after a restart, or when its client has gone. A dormant one is resumed
//! by beginning it again. What happens inside an upload is in `upload`.

use super::health::Health;
use super::large::Footer;
use super::upload::{Settled, Upload};
use super::{BlobError, BlobReader, BlockMap, Options, Run};
use crate::fs::{File, FileSystem, Open, make_durable_dir};
use crate::lock::{lock, wait};
use base::{DeviceId, Hash, Millis, limits};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;

/// Who uploads what.
pub(super) type Key = (DeviceId, Hash);

/// The older blob whose chunks a new one takes over.
pub(super) struct Base {
    pub(super) reader: BlobReader,
    pub(super) map: BlockMap,
}

/// All unfinished uploads of a store.
pub(super) struct Uploads {
    fs: Arc<dyn FileSystem>,
    directory: PathBuf,
    per_owner: usize,
    total: usize,
    chunks: usize,
    reserve_bytes: u64,
    health: Health,
    table: Mutex<Table>,
    begun: Condvar,
    workers: Workers,
}

#[derive(Default)]
struct Table {
    open: BTreeMap<Key, Arc<Upload>>,
    /// Since when.
    dormant: BTreeMap<Key, Millis>,
    /// Being begun by some thread just now, with how many chunks.
    beginning: BTreeMap<Key, usize>,
}

impl Table {
    /// Chunks of the uploads that are open or being begun.
    fn chunks(&self) -> usize {
        let open = self.open.values();
        let open: usize = open.map(|upload| upload.footer.map.chunks().len()).sum();
        open + self.beginning.values().sum::<usize>()
    }

    /// Makes those `which` still receive dormant.
    fn suspend(&mut self, which: impl Fn(&Key, &Upload) -> bool) {
        let Self { open, dormant, .. } = self;
        open.retain(|key, upload| {
            let leaves = which(key, upload) && upload.is_receiving();
            if leaves {
                dormant.insert(*key, upload.begun());
            }
            !leaves
        });
    }
}

/// Threads that verify and sync uploads.
struct Workers {
    queue: Option<Sender<Arc<Upload>>>,
    threads: Vec<JoinHandle<()>>,
}

impl Uploads {
    /// Opens the uploads in `directory`; those older than a lease at `now`, and
    /// those that a power cut spoilt, are removed.
    pub(super) fn open(
        fs: Arc<dyn FileSystem>,
        directory: &Path,
        options: &Options,
        now: Millis,
        health: Health,
    ) -> Result<Self, BlobError> {
        make_durable_dir(&*fs, directory)
            .map_err(|error| BlobError::io("create", directory, error))?;
        let uploads = Self {
            fs,
            directory: directory.to_owned(),
            per_owner: options.uploads_per_owner,
            total: options.uploads,
            chunks: options.upload_chunks,
            reserve_bytes: options.reserve_bytes,
            table: Mutex::default(),
            begun: Condvar::new(),
            workers: Workers::start(options.sync_threads, &health)
                .map_err(|error| BlobError::io("start threads for", directory, error))?,
            health,
        };
        uploads.find_dormant()?;
        uploads.expire(now)?;
        Ok(uploads)
    }

    fn find_dormant(&self) -> Result<(), BlobError> {
        let entries = self
            .fs
            .list(&self.directory)
            .map_err(|error| BlobError::io("list", &self.directory, error))?;
        for entry in entries {
            let path = self.directory.join(&entry.name);
            let footer = parse_name(&entry.name).and_then(|key| {
                let file = self.fs.open(&path, Open::Read).ok()?;
                Some((key, Footer::read(&*file, &path, key.1).ok()?))
            });
            match footer {
                Some((key, footer)) => {
                    lock(&self.table).dormant.insert(key, footer.begun);
                }
                None => self.remove_file(&path)?,
            }
        }
        Ok(())
    }

    fn path(&self, key: Key) -> PathBuf {
        let (owner, hash) = key;
        self.directory.join(format!("{owner}-{}", hash.to_hex()))
    }

    fn remove_file(&self, path: &Path) -> Result<(), BlobError> {
        match self.fs.remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(BlobError::io("remove", path, error))
            }
            _ => Ok(()),
        }
    }

    /// Begins an upload or takes it up again; returns it with what `base` and
    /// an earlier attempt gave.
    pub(super) fn begin(
        &self,
        key: Key,
        footer: Footer,
        base: Option<&Base>,
        runs: &[Run],
    ) -> Result<Arc<Upload>, BlobError> {
        self.health.check()?;
        let mut table = lock(&self.table);
        while table.beginning.contains_key(&key) {
            table = wait(&self.begun, table);
        }
        match table.open.get(&key) {
            Some(upload) if upload.footer.map == footer.map => {
                upload.begin_again(footer.begun);
                return Ok(Arc::clone(upload));
            }
            Some(_) => {
                table.open.remove(&key);
            }
            None => {}
        }
        let was_dormant = table.dormant.remove(&key).is_some();
        let chunks = footer.map.chunks().len();
        self.make_room(&mut table, key.0, chunks)?;
        table.beginning.insert(key, chunks);
        drop(table);

        let upload = self.prepare(key, footer, was_dormant, base, runs);

        let mut table = lock(&self.table);
        table.beginning.remove(&key);
        if let Ok(upload) = &upload {
            table.open.insert(key, Arc::clone(upload));
        }
        drop(table);
        self.begun.notify_all();
        let upload = upload?;
        if upload.is_complete() {
            self.workers.verify(Arc::clone(&upload));
        }
        Ok(upload)
    }

    /// Refuses another upload of `owner` beyond the limits; its oldest dormant
    /// one gives way.
    fn make_room(
        &self,
        table: &mut Table,
        owner: DeviceId,
        chunks: usize,
    ) -> Result<(), BlobError> {
        let chunks = chunks + table.chunks();
        if chunks > self.chunks {
            let limit = self.chunks;
            return Err(BlobError::Crowded { chunks, limit });
        }
        let open = table.open.len() + table.beginning.len();
        if open >= self.total {
            let limit = self.total;
            return Err(BlobError::Busy { open, limit });
        }
        let open = table.open.keys().filter(|(of, _)| *of == owner).count()
            + table
                .beginning
                .keys()
                .filter(|(of, _)| *of == owner)
                .count();
        let limit = self.per_owner;
        if open >= limit {
            return Err(BlobError::Busy { open, limit });
        }
        let dormant = table.dormant.iter().filter(|((of, _), _)| *of == owner);
        if open + dormant.clone().count() >= limit {
            let oldest = dormant
                .min_by_key(|(_, begun)| **begun)
                .map(|(key, _)| *key);
            if let Some(key) = oldest {
                table.dormant.remove(&key);
                self.remove_file(&self.path(key))?;
            }
        }
        Ok(())
    }

    fn prepare(
        &self,
        key: Key,
        footer: Footer,
        was_dormant: bool,
        base: Option<&Base>,
        runs: &[Run],
    ) -> Result<Arc<Upload>, BlobError> {
        let path = self.path(key);
        let resumed = if was_dormant {
            self.resume(&path, &footer)?
        } else {
            None
        };
        let upload = match resumed {
            Some(file) => {
                let upload = Upload::new(path, file, footer);
                upload.find_present()?;
                upload
            }
            None => {
                let file = self.create(&path, &footer)?;
                Upload::new(path, file, footer)
            }
        };
        if let Some(base) = base {
            copy_runs(&upload, base, runs)?;
        }
        Ok(Arc::new(upload))
    }

    /// The file of an earlier attempt, if it was about the same chunks.
    fn resume(&self, path: &Path, footer: &Footer) -> Result<Option<Arc<dyn File>>, BlobError> {
        let Ok(file) = self.fs.open(path, Open::ReadWrite) else {
            return Ok(None);
        };
        match Footer::read(&*file, path, footer.hash) {
            Ok(found) if found.map == footer.map => {}
            _ => return Ok(None),
        }
        // Its time begins anew.
        file.write_all_at(&footer.encode(), footer.offset())
            .map_err(|error| BlobError::io("write", path, error))?;
        Ok(Some(Arc::from(file)))
    }

    fn create(&self, path: &Path, footer: &Footer) -> Result<Arc<dyn File>, BlobError> {
        let encoded = footer.encode();
        let length = footer.offset() + encoded.len() as u64;
        self.check_space(length)?;
        // What another thread may still hold open is not what this one fills.
        self.remove_file(path)?;
        let fill = || {
            let file = self.fs.open(path, Open::CreateNew)?;
            file.preallocate(length)?;
            file.write_all_at(&encoded, footer.offset())?;
            Ok(file)
        };
        fill().map(Arc::from).map_err(|error| {
            // An unfinished file without a valid footer goes at the next start.
            let _ = self.fs.remove_file(path);
            BlobError::io("create", path, error)
        })
    }

    /// Refuses to take `bytes` more than the reserve allows.
    pub(super) fn check_space(&self, bytes: u64) -> Result<(), BlobError> {
        let path = &self.directory;
        let free = self
            .fs
            .free_bytes(path)
            .map_err(|error| BlobError::io("measure", path, error))?;
        if free < self.reserve_bytes.saturating_add(bytes) {
            let path = path.clone();
            return Err(BlobError::Full { path });
        }
        Ok(())
    }

    /// Whether the upload has its file, and so its space.
    pub(super) fn has(&self, key: Key) -> bool {
        let table = lock(&self.table);
        table.open.contains_key(&key) || table.dormant.contains_key(&key)
    }

    /// Takes a chunk of an open upload.
    pub(super) fn write(&self, key: Key, offset: u64, bytes: &[u8]) -> Result<(), BlobError> {
        self.health.check()?;
        let (owner, hash) = key;
        let upload = self.get(key).ok_or(BlobError::NotBegun { hash, owner })?;
        if upload.write(offset, bytes)? {
            self.workers.verify(upload);
        }
        Ok(())
    }

    fn get(&self, key: Key) -> Option<Arc<Upload>> {
        lock(&self.table).open.get(&key).cloned()
    }

    /// Waits until an upload is verified and synced, and moves its file to
    /// `target`, whose directory the caller syncs. Returns the blob's length;
    /// `None` when there is no such upload.
    pub(super) fn finish(&self, key: Key, target: &Path) -> Result<Option<u64>, BlobError> {
        let Some(upload) = self.get(key) else {
            return Ok(None);
        };
        let settled = upload.settle();
        if matches!(settled, Settled::Ready) {
            self.health.check()?;
        }
        match settled {
            Settled::Missing(missing) => Err(BlobError::Incomplete {
                hash: key.1,
                missing,
            }),
            Settled::Failed(error) => {
                self.discard(key)?;
                Err(error)
            }
            Settled::Ready if self.take(key, &upload) => self
                .fs
                .rename(&upload.path, target)
                .map(|()| Some(upload.footer.map.total_len()))
                .map_err(|error| BlobError::io("put in place", &upload.path, error)),
            Settled::Ready => Ok(None),
        }
    }

    /// Takes an upload out of the table; `false` if another thread was faster.
    fn take(&self, key: Key, upload: &Arc<Upload>) -> bool {
        let mut table = lock(&self.table);
        let is_same = table
            .open
            .get(&key)
            .is_some_and(|open| Arc::ptr_eq(open, upload));
        is_same && table.open.remove(&key).is_some()
    }

    /// Throws an upload away.
    pub(super) fn discard(&self, key: Key) -> Result<(), BlobError> {
        let mut table = lock(&self.table);
        let open = table.open.remove(&key).is_some();
        let dormant = table.dormant.remove(&key).is_some();
        self.remove_in(table, key, open || dormant)
    }

    fn remove_in(
        &self,
        table: MutexGuard<'_, Table>,
        key: Key,
        existed: bool,
    ) -> Result<(), BlobError> {
        // Under the lock, so that a new beginning cannot lose its file.
        let result = if existed && !table.beginning.contains_key(&key) {
            self.remove_file(&self.path(key))
        } else {
            Ok(())
        };
        drop(table);
        result
    }

    /// Closes the files of `owner`'s uploads; they can be resumed.
    pub(super) fn suspend(&self, owner: DeviceId) {
        lock(&self.table).suspend(|(of, _), _| *of == owner);
    }

    /// Closes the files of uploads that nobody touched since the last call, so
    /// that a client which never came back holds neither file nor memory; they
    /// can be resumed.
    pub(super) fn suspend_idle(&self) {
        lock(&self.table).suspend(|_, upload| upload.is_idle());
    }

    /// Removes uploads that were begun longer than a lease before `now`.
    pub(super) fn expire(&self, now: Millis) -> Result<(), BlobError> {
        let is_old = |begun: Millis| begun.saturating_add(limits::LEASE_MILLIS) <= now;
        let table = lock(&self.table);
        let open = table.open.iter();
        let old_open = open
            .filter(|(_, upload)| is_old(upload.begun()) && upload.is_receiving())
            .map(|(key, _)| *key);
        let dormant = table.dormant.iter();
        let old_dormant = dormant
            .filter(|(_, begun)| is_old(**begun))
            .map(|(key, _)| *key);
        let old: Vec<Key> = old_open.chain(old_dormant).collect();
        drop(table);
        old.into_iter().try_for_each(|key| self.discard(key))
    }
}

fn copy_runs(upload: &Upload, base: &Base, runs: &[Run]) -> Result<(), BlobError> {
    let mut at = 0;
    for run in runs {
        match run {
            Run::Insert(chunks) => at += chunks.len(),
            Run::Copy { first_chunk, count } => {
                let (first, count) = (*first_chunk as usize, *count as usize);
                upload.copy_from_base(at, base, first, count)?;
                at += count;
            }
        }
    }
    Ok(())
}

fn parse_name(name: &str) -> Option<Key> {
    let (owner, hash) = name.split_once('-')?;
    Some((owner.parse().ok()?, hash.parse().ok()?))
}

impl Workers {
    fn start(count: usize, health: &Health) -> io::Result<Self> {
        let (sender, receiver) = channel();
        let receiver = Arc::new(Mutex::new(receiver));
        let threads = (0..count.max(1))
            .map(|number| {
                let (receiver, health) = (Arc::clone(&receiver), health.clone());
                std::thread::Builder::new()
                    .name(format!("blob-sync-{number}"))
                    .spawn(move || Self::work(&receiver, &health))
            })
            .collect::<io::Result<_>>()?;
        Ok(Self {
            queue: Some(sender),
            threads,
        })
    }

    fn work(queue: &Mutex<Receiver<Arc<Upload>>>, health: &Health) {
        loop {
            let next = lock(queue).recv();
            match next {
                Ok(upload) => upload.verify_and_sync(health),
                Err(_) => return,
            }
        }
    }

    fn verify(&self, upload: Arc<Upload>) {
        let queue = self
            .queue
            .as_ref()
            .expect("the queue ends with the workers");
        queue
            .send(upload)
            .expect("workers live as long as the queue");
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        drop(self.queue.take());
        for thread in self.threads.drain(..) {
            // A panic was reported by the panic hook already.
            let _ = thread.join();
        }
    }
}
