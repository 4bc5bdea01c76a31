//! The keys under which series were pushed, so that a series that comes again is found by
//! the bytes that name it in its request.
//!
//! Of a key only a fingerprint is kept, by a hash with a secret that is drawn at each start:
//! SipHash, which nobody who does not know the secret can tell from chance (Aumasson and
//! Bernstein, "SipHash: a fast short-input PRF", INDOCRYPT 2012). Of its 128 bits 96 are
//! compared, so that of two million keys two are taken for one with a probability below
//! 2^-54. Keys themselves would be most of the memory of a series, and a miss of the cache
//! each time that one is compared.
//!
//! A table is a cache: when it holds too many it is emptied, and filled again by what comes.

use super::id::SeriesId;
use crate::ingest::Key;
use hashbrown::{HashSet, HashTable};
use siphasher::sip128::{Hasher128, SipHasher13};
use std::hash::Hasher;

/// Keys and what they name.
#[derive(Debug, Default)]
pub(super) struct KeyTable(HashTable<Entry>);

/// What is kept of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fingerprint {
    /// Decides where in a table it is, too.
    place: u64,
    rest: u32,
}

/// Makes fingerprints.
#[derive(Debug, Clone, Copy)]
pub(super) struct Secret(SipHasher13);

#[derive(Debug, Clone, Copy)]
struct Entry {
    fingerprint: Fingerprint,
    series: SeriesId,
}

impl Secret {
    /// One of these random numbers.
    pub(super) fn new(random: [u64; 2]) -> Self {
        Self(SipHasher13::new_with_keys(random[0], random[1]))
    }

    /// The fingerprint of a key.
    pub(super) fn fingerprint(&self, key: &Key<'_>) -> Fingerprint {
        let mut hasher = self.0;
        hasher.write(key.head);
        // Where the head ends is part of the key.
        hasher.write_u64((key.head.len() as u64) << 8 | key.syntax as u64);
        hasher.write(key.tail);
        let hash = hasher.finish128();
        Fingerprint {
            place: hash.h1,
            rest: hash.h2 as u32,
        }
    }
}

impl Fingerprint {
    /// By the bits that tables use last.
    pub(super) const fn shard(self, shards: usize) -> usize {
        (self.place >> 40) as usize % shards
    }
}

impl KeyTable {
    /// What the key with this fingerprint names, if it is there.
    pub(super) fn find(&self, fingerprint: Fingerprint) -> Option<SeriesId> {
        let is_it = |entry: &Entry| entry.fingerprint == fingerprint;
        let found = self.0.find(fingerprint.place, is_it);
        found.map(|entry| entry.series)
    }

    /// Keeps a key, among at most so many.
    pub(super) fn insert(&mut self, fingerprint: Fingerprint, series: SeriesId, most: usize) {
        if self.find(fingerprint).is_some() {
            return;
        }
        if self.0.len() >= most {
            self.clear();
        }
        let entry = Entry {
            fingerprint,
            series,
        };
        let place_of = |entry: &Entry| entry.fingerprint.place;
        self.0.insert_unique(fingerprint.place, entry, place_of);
    }

    /// Forgets the keys of series that have gone.
    pub(super) fn forget(&mut self, gone: &HashSet<SeriesId>) {
        if !gone.is_empty() {
            self.0.retain(|entry| !gone.contains(&entry.series));
        }
    }

    /// Forgets all keys.
    fn clear(&mut self) {
        self.0 = HashTable::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::Syntax;

    fn key<'k>(syntax: Syntax, head: &'k str, tail: &'k str) -> Key<'k> {
        Key {
            syntax,
            head: head.as_bytes(),
            tail: tail.as_bytes(),
        }
    }

    #[test]
    fn keys_that_differ_anywhere_are_others() {
        let secret = Secret::new([1, 2]);
        let mut table = KeyTable::default();
        let keys = [
            key(Syntax::Json, "cpu", "{}"),
            key(Syntax::Json, "cp", "u{}"),
            key(Syntax::LineProtocol, "cpu", "{}"),
            key(Syntax::RemoteWrite, "", ""),
            key(Syntax::JsonLines, "", ""),
        ];
        for (number, key) in keys.iter().enumerate() {
            let fingerprint = secret.fingerprint(key);
            assert_eq!(table.find(fingerprint), None);
            table.insert(fingerprint, SeriesId::new(0, number as u32), 100);
        }
        for (number, key) in keys.iter().enumerate() {
            let id = SeriesId::new(0, number as u32);
            assert_eq!(table.find(secret.fingerprint(key)), Some(id));
            let other = Secret::new([1, 3]).fingerprint(key);
            assert_ne!(other, secret.fingerprint(key));
        }
    }

    #[test]
    fn it_is_bounded() {
        let secret = Secret::new([1, 2]);
        let mut table = KeyTable::default();
        for number in 0..10_000_u32 {
            let name = format!("series_{number}");
            let fingerprint = secret.fingerprint(&key(Syntax::Json, &name, "{}"));
            table.insert(fingerprint, SeriesId::new(1, number), 1000);
            assert!(table.0.len() <= 1000);
            assert_eq!(table.find(fingerprint), Some(SeriesId::new(1, number)));
        }
    }
}
