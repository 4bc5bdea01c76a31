//! Names of items and spaces, checked once at the border and trusted inside.
//!
//! A name is stored exactly as given. The case-folded, NFC-normalised key that
//! flags clashes is computed where it is needed (`meta`), never stored as name.

use crate::limits;
use std::fmt;
use std::str::FromStr;

/// The name of an item in its directory: 1–255 bytes of UTF-8, without `/` and
/// NUL, and neither `.` nor `..`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Box<str>);

/// The address of a space: 1–63 of `a-z`, `0-9` and `-`, not all digits: those
/// are a space's id wherever either may stand, and must name one space only.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slug(Box<str>);

/// Why a text cannot be a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The empty text.
    #[error("a name cannot be empty")]
    Empty,
    /// More than 255 bytes.
    #[error("name `{start}…` has {bytes} bytes; the limit is {limit}", limit = limits::NAME_BYTES)]
    TooLong {
        /// Its first characters.
        start: String,
        /// Its length.
        bytes: usize,
    },
    /// A character with a meaning in paths.
    #[error("name {0:?} contains `/` or NUL")]
    Separator(String),
    /// `.` or `..`.
    #[error("`{0}` names a place, not an item")]
    Dots(String),
    /// Not UTF-8.
    #[error("name {0:?} is not UTF-8")]
    NotUnicode(String),
    /// Not a slug.
    #[error("`{0}` is not a space name: expected 1 to {limit} of a-z, 0-9 and `-`, not only digits", limit = limits::SLUG_BYTES)]
    Slug(String),
}

impl Name {
    /// Checks `text`.
    ///
    /// # Errors
    /// [`NameError`] says which rule it breaks.
    pub fn new(text: &str) -> Result<Self, NameError> {
        Self::check(text).map(|()| Self(text.into()))
    }

    /// The check alone, for whoever keeps the text elsewhere.
    ///
    /// # Errors
    /// As [`Name::new`].
    pub fn check(text: &str) -> Result<(), NameError> {
        let start = || text.chars().take(40).collect::<String>();
        match text {
            "" => Err(NameError::Empty),
            "." | ".." => Err(NameError::Dots(text.to_owned())),
            _ if text.len() > limits::NAME_BYTES => Err(NameError::TooLong {
                start: start(),
                bytes: text.len(),
            }),
            _ if text.bytes().any(|b| b == b'/' || b == 0) => Err(NameError::Separator(start())),
            _ => Ok(()),
        }
    }

    /// Checks a name as the file system gave it.
    ///
    /// # Errors
    /// [`NameError::NotUnicode`], or as [`Name::new`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, NameError> {
        let text = std::str::from_utf8(bytes)
            .map_err(|_| NameError::NotUnicode(String::from_utf8_lossy(bytes).into_owned()))?;
        Self::new(text)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Slug {
    /// Checks `text`.
    ///
    /// # Errors
    /// [`NameError::Slug`].
    pub fn new(text: &str) -> Result<Self, NameError> {
        let valid = (1..=limits::SLUG_BYTES).contains(&text.len())
            && text
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !is_number(text);
        if valid {
            Ok(Self(text.into()))
        } else {
            Err(NameError::Slug(text.chars().take(80).collect()))
        }
    }

    /// The slug nearest to a person's words: lower case, runs of anything else
    /// become one `-`; `space` when nothing remains, and `space-` before what is
    /// only digits.
    pub fn nearest(words: &str) -> Self {
        let mut slug = String::new();
        for c in words.chars().flat_map(char::to_lowercase) {
            if c.is_ascii_alphanumeric() {
                slug.push(c);
            } else if !slug.is_empty() && !slug.ends_with('-') {
                slug.push('-');
            }
            if slug.len() == limits::SLUG_BYTES {
                break;
            }
        }
        let slug = slug.trim_matches('-');
        let slug = match slug {
            "" => "space".to_owned(),
            number if is_number(number) => {
                let prefix = "space-";
                let kept = number.len().min(limits::SLUG_BYTES - prefix.len());
                format!("{prefix}{}", &number[..kept])
            }
            slug => slug.to_owned(),
        };
        Self(slug.into())
    }

    /// This slug with `-number` at its end, shortened to fit: for clashes.
    pub fn numbered(&self, number: u32) -> Self {
        let suffix = format!("-{number}");
        let kept = self.0.len().min(limits::SLUG_BYTES - suffix.len());
        Self(format!("{}{suffix}", &self.0[..kept]).into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_number(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

macro_rules! text_type {
    ($type:ident) => {
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &self.0)
            }
        }
        impl FromStr for $type {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::new(text)
            }
        }
        impl AsRef<str> for $type {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}
text_type!(Name);
text_type!(Slug);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for good in [
            "a",
            "...",
            "ü",
            ".atollignore",
            "a b",
            "\n",
            &"x".repeat(255),
        ] {
            assert!(Name::new(good).is_ok(), "{good:?}");
        }
        for bad in ["", ".", "..", "a/b", "a\0", &"x".repeat(256)] {
            assert!(Name::new(bad).is_err(), "{bad:?}");
        }
        assert!(matches!(
            Name::from_bytes(b"\xff"),
            Err(NameError::NotUnicode(_))
        ));
    }

    #[test]
    fn slugs() {
        for bad in ["", "A", "a_b", "ü", "0", "65536", &"x".repeat(64)] {
            assert!(Slug::new(bad).is_err(), "{bad:?}");
        }
        for (words, slug) in [
            ("My Files!", "my-files"),
            ("--", "space"),
            ("", "space"),
            ("a", "a"),
            ("2026", "space-2026"),
            ("2026!", "space-2026"),
            ("20-26", "20-26"),
        ] {
            assert_eq!(Slug::nearest(words).as_str(), slug);
            assert_eq!(Slug::new(slug).unwrap().as_str(), slug);
        }
        let digits = Slug::nearest(&"7".repeat(99));
        assert!(Slug::new(digits.as_str()).is_ok(), "{digits}");
        let long = Slug::nearest(&"x".repeat(99));
        assert_eq!(long.as_str().len(), 63);
        assert_eq!(long.numbered(2).as_str().len(), 63);
        assert!(long.numbered(2).as_str().ends_with("x-2"));
    }
}
