//! Selecting from a part: which series, by the postings; which samples, by the rows.
//!
//! Matchers that ask for a value which no absent label has are answered by postings: the
//! series that are left in all of them are read row by row, and the other matchers are
//! held against their labels.

use super::blocks::BlockReader;
use super::bytes::Malformed;
use super::choice::choose;
use super::error::PartError;
use super::lookup::Lookup;
use super::reader::Part;
use super::rows::TableReader;
use crate::chunk::Sample;
use crate::eval::{
    EvalError, Labels, Select, SeriesCursor, Texts, TimeRange, Watch, add_names, add_values,
};
use crate::promql::LabelMatcher;
use std::ops::Range;

/// Chosen series of a part, of which one is looked at.
struct PartCursor<'p> {
    part: &'p Part,
    range: TimeRange,
    /// Those that the postings did not answer.
    matchers: Vec<LabelMatcher>,
    watch: Watch<'p>,
    /// The series that are left, the last first.
    left: Vec<Range<u32>>,
    blocks: BlockReader<'p>,
    table: TableReader,
    /// Where the block of series is, and which of them are left to be read in it.
    offset: u64,
    ahead: Range<u32>,
    labels: Labels,
    samples: Vec<Sample>,
}

impl Select for Part {
    fn select<'s>(
        &'s self,
        matchers: &[LabelMatcher],
        range: TimeRange,
    ) -> Result<Box<dyn SeriesCursor + 's>, EvalError> {
        self.select_until(matchers, range, &|| false)
    }

    fn label_names(
        &self,
        matchers: &[LabelMatcher],
        range: TimeRange,
        names: &mut Texts,
    ) -> Result<(), EvalError> {
        self.label_names_until(matchers, range, names, &|| false)
    }

    fn label_values(
        &self,
        name: &str,
        matchers: &[LabelMatcher],
        range: TimeRange,
        values: &mut Texts,
    ) -> Result<(), EvalError> {
        self.label_values_until(name, matchers, range, values, &|| false)
    }
}

/// The same as [`Select`] asks for, with an end soon after nobody waits for the answer any
/// more: [`EvalError::Canceled`].
impl Part {
    pub(crate) fn select_until<'s>(
        &'s self,
        matchers: &[LabelMatcher],
        range: TimeRange,
        is_canceled: &'s dyn Fn() -> bool,
    ) -> Result<Box<dyn SeriesCursor + 's>, EvalError> {
        let watch = Watch::new(is_canceled);
        Ok(Box::new(PartCursor::new(self, matchers, range, watch)?))
    }

    pub(crate) fn label_names_until(
        &self,
        matchers: &[LabelMatcher],
        range: TimeRange,
        names: &mut Texts,
        is_canceled: &dyn Fn() -> bool,
    ) -> Result<(), EvalError> {
        if !matchers.is_empty() {
            let mut series = self.select_until(matchers, range, is_canceled)?;
            return add_names(&mut *series, names);
        }
        if self.overlaps(range) {
            Lookup::new(self)?.add_names(names)?;
        }
        Ok(())
    }

    pub(crate) fn label_values_until(
        &self,
        name: &str,
        matchers: &[LabelMatcher],
        range: TimeRange,
        values: &mut Texts,
        is_canceled: &dyn Fn() -> bool,
    ) -> Result<(), EvalError> {
        if !matchers.is_empty() {
            let mut series = self.select_until(matchers, range, is_canceled)?;
            return add_values(&mut *series, name, values);
        }
        if !self.overlaps(range) {
            return Ok(());
        }
        let mut watch = Watch::new(is_canceled);
        Lookup::new(self)?.each_value(name, &mut watch, |value, _| {
            values.insert(value);
            Ok(())
        })
    }

    fn overlaps(&self, range: TimeRange) -> bool {
        self.summary().start <= range.end && self.summary().end >= range.start
    }
}

impl<'p> PartCursor<'p> {
    fn new(
        part: &'p Part,
        matchers: &[LabelMatcher],
        range: TimeRange,
        mut watch: Watch<'p>,
    ) -> Result<Self, EvalError> {
        let choice = if part.overlaps(range) {
            choose(part, matchers, &mut watch)?
        } else {
            Default::default()
        };
        let mut left = choice.series;
        left.reverse();
        Ok(Self {
            part,
            range,
            matchers: choice.matchers,
            watch,
            left,
            blocks: BlockReader::new(part)?,
            table: TableReader::default(),
            offset: 0,
            ahead: 0..0,
            labels: Labels::empty(),
            samples: Vec::new(),
        })
    }

    fn go_on(&mut self) -> Result<bool, EvalError> {
        while let Some(series) = self.next() {
            self.watch.look_now()?;
            self.go_to(series)?;
            if self.is_chosen()? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The number of the next series that is left.
    fn next(&mut self) -> Option<u32> {
        loop {
            match self.left.last_mut()?.next() {
                Some(series) => return Some(series),
                None => self.left.pop(),
            };
        }
    }

    /// Reads the row of a series, which must be behind the one that was read last.
    fn go_to(&mut self, series: u32) -> Result<(), PartError> {
        if !self.ahead.contains(&series) {
            let missing = Malformed("the index does not have a series");
            let block = self.part.index.table_of(series);
            let block = block.ok_or_else(|| self.part.damaged(0, missing))?;
            (self.offset, self.ahead) = (block.offset, block.series.clone());
            let memory = std::mem::take(&mut self.table).into_bytes();
            self.table = self.blocks.table(self.offset, memory)?;
        }
        for _ in self.ahead.start..=series {
            let found = self.table.advance();
            let found = found.and_then(|found| match found {
                true => Ok(()),
                false => Err(Malformed("there are less series than were told")),
            });
            found.map_err(|error| self.part.damaged(self.offset, error))?;
        }
        self.ahead.start = series + 1;
        Ok(())
    }

    /// Whether the row's series is among those that were asked for; takes its labels.
    fn is_chosen(&mut self) -> Result<bool, PartError> {
        let mut spans = self.table.spans().iter();
        if !spans.any(|span| span.times.overlaps(self.range)) {
            return Ok(false);
        }
        let malformed = Malformed("the labels of a series are malformed");
        let labels = Labels::from_bytes(self.table.labels());
        self.labels = labels.ok_or_else(|| self.part.damaged(self.offset, malformed))?;
        let fits = |matcher: &LabelMatcher| matcher.matches(self.labels.get(matcher.name()));
        Ok(self.matchers.iter().all(fits))
    }

    fn read_samples(&mut self) -> Result<(), PartError> {
        self.samples.clear();
        let spans = self.table.spans().iter();
        for span in spans.filter(|span| span.times.overlaps(self.range)) {
            self.blocks.samples(span, &mut self.samples)?;
        }
        Ok(())
    }
}

impl SeriesCursor for PartCursor<'_> {
    fn advance(&mut self) -> Result<bool, EvalError> {
        self.go_on()
    }

    fn labels(&self) -> &Labels {
        &self.labels
    }

    fn samples(&mut self) -> Result<&[Sample], EvalError> {
        self.read_samples()?;
        Ok(&self.samples)
    }
}
