//! What is remarkable about an answer that is an answer all the same: Prometheus'
//! warnings and infos, in its words.

use crate::promql::Span;
use std::fmt;

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
        let note = Note { remark, span };
        let text = note.remark.to_string();
        let is_same = |other: &Note| other.span == span && other.remark.to_string() == text;
        if !self.0.iter().any(is_same) {
            self.0.push(note);
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
