//! What the samples of a range come to, whatever their distances: sums, means, extremes,
//! quantiles, and the first and the last.

use super::scalars::seconds;
use super::{OfWindow, checked_quantile, ranges_without_names};
use crate::chunk::Sample;
use crate::eval::error::EvalError;
use crate::eval::evaluator::Evaluator;
use crate::eval::steps::Steps;
use crate::eval::summation::{Mean, Sum, Variance};
use crate::eval::vector::Column;
use crate::eval::windows::Window;
use crate::promql::Expr;

/// The functions that take a range and nothing else.
pub(super) fn simple(name: &str) -> Option<OfWindow> {
    Some(match name {
        "sum_over_time" => |window| Some(window.values().fold(Sum::default(), Sum::plus).value()),
        "avg_over_time" => mean,
        "count_over_time" => |window| Some(window.samples.len() as f64),
        "present_over_time" => |_| Some(1.0),
        "first_over_time" => |window| window.values().next(),
        "last_over_time" => |window| window.values().last(),
        "min_over_time" => |window| extreme(window, f64::lt).map(|sample| sample.value),
        "max_over_time" => |window| extreme(window, f64::gt).map(|sample| sample.value),
        "stdvar_over_time" => |window| Some(variance(window)),
        "stddev_over_time" => |window| Some(variance(window).sqrt()),
        "mad_over_time" => median_deviation,
        "ts_of_first_over_time" => |window| time_of(window.samples.first()),
        "ts_of_last_over_time" => |window| time_of(window.samples.last()),
        "ts_of_min_over_time" => |window| time_of(extreme(window, f64::le)),
        "ts_of_max_over_time" => |window| time_of(extreme(window, f64::ge)),
        _ => return None,
    })
}

impl Evaluator<'_> {
    pub(super) fn quantile_over_time(
        &mut self,
        wanted: &Expr,
        range: &Expr,
        steps: &Steps,
    ) -> Result<Vec<Column>, EvalError> {
        let span = wanted.span();
        let wanted = self.scalar(wanted, steps)?;
        let mut asked = vec![false; steps.count()];
        let mut values = Vec::new();
        let columns = self.over_windows(range, steps, |window| {
            asked[window.step] = true;
            values.clear();
            values.extend(window.values());
            Ok(Some(quantile(wanted[window.step], &mut values)))
        })?;
        let wanted = wanted.iter().zip(asked).filter(|(_, asked)| *asked);
        for (wanted, _) in wanted {
            checked_quantile(*wanted, span, &mut self.notes);
        }
        ranges_without_names(columns)
    }
}

/// The value below which a share of all values lies, between two of them where it must
/// be; they are sorted. There is at least one.
pub(in crate::eval) fn quantile(wanted: f64, values: &mut [f64]) -> f64 {
    if wanted.is_nan() || values.is_empty() {
        return f64::NAN;
    }
    if wanted < 0.0 {
        return f64::NEG_INFINITY;
    }
    if wanted > 1.0 {
        return f64::INFINITY;
    }
    // What is no number is smaller than all numbers here.
    values.sort_unstable_by(|one, other| {
        let order = one.partial_cmp(other);
        order.unwrap_or_else(|| other.is_nan().cmp(&one.is_nan()))
    });
    let last = values.len() - 1;
    let rank = wanted * last as f64;
    let lower = rank.floor();
    let weight = rank - lower;
    let lower = lower as usize;
    let upper = last.min(lower + 1);
    values[lower] * (1.0 - weight) + values[upper] * weight
}

fn mean(window: &Window<'_>) -> Option<f64> {
    let mut values = window.values();
    let mut mean = Mean::new(values.next()?);
    values.for_each(|value| mean.add(value));
    Some(mean.value())
}

fn variance(window: &Window<'_>) -> f64 {
    let mut variance = Variance::default();
    window.values().for_each(|value| variance.add(value));
    variance.value()
}

/// The median of the distances from the median.
fn median_deviation(window: &Window<'_>) -> Option<f64> {
    let mut values: Vec<f64> = window.values().collect();
    if values.iter().any(|value| value.is_nan()) {
        return Some(f64::NAN);
    }
    let median = quantile(0.5, &mut values);
    for value in &mut values {
        *value = (*value - median).abs();
    }
    Some(quantile(0.5, &mut values))
}

/// The sample that no other replaces.
fn extreme<'a>(window: &Window<'a>, replaces: fn(&f64, &f64) -> bool) -> Option<&'a Sample> {
    let (first, _) = window.samples.split_first()?;
    Some(window.samples.iter().fold(first, |best, sample| {
        match replaces(&sample.value, &best.value) || best.value.is_nan() {
            true => sample,
            false => best,
        }
    }))
}

fn time_of(sample: Option<&Sample>) -> Option<f64> {
    sample.map(|sample| seconds(sample.time))
}
