//! `and`, `or` and `unless`: which series stay is decided by whether the other side has
//! any that belong to the same group. See
//! <https://prometheus.io/docs/prometheus/latest/querying/operators/#logical-set-binary-operators>.

use super::error::EvalError;
use super::evaluator::Evaluator;
use super::groups::{Grouped, Groups, Presence};
use super::steps::Steps;
use super::vector::{ABSENT, Column};
use crate::promql::{Binary, BinaryOperator};

impl Evaluator<'_> {
    /// The series that stay; at no step two with the same labels.
    pub(super) fn set_operation(
        &mut self,
        binary: &Binary,
        left: Vec<Column>,
        right: Vec<Column>,
        steps: &Steps,
    ) -> Result<Vec<Column>, EvalError> {
        let mut groups = Groups::new(&binary.matching.labels);
        let mut left = groups.group(left);
        let mut right = groups.group(right);
        self.budget.go_on()?;
        self.budget.hold(groups.count() * steps.count())?;
        if binary.operator == BinaryOperator::Or {
            keep_where(&mut right, &left.presence(&groups, steps.count()), false);
            left.columns.append(&mut right.columns);
        } else {
            let is_kept = binary.operator == BinaryOperator::And;
            keep_where(&mut left, &right.presence(&groups, steps.count()), is_kept);
        }
        Ok(left.columns)
    }
}

/// Keeps what lies at steps at which its group is present, or is not.
fn keep_where(vector: &mut Grouped, presence: &Presence, kept: bool) {
    for (column, group) in vector.columns.iter_mut().zip(&vector.groups) {
        for (flag, value) in presence.of(*group).iter().zip(&mut column.values) {
            if *flag != kept {
                *value = ABSENT;
            }
        }
    }
}
