//! Where a series is heading: `deriv` and `predict_linear` by a line through its samples,
//! `double_exponential_smoothing` by a mean of which the latest counts most.

use super::ranges_without_names;
use super::scalars::seconds;
use crate::chunk::Sample;
use crate::eval::error::EvalError;
use crate::eval::evaluator::Evaluator;
use crate::eval::steps::Steps;
use crate::eval::summation::Sum;
use crate::eval::vector::Column;
use crate::eval::windows::Window;
use crate::promql::Expr;

/// The line that lies nearest to samples.
struct Line {
    /// Per second.
    slope: f64,
    /// At the time that was asked for.
    value: f64,
}

/// How fast the value changes per second.
pub(super) fn derivative(window: &Window<'_>) -> Option<f64> {
    // A time near the samples, so that little is lost.
    let near = window.samples.first()?.time;
    line(window.samples, near).map(|line| line.slope)
}

impl Evaluator<'_> {
    /// The value so many seconds after the step.
    pub(super) fn predict_linear(
        &mut self,
        range: &Expr,
        ahead: &Expr,
        steps: &Steps,
    ) -> Result<Vec<Column>, EvalError> {
        let ahead = self.scalar(ahead, steps)?;
        let columns = self.over_windows(range, steps, |window| {
            let line = line(window.samples, steps.time(window.step));
            Ok(line.map(|line| line.slope * ahead[window.step] + line.value))
        })?;
        ranges_without_names(columns)
    }

    /// The last value, smoothed by those before it and by their trend.
    pub(super) fn smoothed(
        &mut self,
        range: &Expr,
        smoothing: &Expr,
        trend: &Expr,
        steps: &Steps,
    ) -> Result<Vec<Column>, EvalError> {
        let smoothing = self.scalar(smoothing, steps)?;
        let trend = self.scalar(trend, steps)?;
        let columns = self.over_windows(range, steps, |window| {
            let smoothing = factor("smoothing", "sf", smoothing[window.step])?;
            let trend = factor("trend", "tf", trend[window.step])?;
            Ok(smooth(window.samples, smoothing, trend))
        })?;
        ranges_without_names(columns)
    }
}

/// By least squares.
fn line(samples: &[Sample], time: i64) -> Option<Line> {
    let [first, others @ ..] = samples else {
        return None;
    };
    if others.is_empty() {
        return None;
    }
    if others.iter().all(|sample| sample.value == first.value) {
        let is_number = first.value.is_finite();
        return Some(Line {
            slope: if is_number { 0.0 } else { f64::NAN },
            value: if is_number { first.value } else { f64::NAN },
        });
    }
    let count = samples.len() as f64;
    let mut sums = [Sum::default(); 4];
    for sample in samples {
        let (x, y) = (seconds(sample.time - time), sample.value);
        for (sum, term) in sums.iter_mut().zip([x, y, x * y, x * x]) {
            *sum = sum.plus(term);
        }
    }
    let [x, y, xy, xx] = sums.map(Sum::value);
    let slope = (xy - x * y / count) / (xx - x * x / count);
    let value = y / count - slope * x / count;
    Some(Line { slope, value })
}

fn factor(name: &'static str, short: &'static str, found: f64) -> Result<f64, EvalError> {
    match found <= 0.0 || found >= 1.0 {
        true => Err(EvalError::Factor { name, short, found }),
        false => Ok(found),
    }
}

/// Holt's linear method, begun with the first value and the first difference.
fn smooth(samples: &[Sample], smoothing: f64, trend: f64) -> Option<f64> {
    let [first, second, ..] = samples else {
        return None;
    };
    let (mut before, mut smoothed) = (0.0, first.value);
    let mut slope = second.value - first.value;
    for (index, sample) in samples[1..].iter().enumerate() {
        if index > 0 {
            slope = trend * (smoothed - before) + (1.0 - trend) * slope;
        }
        let next = smoothing * sample.value + (1.0 - smoothing) * (smoothed + slope);
        (before, smoothed) = (smoothed, next);
    }
    Some(smoothed)
}
