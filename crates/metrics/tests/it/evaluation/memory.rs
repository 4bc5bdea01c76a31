//! A source that holds its series in memory, for tests.

use metrics::chunk::Sample;
use metrics::eval::{EvalError, Labels, Select, SeriesCursor, TimeRange};
use metrics::promql::LabelMatcher;
use std::collections::BTreeMap;

/// Series in memory.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// The samples of each, `None` for those that are native histograms.
    series: BTreeMap<Labels, BTreeMap<i64, Option<f64>>>,
}

/// What a source without native histograms says of them.
#[derive(Debug, thiserror::Error)]
#[error("native histograms are not supported: {0}")]
pub(crate) struct NativeHistogram(Labels);

impl Memory {
    pub(crate) fn insert(&mut self, labels: &Labels, time: i64, value: f64) {
        self.put(labels, time, Some(value));
    }

    pub(crate) fn insert_native(&mut self, labels: &Labels, time: i64) {
        self.put(labels, time, None);
    }

    fn put(&mut self, labels: &Labels, time: i64, value: Option<f64>) {
        let samples = self.series.entry(labels.clone()).or_default();
        samples.insert(time, value);
    }
}

/// Chosen series; the last is looked at.
struct Chosen {
    /// In reverse order.
    series: Vec<(Labels, Vec<Sample>)>,
    is_begun: bool,
}

impl Select for Memory {
    fn select<'s>(
        &'s self,
        matchers: &[LabelMatcher],
        range: TimeRange,
    ) -> Result<Box<dyn SeriesCursor + 's>, EvalError> {
        let mut series = Vec::new();
        for (labels, samples) in self.series.iter().rev() {
            let matches = |matcher: &LabelMatcher| matcher.matches(labels.get(matcher.name()));
            if !matchers.iter().all(matches) {
                continue;
            }
            let native = || EvalError::source(NativeHistogram(labels.clone()));
            let samples = samples.range(range.start..=range.end);
            let samples = samples.map(|(time, value)| {
                let (time, value) = (*time, value.ok_or_else(native)?);
                Ok(Sample { time, value })
            });
            let samples = samples.collect::<Result<Vec<_>, EvalError>>()?;
            if !samples.is_empty() {
                series.push((labels.clone(), samples));
            }
        }
        let is_begun = false;
        Ok(Box::new(Chosen { series, is_begun }))
    }
}

impl SeriesCursor for Chosen {
    fn advance(&mut self) -> Result<bool, EvalError> {
        if std::mem::replace(&mut self.is_begun, true) {
            self.series.pop();
        }
        Ok(!self.series.is_empty())
    }

    fn labels(&self) -> &Labels {
        &self.series.last().unwrap().0
    }

    fn samples(&mut self) -> Result<&[Sample], EvalError> {
        Ok(&self.series.last().unwrap().1)
    }
}
