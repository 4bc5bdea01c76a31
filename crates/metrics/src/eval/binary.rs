//! Operators between two values: what each computes, and those of which a side is a
//! scalar. Between vectors, `matching` finds out which belong together, and `sets` has
//! the operators that look at no values.

use super::error::EvalError;
use super::evaluator::Evaluator;
use super::notes::Remark;
use super::steps::Steps;
use super::vector::{ABSENT, Column, Value, is_present, merged};
use crate::promql::{Binary, BinaryOperator, Span};

/// What an operator makes of two numbers.
#[derive(Debug, Clone, Copy)]
pub(super) enum Operation {
    /// A number.
    Compute(fn(f64, f64) -> f64),
    /// A value of the vector, where this holds.
    Filter(fn(&f64, &f64) -> bool),
    /// 1 where this holds, 0 elsewhere.
    Test(fn(&f64, &f64) -> bool),
    /// Nothing: it is about native histograms.
    Nothing,
}

impl Operation {
    pub(super) fn of(binary: &Binary) -> Self {
        match (compute(binary.operator), compare(binary.operator)) {
            (Some(compute), _) => Self::Compute(compute),
            (_, Some(compare)) if binary.is_bool => Self::Test(compare),
            (_, Some(compare)) => Self::Filter(compare),
            (None, None) => Self::Nothing,
        }
    }

    /// The result for two values, of which a filter keeps `kept`.
    pub(super) fn apply(self, left: f64, right: f64, kept: f64) -> f64 {
        match self {
            Self::Compute(compute) => compute(left, right),
            Self::Filter(compare) if compare(&left, &right) => kept,
            Self::Filter(_) | Self::Nothing => ABSENT,
            Self::Test(compare) => f64::from(u8::from(compare(&left, &right))),
        }
    }

    /// Whether the result is no longer what the series' name says.
    pub(super) const fn drops_name(self) -> bool {
        matches!(self, Self::Compute(_) | Self::Test(_))
    }
}

impl Evaluator<'_> {
    pub(super) fn binary(
        &mut self,
        binary: &Binary,
        span: Span,
        steps: &Steps,
    ) -> Result<Value, EvalError> {
        let left = self.eval(&binary.left, steps)?;
        let right = self.eval(&binary.right, steps)?;
        let operation = Operation::of(binary);
        if matches!(operation, Operation::Nothing) && !binary.operator.is_set() {
            let operator = binary.operator.to_string();
            self.notes.add(Remark::IncompatibleTypes(operator), span);
        }
        match (left, right) {
            (Value::Scalar(left), Value::Scalar(right)) => {
                let values = left.into_iter().zip(right);
                let values = values.map(|(left, right)| operation.apply(left, right, left));
                Ok(Value::Scalar(values.collect()))
            }
            (Value::Vector(vector), Value::Scalar(scalar)) => {
                with_scalar(vector, &scalar, operation, |value, scalar| {
                    operation.apply(value, scalar, value)
                })
            }
            (Value::Scalar(scalar), Value::Vector(vector)) => {
                with_scalar(vector, &scalar, operation, |value, scalar| {
                    operation.apply(scalar, value, value)
                })
            }
            (Value::Vector(left), Value::Vector(right)) => {
                let columns = match binary.operator.is_set() {
                    true => self.set_operation(binary, left, right, steps)?,
                    false => self.matched(binary, left, right, steps)?,
                };
                merged(columns).map(Value::Vector)
            }
        }
    }
}

fn with_scalar(
    mut vector: Vec<Column>,
    scalar: &[f64],
    operation: Operation,
    apply: impl Fn(f64, f64) -> f64,
) -> Result<Value, EvalError> {
    for column in &mut vector {
        for (value, scalar) in column.values.iter_mut().zip(scalar) {
            if is_present(*value) {
                *value = apply(*value, *scalar);
            }
        }
        if operation.drops_name() {
            column.labels = column.labels.without_name();
        }
    }
    match operation.drops_name() {
        true => merged(vector).map(Value::Vector),
        false => Ok(Value::Vector(vector)),
    }
}

fn compute(operator: BinaryOperator) -> Option<fn(f64, f64) -> f64> {
    match operator {
        BinaryOperator::Add => Some(|left, right| left + right),
        BinaryOperator::Subtract => Some(|left, right| left - right),
        BinaryOperator::Multiply => Some(|left, right| left * right),
        BinaryOperator::Divide => Some(|left, right| left / right),
        BinaryOperator::Modulo => Some(|left, right| left % right),
        BinaryOperator::Power => Some(f64::powf),
        BinaryOperator::Atan2 => Some(f64::atan2),
        _ => None,
    }
}

fn compare(operator: BinaryOperator) -> Option<fn(&f64, &f64) -> bool> {
    match operator {
        BinaryOperator::Equal => Some(f64::eq),
        BinaryOperator::NotEqual => Some(f64::ne),
        BinaryOperator::Less => Some(f64::lt),
        BinaryOperator::LessOrEqual => Some(f64::le),
        BinaryOperator::Greater => Some(f64::gt),
        BinaryOperator::GreaterOrEqual => Some(f64::ge),
        _ => None,
    }
}
