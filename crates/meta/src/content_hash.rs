//! Hashes of content, tagged by their algorithm. Atoll writes BLAKE3; SHA-256 is what
//! other tools write, so it is read and verified too.
//!
//! How bytes are hashed is `base`'s and, for SHA-256, whoever's who verifies them.

use base::Hash;
use std::fmt;
use std::str::FromStr;

/// A hash of a file's bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum ContentHash {
    /// `blake3:`
    Blake3(Hash),
    /// `sha256:` (FIPS 180-4).
    Sha256([u8; 32]),
}

/// A text that is no tagged hash.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no hash: expected `blake3:` or `sha256:` and 64 digits of 0-9 and a-f")]
pub struct ParseContentHashError(String);

const BLAKE3: &str = "blake3:";
const SHA256: &str = "sha256:";

/// Of a mistaken text, what a message repeats.
const SHOWN: usize = 80;

impl ContentHash {
    /// The 32 bytes without the algorithm.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        match self {
            Self::Blake3(hash) => hash.as_bytes(),
            Self::Sha256(bytes) => bytes,
        }
    }
}

impl From<Hash> for ContentHash {
    fn from(hash: Hash) -> Self {
        Self::Blake3(hash)
    }
}

impl FromStr for ContentHash {
    type Err = ParseContentHashError;

    fn from_str(text: &str) -> Result<Self, ParseContentHashError> {
        let hash = match text.split_at_checked(BLAKE3.len()) {
            Some((BLAKE3, digits)) => {
                digits_of(digits).map(|bytes| Self::Blake3(Hash::from_bytes(bytes)))
            }
            Some((SHA256, digits)) => digits_of(digits).map(Self::Sha256),
            _ => None,
        };
        hash.ok_or_else(|| ParseContentHashError(text.chars().take(SHOWN).collect()))
    }
}

/// 64 digits, lower-case: a hash has one text.
fn digits_of(digits: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    base::unhex(digits, &mut bytes)?;
    Some(bytes)
}

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tag = match self {
            Self::Blake3(_) => BLAKE3,
            Self::Sha256(_) => SHA256,
        };
        write!(f, "{tag}{}", base::hex(self.as_bytes()))
    }
}

impl fmt::Debug for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts() {
        let digits = "00ff".repeat(16);
        for tag in ["blake3", "sha256"] {
            let text = format!("{tag}:{digits}");
            let hash: ContentHash = text.parse().unwrap();
            assert_eq!(hash.to_string(), text);
            assert_eq!(hash.as_bytes()[..2], [0, 0xff]);
        }
        for text in [
            digits.clone(),
            format!("md5:{digits}"),
            format!("blake3:{digits}0"),
            format!("blake3:{}", &digits[1..]),
            format!("sha256:{}", digits.to_uppercase()),
            format!("blake3:{}ü", &digits[2..]),
            "blake3".to_owned(),
            "ünïcödé".to_owned(),
        ] {
            assert!(text.parse::<ContentHash>().is_err(), "{text}");
        }
    }
}
