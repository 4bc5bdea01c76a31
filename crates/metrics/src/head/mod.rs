//! The head: the series that get samples, in memory, with the samples that are in no part
//! yet.
//!
//! Series lie in shards by the hash of their labels, each behind a lock of its own, so
//! that requests, the one thread that appends and queries meet seldom. A request finds its
//! series by the bytes that name them ([`Admission`], see [`crate::ingest`]) and only
//! names samples; they are appended once they are as durable as they should be
//! (`database`).
//!
//! Locks are taken in this order and never in another: `keys` or a shard, one at a time;
//! then the census. A test has threads do everything at once.
//!
//! Read `shard` next, then `samples`; `select` is the source that queries read, `frozen`
//! what a flush does, and `figures` counts what there is.

mod census;
mod figures;
mod frozen;
mod id;
mod key_table;
mod postings;
mod samples;
mod select;
mod shard;
mod verdicts;

use crate::chunk::Sample;
use crate::eval::{Labels, TimeRange, encode_labels};
use crate::ingest::{self, Key, SeriesRefusal};
use crate::promql::LabelMatcher;
use base::Random;
use census::Census;
use hashbrown::{DefaultHashBuilder, HashSet};
pub(crate) use id::SHARDS;
use key_table::{Fingerprint, KeyTable, Secret};
use shard::Shard;
use std::hash::BuildHasher;
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

pub use census::SeriesLimits;
pub use figures::HeadFigures;
pub use frozen::{Frozen, FrozenCursor};
pub use id::{Client, SeriesId};

/// Keys that are kept, of all shards together: those of two million series, each named in
/// two ways.
const KEYS: usize = 4_000_000;

/// Series that are fetched from memory together: about as many as a core waits for at once.
const TOUCHED_AHEAD: usize = 16;

/// The series in memory.
#[derive(Debug)]
pub struct Head {
    shards: Box<[RwLock<Shard>]>,
    keys: Box<[RwLock<KeyTable>]>,
    secret: Secret,
    census: Mutex<Census>,
    /// Decides which shard a series is in.
    hasher: DefaultHashBuilder,
}

/// The series of the head as a parser of requests asks for them, for one client.
#[derive(Debug)]
pub struct Admission<'h> {
    head: &'h Head,
    client: Client,
    /// When this is, in seconds since 1970.
    now: u32,
    /// Memory for labels in the form of the head.
    labels: Vec<u8>,
}

impl Head {
    /// An empty one. Keys are told apart by a secret that is drawn from `random`.
    pub fn new(limits: SeriesLimits, random: &dyn Random) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| RwLock::default()).collect(),
            keys: (0..SHARDS).map(|_| RwLock::default()).collect(),
            secret: Secret::new([random.next_u64(), random.next_u64()]),
            census: Mutex::new(Census::new(limits)),
            hasher: DefaultHashBuilder::default(),
        }
    }

    /// How a parser asks for series in the name of `client`, at `now` in seconds since
    /// 1970.
    pub const fn admission(&self, client: Client, now: u32) -> Admission<'_> {
        Admission {
            head: self,
            client,
            now,
            labels: Vec::new(),
        }
    }

    /// The series with these labels, which is made if it is not there, whatever the
    /// limits: it was taken before.
    ///
    /// # Errors
    /// Its shard is full.
    pub fn adopt(
        &self,
        client: Client,
        now: u32,
        labels: &[u8],
    ) -> Result<SeriesId, SeriesRefusal> {
        self.admit_labels(labels, now, |census| Ok(census.add_anyway(client)))
    }

    /// Takes samples of one shard, each of a series that is there, in this generation.
    pub fn append(&self, shard: usize, samples: &[(u32, Sample)], generation: u32, now: u32) {
        let mut shard = write(&self.shards[shard]);
        for some in samples.chunks(TOUCHED_AHEAD) {
            // Series lie all over the memory. Those that are needed next are asked for at
            // once, so that it is waited for all of them and not for one after the other.
            let touched = some.iter().map(|(slot, _)| shard.last_touched(*slot));
            std::hint::black_box(touched.fold(0, u32::wrapping_add));
            for (slot, sample) in some {
                let series = shard.series_mut(*slot);
                let series = series.expect("a series stays while a request has samples for it");
                series.samples.append(*sample, generation);
                series.touched = now;
            }
        }
    }

    /// The labels of a series.
    pub fn labels(&self, id: SeriesId) -> Option<Labels> {
        let shard = read(&self.shards[id.shard()]);
        Some(shard.labels(shard.series(id.slot())?))
    }

    /// How many series there are.
    pub fn series(&self) -> u64 {
        self.lock_census().total()
    }

    /// Puts other limits in force, for series to come.
    pub fn set_limits(&self, limits: SeriesLimits) {
        self.lock_census().set_limits(limits);
    }

    /// Forgets the samples in a range of those series that all matchers choose.
    pub fn delete(&self, matchers: &[LabelMatcher], range: TimeRange) {
        let never = || false;
        let chosen = self.choose(matchers, &never);
        for (_, id) in chosen.expect("only who is asked to cancels") {
            let mut shard = write(&self.shards[id.shard()]);
            if let Some(series) = shard.series_mut(id.slot()) {
                series.samples.delete(range.start, range.end);
            }
        }
    }

    /// Forgets the samples of generations before `generation`, which lie in parts. `current`
    /// is the generation now.
    pub fn forget(&self, generation: u32, current: u32) {
        for shard in &self.shards {
            for series in write(shard).all_mut() {
                series.samples.forget(generation, current);
            }
        }
    }

    /// Series that have no samples and got none since `before`, in seconds since 1970.
    pub fn idle(&self, before: u32) -> Vec<SeriesId> {
        let mut idle = Vec::new();
        for (number, shard) in self.shards.iter().enumerate() {
            let shard = read(shard);
            let series = shard.all().filter(|(_, series)| series.is_idle(before));
            idle.extend(series.map(|(slot, _)| SeriesId::new(number, slot)));
        }
        idle
    }

    /// Takes away those of these series that are still idle, and gives them back. While it
    /// runs no request may be looking for series, and none may have samples on the way.
    pub fn retire(&self, series: &[SeriesId], before: u32) -> Vec<SeriesId> {
        let mut retired = Vec::new();
        for (number, shard) in self.shards.iter().enumerate() {
            let slots = series.iter().filter(|id| id.shard() == number);
            let removed = write(shard).remove_idle(slots.map(|id| id.slot()), before);
            for (slot, owner) in removed {
                self.lock_census().remove(owner);
                retired.push(SeriesId::new(number, slot));
            }
        }
        let gone: HashSet<SeriesId> = retired.iter().copied().collect();
        for keys in &self.keys {
            write(keys).forget(&gone);
        }
        retired
    }

    fn admit_labels(
        &self,
        labels: &[u8],
        now: u32,
        count: impl FnOnce(&mut Census) -> Result<u32, SeriesRefusal>,
    ) -> Result<SeriesId, SeriesRefusal> {
        let number = shard_of(self.hasher.hash_one(labels));
        let found = read(&self.shards[number]).find(labels);
        if let Some(slot) = found {
            return Ok(SeriesId::new(number, slot));
        }
        let mut shard = write(&self.shards[number]);
        // Another may have made it meanwhile.
        if let Some(slot) = shard.find(labels) {
            return Ok(SeriesId::new(number, slot));
        }
        if !shard.has_room() {
            let limit = self.series();
            return Err(SeriesRefusal::Total { limit });
        }
        let owner = count(&mut self.lock_census())?;
        let slot = shard.insert(labels, owner, now);
        Ok(SeriesId::new(number, slot))
    }

    fn keys_of(&self, fingerprint: Fingerprint) -> &RwLock<KeyTable> {
        &self.keys[fingerprint.shard(SHARDS)]
    }

    fn lock_census(&self) -> MutexGuard<'_, Census> {
        self.census.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ingest::Series for Admission<'_> {
    type Id = SeriesId;

    fn known(&mut self, key: Key<'_>) -> Option<SeriesId> {
        let fingerprint = self.head.secret.fingerprint(&key);
        read(self.head.keys_of(fingerprint)).find(fingerprint)
    }

    fn admit(
        &mut self,
        key: Option<Key<'_>>,
        labels: &ingest::Labels,
    ) -> Result<SeriesId, SeriesRefusal> {
        self.labels.clear();
        encode_labels(labels.iter(), &mut self.labels);
        let count = |census: &mut Census| census.add(self.client);
        let id = self.head.admit_labels(&self.labels, self.now, count)?;
        if let Some(key) = key {
            let fingerprint = self.head.secret.fingerprint(&key);
            write(self.head.keys_of(fingerprint)).insert(fingerprint, id, KEYS / SHARDS);
        }
        Ok(id)
    }
}

/// By the bits that tables within a shard use last.
const fn shard_of(hash: u64) -> usize {
    (hash >> 40) as usize % SHARDS
}

/// What a lock guards is sound between any two statements, so a panic elsewhere does not
/// spoil it.
fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}
