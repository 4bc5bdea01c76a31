//! What there is at a moment, as a source for queries: the head and the parts beneath it.
//!
//! A view keeps the parts that it has seen for as long as it lives, and the head keeps
//! what was written into a new part until all views that do not know the part have gone
//! (`live`).

use super::deletion::WithoutDeleted;
use super::live::{Live, LivePart};
use super::window::Within;
use crate::eval::{EvalError, Select, SeriesCursor, Texts, TimeRange, merge};
use crate::head::{Head, HeadFigures};
use crate::promql::LabelMatcher;
use std::sync::Arc;

/// A source of all series.
pub struct View {
    head: Arc<Head>,
    live: Arc<Live>,
    /// What is older is not kept, though some of it may still be there.
    oldest: i64,
    /// Whether nobody wants an answer any more.
    is_canceled: Box<dyn Fn() -> bool + Send + Sync>,
}

impl View {
    pub(super) fn new(head: Arc<Head>, live: Arc<Live>, oldest: i64) -> Self {
        Self {
            head,
            live,
            oldest,
            is_canceled: Box::new(|| false),
        }
    }

    /// The same, but choosing series ends with an error soon after this has become true: with
    /// many series and patterns it may take long.
    #[must_use]
    pub fn until(self, is_canceled: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self {
            is_canceled: Box::new(is_canceled),
            ..self
        }
    }

    /// Counts what is in memory, and lists the `most` greatest of each kind.
    ///
    /// # Errors
    /// [`EvalError::Canceled`].
    pub fn head_figures(&self, most: usize) -> Result<HeadFigures, EvalError> {
        self.head.figures(most, &*self.is_canceled)
    }

    /// The parts that may have samples in a range, the newest first.
    fn parts(&self, range: TimeRange) -> impl Iterator<Item = &LivePart> {
        self.live
            .parts()
            .iter()
            .rev()
            .filter(move |part| part.overlaps(range))
            .map(|part| &**part)
    }
}

impl Select for View {
    fn select<'s>(
        &'s self,
        matchers: &[LabelMatcher],
        range: TimeRange,
    ) -> Result<Box<dyn SeriesCursor + 's>, EvalError> {
        let kept = TimeRange {
            start: self.oldest,
            end: i64::MAX,
        };
        let mut cursors = vec![self.head.select(matchers, range, &*self.is_canceled)?];
        for part in self.parts(range) {
            let series = part.part().select(matchers, range)?;
            cursors.push(WithoutDeleted::wrap(series, self.live.deletions_of(part)));
        }
        Ok(Box::new(Within::new(merge(cursors)?, kept)))
    }

    fn label_names(
        &self,
        matchers: &[LabelMatcher],
        range: TimeRange,
        names: &mut Texts,
    ) -> Result<(), EvalError> {
        self.head.label_names(matchers, names, &*self.is_canceled)?;
        let mut parts = self.parts(range);
        parts.try_for_each(|part| part.part().label_names(matchers, range, names))
    }

    fn label_values(
        &self,
        name: &str,
        matchers: &[LabelMatcher],
        range: TimeRange,
        values: &mut Texts,
    ) -> Result<(), EvalError> {
        self.head
            .label_values(name, matchers, values, &*self.is_canceled)?;
        let mut parts = self.parts(range);
        parts.try_for_each(|part| part.part().label_values(name, matchers, range, values))
    }
}
