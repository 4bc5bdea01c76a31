//! What a document says of one file: its version must be known, everything else may be.
//!
//! A [`Record`] has no name, because a manifest gives it a path and a document of its
//! own a name ([`FileMetadata`]). What belongs to one kind of file alone lies in that
//! kind, so that no link has a size and no directory a hash.

use crate::attributes::Attributes;
use crate::content_hash::ContentHash;
use crate::metadata::{Kind, Metadata, Mode, Target, Timestamp};
use base::{Name, limits};
use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;

/// One file as a document of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileMetadata {
    /// Its name in its directory.
    pub name: Name,
    /// What is known of it.
    pub record: Record,
}

/// What is known of one file, whatever its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The counter of its version; 0 of a file that no node has heard of.
    pub version: u64,
    /// File, directory or symbolic link, with what belongs to that kind alone.
    pub kind: RecordKind,
    /// Time of the last modification.
    pub mtime: Option<Timestamp>,
    /// Who else has it.
    pub sync_state: Option<SyncState>,
    /// Extended attributes.
    pub attributes: Attributes,
    /// Fields that a newer Atoll wrote into the bytes it was read from, as they stand
    /// there; see [`crate::binary`].
    pub unrecognized: Box<[u8]>,
}

/// What a file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordKind {
    /// A regular file.
    File {
        /// Length in bytes.
        size: Option<u64>,
        /// Hash of its bytes.
        hash: Option<ContentHash>,
        /// Permission bits.
        mode: Option<Mode>,
    },
    /// A directory.
    Directory {
        /// Permission bits.
        mode: Option<Mode>,
    },
    /// A symbolic link, which has no permissions of its own.
    Symlink(Target),
}

/// How a file stands between this place and the others that have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncState {
    /// How it stands.
    pub status: Status,
    /// When its version was made, by the clock of whoever proposed it.
    pub last_modified: Option<Timestamp>,
    /// Who has which version.
    pub replicas: Replicas,
}

/// How a file stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// All that is known here is known there, and the other way round.
    Synced,
    /// It was changed here since.
    Modified,
    /// A newer version is known and not here yet.
    Pending,
    /// It was changed here and elsewhere, and nobody has decided.
    Conflict,
}

/// Who has which version: [`Replicas::MOST`] at most, each node once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Replicas(Vec<Replica>);

/// A version that a node has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replica {
    /// Which node.
    pub node: NodeName,
    /// The counter of its version.
    pub version: NonZeroU64,
}

/// What a node is called: 1–128 bytes of UTF-8 without control characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeName(Box<str>);

/// A record that says what cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// A status that there is not.
    #[error("{0:?} is no status: expected \"synced\", \"modified\", \"pending\" or \"conflict\"")]
    Status(String),
    /// A node's name that is empty, too long, or has control characters.
    #[error("a node's name has 1 to {limit} bytes and no control characters, not {0:?}", limit = limits::LABEL_BYTES)]
    NodeName(String),
    /// More replicas than a site can have nodes, and folders that follow it be listed.
    #[error("a file has {limit} replicas at most", limit = Replicas::MOST)]
    Replicas,
    /// A node that stands there already.
    #[error("the node {0:?} is given twice")]
    NodeTwice(String),
    /// A record that leaves out what a version must have.
    #[error("a version has a {0}, and none is given")]
    Incomplete(&'static str),
    /// Content that is known by another hash than a node keeps.
    #[error("a version's content is known by its BLAKE3 hash, and only SHA-256 is given")]
    OtherHash,
    /// A file that is too large for a version.
    #[error("a version's file has {limit} bytes at most, not {0}", limit = limits::FILE_BYTES)]
    Size(u64),
}

/// Of a mistaken text, what a message repeats.
const SHOWN: usize = 80;

impl Record {
    /// A record of a file of that kind, of which nothing else is known.
    pub fn new(version: u64, kind: RecordKind) -> Self {
        Self {
            version,
            kind,
            mtime: None,
            sync_state: None,
            attributes: Attributes::default(),
            unrecognized: Box::default(),
        }
    }

    /// A version as the engine has it.
    pub fn of(version: u64, metadata: &Metadata) -> Self {
        let mode = Some(metadata.mode);
        let kind = match &metadata.kind {
            Kind::File { hash, size } => RecordKind::File {
                size: Some(*size),
                hash: Some((*hash).into()),
                mode,
            },
            Kind::Directory => RecordKind::Directory { mode },
            Kind::Symlink(target) => RecordKind::Symlink(target.clone()),
        };
        let mut record = Self::new(version, kind);
        record.mtime = Some(metadata.modified);
        record
    }

    /// The version that it describes, if it says all of it.
    ///
    /// # Errors
    /// [`RecordError::Incomplete`], [`RecordError::OtherHash`], [`RecordError::Size`].
    pub fn to_metadata(&self) -> Result<Metadata, RecordError> {
        let missing = RecordError::Incomplete;
        let modified = self.mtime.ok_or(missing("mtime"))?;
        match &self.kind {
            RecordKind::File { size, hash, mode } => {
                let size = size.ok_or(missing("size"))?;
                let ContentHash::Blake3(hash) = hash.ok_or(missing("hash"))? else {
                    return Err(RecordError::OtherHash);
                };
                let mode = mode.ok_or(missing("mode"))?;
                Metadata::file(hash, size, mode, modified).map_err(|_| RecordError::Size(size))
            }
            RecordKind::Directory { mode } => {
                let mode = mode.ok_or(missing("mode"))?;
                Ok(Metadata::directory(mode, modified))
            }
            RecordKind::Symlink(target) => Ok(Metadata::symlink(target.clone(), modified)),
        }
    }

    /// Its permission bits, if it is of a kind that has them and they are known.
    pub fn mode(&self) -> Option<Mode> {
        match self.kind {
            RecordKind::File { mode, .. } | RecordKind::Directory { mode } => mode,
            RecordKind::Symlink(_) => None,
        }
    }

    /// Whether it is a directory.
    pub const fn is_directory(&self) -> bool {
        matches!(self.kind, RecordKind::Directory { .. })
    }
}

impl RecordKind {
    /// What it is called in texts.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::File { .. } => "file",
            Self::Directory { .. } => "directory",
            Self::Symlink(_) => "symlink",
        }
    }
}

impl Status {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Synced, Self::Modified, Self::Pending, Self::Conflict];

    /// Its text.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Synced => "synced",
            Self::Modified => "modified",
            Self::Pending => "pending",
            Self::Conflict => "conflict",
        }
    }
}

impl FromStr for Status {
    type Err = RecordError;

    fn from_str(text: &str) -> Result<Self, RecordError> {
        let found = Self::ALL.into_iter().find(|status| status.as_str() == text);
        found.ok_or_else(|| RecordError::Status(text.chars().take(SHOWN).collect()))
    }
}

impl Replicas {
    /// A site has nine nodes; the rest is for the folders that follow it.
    pub const MOST: usize = 64;

    /// Adds one more.
    ///
    /// # Errors
    /// [`RecordError::Replicas`] or [`RecordError::NodeTwice`]; then they are as they
    /// were.
    pub fn add(&mut self, replica: Replica) -> Result<(), RecordError> {
        if self.0.len() == Self::MOST {
            return Err(RecordError::Replicas);
        }
        if self.0.iter().any(|known| known.node == replica.node) {
            return Err(RecordError::NodeTwice(replica.node.0.into_string()));
        }
        self.0.push(replica);
        Ok(())
    }

    /// All of them, in the order that they were added.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Replica> {
        self.0.iter()
    }
}

impl NodeName {
    /// Checks a name.
    ///
    /// # Errors
    /// [`RecordError::NodeName`].
    pub fn new(text: &str) -> Result<Self, RecordError> {
        let valid = (1..=limits::LABEL_BYTES).contains(&text.len())
            && !text.contains(|character: char| character.is_control());
        if valid {
            Ok(Self(text.into()))
        } else {
            Err(RecordError::NodeName(text.chars().take(SHOWN).collect()))
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::Hash;

    fn replica(node: &str) -> Replica {
        Replica {
            node: NodeName::new(node).unwrap(),
            version: NonZeroU64::MIN,
        }
    }

    #[test]
    fn versions_are_records_and_back() {
        let time = Timestamp::new(-1, 1).unwrap();
        for metadata in [
            Metadata::file(Hash::of(b"a"), 1, Mode::FILE, time).unwrap(),
            Metadata::directory(Mode::DIRECTORY, time),
            Metadata::symlink(Target::new("a").unwrap(), time),
        ] {
            assert_eq!(Record::of(7, &metadata).to_metadata(), Ok(metadata));
        }
    }

    #[test]
    fn what_is_not_known_is_named() {
        let directory = RecordKind::Directory { mode: None };
        let mut record = Record::new(1, directory);
        assert_eq!(record.to_metadata(), Err(RecordError::Incomplete("mtime")));
        record.mtime = Some(Timestamp::default());
        assert_eq!(record.to_metadata(), Err(RecordError::Incomplete("mode")));
        record.kind = RecordKind::File {
            size: Some(1),
            hash: Some(ContentHash::Sha256([0; 32])),
            mode: Some(Mode::FILE),
        };
        assert_eq!(record.to_metadata(), Err(RecordError::OtherHash));
        record.kind = RecordKind::File {
            size: Some(u64::MAX),
            hash: Some(Hash::of(b"").into()),
            mode: Some(Mode::FILE),
        };
        assert_eq!(record.to_metadata(), Err(RecordError::Size(u64::MAX)));
    }

    #[test]
    fn replicas_are_bounded_and_named_once() {
        let mut replicas = Replicas::default();
        for number in 0..Replicas::MOST {
            replicas.add(replica(&format!("n{number}"))).unwrap();
        }
        assert_eq!(
            replicas.add(replica("one more")),
            Err(RecordError::Replicas)
        );
        let mut two = Replicas::default();
        two.add(replica("a")).unwrap();
        let twice = two.add(replica("a"));
        assert_eq!(twice, Err(RecordError::NodeTwice("a".to_owned())));
        for name in ["", "a\n", &"x".repeat(129)] {
            assert!(NodeName::new(name).is_err());
        }
        assert!("Synced".parse::<Status>().is_err());
    }
}
