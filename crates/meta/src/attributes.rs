//! Extended attributes: names with bytes that a file system keeps beside a file.
//!
//! They are told as they are; which of them a walk reads is `sync`'s decision.

use std::collections::BTreeMap;
use std::fmt;

/// Longest name in bytes (Linux's `XATTR_NAME_MAX`).
const NAME_BYTES: usize = 255;

/// Longest value in bytes (Linux's `XATTR_SIZE_MAX`).
const VALUE_BYTES: usize = 64 << 10;

/// Names and values of one file in bytes, all together: what Linux lists of one file
/// at once (`XATTR_LIST_MAX`) twice, and far more than ext4 keeps in its one block.
const ALL_BYTES: usize = 128 << 10;

/// Most attributes of one file. More have no use that is known, and each costs some bytes
/// beyond its name and value.
const MOST: usize = 256;

/// The extended attributes of a file, in the order of their names.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Attributes(Option<Box<Held>>);

/// Boxed, because most files have none.
#[derive(Clone, PartialEq, Eq, Default)]
struct Held {
    values: BTreeMap<AttributeName, Box<[u8]>>,
    /// Of names and values.
    bytes: usize,
}

/// The name of an attribute: 1–255 bytes of UTF-8 without NUL, its namespace included.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct AttributeName(Box<str>);

/// An attribute that no file can have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AttributeError {
    /// A name that is empty, too long, or has a NUL.
    #[error("the name of an attribute has 1 to {NAME_BYTES} bytes and no NUL, not {0:?}")]
    Name(String),
    /// A value that is too long.
    #[error("the attribute {name:?} has {bytes} bytes, and {VALUE_BYTES} are the most")]
    Value {
        /// Whose it is.
        name: String,
        /// How long it is.
        bytes: usize,
    },
    /// More than may be kept of one file.
    #[error("a file has {MOST} attributes at most, of {ALL_BYTES} bytes with their names")]
    All,
    /// A name that is there already.
    #[error("the attribute {0:?} is given twice")]
    Twice(String),
}

/// Of a mistaken name, what a message repeats.
const SHOWN: usize = 80;

impl AttributeName {
    /// Checks a name.
    ///
    /// # Errors
    /// [`AttributeError::Name`].
    pub fn new(text: &str) -> Result<Self, AttributeError> {
        if (1..=NAME_BYTES).contains(&text.len()) && !text.contains('\0') {
            Ok(Self(text.into()))
        } else {
            Err(AttributeError::Name(text.chars().take(SHOWN).collect()))
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Attributes {
    /// Adds one more.
    ///
    /// # Errors
    /// [`AttributeError`]; then they are as they were.
    pub fn add(&mut self, name: AttributeName, value: &[u8]) -> Result<(), AttributeError> {
        if value.len() > VALUE_BYTES {
            let (name, bytes) = (name.as_str().to_owned(), value.len());
            return Err(AttributeError::Value { name, bytes });
        }
        let mut held = self.0.take().unwrap_or_default();
        let added = held.add(name, value);
        self.0 = Some(held).filter(|held| !held.values.is_empty());
        added
    }

    /// Names and values, in the order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let all = self.0.iter().flat_map(|held| held.values.iter());
        all.map(|(name, value)| (name.as_str(), &**value))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

impl Held {
    fn add(&mut self, name: AttributeName, value: &[u8]) -> Result<(), AttributeError> {
        let bytes = self.bytes + name.as_str().len() + value.len();
        if self.values.contains_key(&name) {
            return Err(AttributeError::Twice(name.as_str().to_owned()));
        }
        if bytes > ALL_BYTES || self.values.len() == MOST {
            return Err(AttributeError::All);
        }
        self.values.insert(name, value.into());
        self.bytes = bytes;
        Ok(())
    }
}

impl fmt::Debug for Attributes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> AttributeName {
        AttributeName::new(text).unwrap()
    }

    #[test]
    fn they_are_bounded_and_named_once() {
        let mut attributes = Attributes::default();
        assert!(attributes.is_empty());
        attributes.add(name("user.b"), b"2").unwrap();
        attributes.add(name("user.a"), &[0; VALUE_BYTES]).unwrap();
        let kept = attributes.clone();
        for (name, value, error) in [
            ("user.b", &b""[..], AttributeError::Twice("user.b".into())),
            ("user.c", &[0; VALUE_BYTES], AttributeError::All),
            (
                "user.d",
                &[0; VALUE_BYTES + 1],
                AttributeError::Value {
                    name: "user.d".into(),
                    bytes: VALUE_BYTES + 1,
                },
            ),
        ] {
            let name = AttributeName::new(name).unwrap();
            assert_eq!(attributes.add(name, value), Err(error));
        }
        assert_eq!(attributes, kept);
        let mut many = Attributes::default();
        for number in 0..MOST {
            many.add(name(&format!("user.{number}")), b"").unwrap();
        }
        assert_eq!(many.add(name("user.x"), b""), Err(AttributeError::All));
        let names: Vec<_> = attributes.iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["user.a", "user.b"]);
        for text in ["", "a\0b", &"x".repeat(NAME_BYTES + 1)] {
            assert!(AttributeName::new(text).is_err());
        }
    }
}
