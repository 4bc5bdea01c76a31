//! What Atoll knows about a file, as types in which illegal states cannot be
//! written down. Pure: no I/O, no clock.
//!
//! `text` is the language in which people read and edit metadata, and `schema` says
//! what its documents must hold; its trees are not yet converted from and to these
//! types, which `state` and `sync` carry in their own messages.

mod fold;
pub mod schema;
pub mod text;

pub use fold::clash_key;

use base::{Hash, limits};

/// Everything about one state of an item except its name and place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    /// File, directory or symbolic link, with what belongs to that kind alone.
    pub kind: Kind,
    /// Permission bits (`st_mode & 0o7777`). Meaningless for symbolic links,
    /// where it is always `0o777`.
    pub mode: Mode,
    /// Time of the last modification as the client's file system had it: shown
    /// and restored, never compared to decide which of two versions is newer.
    pub modified: Timestamp,
}

/// What an item is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A regular file: its bytes, by name and number.
    File {
        /// BLAKE3 of the content.
        hash: Hash,
        /// Length in bytes, at most [`limits::FILE_BYTES`].
        size: u64,
    },
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink(Target),
}

/// Unix permission bits, `0o7777` at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mode(u16);

/// Seconds and nanoseconds since 1970, as `utimensat` takes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp {
    seconds: i64,
    nanoseconds: u32,
}

/// Where a symbolic link points: 1–4096 bytes of UTF-8 without NUL, never
/// followed by Atoll.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target(Box<str>);

/// A value no file can have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MetadataError {
    /// Mode bits beyond `0o7777`.
    #[error("mode {0:o} has bits beyond 7777")]
    Mode(u32),
    /// A nanosecond count of a second or more.
    #[error("{0} nanoseconds are a second or more")]
    Nanoseconds(u32),
    /// A link target that is empty, too long, or has a NUL.
    #[error("a link target has 1 to {limit} bytes of UTF-8 and no NUL, not {0:?}", limit = limits::TARGET_BYTES)]
    Target(String),
    /// A size beyond the largest file.
    #[error("a file of {0} bytes is beyond the limit of {limit}", limit = limits::FILE_BYTES)]
    Size(u64),
}

impl Mode {
    /// For links, whose own mode no system uses.
    pub const LINK: Self = Self(0o777);
    /// A file that its owner edits and everyone reads.
    pub const FILE: Self = Self(0o644);
    /// A directory that its owner edits and everyone reads.
    pub const DIRECTORY: Self = Self(0o755);

    /// Checks permission bits.
    ///
    /// # Errors
    /// [`MetadataError::Mode`] for bits beyond `0o7777`.
    pub fn new(bits: u32) -> Result<Self, MetadataError> {
        if bits <= 0o7777 {
            Ok(Self(bits as u16))
        } else {
            Err(MetadataError::Mode(bits))
        }
    }

    /// The bits.
    pub const fn bits(self) -> u32 {
        self.0 as u32
    }

    /// This mode with more permissions; bits beyond `0o7777` are dropped.
    #[must_use]
    pub const fn with(self, bits: u32) -> Self {
        Self(self.0 | (bits & 0o7777) as u16)
    }
}

impl Timestamp {
    /// Checks a time.
    ///
    /// # Errors
    /// [`MetadataError::Nanoseconds`] for 10^9 or more of them.
    pub fn new(seconds: i64, nanoseconds: u32) -> Result<Self, MetadataError> {
        if nanoseconds < 1_000_000_000 {
            Ok(Self {
                seconds,
                nanoseconds,
            })
        } else {
            Err(MetadataError::Nanoseconds(nanoseconds))
        }
    }

    /// Whole seconds since 1970, negative before.
    pub const fn seconds(self) -> i64 {
        self.seconds
    }

    /// Nanoseconds after that second, below 10^9.
    pub const fn nanoseconds(self) -> u32 {
        self.nanoseconds
    }
}

impl Target {
    /// Checks a link target.
    ///
    /// # Errors
    /// [`MetadataError::Target`].
    pub fn new(text: &str) -> Result<Self, MetadataError> {
        let valid = (1..=limits::TARGET_BYTES).contains(&text.len()) && !text.contains('\0');
        if valid {
            Ok(Self(text.into()))
        } else {
            Err(MetadataError::Target(text.chars().take(80).collect()))
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Metadata {
    /// A regular file.
    ///
    /// # Errors
    /// [`MetadataError::Size`] beyond [`limits::FILE_BYTES`].
    pub fn file(
        hash: Hash,
        size: u64,
        mode: Mode,
        modified: Timestamp,
    ) -> Result<Self, MetadataError> {
        if size > limits::FILE_BYTES {
            return Err(MetadataError::Size(size));
        }
        Ok(Self {
            kind: Kind::File { hash, size },
            mode,
            modified,
        })
    }

    /// A directory.
    pub const fn directory(mode: Mode, modified: Timestamp) -> Self {
        Self {
            kind: Kind::Directory,
            mode,
            modified,
        }
    }

    /// A symbolic link.
    pub const fn symlink(target: Target, modified: Timestamp) -> Self {
        Self {
            kind: Kind::Symlink(target),
            mode: Mode::LINK,
            modified,
        }
    }

    /// Whether it is a directory.
    pub const fn is_directory(&self) -> bool {
        matches!(self.kind, Kind::Directory)
    }

    /// Hash and size of a regular file's bytes.
    pub const fn content(&self) -> Option<(Hash, u64)> {
        match self.kind {
            Kind::File { hash, size } => Some((hash, size)),
            Kind::Directory | Kind::Symlink(_) => None,
        }
    }

    /// Whether both are the same thing apart from mode and time: equal bytes,
    /// equal target, or both directories.
    pub fn same_content(&self, other: &Self) -> bool {
        self.kind == other.kind
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn illegal_values_are_refused() {
        assert_eq!(Mode::new(0o10000), Err(MetadataError::Mode(0o10000)));
        assert!(Timestamp::new(-1, 1_000_000_000).is_err());
        for target in ["", "a\0b", &"x".repeat(4097)] {
            assert!(Target::new(target).is_err());
        }
        let hash = Hash::of(b"");
        assert!(
            Metadata::file(
                hash,
                limits::FILE_BYTES + 1,
                Mode::FILE,
                Timestamp::default()
            )
            .is_err()
        );
    }
}
