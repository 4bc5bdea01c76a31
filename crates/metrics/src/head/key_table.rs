//! The keys under which series were pushed, so that a series that comes again is found by
//! the bytes that name it in its request.
//!
//! A table is a cache: when it holds too much it is emptied, and filled again by what
//! comes. Keys are compared in full, not only their hashes.

use super::id::SeriesId;
use crate::ingest::{Key, Syntax};
use hashbrown::HashTable;
use std::hash::{BuildHasher, Hasher};

/// Bytes of keys that are held together: what two hundred keys need.
const PAGE_BYTES: usize = 32 * 1024;

/// The longest key that is kept: a page holds eight, and few series have as much to say.
/// Longer ones are parsed each time.
const KEY_BYTES: usize = 4 * 1024;

/// Keys and what they name.
#[derive(Debug, Default)]
pub(super) struct KeyTable {
    entries: HashTable<Entry>,
    /// Each has the capacity of a page.
    pages: Vec<Vec<u8>>,
}

/// Where a key lies: its syntax, its head, its tail.
#[derive(Debug, Clone, Copy)]
struct Entry {
    series: SeriesId,
    page: u32,
    start: u16,
    head: u16,
    tail: u16,
}

impl KeyTable {
    /// What the key names, if it is there; `hash` is that of [`hash`].
    pub(super) fn find(&self, hash: u64, key: &Key<'_>) -> Option<SeriesId> {
        let is_key = |entry: &Entry| self.is_at(entry, key);
        self.entries.find(hash, is_key).map(|entry| entry.series)
    }

    /// Keeps a key, if it is not too long, in at most about so many bytes.
    pub(super) fn insert(
        &mut self,
        hasher: &impl BuildHasher,
        key: &Key<'_>,
        series: SeriesId,
        most: usize,
    ) {
        let bytes = 1 + key.head.len() + key.tail.len();
        let hash = hash(hasher, key);
        if bytes > KEY_BYTES || self.find(hash, key).is_some() {
            return;
        }
        if self.memory() + bytes > most {
            self.clear();
        }
        let entry = self.lay_down(key, bytes, series);
        let Self { entries, pages } = self;
        let hash_of = |entry: &Entry| self::hash(hasher, &key_at(pages, entry));
        entries.insert_unique(hash, entry, hash_of);
    }

    /// Forgets all keys.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Bytes of memory.
    pub(super) fn memory(&self) -> usize {
        self.pages.len() * PAGE_BYTES + self.entries.capacity() * size_of::<Entry>()
    }

    fn lay_down(&mut self, key: &Key<'_>, bytes: usize, series: SeriesId) -> Entry {
        let room = |page: &Vec<u8>| PAGE_BYTES - page.len();
        if self.pages.last().is_none_or(|page| room(page) < bytes) {
            self.pages.push(Vec::with_capacity(PAGE_BYTES));
        }
        let number = self.pages.len() - 1;
        let page = &mut self.pages[number];
        let start = page.len() as u16;
        page.push(key.syntax as u8);
        page.extend_from_slice(key.head);
        page.extend_from_slice(key.tail);
        Entry {
            series,
            page: number as u32,
            start,
            head: key.head.len() as u16,
            tail: key.tail.len() as u16,
        }
    }

    fn is_at(&self, entry: &Entry, key: &Key<'_>) -> bool {
        let found = key_at(&self.pages, entry);
        found.head == key.head && found.tail == key.tail && found.syntax == key.syntax
    }
}

fn key_at<'p>(pages: &'p [Vec<u8>], entry: &Entry) -> Key<'p> {
    let bytes = &pages[entry.page as usize][usize::from(entry.start)..];
    let (head, tail) = bytes[1..].split_at(usize::from(entry.head));
    Key {
        syntax: SYNTAXES[usize::from(bytes[0])],
        head,
        tail: &tail[..usize::from(entry.tail)],
    }
}

/// By their numbers.
const SYNTAXES: [Syntax; 4] = [
    Syntax::Json,
    Syntax::RemoteWrite,
    Syntax::LineProtocol,
    Syntax::JsonLines,
];

/// The hash of a key, by which it is looked up.
pub(super) fn hash(hasher: &impl BuildHasher, key: &Key<'_>) -> u64 {
    let mut state = hasher.build_hasher();
    state.write(key.head);
    // Where the head ends is part of the key.
    state.write_u32((key.head.len() as u32) << 2 | key.syntax as u32);
    state.write(key.tail);
    state.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hashbrown::DefaultHashBuilder;

    const LARGE: usize = 1 << 30;

    fn key<'k>(syntax: Syntax, head: &'k str, tail: &'k str) -> Key<'k> {
        Key {
            syntax,
            head: head.as_bytes(),
            tail: tail.as_bytes(),
        }
    }

    #[test]
    fn keys_that_differ_anywhere_are_others() {
        let hasher = DefaultHashBuilder::default();
        let mut table = KeyTable::default();
        let keys = [
            key(Syntax::Json, "cpu", "{}"),
            key(Syntax::Json, "cp", "u{}"),
            key(Syntax::LineProtocol, "cpu", "{}"),
            key(Syntax::RemoteWrite, "", ""),
            key(Syntax::JsonLines, "", ""),
        ];
        for (number, key) in keys.iter().enumerate() {
            let id = SeriesId::new(0, number as u32);
            assert_eq!(table.find(hash(&hasher, key), key), None);
            table.insert(&hasher, key, id, LARGE);
        }
        for (number, key) in keys.iter().enumerate() {
            let id = SeriesId::new(0, number as u32);
            assert_eq!(table.find(hash(&hasher, key), key), Some(id));
        }
    }

    #[test]
    fn it_is_bounded() {
        let hasher = DefaultHashBuilder::default();
        let mut table = KeyTable::default();
        let most = 8 * PAGE_BYTES;
        for number in 0..100_000_u32 {
            let name = format!("series_with_a_long_name_{number}");
            let key = key(Syntax::Json, &name, "{\"a\":\"b\"}");
            table.insert(&hasher, &key, SeriesId::new(1, number), most);
            assert!(table.memory() <= most + PAGE_BYTES);
            assert!(table.find(hash(&hasher, &key), &key).is_some());
        }
        let long = "x".repeat(KEY_BYTES);
        let key = key(Syntax::Json, &long, "");
        table.insert(&hasher, &key, SeriesId::new(0, 0), most);
        assert_eq!(table.find(hash(&hasher, &key), &key), None);
    }
}
