//! Aggregations: one series of each group of series. Those that choose series instead
//! are in `choice`. See
//! <https://prometheus.io/docs/prometheus/latest/querying/operators/#aggregation-operators>.

use super::error::EvalError;
use super::evaluator::{Evaluator, text};
use super::functions::{checked_quantile, quantile};
use super::labels::Labels;
use super::steps::Steps;
use super::summation::{Mean, Sum};
use super::vector::{ABSENT, Column, decimal, is_present};
use crate::promql::{AggregateOperator, Aggregation, Expr, Grouping, METRIC_NAME, quote};
use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// Series that belong together.
pub(super) struct Group {
    pub(super) labels: Labels,
    /// Which columns they are, by their labels.
    pub(super) members: Vec<usize>,
}

/// What makes the labels of a group of those of its members.
enum Labeling {
    Only(Vec<String>),
    Without(Vec<String>),
}

/// What a first value comes to.
type First = fn(f64) -> f64;

/// What it comes to with a further value.
type Next = fn(f64, f64) -> f64;

/// Welford's method, as `stddev` has it; without Kahan's, as in Prometheus.
#[derive(Clone, Copy)]
struct Spread {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Evaluator<'_> {
    pub(super) fn aggregation(
        &mut self,
        aggregation: &Aggregation,
        steps: &Steps,
    ) -> Result<Vec<Column>, EvalError> {
        let operator = aggregation.operator;
        let parameter = aggregation.parameter.as_ref();
        match (operator, parameter) {
            (AggregateOperator::CountValues, Some(label)) => {
                self.count_values(aggregation, label, steps)
            }
            (AggregateOperator::Quantile, Some(parameter)) => {
                let wanted = self.scalar(parameter, steps)?;
                for wanted in &wanted {
                    checked_quantile(*wanted, parameter.span(), &mut self.notes);
                }
                self.folded(aggregation, steps, |members, steps| {
                    quantiles(members, steps, &wanted)
                })
            }
            (_, Some(parameter)) => self.chosen(aggregation, parameter, steps),
            (AggregateOperator::Sum, None) => self.folded(aggregation, steps, sums),
            (AggregateOperator::Average, None) => self.folded(aggregation, steps, averages),
            (AggregateOperator::StandardDeviation, None) => {
                self.folded(aggregation, steps, |members, steps| {
                    spreads(members, steps, f64::sqrt)
                })
            }
            (AggregateOperator::StandardVariance, None) => {
                self.folded(aggregation, steps, |members, steps| {
                    spreads(members, steps, |variance| variance)
                })
            }
            (operator, None) => {
                let (first, next) = simple(operator);
                self.folded(aggregation, steps, |members, steps| {
                    fold(
                        members,
                        steps,
                        first,
                        |state, value| {
                            *state = next(*state, value);
                        },
                        |state| state,
                    )
                })
            }
        }
    }

    /// A column of each group, computed from the columns of its members.
    fn folded(
        &mut self,
        aggregation: &Aggregation,
        steps: &Steps,
        fold: impl Fn(&[&[f64]], usize) -> Vec<f64>,
    ) -> Result<Vec<Column>, EvalError> {
        let columns = self.vector(&aggregation.expr, steps)?;
        let mut folded = Vec::new();
        for group in groups(&columns, &aggregation.grouping) {
            self.budget.go_on()?;
            self.budget.hold(steps.count())?;
            let members = group.members.iter();
            let members: Vec<&[f64]> = members.map(|index| &*columns[*index].values).collect();
            folded.push(Column {
                labels: group.labels,
                values: fold(&members, steps.count()),
            });
        }
        Ok(folded)
    }

    /// A column for each value that occurs in a group.
    fn count_values(
        &mut self,
        aggregation: &Aggregation,
        label: &Expr,
        steps: &Steps,
    ) -> Result<Vec<Column>, EvalError> {
        let label = text(label)?;
        let invalid = || EvalError::LabelName(quote(label.as_bytes()));
        let label = label.as_str().filter(|label| !label.is_empty());
        let label = label.ok_or_else(invalid)?;
        let columns = self.vector(&aggregation.expr, steps)?;
        let mut places = HashMap::new();
        let mut counts: Vec<Column> = Vec::new();
        for column in &columns {
            self.budget.go_on()?;
            for (step, value) in column.values.iter().enumerate() {
                if !is_present(*value) {
                    continue;
                }
                let labels = counted_labels(&column.labels, label, *value, &aggregation.grouping);
                let place = match places.entry(labels) {
                    Entry::Occupied(place) => *place.get(),
                    Entry::Vacant(place) => {
                        self.budget.hold(steps.count())?;
                        let values = vec![ABSENT; steps.count()];
                        let labels = place.key().clone();
                        counts.push(Column { labels, values });
                        *place.insert(counts.len() - 1)
                    }
                };
                let count = &mut counts[place].values[step];
                *count = if is_present(*count) {
                    *count + 1.0
                } else {
                    1.0
                };
            }
        }
        Ok(counts)
    }
}

/// The groups of columns, in the order of their first members.
///
/// Members come by their labels, whatever the order of the columns, which may depend on
/// which of them have values at a step: sums of floats and equal values in `topk` do not.
pub(super) fn groups(columns: &[Column], grouping: &Grouping) -> Vec<Group> {
    let mut order: Vec<usize> = (0..columns.len()).collect();
    if !columns.is_sorted_by(|one, other| one.labels <= other.labels) {
        order.sort_by(|one, other| columns[*one].labels.cmp(&columns[*other].labels));
    }
    let mut places = HashMap::new();
    let mut groups: Vec<Group> = Vec::new();
    let grouping = Labeling::of(grouping);
    for index in order {
        let labels = grouping.labels(&columns[index].labels);
        let place = *places.entry(labels.clone()).or_insert(groups.len());
        if place == groups.len() {
            let members = Vec::new();
            groups.push(Group { labels, members });
        }
        groups[place].members.push(index);
    }
    groups
}

impl Labeling {
    fn of(grouping: &Grouping) -> Self {
        match grouping {
            Grouping::By(names) => Self::Only(names.clone()),
            Grouping::Without(names) => {
                let name = METRIC_NAME.to_owned();
                Self::Without(names.iter().cloned().chain([name]).collect())
            }
        }
    }

    fn labels(&self, labels: &Labels) -> Labels {
        match self {
            Self::Only(names) => labels.only(names),
            Self::Without(names) => labels.without(names),
        }
    }
}

/// The value counts as a label of the series, and is kept when grouped `by` others.
fn counted_labels(labels: &Labels, label: &str, value: f64, grouping: &Grouping) -> Labels {
    let value = decimal(value);
    match grouping {
        Grouping::By(names) => labels.only(names).with(label, &value),
        Grouping::Without(_) => Labeling::of(grouping).labels(&labels.with(label, &value)),
    }
}

/// What is made of a first value, and of it and a further one.
fn simple(operator: AggregateOperator) -> (First, Next) {
    match operator {
        AggregateOperator::Count => (|_| 1.0, |count, _| count + 1.0),
        AggregateOperator::Group => (|_| 1.0, |one, _| one),
        AggregateOperator::Minimum => (
            |value| value,
            |least, value| {
                if value < least || least.is_nan() {
                    value
                } else {
                    least
                }
            },
        ),
        _ => (
            |value| value,
            |most, value| {
                if value > most || most.is_nan() {
                    value
                } else {
                    most
                }
            },
        ),
    }
}

fn sums(members: &[&[f64]], steps: usize) -> Vec<f64> {
    let add = |sum: &mut Sum, value| *sum = sum.plus(value);
    fold(members, steps, Sum::new, add, Sum::value)
}

fn averages(members: &[&[f64]], steps: usize) -> Vec<f64> {
    fold(members, steps, Mean::new, Mean::add, Mean::value)
}

fn spreads(members: &[&[f64]], steps: usize, of_variance: fn(f64) -> f64) -> Vec<f64> {
    let done = |spread: Spread| of_variance(spread.squares / spread.count);
    fold(members, steps, Spread::new, Spread::add, done)
}

fn quantiles(members: &[&[f64]], steps: usize, wanted: &[f64]) -> Vec<f64> {
    let mut values = Vec::with_capacity(members.len());
    let at_step = |step: usize| {
        values.clear();
        let present = members.iter().map(|member| member[step]);
        values.extend(present.filter(|value| is_present(*value)));
        match values.is_empty() {
            true => ABSENT,
            false => quantile(wanted[step], &mut values),
        }
    };
    (0..steps).map(at_step).collect()
}

/// At each step, a state that begins with the first value and takes the others.
fn fold<S: Copy>(
    members: &[&[f64]],
    steps: usize,
    first: impl Fn(f64) -> S,
    next: impl Fn(&mut S, f64),
    done: impl Fn(S) -> f64,
) -> Vec<f64> {
    let mut states: Vec<Option<S>> = vec![None; steps];
    for member in members {
        for (state, value) in states.iter_mut().zip(*member) {
            match state {
                _ if !is_present(*value) => {}
                Some(state) => next(state, *value),
                None => *state = Some(first(*value)),
            }
        }
    }
    let value = |state: Option<S>| state.map_or(ABSENT, &done);
    states.into_iter().map(value).collect()
}

impl Spread {
    fn new(value: f64) -> Self {
        Self {
            count: 1.0,
            mean: value,
            // That of infinity is no number either.
            squares: if value.is_finite() { 0.0 } else { f64::NAN },
        }
    }

    fn add(&mut self, value: f64) {
        self.count += 1.0;
        let before = value - self.mean;
        self.mean += before / self.count;
        self.squares += before * (value - self.mean);
    }
}
