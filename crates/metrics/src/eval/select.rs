//! How the evaluator reads: a source of series, whatever stands behind it.
//!
//! Series are pulled one after the other, by the order of their labels, so that several
//! sources can be read side by side: `merge` does.

use super::error::EvalError;
use super::labels::Labels;
use crate::chunk::Sample;
use crate::promql::LabelMatcher;

/// A source of series: a store, or several that are merged.
pub trait Select {
    /// Each series that all matchers choose and that has samples in the range: by the
    /// order of their labels, each series once.
    ///
    /// # Errors
    /// [`EvalError::source`] for what the source lacks.
    fn select<'s>(
        &'s self,
        matchers: &[LabelMatcher],
        range: TimeRange,
    ) -> Result<Box<dyn SeriesCursor + 's>, EvalError>;
}

/// Selected series, of which one is looked at; none before the first is gone to.
pub trait SeriesCursor {
    /// Goes to the next series. Tells whether there is one.
    ///
    /// # Errors
    /// [`EvalError::source`] for what the source lacks.
    fn advance(&mut self) -> Result<bool, EvalError>;

    /// The labels of the series.
    fn labels(&self) -> &Labels;

    /// Its samples by time, each time once. Samples outside of the range may be among
    /// them, which spares a source that keeps blocks the cutting.
    ///
    /// # Errors
    /// [`EvalError::source`] for what the source lacks.
    fn samples(&mut self) -> Result<&[Sample], EvalError>;
}

/// A range of times in milliseconds, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeRange {
    /// The first.
    pub start: i64,
    /// The last.
    pub end: i64,
}
