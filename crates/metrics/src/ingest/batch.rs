//! What a request gave: points of known series, and what was refused and why.
//!
//! It judges nothing; the parsers fill it, and its memory is used again by the next
//! request.

use super::json::ItemFault;
use super::jsonl::ImportFault;
use super::labels::{LabelFault, Labels};
use super::line_protocol::LineFault;
use super::remote_write::TimeSeriesFault;
use super::{Key, Series, SeriesRefusal, TimeFault, Times};
use crate::chunk::Sample;

/// How many refusals are listed; the rest are only counted. As many as the items of the
/// largest JSON request, so that there each one is answered.
pub const LISTED_REFUSALS: usize = 1000;

/// The points and refusals of one request.
#[derive(Debug)]
pub struct Batch<Id> {
    /// Accepted, in the order of the request.
    pub points: Vec<Point<Id>>,
    /// Which times are taken: all, unless set otherwise.
    pub times: Times,
    listed: Vec<Refused>,
    refused: usize,
    /// Memory in which the labels of a series are put together.
    pub(super) labels: Labels,
}

/// One sample of one series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point<Id> {
    /// Whose it is.
    pub series: Id,
    /// What its metric is, where the format says so.
    pub kind: Option<Kind>,
    /// When and what was measured.
    pub sample: Sample,
}

/// What the values of a metric mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Goes up and down.
    Gauge,
    /// Only grows, but for restarts.
    Counter,
    /// A bucket, sum or count of a histogram.
    Histogram,
    /// A quantile, sum or count of a summary.
    Summary,
}

/// A part of a request that was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// JSON and remote write: the index of the item or series, from 0. Formats of lines:
    /// the number of the line, from 1.
    pub place: usize,
    /// Why.
    pub reason: Refusal,
}

/// Why a part of a request was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The labels name no series.
    #[error(transparent)]
    Label(#[from] LabelFault),
    /// The series may not be added.
    #[error(transparent)]
    Series(#[from] SeriesRefusal),
    /// The time is none.
    #[error(transparent)]
    Time(#[from] TimeFault),
    /// An item of JSON is not what it should be.
    #[error(transparent)]
    Item(#[from] ItemFault),
    /// A line of an import is not what it should be.
    #[error(transparent)]
    Import(#[from] ImportFault),
    /// A line of line protocol is not what it should be.
    #[error(transparent)]
    Line(#[from] LineFault),
    /// A series of remote write has what is not kept.
    #[error(transparent)]
    TimeSeries(#[from] TimeSeriesFault),
}

impl<Id> Default for Batch<Id> {
    fn default() -> Self {
        Self {
            points: Vec::new(),
            times: Times::default(),
            listed: Vec::new(),
            refused: 0,
            labels: Labels::default(),
        }
    }
}

impl<Id> Batch<Id> {
    /// The refusals, in the order of the request, at most [`LISTED_REFUSALS`].
    pub fn listed(&self) -> &[Refused] {
        &self.listed
    }

    /// How many parts were refused, listed or not.
    pub const fn refused(&self) -> usize {
        self.refused
    }

    /// Empties it and keeps its memory.
    pub fn clear(&mut self) {
        self.points.clear();
        self.listed.clear();
        self.refused = 0;
    }

    pub(super) fn push(&mut self, series: Id, kind: Option<Kind>, sample: Sample) {
        self.points.push(Point {
            series,
            kind,
            sample,
        });
    }

    /// Asks for the series of the labels that were put together in any order.
    pub(super) fn admit<S: Series<Id = Id>>(
        &mut self,
        key: Option<Key<'_>>,
        series: &mut S,
    ) -> Result<Id, Refusal> {
        self.labels.settle()?;
        Ok(series.admit(key, &self.labels)?)
    }

    /// Asks for the series of the labels that were put together as they were given, where
    /// the format says how.
    pub(super) fn admit_given<S: Series<Id = Id>>(
        &mut self,
        key: Option<Key<'_>>,
        series: &mut S,
    ) -> Result<Id, Refusal> {
        self.labels.check_given()?;
        Ok(series.admit(key, &self.labels)?)
    }

    pub(super) fn refuse(&mut self, place: usize, reason: impl Into<Refusal>) {
        self.refused += 1;
        if self.listed.len() < LISTED_REFUSALS {
            let reason = reason.into();
            self.listed.push(Refused { place, reason });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_beyond_the_list_are_counted() {
        let mut batch = Batch::<u32>::default();
        for place in 0..LISTED_REFUSALS + 5 {
            batch.refuse(place, SeriesRefusal::Total { limit: 7 });
        }
        assert_eq!(batch.refused(), LISTED_REFUSALS + 5);
        assert_eq!(batch.listed().len(), LISTED_REFUSALS);
        assert_eq!(
            batch.listed()[3].reason.to_string(),
            "the store already has 7 series, as many as it may have"
        );
        batch.clear();
        assert_eq!((batch.refused(), batch.listed().len()), (0, 0));
    }
}
