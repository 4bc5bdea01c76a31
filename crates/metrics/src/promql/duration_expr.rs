//! What stands in brackets and behind `offset`: a duration, or arithmetic on durations
//! that may use the step and the range of the query.
//!
//! It is computed when the query's times are known, by [`DurationExpr::milliseconds`].
//! How it is written is in `print`, how it is read in `parser`.

use super::ast::Span;
use super::duration::SECOND;
use super::number::Number;
use super::operator::{BinaryOperator, Precedence};
use std::fmt;

/// A duration that may have to be computed; in seconds, as all numbers in it are.
///
/// Parentheses are not kept: the shape of the tree says what they said.
#[derive(Debug, Clone, PartialEq)]
pub struct DurationExpr {
    kind: DurationKind,
    span: Span,
    height: usize,
}

/// What a duration is.
#[derive(Debug, Clone, PartialEq)]
pub enum DurationKind {
    /// `5m`, or `300`, or a factor such as the 2 of `2 * 5m`.
    Literal(Number),
    /// `step()`: the step of a range query, 0 in an instant query.
    Step,
    /// `range()`: from the start of a range query to its end, 0 in an instant query.
    Range,
    /// `-x`; never around a literal, which has a sign of its own.
    Negated(Box<DurationExpr>),
    /// `x + y` and its like.
    Binary {
        /// What is done.
        operator: DurationOperator,
        /// Left of it.
        left: Box<DurationExpr>,
        /// Right of it.
        right: Box<DurationExpr>,
    },
    /// `min_of(x, y)`
    Minimum(Box<DurationExpr>, Box<DurationExpr>),
    /// `max_of(x, y)`
    Maximum(Box<DurationExpr>, Box<DurationExpr>),
}

/// An operator between durations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DurationOperator {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `%`
    Modulo,
    /// `^`
    Power,
}

/// The times of a query that its durations may use, in milliseconds; both are 0 in an
/// instant query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QueryTimes {
    /// From one evaluation to the next.
    pub step: u64,
    /// From the first evaluation to the last.
    pub range: u64,
}

/// Why there is no such duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DurationFault {
    /// Division by zero.
    #[error("division by zero")]
    DivisionByZero,
    /// The remainder of a division by zero.
    #[error("modulo by zero")]
    ModuloByZero,
    /// A result that is no number, or infinite.
    #[error("duration is NaN or infinite")]
    NotFinite,
    /// More than 64 bits of nanoseconds hold, about 292 years.
    #[error("duration out of range")]
    OutOfRange,
    /// A range or a step that is 0 or negative, or shorter than a millisecond.
    #[error("duration must be greater than 0")]
    NotPositive,
}

/// Seconds whose nanoseconds just do not fit 64 bits.
const LONGEST_SECONDS: f64 = (1_u64 << 63) as f64 / 1e9;

impl DurationExpr {
    /// A duration at a place of the text.
    pub fn new(kind: DurationKind, span: Span) -> Self {
        let height = match &kind {
            DurationKind::Literal(_) | DurationKind::Step | DurationKind::Range => 1,
            DurationKind::Negated(inner) => 1 + inner.height,
            DurationKind::Binary { left, right, .. }
            | DurationKind::Minimum(left, right)
            | DurationKind::Maximum(left, right) => 1 + left.height.max(right.height),
        };
        Self { kind, span, height }
    }

    /// The same with the other sign, which stands at the start of `span`.
    #[must_use]
    pub fn negated(self, span: Span) -> Self {
        match self.kind {
            DurationKind::Literal(number) => {
                Self::new(DurationKind::Literal(number.negated()), span)
            }
            _ => Self::new(DurationKind::Negated(Box::new(self)), span),
        }
    }

    /// The same at a wider place, with its parentheses or its sign.
    #[must_use]
    pub(super) fn spanning(self, span: Span) -> Self {
        Self { span, ..self }
    }

    /// What it is.
    pub const fn kind(&self) -> &DurationKind {
        &self.kind
    }

    /// Where it stands, in bytes of the query.
    pub const fn span(&self) -> Span {
        self.span
    }

    /// Its milliseconds, which may be negative.
    ///
    /// # Errors
    /// What cannot be computed, or does not fit.
    pub fn milliseconds(&self, times: QueryTimes) -> Result<i64, DurationFault> {
        let seconds = self.seconds(times)?;
        if !seconds.is_finite() {
            return Err(DurationFault::NotFinite);
        }
        if seconds.abs() > LONGEST_SECONDS {
            return Err(DurationFault::OutOfRange);
        }
        // Prometheus rounds what is written to nanoseconds and cuts those to
        // milliseconds; what is computed it cuts at once.
        let milliseconds = match self.kind {
            DurationKind::Literal(_) => (seconds * 1e9).round() / 1e6,
            _ => seconds * SECOND as f64,
        };
        Ok(milliseconds.trunc() as i64)
    }

    /// Its milliseconds, as those of a range or a step: more than 0.
    ///
    /// # Errors
    /// What cannot be computed, does not fit, or is not more than 0.
    pub fn positive_milliseconds(&self, times: QueryTimes) -> Result<u64, DurationFault> {
        let milliseconds = self.milliseconds(times)?;
        let positive = u64::try_from(milliseconds).ok().filter(|ms| *ms > 0);
        positive.ok_or(DurationFault::NotPositive)
    }

    /// Whether it is the same in every query.
    pub fn is_constant(&self) -> bool {
        match &self.kind {
            DurationKind::Literal(_) => true,
            DurationKind::Step | DurationKind::Range => false,
            DurationKind::Negated(inner) => inner.is_constant(),
            DurationKind::Binary { left, right, .. }
            | DurationKind::Minimum(left, right)
            | DurationKind::Maximum(left, right) => left.is_constant() && right.is_constant(),
        }
    }

    pub(super) const fn height(&self) -> usize {
        self.height
    }

    /// A fault that it has whatever the query's times are.
    pub(super) fn constant_fault(&self) -> Option<DurationFault> {
        if self.is_constant() {
            self.milliseconds(QueryTimes::default()).err()
        } else {
            self.division_by_zero()
        }
    }

    /// A division by a zero that does not come from the query's times.
    fn division_by_zero(&self) -> Option<DurationFault> {
        let times = QueryTimes::default();
        match &self.kind {
            DurationKind::Literal(_) | DurationKind::Step | DurationKind::Range => None,
            DurationKind::Negated(inner) => inner.division_by_zero(),
            DurationKind::Minimum(left, right) | DurationKind::Maximum(left, right) => {
                left.division_by_zero().or_else(|| right.division_by_zero())
            }
            DurationKind::Binary {
                operator,
                left,
                right,
            } => {
                let here = || match right.is_constant() {
                    true => operator.compute(1.0, right.seconds(times).ok()?).err(),
                    false => None,
                };
                let below = left.division_by_zero();
                below.or_else(|| right.division_by_zero()).or_else(here)
            }
        }
    }

    fn seconds(&self, times: QueryTimes) -> Result<f64, DurationFault> {
        let seconds = |milliseconds: u64| milliseconds as f64 / SECOND as f64;
        Ok(match &self.kind {
            DurationKind::Literal(number) => number.value(),
            DurationKind::Step => seconds(times.step),
            DurationKind::Range => seconds(times.range),
            DurationKind::Negated(inner) => -inner.seconds(times)?,
            DurationKind::Binary {
                operator,
                left,
                right,
            } => operator.compute(left.seconds(times)?, right.seconds(times)?)?,
            DurationKind::Minimum(left, right) => {
                chosen(f64::min, left.seconds(times)?, right.seconds(times)?)
            }
            DurationKind::Maximum(left, right) => {
                chosen(f64::max, left.seconds(times)?, right.seconds(times)?)
            }
        })
    }
}

impl DurationOperator {
    /// The operator as it stands between durations, if it may.
    pub(super) const fn of(operator: BinaryOperator) -> Option<Self> {
        match operator {
            BinaryOperator::Add => Some(Self::Add),
            BinaryOperator::Subtract => Some(Self::Subtract),
            BinaryOperator::Multiply => Some(Self::Multiply),
            BinaryOperator::Divide => Some(Self::Divide),
            BinaryOperator::Modulo => Some(Self::Modulo),
            BinaryOperator::Power => Some(Self::Power),
            _ => None,
        }
    }

    pub(super) const fn precedence(self) -> Precedence {
        match self {
            Self::Add | Self::Subtract => Precedence::Sum,
            Self::Multiply | Self::Divide | Self::Modulo => Precedence::Product,
            Self::Power => Precedence::Power,
        }
    }

    fn compute(self, left: f64, right: f64) -> Result<f64, DurationFault> {
        match self {
            Self::Divide if right == 0.0 => Err(DurationFault::DivisionByZero),
            Self::Modulo if right == 0.0 => Err(DurationFault::ModuloByZero),
            Self::Add => Ok(left + right),
            Self::Subtract => Ok(left - right),
            Self::Multiply => Ok(left * right),
            Self::Divide => Ok(left / right),
            Self::Modulo => Ok(left % right),
            Self::Power => Ok(left.powf(right)),
        }
    }
}

/// The smaller or the larger; NaN if either is, which the standard library would pass over.
fn chosen(choose: fn(f64, f64) -> f64, left: f64, right: f64) -> f64 {
    if left.is_nan() || right.is_nan() {
        f64::NAN
    } else {
        choose(left, right)
    }
}

impl fmt::Display for DurationOperator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Modulo => "%",
            Self::Power => "^",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{DurationFault, QueryTimes};
    use crate::promql::{ExprKind, Features, parse};

    fn milliseconds(range: &str) -> Result<u64, DurationFault> {
        let times = QueryTimes {
            step: 15_000,
            range: 3_600_000,
        };
        let query = parse(&format!("x[{range}]"), Features::STABLE).unwrap();
        match query.kind() {
            ExprKind::Matrix(matrix) => matrix.range.positive_milliseconds(times),
            kind => panic!("{kind:?}"),
        }
    }

    #[test]
    fn durations_are_computed() {
        let check = |range: &str, expected| assert_eq!(milliseconds(range), expected, "{range}");
        check("5m", Ok(300_000));
        check("4.18", Ok(4_180));
        check("4.018", Ok(4_018));
        check("1.0009", Ok(1_000));
        check("5m + 1m", Ok(360_000));
        check("11s+10s-5*2^2", Ok(1_000));
        check("-(10s-5s)+20s", Ok(15_000));
        check("4h % 3h", Ok(3_600_000));
        check("(2 ^ 3) * 1m", Ok(480_000));
        check("step() + 1", Ok(16_000));
        check("range() / 2", Ok(1_800_000));
        check("max_of(step(), 5s)", Ok(15_000));
        check("min_of(2 * step() + 5s, 5m)", Ok(35_000));
        check("-step()", Err(DurationFault::NotPositive));
        check("5s / (step() - 15s)", Err(DurationFault::DivisionByZero));
        check("5s % (step() - 15)", Err(DurationFault::ModuloByZero));
        check("range() ^ 1000", Err(DurationFault::NotFinite));
        check("range() ^ 4", Err(DurationFault::OutOfRange));
        check("min_of((-step()) ^ 0.5, 5m)", Err(DurationFault::NotFinite));
    }
}
