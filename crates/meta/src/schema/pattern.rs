//! Patterns: regular expressions that must match all of a text, in time that grows
//! with the text and the pattern and never faster.

use regex_lite::{Regex, RegexBuilder};

/// Longest pattern, in bytes: beyond what anyone can read.
pub(super) const PATTERN_BYTES: usize = 1024;

/// Longest text that is matched, in bytes; a longer one is too long. Matching takes
/// time in proportion to text times pattern, and what is longer is no identifier.
pub(super) const MATCHED_BYTES: u64 = 64 * 1024;

/// Memory of one compiled pattern, in bytes: enough for `[^/]{1,255}`, while what
/// repeats repetitions is refused before it was unrolled.
const COMPILED_BYTES: usize = 64 * 1024;

/// Groups in each other; more than anyone nests.
const NESTING: u32 = 16;

/// A compiled pattern, and its text for messages.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    text: Box<str>,
    regex: Regex,
}

impl Pattern {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// Why it is none.
    pub(super) fn new(text: &str) -> Result<Self, String> {
        if text.len() > PATTERN_BYTES {
            return Err(format!("it has more than {PATTERN_BYTES} bytes"));
        }
        // Alone first: `a)|(b` must not become a pattern by the group around it.
        compile(text)?;
        let regex = compile(&format!(r"\A(?:{text})\z"))?;
        let text = text.into();
        Ok(Self { text, regex })
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it matches the whole text.
    pub(super) fn matches(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }
}

fn compile(pattern: &str) -> Result<Regex, String> {
    RegexBuilder::new(pattern)
        .size_limit(COMPILED_BYTES)
        .nest_limit(NESTING)
        .build()
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_of_the_text_is_matched() {
        for (pattern, text, expected) in [
            ("a|ab", "ab", true),
            ("a|ab", "abc", false),
            ("", "", true),
            ("", "x", false),
            ("(?m)^a$", "a\nb", false),
            ("[^/]{1,255}", "é", true),
            ("(?i)x", "X", true),
        ] {
            let pattern = Pattern::new(pattern).unwrap();
            assert_eq!(pattern.matches(text), expected, "{pattern:?} {text}");
        }
    }

    #[test]
    fn what_is_no_pattern_or_too_large() {
        let long = "a".repeat(PATTERN_BYTES + 1);
        for pattern in [
            "(",
            "a)|(b",
            "[z-a]",
            r"\p{L}",
            "(a{1000}){1000}",
            "(?:){4294967295}",
            "(?:a{0}){1000000000}",
            &"(".repeat(500),
            &long,
        ] {
            assert!(Pattern::new(pattern).is_err(), "{pattern:.80}");
        }
    }
}
