//! The labels of a series, put together and held to the rules of their names.
//!
//! Names are UTF-8, as in Prometheus 3, and not only what its older grammar took; control
//! characters are refused, because a name is shown, typed and logged. Values may be any
//! text. Which format lets what pass (the order of labels, empty values) is decided there.

use crate::promql::METRIC_NAME;
use std::ops::Range;

/// The longest name of a metric, in bytes: what the contract of `POST /metrics` says.
pub const METRIC_NAME_BYTES: usize = 255;

/// The longest name of a label, in bytes: as long as that of a metric.
pub const LABEL_NAME_BYTES: usize = 255;

/// The longest value of a label, in bytes: VictoriaMetrics takes as many by default, and
/// twice what Mimir takes.
pub const LABEL_VALUE_BYTES: usize = 4096;

/// The most labels of a series, its name among them: VictoriaMetrics takes 40 by default,
/// Mimir 30; more are most often a mistake that costs everyone memory.
pub const LABELS: usize = 64;

/// What Prometheus keeps for itself ("Data model": label names that begin so are reserved
/// for internal use).
const RESERVED: &str = "__";

/// The labels of one series, in the order of their names, [`METRIC_NAME`] among them.
#[derive(Debug, Default)]
pub struct Labels {
    text: String,
    spans: Vec<Span>,
}

/// Where a label lies in the text.
#[derive(Debug, Clone)]
struct Span {
    name: Range<usize>,
    value: Range<usize>,
}

/// Why labels name no series.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LabelFault {
    /// No name of a metric.
    #[error("the metric has no name")]
    NoMetricName,
    /// The name of a metric that is too long.
    #[error("the metric's name has {bytes} bytes, and may have {METRIC_NAME_BYTES}")]
    MetricNameLong {
        /// How many it has.
        bytes: usize,
    },
    /// The name of a metric with a character that cannot be shown.
    #[error("the metric's name has the control character {0:?}")]
    MetricNameControl(char),
    /// A label without a name.
    #[error("a label has an empty name")]
    NoLabelName,
    /// The name of a label that is too long.
    #[error("a label's name has {bytes} bytes, and may have {LABEL_NAME_BYTES}")]
    LabelNameLong {
        /// How many it has.
        bytes: usize,
    },
    /// The name of a label with a character that cannot be shown.
    #[error("a label's name has the control character {0:?}")]
    LabelNameControl(char),
    /// A label that senders may not set.
    #[error("the label {0:?} begins with {RESERVED:?}, which is reserved")]
    Reserved(String),
    /// A label without a value, where the format wants one.
    #[error("the label {0:?} has an empty value")]
    NoValue(String),
    /// A value that is too long.
    #[error("the value of the label {name:?} has {bytes} bytes, and may have {LABEL_VALUE_BYTES}")]
    ValueLong {
        /// Whose value.
        name: String,
        /// How many it has.
        bytes: usize,
    },
    /// A name that comes twice.
    #[error("the label {0:?} is given twice")]
    Twice(String),
    /// Labels that are not in the order that the format wants.
    #[error("the label {0:?} is not in the order of names")]
    Unordered(String),
    /// Too many labels.
    #[error("the series has more than {LABELS} labels, its name among them")]
    TooMany,
}

impl Labels {
    /// Names and values, ordered by the bytes of the names.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        let text = |range: &Range<usize>| &self.text[range.clone()];
        self.spans
            .iter()
            .map(move |span| (text(&span.name), text(&span.value)))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Empties it and keeps as much memory as a valid series needs.
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.text
            .shrink_to(LABELS * (LABEL_NAME_BYTES + LABEL_VALUE_BYTES));
        self.spans.clear();
        self.spans.shrink_to(LABELS);
    }

    /// Adds a label as it is.
    pub(super) fn push(&mut self, name: &str, value: &str) {
        let start = self.text.len();
        self.text.push_str(name);
        let middle = self.text.len();
        self.text.push_str(value);
        self.spans.push(Span {
            name: start..middle,
            value: middle..self.text.len(),
        });
    }

    /// Adds a label that an agent set; no more than there may be.
    pub(super) fn push_own(&mut self, name: &str, value: &str) -> Result<(), LabelFault> {
        if name.starts_with(RESERVED) {
            return Err(LabelFault::Reserved(shortened(name)));
        }
        self.push_any(name, value)
    }

    /// Adds a label that may be one of Prometheus' own; no more than there may be.
    pub(super) fn push_any(&mut self, name: &str, value: &str) -> Result<(), LabelFault> {
        if self.spans.len() == LABELS {
            return Err(LabelFault::TooMany);
        }
        self.push(name, value);
        Ok(())
    }

    /// Brings them in order, holds them to the rules and drops those with empty values,
    /// which are no labels in Prometheus' data model.
    pub(super) fn settle(&mut self) -> Result<(), LabelFault> {
        let Self { text, spans } = self;
        spans.sort_by(|a, b| text[a.name.clone()].cmp(&text[b.name.clone()]));
        self.check()?;
        self.spans.retain(|span| !span.value.is_empty());
        Ok(())
    }

    /// Holds what a format must bring in order, and without empty values, to that and to
    /// the rules.
    pub(super) fn check_given(&self) -> Result<(), LabelFault> {
        if self.len() > LABELS {
            return Err(LabelFault::TooMany);
        }
        let mut before = "";
        for (name, value) in self.iter() {
            if name < before {
                return Err(LabelFault::Unordered(shortened(name)));
            }
            if value.is_empty() {
                return Err(LabelFault::NoValue(shortened(name)));
            }
            before = name;
        }
        self.check()
    }

    /// Holds what is in order to the rules of names and values.
    fn check(&self) -> Result<(), LabelFault> {
        let mut before = None;
        let mut has_name = false;
        for (name, value) in self.iter() {
            if before == Some(name) {
                return Err(LabelFault::Twice(shortened(name)));
            }
            before = Some(name);
            if name == METRIC_NAME {
                has_name = true;
                check_metric_name(value)?;
            } else {
                check_label_name(name)?;
                check_label_value(name, value)?;
            }
        }
        has_name.then_some(()).ok_or(LabelFault::NoMetricName)
    }
}

/// A name as a message repeats it: as much of it as a valid one can have.
pub(super) fn shortened(name: &str) -> String {
    name[..name.floor_char_boundary(LABEL_NAME_BYTES)].to_owned()
}

fn check_metric_name(name: &str) -> Result<(), LabelFault> {
    if name.is_empty() {
        return Err(LabelFault::NoMetricName);
    }
    if name.len() > METRIC_NAME_BYTES {
        return Err(LabelFault::MetricNameLong { bytes: name.len() });
    }
    control_character(name).map_or(Ok(()), |c| Err(LabelFault::MetricNameControl(c)))
}

fn check_label_name(name: &str) -> Result<(), LabelFault> {
    if name.is_empty() {
        return Err(LabelFault::NoLabelName);
    }
    if name.len() > LABEL_NAME_BYTES {
        return Err(LabelFault::LabelNameLong { bytes: name.len() });
    }
    control_character(name).map_or(Ok(()), |c| Err(LabelFault::LabelNameControl(c)))
}

fn check_label_value(name: &str, value: &str) -> Result<(), LabelFault> {
    if value.len() > LABEL_VALUE_BYTES {
        return Err(LabelFault::ValueLong {
            name: shortened(name),
            bytes: value.len(),
        });
    }
    Ok(())
}

fn control_character(name: &str) -> Option<char> {
    name.chars().find(|character| character.is_control())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(labels: &[(&str, &str)], expected: Result<(), &str>) {
        let mut own = Labels::default();
        let pushed = labels
            .iter()
            .try_for_each(|(name, value)| own.push_any(name, value));
        let checked = pushed.and_then(|()| own.settle());
        let checked = checked.map_err(|fault| fault.to_string());
        assert_eq!(checked, expected.map_err(str::to_owned), "{labels:?}");
    }

    #[test]
    fn names_and_values_follow_the_rules() {
        let long = "n".repeat(256);
        let wide = "é".repeat(127);
        let value = "v".repeat(4096);
        let longer = "v".repeat(4097);
        let name = METRIC_NAME;
        for (labels, expected) in [
            (vec![(name, "up")], Ok(())),
            (vec![(name, wide.as_str()), (&*wide, "é")], Ok(())),
            (
                vec![("b", "1"), (name, "temperature °C"), ("a.b/c", "2")],
                Ok(()),
            ),
            (vec![(name, "up"), ("a", "line\nbreak")], Ok(())),
            (vec![(name, "up"), ("a", &*value)], Ok(())),
            (vec![(name, "up"), ("a", "")], Ok(())),
            (vec![("a", "1")], Err("the metric has no name")),
            (vec![(name, "")], Err("the metric has no name")),
            (
                vec![(name, &*long)],
                Err("the metric's name has 256 bytes, and may have 255"),
            ),
            (
                vec![(name, "u\u{7}p")],
                Err("the metric's name has the control character '\\u{7}'"),
            ),
            (
                vec![(name, "u\u{85}p")],
                Err("the metric's name has the control character '\\u{85}'"),
            ),
            (
                vec![(name, "up"), ("", "1")],
                Err("a label has an empty name"),
            ),
            (
                vec![(name, "up"), ("", "")],
                Err("a label has an empty name"),
            ),
            (
                vec![(name, "up"), (&*long, "1")],
                Err("a label's name has 256 bytes, and may have 255"),
            ),
            (
                vec![(name, "up"), ("a\n", "1")],
                Err("a label's name has the control character '\\n'"),
            ),
            (
                vec![(name, "up"), ("a", "1"), ("b", "2"), ("a", "3")],
                Err("the label \"a\" is given twice"),
            ),
            (
                vec![(name, "up"), ("a", &*longer)],
                Err("the value of the label \"a\" has 4097 bytes, and may have 4096"),
            ),
        ] {
            check(&labels, expected);
        }
    }

    #[test]
    fn labels_are_ordered_and_bounded() {
        let names: Vec<String> = (0..LABELS).map(|n| format!("l{n:02}")).collect();
        let mut labels: Vec<_> = names.iter().rev().map(|n| (n.as_str(), "v")).collect();
        labels[0] = (METRIC_NAME, "up");
        check(&labels, Ok(()));
        labels.push(("one more", "v"));
        check(
            &labels,
            Err("the series has more than 64 labels, its name among them"),
        );

        let mut own = Labels::default();
        for (name, value) in [("b", "2"), ("c", ""), (METRIC_NAME, "up"), ("a", "1")] {
            own.push(name, value);
        }
        own.settle().unwrap();
        let settled: Vec<_> = own.iter().collect();
        assert_eq!(settled, [(METRIC_NAME, "up"), ("a", "1"), ("b", "2")]);
    }

    #[test]
    fn an_empty_value_does_not_hide_a_second_one() {
        check(
            &[(METRIC_NAME, "up"), ("a", ""), ("a", "1")],
            Err("the label \"a\" is given twice"),
        );
    }

    #[test]
    fn senders_leave_reserved_labels_alone() {
        let mut own = Labels::default();
        let refused = own.push_own("__name__", "x").unwrap_err();
        assert_eq!(
            refused.to_string(),
            "the label \"__name__\" begins with \"__\", which is reserved"
        );
        own.push_own("_a", "x").unwrap();
        assert_eq!(own.len(), 1);
    }
}
