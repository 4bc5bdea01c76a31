//! All unfinished uploads: who may begin how many, which are left from before a
//! restart, and handing those whose bytes have all come to the workers.
//!
//! An upload is *open* while its file is, and *dormant* when only the file is
//! left: after a restart, or when its client has gone. A dormant one is resumed
//! by beginning it again. What happens inside an upload is in `upload`.

use super::health::Health;
use super::large::Footer;
use super::upload::{Settled, Upload};
use super::whole::Whole;
use super::workers::{Task, Workers};
use super::{BlobError, BlobReader, BlockMap, Options, Run};
use crate::fs::{File, FileSystem, Open, make_durable_dir};
use crate::lock::{lock, wait};
use base::{DeviceId, Hash, Millis, limits};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};

/// The most of a disk that stays free for the log and the database: 5 %, which
/// the reserve passes on a disk smaller than 5 GiB.
const RESERVE_PART: u64 = 20;

/// Who uploads what.
pub(super) type Key = (DeviceId, Hash);

/// An open [`super::Base`].
pub(super) struct Source {
    pub(super) reader: BlobReader,
    pub(super) map: BlockMap,
}

/// All unfinished uploads of a store.
pub(super) struct Uploads {
    fs: Arc<dyn FileSystem>,
    directory: PathBuf,
    per_owner: usize,
    bytes_per_owner: u64,
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
    dormant: BTreeMap<Key, Dormant>,
    /// Being begun by some thread just now.
    beginning: BTreeMap<Key, Beginning>,
    /// Who sends how many bytes whole, by the number of each.
    whole: BTreeMap<u64, (DeviceId, u64)>,
    /// The number of the next one.
    next_whole: u64,
}

/// An upload of which only the file is left.
struct Dormant {
    begun: Millis,
    bytes: u64,
}

/// What an upload will take that is being begun.
struct Beginning {
    chunks: usize,
    bytes: u64,
}

impl Table {
    /// Chunks of the uploads that are open or being begun.
    fn chunks(&self) -> usize {
        let open = self.open.values();
        let open: usize = open.map(|upload| upload.footer.map.chunks().len()).sum();
        let beginning = self.beginning.values();
        open + beginning.map(|upload| upload.chunks).sum::<usize>()
    }

    /// Uploads of `owner` that are open, being begun or coming whole, and the bytes
    /// of all its uploads, the dormant ones included.
    fn of(&self, owner: DeviceId) -> (usize, u64) {
        let own = |key: &Key| key.0 == owner;
        let open = self.open.iter().filter(|(key, _)| own(key));
        let open = open.map(|(_, upload)| upload.footer.map.total_len());
        let beginning = self.beginning.iter().filter(|(key, _)| own(key));
        let whole = self.whole.values().filter(|(of, _)| *of == owner);
        let held: Vec<u64> = open
            .chain(beginning.map(|(_, upload)| upload.bytes))
            .chain(whole.map(|(_, bytes)| *bytes))
            .collect();
        let dormant = self.dormant.iter().filter(|(key, _)| own(key));
        let dormant: u64 = dormant.map(|(_, upload)| upload.bytes).sum();
        (held.len(), held.iter().sum::<u64>() + dormant)
    }

    /// The dormant uploads of `owner`, and which of them was begun first.
    fn dormant_of(&self, owner: DeviceId) -> (usize, Option<Key>) {
        let own = self.dormant.iter().filter(|((of, _), _)| *of == owner);
        let oldest = own.clone().min_by_key(|(_, upload)| upload.begun);
        (own.count(), oldest.map(|(key, _)| *key))
    }

    /// Makes those `which` are not being verified dormant.
    fn suspend(&mut self, which: impl Fn(&Key, &Upload) -> bool) {
        let Self { open, dormant, .. } = self;
        open.retain(|key, upload| {
            let leaves = which(key, upload) && !upload.is_verifying();
            // Without a file there is nothing to resume. One that failed is told so
            // again by whoever takes it up, or expires.
            if leaves && upload.has_file() {
                let (begun, bytes) = (upload.begun(), upload.footer.map.total_len());
                dormant.insert(*key, Dormant { begun, bytes });
            }
            !leaves
        });
    }
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
            bytes_per_owner: options.upload_bytes_per_owner,
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
                    let (begun, bytes) = (footer.begun, footer.map.total_len());
                    let dormant = Dormant { begun, bytes };
                    lock(&self.table).dormant.insert(key, dormant);
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
        base: Option<&Source>,
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
        let dormant = table.dormant.remove(&key);
        let beginning = Beginning {
            chunks: footer.map.chunks().len(),
            bytes: footer.map.total_len(),
        };
        if let Err(error) = self.make_room(&mut table, key.0, &beginning) {
            table.dormant.extend(dormant.map(|dormant| (key, dormant)));
            return Err(error);
        }
        table.beginning.insert(key, beginning);
        drop(table);

        let upload = self.prepare(key, footer, dormant.is_some(), base, runs);

        let mut table = lock(&self.table);
        table.beginning.remove(&key);
        match &upload {
            Ok(upload) => drop(table.open.insert(key, Arc::clone(upload))),
            // What had come may still be taken up.
            Err(_) => table.dormant.extend(dormant.map(|dormant| (key, dormant))),
        }
        drop(table);
        self.begun.notify_all();
        let upload = upload?;
        if upload.is_complete() {
            self.workers.hand(Task::Chunks(Arc::clone(&upload)));
        }
        Ok(upload)
    }

    /// Refuses another upload of `owner` beyond the limits; its oldest dormant
    /// ones give way.
    fn make_room(
        &self,
        table: &mut Table,
        owner: DeviceId,
        new: &Beginning,
    ) -> Result<(), BlobError> {
        let chunks = new.chunks + table.chunks();
        if chunks > self.chunks {
            let limit = self.chunks;
            return Err(BlobError::Crowded {
                count: chunks,
                of: "chunks",
                limit,
            });
        }
        let open = table.open.len() + table.beginning.len() + table.whole.len();
        if open >= self.total {
            let limit = self.total;
            return Err(BlobError::Crowded {
                count: open,
                of: "files",
                limit,
            });
        }
        loop {
            let (open, bytes) = table.of(owner);
            let bytes = bytes + new.bytes;
            let (dormant, oldest) = table.dormant_of(owner);
            if open + dormant < self.per_owner && bytes <= self.bytes_per_owner {
                return Ok(());
            }
            let Some(key) = oldest else {
                return Err(BlobError::Busy {
                    open,
                    limit: self.per_owner,
                    bytes,
                    byte_limit: self.bytes_per_owner,
                });
            };
            table.dormant.remove(&key);
            self.remove_file(&self.path(key))?;
        }
    }

    fn prepare(
        &self,
        key: Key,
        footer: Footer,
        was_dormant: bool,
        base: Option<&Source>,
        runs: &[Run],
    ) -> Result<Arc<Upload>, BlobError> {
        let path = self.path(key);
        let resumed = if was_dormant {
            self.resume(&path, &footer)?
        } else {
            None
        };
        let upload = Upload::new(path, footer);
        if let Some(file) = resumed {
            upload.set_file(file);
            upload.find_present()?;
        }
        if let Some(base) = base {
            if !upload.has_file() {
                upload.set_file(self.create(&upload)?);
            }
            // Copies are not spread over requests as chunks are: their space is taken
            // before them, so that two of them cannot share the last of a disk.
            self.check_space(upload.footer.map.total_len())?;
            upload.reserve_all()?;
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

    /// Makes the file of an upload, as long as it will be but without its space.
    fn create(&self, upload: &Upload) -> Result<Arc<dyn File>, BlobError> {
        let (path, footer) = (&upload.path, &upload.footer);
        let encoded = footer.encode();
        self.check_space(encoded.len() as u64)?;
        // What another thread may still hold open is not what this one fills.
        self.remove_file(path)?;
        let fill = || {
            let file = self.fs.open(path, Open::CreateNew)?;
            file.write_all_at(&encoded, footer.offset())?;
            Ok(file)
        };
        fill().map(Arc::from).map_err(|error| {
            // An unfinished file without a valid footer goes at the next start.
            let _ = self.fs.remove_file(path);
            BlobError::io("create", path, error)
        })
    }

    /// Gives an upload its file, if it is still the one that is open: another
    /// one's file must not be replaced.
    fn give_file(&self, key: Key, upload: &Arc<Upload>) -> Result<(), BlobError> {
        let table = lock(&self.table);
        let open = table.open.get(&key);
        if !open.is_some_and(|open| Arc::ptr_eq(open, upload)) {
            let (owner, hash) = key;
            return Err(BlobError::NotBegun { hash, owner });
        }
        if !upload.has_file() {
            upload.set_file(self.create(upload)?);
        }
        drop(table);
        Ok(())
    }

    /// Refuses to take `bytes` more than the reserve allows. A small disk keeps a
    /// smaller one: a part of what it has.
    pub(super) fn check_space(&self, bytes: u64) -> Result<(), BlobError> {
        let path = &self.directory;
        let failed = |error| BlobError::io("measure", path, error);
        let total = self.fs.total_bytes(path).map_err(failed)?;
        let kept = self.reserve_bytes.min(total / RESERVE_PART);
        let free = self.fs.free_bytes(path).map_err(failed)?;
        if free < kept.saturating_add(bytes) {
            let path = path.clone();
            return Err(BlobError::Reserved { path, kept, free });
        }
        Ok(())
    }

    /// Whether the upload was begun and can go on.
    pub(super) fn has(&self, key: Key) -> bool {
        let table = lock(&self.table);
        table.open.contains_key(&key) || table.dormant.contains_key(&key)
    }

    /// Takes a chunk of an open upload.
    pub(super) fn write(&self, key: Key, offset: u64, bytes: &[u8]) -> Result<(), BlobError> {
        self.health.check()?;
        let (owner, hash) = key;
        let upload = self.get(key).ok_or(BlobError::NotBegun { hash, owner })?;
        let Some(number) = upload.check(offset, bytes)? else {
            return Ok(());
        };
        if !upload.has_file() {
            self.give_file(key, &upload)?;
        }
        let lacking = upload.lacks_space();
        if lacking > 0 {
            self.check_space(lacking)?;
            upload.reserve()?;
        }
        if upload.write(number, offset, bytes)? {
            self.workers.hand(Task::Chunks(upload));
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
            Settled::Ready => self.put_in_place(key, &upload, target),
        }
    }

    /// Moves the file of a finished upload; `None` if another thread was faster.
    fn put_in_place(
        &self,
        key: Key,
        upload: &Arc<Upload>,
        target: &Path,
    ) -> Result<Option<u64>, BlobError> {
        let mut table = lock(&self.table);
        let open = table.open.get(&key);
        if !open.is_some_and(|open| Arc::ptr_eq(open, upload)) {
            return Ok(None);
        }
        table.open.remove(&key);
        // Under the lock: whoever begins the same upload anew, as a client does whose
        // earlier process is still being served, replaces the file of this path.
        let moved = self.fs.rename(&upload.path, target);
        drop(table);
        moved.map_err(|error| BlobError::io("put in place", &upload.path, error))?;
        Ok(Some(upload.footer.map.total_len()))
    }

    /// Throws an upload away.
    pub(super) fn discard(&self, key: Key) -> Result<(), BlobError> {
        self.discard_in(&mut lock(&self.table), key)
    }

    /// Under the lock, so that a new beginning cannot lose its file.
    fn discard_in(&self, table: &mut Table, key: Key) -> Result<(), BlobError> {
        let open = table.open.remove(&key).is_some();
        let dormant = table.dormant.remove(&key).is_some();
        if (open || dormant) && !table.beginning.contains_key(&key) {
            self.remove_file(&self.path(key))?;
        }
        Ok(())
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
        let mut table = lock(&self.table);
        let open = table.open.iter();
        let old_open = open
            .filter(|(_, upload)| is_old(upload.begun()) && !upload.is_verifying())
            .map(|(key, _)| *key);
        let dormant = table.dormant.iter();
        let old_dormant = dormant
            .filter(|(_, upload)| is_old(upload.begun))
            .map(|(key, _)| *key);
        let old: Vec<Key> = old_open.chain(old_dormant).collect();
        old.into_iter()
            .try_for_each(|key| self.discard_in(&mut table, key))
    }

    /// Begins a blob that comes whole; of one that `is_stored` nothing is written.
    pub(super) fn begin_whole(
        self: &Arc<Self>,
        key: Key,
        size: u64,
        begun: Millis,
        is_stored: bool,
    ) -> Result<Whole, BlobError> {
        self.health.check()?;
        if !is_stored {
            self.check_space(size)?;
        }
        let mut table = lock(&self.table);
        let beginning = Beginning {
            chunks: 0,
            bytes: size,
        };
        self.make_room(&mut table, key.0, &beginning)?;
        let number = table.next_whole;
        table.next_whole += 1;
        table.whole.insert(number, (key.0, size));
        drop(table);
        let mut whole = Whole::new(Arc::clone(self), key, number, size, begun);
        if !is_stored {
            let path = self.whole_path(key, number);
            let file = self.fs.open(&path, Open::CreateNew);
            let file = file.map_err(|error| BlobError::io("create", &path, error))?;
            whole.set_file(path, file);
        }
        Ok(whole)
    }

    /// No key of an upload that can be resumed: opening removes such files.
    fn whole_path(&self, key: Key, number: u64) -> PathBuf {
        let mut path = self.path(key).into_os_string();
        path.push(format!("-{number}"));
        PathBuf::from(path)
    }

    /// Moves the synced file of a blob that came whole to `target`.
    pub(super) fn put_whole_in_place(&self, path: &Path, target: &Path) -> Result<(), BlobError> {
        self.health.check()?;
        self.fs
            .rename(path, target)
            .map_err(|error| BlobError::io("put in place", path, error))
    }

    /// Forgets a blob that came whole, and removes its file if it still has one.
    pub(super) fn leave_whole(&self, number: u64, path: Option<&Path>) {
        if let Some(path) = path {
            // What cannot be removed now goes at the next start.
            let _ = self.remove_file(path);
        }
        lock(&self.table).whole.remove(&number);
    }

    /// Has `task` done by a worker.
    pub(super) fn hand(&self, task: Task) {
        self.workers.hand(task);
    }
}

fn copy_runs(upload: &Upload, base: &Source, runs: &[Run]) -> Result<(), BlobError> {
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
