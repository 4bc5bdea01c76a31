//! The head as a source of series for queries.
//!
//! Which series are chosen is settled at the start; the samples of each are copied when it
//! is looked at, so no lock is held between two of them. A series may leave in between, and
//! another get its slot, so each is known by its labels. What a flush reads is in `frozen`.

use super::id::SeriesId;
use super::shard::Shard;
use super::{Head, read};
use crate::chunk::Sample;
use crate::eval::{EvalError, Labels, SeriesCursor, TimeRange, Watch};
use crate::promql::LabelMatcher;
use std::collections::BTreeSet;
use std::sync::RwLock;

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
        names: &mut BTreeSet<String>,
        is_canceled: &dyn Fn() -> bool,
    ) -> Result<(), EvalError> {
        if matchers.is_empty() {
            self.each_shard(|shard| insert_all(names, read(shard).postings().names()));
            return Ok(());
        }
        for (labels, _) in self.choose(matchers, is_canceled)? {
            insert_all(names, labels.iter().map(|(name, _)| name));
        }
        Ok(())
    }

    /// Adds the values that a label has in chosen series.
    ///
    /// # Errors
    /// [`EvalError::Canceled`].
    pub fn label_values(
        &self,
        name: &str,
        matchers: &[LabelMatcher],
        values: &mut BTreeSet<String>,
        is_canceled: &dyn Fn() -> bool,
    ) -> Result<(), EvalError> {
        if matchers.is_empty() {
            self.each_shard(|shard| insert_all(values, read(shard).postings().values(name)));
            return Ok(());
        }
        for (labels, _) in self.choose(matchers, is_canceled)? {
            let value = Some(labels.get(name));
            insert_all(values, value.filter(|value| !value.is_empty()));
        }
        Ok(())
    }

    /// The series with samples that all matchers choose, in any order.
    pub(super) fn choose(
        &self,
        matchers: &[LabelMatcher],
        is_canceled: &dyn Fn() -> bool,
    ) -> Result<Vec<(Labels, SeriesId)>, EvalError> {
        let mut watch = Watch::new(is_canceled);
        let mut chosen = Vec::new();
        for (number, shard) in self.shards.iter().enumerate() {
            let shard = read(shard);
            shard.select(matchers, &mut watch, |slot, series| {
                if !series.samples.is_empty() {
                    chosen.push((shard.labels(series), SeriesId::new(number, slot)));
                }
            })?;
        }
        Ok(chosen)
    }

    fn each_shard(&self, each: impl FnMut(&RwLock<Shard>)) {
        self.shards.iter().for_each(each);
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

fn insert_all<'t>(set: &mut BTreeSet<String>, texts: impl IntoIterator<Item = &'t str>) {
    for text in texts {
        if !set.contains(text) {
            set.insert(text.to_owned());
        }
    }
}
