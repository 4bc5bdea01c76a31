//! The samples of one series that are in no part yet: in the order of time as bits, and
//! those that came late beside them.
//!
//! A flush writes what there is at a moment, its cut, into parts, while more samples come.
//! So samples are of a generation, which the cut ends; those of ended ones are frozen until
//! they lie in parts and nobody reads the head without those parts any more. A series is
//! frozen when it is next touched, not at the cut, which therefore takes no time.
//!
//! Of samples of one time the one that came last counts. That is settled when they are
//! read: nothing is looked for when a sample comes.

use crate::chunk::{Chunk, Sample, settle};
use std::ops::Range;

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

/// Samples of an ended generation.
#[derive(Debug)]
struct Piece {
    generation: u32,
    form: Form,
}

#[derive(Debug)]
enum Form {
    Chunk(Chunk),
    Late(Vec<Sample>),
}

impl Samples {
    /// Takes a sample in this generation, which never goes back.
    pub(super) fn append(&mut self, sample: Sample, generation: u32) {
        self.freeze(generation);
        match self.last() {
            // Unless another of its time came in between.
            Some(last) if last == sample && !self.has_late() => {}
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
            for piece in &beside.frozen {
                piece.form.read(start, samples);
            }
        }
        self.read_current(start, samples);
        settle(samples, from);
    }

    /// Adds to `samples` those of these generations, as [`Samples::read`].
    pub(super) fn read_frozen(&self, generations: &Range<u32>, samples: &mut Vec<Sample>) {
        let from = samples.len();
        if let Some(beside) = &self.beside {
            let pieces = beside.frozen.iter();
            for piece in pieces.filter(|piece| generations.contains(&piece.generation)) {
                piece.form.read(i64::MIN, samples);
            }
        }
        if generations.contains(&self.generation) {
            self.read_current(i64::MIN, samples);
        }
        settle(samples, from);
    }

    /// The first and the last time of each chunk, and of each list of late ones.
    pub(super) fn spans(&self) -> impl Iterator<Item = (i64, i64)> {
        let beside = self.beside.iter().flat_map(|beside| {
            let frozen = beside.frozen.iter().filter_map(|piece| piece.form.span());
            let sealed = beside.sealed.iter().filter_map(span_of_chunk);
            frozen.chain(sealed).chain(span_of_list(&beside.late))
        });
        beside.chain(span_of_chunk(&self.active))
    }

    /// Forgets those of generations before `generation`: they lie in parts now. `current` is
    /// the generation now.
    pub(super) fn forget(&mut self, generation: u32, current: u32) {
        self.freeze(current);
        if let Some(beside) = &mut self.beside {
            beside.frozen.retain(|piece| piece.generation >= generation);
            beside.frozen.shrink_to_fit();
            if beside.is_empty() {
                self.beside = None;
            }
        }
    }

    /// Forgets those from `start` to `end`.
    pub(super) fn delete(&mut self, start: i64, end: i64) {
        let is_kept = |sample: &Sample| !(start..=end).contains(&sample.time);
        let mut current = Vec::new();
        self.read_current(i64::MIN, &mut current);
        settle(&mut current, 0);
        self.active = Chunk::default();
        if let Some(beside) = &mut self.beside {
            beside.sealed = Vec::new();
            beside.late = Vec::new();
            for piece in &mut beside.frozen {
                piece.form.retain(is_kept);
            }
            beside.frozen.retain(|piece| !piece.form.is_empty());
            if beside.is_empty() {
                self.beside = None;
            }
        }
        for sample in current.into_iter().filter(is_kept) {
            self.append_in_order(sample);
        }
    }

    /// Adds those of this series' own generation, as they come.
    fn read_current(&self, start: i64, samples: &mut Vec<Sample>) {
        if let Some(beside) = &self.beside {
            for chunk in &beside.sealed {
                read_chunk(chunk, start, samples);
            }
        }
        read_chunk(&self.active, start, samples);
        if let Some(beside) = &self.beside {
            samples.extend_from_slice(&beside.late);
        }
    }

    fn has_late(&self) -> bool {
        let beside = self.beside.as_ref();
        beside.is_some_and(|beside| !beside.late.is_empty())
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
        if self.generation >= generation {
            return;
        }
        let ended = std::mem::replace(&mut self.generation, generation);
        let has_more = self
            .beside
            .as_deref()
            .is_some_and(|beside| !beside.sealed.is_empty() || !beside.late.is_empty());
        if self.active.is_empty() && !has_more {
            return;
        }
        let mut active = std::mem::take(&mut self.active);
        active.close();
        let Beside {
            frozen,
            sealed,
            late,
        } = self.beside();
        let chunks = sealed
            .drain(..)
            .chain(Some(active).filter(|chunk| !chunk.is_empty()));
        let late = Some(std::mem::take(late)).filter(|late| !late.is_empty());
        let forms: Vec<Form> = chunks
            .map(Form::Chunk)
            .chain(late.map(Form::Late))
            .collect();
        // Most series have one piece; room for more would be most of the memory of a flush.
        frozen.reserve_exact(forms.len());
        let generation = ended;
        frozen.extend(forms.into_iter().map(|form| Piece { generation, form }));
    }

    fn beside(&mut self) -> &mut Beside {
        self.beside.get_or_insert_default()
    }
}

impl Beside {
    const fn is_empty(&self) -> bool {
        self.frozen.is_empty() && self.sealed.is_empty() && self.late.is_empty()
    }
}

impl Form {
    fn read(&self, start: i64, samples: &mut Vec<Sample>) {
        match self {
            Self::Chunk(chunk) => read_chunk(chunk, start, samples),
            Self::Late(late) => samples.extend_from_slice(late),
        }
    }

    fn span(&self) -> Option<(i64, i64)> {
        match self {
            Self::Chunk(chunk) => span_of_chunk(chunk),
            Self::Late(late) => span_of_list(late),
        }
    }

    fn retain(&mut self, is_kept: impl Fn(&Sample) -> bool) {
        let mut samples = Vec::new();
        self.read(i64::MIN, &mut samples);
        samples.retain(is_kept);
        *self = Self::Late(samples);
    }

    const fn is_empty(&self) -> bool {
        match self {
            Self::Chunk(chunk) => chunk.is_empty(),
            Self::Late(late) => late.is_empty(),
        }
    }
}

fn read_chunk(chunk: &Chunk, start: i64, samples: &mut Vec<Sample>) {
    if chunk.last_time().is_some_and(|last| last >= start) {
        let read = chunk.samples();
        samples.extend(read.map(|sample| sample.expect("its own bits are whole")));
    }
}

/// The first and the last time; none if it is empty.
fn span_of_chunk(chunk: &Chunk) -> Option<(i64, i64)> {
    let first = chunk.samples().next()?.expect("its own bits are whole");
    Some((first.time, chunk.last_time()?))
}

/// The same, of samples in any order.
fn span_of_list(samples: &[Sample]) -> Option<(i64, i64)> {
    let times = || samples.iter().map(|sample| sample.time);
    Some((times().min()?, times().max()?))
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
        /// The last time again.
        Again(u8),
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
            5 => (0..3_u8).prop_map(Step::Again),
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
            let (mut generation, mut last) = (0, 0);
            let first = (0..ordered).map(|time| Step::Append(time, 0));
            for step in first.chain(steps) {
                let step = match step {
                    Step::Again(value) => Step::Append(last, value),
                    step => step,
                };
                match step {
                    Step::Again(_) => {}
                    Step::Append(time, value) => {
                        last = last.max(time);
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
                        samples.forget(generation, generation);
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
            samples.read_frozen(&(0..generation), &mut read);
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
    fn only_what_lies_in_parts_is_forgotten() {
        let mut samples = Samples::default();
        for generation in 0..3_u32 {
            let time = i64::from(generation);
            samples.append(Sample { time, value: 1.0 }, generation);
        }
        let times = |samples: &Samples, generations: Range<u32>| -> Vec<i64> {
            let mut read = Vec::new();
            samples.read_frozen(&generations, &mut read);
            read.iter().map(|sample| sample.time).collect()
        };
        assert_eq!(times(&samples, 0..3), [0, 1, 2]);
        assert_eq!(times(&samples, 1..2), [1]);
        samples.forget(1, 3);
        assert_eq!(times(&samples, 0..3), [1, 2]);
        samples.forget(3, 3);
        assert!(samples.is_empty());
        assert!(samples.beside.is_none());
    }
}
