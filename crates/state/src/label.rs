//! Names that people give to devices and members: shown, never looked up.
//! Item names and space slugs have stricter types of their own in `base`.

use base::limits;
use std::fmt;

/// The name of a device or member: 1–128 bytes of UTF-8 without control
/// characters, so that it can be printed on one line.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label(Box<str>);

/// Why a text cannot be a label.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a device or member name has 1 to {limit} bytes and no control characters, not {start:?}", limit = limits::LABEL_BYTES)]
pub struct LabelError {
    start: String,
}

impl Label {
    /// Checks `text`.
    ///
    /// # Errors
    /// [`LabelError`] when it is empty, too long, or has a control character.
    pub fn new(text: &str) -> Result<Self, LabelError> {
        let valid =
            (1..=limits::LABEL_BYTES).contains(&text.len()) && !text.chars().any(char::is_control);
        if valid {
            Ok(Self(text.into()))
        } else {
            Err(LabelError {
                start: text.chars().take(40).collect(),
            })
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels() {
        for (text, valid) in [
            ("Ann's laptop", true),
            ("ü", true),
            (&"x".repeat(128), true),
            ("", false),
            ("a\nb", false),
            ("\u{1b}[2J", false),
            (&"x".repeat(129), false),
        ] {
            assert_eq!(Label::new(text).is_ok(), valid, "{text:?}");
        }
    }
}
