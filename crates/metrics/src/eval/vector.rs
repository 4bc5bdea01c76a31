//! What nodes of a query give: columns, each a series of values over all steps.

use super::error::EvalError;
use super::labels::Labels;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// Stands where a series has no value at a step. It is Prometheus' marker of stale
/// series, which no computation can give: a signalling NaN, which comes out of none.
pub(super) const ABSENT: f64 = f64::from_bits(STALE);

/// The bits of the value that says that a series has ended.
pub const STALE: u64 = 0x7ff0_0000_0000_0002;

/// A series of values over all steps.
#[derive(Debug, Clone)]
pub(super) struct Column {
    pub(super) labels: Labels,
    /// A value for each step, [`ABSENT`] where there is none.
    pub(super) values: Vec<f64>,
}

/// What a node gives.
#[derive(Debug)]
pub(super) enum Value {
    /// A number for each step.
    Scalar(Vec<f64>),
    /// Columns.
    Vector(Vec<Column>),
}

/// Whether this is a value.
pub(super) const fn is_present(value: f64) -> bool {
    value.to_bits() != STALE
}

/// A column for each set of labels: those that have the same become one.
///
/// # Errors
/// Two of the same labels that have values at the same step.
pub(super) fn merged(columns: Vec<Column>) -> Result<Vec<Column>, EvalError> {
    let mut places = HashMap::with_capacity(columns.len());
    let mut merged: Vec<Column> = Vec::with_capacity(columns.len());
    for column in columns {
        match places.entry(column.labels.clone()) {
            Entry::Vacant(place) => {
                place.insert(merged.len());
                merged.push(column);
            }
            Entry::Occupied(place) => {
                let into = &mut merged[*place.get()];
                for (one, other) in into.values.iter_mut().zip(column.values) {
                    match (is_present(*one), is_present(other)) {
                        (true, true) => return Err(EvalError::SameLabels),
                        (false, true) => *one = other,
                        (_, false) => {}
                    }
                }
            }
        }
    }
    Ok(merged)
}

impl Column {
    /// Whether it has a value at any step.
    pub(super) fn has_values(&self) -> bool {
        self.values.iter().any(|value| is_present(*value))
    }

    /// Puts another value in place of each.
    pub(super) fn map(&mut self, compute: impl Fn(f64) -> f64) {
        for value in &mut self.values {
            if is_present(*value) {
                *value = compute(*value);
            }
        }
    }
}

impl Value {
    /// Points that it holds.
    pub(super) fn points(&self) -> usize {
        match self {
            Self::Scalar(values) => values.len(),
            Self::Vector(columns) => columns.iter().map(|column| column.values.len()).sum(),
        }
    }
}

/// A number as Prometheus writes it into a label.
pub(super) fn decimal(value: f64) -> String {
    match value {
        f64::INFINITY => "+Inf".to_owned(),
        f64::NEG_INFINITY => "-Inf".to_owned(),
        _ => value.to_string(),
    }
}
