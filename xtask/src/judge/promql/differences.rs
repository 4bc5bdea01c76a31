//! Where Prometheus 2.42, which Debian has, answers otherwise than Prometheus 3, which
//! ours follows, and queries cannot be drawn so that it does not matter. What is not asked
//! at all is said where `queries` and `series` are drawn.

use metrics::promql::{Binary, BinaryOperator, Call, Expr, ExprKind, ValueType};

use super::answers::Answer;

/// Functions that may make a difference in the last digit a large one.
const AMPLIFIERS: &[&str] = &[
    "ceil",
    "cos",
    "floor",
    "round",
    "sin",
    "stddev_over_time",
    "stdvar_over_time",
    "tan",
];

/// Why the answers differ, if they differ as Prometheus 2 and 3 do.
pub fn known(query: &Expr, ours: &Answer, theirs: &Answer) -> Option<&'static str> {
    if matches!(ours, Answer::Refused(error) if error.starts_with("multiple matches for labels"))
        && holds_any(query, &is_filter)
    {
        return Some("two matches are an error in 3 even if the comparison drops them");
    }
    if holds_any(query, &is_rate_of_subquery) {
        return Some("near zero, 2 extrapolates further than 3");
    }
    if ours.has_shape_of(theirs) && holds_any(query, &amplifies) {
        return Some("sums are rounded otherwise, and what is made of them shows it");
    }
    None
}

fn holds_any(expr: &Expr, is_it: &dyn Fn(&ExprKind) -> bool) -> bool {
    is_it(expr.kind()) || expr.children().any(|child| holds_any(child, is_it))
}

fn is_filter(kind: &ExprKind) -> bool {
    let is_vector = |expr: &Expr| expr.value_type() == ValueType::InstantVector;
    matches!(
        kind,
        ExprKind::Binary(Binary { operator, left, right, is_bool: false, .. })
            if operator.is_comparison() && is_vector(left) && is_vector(right)
    )
}

/// Whether a difference in the last digit may become a large one.
fn amplifies(kind: &ExprKind) -> bool {
    match kind {
        ExprKind::Binary(binary) => {
            binary.operator == BinaryOperator::Modulo || binary.operator.is_comparison()
        }
        ExprKind::Call(call) => AMPLIFIERS.contains(&call.function.name()),
        _ => false,
    }
}

fn is_rate_of_subquery(kind: &ExprKind) -> bool {
    let is_subquery =
        |expr: &Expr| matches!(expr.without_parentheses().kind(), ExprKind::Subquery(_));
    matches!(
        kind,
        ExprKind::Call(Call { function, arguments })
            if matches!(function.name(), "rate" | "increase") && arguments.iter().any(is_subquery)
    )
}
