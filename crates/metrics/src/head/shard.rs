//! A part of the head's series, which one lock guards: found by their labels, and by the
//! labels that they have.

use super::id::SLOTS;
use super::postings::{Candidates, Pairs, Postings};
use super::samples::Samples;
use super::verdicts::Verdict;
use crate::eval::{EvalError, Labels, Watch};
use hashbrown::{DefaultHashBuilder, HashSet, HashTable};
use std::hash::BuildHasher;

/// Series that are held together. A vector of all of them would need as much memory again
/// each time it grows.
const PAGE: usize = 256;

/// The series of one shard.
#[derive(Debug, Default)]
pub(super) struct Shard {
    /// Slots by the hash of their pairs.
    by_pairs: HashTable<u32>,
    /// Pages of [`PAGE`] slots; only the last is not full.
    pages: Vec<Vec<Option<Series>>>,
    /// Slots without a series.
    free: Vec<u32>,
    postings: Postings,
    hasher: DefaultHashBuilder,
}

/// A series.
#[derive(Debug)]
pub(super) struct Series {
    /// Its labels.
    pub(super) pairs: Pairs,
    pub(super) samples: Samples,
    /// The number of who brought it, in the census.
    pub(super) owner: u32,
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
    /// The slot of the series with these labels, in the form of [`Labels::as_bytes`].
    pub(super) fn find(&self, labels: &[u8]) -> Option<u32> {
        let pairs = self.postings.find(labels)?;
        let is_it = |slot: &u32| {
            let series = self.series(*slot);
            series.is_some_and(|series| series.pairs == pairs)
        };
        let hash = self.hasher.hash_one(&pairs);
        self.by_pairs.find(hash, is_it).copied()
    }

    /// Whether there is room for another.
    pub(super) fn has_room(&self) -> bool {
        !self.free.is_empty() || self.slots() < SLOTS as usize
    }

    /// Adds a series that is not there, where there is room.
    pub(super) fn insert(&mut self, labels: &[u8], owner: u32, now: u32) -> u32 {
        let slot = self.free.pop().unwrap_or_else(|| self.new_slot());
        let pairs = self.postings.add(slot, labels);
        let hash = self.hasher.hash_one(&pairs);
        *self.place(slot) = Some(Series {
            pairs,
            samples: Samples::default(),
            owner,
            touched: now,
        });
        let Self {
            by_pairs,
            pages,
            hasher,
            ..
        } = self;
        let hash_of = |slot: &u32| {
            let series = series_at(pages, *slot).expect("a slot in the table has a series");
            hasher.hash_one(&series.pairs)
        };
        by_pairs.insert_unique(hash, slot, hash_of);
        slot
    }

    /// Takes away those of these slots' series that are idle; gives their slots and owners.
    pub(super) fn remove_idle(
        &mut self,
        slots: impl Iterator<Item = u32>,
        before: u32,
    ) -> Vec<(u32, u32)> {
        let (mut removed, mut pairs) = (Vec::new(), Vec::new());
        for slot in slots {
            let series = self.place(slot).take_if(|series| series.is_idle(before));
            let Some(series) = series else {
                continue;
            };
            let hash = self.hasher.hash_one(&series.pairs);
            if let Ok(entry) = self.by_pairs.find_entry(hash, |other| *other == slot) {
                entry.remove();
            }
            pairs.extend_from_slice(&series.pairs);
            removed.push((slot, series.owner));
        }
        let gone: HashSet<u32> = removed.iter().map(|(slot, _)| *slot).collect();
        self.postings.remove(pairs, |slot| gone.contains(&slot));
        self.free.extend(gone);
        removed
    }

    /// The labels of a series.
    pub(super) fn labels(&self, series: &Series) -> Labels {
        self.postings.labels(&series.pairs)
    }

    /// Whether a series has these labels.
    pub(super) fn has_labels(&self, series: &Series, labels: &Labels) -> bool {
        self.postings.are(&series.pairs, labels.as_bytes())
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

    /// When the series of a slot got a sample last; 0 if there is none.
    pub(super) fn last_touched(&self, slot: u32) -> u32 {
        self.series(slot).map_or(0, |series| series.touched)
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
    ///
    /// # Errors
    /// [`EvalError::Canceled`] when `watch` says so.
    pub(super) fn select(
        &self,
        matchers: &[Verdict<'_>],
        watch: &mut Watch<'_>,
        mut each: impl FnMut(u32, &Series),
    ) -> Result<(), EvalError> {
        let candidates = self.postings.candidates(matchers, watch)?;
        let mut look = |slot, series: &Series| {
            if self.is_chosen(series, matchers, watch)? {
                each(slot, series);
            }
            Ok(())
        };
        match candidates {
            Candidates::All => self.all().try_for_each(|(slot, series)| look(slot, series)),
            Candidates::Listed(slots) => {
                let mut found = slots.iter().map(|slot| (*slot, self.series(*slot)));
                found.try_for_each(|(slot, series)| {
                    look(slot, series.expect("a listed slot has a series"))
                })
            }
        }
    }

    fn is_chosen(
        &self,
        series: &Series,
        matchers: &[Verdict<'_>],
        watch: &mut Watch<'_>,
    ) -> Result<bool, EvalError> {
        for verdict in matchers {
            watch.look()?;
            let value = self.postings.value(&series.pairs, verdict.matcher.name());
            if !verdict.matches(value) {
                return Ok(false);
            }
        }
        Ok(true)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_takes_little() {
        // A million of them take as many megabytes.
        assert_eq!(size_of::<Option<Series>>(), 112);
    }
}
