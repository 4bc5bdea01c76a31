//! The order of an instant vector. A range query is always in the order of its labels,
//! which is remarked on where a query says otherwise.

use crate::eval::choice::numbers_first;
use crate::eval::error::EvalError;
use crate::eval::evaluator::{Evaluator, text};
use crate::eval::notes::Remark;
use crate::eval::steps::Steps;
use crate::eval::vector::Column;
use crate::promql::{Expr, Span};
use std::cmp::Ordering;

impl Evaluator<'_> {
    /// By their values.
    pub(super) fn sorted(
        &mut self,
        name: &str,
        vector: &Expr,
        span: Span,
        steps: &Steps,
    ) -> Result<Vec<Column>, EvalError> {
        let mut columns = self.vector(vector, steps)?;
        let is_descending = name == "sort_desc";
        if self.is_sortable(span, steps) {
            columns
                .sort_by(|one, other| numbers_first(one.values[0], other.values[0], is_descending));
        }
        Ok(columns)
    }

    /// By the values of labels as people read them, then by all labels.
    pub(super) fn sorted_by_label(
        &mut self,
        name: &str,
        vector: &Expr,
        labels: &[Expr],
        span: Span,
        steps: &Steps,
    ) -> Result<Vec<Column>, EvalError> {
        let names = labels.iter().map(text).collect::<Result<Vec<_>, _>>()?;
        let names = names.iter().filter_map(|name| name.as_str());
        let names: Vec<&str> = names.collect();
        let mut columns = self.vector(vector, steps)?;
        if !self.is_sortable(span, steps) {
            return Ok(columns);
        }
        columns.sort_by(|one, other| {
            let values = |name: &&str| natural(one.labels.get(name), other.labels.get(name));
            let mut orders = names.iter().map(values);
            let order = orders.find(|order| order.is_ne());
            order.unwrap_or_else(|| one.labels.cmp(&other.labels))
        });
        if name == "sort_by_label_desc" {
            columns.reverse();
        }
        Ok(columns)
    }

    fn is_sortable(&mut self, span: Span, steps: &Steps) -> bool {
        if self.moments.start != self.moments.end {
            self.notes.add(Remark::SortInRange, span);
        }
        steps.count() == 1
    }
}

/// Digits are compared as numbers, all else as texts: `cpu2` is before `cpu10`.
fn natural(one: &str, other: &str) -> Ordering {
    let (mut ones, mut others) = (Chunks(one), Chunks(other));
    loop {
        let order = match (ones.next(), others.next()) {
            (None, None) => return one.cmp(other),
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some(one), Some(other)) => match (one.parse::<i64>(), other.parse::<i64>()) {
                (Ok(one), Ok(other)) => one.cmp(&other),
                _ => one.cmp(other),
            },
        };
        if order.is_ne() {
            return order;
        }
    }
}

/// The runs of digits and of all else in a text.
struct Chunks<'a>(&'a str);

impl<'a> Iterator for Chunks<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<Self::Item> {
        let is_digits = self.0.starts_with(|first: char| first.is_ascii_digit());
        let end = self.0.find(|next: char| next.is_ascii_digit() != is_digits);
        let (chunk, rest) = self.0.split_at(end.unwrap_or(self.0.len()));
        self.0 = rest;
        (!chunk.is_empty()).then_some(chunk)
    }
}

#[cfg(test)]
mod tests {
    use super::natural;
    use std::cmp::Ordering;

    #[test]
    fn digits_are_numbers() {
        let check = |one, other, order: Ordering| {
            assert_eq!(natural(one, other), order);
            assert_eq!(natural(other, one), order.reverse());
        };
        check("", "", Ordering::Equal);
        check("", "a", Ordering::Less);
        check("cpu2", "cpu10", Ordering::Less);
        check("cpu2", "cpu2a", Ordering::Less);
        check("2", "a", Ordering::Less);
        check("02", "2", Ordering::Less);
    }
}
