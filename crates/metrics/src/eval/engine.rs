//! Queries and their answers: the way in and the way out.

use super::error::EvalError;
use super::evaluator::{Evaluator, Moments};
use super::labels::Labels;
use super::limits::{Budget, Limits};
use super::notes::Notes;
use super::select::Select;
use super::steps::Steps;
use super::vector::{Column, Value, is_present};
use crate::chunk::Sample;
use crate::promql::{Expr, ExprKind, StringLiteral, TIMESTAMP_MS, ValueType};

/// Answers queries from a source.
pub struct Engine<'a> {
    source: &'a dyn Select,
    settings: Settings,
    is_canceled: &'a dyn Fn() -> bool,
}

/// What may be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// How old, in milliseconds, the last sample of a series may be for the series to
    /// have a value. More than 0.
    pub lookback: i64,
    /// Milliseconds from one evaluation of a subquery to the next, where it does not say.
    /// More than 0.
    pub subquery_step: i64,
    /// What a query may cost.
    pub limits: Limits,
}

/// An answer, and what is to be said about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The answer.
    pub value: QueryValue,
    /// Warnings and infos.
    pub notes: Notes,
}

/// What a query has been answered with.
#[derive(Debug, Clone, PartialEq)]
pub enum QueryValue {
    /// A number. Only of an instant query.
    Scalar(Sample),
    /// A text. Only of an instant query.
    Text(StringLiteral),
    /// A value for each series. Only of an instant query; in an order that means
    /// something only if the query sorts.
    Vector(Vec<Element>),
    /// Values over time, by the order of their labels: all that a range query is answered
    /// with, and instant queries for range vectors.
    Matrix(Vec<ValueSeries>),
}

/// A series and its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Element {
    /// Its labels.
    pub labels: Labels,
    /// The value at the time of the query.
    pub sample: Sample,
}

/// A series and its values.
#[derive(Debug, Clone, PartialEq)]
pub struct ValueSeries {
    /// Its labels.
    pub labels: Labels,
    /// Its values, by time; at least one.
    pub samples: Vec<Sample>,
}

impl Default for Settings {
    /// Those of Prometheus.
    fn default() -> Self {
        Self {
            lookback: 5 * 60_000,
            subquery_step: 60_000,
            limits: Limits::default(),
        }
    }
}

impl<'a> Engine<'a> {
    /// Answers queries from this source.
    pub fn new(source: &'a dyn Select) -> Self {
        Self {
            source,
            settings: Settings::default(),
            is_canceled: &|| false,
        }
    }

    /// The same with these settings.
    #[must_use]
    pub fn with(self, settings: Settings) -> Self {
        Self { settings, ..self }
    }

    /// The same, but a query ends with an error soon after this has become true. It is
    /// asked at each node of a query and for each series that is read.
    #[must_use]
    pub fn until(self, is_canceled: &'a dyn Fn() -> bool) -> Self {
        Self {
            is_canceled,
            ..self
        }
    }

    /// Answers a query about one time.
    ///
    /// # Errors
    /// Queries that have no answer, and those that cost too much.
    pub fn instant(&self, query: &Expr, time: i64) -> Result<Answer, EvalError> {
        let moments = Moments {
            start: in_range(time)?,
            end: time,
            step: 0,
        };
        let mut evaluator = self.evaluator(moments);
        let value = instant_value(&mut evaluator, query, time)?;
        let notes = evaluator.notes;
        Ok(Answer { value, notes })
    }

    /// Answers a query about all times from `start` up to `end`, each `step` after the
    /// one before it; in milliseconds.
    ///
    /// # Errors
    /// Queries that have no answer, and those that cost too much.
    pub fn range(
        &self,
        query: &Expr,
        start: i64,
        end: i64,
        step: i64,
    ) -> Result<Answer, EvalError> {
        let (start, end) = (in_range(start)?, in_range(end)?);
        if end < start {
            return Err(EvalError::EndBeforeStart);
        }
        if step <= 0 {
            return Err(EvalError::Step);
        }
        match query.value_type() {
            ValueType::Scalar | ValueType::InstantVector => {}
            other => return Err(EvalError::RangeOf(other.to_string())),
        }
        let steps = Steps::new(start, end, step, self.settings.limits.steps)?;
        let mut evaluator = self.evaluator(Moments { start, end, step });
        let mut columns = match evaluator.eval(query, &steps)? {
            Value::Vector(columns) => columns,
            Value::Scalar(values) => vec![Column {
                labels: Labels::empty(),
                values,
            }],
        };
        columns.sort_by(|one, other| one.labels.cmp(&other.labels));
        let series = columns.into_iter().map(|column| series(column, &steps));
        Ok(Answer {
            value: QueryValue::Matrix(series.collect()),
            notes: evaluator.notes,
        })
    }

    fn evaluator(&self, moments: Moments) -> Evaluator<'a> {
        let budget = Budget::new(self.settings.limits, self.is_canceled);
        Evaluator::new(self.source, self.settings, moments, budget)
    }
}

fn instant_value(
    evaluator: &mut Evaluator<'_>,
    query: &Expr,
    time: i64,
) -> Result<QueryValue, EvalError> {
    if let ExprKind::String(text) = query.without_parentheses().kind() {
        return Ok(QueryValue::Text(text.clone()));
    }
    let steps = Steps::one(time);
    if query.value_type() == ValueType::RangeVector {
        let mut series = evaluator.range_vector(query, &steps)?;
        series.sort_by(|one, other| one.labels.cmp(&other.labels));
        return Ok(QueryValue::Matrix(series));
    }
    let at_time = |value| Sample { time, value };
    Ok(match evaluator.eval(query, &steps)? {
        Value::Scalar(values) => QueryValue::Scalar(at_time(values[0])),
        Value::Vector(columns) => QueryValue::Vector(
            columns
                .into_iter()
                .map(|column| Element {
                    sample: at_time(column.values[0]),
                    labels: column.labels,
                })
                .collect(),
        ),
    })
}

fn series(column: Column, steps: &Steps) -> ValueSeries {
    let samples = steps.times().zip(column.values);
    let samples = samples.filter(|(_, value)| is_present(*value));
    ValueSeries {
        labels: column.labels,
        samples: samples
            .map(|(time, value)| Sample { time, value })
            .collect(),
    }
}

/// A time that ranges and offsets can be taken from without an overflow: of a tree's few
/// levels each takes less than 300 years.
fn in_range(time: i64) -> Result<i64, EvalError> {
    match time.unsigned_abs() <= TIMESTAMP_MS.unsigned_abs() {
        true => Ok(time),
        false => Err(EvalError::TimeRange),
    }
}
