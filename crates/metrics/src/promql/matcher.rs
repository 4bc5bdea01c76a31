//! Label matchers: what a label's value must be for a series to be selected, and the
//! regular expressions that say so.
//!
//! How they are written is known to `parser` and `print`.

use regex_lite::{Regex, RegexBuilder};
use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fmt;

/// The label that holds a series' name.
pub const METRIC_NAME: &str = "__name__";

/// What the value of a label must be. Two are equal if they are written alike.
#[derive(Debug, Clone)]
pub struct LabelMatcher {
    name: String,
    operator: MatchOperator,
    value: String,
    /// The value, where it is a regular expression.
    pattern: Option<Pattern>,
}

/// What a regular expression asks of a value.
#[derive(Debug, Clone)]
enum Pattern {
    /// `.*`
    Anything,
    /// `.+`
    Something,
    /// Texts with bars between them, as clients write a choice of hosts, to be looked up: an
    /// expression of five thousand of them takes half a millisecond for each value.
    OneOf(BTreeSet<Box<str>>),
    Other(Regex),
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

/// How large a pattern may be when it is compiled, in bytes: five thousand names of hosts with
/// a bar between them. With groups it may be as large divided by their number, since what a
/// search holds grows with the product of both.
const COMPILED_BYTES: usize = 4 << 20;

/// A regular expression that must match all of a text, as PromQL's always must: a dot
/// stands for a line break too.
///
/// As in Go, whose expressions PromQL has, `\d`, `\w`, `\s` and `\b` know ASCII alone.
/// Classes of Unicode such as `\pL`, and `\Q…\E`, are not read.
///
/// # Errors
/// What is no regular expression, or too large a one.
pub fn anchored(pattern: &str) -> Result<Regex, regex_lite::Error> {
    // Alone first, so that no pattern closes the group that is put around it.
    let alone = bounded(pattern, COMPILED_BYTES)?;
    let most = COMPILED_BYTES / alone.captures_len().max(1);
    bounded(&format!("^(?s:{pattern})$"), most)
}

fn bounded(pattern: &str, bytes: usize) -> Result<Regex, regex_lite::Error> {
    RegexBuilder::new(pattern).size_limit(bytes).build()
}

impl LabelMatcher {
    /// A matcher for the values of a label.
    ///
    /// # Errors
    /// A value that is no regular expression where it must be one.
    pub fn new(
        name: impl Into<String>,
        operator: MatchOperator,
        value: impl Into<String>,
    ) -> Result<Self, regex_lite::Error> {
        let value = value.into();
        let pattern = operator.is_pattern().then(|| Pattern::new(&value));
        Ok(Self {
            name: name.into(),
            operator,
            pattern: pattern.transpose()?,
            value,
        })
    }

    /// A matcher for a series' name.
    pub fn of_name(name: impl Into<String>) -> Self {
        Self {
            name: METRIC_NAME.to_owned(),
            operator: MatchOperator::Equal,
            value: name.into(),
            pattern: None,
        }
    }

    /// The label. A series without it has it with an empty value.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How the value is compared.
    pub const fn operator(&self) -> MatchOperator {
        self.operator
    }

    /// What it is compared with; a regular expression where the operator says so.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// Whether a label may have this value.
    pub fn matches(&self, value: &str) -> bool {
        let is_equal = match &self.pattern {
            Some(pattern) => pattern.is_match(value),
            None => self.value == value,
        };
        is_equal != self.operator.is_negative()
    }

    /// Whether it is about the series' name.
    pub fn is_about_name(&self) -> bool {
        self.name == METRIC_NAME
    }

    /// The value that it asks for, if it asks for just one.
    pub(super) fn equal_value(&self) -> Option<&str> {
        (self.operator == MatchOperator::Equal).then_some(&self.value)
    }

    /// Whether it may take long to say whether a value matches: some milliseconds, for a
    /// pattern that is meant to.
    pub(crate) const fn is_slow(&self) -> bool {
        matches!(self.pattern, Some(Pattern::Other(_)))
    }

    /// The values that it asks for, in their order, where it lists them.
    pub(crate) fn listed(&self) -> Option<Vec<&str>> {
        match (self.operator, &self.pattern) {
            (MatchOperator::Equal, _) => Some(vec![&self.value]),
            (MatchOperator::Matches, Some(Pattern::OneOf(texts))) => {
                Some(texts.iter().map(|text| &**text).collect())
            }
            _ => None,
        }
    }

    /// The name first, then by label.
    fn sort_key(&self) -> (bool, &str, MatchOperator, &str) {
        let is_other = !self.is_about_name();
        (is_other, &self.name, self.operator, &self.value)
    }
}

impl Pattern {
    fn new(pattern: &str) -> Result<Self, regex_lite::Error> {
        match pattern {
            ".*" => Ok(Self::Anything),
            ".+" => Ok(Self::Something),
            _ => match literals(pattern) {
                Some(texts) => Ok(Self::OneOf(texts)),
                None => anchored(pattern).map(Self::Other),
            },
        }
    }

    fn is_match(&self, value: &str) -> bool {
        match self {
            Self::Anything => true,
            Self::Something => !value.is_empty(),
            Self::OneOf(texts) => texts.contains(value),
            Self::Other(pattern) => pattern.is_match(value),
        }
    }
}

/// The texts of an expression that has nothing but texts, and bars between them.
fn literals(pattern: &str) -> Option<BTreeSet<Box<str>>> {
    const SPECIAL: &str = "\\.+*?()[]{}^$|";
    let mut texts = BTreeSet::new();
    let mut text = String::new();
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        match character {
            '|' => drop(texts.insert(std::mem::take(&mut text).into())),
            // What else may be escaped has a meaning of its own.
            '\\' => text.push(characters.next().filter(|next| SPECIAL.contains(*next))?),
            other if SPECIAL.contains(other) => return None,
            other => text.push(other),
        }
    }
    texts.insert(text.into());
    Some(texts)
}

impl MatchOperator {
    /// Whether the value is a regular expression.
    pub const fn is_pattern(self) -> bool {
        matches!(self, Self::Matches | Self::NotMatches)
    }

    /// Whether it selects what the value does not match.
    pub const fn is_negative(self) -> bool {
        matches!(self, Self::NotEqual | Self::NotMatches)
    }
}

impl PartialEq for LabelMatcher {
    fn eq(&self, other: &Self) -> bool {
        self.sort_key() == other.sort_key()
    }
}

impl Eq for LabelMatcher {}

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
    use proptest::prelude::*;

    #[test]
    fn patterns_are_bounded_by_what_a_search_would_hold() {
        let hosts = vec!["server-0123.example.com"; 500].join("|");
        assert!(anchored(&hosts).is_ok());
        let groups = "(x+x+)+y".repeat(20);
        assert!(anchored(&groups).is_ok());
        for pattern in ["(x+x+)+y".repeat(500), "(?:a{900}){900}".to_owned()] {
            let error = anchored(&pattern).unwrap_err().to_string();
            assert!(error.contains("size limit"), "{error}");
        }
    }

    #[test]
    fn what_matches() {
        let check = |operator, pattern: &str, value: &str, expected| {
            let matcher = LabelMatcher::new("a", operator, pattern).unwrap();
            let found = matcher.matches(value);
            assert_eq!(found, expected, "{value:?} {operator} {pattern:?}");
        };
        check(MatchOperator::Equal, "", "", true);
        check(MatchOperator::Equal, "x", "", false);
        check(MatchOperator::Equal, "x", "x", true);
        check(MatchOperator::NotEqual, "", "", false);
        check(MatchOperator::NotEqual, "x", "", true);
        check(MatchOperator::Matches, ".*", "", true);
        check(MatchOperator::Matches, ".+", "", false);
        check(MatchOperator::Matches, "x|", "", true);
        check(MatchOperator::Matches, "a|b", "a", true);
        check(MatchOperator::Matches, "a|b", "ab", false);
        check(MatchOperator::Matches, "a.c", "a\nc", true);
        check(MatchOperator::Matches, r"a\.c|d", "a.c", true);
        check(MatchOperator::Matches, r"a\.c|d", "abc", false);
        check(MatchOperator::Matches, "(a|b)", "b", true);
        check(MatchOperator::Matches, "a", "a\n", false);
        check(MatchOperator::NotMatches, ".*", "", false);
        check(MatchOperator::NotMatches, ".+", "", true);
        check(MatchOperator::NotMatches, "a", "b", true);
    }

    proptest! {
        #[test]
        fn what_is_looked_up_is_what_an_expression_says(
            pattern in "[ab.|*+\\\\é]{0,8}",
            value in "[ab.|*é\n]{0,4}",
        ) {
            if let Ok(expression) = anchored(&pattern) {
                let matcher = LabelMatcher::new("a", MatchOperator::Matches, pattern).unwrap();
                prop_assert_eq!(matcher.matches(&value), expression.is_match(&value));
            }
        }
    }

    #[test]
    fn what_is_no_pattern() {
        for pattern in ["(", "a)(b", "*", "(a{1000}){1000}"] {
            assert!(anchored(pattern).is_err(), "{pattern}");
            assert!(LabelMatcher::new("a", MatchOperator::NotMatches, pattern).is_err());
        }
        let names: Vec<_> = (0..5000).map(|number| format!("host-{number}")).collect();
        assert!(anchored(&names.join("|")).is_ok(), "a list of a long query");
    }
}
