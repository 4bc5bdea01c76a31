//! Samples that are to be gone: which, and how they are left out of what is read until
//! a merge leaves them out of what is written.

use crate::chunk::Sample;
use crate::eval::{EvalError, Labels, SeriesCursor, TimeRange};
use crate::promql::{LabelMatcher, ParseError, parse_selector};

/// Samples to delete.
#[derive(Debug, Clone)]
pub struct Deletion {
    selector: String,
    matchers: Vec<LabelMatcher>,
    range: TimeRange,
}

/// Series without samples that were deleted.
pub(super) struct WithoutDeleted<'s> {
    series: Box<dyn SeriesCursor + 's>,
    deletions: Vec<Deletion>,
    samples: Vec<Sample>,
}

impl Deletion {
    /// Those in a range of the series that this chooses, as PromQL writes it.
    ///
    /// # Errors
    /// A selector that is none.
    pub fn new(selector: &str, range: TimeRange) -> Result<Self, ParseError> {
        let matchers = parse_selector(selector)?.matchers().to_vec();
        let written: Vec<String> = matchers.iter().map(ToString::to_string).collect();
        Ok(Self {
            // Not as it was given: that may have comments and lines.
            selector: format!("{{{}}}", written.join(",")),
            matchers,
            range,
        })
    }

    /// As PromQL writes it, in one line.
    pub fn selector(&self) -> &str {
        &self.selector
    }

    /// What the selector says.
    pub fn matchers(&self) -> &[LabelMatcher] {
        &self.matchers
    }

    /// Whether it is the same.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.selector == other.selector && self.range == other.range
    }

    /// Between which times.
    pub const fn range(&self) -> TimeRange {
        self.range
    }

    /// Whether samples of this series are meant.
    fn is_about(&self, labels: &Labels) -> bool {
        let mut matchers = self.matchers.iter();
        matchers.all(|matcher| matcher.matches(labels.get(matcher.name())))
    }

    const fn holds(&self, sample: &Sample) -> bool {
        self.range.start <= sample.time && sample.time <= self.range.end
    }
}

impl<'s> WithoutDeleted<'s> {
    /// These series without what the deletions say.
    pub(super) fn wrap(
        series: Box<dyn SeriesCursor + 's>,
        deletions: Vec<Deletion>,
    ) -> Box<dyn SeriesCursor + 's> {
        if deletions.is_empty() {
            return series;
        }
        Box::new(Self {
            series,
            deletions,
            samples: Vec::new(),
        })
    }
}

impl SeriesCursor for WithoutDeleted<'_> {
    fn advance(&mut self) -> Result<bool, EvalError> {
        self.series.advance()
    }

    fn labels(&self) -> &Labels {
        self.series.labels()
    }

    fn samples(&mut self) -> Result<&[Sample], EvalError> {
        let labels = self.series.labels();
        let deletions = self.deletions.iter();
        let mut about: Vec<_> = deletions.filter(|one| one.is_about(labels)).collect();
        let samples = self.series.samples()?;
        about.retain(|one| samples.iter().any(|sample| one.holds(sample)));
        if about.is_empty() {
            // The borrow checker takes a second look for a second borrow.
            return self.series.samples();
        }
        let is_kept = |sample: &&Sample| !about.iter().any(|one| one.holds(sample));
        self.samples.clear();
        self.samples.extend(samples.iter().filter(is_kept));
        Ok(&self.samples)
    }
}
