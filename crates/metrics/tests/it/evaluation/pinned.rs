//! A query that is fixed to a time by `@`, as Prometheus' runner does it: whenever such a
//! query is asked, the answer is the same.

use metrics::promql::{
    Aggregation, At, Binary, Call, Expr, ExprKind, MatrixSelector, Subquery, Unary, VectorSelector,
};

/// Functions that look at the time of the step.
const OF_TIME: &[&str] = &[
    "day_of_month",
    "day_of_week",
    "day_of_year",
    "days_in_month",
    "end",
    "hour",
    "minute",
    "month",
    "predict_linear",
    "range",
    "start",
    "step",
    "time",
    "timestamp",
    "year",
];

/// The query with all its selectors and subqueries fixed to a time, if it then has the
/// same answer at all times.
pub(super) fn pinned(query: &Expr, time: i64) -> Option<Expr> {
    let at = At::Milliseconds(time);
    let pinned_child = |child: &Expr| pinned(child, time);
    let kind = match query.kind() {
        ExprKind::Number(_) | ExprKind::String(_) => query.kind().clone(),
        ExprKind::Vector(vector) => ExprKind::Vector(pinned_vector(vector, at)),
        ExprKind::Matrix(matrix) => ExprKind::Matrix(MatrixSelector {
            vector: pinned_vector(&matrix.vector, at),
            ..matrix.clone()
        }),
        ExprKind::Subquery(subquery) => {
            // What is within is looked at at the subquery's times, which are fixed.
            let mut subquery: Subquery = subquery.clone();
            subquery.time.at.get_or_insert(at);
            ExprKind::Subquery(subquery)
        }
        ExprKind::Unary(unary) => ExprKind::Unary(Unary {
            expr: pinned_child(&unary.expr)?,
            ..*unary
        }),
        ExprKind::Binary(binary) => ExprKind::Binary(Binary {
            left: pinned_child(&binary.left)?,
            right: pinned_child(&binary.right)?,
            ..binary.clone()
        }),
        ExprKind::Aggregation(aggregation) => {
            let parameter = aggregation.parameter.as_ref().map(pinned_child);
            ExprKind::Aggregation(Aggregation {
                parameter: match parameter {
                    Some(parameter) => Some(parameter?),
                    None => None,
                },
                expr: pinned_child(&aggregation.expr)?,
                ..aggregation.clone()
            })
        }
        ExprKind::Call(call) if OF_TIME.contains(&call.function.name()) => return None,
        ExprKind::Call(call) => {
            let arguments = call.arguments.iter().map(pinned_child);
            ExprKind::Call(Call {
                arguments: arguments.collect::<Option<_>>()?,
                ..call.clone()
            })
        }
        ExprKind::Parenthesis(inner) => ExprKind::Parenthesis(pinned_child(inner)?),
    };
    Some(Expr::new(kind, query.span()))
}

fn pinned_vector(vector: &VectorSelector, at: At) -> VectorSelector {
    let mut vector = vector.clone();
    vector.time.at.get_or_insert(at);
    vector
}
