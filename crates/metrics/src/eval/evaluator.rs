//! Walks the tree of a query: what each node is decides who evaluates it.

use super::engine::Settings;
use super::error::EvalError;
use super::limits::Budget;
use super::notes::Notes;
use super::select::Select;
use super::steps::Steps;
use super::vector::{Column, Value, merged};
use crate::promql::{Expr, ExprKind, QueryTimes, StringLiteral, Unary, UnaryOperator, ValueType};

/// A query while it is evaluated.
pub(super) struct Evaluator<'a> {
    pub(super) source: &'a dyn Select,
    pub(super) settings: Settings,
    pub(super) moments: Moments,
    pub(super) budget: Budget<'a>,
    pub(super) notes: Notes,
}

/// The times of the query itself, which its subqueries see too; in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moments {
    pub(super) start: i64,
    pub(super) end: i64,
    /// 0 in an instant query.
    pub(super) step: i64,
}

impl<'a> Evaluator<'a> {
    pub(super) fn new(
        source: &'a dyn Select,
        settings: Settings,
        moments: Moments,
        budget: Budget<'a>,
    ) -> Self {
        Self {
            source,
            settings,
            moments,
            budget,
            notes: Notes::default(),
        }
    }

    /// Evaluates a node at all steps.
    pub(super) fn eval(&mut self, expr: &Expr, steps: &Steps) -> Result<Value, EvalError> {
        self.budget.go_on()?;
        if steps.count() == 0 {
            return Ok(nothing(expr));
        }
        let before = self.budget.held();
        let mut value = self.node(expr, steps)?;
        if let Value::Vector(columns) = &mut value {
            columns.retain(Column::has_values);
        }
        // What the nodes below gave is not held any longer.
        self.budget.hold_only(before + value.points())?;
        Ok(value)
    }

    /// Evaluates a node that gives a vector.
    pub(super) fn vector(&mut self, expr: &Expr, steps: &Steps) -> Result<Vec<Column>, EvalError> {
        match self.eval(expr, steps)? {
            Value::Vector(columns) => Ok(columns),
            Value::Scalar(_) => Err(misplaced(expr)),
        }
    }

    /// Evaluates a node that gives a scalar.
    pub(super) fn scalar(&mut self, expr: &Expr, steps: &Steps) -> Result<Vec<f64>, EvalError> {
        match self.eval(expr, steps)? {
            Value::Scalar(values) => Ok(values),
            Value::Vector(_) => Err(misplaced(expr)),
        }
    }

    fn node(&mut self, expr: &Expr, steps: &Steps) -> Result<Value, EvalError> {
        match expr.kind() {
            ExprKind::Number(number) => Ok(Value::Scalar(vec![number.value(); steps.count()])),
            ExprKind::Vector(selector) => {
                let columns = self.instant_vector(selector, steps, |sample| sample.value)?;
                Ok(Value::Vector(columns))
            }
            ExprKind::Unary(unary) => self.unary(unary, steps),
            ExprKind::Binary(binary) => self.binary(binary, expr.span(), steps),
            ExprKind::Aggregation(aggregation) => {
                self.aggregation(aggregation, steps).map(Value::Vector)
            }
            ExprKind::Call(call) => self.call(call, expr.span(), steps),
            ExprKind::Parenthesis(inner) => self.node(inner, steps),
            ExprKind::String(_) | ExprKind::Matrix(_) | ExprKind::Subquery(_) => {
                Err(misplaced(expr))
            }
        }
    }

    fn unary(&mut self, unary: &Unary, steps: &Steps) -> Result<Value, EvalError> {
        let value = self.eval(&unary.expr, steps)?;
        if unary.operator == UnaryOperator::Plus {
            return Ok(value);
        }
        Ok(match value {
            Value::Scalar(values) => {
                Value::Scalar(values.into_iter().map(|value| -value).collect())
            }
            Value::Vector(mut columns) => {
                for column in &mut columns {
                    column.labels = column.labels.without_name();
                    column.map(|value| -value);
                }
                Value::Vector(merged(columns)?)
            }
        })
    }
}

impl Moments {
    /// What durations of the query may use.
    pub(super) const fn durations(self) -> QueryTimes {
        match self.step {
            0 => QueryTimes { step: 0, range: 0 },
            step => QueryTimes {
                step: step.unsigned_abs(),
                range: self.end.abs_diff(self.start),
            },
        }
    }
}

/// What a node gives at no step.
fn nothing(expr: &Expr) -> Value {
    match expr.value_type() {
        ValueType::Scalar => Value::Scalar(Vec::new()),
        _ => Value::Vector(Vec::new()),
    }
}

/// The text that an argument is.
pub(super) fn text(expr: &Expr) -> Result<&StringLiteral, EvalError> {
    match expr.without_parentheses().kind() {
        ExprKind::String(text) => Ok(text),
        _ => Err(misplaced(expr)),
    }
}

/// The parser's checks let no such tree through, but trees can be made without it.
pub(super) fn misplaced(expr: &Expr) -> EvalError {
    EvalError::NotSupported(format!("a value of type {} here is", expr.value_type()))
}
