//! How the evaluator reads: a source of series, whatever stands behind it.

use super::error::EvalError;
use super::labels::Labels;
use crate::chunk::Sample;
use crate::promql::LabelMatcher;

/// A source of series: a store, or several that are merged.
pub trait Select {
    /// Gives each series that all matchers choose and that has samples in the range to
    /// `each`: by the order of their labels, each series once, its samples by time, each
    /// time once.
    ///
    /// Samples outside of the range may be among them, which spares a source that keeps
    /// blocks the cutting. What `each` answers with an error ends the selection.
    ///
    /// # Errors
    /// What `each` answers, and [`EvalError::source`] for what the source itself lacks.
    fn select(
        &self,
        matchers: &[LabelMatcher],
        range: TimeRange,
        each: &mut Visit<'_>,
    ) -> Result<(), EvalError>;
}

/// Takes a series: its labels, and its samples by time.
pub type Visit<'a> = dyn FnMut(&Labels, &[Sample]) -> Result<(), EvalError> + 'a;

/// A range of times in milliseconds, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeRange {
    /// The first.
    pub start: i64,
    /// The last.
    pub end: i64,
}
