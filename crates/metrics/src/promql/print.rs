//! The canonical text of a tree: one line, one blank where there may be any, names in
//! quotes only where they must be.
//!
//! What is printed is read as the same tree, if its blanks do not make it too long. A
//! tree that was not read but built, and that no text has, is printed with the
//! parentheses that keep its meaning.

use super::ast::{
    Aggregation, At, Binary, Call, Expr, ExprKind, Fill, Group, Grouping, Matching, MatchingLabels,
    MatrixSelector, Side, Subquery, TimeModifiers, Unary, VectorSelector,
};
use super::duration_expr::{DurationExpr, DurationKind};
use super::keyword::{is_bare_grouping_label, is_bare_label, is_bare_metric};
use super::matcher::LabelMatcher;
use super::operator::Precedence;
use super::string::quote;
use std::fmt::{Display, Formatter, Result};

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self.kind() {
            ExprKind::Number(number) => number.fmt(f),
            ExprKind::String(literal) => f.write_str(&quote(literal.as_bytes())),
            ExprKind::Vector(vector) => vector.fmt(f),
            ExprKind::Matrix(matrix) => matrix.fmt(f),
            ExprKind::Subquery(subquery) => subquery.fmt(f),
            ExprKind::Unary(unary) => unary.fmt(f),
            ExprKind::Binary(binary) => binary.fmt(f),
            ExprKind::Aggregation(aggregation) => aggregation.fmt(f),
            ExprKind::Call(call) => call.fmt(f),
            ExprKind::Parenthesis(inner) => write!(f, "({inner})"),
        }
    }
}

impl Display for VectorSelector {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        series(self, f)?;
        modifiers(self, f)
    }
}

impl Display for MatrixSelector {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        series(&self.vector, f)?;
        write!(f, "[{}]", self.range)?;
        modifiers(&self.vector, f)
    }
}

impl Display for Subquery {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        operand(&self.expr, Precedence::Atom, f)?;
        write!(f, "[{}:", self.range)?;
        if let Some(step) = &self.step {
            step.fmt(f)?;
        }
        write!(f, "]{}", self.time)
    }
}

impl Display for TimeModifiers {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        if let Some(at) = &self.at {
            write!(f, " @ {at}")?;
        }
        if let Some(duration) = &self.offset {
            f.write_str(" offset ")?;
            offset(duration, f)?;
        }
        Ok(())
    }
}

impl Display for At {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Start => f.write_str("start()"),
            Self::End => f.write_str("end()"),
            Self::Milliseconds(time) => {
                let sign = if *time < 0 { "-" } else { "" };
                let size = time.unsigned_abs();
                write!(f, "{sign}{}.{:03}", size / 1000, size % 1000)
            }
        }
    }
}

impl Display for LabelMatcher {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        label(self.name(), is_bare_label, f)?;
        let value = quote(self.value().as_bytes());
        write!(f, "{}{value}", self.operator())
    }
}

impl Display for Unary {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        self.operator.fmt(f)?;
        match self.expr.kind() {
            // Without them the sign would be the number's.
            ExprKind::Number(_) => parenthesised(&self.expr, f),
            ExprKind::Unary(inner) => inner.fmt(f),
            _ => operand(&self.expr, Precedence::SIGN.of_right_operand(), f),
        }
    }
}

impl Display for Binary {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let precedence = self.operator.precedence();
        operand(&self.left, precedence.of_left_operand(), f)?;
        write!(f, " {}", self.operator)?;
        if self.is_bool {
            f.write_str(" bool")?;
        }
        write!(f, "{} ", self.matching)?;
        if is_signed(&self.right) {
            // What follows an operator may have a sign, however tight the operator is.
            return self.right.fmt(f);
        }
        operand(&self.right, precedence.of_right_operand(), f)
    }
}

impl Display for Matching {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match &self.labels {
            // Nothing is said, unless a group needs it to stand behind.
            MatchingLabels::Ignoring(labels) if labels.is_empty() && self.group.is_none() => {}
            MatchingLabels::Ignoring(labels) => named_labels(" ignoring ", labels, f)?,
            MatchingLabels::On(labels) => named_labels(" on ", labels, f)?,
        }
        if let Some(group) = &self.group {
            group.fmt(f)?;
        }
        self.fill.fmt(f)
    }
}

impl Display for Group {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let name = match self.many {
            Side::Left => " group_left ",
            Side::Right => " group_right ",
        };
        named_labels(name, &self.include, f)
    }
}

impl Display for Fill {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match (self.left, self.right) {
            (Some(left), Some(right)) if left == right => write!(f, " fill ({left})"),
            (left, right) => {
                if let Some(left) = left {
                    write!(f, " fill_left ({left})")?;
                }
                if let Some(right) = right {
                    write!(f, " fill_right ({right})")?;
                }
                Ok(())
            }
        }
    }
}

impl Display for Aggregation {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "{}{}(", self.operator, self.grouping)?;
        if let Some(parameter) = &self.parameter {
            write!(f, "{parameter}, ")?;
        }
        write!(f, "{})", self.expr)
    }
}

impl Display for Grouping {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let (name, labels) = match self {
            Self::By(labels) if labels.is_empty() => return Ok(()),
            Self::By(labels) => (" by ", labels),
            Self::Without(labels) => (" without ", labels),
        };
        named_labels(name, labels, f)?;
        f.write_str(" ")
    }
}

impl Display for Call {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "{}(", self.function.name())?;
        let arguments: Vec<_> = self.arguments.iter().enumerate().collect();
        list(&arguments, f, |(index, argument), f| {
            match argument.kind() {
                ExprKind::Vector(vector) if self.function.takes_labels(*index) => {
                    braces(vector, f)?;
                    modifiers(vector, f)
                }
                _ => argument.fmt(f),
            }
        })?;
        f.write_str(")")
    }
}

impl Display for DurationExpr {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self.kind() {
            DurationKind::Literal(number) => number.fmt(f),
            DurationKind::Step => f.write_str("step()"),
            DurationKind::Range => f.write_str("range()"),
            DurationKind::Minimum(first, second) => write!(f, "min_of({first}, {second})"),
            DurationKind::Maximum(first, second) => write!(f, "max_of({first}, {second})"),
            DurationKind::Negated(inner) => {
                f.write_str("-")?;
                match inner.kind() {
                    DurationKind::Negated(_) => inner.fmt(f),
                    _ => part(inner, Precedence::SIGN.of_right_operand(), f),
                }
            }
            DurationKind::Binary {
                operator,
                left,
                right,
            } => {
                let precedence = operator.precedence();
                part(left, precedence.of_left_operand(), f)?;
                write!(f, " {operator} ")?;
                if duration_precedence(right) == Precedence::SIGN && !is_binary(right) {
                    return right.fmt(f);
                }
                part(right, precedence.of_right_operand(), f)
            }
        }
    }
}

/// An expression, in parentheses if it binds more loosely than its place allows.
fn operand(expr: &Expr, loosest: Precedence, f: &mut Formatter<'_>) -> Result {
    if precedence(expr) < loosest {
        parenthesised(expr, f)
    } else {
        expr.fmt(f)
    }
}

fn parenthesised(expr: &Expr, f: &mut Formatter<'_>) -> Result {
    write!(f, "({expr})")
}

fn precedence(expr: &Expr) -> Precedence {
    match expr.kind() {
        ExprKind::Binary(binary) => binary.operator.precedence(),
        _ if is_signed(expr) => Precedence::SIGN,
        _ => Precedence::Atom,
    }
}

/// Whether it begins with a sign of its own.
fn is_signed(expr: &Expr) -> bool {
    match expr.kind() {
        ExprKind::Unary(_) => true,
        ExprKind::Number(number) => number.is_negative(),
        _ => false,
    }
}

/// A duration, in parentheses if it binds more loosely than its place allows.
fn part(duration: &DurationExpr, loosest: Precedence, f: &mut Formatter<'_>) -> Result {
    if duration_precedence(duration) < loosest {
        write!(f, "({duration})")
    } else {
        duration.fmt(f)
    }
}

fn duration_precedence(duration: &DurationExpr) -> Precedence {
    match duration.kind() {
        DurationKind::Binary { operator, .. } => operator.precedence(),
        DurationKind::Negated(_) => Precedence::SIGN,
        DurationKind::Literal(number) if number.is_negative() => Precedence::SIGN,
        _ => Precedence::Atom,
    }
}

const fn is_binary(duration: &DurationExpr) -> bool {
    matches!(duration.kind(), DurationKind::Binary { .. })
}

/// The duration behind `offset`, so that no operator behind it is taken for a part of it:
/// a sign before parentheses ends the duration with them.
fn offset(duration: &DurationExpr, f: &mut Formatter<'_>) -> Result {
    match duration.kind() {
        DurationKind::Binary { .. } => write!(f, "+({duration})"),
        DurationKind::Negated(inner) => {
            f.write_str("-")?;
            part(inner, Precedence::Atom, f)
        }
        _ => duration.fmt(f),
    }
}

/// The metric's name, if there is just one and it needs no quotes, and the other matchers
/// in braces.
fn series(vector: &VectorSelector, f: &mut Formatter<'_>) -> Result {
    match vector.metric_name().filter(|name| is_bare_metric(name)) {
        Some(name) if vector.matchers().len() == 1 => f.write_str(name),
        Some(name) => {
            write!(f, "{name}{{")?;
            list(&vector.matchers()[1..], f, LabelMatcher::fmt)?;
            f.write_str("}")
        }
        None => braces(vector, f),
    }
}

/// All matchers in braces; the metric's name, if there is just one, as a text alone.
fn braces(vector: &VectorSelector, f: &mut Formatter<'_>) -> Result {
    let is_named = vector.metric_name().is_some();
    f.write_str("{")?;
    list(vector.matchers(), f, |matcher, f| {
        if is_named && matcher.is_about_name() {
            f.write_str(&quote(matcher.value().as_bytes()))
        } else {
            matcher.fmt(f)
        }
    })?;
    f.write_str("}")
}

fn modifiers(vector: &VectorSelector, f: &mut Formatter<'_>) -> Result {
    if let Some(boundary) = vector.boundary {
        write!(f, " {boundary}")?;
    }
    vector.time.fmt(f)
}

fn named_labels(name: &str, labels: &[String], f: &mut Formatter<'_>) -> Result {
    write!(f, "{name}(")?;
    list(labels, f, |name, f| label(name, is_bare_grouping_label, f))?;
    f.write_str(")")
}

fn label(name: &str, is_bare: fn(&str) -> bool, f: &mut Formatter<'_>) -> Result {
    if is_bare(name) {
        f.write_str(name)
    } else {
        f.write_str(&quote(name.as_bytes()))
    }
}

fn list<T>(
    items: &[T],
    f: &mut Formatter<'_>,
    write: impl Fn(&T, &mut Formatter<'_>) -> Result,
) -> Result {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            f.write_str(", ")?;
        }
        write(item, f)?;
    }
    Ok(())
}
