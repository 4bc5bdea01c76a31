//! The head as a source of series for queries.
//!
//! Which series are chosen is settled at the start; the samples of each are copied when it
//! is looked at, so no lock is held between two of them. A series may leave in between, and
//! another get its slot, so each is known by its labels. What a flush reads is in `frozen`.

use super::id::SeriesId;
use super::shard::{Series, Shard};
use super::verdicts::Verdicts;
use super::{Head, read};
use crate::chunk::Sample;
use crate::eval::{EvalError, Labels, SeriesCursor, Texts, TimeRange, Watch};
use crate::promql::LabelMatcher;

/// Chosen series, by the order of their labels.
struct HeadCursor<'h> {
    head: &'h Head,
    chosen: std::vec::IntoIter<(Labels, SeriesId)>,
    at: Option<(Labels, SeriesId)>,
    /// Samples before it are not asked for.
    start: i64,
    samples: Vec<Sample>,
}

impl Head {
    /// The series that all matchers choose, by the order of their labels, with their samples
    /// from the start of the range on; until this is canceled.
    ///
    /// # Errors
    /// [`EvalError::Canceled`].
    pub fn select(
        &self,
        matchers: &[LabelMatcher],
        range: TimeRange,
        is_canceled: &dyn Fn() -> bool,
    ) -> Result<Box<dyn SeriesCursor + '_>, EvalError> {
        let mut chosen = self.choose(matchers, is_canceled)?;
        chosen.sort_unstable_by(|one, other| one.0.cmp(&other.0));
        Ok(Box::new(HeadCursor {
            head: self,
            chosen: chosen.into_iter(),
            at: None,
            start: range.start,
            samples: Vec::new(),
        }))
    }

    /// Adds the names of the labels that chosen series have.
    ///
    /// # Errors
    /// [`EvalError::Canceled`].
    pub fn label_names(
        &self,
        matchers: &[LabelMatcher],
        names: &mut Texts,
        is_canceled: &dyn Fn() -> bool,
    ) -> Result<(), EvalError> {
        if matchers.is_empty() {
            for shard in &self.shards {
                let shard = read(shard);
                shard.postings().names().for_each(|name| names.insert(name));
            }
            return Ok(());
        }
        self.each_chosen(matchers, is_canceled, |shard, _, series| {
            let found = shard.postings().names_of(&series.pairs);
            found.for_each(|name| names.insert(name));
        })
    }

    /// Adds the values that a label has in chosen series.
    ///
    /// # Errors
    /// [`EvalError::Canceled`].
    pub fn label_values(
        &self,
        name: &str,
        matchers: &[LabelMatcher],
        values: &mut Texts,
        is_canceled: &dyn Fn() -> bool,
    ) -> Result<(), EvalError> {
        if matchers.is_empty() {
            for shard in &self.shards {
                let shard = read(shard);
                let found = shard.postings().values(name);
                found.for_each(|value| values.insert(value));
            }
            return Ok(());
        }
        self.each_chosen(matchers, is_canceled, |shard, _, series| {
            let value = shard.postings().value(&series.pairs, name);
            if !value.is_empty() {
                values.insert(value);
            }
        })
    }

    /// The series with samples that all matchers choose, in any order.
    pub(super) fn choose(
        &self,
        matchers: &[LabelMatcher],
        is_canceled: &dyn Fn() -> bool,
    ) -> Result<Vec<(Labels, SeriesId)>, EvalError> {
        let mut chosen = Vec::new();
        self.each_chosen(matchers, is_canceled, |shard, id, series| {
            chosen.push((shard.labels(series), id));
        })?;
        Ok(chosen)
    }

    /// Calls `each` with the series with samples that all matchers choose.
    fn each_chosen(
        &self,
        matchers: &[LabelMatcher],
        is_canceled: &dyn Fn() -> bool,
        mut each: impl FnMut(&Shard, SeriesId, &Series),
    ) -> Result<(), EvalError> {
        let mut watch = Watch::new(is_canceled);
        let mut verdicts = Verdicts::new(matchers);
        for (number, shard) in self.shards.iter().enumerate() {
            verdicts.learn(shard, &mut watch)?;
            let shard = read(shard);
            shard.select(verdicts.all(), &mut watch, |slot, series| {
                if !series.samples.is_empty() {
                    each(&shard, SeriesId::new(number, slot), series);
                }
            })?;
        }
        Ok(())
    }
}

impl SeriesCursor for HeadCursor<'_> {
    fn advance(&mut self) -> Result<bool, EvalError> {
        self.at = self.chosen.next();
        Ok(self.at.is_some())
    }

    fn labels(&self) -> &Labels {
        let at = self.at.as_ref();
        &at.expect("a series is gone to before it is looked at").0
    }

    fn samples(&mut self) -> Result<&[Sample], EvalError> {
        self.samples.clear();
        let Some((labels, id)) = &self.at else {
            return Ok(&self.samples);
        };
        let shard = read(&self.head.shards[id.shard()]);
        // Another series may have the slot meanwhile, when this one got no samples.
        let series = shard.series(id.slot());
        if let Some(series) = series.filter(|series| shard.has_labels(series, labels)) {
            series.samples.read(self.start, &mut self.samples);
        }
        Ok(&self.samples)
    }
}
