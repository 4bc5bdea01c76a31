//! Operators between two vectors: which series belong together, and what their result is
//! called. See
//! <https://prometheus.io/docs/prometheus/latest/querying/operators/#vector-matching>.
//!
//! 1. Each series of both sides is put into a group, by the labels that are compared.
//! 2. In a group, at each step, the side that must have one series has one.
//! 3. Each series of the other side is computed with it. The result's labels are found
//!    once for each pair of series, not at each step.

use super::binary::Operation;
use super::error::EvalError;
use super::evaluator::Evaluator;
use super::groups::{Grouped, Groups};
use super::labels::Labels;
use super::steps::Steps;
use super::vector::{ABSENT, Column, is_present};
use crate::promql::{Binary, Fill, MatchingLabels, Side};
use std::collections::HashMap;

/// Two vectors while they are matched: `many` may have several series in a group.
struct Match<'a> {
    binary: &'a Binary,
    operation: Operation,
    many: &'a Grouped,
    /// Of the other side, the series of each group.
    ones: Vec<Vec<&'a Column>>,
    steps: usize,
    results: Results,
}

/// Results by their group and their labels.
#[derive(Default)]
struct Results {
    places: HashMap<(usize, Labels), usize>,
    columns: Vec<Column>,
    /// At which steps something was matched already, for what must not be matched twice:
    /// a group, or in many-to-one matching also the result's labels.
    matched: HashMap<(usize, Option<Labels>), Vec<bool>>,
}

impl Evaluator<'_> {
    /// Computes an operator that is none of sets.
    pub(super) fn matched(
        &mut self,
        binary: &Binary,
        left: Vec<Column>,
        right: Vec<Column>,
        steps: &Steps,
    ) -> Result<Vec<Column>, EvalError> {
        let mut groups = Groups::new(&binary.matching.labels);
        let (many, one) = match is_swapped(binary) {
            true => (right, left),
            false => (left, right),
        };
        let mut many = groups.group(many);
        let mut one = groups.group(one);
        // The left value is that of the many, whichever side those are, as in Prometheus.
        let Fill { left, right } = binary.matching.fill;
        let most = groups.count() * steps.count();
        if let Some(value) = right {
            self.budget.hold(most)?;
            one.fill(&many, value.value(), &groups, steps.count());
        }
        if let Some(value) = left {
            self.budget.hold(most)?;
            many.fill(&one, value.value(), &groups, steps.count());
        }
        let mut ones = vec![Vec::new(); groups.count()];
        for (column, group) in one.iter() {
            ones[group].push(column);
        }
        let mut matching = Match {
            binary,
            operation: Operation::of(binary),
            many: &many,
            ones,
            steps: steps.count(),
            results: Results::default(),
        };
        matching.check_ones(&groups)?;
        for (column, group) in many.iter() {
            self.budget.go_on()?;
            self.budget
                .hold(matching.pair(column, group)? * steps.count())?;
        }
        Ok(matching.results.columns)
    }
}

impl Match<'_> {
    /// Refuses several series at the same step on the side that must have one.
    fn check_ones(&self, groups: &Groups) -> Result<(), EvalError> {
        if self.ones.iter().all(|ones| ones.len() < 2) {
            return Ok(());
        }
        let has_many = self.has_many();
        for (group, ones) in self
            .ones
            .iter()
            .enumerate()
            .filter(|(_, ones)| ones.len() > 1)
        {
            let mut first: Vec<Option<&Column>> = vec![None; self.steps];
            for column in ones {
                // Nothing is matched where the other side has nothing at all.
                for step in present_steps(column).filter(|step| has_many[*step]) {
                    if let Some(before) = first[step].replace(column) {
                        let group = groups.labels(group).to_string();
                        return Err(self.many_to_many(group, before, column));
                    }
                }
            }
        }
        Ok(())
    }

    /// At which steps the side of the many has any series.
    fn has_many(&self) -> Vec<bool> {
        let mut has_many = vec![false; self.steps];
        for column in &self.many.columns {
            present_steps(column).for_each(|step| has_many[step] = true);
        }
        has_many
    }

    fn many_to_many(&self, group: String, one: &Column, other: &Column) -> EvalError {
        let (one, other) = (one.labels.to_string(), other.labels.to_string());
        // In the order of the texts, so that the message is the same each time.
        let (first, second) = if one < other {
            (one, other)
        } else {
            (other, one)
        };
        EvalError::ManyToMany {
            group,
            side: if is_swapped(self.binary) {
                "left"
            } else {
                "right"
            },
            first,
            second,
        }
    }

    /// Computes a column of the many with all that it is matched with. Tells how many
    /// columns came of it.
    fn pair(&mut self, many: &Column, group: usize) -> Result<usize, EvalError> {
        let before = self.results.columns.len();
        let is_grouped = self.binary.matching.group.is_some();
        for one in &self.ones[group] {
            let labels = self.result_labels(&many.labels, &one.labels);
            let mark = (group, is_grouped.then(|| labels.clone()));
            let place = self.results.place(group, labels, self.steps);
            let matched = self.results.matched.entry(mark);
            let matched = matched.or_insert_with(|| vec![false; self.steps]);
            let values = &mut self.results.columns[place].values;
            let pairs = many.values.iter().zip(&one.values).enumerate();
            let pairs = pairs.filter(|(_, (many, one))| is_present(**many) && is_present(**one));
            for (step, (many, one)) in pairs {
                if std::mem::replace(&mut matched[step], true) {
                    return Err(match is_grouped {
                        true => EvalError::NotUnique,
                        false => EvalError::ManyToOne,
                    });
                }
                let (left, right) = match is_swapped(self.binary) {
                    true => (*one, *many),
                    false => (*many, *one),
                };
                let value = self.operation.apply(left, right, left);
                if is_present(value) {
                    values[step] = value;
                }
            }
        }
        Ok(self.results.columns.len() - before)
    }

    fn result_labels(&self, many: &Labels, one: &Labels) -> Labels {
        let matching = &self.binary.matching;
        let labels = match self.operation.drops_name() {
            true => many.without_name(),
            false => many.clone(),
        };
        match (&matching.group, &matching.labels) {
            (None, MatchingLabels::On(names)) => labels.only(names),
            (None, MatchingLabels::Ignoring(names)) => labels.without(names),
            (Some(group), _) => {
                let include = group.include.iter();
                include.fold(labels, |labels, name| labels.with(name, one.get(name)))
            }
        }
    }
}

impl Results {
    /// Where the column of these labels is, which is made where there is none.
    fn place(&mut self, group: usize, labels: Labels, steps: usize) -> usize {
        let next = self.columns.len();
        let place = *self.places.entry((group, labels.clone())).or_insert(next);
        if place == next {
            let values = vec![ABSENT; steps];
            self.columns.push(Column { labels, values });
        }
        place
    }
}

fn present_steps(column: &Column) -> impl Iterator<Item = usize> {
    let values = column.values.iter().enumerate();
    values.filter_map(|(step, value)| is_present(*value).then_some(step))
}

/// Whether the right side is that of the many.
fn is_swapped(binary: &Binary) -> bool {
    let group = binary.matching.group.as_ref();
    group.is_some_and(|group| group.many == Side::Right)
}
