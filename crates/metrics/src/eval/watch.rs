//! A look now and then, in what may take long, whether anybody still wants the answer:
//! going through samples, and holding a pattern against a million values.

use super::error::EvalError;

/// So many samples take less than a millisecond.
const BETWEEN: usize = 1 << 18;

/// Samples that take as long as to hold a pattern against a value, or to read the row of a
/// series: some microseconds.
const STEP: usize = 1 << 10;

/// Looks now and then.
pub(crate) struct Watch<'a> {
    is_canceled: &'a dyn Fn() -> bool,
    /// Samples since it looked.
    work: usize,
}

impl<'a> Watch<'a> {
    /// Whether to go on is what this says.
    pub(crate) const fn new(is_canceled: &'a dyn Fn() -> bool) -> Self {
        Self {
            is_canceled,
            work: 0,
        }
    }

    /// A value is about to be tried, or a series.
    pub(crate) fn look(&mut self) -> Result<(), EvalError> {
        self.work(STEP)
    }

    /// What may take long is about to be done.
    pub(crate) fn look_now(&mut self) -> Result<(), EvalError> {
        self.work(BETWEEN)
    }

    /// So many samples are about to be looked at.
    pub(crate) fn work(&mut self, samples: usize) -> Result<(), EvalError> {
        self.work += samples;
        if self.work < BETWEEN {
            return Ok(());
        }
        self.work = 0;
        match (self.is_canceled)() {
            true => Err(EvalError::Canceled),
            false => Ok(()),
        }
    }
}
