//! Which trees mean something: the types of operands and arguments, and what the grammar
//! cannot say. The tree that passes is the tree that was read.
//!
//! The rules are those of Prometheus' documentation of operators and functions; each
//! fault says its own.

use super::ast::{
    Aggregation, Binary, Call, Expr, ExprKind, Fill, MatchingLabels, Span, Subquery, TimeModifiers,
    Unary, ValueType, VectorSelector,
};
use super::duration_expr::{DurationExpr, QueryTimes};
use super::error::{Fault, Located, shown};
use super::functions::Function;

/// Checks a tree that was read from a query, the leaves first.
pub(super) fn check(expr: &Expr, query: &str) -> Result<(), Located> {
    for (index, child) in expr.children().enumerate() {
        match expr.kind() {
            ExprKind::Call(call) if call.function.takes_labels(index) => {
                check_labels(child, query)?;
            }
            _ => check(child, query)?,
        }
    }
    let span = expr.span();
    match expr.kind() {
        ExprKind::Number(_) | ExprKind::String(_) | ExprKind::Parenthesis(_) => Ok(()),
        ExprKind::Vector(vector) => {
            selects_something(vector, span)?;
            check_time(&vector.time)
        }
        ExprKind::Matrix(matrix) => {
            selects_something(&matrix.vector, span)?;
            check_positive(&matrix.range)?;
            check_time(&matrix.vector.time)
        }
        ExprKind::Subquery(subquery) => check_subquery(subquery, span),
        ExprKind::Unary(unary) => check_unary(unary, span),
        ExprKind::Binary(binary) => check_binary(binary, span, query),
        ExprKind::Aggregation(aggregation) => check_aggregation(aggregation),
        ExprKind::Call(call) => check_call(call, span),
    }
}

/// Refuses a selector that may choose every series there is, which is mostly a slip.
pub(super) fn selects_something(vector: &VectorSelector, span: Span) -> Result<(), Located> {
    // A label that a series lacks is a label with an empty value.
    let mut matchers = vector.matchers().iter();
    if matchers.all(|matcher| matcher.matches("")) {
        return Err(Fault::NoMatcher.at(span));
    }
    Ok(())
}

fn check_subquery(subquery: &Subquery, span: Span) -> Result<(), Located> {
    match subquery.expr.value_type() {
        ValueType::InstantVector => {}
        found => return Err(Fault::SubqueryOfOther(found).at(span)),
    }
    check_positive(&subquery.range)?;
    subquery.step.as_ref().map_or(Ok(()), check_positive)?;
    check_time(&subquery.time)
}

fn check_unary(unary: &Unary, span: Span) -> Result<(), Located> {
    match unary.expr.value_type() {
        ValueType::Scalar | ValueType::InstantVector => Ok(()),
        found => Err(Fault::SignOfOther(found).at(span)),
    }
}

fn check_binary(binary: &Binary, span: Span, query: &str) -> Result<(), Located> {
    let operator = operator_span(binary, query);
    let comparison = binary.operator.is_comparison();
    let (left, right) = (binary.left.value_type(), binary.right.value_type());
    if binary.is_bool && !comparison {
        return Err(Fault::StrayBool.at(operator));
    }
    if comparison && !binary.is_bool && (left, right) == (ValueType::Scalar, ValueType::Scalar) {
        return Err(Fault::ScalarComparison.at(operator));
    }
    if let Some(label) = matched_and_included(binary) {
        return Err(Fault::LabelInOnAndGroup(shown(label)).at(operator));
    }
    for operand in [&binary.left, &binary.right] {
        match operand.value_type() {
            ValueType::Scalar | ValueType::InstantVector => {}
            _ => return Err(Fault::OperandType.at(operand.span())),
        }
    }
    let between_vectors = (left, right) == (ValueType::InstantVector, ValueType::InstantVector);
    let fault = if between_vectors {
        fault_between_vectors(binary)
    } else {
        fault_with_scalar(binary)
    };
    fault.map_or(Ok(()), |fault| Err(fault.at(span)))
}

/// A set operator matches many series with many, always.
fn fault_between_vectors(binary: &Binary) -> Option<Fault> {
    if !binary.operator.is_set() {
        None
    } else if binary.matching.group.is_some() {
        Some(Fault::SetGroup(binary.operator))
    } else if binary.matching.fill != Fill::default() {
        Some(Fault::SetFill)
    } else {
        None
    }
}

/// A number has no labels. Prometheus refuses lists of them, but not empty ones.
fn fault_with_scalar(binary: &Binary) -> Option<Fault> {
    let (MatchingLabels::On(labels) | MatchingLabels::Ignoring(labels)) = &binary.matching.labels;
    if !labels.is_empty() {
        Some(Fault::ScalarMatching)
    } else if binary.matching.fill != Fill::default() {
        Some(Fault::ScalarFill)
    } else if binary.operator.is_set() {
        Some(Fault::ScalarSet(binary.operator))
    } else {
        None
    }
}

/// A label that is the same on both sides anyway, and brought over all the same.
fn matched_and_included(binary: &Binary) -> Option<&str> {
    let MatchingLabels::On(on) = &binary.matching.labels else {
        return None;
    };
    let group = binary.matching.group.as_ref()?;
    let label = on.iter().find(|label| group.include.contains(label));
    label.map(String::as_str)
}

fn check_aggregation(aggregation: &Aggregation) -> Result<(), Located> {
    let place = || "aggregation expression".to_owned();
    check_type(&aggregation.expr, ValueType::InstantVector, place)?;
    let parameter = aggregation.parameter.as_ref();
    match parameter.zip(aggregation.operator.parameter()) {
        Some((parameter, expected)) => {
            check_type(parameter, expected, || "aggregation parameter".to_owned())
        }
        None => Ok(()),
    }
}

fn check_call(call: &Call, span: Span) -> Result<(), Located> {
    let function = call.function;
    let found = call.arguments.len();
    if let Some(expected) = miscounted(function, found) {
        let function = function.name();
        let fault = Fault::FunctionArguments {
            function,
            expected,
            found,
        };
        return Err(fault.at(span));
    }
    for (index, argument) in call.arguments.iter().enumerate() {
        if let Some(expected) = function.argument(index) {
            let place = || format!("call to function {:?}", function.name());
            check_type(argument, expected, place)?;
        }
    }
    Ok(())
}

/// How many arguments a function takes, if that is not `found`.
fn miscounted(function: &Function, found: usize) -> Option<String> {
    let (fewest, most) = (function.fewest(), function.most());
    if most == Some(fewest) && found != fewest {
        Some(fewest.to_string())
    } else if found < fewest {
        Some(format!("at least {fewest}"))
    } else {
        let most = most.filter(|most| found > *most)?;
        Some(format!("at most {most}"))
    }
}

/// An argument that stands for its labels: braces without a name before them, which may
/// match anything.
fn check_labels(expr: &Expr, query: &str) -> Result<(), Located> {
    let span = expr.span();
    match expr.kind() {
        ExprKind::Vector(vector) if query[span.start as usize..].starts_with('{') => {
            check_time(&vector.time)
        }
        ExprKind::Vector(_) => Err(Fault::NameBeforeLabels.at(span)),
        _ if expr.value_type() == ValueType::InstantVector => Err(Fault::NotLabels.at(span)),
        // Its type will be told.
        _ => check(expr, query),
    }
}

fn check_type(
    expr: &Expr,
    expected: ValueType,
    place: impl FnOnce() -> String,
) -> Result<(), Located> {
    let found = expr.value_type();
    if found == expected {
        return Ok(());
    }
    let fault = Fault::WrongType {
        expected,
        place: place(),
        found,
    };
    Err(fault.at(expr.span()))
}

/// A range or a step: what can be known of it before the query's times are.
fn check_positive(duration: &DurationExpr) -> Result<(), Located> {
    check_duration(duration)?;
    let positive = duration.positive_milliseconds(QueryTimes::default());
    match positive {
        Err(fault) if duration.is_constant() => Err(Fault::Duration(fault).at(duration.span())),
        _ => Ok(()),
    }
}

fn check_time(time: &TimeModifiers) -> Result<(), Located> {
    time.offset.as_ref().map_or(Ok(()), check_duration)
}

fn check_duration(duration: &DurationExpr) -> Result<(), Located> {
    match duration.constant_fault() {
        Some(fault) => Err(Fault::Duration(fault).at(duration.span())),
        None => Ok(()),
    }
}

/// Where the operator stands, with its modifiers: what lies between the operands.
fn operator_span(binary: &Binary, query: &str) -> Span {
    let (start, end) = (binary.left.span().end, binary.right.span().start);
    let between = &query[start as usize..end as usize];
    let blank = between.len() - between.trim_start().len();
    let length = between.trim().len();
    let start = start as usize + blank;
    Span::new(start, start + length)
}
