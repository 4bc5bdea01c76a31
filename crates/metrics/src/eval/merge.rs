//! Several sources as one: a series that some of them have is one series, and a sample
//! that some of them have is one sample.

use super::error::EvalError;
use super::labels::Labels;
use super::select::{Select, SeriesCursor, TimeRange};
use super::texts::Texts;
use crate::chunk::{Sample, settle};
use crate::promql::LabelMatcher;

/// Sources that are read side by side. Of samples of one time, that of the first source
/// that has one counts.
pub struct Merged<'a> {
    sources: Vec<&'a dyn Select>,
}

/// The series of all sources, those with the least labels at hand.
struct MergedCursor<'s> {
    /// Those that have series left, each at one; in the order of the sources.
    cursors: Vec<Box<dyn SeriesCursor + 's>>,
    /// Which of them are at the series that is looked at.
    at_hand: Vec<usize>,
    labels: Labels,
    samples: Vec<Sample>,
}

impl<'a> Merged<'a> {
    /// These sources, the most trusted first.
    pub fn new(sources: impl IntoIterator<Item = &'a dyn Select>) -> Self {
        let sources = sources.into_iter().collect();
        Self { sources }
    }
}

/// Series of several sources as one, as [`Merged`] has them: the most trusted first.
///
/// # Errors
/// Those of the cursors.
pub fn merge<'s>(
    cursors: Vec<Box<dyn SeriesCursor + 's>>,
) -> Result<Box<dyn SeriesCursor + 's>, EvalError> {
    let mut with_series = Vec::with_capacity(cursors.len());
    for mut cursor in cursors {
        if cursor.advance()? {
            with_series.push(cursor);
        }
    }
    Ok(Box::new(MergedCursor {
        cursors: with_series,
        at_hand: Vec::new(),
        labels: Labels::empty(),
        samples: Vec::new(),
    }))
}

impl Select for Merged<'_> {
    fn select<'s>(
        &'s self,
        matchers: &[LabelMatcher],
        range: TimeRange,
    ) -> Result<Box<dyn SeriesCursor + 's>, EvalError> {
        let sources = self.sources.iter();
        let cursors = sources.map(|source| source.select(matchers, range));
        merge(cursors.collect::<Result<_, _>>()?)
    }

    fn label_names(
        &self,
        matchers: &[LabelMatcher],
        range: TimeRange,
        names: &mut Texts,
    ) -> Result<(), EvalError> {
        let mut sources = self.sources.iter();
        sources.try_for_each(|source| source.label_names(matchers, range, names))
    }

    fn label_values(
        &self,
        name: &str,
        matchers: &[LabelMatcher],
        range: TimeRange,
        values: &mut Texts,
    ) -> Result<(), EvalError> {
        let mut sources = self.sources.iter();
        sources.try_for_each(|source| source.label_values(name, matchers, range, values))
    }
}

impl SeriesCursor for MergedCursor<'_> {
    fn advance(&mut self) -> Result<bool, EvalError> {
        // From the last, so that those before keep their places.
        for index in self.at_hand.drain(..).rev() {
            if !self.cursors[index].advance()? {
                self.cursors.remove(index);
            }
        }
        let labels = self.cursors.iter().map(|cursor| cursor.labels());
        let Some(least) = labels.min().cloned() else {
            return Ok(false);
        };
        let cursors = self.cursors.iter().enumerate();
        let at_hand = cursors.filter(|(_, cursor)| *cursor.labels() == least);
        self.at_hand.extend(at_hand.map(|(index, _)| index));
        self.labels = least;
        Ok(true)
    }

    fn labels(&self) -> &Labels {
        &self.labels
    }

    fn samples(&mut self) -> Result<&[Sample], EvalError> {
        if let [only] = self.at_hand.as_slice() {
            return self.cursors[*only].samples();
        }
        self.samples.clear();
        // The least trusted first: what is stored longest, so that mostly all is in order.
        for index in self.at_hand.iter().rev() {
            let samples = self.cursors[*index].samples()?;
            self.samples.extend_from_slice(samples);
        }
        // Of one time the most trusted source's is the last, and kept.
        settle(&mut self.samples, 0);
        Ok(&self.samples)
    }
}
