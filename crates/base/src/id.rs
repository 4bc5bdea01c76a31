//! Identifiers. Everything created by the log is named by the place of its
//! creation, so ids are unique, ordered by age and need no randomness.
//!
//! An id packs (entry index, ordinal within the entry) into 63 bits: 47 bits of
//! index, at a hundred thousand entries a second enough for 44 years, and 16
//! bits of ordinal, enough for [`limits::CHANGES_PER_COMMAND`]. It fits SQLite's
//! signed integer.
//!
//! [`limits::CHANGES_PER_COMMAND`]: crate::limits::CHANGES_PER_COMMAND

use std::fmt;
use std::str::FromStr;

const ORDINAL_BITS: u32 = 16;
const MAX_INDEX: u64 = (1 << 47) - 1;

/// A text that is not the identifier it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a {what}: expected {expected}")]
pub struct ParseIdError {
    text: String,
    what: &'static str,
    expected: &'static str,
}

impl ParseIdError {
    fn new(text: &str, what: &'static str, expected: &'static str) -> Self {
        Self {
            text: text.chars().take(96).collect(),
            what,
            expected,
        }
    }
}

macro_rules! placed_id {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u64);

        impl $name {
            /// The id of what change `ordinal` of log entry `index` created.
            /// Indexes past 2^47 cannot occur: the log refuses to grow so far.
            pub const fn new(index: u64, ordinal: u16) -> Self {
                assert!(index <= MAX_INDEX);
                Self(index << ORDINAL_BITS | ordinal as u64)
            }

            /// The packed form as stored and sent; `None` past 63 bits.
            pub const fn from_u64(packed: u64) -> Option<Self> {
                if packed >> 63 == 0 { Some(Self(packed)) } else { None }
            }

            /// The packed form.
            pub const fn to_u64(self) -> u64 {
                self.0
            }

            /// The log entry that created it.
            pub const fn index(self) -> u64 {
                self.0 >> ORDINAL_BITS
            }

            /// The change of that entry that created it.
            pub const fn ordinal(self) -> u16 {
                (self.0 & ((1 << ORDINAL_BITS) - 1)) as u16
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}.{}", self.index(), self.ordinal())
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                parse_decimal(text)
                    .and_then(Self::from_u64)
                    .ok_or_else(|| ParseIdError::new(text, $what, "a decimal number below 2^63"))
            }
        }
    };
}

placed_id! {
    /// A file or directory of a space, for ever, whatever its name or place.
    ItemId, "item id"
}
placed_id! {
    /// A space; its slug may change, this does not.
    SpaceId, "space id"
}
placed_id! {
    /// A registered client.
    DeviceId, "device id"
}
placed_id! {
    /// A person or program that owns devices.
    MemberId, "member id"
}

impl ItemId {
    /// The root directory of `space`. A space is created by a command of its
    /// own, so no other item has this place.
    pub const fn root_of(space: SpaceId) -> Self {
        Self(space.0)
    }
}

impl DeviceId {
    /// The holder of the node's `admin-token`, who is not in the log.
    pub const ADMIN: Self = Self(0);
}

/// One state of an item: its id and how often it has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VersionId {
    /// The item.
    pub item: ItemId,
    /// 1 for the version that created it, one more for each after.
    pub counter: u64,
}

impl fmt::Display for VersionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.item, self.counter)
    }
}

impl FromStr for VersionId {
    type Err = ParseIdError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let expected = "`item.counter`, each from 1 to 2^63 - 1";
        let error = || ParseIdError::new(text, "version", expected);
        let (item, counter) = text.split_once('.').ok_or_else(error)?;
        let item = item.parse().ok().filter(|item: &ItemId| item.0 > 0);
        let counter = parse_decimal(counter).filter(|counter| (1..1 << 63).contains(counter));
        Ok(Self {
            item: item.ok_or_else(error)?,
            counter: counter.ok_or_else(error)?,
        })
    }
}

/// The identity of one log, drawn at random when it is made. A cursor of
/// another log means nothing here, however familiar its number looks.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogId(u64);

impl LogId {
    /// From the 64 random bits that are the id.
    pub const fn from_u64(bits: u64) -> Self {
        Self(bits)
    }

    /// The bits.
    pub const fn to_u64(self) -> u64 {
        self.0
    }
}

impl fmt::Display for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl FromStr for LogId {
    type Err = ParseIdError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let hexadecimal = text.len() == 16
            && text
                .bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        match u64::from_str_radix(text, 16) {
            Ok(bits) if hexadecimal => Ok(Self(bits)),
            _ => Err(ParseIdError::new(text, "log id", "16 hexadecimal digits")),
        }
    }
}

/// A place in a feed: everything up to and including it has been seen.
///
/// Its text form, `log-index-ordinal`, is opaque to clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Cursor {
    /// The log that `index` counts in.
    pub log: LogId,
    /// Index of the last entry seen; 0 before the first.
    pub index: u64,
    /// Ordinal of the last change seen within that entry.
    pub ordinal: u16,
}

impl Cursor {
    /// The place before everything.
    pub const fn start(log: LogId) -> Self {
        Self {
            log,
            index: 0,
            ordinal: 0,
        }
    }

    /// The place after all of entry `index`.
    pub const fn after(log: LogId, index: u64) -> Self {
        Self {
            log,
            index,
            ordinal: u16::MAX,
        }
    }

    /// (index, ordinal), for ordering two cursors of one log.
    pub const fn place(self) -> (u64, u16) {
        (self.index, self.ordinal)
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.log, self.index, self.ordinal)
    }
}

impl FromStr for Cursor {
    type Err = ParseIdError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || ParseIdError::new(text, "cursor", "`log-index-ordinal`");
        let mut parts = text.split('-');
        let mut next = || parts.next().ok_or_else(error);
        let cursor = Self {
            log: next()?.parse().map_err(|_| error())?,
            index: parse_decimal(next()?)
                .filter(|i| *i <= MAX_INDEX)
                .ok_or_else(error)?,
            ordinal: parse_decimal(next()?)
                .and_then(|ordinal| u16::try_from(ordinal).ok())
                .ok_or_else(error)?,
        };
        if parts.next().is_some() {
            Err(error())
        } else {
            Ok(cursor)
        }
    }
}

/// Decimal digits only: `u64::from_str` would also take a leading `+`.
fn parse_decimal(text: &str) -> Option<u64> {
    text.bytes()
        .all(|b| b.is_ascii_digit())
        .then(|| text.parse().ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_order_by_age_and_round_trip() {
        let (a, b) = (ItemId::new(7, u16::MAX), ItemId::new(8, 0));
        assert!(a < b);
        assert_eq!(a.to_string().parse(), Ok(a));
        assert_eq!(ItemId::from_u64(b.to_u64()), Some(b));
        assert_eq!(ItemId::new(MAX_INDEX, u16::MAX).to_u64(), i64::MAX as u64);
    }

    #[test]
    fn cursors_and_versions_round_trip() {
        let cursor = Cursor {
            log: LogId::from_u64(0xab),
            index: 12,
            ordinal: 3,
        };
        assert_eq!(cursor.to_string(), "00000000000000ab-12-3");
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
        let version = VersionId {
            item: ItemId::new(4, 2),
            counter: 9,
        };
        assert_eq!(version.to_string().parse(), Ok(version));
    }

    #[test]
    fn malformed_texts_are_refused() {
        for text in [
            "",
            "-",
            "ab-1-1",
            "00000000000000ab-1",
            "00000000000000ab-1-65536",
            "00000000000000ab-1-1-1",
            "00000000000000AB-1-1",
            "00000000000000ab-+1-1",
        ] {
            assert!(text.parse::<Cursor>().is_err(), "{text}");
        }
        for text in ["", "+1", "-1", "9223372036854775808", "1.2.3", "x"] {
            assert!(text.parse::<ItemId>().is_err(), "{text}");
            assert!(text.parse::<VersionId>().is_err(), "{text}");
        }
        for text in ["5.0", "0.1", "0.0", "5.9223372036854775808"] {
            assert!(text.parse::<VersionId>().is_err(), "{text}");
        }
    }
}
