//! Which series have a label: the index of one shard.
//!
//! Lists of slots, in their order, by name and value. The same lists of parts lie in files
//! and are made once (`part`); these change.

use crate::eval::Labels;
use crate::promql::{LabelMatcher, MatchOperator};
use std::collections::HashMap;

/// The lists of a shard.
#[derive(Debug, Default)]
pub(super) struct Postings {
    names: HashMap<Box<str>, HashMap<Box<str>, Vec<u32>>>,
}

/// The slots that can hold a series which matches.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Candidates {
    /// Any slot.
    All,
    /// These, each once.
    Listed(Vec<u32>),
}

impl Postings {
    /// A series now has this slot.
    pub(super) fn add(&mut self, slot: u32, labels: &Labels) {
        for (name, value) in labels.iter() {
            let values = entry(&mut self.names, name);
            let slots = entry(values, value);
            // Most often the slot is a new one, the highest.
            let place = slots.partition_point(|other| *other < slot);
            slots.insert(place, slot);
        }
    }

    /// No series has this slot any more.
    pub(super) fn remove(&mut self, slot: u32, labels: &Labels) {
        for (name, value) in labels.iter() {
            let Some(values) = self.names.get_mut(name) else {
                continue;
            };
            if let Some(slots) = values.get_mut(value) {
                slots.retain(|other| *other != slot);
                if slots.is_empty() {
                    values.remove(value);
                }
            }
            if values.is_empty() {
                self.names.remove(name);
            }
        }
    }

    /// Slots among which are all of series that match. Those that do not match are among
    /// them too: the shortest list is taken, and the labels decide.
    pub(super) fn candidates(&self, matchers: &[LabelMatcher]) -> Candidates {
        let lists = matchers.iter().filter_map(|matcher| self.listed(matcher));
        match lists.min_by_key(Vec::len) {
            Some(list) => Candidates::Listed(list),
            None => Candidates::All,
        }
    }

    /// The names of labels.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.keys().map(|name| &**name)
    }

    /// The values of a label.
    pub(super) fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        let values = self.names.get(name).into_iter().flatten();
        values.map(|(value, _)| &**value)
    }

    /// The slots of series that a matcher chooses, unless it chooses those without the
    /// label too.
    fn listed(&self, matcher: &LabelMatcher) -> Option<Vec<u32>> {
        if matcher.matches("") {
            return None;
        }
        let Some(values) = self.names.get(matcher.name()) else {
            return Some(Vec::new());
        };
        if matcher.operator() == MatchOperator::Equal {
            return Some(values.get(matcher.value()).cloned().unwrap_or_default());
        }
        let chosen = values.iter().filter(|(value, _)| matcher.matches(value));
        // A series has one value of a label, so no slot comes twice.
        Some(chosen.flat_map(|(_, slots)| slots).copied().collect())
    }
}

fn entry<'m, V: Default>(map: &'m mut HashMap<Box<str>, V>, key: &str) -> &'m mut V {
    if !map.contains_key(key) {
        map.insert(key.into(), V::default());
    }
    map.get_mut(key).expect("it is there or was put there")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::promql::parse_selector;

    #[test]
    fn the_shortest_list_that_a_matcher_gives() {
        let mut postings = Postings::default();
        let series = ["up,job=a", "up,job=b", "up,job=b", "down,job=c"].map(|text| {
            let (name, job) = text.split_once(",job=").unwrap();
            Labels::new([("__name__", name), ("job", job)])
        });
        for (slot, labels) in series.iter().enumerate() {
            postings.add(slot as u32, labels);
        }
        let check = |postings: &Postings, selector: &str, expected: Candidates| {
            let selector_tree = parse_selector(selector).unwrap();
            let matchers = selector_tree.matchers();
            let mut found = postings.candidates(matchers);
            if let Candidates::Listed(slots) = &mut found {
                slots.sort_unstable();
            }
            assert_eq!(found, expected, "{selector}");
        };
        let listed = |slots: &[u32]| Candidates::Listed(slots.to_vec());
        check(&postings, "up", listed(&[0, 1, 2]));
        check(&postings, "up{job=\"b\"}", listed(&[1, 2]));
        check(&postings, "{job=~\"a|c\"}", listed(&[0, 3]));
        check(&postings, "{job!=\"\"}", listed(&[0, 1, 2, 3]));
        check(&postings, "{none=\"x\"}", listed(&[]));
        check(&postings, "up{none=\"\"}", listed(&[0, 1, 2]));
        postings.remove(1, &series[1]);
        check(&postings, "up{job=\"b\"}", listed(&[2]));
        for (slot, labels) in series.iter().enumerate() {
            postings.remove(slot as u32, labels);
        }
        assert_eq!(postings.names().count(), 0);
        assert_eq!(postings.candidates(&[]), Candidates::All);
    }
}
