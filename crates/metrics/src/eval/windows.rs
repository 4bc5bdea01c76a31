//! The samples of a series that lie in the range of each step: ranges overlap and follow
//! each other, so that each begins and ends not far behind the one before it.

use super::error::EvalError;
use super::selectors::Ranges;
use super::vector::ABSENT;
use crate::chunk::Sample;

/// The samples of a series over a range of time; at least one, none of them stale.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window<'a> {
    pub(super) samples: &'a [Sample],
    /// Where a value is smaller than the one before it.
    pub(super) decreases: &'a [Decrease],
    /// Samples lie behind this.
    pub(super) start: i64,
    /// The last time that belongs to it.
    pub(super) end: i64,
    /// The step that it is for.
    pub(super) step: usize,
}

/// Two samples of which the later has the smaller value: the reset of a counter, if it is
/// one. They are found once for a series, because windows overlap.
#[derive(Debug, Clone, Copy)]
pub(super) struct Decrease {
    /// Which of the series' samples the later one is.
    later: usize,
    /// The value of the earlier one.
    pub(super) from: f64,
}

/// Goes through the windows of one series after the other.
#[derive(Debug, Default)]
pub(super) struct Windows {
    /// Those of the series at hand.
    decreases: Vec<Decrease>,
}

/// How many samples lie before a time that grows from step to step.
#[derive(Debug, Clone, Copy, Default)]
struct Edge {
    index: usize,
    /// How many more there were in the last step: samples come as regularly as steps.
    stride: usize,
}

impl Window<'_> {
    pub(super) fn values(&self) -> impl Iterator<Item = f64> {
        self.samples.iter().map(|sample| sample.value)
    }
}

impl Windows {
    /// What is computed of the samples in the range of each step.
    pub(super) fn values(
        &mut self,
        samples: &[Sample],
        ranges: &Ranges<'_>,
        mut compute: impl FnMut(&Window<'_>) -> Result<Option<f64>, EvalError>,
    ) -> Result<Vec<f64>, EvalError> {
        self.find_decreases(samples);
        let decreases = &self.decreases;
        let (mut first, mut last) = (Edge::default(), Edge::default());
        let (mut first_decrease, mut end_of_decreases) = (0, 0);
        let mut values = Vec::with_capacity(ranges.steps.count());
        for (step, (start, end)) in ranges.each().enumerate() {
            let (from, to) = (first.pass(samples, start), last.pass(samples, end));
            while decreases
                .get(end_of_decreases)
                .is_some_and(|decrease| decrease.later < to)
            {
                end_of_decreases += 1;
            }
            // Of a decrease both samples must lie within.
            while first_decrease < end_of_decreases && decreases[first_decrease].later <= from {
                first_decrease += 1;
            }
            let window = Window {
                samples: &samples[from..to],
                decreases: &decreases[first_decrease..end_of_decreases],
                start,
                end,
                step,
            };
            let value = match window.samples {
                [] => None,
                _ => compute(&window)?,
            };
            values.push(value.unwrap_or(ABSENT));
        }
        Ok(values)
    }

    fn find_decreases(&mut self, samples: &[Sample]) {
        let pairs = samples.windows(2).enumerate();
        let smaller = pairs.filter(|(_, pair)| pair[1].value < pair[0].value);
        let decreases = smaller.map(|(index, pair)| Decrease {
            later: index + 1,
            from: pair[0].value,
        });
        self.decreases.clear();
        self.decreases.extend(decreases);
    }
}

impl Edge {
    /// Goes on to the first sample that is later than a time.
    fn pass(&mut self, samples: &[Sample], time: i64) -> usize {
        let before = self.index;
        let is_passed = |index: usize| samples.get(index).is_some_and(|one| one.time <= time);
        let guess = before + self.stride;
        self.index = match guess == before || is_passed(guess - 1) {
            true => guess,
            false => before,
        };
        while is_passed(self.index) {
            self.index += 1;
        }
        self.stride = self.index - before;
        self.index
    }
}
