//! The operators: how they are written, how tightly they bind, what kind they are.
//!
//! What they may stand between is said by `check`.

use super::ast::ValueType;
use std::fmt;

/// `+` or `-` before an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnaryOperator {
    /// `+`
    Plus,
    /// `-`
    Minus,
}

/// An operator between two expressions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BinaryOperator {
    /// `or`
    Or,
    /// `and`
    And,
    /// `unless`
    Unless,
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `</`, which removes what lies above a value from native histograms.
    TrimUpper,
    /// `>/`, which removes what lies below a value from native histograms.
    TrimLower,
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
    /// `atan2`
    Atan2,
    /// `^`
    Power,
}

/// An operator that makes one series of each group of series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AggregateOperator {
    /// `sum`
    Sum,
    /// `avg`
    Average,
    /// `count`
    Count,
    /// `min`
    Minimum,
    /// `max`
    Maximum,
    /// `group`: 1 for each group.
    Group,
    /// `stddev`
    StandardDeviation,
    /// `stdvar`
    StandardVariance,
    /// `topk`
    TopK,
    /// `bottomk`
    BottomK,
    /// `count_values`
    CountValues,
    /// `quantile`
    Quantile,
    /// `limitk`
    LimitK,
    /// `limit_ratio`
    LimitRatio,
}

/// How tightly something binds; more binds tighter. The order of the documentation:
/// <https://prometheus.io/docs/prometheus/latest/querying/operators/#binary-operator-precedence>.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Precedence {
    Or,
    And,
    Comparison,
    Sum,
    /// A sign binds as a product does: `-1^2` is `-(1^2)`, and `-1*2` is `(-1)*2`.
    Product,
    Power,
    /// What needs no parentheses anywhere.
    Atom,
}

impl Precedence {
    pub(super) const LOWEST: Self = Self::Or;
    pub(super) const SIGN: Self = Self::Product;

    /// The next tighter one.
    pub(super) const fn tighter(self) -> Self {
        match self {
            Self::Or => Self::And,
            Self::And => Self::Comparison,
            Self::Comparison => Self::Sum,
            Self::Sum => Self::Product,
            Self::Product => Self::Power,
            Self::Power | Self::Atom => Self::Atom,
        }
    }

    /// The loosest that may stand to the left of an operator of this precedence.
    pub(super) const fn of_left_operand(self) -> Self {
        match self {
            Self::Power => self.tighter(),
            _ => self,
        }
    }

    /// The loosest that may stand to the right of it: `^` alone groups from the right.
    pub(super) const fn of_right_operand(self) -> Self {
        match self {
            Self::Power => self,
            _ => self.tighter(),
        }
    }
}

impl UnaryOperator {
    const fn text(self) -> &'static str {
        match self {
            Self::Plus => "+",
            Self::Minus => "-",
        }
    }
}

impl BinaryOperator {
    /// Whether it compares: these filter, or answer 0 and 1 with `bool`.
    pub const fn is_comparison(self) -> bool {
        matches!(
            self,
            Self::Equal
                | Self::NotEqual
                | Self::Less
                | Self::LessOrEqual
                | Self::Greater
                | Self::GreaterOrEqual
        )
    }

    /// Whether it works on the sets of series rather than on their values.
    pub const fn is_set(self) -> bool {
        matches!(self, Self::Or | Self::And | Self::Unless)
    }

    pub(super) const fn precedence(self) -> Precedence {
        match self {
            Self::Or => Precedence::Or,
            Self::And | Self::Unless => Precedence::And,
            Self::Equal
            | Self::NotEqual
            | Self::Less
            | Self::LessOrEqual
            | Self::Greater
            | Self::GreaterOrEqual
            | Self::TrimUpper
            | Self::TrimLower => Precedence::Comparison,
            Self::Add | Self::Subtract => Precedence::Sum,
            Self::Multiply | Self::Divide | Self::Modulo | Self::Atan2 => Precedence::Product,
            Self::Power => Precedence::Power,
        }
    }

    const fn text(self) -> &'static str {
        match self {
            Self::Or => "or",
            Self::And => "and",
            Self::Unless => "unless",
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::TrimUpper => "</",
            Self::TrimLower => ">/",
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Modulo => "%",
            Self::Atan2 => "atan2",
            Self::Power => "^",
        }
    }
}

impl AggregateOperator {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::Sum,
        Self::Average,
        Self::Count,
        Self::Minimum,
        Self::Maximum,
        Self::Group,
        Self::StandardDeviation,
        Self::StandardVariance,
        Self::TopK,
        Self::BottomK,
        Self::CountValues,
        Self::Quantile,
        Self::LimitK,
        Self::LimitRatio,
    ];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sum => "sum",
            Self::Average => "avg",
            Self::Count => "count",
            Self::Minimum => "min",
            Self::Maximum => "max",
            Self::Group => "group",
            Self::StandardDeviation => "stddev",
            Self::StandardVariance => "stdvar",
            Self::TopK => "topk",
            Self::BottomK => "bottomk",
            Self::CountValues => "count_values",
            Self::Quantile => "quantile",
            Self::LimitK => "limitk",
            Self::LimitRatio => "limit_ratio",
        }
    }

    /// The type of what stands before the vector, where something must.
    pub const fn parameter(self) -> Option<ValueType> {
        match self {
            Self::TopK | Self::BottomK | Self::Quantile | Self::LimitK | Self::LimitRatio => {
                Some(ValueType::Scalar)
            }
            Self::CountValues => Some(ValueType::String),
            _ => None,
        }
    }

    /// Whether Prometheus calls it experimental.
    pub const fn is_experimental(self) -> bool {
        matches!(self, Self::LimitK | Self::LimitRatio)
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|operator| operator.name() == name)
    }
}

impl fmt::Display for UnaryOperator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl fmt::Display for BinaryOperator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl fmt::Display for AggregateOperator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
