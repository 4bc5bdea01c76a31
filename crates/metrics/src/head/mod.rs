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
//! Read `shard` next, then `samples`; `select` is the source that queries read.

mod census;
mod id;
mod key_table;
mod postings;
mod samples;
mod select;
mod shard;

use crate::chunk::Sample;
use crate::eval::{Labels, TimeRange, encode_labels};
use crate::ingest::{self, Key, SeriesRefusal};
use crate::promql::LabelMatcher;
use census::Census;
use hashbrown::DefaultHashBuilder;
pub(crate) use id::SHARDS;
use key_table::KeyTable;
use shard::{Series, Shard};
use std::hash::BuildHasher;
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

pub use census::SeriesLimits;
pub use id::{Client, SeriesId};
pub use select::Frozen;

/// Bytes of keys that are kept, of all shards together: those of two million series as
/// they are most often named.
const KEYS_BYTES: usize = 256 << 20;

/// The series in memory.
#[derive(Debug)]
pub struct Head {
    shards: Box<[RwLock<Shard>]>,
    keys: Box<[RwLock<KeyTable>]>,
    census: Mutex<Census>,
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
    /// An empty one.
    pub fn new(limits: SeriesLimits) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| RwLock::default()).collect(),
            keys: (0..SHARDS).map(|_| RwLock::default()).collect(),
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
        self.admit_labels(labels, client, now, |census| {
            census.add_anyway(client);
            Ok(())
        })
    }

    /// Takes samples of one shard, each of a series that is there, in this generation.
    pub fn append(
        &self,
        shard: usize,
        samples: impl IntoIterator<Item = (u32, Sample)>,
        generation: u32,
        now: u32,
    ) {
        let mut shard = write(&self.shards[shard]);
        for (slot, sample) in samples {
            let series = shard.series_mut(slot);
            let series = series.expect("a series stays while a request has samples for it");
            series.samples.append(sample, generation);
            series.touched = now;
        }
    }

    /// The labels of a series.
    pub fn labels(&self, id: SeriesId) -> Option<Labels> {
        let shard = read(&self.shards[id.shard()]);
        Some(shard.series(id.slot())?.labels.clone())
    }

    /// How many series there are.
    pub fn series(&self) -> u64 {
        self.lock_census().total()
    }

    /// Puts other limits in force, for series to come.
    pub fn set_limits(&self, limits: SeriesLimits) {
        self.lock_census().set_limits(limits);
    }

    /// Bytes of memory of the samples; it looks at each series.
    pub fn sample_bytes(&self) -> usize {
        let bytes = |shard: &RwLock<Shard>| -> usize {
            let shard = read(shard);
            shard.all().map(|(_, series)| series.samples.memory()).sum()
        };
        self.shards.iter().map(bytes).sum()
    }

    /// Forgets the samples in a range of those series that all matchers choose.
    pub fn delete(&self, matchers: &[LabelMatcher], range: TimeRange) {
        for (_, id) in self.choose(matchers) {
            let mut shard = write(&self.shards[id.shard()]);
            if let Some(series) = shard.series_mut(id.slot()) {
                series.samples.delete(range.start, range.end);
            }
        }
    }

    /// Forgets the samples before the cut that began this generation: they lie in parts.
    pub fn forget_frozen(&self, generation: u32) {
        for shard in &self.shards {
            for series in write(shard).all_mut() {
                series.samples.forget_frozen(generation);
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
        for id in series {
            let mut shard = write(&self.shards[id.shard()]);
            let found = shard.series(id.slot());
            let Some(idle) = found.filter(|series| series.is_idle(before)) else {
                continue;
            };
            let owner = idle.owner;
            shard.remove(&self.hasher, id.slot());
            self.lock_census().remove(owner);
            retired.push(*id);
        }
        if !retired.is_empty() {
            self.forget_keys();
        }
        retired
    }

    /// Forgets all keys: some name series that have gone.
    fn forget_keys(&self) {
        for keys in &self.keys {
            write(keys).clear();
        }
    }

    fn admit_labels(
        &self,
        labels: &[u8],
        owner: Client,
        now: u32,
        count: impl FnOnce(&mut Census) -> Result<(), SeriesRefusal>,
    ) -> Result<SeriesId, SeriesRefusal> {
        let hash = self.hasher.hash_one(labels);
        let number = shard_of(hash);
        let found = read(&self.shards[number]).find(hash, labels);
        if let Some(slot) = found {
            return Ok(SeriesId::new(number, slot));
        }
        let mut shard = write(&self.shards[number]);
        // Another may have made it meanwhile.
        if let Some(slot) = shard.find(hash, labels) {
            return Ok(SeriesId::new(number, slot));
        }
        if !shard.has_room() {
            let limit = self.series();
            return Err(SeriesRefusal::Total { limit });
        }
        count(&mut self.lock_census())?;
        let series = Series {
            labels: Labels::from_bytes(labels).expect("labels were put in their one form"),
            owner,
            samples: Default::default(),
            touched: now,
        };
        let slot = shard.insert(&self.hasher, hash, series);
        Ok(SeriesId::new(number, slot))
    }

    fn lock_census(&self) -> MutexGuard<'_, Census> {
        self.census.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ingest::Series for Admission<'_> {
    type Id = SeriesId;

    fn known(&mut self, key: Key<'_>) -> Option<SeriesId> {
        let hash = key_table::hash(&self.head.hasher, &key);
        read(&self.head.keys[shard_of(hash)]).find(hash, &key)
    }

    fn admit(
        &mut self,
        key: Option<Key<'_>>,
        labels: &ingest::Labels,
    ) -> Result<SeriesId, SeriesRefusal> {
        self.labels.clear();
        encode_labels(labels.iter(), &mut self.labels);
        let (client, now) = (self.client, self.now);
        let count = |census: &mut Census| census.add(client);
        let id = self.head.admit_labels(&self.labels, client, now, count)?;
        if let Some(key) = key {
            let hasher = &self.head.hasher;
            let keys = &self.head.keys[shard_of(key_table::hash(hasher, &key))];
            write(keys).insert(hasher, &key, id, KEYS_BYTES / SHARDS);
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
