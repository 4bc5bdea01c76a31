//! Old samples made coarser: of each interval the last one is kept, as it is.
//!
//! A counter's last sample tells all that came before it, and a gauge's is one that was
//! really measured. Marks that a series ended are kept when they are the last.

use crate::chunk::Sample;
use crate::eval::{EvalError, Labels, SeriesCursor};

/// When samples become how coarse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Downsampling {
    /// From which age on, in milliseconds.
    pub after: u64,
    /// One sample is kept for so many milliseconds.
    pub every: u64,
}

/// Series of which one sample is kept for each interval.
pub(super) struct Coarse<'s> {
    series: Box<dyn SeriesCursor + 's>,
    every: i64,
    samples: Vec<Sample>,
}

/// How coarse samples are to be whose youngest has this age; 0 for as they came.
pub(super) fn resolution(rules: &[Downsampling], age: u64) -> u64 {
    let old_enough = rules.iter().filter(|rule| rule.after <= age);
    old_enough.map(|rule| rule.every).max().unwrap_or(0)
}

impl<'s> Coarse<'s> {
    /// These series with one sample for each `every` milliseconds, or as they are for 0.
    pub(super) fn wrap(
        series: Box<dyn SeriesCursor + 's>,
        every: u64,
    ) -> Box<dyn SeriesCursor + 's> {
        match i64::try_from(every) {
            Ok(0) | Err(_) => series,
            Ok(every) => Box::new(Self {
                series,
                every,
                samples: Vec::new(),
            }),
        }
    }
}

impl SeriesCursor for Coarse<'_> {
    fn advance(&mut self) -> Result<bool, EvalError> {
        self.series.advance()
    }

    fn labels(&self) -> &Labels {
        self.series.labels()
    }

    fn samples(&mut self) -> Result<&[Sample], EvalError> {
        let samples = self.series.samples()?;
        let interval = |sample: &Sample| sample.time.div_euclid(self.every);
        let lasts = samples.chunk_by(|one, next| interval(one) == interval(next));
        self.samples.clear();
        self.samples
            .extend(lasts.filter_map(|of_interval| of_interval.last()));
        Ok(&self.samples)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_coarsest_rule_that_is_old_enough() {
        let rule = |after, every| Downsampling { after, every };
        let rules = [rule(100, 5), rule(1000, 60)];
        let ages = [0, 99, 100, 999, 1000, u64::MAX];
        assert_eq!(
            ages.map(|age| resolution(&rules, age)),
            [0, 0, 5, 5, 60, 60]
        );
    }
}
