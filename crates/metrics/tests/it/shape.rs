//! A tree as nested lists, each operator before its operands, so that a test shows what
//! binds to what; and a tree without what a text need not have.

use metrics::promql::{
    Aggregation, Binary, Call, DurationExpr, DurationKind, Expr, ExprKind, Span, Subquery,
    TimeModifiers, Unary, VectorSelector,
};

/// The tree as nested lists.
pub(crate) fn shape(expr: &Expr) -> String {
    match expr.kind() {
        ExprKind::Number(_) | ExprKind::String(_) => expr.to_string(),
        ExprKind::Vector(vector) => with_time(plain(vector), &vector.time),
        ExprKind::Matrix(matrix) => {
            let range = duration_shape(&matrix.range);
            let text = format!("(range {} {range})", plain(&matrix.vector));
            with_time(text, &matrix.vector.time)
        }
        ExprKind::Subquery(subquery) => {
            let step = subquery.step.as_ref().map(duration_shape);
            let (inner, range) = (shape(&subquery.expr), duration_shape(&subquery.range));
            let step = step.unwrap_or_else(|| "default".to_owned());
            let text = format!("(subquery {inner} {range} {step})");
            with_time(text, &subquery.time)
        }
        ExprKind::Unary(unary) => format!("({} {})", unary.operator, shape(&unary.expr)),
        ExprKind::Binary(binary) => {
            let is_bool = if binary.is_bool { " bool" } else { "" };
            let (left, right) = (shape(&binary.left), shape(&binary.right));
            let operator = format!("{}{is_bool}{}", binary.operator, binary.matching);
            format!("({operator} {left} {right})")
        }
        ExprKind::Aggregation(aggregation) => {
            let operator = format!("{}{}", aggregation.operator, aggregation.grouping);
            format!("({} {})", operator.trim_end(), children(expr))
        }
        ExprKind::Call(call) => format!("({} {})", call.function.name(), children(expr)),
        ExprKind::Parenthesis(inner) => format!("(group {})", shape(inner)),
    }
}

/// The tree without parentheses and places: what a text says, whoever wrote it.
pub(crate) fn bare(expr: &Expr) -> Expr {
    rebuilt(expr, &|kind| match kind {
        ExprKind::Parenthesis(inner) => inner.into_kind(),
        other => with_durations(other, &bare_duration),
    })
}

/// The tree without places: how a text is built, wherever its parts stand.
pub(crate) fn placeless(expr: &Expr) -> Expr {
    rebuilt(expr, &|kind| with_durations(kind, &bare_duration))
}

/// The tree made anew from below, each node changed on the way; nodes stand nowhere.
pub(crate) fn rebuilt(expr: &Expr, change: &dyn Fn(ExprKind) -> ExprKind) -> Expr {
    let anew = |expr: &Expr| rebuilt(expr, change);
    let kind = match expr.kind().clone() {
        ExprKind::Subquery(subquery) => ExprKind::Subquery(Subquery {
            expr: anew(&subquery.expr),
            ..subquery
        }),
        ExprKind::Unary(unary) => ExprKind::Unary(Unary {
            expr: anew(&unary.expr),
            ..unary
        }),
        ExprKind::Binary(binary) => ExprKind::Binary(Binary {
            left: anew(&binary.left),
            right: anew(&binary.right),
            ..binary
        }),
        ExprKind::Aggregation(aggregation) => ExprKind::Aggregation(Aggregation {
            parameter: aggregation.parameter.as_ref().map(anew),
            expr: anew(&aggregation.expr),
            ..aggregation
        }),
        ExprKind::Call(call) => ExprKind::Call(Call {
            arguments: call.arguments.iter().map(anew).collect(),
            ..call
        }),
        ExprKind::Parenthesis(inner) => ExprKind::Parenthesis(anew(&inner)),
        leaf => leaf,
    };
    Expr::new(change(kind), Span::default())
}

/// The node with each of its durations changed.
pub(crate) fn with_durations(
    kind: ExprKind,
    change: &dyn Fn(&DurationExpr) -> DurationExpr,
) -> ExprKind {
    let time = |time: TimeModifiers| TimeModifiers {
        at: time.at,
        offset: time.offset.as_ref().map(change),
    };
    match kind {
        ExprKind::Vector(mut vector) => {
            vector.time = time(vector.time);
            ExprKind::Vector(vector)
        }
        ExprKind::Matrix(mut matrix) => {
            matrix.vector.time = time(matrix.vector.time);
            matrix.range = change(&matrix.range);
            ExprKind::Matrix(matrix)
        }
        ExprKind::Subquery(subquery) => ExprKind::Subquery(Subquery {
            expr: subquery.expr,
            range: change(&subquery.range),
            step: subquery.step.as_ref().map(change),
            time: time(subquery.time),
        }),
        other => other,
    }
}

fn children(expr: &Expr) -> String {
    let shapes: Vec<String> = expr.children().map(shape).collect();
    shapes.join(" ")
}

/// A selector without its time.
fn plain(vector: &VectorSelector) -> String {
    let mut vector = vector.clone();
    vector.time = TimeModifiers::default();
    Expr::new(ExprKind::Vector(vector), Span::default()).to_string()
}

fn with_time(mut text: String, time: &TimeModifiers) -> String {
    if let Some(at) = &time.at {
        text = format!("(@ {text} {at})");
    }
    if let Some(offset) = &time.offset {
        text = format!("(offset {text} {})", duration_shape(offset));
    }
    text
}

fn duration_shape(duration: &DurationExpr) -> String {
    match duration.kind() {
        DurationKind::Literal(_) | DurationKind::Step | DurationKind::Range => duration.to_string(),
        DurationKind::Negated(inner) => format!("(- {})", duration_shape(inner)),
        DurationKind::Binary {
            operator,
            left,
            right,
        } => format!(
            "({operator} {} {})",
            duration_shape(left),
            duration_shape(right)
        ),
        DurationKind::Minimum(left, right) => {
            format!(
                "(min_of {} {})",
                duration_shape(left),
                duration_shape(right)
            )
        }
        DurationKind::Maximum(left, right) => {
            format!(
                "(max_of {} {})",
                duration_shape(left),
                duration_shape(right)
            )
        }
    }
}

fn bare_duration(duration: &DurationExpr) -> DurationExpr {
    let boxed = |duration: &DurationExpr| Box::new(bare_duration(duration));
    let kind = match duration.kind() {
        kind @ (DurationKind::Literal(_) | DurationKind::Step | DurationKind::Range) => {
            kind.clone()
        }
        DurationKind::Negated(inner) => DurationKind::Negated(boxed(inner)),
        DurationKind::Binary {
            operator,
            left,
            right,
        } => DurationKind::Binary {
            operator: *operator,
            left: boxed(left),
            right: boxed(right),
        },
        DurationKind::Minimum(left, right) => DurationKind::Minimum(boxed(left), boxed(right)),
        DurationKind::Maximum(left, right) => DurationKind::Maximum(boxed(left), boxed(right)),
    };
    DurationExpr::new(kind, Span::default())
}
