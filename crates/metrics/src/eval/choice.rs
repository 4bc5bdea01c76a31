//! Aggregations that choose some of a group's series and leave them as they are: `topk`,
//! `bottomk`, `limitk` and `limit_ratio`.

use super::aggregation::{Group, groups};
use super::error::EvalError;
use super::evaluator::Evaluator;
use super::notes::Remark;
use super::steps::Steps;
use super::vector::{ABSENT, Column, is_present};
use crate::promql::{AggregateOperator, Aggregation, Expr};
use std::cmp::Ordering;

/// What does not fit Prometheus' 64 bits.
const TOO_HIGH: f64 = 9_223_372_036_854_775_808.0;

impl Evaluator<'_> {
    /// The chosen series of all groups. In an instant query they come group by group, and
    /// in a group those of `topk` and `bottomk` by their values.
    pub(super) fn chosen(
        &mut self,
        aggregation: &Aggregation,
        parameter: &Expr,
        steps: &Steps,
    ) -> Result<Vec<Column>, EvalError> {
        let operator = aggregation.operator;
        let wanted = self.scalar(parameter, steps)?;
        let columns = self.vector(&aggregation.expr, steps)?;
        match operator {
            AggregateOperator::LimitRatio => self.check_ratios(&wanted, parameter)?,
            _ => check_counts(&wanted)?,
        }
        let groups = groups(&columns, &aggregation.grouping);
        self.budget.hold(columns.len() * steps.count())?;
        let mut kept: Vec<Vec<f64>> = vec![vec![ABSENT; steps.count()]; columns.len()];
        // In the order in which they are chosen first.
        let mut order = Vec::new();
        let mut is_chosen = vec![false; columns.len()];
        let mut watch = self.budget.watch();
        for group in &groups {
            for (step, wanted) in wanted.iter().enumerate() {
                watch.work(group.members.len())?;
                for index in choose(operator, *wanted, &columns, group, step) {
                    kept[index][step] = columns[index].values[step];
                    if !std::mem::replace(&mut is_chosen[index], true) {
                        order.push(index);
                    }
                }
            }
        }
        let mut chosen: Vec<Option<Column>> = columns
            .into_iter()
            .zip(kept)
            .map(|(column, values)| Some(Column { values, ..column }))
            .collect();
        Ok(order
            .into_iter()
            .filter_map(|index| chosen[index].take())
            .collect())
    }

    fn check_ratios(&mut self, ratios: &[f64], parameter: &Expr) -> Result<(), EvalError> {
        if ratios.iter().any(|ratio| ratio.is_nan()) {
            return Err(EvalError::RatioNaN);
        }
        for found in ratios {
            let capped = found.clamp(-1.0, 1.0);
            if capped != *found {
                let remark = Remark::Ratio {
                    found: *found,
                    capped,
                };
                self.notes.add(remark, parameter.span());
            }
        }
        Ok(())
    }
}

fn check_counts(counts: &[f64]) -> Result<(), EvalError> {
    // Prometheus looks no further where nothing is wanted.
    if counts.iter().all(|count| *count < 1.0) {
        return Ok(());
    }
    for count in counts {
        if count.is_nan() {
            return Err(EvalError::ParameterNaN);
        }
        if *count <= -TOO_HIGH {
            return Err(EvalError::ParameterUnderflow(*count));
        }
        if *count >= TOO_HIGH {
            return Err(EvalError::ParameterOverflow(*count));
        }
    }
    Ok(())
}

/// Which members of a group are chosen at a step.
fn choose(
    operator: AggregateOperator,
    wanted: f64,
    columns: &[Column],
    group: &Group,
    step: usize,
) -> Vec<usize> {
    let value = |index: usize| columns[index].values[step];
    let members = group.members.iter().copied();
    let present = members.filter(|index| is_present(value(*index)));
    let count = wanted.max(0.0) as usize;
    match operator {
        AggregateOperator::LimitRatio => present
            .filter(|index| is_in_ratio(wanted, &columns[*index]))
            .collect(),
        AggregateOperator::LimitK => present.take(count).collect(),
        _ => {
            let is_descending = operator == AggregateOperator::TopK;
            first_by_value(present, count, value, is_descending)
        }
    }
}

/// So many of the members, in the order of their values; of equal ones, the first.
fn first_by_value(
    members: impl Iterator<Item = usize>,
    count: usize,
    value: impl Fn(usize) -> f64,
    is_descending: bool,
) -> Vec<usize> {
    let mut places: Vec<(usize, usize)> = members.enumerate().collect();
    let order = |one: &(usize, usize), other: &(usize, usize)| {
        let by_value = numbers_first(value(one.1), value(other.1), is_descending);
        by_value.then(one.0.cmp(&other.0))
    };
    if count < places.len() {
        // Most are not chosen, and need no order.
        places.select_nth_unstable_by(count, order);
        places.truncate(count);
    }
    places.sort_unstable_by(order);
    places.into_iter().map(|(_, index)| index).collect()
}

/// The order of two values of which the one that is no number comes last.
pub(super) fn numbers_first(one: f64, other: f64, is_descending: bool) -> Ordering {
    let order = match is_descending {
        true => other.partial_cmp(&one),
        false => one.partial_cmp(&other),
    };
    order.unwrap_or_else(|| one.is_nan().cmp(&other.is_nan()))
}

/// Whether a series is among the share of all that is wanted: the first of all for a
/// positive ratio, and for a negative one those that its complement leaves.
fn is_in_ratio(wanted: f64, column: &Column) -> bool {
    let place = column.labels.fingerprint() as f64 / u64::MAX as f64;
    let ratio = wanted.clamp(-1.0, 1.0);
    match ratio >= 0.0 {
        true => place < ratio,
        false => place >= 1.0 + ratio,
    }
}
