//! Windows of time: each part has samples of one, so that what is too old goes with its
//! files, and a merge never grows beyond a window.

use crate::chunk::Sample;
use crate::eval::{EvalError, Labels, SeriesCursor, TimeRange};

/// How long a window is, in milliseconds: a week. A year is some fifty parts, each large
/// enough to be small for its samples.
const WINDOW: i64 = 7 * 86_400_000;

/// The window that a time lies in.
pub(super) const fn window_of(time: i64) -> i64 {
    time.div_euclid(WINDOW)
}

/// The times of a window.
pub(super) const fn range_of(window: i64) -> TimeRange {
    let start = window.saturating_mul(WINDOW);
    TimeRange {
        start,
        end: start.saturating_add(WINDOW - 1),
    }
}

/// Series cut to a range of time.
pub(super) struct Within<'s> {
    series: Box<dyn SeriesCursor + 's>,
    range: TimeRange,
}

impl<'s> Within<'s> {
    pub(super) const fn new(series: Box<dyn SeriesCursor + 's>, range: TimeRange) -> Self {
        Self { series, range }
    }
}

impl SeriesCursor for Within<'_> {
    fn advance(&mut self) -> Result<bool, EvalError> {
        self.series.advance()
    }

    fn labels(&self) -> &Labels {
        self.series.labels()
    }

    fn samples(&mut self) -> Result<&[Sample], EvalError> {
        let samples = self.series.samples()?;
        let from = samples.partition_point(|sample| sample.time < self.range.start);
        let to = samples.partition_point(|sample| sample.time <= self.range.end);
        Ok(&samples[from..to.max(from)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_time_lies_in_its_window() {
        for time in [
            i64::MIN / 2,
            -1,
            0,
            1,
            WINDOW - 1,
            WINDOW,
            1_790_000_000_000,
        ] {
            let range = range_of(window_of(time));
            assert!((range.start..=range.end).contains(&time), "{time}");
        }
        assert_eq!(window_of(-1), -1);
    }
}
