//! What tells series apart: labels that all of them share are said once.

use std::collections::{BTreeMap, BTreeSet};

/// Names and values of a series.
pub type Labels = BTreeMap<String, String>;

/// The label that is the name of a metric.
const NAME: &str = "__name__";

/// Labels of several series.
#[derive(Debug, PartialEq, Eq)]
pub struct Common {
    /// What all of them have, with the same value.
    pub shared: Labels,
    /// Names whose values differ, or that some lack.
    pub differing: Vec<String>,
}

impl Common {
    /// What `all` have in common. Of a single series this is all it has.
    pub fn of(all: &[&Labels]) -> Self {
        let names: BTreeSet<&String> = all.iter().flat_map(|labels| labels.keys()).collect();
        let (mut shared, mut differing) = (Labels::new(), Vec::new());
        for name in names {
            let mut values = all.iter().map(|labels| labels.get(name));
            match values.next().flatten() {
                Some(first) if values.all(|value| value == Some(first)) => {
                    shared.insert(name.clone(), first.clone());
                }
                _ => differing.push(name.clone()),
            }
        }
        Self { shared, differing }
    }

    /// A series by what it has of its own.
    pub fn own(&self, labels: &Labels) -> Labels {
        let own = labels
            .iter()
            .filter(|(name, _)| !self.shared.contains_key(*name));
        own.map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    }
}

/// Labels as PromQL has them: `name{label="value"}`.
pub fn shown(labels: &Labels) -> String {
    let name = labels.get(NAME).map_or("", String::as_str);
    let others = labels.iter().filter(|(name, _)| *name != NAME);
    let others: Vec<_> = others
        .map(|(name, value)| format!("{name}={value:?}"))
        .collect();
    match (name, others.is_empty()) {
        (name, true) if !name.is_empty() => name.to_owned(),
        (name, _) => format!("{name}{{{}}}", others.join(", ")),
    }
}

/// What a column of one label is called.
pub fn heading(name: &str) -> String {
    if name == NAME { "metric" } else { name }.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        pairs.iter().map(owned).collect()
    }

    #[test]
    fn what_all_share_is_told_apart() {
        let all = [
            labels(&[("__name__", "up"), ("job", "a"), ("cpu", "0")]),
            labels(&[
                ("__name__", "up"),
                ("job", "b"),
                ("cpu", "0"),
                ("zone", "x"),
            ]),
        ];
        let common = Common::of(&all.each_ref());
        assert_eq!(shown(&common.shared), "up{cpu=\"0\"}");
        assert_eq!(common.differing, ["job", "zone"]);
        assert_eq!(shown(&common.own(&all[1])), "{job=\"b\", zone=\"x\"}");
        let one = Common::of(&[&all[0]]);
        assert_eq!((one.shared, one.differing.len()), (all[0].clone(), 0));
        assert_eq!(shown(&Labels::new()), "{}");
        assert_eq!(shown(&labels(&[("__name__", "up")])), "up");
    }
}
