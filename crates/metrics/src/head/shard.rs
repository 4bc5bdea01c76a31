//! A part of the head's series, which one lock guards: found by their labels, and by the
//! labels that they have.

use super::id::{Client, SLOTS};
use super::postings::{Candidates, Postings};
use super::samples::Samples;
use crate::eval::Labels;
use crate::promql::LabelMatcher;
use hashbrown::HashTable;
use std::hash::BuildHasher;

/// Series that are held together. A vector of all of them would need as much memory again
/// each time it grows.
const PAGE: usize = 256;

/// The series of one shard.
#[derive(Debug, Default)]
pub(super) struct Shard {
    /// Slots by the hash of their labels.
    by_labels: HashTable<u32>,
    /// Pages of [`PAGE`] slots; only the last is not full.
    pages: Vec<Vec<Option<Series>>>,
    /// Slots without a series.
    free: Vec<u32>,
    postings: Postings,
}

/// A series.
#[derive(Debug)]
pub(super) struct Series {
    pub(super) labels: Labels,
    /// Who brought it.
    pub(super) owner: Client,
    pub(super) samples: Samples,
    /// When a sample last came, in seconds since 1970.
    pub(super) touched: u32,
}

impl Series {
    /// Whether it has no samples and got none since `before`.
    pub(super) fn is_idle(&self, before: u32) -> bool {
        self.samples.is_empty() && self.touched < before
    }
}

impl Shard {
    /// The slot of the series with these labels, as bytes.
    pub(super) fn find(&self, hash: u64, labels: &[u8]) -> Option<u32> {
        let is_it = |slot: &u32| {
            let series = self.series(*slot);
            series.is_some_and(|series| series.labels.as_bytes() == labels)
        };
        self.by_labels.find(hash, is_it).copied()
    }

    /// Whether there is room for another.
    pub(super) fn has_room(&self) -> bool {
        !self.free.is_empty() || self.slots() < SLOTS as usize
    }

    /// Adds a series that is not there, where there is room.
    pub(super) fn insert(&mut self, hasher: &impl BuildHasher, hash: u64, series: Series) -> u32 {
        let labels = series.labels.clone();
        let slot = self.free.pop().unwrap_or_else(|| self.new_slot());
        *self.place(slot) = Some(series);
        self.postings.add(slot, &labels);
        let Self {
            by_labels, pages, ..
        } = self;
        let hash_of = |slot: &u32| {
            let series = series_at(pages, *slot).expect("a slot in the table has a series");
            hasher.hash_one(series.labels.as_bytes())
        };
        by_labels.insert_unique(hash, slot, hash_of);
        slot
    }

    /// Takes away the series of a slot.
    pub(super) fn remove(&mut self, hasher: &impl BuildHasher, slot: u32) {
        let Some(series) = self.place(slot).take() else {
            return;
        };
        let hash = hasher.hash_one(series.labels.as_bytes());
        if let Ok(entry) = self.by_labels.find_entry(hash, |other| *other == slot) {
            entry.remove();
        }
        self.postings.remove(slot, &series.labels);
        self.free.push(slot);
    }

    /// The series of a slot.
    pub(super) fn series(&self, slot: u32) -> Option<&Series> {
        series_at(&self.pages, slot)
    }

    /// The series of a slot.
    pub(super) fn series_mut(&mut self, slot: u32) -> Option<&mut Series> {
        let (page, place) = place_of(slot);
        self.pages.get_mut(page)?.get_mut(place)?.as_mut()
    }

    /// All of them, with their slots.
    pub(super) fn all(&self) -> impl Iterator<Item = (u32, &Series)> {
        let slots = (0..).zip(self.pages.iter().flatten());
        slots.filter_map(|(slot, series)| Some((slot, series.as_ref()?)))
    }

    /// All of them.
    pub(super) fn all_mut(&mut self) -> impl Iterator<Item = &mut Series> {
        self.pages.iter_mut().flatten().flatten()
    }

    /// Calls `each` with the series that all matchers choose.
    pub(super) fn select(&self, matchers: &[LabelMatcher], mut each: impl FnMut(u32, &Series)) {
        let chosen = |labels: &Labels| {
            let mut matchers = matchers.iter();
            matchers.all(|matcher| matcher.matches(labels.get(matcher.name())))
        };
        let mut look = |slot, series: &Series| {
            if chosen(&series.labels) {
                each(slot, series);
            }
        };
        match self.postings.candidates(matchers) {
            Candidates::All => self.all().for_each(|(slot, series)| look(slot, series)),
            Candidates::Listed(slots) => {
                let found = slots.iter().map(|slot| (*slot, self.series(*slot)));
                found.for_each(|(slot, series)| {
                    look(slot, series.expect("a listed slot has a series"));
                });
            }
        }
    }

    /// Which labels its series have.
    pub(super) const fn postings(&self) -> &Postings {
        &self.postings
    }

    fn slots(&self) -> usize {
        let full = self.pages.len().saturating_sub(1) * PAGE;
        full + self.pages.last().map_or(0, Vec::len)
    }

    fn new_slot(&mut self) -> u32 {
        let slot = self.slots() as u32;
        if self.pages.last().is_none_or(|page| page.len() == PAGE) {
            self.pages.push(Vec::with_capacity(PAGE));
        }
        if let Some(page) = self.pages.last_mut() {
            page.push(None);
        }
        slot
    }

    fn place(&mut self, slot: u32) -> &mut Option<Series> {
        let (page, place) = place_of(slot);
        &mut self.pages[page][place]
    }
}

fn series_at(pages: &[Vec<Option<Series>>], slot: u32) -> Option<&Series> {
    let (page, place) = place_of(slot);
    pages.get(page)?.get(place)?.as_ref()
}

const fn place_of(slot: u32) -> (usize, usize) {
    let slot = slot as usize;
    (slot / PAGE, slot % PAGE)
}
