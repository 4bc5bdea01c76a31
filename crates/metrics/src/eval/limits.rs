//! What a query may cost, and what it has cost so far.

use super::error::EvalError;
use super::watch::Watch;

/// What a query may cost. All bounds are there to refuse a query before it takes the
/// node's memory or its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Samples that are read. They are not held, so this bounds time: a core reads some
    /// hundred million in a few seconds.
    pub samples: usize,
    /// Points that are held at once, in all columns: what Prometheus calls
    /// `--query.max-samples`, with its default. A point takes 8 bytes.
    pub points: usize,
    /// Series that are read: a million sets of labels take some hundreds of megabytes.
    pub series: usize,
    /// Evaluations of a query or of a subquery: a year of minutes, twice. That a range
    /// query may have 11,000 is for whoever answers them to say.
    pub steps: usize,
    /// Bytes of labels that functions make: nested replacements could double them at
    /// each level.
    pub label_bytes: usize,
}

/// What a query has cost so far.
pub(super) struct Budget<'a> {
    limits: Limits,
    is_canceled: &'a dyn Fn() -> bool,
    samples: usize,
    series: usize,
    points: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            samples: 500_000_000,
            points: 50_000_000,
            series: 1_000_000,
            steps: 1 << 20,
            label_bytes: 16 * 1024,
        }
    }
}

impl<'a> Budget<'a> {
    pub(super) fn new(limits: Limits, is_canceled: &'a dyn Fn() -> bool) -> Self {
        Self {
            limits,
            is_canceled,
            samples: 0,
            series: 0,
            points: 0,
        }
    }

    pub(super) const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Looks whether anybody still wants the answer.
    pub(super) fn go_on(&self) -> Result<(), EvalError> {
        match (self.is_canceled)() {
            true => Err(EvalError::Canceled),
            false => Ok(()),
        }
    }

    pub(super) const fn watch(&self) -> Watch<'a> {
        Watch::new(self.is_canceled)
    }

    /// A series was read.
    pub(super) fn read(&mut self, samples: usize) -> Result<(), EvalError> {
        self.go_on()?;
        self.series += 1;
        self.samples += samples;
        if self.series > self.limits.series {
            return Err(EvalError::TooManySeries(self.limits.series));
        }
        if self.samples > self.limits.samples {
            return Err(EvalError::TooManySamples(self.limits.samples));
        }
        Ok(())
    }

    /// So many points are about to be held besides the others.
    pub(super) fn hold(&mut self, points: usize) -> Result<(), EvalError> {
        self.points += points;
        if self.points > self.limits.points {
            return Err(EvalError::TooManyPoints(self.limits.points));
        }
        Ok(())
    }

    /// Points that are held.
    pub(super) const fn held(&self) -> usize {
        self.points
    }

    /// Of all points only so many are still held.
    pub(super) fn hold_only(&mut self, points: usize) -> Result<(), EvalError> {
        self.points = 0;
        self.hold(points)
    }
}
