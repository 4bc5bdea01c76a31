//! What is a number at each step, and what makes a vector of one.

use crate::eval::error::EvalError;
use crate::eval::evaluator::Evaluator;
use crate::eval::labels::Labels;
use crate::eval::steps::Steps;
use crate::eval::vector::{Column, is_present};
use crate::promql::Expr;
use std::f64::consts::PI;

use super::values::{larger, smaller};

impl Evaluator<'_> {
    /// What is known without any series.
    pub(super) fn known(&self, name: &str, steps: &Steps) -> Vec<f64> {
        let moments = self.moments;
        let number = match name {
            "time" => return steps.times().map(seconds).collect(),
            "pi" => PI,
            "start" => seconds(moments.start),
            "end" => seconds(moments.end),
            // A single time is no step away from another.
            "step" if moments.start == moments.end => 0.0,
            "step" => seconds(moments.step),
            _ => seconds(moments.end - moments.start),
        };
        vec![number; steps.count()]
    }

    /// The value of the only series; no number where there is none, or are several.
    pub(super) fn scalar_of(
        &mut self,
        vector: &Expr,
        steps: &Steps,
    ) -> Result<Vec<f64>, EvalError> {
        let columns = self.vector(vector, steps)?;
        let at_step = |step: usize| {
            let mut values = columns.iter().map(|column| column.values[step]);
            let only = values.by_ref().find(|value| is_present(*value));
            match values.any(is_present) {
                true => f64::NAN,
                false => only.unwrap_or(f64::NAN),
            }
        };
        Ok((0..steps.count()).map(at_step).collect())
    }

    /// The larger or the smaller of two numbers.
    pub(super) fn choice_of(
        &mut self,
        name: &str,
        one: &Expr,
        other: &Expr,
        steps: &Steps,
    ) -> Result<Vec<f64>, EvalError> {
        let choose = match name {
            "max_of" => larger,
            _ => smaller,
        };
        let one = self.scalar(one, steps)?;
        let other = self.scalar(other, steps)?;
        let pairs = one.into_iter().zip(other);
        Ok(pairs.map(|(one, other)| choose(one, other)).collect())
    }

    /// A vector of the number, without labels.
    pub(super) fn vector_of(
        &mut self,
        scalar: &Expr,
        steps: &Steps,
    ) -> Result<Vec<Column>, EvalError> {
        Ok(vec![Column {
            labels: Labels::empty(),
            values: self.scalar(scalar, steps)?,
        }])
    }
}

pub(super) fn seconds(milliseconds: i64) -> f64 {
    milliseconds as f64 / 1000.0
}
