//! `and`, `or` and `unless`: which series stay is decided by whether the other side has
//! any that belong to the same group. See
//! <https://prometheus.io/docs/prometheus/latest/querying/operators/#logical-set-binary-operators>.

use super::error::EvalError;
use super::evaluator::Evaluator;
use super::matching::Groups;
use super::steps::Steps;
use super::vector::{ABSENT, Column, is_present};
use crate::promql::{Binary, BinaryOperator};

impl Evaluator<'_> {
    /// The series that stay; at no step two with the same labels.
    pub(super) fn set_operation(
        &mut self,
        binary: &Binary,
        mut left: Vec<Column>,
        mut right: Vec<Column>,
        steps: &Steps,
    ) -> Result<Vec<Column>, EvalError> {
        let mut groups = Groups::new(&binary.matching.labels);
        let left_groups = groups.of(&left);
        let right_groups = groups.of(&right);
        self.budget.go_on()?;
        self.budget.hold(groups.count() * steps.count())?;
        let presence = |columns: &[Column], places: &[usize]| {
            let mut presence = Presence::new(groups.count(), steps.count());
            for (column, group) in columns.iter().zip(places) {
                presence.add(*group, &column.values);
            }
            presence
        };
        match binary.operator {
            BinaryOperator::Or => {
                presence(&left, &left_groups).mask(&mut right, &right_groups, false);
                left.append(&mut right);
            }
            operator => {
                let is_kept = operator == BinaryOperator::And;
                presence(&right, &right_groups).mask(&mut left, &left_groups, is_kept);
            }
        }
        Ok(left)
    }
}

/// Which groups have any series at which steps.
struct Presence {
    steps: usize,
    is_present: Vec<bool>,
}

impl Presence {
    fn new(groups: usize, steps: usize) -> Self {
        Self {
            steps,
            is_present: vec![false; groups * steps],
        }
    }

    fn add(&mut self, group: usize, values: &[f64]) {
        let flags = &mut self.is_present[group * self.steps..][..self.steps];
        for (flag, value) in flags.iter_mut().zip(values) {
            *flag |= is_present(*value);
        }
    }

    /// Keeps of the columns what lies at steps at which their group is present, or is
    /// not.
    fn mask(&self, columns: &mut [Column], groups: &[usize], kept: bool) {
        for (column, group) in columns.iter_mut().zip(groups) {
            let flags = &self.is_present[group * self.steps..][..self.steps];
            for (flag, value) in flags.iter().zip(&mut column.values) {
                if *flag != kept {
                    *value = ABSENT;
                }
            }
        }
    }
}
