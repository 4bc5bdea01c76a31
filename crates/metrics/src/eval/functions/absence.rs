//! `absent` and `absent_over_time`: something where nothing is.

use crate::eval::error::EvalError;
use crate::eval::evaluator::Evaluator;
use crate::eval::labels::Labels;
use crate::eval::steps::Steps;
use crate::eval::vector::{ABSENT, Column, is_present};
use crate::promql::{Expr, ExprKind, LabelMatcher, MatchOperator};
use std::collections::HashMap;

impl Evaluator<'_> {
    pub(super) fn absent(
        &mut self,
        vector: &Expr,
        steps: &Steps,
    ) -> Result<Vec<Column>, EvalError> {
        let columns = self.vector(vector, steps)?;
        Ok(vec![absence(vector, &columns, steps)])
    }

    pub(super) fn absent_over_time(
        &mut self,
        range: &Expr,
        steps: &Steps,
    ) -> Result<Vec<Column>, EvalError> {
        let columns = self.over_windows(range, steps, |_| Ok(Some(1.0)))?;
        Ok(vec![absence(range, &columns, steps)])
    }
}

/// 1 at each step at which no column has a value.
fn absence(expr: &Expr, columns: &[Column], steps: &Steps) -> Column {
    let is_absent = |step: usize| !columns.iter().any(|column| is_present(column.values[step]));
    let values = (0..steps.count()).map(|step| if is_absent(step) { 1.0 } else { ABSENT });
    let matchers = match expr.without_parentheses().kind() {
        ExprKind::Vector(vector) => vector.matchers(),
        ExprKind::Matrix(matrix) => matrix.vector.matchers(),
        _ => &[],
    };
    Column {
        labels: asked_for(matchers),
        values: values.collect(),
    }
}

/// The labels that a missing series would surely have: those that must be equal to one
/// value and about which nothing else is said.
fn asked_for(matchers: &[LabelMatcher]) -> Labels {
    let mut values: HashMap<&str, Option<&str>> = HashMap::new();
    for matcher in matchers.iter().filter(|matcher| !matcher.is_about_name()) {
        let is_equal = matcher.operator() == MatchOperator::Equal;
        let value = is_equal.then_some(matcher.value());
        let about = values.entry(matcher.name());
        about.and_modify(|value| *value = None).or_insert(value);
    }
    let values = values.into_iter();
    Labels::new(values.filter_map(|(name, value)| Some((name, value?))))
}
