//! The functions: who evaluates which. See
//! <https://prometheus.io/docs/prometheus/latest/querying/functions/>.
//!
//! A file for each family: `over_time`, `rates` and `trends` make a value of a range of
//! samples; `values`, `dates` and `histograms` make values of values; `scalars` has what
//! is a number at each step, `absence` what is there when nothing else is, `relabeling`
//! what changes labels and `sorting` what changes the order.

mod absence;
mod dates;
mod histograms;
mod over_time;
mod rates;
mod relabeling;
mod scalars;
mod sorting;
mod trends;
mod values;

use super::error::EvalError;
use super::evaluator::Evaluator;
use super::notes::{Notes, Remark};
use super::steps::Steps;
use super::vector::{Column, Value, merged};
use super::windows::Window;
use crate::promql::{Call, Expr, Span};
use std::collections::HashSet;

pub(super) use over_time::quantile;

/// What is made of the samples of a range, if anything.
type OfWindow = fn(&Window<'_>) -> Option<f64>;

impl Evaluator<'_> {
    pub(super) fn call(
        &mut self,
        call: &Call,
        span: Span,
        steps: &Steps,
    ) -> Result<Value, EvalError> {
        let arguments = &call.arguments;
        let name = call.function.name();
        match (name, arguments.as_slice()) {
            ("scalar", [vector]) => self.scalar_of(vector, steps).map(Value::Scalar),
            ("max_of" | "min_of", [one, other]) => {
                self.choice_of(name, one, other, steps).map(Value::Scalar)
            }
            ("time" | "pi" | "start" | "end" | "step" | "range", []) => {
                Ok(Value::Scalar(self.known(name, steps)))
            }
            _ => self
                .vector_call(name, arguments, span, steps)
                .map(Value::Vector),
        }
    }

    fn vector_call(
        &mut self,
        name: &'static str,
        arguments: &[Expr],
        span: Span,
        steps: &Steps,
    ) -> Result<Vec<Column>, EvalError> {
        if let Some(compute) = values::simple(name) {
            return self.mapped(arguments, steps, compute);
        }
        if let Some(of_date) = dates::part(name) {
            return self.dates(arguments, steps, of_date);
        }
        if let Some(compute) = over_time::simple(name).or_else(|| rates::simple(name))
            && let [range] = arguments
        {
            return self.ranged(name, range, steps, compute);
        }
        match (name, arguments) {
            ("rate" | "increase" | "delta", [range]) => self.extrapolated(name, range, steps),
            ("vector", [scalar]) => self.vector_of(scalar, steps),
            ("timestamp", [vector]) => self.timestamps(vector, steps),
            ("round", [vector, nearest @ ..]) => self.rounded(vector, nearest.first(), steps),
            ("clamp" | "clamp_min" | "clamp_max", [vector, bounds @ ..]) => {
                self.clamped(name, vector, bounds, steps)
            }
            ("absent", [vector]) => self.absent(vector, steps),
            ("absent_over_time", [range]) => self.absent_over_time(range, steps),
            ("quantile_over_time", [wanted, range]) => {
                self.quantile_over_time(wanted, range, steps)
            }
            ("predict_linear", [range, ahead]) => self.predict_linear(range, ahead, steps),
            ("double_exponential_smoothing", [range, smoothing, trend]) => {
                self.smoothed(range, smoothing, trend, steps)
            }
            ("label_replace", [vector, texts @ ..]) => self.label_replace(vector, texts, steps),
            ("label_join", [vector, texts @ ..]) => self.label_join(vector, texts, steps),
            ("sort" | "sort_desc", [vector]) => self.sorted(name, vector, span, steps),
            ("sort_by_label" | "sort_by_label_desc", [vector, labels @ ..]) => {
                self.sorted_by_label(name, vector, labels, span, steps)
            }
            ("histogram_quantile", [wanted, vector]) => {
                self.histogram_quantile(wanted, vector, steps)
            }
            ("histogram_quantiles", [vector, label, wanted @ ..]) => {
                self.histogram_quantiles(vector, label, wanted, steps)
            }
            ("histogram_fraction", [lower, upper, vector]) => {
                self.histogram_fraction(lower, upper, vector, steps)
            }
            // These are about native histograms and pass over all else.
            (
                "histogram_count" | "histogram_sum" | "histogram_avg" | "histogram_stddev"
                | "histogram_stdvar",
                [vector],
            ) => self.vector(vector, steps).map(|_| Vec::new()),
            _ => Err(EvalError::NotSupported(format!("{name}() is"))),
        }
    }

    /// A value from the range of each step. It is not the series' own any longer, but
    /// for those functions that only look elsewhere for it.
    fn ranged(
        &mut self,
        name: &str,
        range: &Expr,
        steps: &Steps,
        mut compute: impl FnMut(&Window<'_>) -> Option<f64>,
    ) -> Result<Vec<Column>, EvalError> {
        let columns = self.over_windows(range, steps, |window| Ok(compute(window)))?;
        if matches!(name, "rate" | "increase") {
            rates::remark_on_names(&columns, range.span(), &mut self.notes);
        }
        match name {
            "last_over_time" | "first_over_time" => Ok(columns),
            _ => ranges_without_names(columns),
        }
    }
}

/// Remarks on a quantile that is none.
pub(super) fn checked_quantile(wanted: f64, span: Span, notes: &mut Notes) {
    if !(0.0..=1.0).contains(&wanted) {
        notes.add(Remark::Quantile(wanted), span);
    }
}

/// What is no longer what the series' names say; at no step two with the same labels.
fn without_names(columns: Vec<Column>) -> Result<Vec<Column>, EvalError> {
    merged(renamed(columns))
}

/// The same of what is computed of ranges, where Prometheus takes no two series for one,
/// even if they have values at different steps.
fn ranges_without_names(columns: Vec<Column>) -> Result<Vec<Column>, EvalError> {
    let columns = renamed(columns);
    let mut seen = HashSet::with_capacity(columns.len());
    match columns.iter().all(|column| seen.insert(&column.labels)) {
        true => Ok(columns),
        false => Err(EvalError::SameLabels),
    }
}

fn renamed(mut columns: Vec<Column>) -> Vec<Column> {
    columns.retain(Column::has_values);
    for column in &mut columns {
        column.labels = column.labels.without_name();
    }
    columns
}
