//! Label matchers: what a label's value must be for a series to be selected, and the
//! regular expressions that say so.
//!
//! How they are written is known to `parser` and `print`.

use regex_lite::Regex;
use std::cmp::Ordering;
use std::fmt;

/// The label that holds a series' name.
pub const METRIC_NAME: &str = "__name__";

/// What the value of a label must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelMatcher {
    /// The label. A series without it has it with an empty value.
    pub name: String,
    /// How the value is compared.
    pub operator: MatchOperator,
    /// What it is compared with; a regular expression where the operator says so.
    pub value: String,
}

/// How a label's value is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MatchOperator {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `=~`
    Matches,
    /// `!~`
    NotMatches,
}

/// A regular expression that must match all of a text, as PromQL's always must: a dot
/// stands for a line break too.
///
/// # Errors
/// What is no regular expression, or too large a one.
pub fn anchored(pattern: &str) -> Result<Regex, regex_lite::Error> {
    // Alone first, so that no pattern closes the group that is put around it.
    Regex::new(pattern)?;
    Regex::new(&format!("^(?s:{pattern})$"))
}

impl LabelMatcher {
    /// A matcher for a series' name.
    pub fn of_name(name: impl Into<String>) -> Self {
        Self {
            name: METRIC_NAME.to_owned(),
            operator: MatchOperator::Equal,
            value: name.into(),
        }
    }

    /// Whether a series without the label matches, or one with an empty value, which is
    /// the same. No regular expression that cannot be read matches.
    pub fn matches_empty(&self) -> bool {
        let pattern_does = || anchored(&self.value).is_ok_and(|regex| regex.is_match(""));
        match self.operator {
            MatchOperator::Equal => self.value.is_empty(),
            MatchOperator::NotEqual => !self.value.is_empty(),
            MatchOperator::Matches => pattern_does(),
            MatchOperator::NotMatches => !pattern_does(),
        }
    }

    /// Whether it is about the series' name.
    pub(super) fn is_about_name(&self) -> bool {
        self.name == METRIC_NAME
    }

    fn sort_key(&self) -> (bool, &str, MatchOperator, &str) {
        let is_other = !self.is_about_name();
        (is_other, &self.name, self.operator, &self.value)
    }

    /// The value that it asks for, if it asks for just one.
    pub(super) fn equal_value(&self) -> Option<&str> {
        (self.operator == MatchOperator::Equal).then_some(&self.value)
    }
}

impl MatchOperator {
    /// Whether the value is a regular expression.
    pub const fn is_pattern(self) -> bool {
        matches!(self, Self::Matches | Self::NotMatches)
    }
}

/// The name first, then by label.
impl Ord for LabelMatcher {
    fn cmp(&self, other: &Self) -> Ordering {
        self.sort_key().cmp(&other.sort_key())
    }
}

impl PartialOrd for LabelMatcher {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for MatchOperator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Matches => "=~",
            Self::NotMatches => "!~",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{LabelMatcher, MatchOperator, anchored};

    #[test]
    fn the_empty_value() {
        let check = |operator, value: &str, expected| {
            let matcher = LabelMatcher {
                name: "a".to_owned(),
                operator,
                value: value.to_owned(),
            };
            assert_eq!(matcher.matches_empty(), expected, "{operator}{value:?}");
        };
        check(MatchOperator::Equal, "", true);
        check(MatchOperator::Equal, "x", false);
        check(MatchOperator::NotEqual, "", false);
        check(MatchOperator::NotEqual, "x", true);
        check(MatchOperator::Matches, ".*", true);
        check(MatchOperator::Matches, ".+", false);
        check(MatchOperator::Matches, "x|", true);
        check(MatchOperator::NotMatches, ".*", false);
        check(MatchOperator::NotMatches, ".+", true);
    }

    #[test]
    fn patterns_match_all_of_a_text() {
        let check = |pattern: &str, text: &str, expected| {
            let regex = anchored(pattern).unwrap();
            assert_eq!(regex.is_match(text), expected, "{pattern} {text:?}");
        };
        check("a|b", "a", true);
        check("a|b", "ab", false);
        check("a.c", "a\nc", true);
        check("a", "a\n", false);
        assert!(anchored("a)(b").is_err());
        assert!(anchored("(").is_err());
    }
}
