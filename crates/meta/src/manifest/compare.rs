//! What two records of one path differ in.
//!
//! Only what both say is compared: a manifest that knows no times is no reason to
//! report every file. Versions and sync states are no part of what a file is.

use crate::content_hash::ContentHash;
use crate::metadata::{Mode, Timestamp};
use crate::record::{Record, RecordKind};
use std::fmt;

/// Which aspects are looked at, beside the kind and the content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Aspects {
    /// Permission bits.
    pub mode: bool,
    /// Times of modification.
    pub mtime: bool,
    /// Extended attributes.
    pub attributes: bool,
}

/// One aspect in which two records differ: of the first, and of the second.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Aspect {
    /// What they are.
    Kind(&'static str, &'static str),
    /// Lengths.
    Size(u64, u64),
    /// Hashes of the content.
    Hash(ContentHash, ContentHash),
    /// The algorithms of the hashes, where it is not the same one: they tell nothing of the
    /// content.
    Algorithm(&'static str, &'static str),
    /// Targets of links.
    Target(String, String),
    /// Permission bits.
    Mode(Mode, Mode),
    /// Times of modification.
    Mtime(Timestamp, Timestamp),
    /// An extended attribute, by its name; which one, if they both have it.
    Attribute(String),
}

impl Aspects {
    /// All of them.
    pub const ALL: Self = Self {
        mode: true,
        mtime: true,
        attributes: true,
    };

    /// Nothing beside the kind and the content.
    pub const CONTENT: Self = Self {
        mode: false,
        mtime: false,
        attributes: false,
    };
}

impl Aspect {
    /// Its name, for programs.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Kind(..) => "kind",
            Self::Size(..) => "size",
            Self::Hash(..) => "hash",
            Self::Algorithm(..) => "algorithm",
            Self::Target(..) => "target",
            Self::Mode(..) => "mode",
            Self::Mtime(..) => "mtime",
            Self::Attribute(..) => "attribute",
        }
    }
}

/// As a line for people: `mode 0644 -> 0600`.
impl fmt::Display for Aspect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Algorithm(one, other) = self {
            return write!(f, "hash: {one} and {other} cannot be compared");
        }
        write!(f, "{} ", self.name())?;
        match self {
            Self::Algorithm(..) => Ok(()),
            Self::Kind(one, other) => write!(f, "{one} -> {other}"),
            Self::Size(one, other) => write!(f, "{one} -> {other}"),
            Self::Hash(one, other) => write!(f, "{one} -> {other}"),
            Self::Target(one, other) => write!(f, "{one:?} -> {other:?}"),
            Self::Mode(one, other) => write!(f, "{:04o} -> {:04o}", one.bits(), other.bits()),
            Self::Mtime(one, other) => write!(f, "{one} -> {other}"),
            Self::Attribute(name) => write!(f, "{name:?}"),
        }
    }
}

/// In what the second differs from the first.
pub fn differences(one: &Record, other: &Record, aspects: Aspects) -> Vec<Aspect> {
    let mut found = Vec::new();
    content(&one.kind, &other.kind, &mut found);
    if aspects.mode
        && let (Some(one), Some(other)) = (one.mode(), other.mode())
        && one != other
    {
        found.push(Aspect::Mode(one, other));
    }
    if aspects.mtime
        && let (Some(one), Some(other)) = (one.mtime, other.mtime)
        && one != other
    {
        found.push(Aspect::Mtime(one, other));
    }
    if aspects.attributes {
        attributes(one, other, &mut found);
    }
    found
}

fn content(one: &RecordKind, other: &RecordKind, found: &mut Vec<Aspect>) {
    match (one, other) {
        (
            RecordKind::File { size, hash, .. },
            RecordKind::File {
                size: other_size,
                hash: other_hash,
                ..
            },
        ) => {
            if let (Some(one), Some(other)) = (size, other_size)
                && one != other
            {
                found.push(Aspect::Size(*one, *other));
            }
            if let (Some(one), Some(other)) = (hash, other_hash)
                && one != other
            {
                let (by, other_by) = (algorithm(one), algorithm(other));
                found.push(if by == other_by {
                    Aspect::Hash(*one, *other)
                } else {
                    Aspect::Algorithm(by, other_by)
                });
            }
        }
        (RecordKind::Directory { .. }, RecordKind::Directory { .. }) => {}
        (RecordKind::Symlink(one), RecordKind::Symlink(other)) => {
            if one != other {
                let (one, other) = (one.as_str().to_owned(), other.as_str().to_owned());
                found.push(Aspect::Target(one, other));
            }
        }
        _ => found.push(Aspect::Kind(one.as_str(), other.as_str())),
    }
}

const fn algorithm(hash: &ContentHash) -> &'static str {
    match hash {
        ContentHash::Blake3(_) => "blake3",
        ContentHash::Sha256(_) => "sha256",
    }
}

fn attributes(one: &Record, other: &Record, found: &mut Vec<Aspect>) {
    let lacks = |record: &Record, name: &str, value: &[u8]| {
        !record.attributes.iter().any(|known| known == (name, value))
    };
    let missing = |from: &Record, to: &Record| -> Vec<String> {
        let differing = from.attributes.iter();
        let differing = differing.filter(|(name, value)| lacks(to, name, value));
        differing.map(|(name, _)| name.to_owned()).collect()
    };
    let mut names = missing(one, other);
    names.extend(missing(other, one));
    names.sort();
    names.dedup();
    found.extend(names.into_iter().map(Aspect::Attribute));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attributes::AttributeName;
    use crate::metadata::Target;
    use base::Hash;

    fn file(size: u64, content: &[u8], mode: u32) -> Record {
        let mut record = Record::new(
            1,
            RecordKind::File {
                size: Some(size),
                hash: Some(Hash::of(content).into()),
                mode: Some(Mode::new(mode).unwrap()),
            },
        );
        record.mtime = Some(Timestamp::default());
        record
    }

    #[track_caller]
    fn check(one: &Record, other: &Record, aspects: Aspects, expected: &[&str]) {
        let found = differences(one, other, aspects);
        let found: Vec<_> = found.iter().map(ToString::to_string).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn what_both_say_is_compared() {
        let known = file(1, b"a", 0o644);
        let little = Record::new(
            9,
            RecordKind::File {
                size: None,
                hash: None,
                mode: None,
            },
        );
        check(&known, &little, Aspects::ALL, &[]);
        check(&known, &known.clone(), Aspects::ALL, &[]);
        let mut other = file(2, b"a", 0o600);
        other.mtime = Some(Timestamp::new(1, 0).unwrap());
        let expected = [
            "size 1 -> 2",
            "mode 0644 -> 0600",
            "mtime 1970-01-01T00:00:00Z -> 1970-01-01T00:00:01Z",
        ];
        check(&known, &other, Aspects::ALL, &expected);
        check(&known, &other, Aspects::CONTENT, &expected[..1]);
    }

    #[test]
    fn hashes_of_two_kinds_are_not_equal() {
        let known = file(1, b"a", 0o644);
        let mut other = known.clone();
        if let RecordKind::File { hash, .. } = &mut other.kind {
            *hash = Some(ContentHash::Sha256([1; 32]));
        }
        let expected = ["hash: blake3 and sha256 cannot be compared"];
        check(&known, &other, Aspects::CONTENT, &expected);
    }

    #[test]
    fn kinds_targets_and_attributes() {
        let link = |target| Record::new(1, RecordKind::Symlink(Target::new(target).unwrap()));
        check(
            &link("a"),
            &link("b"),
            Aspects::CONTENT,
            &["target \"a\" -> \"b\""],
        );
        check(
            &link("a"),
            &file(1, b"", 0),
            Aspects::ALL,
            &["kind symlink -> file"],
        );
        let with = |pairs: &[(&str, &str)]| {
            let mut record = file(1, b"", 0);
            for (name, value) in pairs {
                let name = AttributeName::new(name).unwrap();
                record.attributes.add(name, value.as_bytes()).unwrap();
            }
            record
        };
        let (one, other) = (
            with(&[("a", "1"), ("b", "2"), ("c", "3")]),
            with(&[("b", "2"), ("c", "4"), ("d", "5")]),
        );
        let expected = ["attribute \"a\"", "attribute \"c\"", "attribute \"d\""];
        check(&one, &other, Aspects::ALL, &expected);
    }
}
