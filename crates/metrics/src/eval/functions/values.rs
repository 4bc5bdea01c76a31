//! Functions of one value: mathematics, rounding and bounds, and the times of values.

use super::scalars::seconds;
use super::without_names;
use crate::eval::error::EvalError;
use crate::eval::evaluator::Evaluator;
use crate::eval::steps::Steps;
use crate::eval::vector::{ABSENT, Column, is_present};
use crate::promql::{Expr, ExprKind};
use std::f64::consts::PI;

/// What a function of a value alone makes of it.
pub(super) fn simple(name: &str) -> Option<fn(f64) -> f64> {
    Some(match name {
        "abs" => f64::abs,
        "ceil" => f64::ceil,
        "floor" => f64::floor,
        "exp" => f64::exp,
        "sqrt" => f64::sqrt,
        "ln" => f64::ln,
        "log2" => f64::log2,
        "log10" => f64::log10,
        "sgn" => sign,
        "sin" => f64::sin,
        "cos" => f64::cos,
        "tan" => f64::tan,
        "asin" => f64::asin,
        "acos" => f64::acos,
        "atan" => f64::atan,
        "sinh" => f64::sinh,
        "cosh" => f64::cosh,
        "tanh" => f64::tanh,
        "asinh" => f64::asinh,
        "acosh" => f64::acosh,
        "atanh" => f64::atanh,
        // In Prometheus' order, which rounds otherwise than the standard library.
        "rad" => |value| value * PI / 180.0,
        "deg" => |value| value * 180.0 / PI,
        _ => return None,
    })
}

impl Evaluator<'_> {
    pub(super) fn mapped(
        &mut self,
        arguments: &[Expr],
        steps: &Steps,
        compute: fn(f64) -> f64,
    ) -> Result<Vec<Column>, EvalError> {
        let mut columns = Vec::new();
        for vector in arguments {
            columns = self.vector(vector, steps)?;
        }
        for column in &mut columns {
            column.map(compute);
        }
        without_names(columns)
    }

    /// When the samples of a selector were taken; of all else, the time of the step.
    pub(super) fn timestamps(
        &mut self,
        vector: &Expr,
        steps: &Steps,
    ) -> Result<Vec<Column>, EvalError> {
        if let ExprKind::Vector(selector) = vector.without_parentheses().kind() {
            let taken = self.instant_vector(selector, steps, |sample| seconds(sample.time))?;
            return without_names(taken);
        }
        let mut columns = self.vector(vector, steps)?;
        for column in &mut columns {
            let values = steps.times().zip(&mut column.values);
            for (time, value) in values.filter(|(_, value)| is_present(**value)) {
                *value = seconds(time);
            }
        }
        without_names(columns)
    }

    /// Multiples of a number, of which a tie takes the larger.
    pub(super) fn rounded(
        &mut self,
        vector: &Expr,
        nearest: Option<&Expr>,
        steps: &Steps,
    ) -> Result<Vec<Column>, EvalError> {
        let columns = self.vector(vector, steps)?;
        let nearest = match nearest {
            Some(nearest) => self.scalar(nearest, steps)?,
            None => vec![1.0; steps.count()],
        };
        with_steps(columns, |step, value| {
            // The inverse loses less, as Prometheus found out.
            let inverse = 1.0 / nearest[step];
            (value * inverse + 0.5).floor() / inverse
        })
    }

    /// Values brought between bounds; none where the bounds leave no room.
    pub(super) fn clamped(
        &mut self,
        name: &str,
        vector: &Expr,
        bounds: &[Expr],
        steps: &Steps,
    ) -> Result<Vec<Column>, EvalError> {
        let columns = self.vector(vector, steps)?;
        let bounds = bounds.iter().map(|bound| self.scalar(bound, steps));
        let bounds = bounds.collect::<Result<Vec<_>, _>>()?;
        with_steps(columns, |step, value| match (name, bounds.as_slice()) {
            ("clamp_min", [least]) => larger(least[step], value),
            ("clamp_max", [most]) => smaller(most[step], value),
            (_, [least, most]) if most[step] < least[step] => ABSENT,
            (_, [least, most]) => larger(least[step], smaller(most[step], value)),
            _ => value,
        })
    }
}

/// The larger of two numbers as Go has it: NaN if either is, unless one is infinite.
pub(super) fn larger(one: f64, other: f64) -> f64 {
    if one == f64::INFINITY || other == f64::INFINITY {
        f64::INFINITY
    } else if one.is_nan() || other.is_nan() {
        f64::NAN
    } else {
        one.max(other)
    }
}

/// The smaller of two numbers as Go has it.
pub(super) fn smaller(one: f64, other: f64) -> f64 {
    -larger(-one, -other)
}

/// -1, 0 or 1; zero and NaN are their own.
fn sign(value: f64) -> f64 {
    if value < 0.0 {
        -1.0
    } else if value > 0.0 {
        1.0
    } else {
        value
    }
}

fn with_steps(
    mut columns: Vec<Column>,
    compute: impl Fn(usize, f64) -> f64,
) -> Result<Vec<Column>, EvalError> {
    for column in &mut columns {
        for (step, value) in column.values.iter_mut().enumerate() {
            if is_present(*value) {
                *value = compute(step, *value);
            }
        }
    }
    without_names(columns)
}
