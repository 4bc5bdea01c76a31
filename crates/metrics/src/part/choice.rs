//! Which series of a part matchers may choose.

use super::lookup::Lookup;
use super::postings::{Runs, intersection, take_runs, union};
use super::reader::Part;
use crate::eval::{EvalError, Watch};
use crate::promql::LabelMatcher;

/// When so few series are left, their labels are read rather than all values of a label.
const FEW_SERIES: usize = 4096;

/// Series that may be chosen, and what is still to be held against their labels.
#[derive(Default)]
pub(super) struct Choice {
    pub(super) series: Runs,
    pub(super) matchers: Vec<LabelMatcher>,
}

/// Answers as much by postings as these tell cheaply.
///
/// # Errors
/// Also [`EvalError::Canceled`], when `watch` says so.
pub(super) fn choose(
    part: &Part,
    matchers: &[LabelMatcher],
    watch: &mut Watch<'_>,
) -> Result<Choice, EvalError> {
    let mut choice = Choice {
        series: std::iter::once(0..part.series()).collect(),
        matchers: Vec::new(),
    };
    let mut lookup = Lookup::new(part)?;
    let mut others = Vec::new();
    for matcher in matchers {
        let Some(values) = matcher.listed().filter(|_| is_positive(matcher)) else {
            others.push(matcher);
            continue;
        };
        let mut series = Runs::new();
        for value in values {
            watch.look()?;
            lookup.add_series(matcher.name(), value, &mut series)?;
        }
        choice.series = intersection(&choice.series, &union(series));
    }
    for matcher in others {
        let left = choice
            .series
            .iter()
            .map(ExactSizeIterator::len)
            .sum::<usize>();
        if !is_positive(matcher) || left <= FEW_SERIES {
            choice.matchers.push(matcher.clone());
            continue;
        }
        let mut series = Runs::new();
        lookup.each_value(matcher.name(), watch, |value, runs| {
            if matcher.matches(value) {
                take_runs(runs, part.series(), &mut series)?;
            }
            Ok(())
        })?;
        choice.series = intersection(&choice.series, &union(series));
    }
    Ok(choice)
}

/// Whether a series must have the label to be chosen.
fn is_positive(matcher: &LabelMatcher) -> bool {
    !matcher.operator().is_negative() && !matcher.matches("")
}
