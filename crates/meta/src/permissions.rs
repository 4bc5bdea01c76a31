//! Who may do what with a file: the nine bits that every Unix has, as the owner, the
//! group and the others have them.
//!
//! The three bits beyond these (set-user-id, set-group-id, sticky) are in
//! [`Mode`](crate::Mode) alone.

use crate::metadata::Mode;
use std::fmt;
use std::str::FromStr;

/// What each of three may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Permissions {
    /// The owner.
    pub owner: Access,
    /// Members of the file's group.
    pub group: Access,
    /// Everyone else.
    pub other: Access,
}

/// Any of read, write and execute: `-` for none, else letters of `rwx` in that order.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Access(u8);

/// A text that names no access.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no access: expected \"-\", or some of r, w and x in this order")]
pub struct ParseAccessError(String);

/// Each access has one text, at the place that its bits say.
const TEXTS: [&str; 8] = ["-", "x", "w", "wx", "r", "rx", "rw", "rwx"];

/// Of a mistaken text, what a message repeats.
const SHOWN: usize = 40;

impl Access {
    /// The lowest three bits: 4 to read, 2 to write, 1 to execute.
    pub const fn from_bits(bits: u32) -> Self {
        Self((bits & 0o7) as u8)
    }

    /// 4 to read, 2 to write, 1 to execute.
    pub const fn bits(self) -> u32 {
        self.0 as u32
    }

    /// Its text.
    pub const fn as_str(self) -> &'static str {
        TEXTS[self.0 as usize]
    }
}

impl FromStr for Access {
    type Err = ParseAccessError;

    fn from_str(text: &str) -> Result<Self, ParseAccessError> {
        let bits = TEXTS.iter().position(|known| *known == text);
        bits.map(|bits| Self(bits as u8))
            .ok_or_else(|| ParseAccessError(text.chars().take(SHOWN).collect()))
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Permissions {
    /// The nine bits, as in `rwxr-x---`.
    pub const fn bits(self) -> u32 {
        self.owner.bits() << 6 | self.group.bits() << 3 | self.other.bits()
    }
}

impl From<Mode> for Permissions {
    /// All but the three bits beyond them.
    fn from(mode: Mode) -> Self {
        Self {
            owner: Access::from_bits(mode.bits() >> 6),
            group: Access::from_bits(mode.bits() >> 3),
            other: Access::from_bits(mode.bits()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_access_has_one_text() {
        for bits in 0..8 {
            let access = Access::from_bits(bits);
            assert_eq!(access.as_str().parse(), Ok(access));
            assert_eq!(access.bits(), bits);
        }
        for text in ["", "wr", "rr", "R", "--", "r-", "rwxr", " r"] {
            assert!(text.parse::<Access>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn they_are_a_part_of_the_mode() {
        for (bits, owner, group, other) in [
            (0o644, "rw", "r", "r"),
            (0o4750, "rwx", "rx", "-"),
            (0o1777, "rwx", "rwx", "rwx"),
            (0, "-", "-", "-"),
        ] {
            let permissions = Permissions::from(Mode::new(bits).unwrap());
            assert_eq!(permissions.owner.as_str(), owner);
            assert_eq!(permissions.group.as_str(), group);
            assert_eq!(permissions.other.as_str(), other);
            assert_eq!(permissions.bits(), bits & 0o777);
        }
    }
}
