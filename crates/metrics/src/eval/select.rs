//! How the evaluator reads: a source of series, whatever stands behind it.
//!
//! Series are pulled one after the other, by the order of their labels, so that several
//! sources can be read side by side: `merge` does.

use super::error::EvalError;
use super::labels::Labels;
use super::texts::Texts;
use crate::chunk::Sample;
use crate::promql::LabelMatcher;

/// A source of series: a store, or several that are merged.
pub trait Select {
    /// Each series that all matchers choose and that may have samples in the range: by
    /// the order of their labels, each series once. Without matchers, every series.
    ///
    /// # Errors
    /// [`EvalError::source`] for what the source lacks.
    fn select<'s>(
        &'s self,
        matchers: &[LabelMatcher],
        range: TimeRange,
    ) -> Result<Box<dyn SeriesCursor + 's>, EvalError>;

    /// The names of the labels that series have which may have samples in the range.
    /// Puts them into `names`.
    ///
    /// A source with an index answers this from there; by itself it looks at each series.
    ///
    /// # Errors
    /// As [`Select::select`].
    fn label_names(
        &self,
        matchers: &[LabelMatcher],
        range: TimeRange,
        names: &mut Texts,
    ) -> Result<(), EvalError> {
        add_names(&mut *self.select(matchers, range)?, names)
    }

    /// The values that one label has in series which may have samples in the range. Puts
    /// them into `values`.
    ///
    /// # Errors
    /// As [`Select::select`].
    fn label_values(
        &self,
        name: &str,
        matchers: &[LabelMatcher],
        range: TimeRange,
        values: &mut Texts,
    ) -> Result<(), EvalError> {
        add_values(&mut *self.select(matchers, range)?, name, values)
    }
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

/// Adds the names of the labels that these series have.
pub(crate) fn add_names(series: &mut dyn SeriesCursor, names: &mut Texts) -> Result<(), EvalError> {
    while series.advance()? {
        for (name, _) in series.labels().iter() {
            names.insert(name);
        }
    }
    Ok(())
}

/// Adds the values that one label has in these series.
pub(crate) fn add_values(
    series: &mut dyn SeriesCursor,
    name: &str,
    values: &mut Texts,
) -> Result<(), EvalError> {
    while series.advance()? {
        let value = series.labels().get(name);
        if !value.is_empty() {
            values.insert(value);
        }
    }
    Ok(())
}
