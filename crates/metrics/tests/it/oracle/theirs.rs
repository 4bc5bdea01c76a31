//! The tree of `promql-parser` as a tree of ours, to be compared. It tells neither where
//! nodes stood nor how numbers were written; `ours` takes the same from a tree of ours.

use crate::shape::{rebuilt, with_durations};
use metrics::promql::{
    AggregateOperator, Aggregation, At, Binary, BinaryOperator, Call, DurationExpr, DurationKind,
    Expr, ExprKind, Fill, Function, Group, Grouping, LabelMatcher, MatchOperator, Matching,
    MatchingLabels, MatrixSelector, Number, Side, Span, Subquery, TimeModifiers, Unary,
    UnaryOperator, VectorSelector,
};
use promql_parser::label::{MatchOp, Matcher};
use promql_parser::parser::{self, LabelModifier, Offset, VectorMatchCardinality};
use std::time::{Duration, SystemTime};

const OPERATORS: &[BinaryOperator] = &[
    BinaryOperator::Or,
    BinaryOperator::And,
    BinaryOperator::Unless,
    BinaryOperator::Equal,
    BinaryOperator::NotEqual,
    BinaryOperator::Less,
    BinaryOperator::LessOrEqual,
    BinaryOperator::Greater,
    BinaryOperator::GreaterOrEqual,
    BinaryOperator::Add,
    BinaryOperator::Subtract,
    BinaryOperator::Multiply,
    BinaryOperator::Divide,
    BinaryOperator::Modulo,
    BinaryOperator::Atan2,
    BinaryOperator::Power,
];

/// Our tree without what theirs does not tell: signs that change nothing, and whether a
/// number was written as a duration.
pub(super) fn ours(tree: &Expr) -> Expr {
    rebuilt(tree, &|kind| match kind {
        ExprKind::Number(number) => ExprKind::Number(Number::new(number.value())),
        ExprKind::Unary(Unary {
            operator: UnaryOperator::Plus,
            expr,
        }) => expr.into_kind(),
        ExprKind::Binary(mut binary) => {
            let plain = |number: Number| Number::new(number.value());
            let fill = &mut binary.matching.fill;
            (fill.left, fill.right) = (fill.left.map(plain), fill.right.map(plain));
            ExprKind::Binary(binary)
        }
        other => with_durations(other, &|duration| match duration.kind() {
            DurationKind::Literal(seconds) => literal(milliseconds(seconds.value())),
            _ => duration.clone(),
        }),
    })
}

/// Their tree as one of ours; `None` where it holds what we have no node for.
pub(super) fn theirs(tree: &parser::Expr) -> Option<Expr> {
    let kind = match tree {
        parser::Expr::NumberLiteral(number) => ExprKind::Number(Number::new(number.val)),
        parser::Expr::StringLiteral(text) => ExprKind::String(text.val.clone().into_bytes().into()),
        parser::Expr::VectorSelector(selector) => ExprKind::Vector(vector(selector)?),
        parser::Expr::MatrixSelector(matrix) => ExprKind::Matrix(MatrixSelector {
            vector: vector(&matrix.vs)?,
            range: duration(matrix.range),
        }),
        parser::Expr::Subquery(subquery) => ExprKind::Subquery(Subquery {
            expr: theirs(&subquery.expr)?,
            range: duration(subquery.range),
            step: subquery.step.map(duration),
            time: time(subquery.at.as_ref(), subquery.offset.as_ref()),
        }),
        parser::Expr::Unary(unary) => ExprKind::Unary(Unary {
            operator: UnaryOperator::Minus,
            expr: theirs(&unary.expr)?,
        }),
        parser::Expr::Binary(expr) => ExprKind::Binary(binary(expr)?),
        parser::Expr::Aggregate(aggregate) => ExprKind::Aggregation(aggregation(aggregate)?),
        parser::Expr::Call(call) => {
            let arguments = call.args.args.iter().map(|argument| theirs(argument));
            ExprKind::Call(Call {
                function: Function::named(call.func.name)?,
                arguments: arguments.collect::<Option<_>>()?,
            })
        }
        parser::Expr::Paren(inner) => ExprKind::Parenthesis(theirs(&inner.expr)?),
        parser::Expr::Extension(_) => return None,
    };
    Some(Expr::new(kind, Span::default()))
}

fn vector(selector: &parser::VectorSelector) -> Option<VectorSelector> {
    let name = selector.name.iter();
    let named = name.map(|name| Some(LabelMatcher::of_name(name.clone())));
    let matchers = named.chain(selector.matchers.matchers.iter().map(matcher));
    let mut vector = VectorSelector::new(matchers.collect::<Option<_>>()?);
    vector.time = time(selector.at.as_ref(), selector.offset.as_ref());
    selector.matchers.or_matchers.is_empty().then_some(vector)
}

fn matcher(matcher: &Matcher) -> Option<LabelMatcher> {
    let operator = match matcher.op {
        MatchOp::Equal => MatchOperator::Equal,
        MatchOp::NotEqual => MatchOperator::NotEqual,
        MatchOp::Re(_) => MatchOperator::Matches,
        MatchOp::NotRe(_) => MatchOperator::NotMatches,
    };
    LabelMatcher::new(matcher.name.clone(), operator, matcher.value.clone()).ok()
}

fn time(at: Option<&parser::AtModifier>, offset: Option<&Offset>) -> TimeModifiers {
    TimeModifiers {
        at: at.map(|at| match at {
            parser::AtModifier::Start => At::Start,
            parser::AtModifier::End => At::End,
            parser::AtModifier::At(time) => At::Milliseconds(unix_milliseconds(*time)),
        }),
        offset: offset.map(|offset| match offset {
            Offset::Pos(by) => duration(*by),
            Offset::Neg(by) => literal(-milliseconds(by.as_secs_f64())),
        }),
    }
}

fn binary(expr: &parser::BinaryExpr) -> Option<Binary> {
    let name = expr.op.to_string();
    let mut operators = OPERATORS.iter();
    let modifier = expr.modifier.clone().unwrap_or_default();
    let labels = match modifier.matching {
        None => MatchingLabels::default(),
        Some(LabelModifier::Include(names)) => MatchingLabels::On(names.labels),
        Some(LabelModifier::Exclude(names)) => MatchingLabels::Ignoring(names.labels),
    };
    let group = |many, include| Some(Group { many, include });
    let group = match modifier.card {
        VectorMatchCardinality::OneToOne | VectorMatchCardinality::ManyToMany => None,
        VectorMatchCardinality::ManyToOne(names) => group(Side::Left, names.labels),
        VectorMatchCardinality::OneToMany(names) => group(Side::Right, names.labels),
    };
    let fill = Fill {
        left: modifier.fill_values.lhs.map(Number::new),
        right: modifier.fill_values.rhs.map(Number::new),
    };
    Some(Binary {
        operator: *operators.find(|operator| operator.to_string() == name)?,
        left: theirs(&expr.lhs)?,
        right: theirs(&expr.rhs)?,
        is_bool: modifier.return_bool,
        matching: Matching {
            labels,
            group,
            fill,
        },
    })
}

fn aggregation(aggregate: &parser::AggregateExpr) -> Option<Aggregation> {
    let name = aggregate.op.to_string();
    let mut operators = AggregateOperator::ALL.into_iter();
    Some(Aggregation {
        operator: operators.find(|operator| operator.name() == name)?,
        parameter: match &aggregate.param {
            Some(parameter) => Some(theirs(parameter)?),
            None => None,
        },
        expr: theirs(&aggregate.expr)?,
        grouping: match &aggregate.modifier {
            None => Grouping::default(),
            Some(LabelModifier::Include(names)) => Grouping::By(names.labels.clone()),
            Some(LabelModifier::Exclude(names)) => Grouping::Without(names.labels.clone()),
        },
    })
}

fn duration(duration: Duration) -> DurationExpr {
    literal(milliseconds(duration.as_secs_f64()))
}

fn literal(milliseconds: i64) -> DurationExpr {
    let number = Number::duration(milliseconds);
    DurationExpr::new(DurationKind::Literal(number), Span::default())
}

/// Rounded, since nanoseconds do not survive a float.
fn milliseconds(seconds: f64) -> i64 {
    (seconds * 1e3).round() as i64
}

fn unix_milliseconds(time: SystemTime) -> i64 {
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => after.as_millis() as i64,
        Err(before) => -(before.duration().as_millis() as i64),
    }
}
