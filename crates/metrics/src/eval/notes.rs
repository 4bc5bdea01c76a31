//! What is remarkable about an answer that is an answer all the same: Prometheus'
//! warnings and infos, in its words.

use crate::promql::Span;
use std::fmt;

/// So many notes are kept of an answer, the first ones: people read some, and each series
/// might have its own.
const MOST: usize = 100;

/// Notes on an answer, each once.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Notes(Vec<Note>);

/// A note, and the part of the query that it is about.
#[derive(Debug, Clone, PartialEq)]
pub struct Note {
    /// What is said.
    pub remark: Remark,
    /// About what.
    pub span: Span,
}

/// What can be remarkable.
#[derive(Debug, Clone, PartialEq)]
pub enum Remark {
    /// Warning: a quantile that is not between 0 and 1.
    Quantile(f64),
    /// Warning: a ratio that is not between -1 and 1.
    Ratio {
        /// What it is.
        found: f64,
        /// What it is taken for.
        capped: f64,
    },
    /// Warning: a bucket of a histogram whose `le` is no number.
    BucketLabel(String),
    /// Warning: a range query is sorted by labels, whatever it says.
    SortInRange,
    /// Info: the rate of what is no counter by its name.
    MaybeNoCounter(String),
    /// Info: buckets of a histogram that counted less than smaller ones.
    ForcedMonotonicity,
    /// Info: an operator that means nothing between these.
    IncompatibleTypes(String),
}

impl Notes {
    /// All of them, in the order in which they were found.
    pub fn iter(&self) -> impl Iterator<Item = &Note> {
        self.0.iter()
    }

    pub(super) fn add(&mut self, remark: Remark, span: Span) {
        let is_known = |note: &Note| note.span == span && note.remark.is_same(&remark);
        if self.0.len() < MOST && !self.0.iter().any(is_known) {
            self.0.push(Note { remark, span });
        }
    }
}

impl Note {
    /// The note as Prometheus writes it, with the line and column of the query.
    pub fn in_query(&self, query: &str) -> String {
        let before = query.get(..self.span.start as usize).unwrap_or(query);
        let line = 1 + before.matches('\n').count();
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let column = 1 + before.len() - start;
        format!("{} ({line}:{column})", self.remark)
    }
}

impl Remark {
    /// Whether it says that the answer may be wrong.
    pub const fn is_warning(&self) -> bool {
        matches!(
            self,
            Self::Quantile(_) | Self::Ratio { .. } | Self::BucketLabel(_) | Self::SortInRange
        )
    }

    /// Whether it says the same, even of what is not equal to itself.
    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Quantile(one), Self::Quantile(other)) if one.is_nan() => other.is_nan(),
            _ => self == other,
        }
    }
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = if self.is_warning() { "warning" } else { "info" };
        write!(f, "PromQL {level}: ")?;
        match self {
            Self::Quantile(found) => {
                write!(f, "quantile value should be between 0 and 1, got {found}")
            }
            Self::Ratio { found, capped } => write!(
                f,
                "ratio value should be between -1 and 1, got {found}, capping to {capped}"
            ),
            Self::BucketLabel(found) => write!(
                f,
                "bucket label \"le\" is missing or has a malformed value of {found:?}"
            ),
            Self::SortInRange => f.write_str(
                "sort is ineffective for range queries since results are always ordered by labels",
            ),
            Self::MaybeNoCounter(name) => write!(
                f,
                "metric might not be a counter, name does not end in \
                 _total/_sum/_count/_bucket: {name:?}"
            ),
            Self::ForcedMonotonicity => f.write_str(
                "input to histogram_quantile needed to be fixed for monotonicity (see \
                 https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)",
            ),
            Self::IncompatibleTypes(operator) => write!(
                f,
                "incompatible sample types encountered for binary operator {operator:?}: \
                 float {operator} float"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{MOST, Notes, Remark};
    use crate::promql::Span;

    #[test]
    fn each_is_kept_once_and_not_too_many() {
        let mut notes = Notes::default();
        let span = Span { start: 7, end: 8 };
        for value in [f64::NAN, 2.0, f64::NAN, 2.0] {
            notes.add(Remark::Quantile(value), span);
        }
        let texts: Vec<String> = notes
            .iter()
            .map(|note| note.in_query("\n a +\n b"))
            .collect();
        let text = "PromQL warning: quantile value should be between 0 and 1, got";
        assert_eq!(
            texts,
            [format!("{text} NaN (3:2)"), format!("{text} 2 (3:2)")]
        );
        for value in 0..1000 {
            notes.add(Remark::MaybeNoCounter(value.to_string()), span);
        }
        assert_eq!(notes.iter().count(), MOST);
    }
}
