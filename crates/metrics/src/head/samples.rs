//! The samples of one series that are in no part yet: in the order of time as bits, and
//! those that came late beside them.
//!
//! A flush writes what there is at a moment, its cut, into parts, while more samples come.
//! So samples are of a generation, which the cut ends; those of ended ones are frozen until
//! they lie in parts. A series is frozen when it is next touched, not at the cut, which
//! therefore takes no time.
//!
//! Of samples of one time the one that came last counts. That is settled when they are
//! read: nothing is looked for when a sample comes.

use crate::chunk::{Chunk, Sample, settle};

/// Samples of a chunk: an instant query decodes one, in some 5 µs.
const CHUNK_SAMPLES: usize = 1024;

/// The samples of one series.
#[derive(Debug, Default)]
pub(super) struct Samples {
    /// Each later than all before it.
    active: Chunk,
    /// Of which generation `active` and what is beside it are.
    generation: u32,
    /// Most series have nothing beside it, most of the time.
    beside: Option<Box<Beside>>,
}

#[derive(Debug, Default)]
struct Beside {
    /// Of ended generations, in the order in which they came.
    frozen: Vec<Piece>,
    /// Before the active chunk.
    sealed: Vec<Chunk>,
    /// Not later than the last in a chunk when they came; in the order in which they came.
    late: Vec<Sample>,
}

#[derive(Debug)]
enum Piece {
    Chunk(Chunk),
    Late(Vec<Sample>),
}

impl Samples {
    /// Takes a sample in this generation, which never goes back.
    pub(super) fn append(&mut self, sample: Sample, generation: u32) {
        self.freeze(generation);
        match self.last() {
            Some(last) if last == sample => {}
            Some(last) if sample.time <= last.time => self.beside().late.push(sample),
            _ => self.append_in_order(sample),
        }
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.active.is_empty() && self.beside.is_none()
    }

    /// Adds to `samples` those from `start` on, and perhaps others before: by time, each
    /// time once.
    pub(super) fn read(&self, start: i64, samples: &mut Vec<Sample>) {
        let from = samples.len();
        if let Some(beside) = &self.beside {
            read_pieces(&beside.frozen, start, samples);
            for chunk in &beside.sealed {
                read_chunk(chunk, start, samples);
            }
        }
        read_chunk(&self.active, start, samples);
        if let Some(beside) = &self.beside {
            samples.extend_from_slice(&beside.late);
        }
        settle(samples, from);
    }

    /// Adds to `samples` those before the cut that began `generation`, as [`Samples::read`].
    pub(super) fn read_frozen(&self, generation: u32, samples: &mut Vec<Sample>) {
        if self.generation < generation {
            return self.read(i64::MIN, samples);
        }
        let from = samples.len();
        if let Some(beside) = &self.beside {
            read_pieces(&beside.frozen, i64::MIN, samples);
        }
        settle(samples, from);
    }

    /// Forgets those before the cut that began `generation`, which lie in parts now.
    pub(super) fn forget_frozen(&mut self, generation: u32) {
        self.freeze(generation);
        if let Some(beside) = &mut self.beside {
            beside.frozen = Vec::new();
            if beside.sealed.is_empty() && beside.late.is_empty() {
                self.beside = None;
            }
        }
    }

    /// Forgets those from `start` to `end`.
    pub(super) fn delete(&mut self, start: i64, end: i64) {
        let is_kept = |sample: &Sample| !(start..=end).contains(&sample.time);
        let mut frozen = Vec::new();
        self.read_frozen(self.generation, &mut frozen);
        frozen.retain(is_kept);
        if let Some(beside) = &mut self.beside {
            beside.frozen = Vec::new();
        }
        let mut current = Vec::new();
        self.read(i64::MIN, &mut current);
        self.active = Chunk::default();
        self.beside = None;
        if !frozen.is_empty() {
            self.beside().frozen.push(Piece::Late(frozen));
        }
        for sample in current.into_iter().filter(is_kept) {
            self.append_in_order(sample);
        }
    }

    /// Bytes of memory, its own among them.
    pub(super) fn memory(&self) -> usize {
        let late = |samples: &Vec<Sample>| samples.capacity() * size_of::<Sample>();
        let beside = self.beside.as_ref().map_or(0, |beside| {
            let frozen = beside.frozen.iter().map(|piece| match piece {
                Piece::Chunk(chunk) => chunk.memory(),
                Piece::Late(samples) => size_of::<Piece>() + late(samples),
            });
            let sealed = beside.sealed.iter().map(Chunk::memory);
            size_of::<Beside>() + frozen.chain(sealed).sum::<usize>() + late(&beside.late)
        });
        size_of::<Self>() - size_of::<Chunk>() + self.active.memory() + beside
    }

    /// The last in a chunk of this generation.
    fn last(&self) -> Option<Sample> {
        self.active.last().or_else(|| {
            let sealed = &self.beside.as_ref()?.sealed;
            sealed.last()?.last()
        })
    }

    fn append_in_order(&mut self, sample: Sample) {
        self.active.push(sample);
        if self.active.len() == CHUNK_SAMPLES {
            let mut sealed = std::mem::take(&mut self.active);
            sealed.close();
            self.beside().sealed.push(sealed);
        }
    }

    /// Ends the generations before this one.
    fn freeze(&mut self, generation: u32) {
        if self.generation == generation {
            return;
        }
        self.generation = generation;
        if self.is_empty() {
            return;
        }
        let mut active = std::mem::take(&mut self.active);
        active.close();
        let Beside {
            frozen,
            sealed,
            late,
        } = self.beside();
        frozen.extend(sealed.drain(..).map(Piece::Chunk));
        if !active.is_empty() {
            frozen.push(Piece::Chunk(active));
        }
        if !late.is_empty() {
            frozen.push(Piece::Late(std::mem::take(late)));
        }
    }

    fn beside(&mut self) -> &mut Beside {
        self.beside.get_or_insert_default()
    }
}

fn read_pieces(pieces: &[Piece], start: i64, samples: &mut Vec<Sample>) {
    for piece in pieces {
        match piece {
            Piece::Chunk(chunk) => read_chunk(chunk, start, samples),
            Piece::Late(late) => samples.extend_from_slice(late),
        }
    }
}

fn read_chunk(chunk: &Chunk, start: i64, samples: &mut Vec<Sample>) {
    if chunk.last_time().is_some_and(|last| last >= start) {
        let read = chunk.samples();
        samples.extend(read.map(|sample| sample.expect("its own bits are whole")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// What is done to the samples of a series.
    #[derive(Debug, Clone)]
    enum Step {
        Append(i64, u8),
        Cut,
        Forget,
        Delete(i64, i64),
    }

    /// What they should be: each time with its last value, before the cut and since.
    #[derive(Default)]
    struct Model {
        frozen: BTreeMap<i64, u8>,
        current: BTreeMap<i64, u8>,
    }

    fn steps() -> impl Strategy<Value = Step> {
        prop_oneof![
            10 => (0..100_i64, 0..3_u8).prop_map(|(time, value)| Step::Append(time, value)),
            10 => (0..5_000_i64, 0..3_u8).prop_map(|(time, value)| Step::Append(time, value)),
            1 => Just(Step::Cut),
            1 => Just(Step::Forget),
            1 => (0..5_000_i64, 0..50_i64).prop_map(|(start, n)| Step::Delete(start, start + n)),
        ]
    }

    fn told(samples: &[Sample]) -> Vec<(i64, u8)> {
        let told = |sample: &Sample| (sample.time, sample.value as u8);
        samples.iter().map(told).collect()
    }

    proptest! {
        #[test]
        fn they_are_as_a_map_of_the_last_values(
            ordered in 0..3_000_i64,
            steps in prop::collection::vec(steps(), 0..200),
        ) {
            let (mut samples, mut model) = (Samples::default(), Model::default());
            let mut generation = 0;
            let first = (0..ordered).map(|time| Step::Append(time, 0));
            for step in first.chain(steps) {
                match step {
                    Step::Append(time, value) => {
                        let value_of = f64::from(value);
                        samples.append(Sample { time, value: value_of }, generation);
                        model.current.insert(time, value);
                    }
                    Step::Cut => {
                        generation += 1;
                        let current = std::mem::take(&mut model.current);
                        model.frozen.extend(current);
                    }
                    Step::Forget => {
                        samples.forget_frozen(generation);
                        model.frozen.clear();
                    }
                    Step::Delete(start, end) => {
                        samples.delete(start, end);
                        let is_kept = |time: &i64, _: &mut u8| !(start..=end).contains(time);
                        model.frozen.retain(is_kept);
                        model.current.retain(is_kept);
                    }
                }
                prop_assert!(model.frozen.is_empty() && model.current.is_empty() || !samples.is_empty());
            }
            let mut read = Vec::new();
            samples.read_frozen(generation, &mut read);
            let frozen: Vec<_> = model.frozen.clone().into_iter().collect();
            prop_assert_eq!(told(&read), frozen);
            read.clear();
            samples.read(i64::MIN, &mut read);
            let mut all = model.frozen;
            all.extend(model.current);
            prop_assert_eq!(told(&read), all.into_iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_series_without_samples_takes_its_own_size_alone() {
        let mut samples = Samples::default();
        let empty = samples.memory();
        for time in [5, 3, 7] {
            samples.append(Sample { time, value: 1.0 }, 1);
        }
        assert!(samples.memory() > empty);
        samples.forget_frozen(2);
        assert!(samples.is_empty());
        assert_eq!(samples.memory(), empty);
    }
}
