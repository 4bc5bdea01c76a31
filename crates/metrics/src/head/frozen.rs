//! What a flush reads of the head: the samples of generations that lie in no part yet, of
//! all series by the order of their labels.
//!
//! There may be a million series, so of each shard only the slots are held in their order,
//! and the labels of one series each. While it is read no series may leave.

use super::id::SeriesId;
use super::{Head, read};
use crate::chunk::Sample;
use crate::eval::{EvalError, Labels, SeriesCursor};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// The samples of some generations.
#[derive(Debug, Clone, Copy)]
pub struct Frozen<'h> {
    head: &'h Head,
    /// The first of them, and the first after them.
    generations: (u32, u32),
}

/// All series, by the order of their labels.
pub struct FrozenCursor<'h> {
    frozen: Frozen<'h>,
    /// Of each shard, the slots that are still to come.
    slots: Vec<std::vec::IntoIter<u32>>,
    /// Of each shard that has one, the next series.
    next: BinaryHeap<Reverse<(Labels, SeriesId)>>,
    at: Option<(Labels, SeriesId)>,
    samples: Vec<Sample>,
}

impl Head {
    /// The samples of ended generations, from one on and before another.
    pub const fn frozen(&self, generations: (u32, u32)) -> Frozen<'_> {
        Frozen {
            head: self,
            generations,
        }
    }
}

impl<'h> Frozen<'h> {
    /// All series in order.
    pub fn series(self) -> FrozenCursor<'h> {
        let shards = self.head.shards.iter();
        let slots = shards.map(|shard| {
            let shard = read(shard);
            let filled = shard.all().filter(|(_, series)| !series.samples.is_empty());
            let mut slots: Vec<(Labels, u32)> = filled
                .map(|(slot, series)| (shard.labels(series), slot))
                .collect();
            slots.sort_unstable();
            let slots: Vec<u32> = slots.into_iter().map(|(_, slot)| slot).collect();
            slots.into_iter()
        });
        let mut cursor = FrozenCursor {
            frozen: self,
            slots: slots.collect(),
            next: BinaryHeap::new(),
            at: None,
            samples: Vec::new(),
        };
        (0..cursor.slots.len()).for_each(|shard| cursor.fetch(shard));
        cursor
    }

    /// Calls `each` with the samples of each series, in any order.
    pub fn for_each(self, mut each: impl FnMut(&[Sample])) {
        let mut samples = Vec::new();
        for (number, shard) in self.head.shards.iter().enumerate() {
            let slots: Vec<u32> = read(shard).all().map(|(slot, _)| slot).collect();
            for slot in slots {
                samples.clear();
                self.read(SeriesId::new(number, slot), &mut samples);
                each(&samples);
            }
        }
    }

    fn read(self, id: SeriesId, samples: &mut Vec<Sample>) {
        let shard = read(&self.head.shards[id.shard()]);
        if let Some(series) = shard.series(id.slot()) {
            let (from, until) = self.generations;
            series.samples.read_frozen(&(from..until), samples);
        }
    }
}

impl FrozenCursor<'_> {
    /// Puts the next series of a shard among those of the others.
    fn fetch(&mut self, shard: usize) {
        for slot in self.slots[shard].by_ref() {
            let id = SeriesId::new(shard, slot);
            if let Some(labels) = self.frozen.head.labels(id) {
                return self.next.push(Reverse((labels, id)));
            }
        }
    }
}

impl SeriesCursor for FrozenCursor<'_> {
    fn advance(&mut self) -> Result<bool, EvalError> {
        let Some(Reverse((labels, id))) = self.next.pop() else {
            return Ok(false);
        };
        self.fetch(id.shard());
        self.at = Some((labels, id));
        Ok(true)
    }

    fn labels(&self) -> &Labels {
        let at = self.at.as_ref();
        &at.expect("a series is gone to before it is looked at").0
    }

    fn samples(&mut self) -> Result<&[Sample], EvalError> {
        self.samples.clear();
        if let Some((_, id)) = &self.at {
            self.frozen.read(*id, &mut self.samples);
        }
        Ok(&self.samples)
    }
}
