//! Words with a meaning of their own, in whatever case they are written, and where they
//! are names all the same.
//!
//! Function names are none of them: they are in `functions`.

use super::operator::AggregateOperator;

/// A word that the grammar knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keyword {
    And,
    Or,
    Unless,
    Atan2,
    Aggregate(AggregateOperator),
    Bool,
    By,
    Without,
    On,
    Ignoring,
    GroupLeft,
    GroupRight,
    Fill,
    FillLeft,
    FillRight,
    Offset,
    Anchored,
    Smoothed,
    Start,
    End,
    Step,
    Range,
    MaxOf,
    MinOf,
    Infinity,
    NaN,
}

impl Keyword {
    pub(super) fn of(word: &str) -> Option<Self> {
        let word = word.to_ascii_lowercase();
        Some(match word.as_str() {
            "and" => Self::And,
            "or" => Self::Or,
            "unless" => Self::Unless,
            "atan2" => Self::Atan2,
            "bool" => Self::Bool,
            "by" => Self::By,
            "without" => Self::Without,
            "on" => Self::On,
            "ignoring" => Self::Ignoring,
            "group_left" => Self::GroupLeft,
            "group_right" => Self::GroupRight,
            "fill" => Self::Fill,
            "fill_left" => Self::FillLeft,
            "fill_right" => Self::FillRight,
            "offset" => Self::Offset,
            "anchored" => Self::Anchored,
            "smoothed" => Self::Smoothed,
            "start" => Self::Start,
            "end" => Self::End,
            "step" => Self::Step,
            "range" => Self::Range,
            "max_of" => Self::MaxOf,
            "min_of" => Self::MinOf,
            "inf" => Self::Infinity,
            "nan" => Self::NaN,
            other => Self::Aggregate(AggregateOperator::named(other)?),
        })
    }

    /// Whether a metric may have this name without quotes, where an operand is expected.
    pub(super) const fn names_metric(self) -> bool {
        !matches!(
            self,
            Self::Atan2
                | Self::Bool
                | Self::On
                | Self::Ignoring
                | Self::GroupLeft
                | Self::GroupRight
                | Self::Infinity
                | Self::NaN
        )
    }

    /// Whether a label may have this name without quotes behind `by` and its like.
    /// Between braces every word is a label's.
    pub(super) const fn names_label(self) -> bool {
        !matches!(self, Self::Without | Self::Infinity | Self::NaN)
    }

    /// Whether there is a function of this name: other keywords before a parenthesis
    /// call nothing.
    pub(super) const fn names_function(self) -> bool {
        matches!(
            self,
            Self::Start | Self::End | Self::Step | Self::Range | Self::MaxOf | Self::MinOf
        )
    }

    /// How a message names it, as Prometheus' do.
    pub(super) fn described(self, word: &str) -> String {
        match self {
            Self::And | Self::Or | Self::Unless | Self::Atan2 => format!("<op:{word}>"),
            Self::Aggregate(_) => format!("<aggr:{word}>"),
            Self::Infinity | Self::NaN => format!("number {word:?}"),
            _ if self.names_function() => format!("{word:?}"),
            _ => format!("<{word}>"),
        }
    }
}

/// Whether a metric may have a name without quotes.
pub(super) fn is_bare_metric(name: &str) -> bool {
    is_word(name, |c| c == ':') && Keyword::of(name).is_none_or(Keyword::names_metric)
}

/// Whether a label may have a name without quotes, between braces.
pub(super) fn is_bare_label(name: &str) -> bool {
    is_word(name, |_| false)
}

/// Whether a label may have a name without quotes, behind `by` and its like.
pub(super) fn is_bare_grouping_label(name: &str) -> bool {
    is_bare_label(name) && Keyword::of(name).is_none_or(Keyword::names_label)
}

fn is_word(name: &str, is_also: fn(char) -> bool) -> bool {
    let begins = |c: char| c.is_ascii_alphabetic() || c == '_' || is_also(c);
    name.starts_with(begins) && name.chars().all(|c| begins(c) || c.is_ascii_digit())
}
