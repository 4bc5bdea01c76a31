//! Classic histograms: series of buckets that each count what is at most their `le`. See
//! <https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile>.
//!
//! 1. Series that differ in `le` alone are the buckets of a histogram.
//! 2. At each step, those that have a value are made one list by their bounds, of which
//!    the last must be +Inf.
//! 3. For a quantile, counts that are less than those of smaller buckets are repaired.
//! 4. Within a bucket, values are taken to be spread evenly.

use super::{checked_quantile, without_names};
use crate::eval::error::EvalError;
use crate::eval::evaluator::{Evaluator, text};
use crate::eval::labels::Labels;
use crate::eval::notes::Remark;
use crate::eval::steps::Steps;
use crate::eval::vector::{ABSENT, Column, decimal, is_present};
use crate::promql::{Expr, quote};
use std::collections::HashMap;

const BOUND: &str = "le";

/// Two counts that differ by less than this share of them differ only because sums of
/// floats do. Prometheus' value, found on real data.
const INSIGNIFICANT: f64 = 1e-12;

/// The buckets of a histogram: their bounds, and which columns they are; by bound.
struct Histogram {
    labels: Labels,
    members: Vec<(f64, usize)>,
}

/// What is at most a bound, counted.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Bucket {
    bound: f64,
    count: f64,
}

impl Evaluator<'_> {
    /// The value below which a share of all observations lies.
    pub(super) fn histogram_quantile(
        &mut self,
        wanted: &Expr,
        vector: &Expr,
        steps: &Steps,
    ) -> Result<Vec<Column>, EvalError> {
        let columns = self.vector(vector, steps)?;
        let histograms = self.histograms(&columns, vector);
        let columns = self.quantiles(wanted, vector, &columns, &histograms, steps)?;
        without_names(columns)
    }

    /// Several quantiles, told apart by a label.
    pub(super) fn histogram_quantiles(
        &mut self,
        vector: &Expr,
        label: &Expr,
        wanted: &[Expr],
        steps: &Steps,
    ) -> Result<Vec<Column>, EvalError> {
        let label = text(label)?;
        let invalid = || EvalError::LabelName(quote(label.as_bytes()));
        let label = label.as_str().ok_or_else(invalid)?;
        let columns = self.vector(vector, steps)?;
        let histograms = self.histograms(&columns, vector);
        let mut all = Vec::new();
        for wanted in wanted {
            let values = self.scalar(wanted, steps)?;
            let columns = self.quantiles(wanted, vector, &columns, &histograms, steps)?;
            for column in &columns {
                all.extend(labelled(column, label, &values));
            }
        }
        without_names(all)
    }

    /// The share of all observations that lies between two values.
    pub(super) fn histogram_fraction(
        &mut self,
        lower: &Expr,
        upper: &Expr,
        vector: &Expr,
        steps: &Steps,
    ) -> Result<Vec<Column>, EvalError> {
        let lower = self.scalar(lower, steps)?;
        let upper = self.scalar(upper, steps)?;
        let columns = self.vector(vector, steps)?;
        let histograms = self.histograms(&columns, vector);
        let fractions = self.at_each_step(&columns, &histograms, steps, |step, buckets| {
            fraction(lower[step], upper[step], buckets)
        })?;
        without_names(fractions)
    }

    fn quantiles(
        &mut self,
        wanted: &Expr,
        vector: &Expr,
        columns: &[Column],
        histograms: &[Histogram],
        steps: &Steps,
    ) -> Result<Vec<Column>, EvalError> {
        let span = wanted.span();
        let wanted = self.scalar(wanted, steps)?;
        for wanted in &wanted {
            checked_quantile(*wanted, span, &mut self.notes);
        }
        let mut is_repaired = false;
        let quantiles = self.at_each_step(columns, histograms, steps, |step, buckets| {
            quantile(wanted[step], buckets, &mut is_repaired)
        })?;
        if is_repaired {
            self.notes.add(Remark::ForcedMonotonicity, vector.span());
        }
        Ok(quantiles)
    }

    /// The histograms among columns, in the order of their first buckets.
    fn histograms(&mut self, columns: &[Column], vector: &Expr) -> Vec<Histogram> {
        let without = [BOUND.to_owned()];
        let mut places = HashMap::new();
        let mut histograms: Vec<Histogram> = Vec::new();
        for (index, column) in columns.iter().enumerate() {
            let text = column.labels.get(BOUND);
            let Ok(bound) = text.parse() else {
                let remark = Remark::BucketLabel(text.to_owned());
                self.notes.add(remark, vector.span());
                continue;
            };
            let labels = column.labels.without(&without);
            let place = *places.entry(labels.clone()).or_insert(histograms.len());
            if place == histograms.len() {
                let members = Vec::new();
                histograms.push(Histogram { labels, members });
            }
            histograms[place].members.push((bound, index));
        }
        for histogram in &mut histograms {
            let members = &mut histogram.members;
            members.sort_by(|one, other| one.0.total_cmp(&other.0));
        }
        histograms
    }

    fn at_each_step(
        &mut self,
        columns: &[Column],
        histograms: &[Histogram],
        steps: &Steps,
        mut compute: impl FnMut(usize, &mut Vec<Bucket>) -> f64,
    ) -> Result<Vec<Column>, EvalError> {
        let mut computed = Vec::with_capacity(histograms.len());
        let mut buckets = Vec::new();
        for histogram in histograms {
            self.budget.go_on()?;
            self.budget.hold(steps.count())?;
            let at_step = |step: usize| {
                buckets.clear();
                for (bound, index) in &histogram.members {
                    let count = columns[*index].values[step];
                    if is_present(count) {
                        push(&mut buckets, *bound, count);
                    }
                }
                match buckets.is_empty() {
                    true => ABSENT,
                    false => compute(step, &mut buckets),
                }
            };
            computed.push(Column {
                labels: histogram.labels.clone(),
                values: (0..steps.count()).map(at_step).collect(),
            });
        }
        Ok(computed)
    }
}

/// Two buckets may have one bound, as `1` and `1.0`; they count as one.
fn push(buckets: &mut Vec<Bucket>, bound: f64, count: f64) {
    match buckets.last_mut() {
        Some(last) if last.bound == bound => last.count += count,
        _ => buckets.push(Bucket { bound, count }),
    }
}

/// A column for each quantile that the scalar is at any step.
fn labelled(column: &Column, label: &str, wanted: &[f64]) -> Vec<Column> {
    let mut columns: Vec<(u64, Column)> = Vec::new();
    for (step, wanted) in wanted.iter().enumerate() {
        let bits = wanted.to_bits();
        let place = columns.iter().position(|(other, _)| *other == bits);
        let place = place.unwrap_or_else(|| {
            let labels = column.labels.with(label, &open_metrics(*wanted));
            let values = vec![ABSENT; column.values.len()];
            columns.push((bits, Column { labels, values }));
            columns.len() - 1
        });
        columns[place].1.values[step] = column.values[step];
    }
    columns.into_iter().map(|(_, column)| column).collect()
}

/// A number as OpenMetrics writes it: with a point.
fn open_metrics(value: f64) -> String {
    let text = decimal(value);
    match value.is_finite() && !text.contains('.') {
        true => text + ".0",
        false => text,
    }
}

fn quantile(wanted: f64, buckets: &mut Vec<Bucket>, is_repaired: &mut bool) -> f64 {
    if wanted.is_nan() {
        return f64::NAN;
    }
    if wanted < 0.0 {
        return f64::NEG_INFINITY;
    }
    if wanted > 1.0 {
        return f64::INFINITY;
    }
    if !is_complete(buckets) {
        return f64::NAN;
    }
    *is_repaired |= repair(buckets);
    let [.., before_last, last] = buckets.as_slice() else {
        return f64::NAN;
    };
    if last.count == 0.0 {
        return f64::NAN;
    }
    let rank = wanted * last.count;
    // Where nothing is a number, the last is found, as in Prometheus.
    let is_before = |bucket: &Bucket| bucket.count < rank || rank.is_nan();
    let found = buckets.partition_point(is_before);
    if found >= buckets.len() - 1 {
        return before_last.bound;
    }
    let end = buckets[found];
    if found == 0 && end.bound <= 0.0 {
        return end.bound;
    }
    let start = match found.checked_sub(1) {
        Some(before) => buckets[before],
        None => Bucket {
            bound: 0.0,
            count: 0.0,
        },
    };
    let share = (rank - start.count) / (end.count - start.count);
    start.bound + (end.bound - start.bound) * share
}

fn fraction(lower: f64, upper: f64, buckets: &[Bucket]) -> f64 {
    let all = match buckets.last() {
        Some(last) if is_complete(buckets) => last.count,
        _ => return f64::NAN,
    };
    if all == 0.0 || lower.is_nan() || upper.is_nan() {
        return f64::NAN;
    }
    if lower >= upper {
        return 0.0;
    }
    (rank(upper, buckets, all) - rank(lower, buckets, all)) / all
}

/// How many observations lie below a value.
fn rank(value: f64, buckets: &[Bucket], all: f64) -> f64 {
    let is_positive = buckets[0].bound > 0.0;
    let mut start = Bucket {
        bound: if is_positive { 0.0 } else { f64::NEG_INFINITY },
        count: 0.0,
    };
    for bucket in buckets {
        let rank = if start.bound >= value {
            start.count
        } else if bucket.bound > value {
            // Nothing is known of where in an infinite bucket values are.
            match start.bound == f64::NEG_INFINITY {
                true => bucket.count,
                false => {
                    let share = (value - start.bound) / (bucket.bound - start.bound);
                    start.count + (bucket.count - start.count) * share
                }
            }
        } else {
            start = *bucket;
            continue;
        };
        return if rank > all { all } else { rank };
    }
    all
}

fn is_complete(buckets: &[Bucket]) -> bool {
    let last = buckets.last();
    last.is_some_and(|last| last.bound == f64::INFINITY)
}

/// Makes each bucket count at least what the one before it does. Tells whether that
/// changed anything that matters.
fn repair(buckets: &mut [Bucket]) -> bool {
    let mut is_repaired = false;
    let mut before = buckets.first().map_or(0.0, |first| first.count);
    for bucket in buckets {
        let is_same = is_insignificant(before, bucket.count);
        if is_same || bucket.count < before {
            is_repaired |= !is_same;
            bucket.count = before;
        } else {
            before = bucket.count;
        }
    }
    is_repaired
}

fn is_insignificant(one: f64, other: f64) -> bool {
    let size = one.abs() + other.abs();
    let difference = (one - other).abs();
    if one == other || (one.is_nan() && other.is_nan()) {
        true
    } else if one == 0.0 || other == 0.0 || size < f64::MIN_POSITIVE {
        difference < INSIGNIFICANT * f64::MIN_POSITIVE
    } else {
        difference / size.min(f64::MAX) < INSIGNIFICANT
    }
}
