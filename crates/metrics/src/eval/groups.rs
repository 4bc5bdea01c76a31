//! Which series of two vectors belong together: those of which the compared labels are
//! equal.

use super::labels::Labels;
use super::vector::{ABSENT, Column, is_present};
use crate::promql::{METRIC_NAME, MatchingLabels};
use std::collections::HashMap;

/// Numbers for the groups of series that belong together.
pub(super) struct Groups {
    is_on: bool,
    names: Vec<String>,
    numbers: HashMap<Labels, usize>,
    labels: Vec<Labels>,
}

/// One of two vectors, and the group of each of its columns.
pub(super) struct Grouped {
    pub(super) columns: Vec<Column>,
    pub(super) groups: Vec<usize>,
}

/// Which groups have any series at which steps.
pub(super) struct Presence {
    steps: usize,
    is_present: Vec<bool>,
}

impl Groups {
    pub(super) fn new(labels: &MatchingLabels) -> Self {
        let (is_on, mut names) = match labels {
            MatchingLabels::On(names) => (true, names.clone()),
            MatchingLabels::Ignoring(names) => (false, names.clone()),
        };
        if !is_on {
            names.push(METRIC_NAME.to_owned());
        }
        Self {
            is_on,
            names,
            numbers: HashMap::new(),
            labels: Vec::new(),
        }
    }

    /// Finds the group of each column; new ones get the next numbers.
    pub(super) fn group(&mut self, columns: Vec<Column>) -> Grouped {
        let mut groups = Vec::with_capacity(columns.len());
        for column in &columns {
            let compared = match self.is_on {
                true => column.labels.only(&self.names),
                false => column.labels.without(&self.names),
            };
            let next = self.labels.len();
            let number = *self.numbers.entry(compared.clone()).or_insert(next);
            if number == next {
                self.labels.push(compared);
            }
            groups.push(number);
        }
        Grouped { columns, groups }
    }

    /// How many there are.
    pub(super) const fn count(&self) -> usize {
        self.labels.len()
    }

    /// The labels that all series of a group have, of those that are compared.
    pub(super) fn labels(&self, group: usize) -> &Labels {
        &self.labels[group]
    }
}

impl Grouped {
    /// Every column, and its group.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Column, usize)> {
        self.columns.iter().zip(self.groups.iter().copied())
    }

    /// Gives each group that `other` has and this lacks a series of this value.
    pub(super) fn fill(&mut self, other: &Self, value: f64, groups: &Groups, steps: usize) {
        let here = self.presence(groups, steps);
        let there = other.presence(groups, steps);
        for group in 0..groups.count() {
            let here = here.of(group);
            let there = there.of(group);
            let values = here.iter().zip(there).map(|pair| match pair {
                (false, true) => value,
                _ => ABSENT,
            });
            let column = Column {
                labels: groups.labels(group).clone(),
                values: values.collect(),
            };
            if column.has_values() {
                self.columns.push(column);
                self.groups.push(group);
            }
        }
    }

    pub(super) fn presence(&self, groups: &Groups, steps: usize) -> Presence {
        let mut presence = Presence {
            steps,
            is_present: vec![false; groups.count() * steps],
        };
        for (column, group) in self.iter() {
            let flags = &mut presence.is_present[group * steps..][..steps];
            for (flag, value) in flags.iter_mut().zip(&column.values) {
                *flag |= is_present(*value);
            }
        }
        presence
    }
}

impl Presence {
    /// At each step, whether a group has any series.
    pub(super) fn of(&self, group: usize) -> &[bool] {
        &self.is_present[group * self.steps..][..self.steps]
    }
}
