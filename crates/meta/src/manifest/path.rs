//! Where an entry of a manifest stands in its folder.

use base::limits;
use base::{Name, NameError};
use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// A path of 1–4096 bytes: names with `/` between them, or `.` for the folder itself.
///
/// Paths are in the order in which a walk meets them: a directory before what it holds,
/// its children by the bytes of their names.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct EntryPath(Box<str>);

/// A text that is no such path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// A name in it that no item can have.
    #[error("path {path:?}: {error}")]
    Name {
        /// The path, or its beginning.
        path: String,
        /// What is wrong with the name.
        error: NameError,
    },
    /// More bytes than a path may have.
    #[error("a path has {limit} bytes at most, and {0:?}… has more", limit = limits::PATH_BYTES)]
    TooLong(String),
}

/// Of a mistaken path, what a message repeats.
const SHOWN: usize = 80;

/// The folder itself.
const ROOT: &str = ".";

impl EntryPath {
    /// The folder itself.
    pub fn root() -> Self {
        Self(ROOT.into())
    }

    /// Checks a path.
    ///
    /// # Errors
    /// [`PathError`] says which name is wrong, or that it is too long.
    pub fn new(text: &str) -> Result<Self, PathError> {
        Self::check(text).map(|()| Self(text.into()))
    }

    /// A path that was written in two parts.
    pub(crate) fn of_parts(start: &str, end: &str) -> Result<Self, PathError> {
        let mut text = String::with_capacity(start.len() + end.len());
        text.push_str(start);
        text.push_str(end);
        Self::check(&text).map(|()| Self(text.into_boxed_str()))
    }

    fn check(text: &str) -> Result<(), PathError> {
        if text == ROOT {
            return Ok(());
        }
        let shown = || text.chars().take(SHOWN).collect::<String>();
        if text.len() > limits::PATH_BYTES {
            return Err(PathError::TooLong(shown()));
        }
        for name in text.split('/') {
            Name::check(name).map_err(|error| PathError::Name {
                path: shown(),
                error,
            })?;
        }
        Ok(())
    }

    /// The child of that name.
    ///
    /// # Errors
    /// [`PathError::TooLong`].
    pub fn join(&self, name: &Name) -> Result<Self, PathError> {
        match self.is_root() {
            true => Self::new(name.as_str()),
            false => {
                let path = format!("{}/{name}", self.0);
                match path.len() <= limits::PATH_BYTES {
                    true => Ok(Self(path.into())),
                    false => Err(PathError::TooLong(path.chars().take(SHOWN).collect())),
                }
            }
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is the folder itself.
    pub fn is_root(&self) -> bool {
        &*self.0 == ROOT
    }

    /// The path of the directory that holds it; none of what the folder itself holds.
    pub fn parent(&self) -> Option<&str> {
        self.0.rfind('/').map(|at| &self.0[..at])
    }

    /// The names, from the folder on; none of the folder itself.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let is_root = self.is_root();
        self.0.split('/').filter(move |_| !is_root)
    }
}

/// How two paths follow each other: the folder itself first, and the separator before
/// every byte of a name.
pub(super) fn compare(one: &str, other: &str) -> Ordering {
    let key = |text: &str| if text == ROOT { 0 } else { text.len() };
    let (one, other) = (&one.as_bytes()[..key(one)], &other.as_bytes()[..key(other)]);
    let rank = |byte: u8| if byte == b'/' { 0 } else { byte };
    match one.iter().zip(other).find(|(one, other)| one != other) {
        Some((one, other)) => rank(*one).cmp(&rank(*other)),
        None => one.len().cmp(&other.len()),
    }
}

impl PartialOrd for EntryPath {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for EntryPath {
    fn cmp(&self, other: &Self) -> Ordering {
        compare(&self.0, &other.0)
    }
}

impl FromStr for EntryPath {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        Self::new(text)
    }
}

impl fmt::Display for EntryPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for EntryPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_stand_in_the_order_of_a_walk() {
        let sorted = [".", "a", "a/b", "a/b/c", "a/c", "a ", "a-b", "a.b/x", "ab"];
        let mut paths: Vec<EntryPath> = sorted.iter().map(|text| text.parse().unwrap()).collect();
        paths.reverse();
        paths.sort();
        let texts: Vec<_> = paths.iter().map(EntryPath::as_str).collect();
        assert_eq!(texts, sorted);
    }

    #[test]
    fn none_leads_out_or_to_nowhere() {
        for text in ["", "/a", "a/", "a//b", "..", "a/../b", "./a", "a/.", "a\0"] {
            assert!(EntryPath::new(text).is_err(), "{text:?}");
        }
        let deep = "x/".repeat(2047);
        assert!(EntryPath::new(&format!("{deep}ab")).is_ok());
        let longest = EntryPath::new(&format!("{deep}ab")).unwrap();
        assert!(longest.join(&Name::new("c").unwrap()).is_err());
        assert!(EntryPath::new(&format!("{deep}abc")).is_err());
    }

    #[test]
    fn they_are_taken_apart_and_put_together() {
        let root = EntryPath::root();
        let child = root.join(&Name::new("a").unwrap()).unwrap();
        let grandchild = child.join(&Name::new("b").unwrap()).unwrap();
        assert_eq!(grandchild.as_str(), "a/b");
        assert_eq!(grandchild.parent(), Some("a"));
        assert_eq!((child.parent(), root.parent()), (None, None));
        assert_eq!(grandchild.names().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(root.names().count(), 0);
    }
}
