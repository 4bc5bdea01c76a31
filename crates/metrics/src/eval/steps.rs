//! The times at which something is evaluated.

use super::error::EvalError;

/// Times in milliseconds, each a step after the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Steps {
    start: i64,
    step: i64,
    count: usize,
}

impl Steps {
    /// One time.
    pub(super) const fn one(time: i64) -> Self {
        Self {
            start: time,
            step: 1,
            count: 1,
        }
    }

    /// All times from `start` up to, and with, `end`; none if that lies before it.
    pub(super) fn new(start: i64, end: i64, step: i64, most: usize) -> Result<Self, EvalError> {
        if end < start {
            let count = 0;
            return Ok(Self { start, step, count });
        }
        let length = end.checked_sub(start).ok_or(EvalError::TimeRange)?;
        let count = usize::try_from(length / step).unwrap_or(usize::MAX);
        if count >= most {
            return Err(EvalError::TooManySteps(most));
        }
        let count = count + 1;
        Ok(Self { start, step, count })
    }

    /// How many.
    pub(super) const fn count(&self) -> usize {
        self.count
    }

    /// The time of a step.
    pub(super) const fn time(&self, index: usize) -> i64 {
        self.start + self.step * index as i64
    }

    /// The first time.
    pub(super) const fn start(&self) -> i64 {
        self.start
    }

    /// The last time.
    pub(super) const fn end(&self) -> i64 {
        self.start + self.step * (self.count.saturating_sub(1)) as i64
    }

    /// All times.
    pub(super) fn times(&self) -> impl Iterator<Item = i64> + use<> {
        let Self { start, step, count } = *self;
        (0..count as i64).map(move |index| start + step * index)
    }
}
