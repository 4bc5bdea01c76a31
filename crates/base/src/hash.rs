//! BLAKE3 content hashes: the names of blobs and chunks.
//!
//! Algorithms other than BLAKE3 appear only in metadata documents (`meta`);
//! the store and the wire know this one alone.

use std::fmt;
use std::str::FromStr;

/// A BLAKE3 hash (BLAKE3 paper, section 2; 256-bit default output).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash([u8; 32]);

/// An incremental [`struct@Hash`] of bytes given piece by piece.
#[derive(Clone, Default)]
pub struct Hasher(blake3::Hasher);

/// A text that is not `blake3:` followed by 64 lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a hash: expected `blake3:` and 64 hexadecimal digits")]
pub struct ParseHashError(String);

impl Hash {
    /// Bytes in a hash.
    pub const BYTES: usize = 32;

    /// The hash of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    /// Takes a hash computed elsewhere; any 32 bytes are a possible hash.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// A hash from a slice, `None` unless it is exactly 32 bytes.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The raw bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The 64 hexadecimal digits without the algorithm tag: a file name.
    pub fn to_hex(&self) -> String {
        crate::hex(&self.0)
    }
}

impl Hasher {
    /// A hasher that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds `bytes` to what is hashed.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Bytes seen so far.
    pub fn count(&self) -> u64 {
        self.0.count()
    }

    /// The hash of everything seen.
    pub fn finish(&self) -> Hash {
        Hash(*self.0.finalize().as_bytes())
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "blake3:{}", self.to_hex())
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl FromStr for Hash {
    type Err = ParseHashError;

    /// Accepts `blake3:` + hex, and bare hex as used in file names and URLs.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.strip_prefix("blake3:").unwrap_or(text);
        blake3::Hash::from_hex(digits)
            .ok()
            .filter(|_| !digits.bytes().any(|b| b.is_ascii_uppercase()))
            .map(|hash| Self(*hash.as_bytes()))
            .ok_or_else(|| ParseHashError(text.chars().take(96).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_round_trips() {
        let hash = Hash::of(b"abc");
        assert_eq!(hash.to_string().parse(), Ok(hash));
        assert_eq!(hash.to_hex().parse(), Ok(hash));
        // The published test vector for "abc".
        assert!(
            hash.to_hex()
                .starts_with("6437b3ac38465133ffb63b75273a8db5")
        );
    }

    #[test]
    fn malformed_texts_are_refused() {
        for text in ["", "blake3:", "sha256:00", "blake3:zz", &"A".repeat(64)] {
            assert!(text.parse::<Hash>().is_err(), "{text}");
        }
    }

    #[test]
    fn incremental_equals_whole() {
        let mut hasher = Hasher::new();
        hasher.update(b"a");
        hasher.update(b"bc");
        assert_eq!(hasher.finish(), Hash::of(b"abc"));
        assert_eq!(hasher.count(), 3);
    }
}
