//! Why bytes are no metadata.

use crate::attributes::AttributeError;
use crate::manifest::{OrderError, PathError};
use crate::metadata::MetadataError;
use crate::record::RecordError;
use base::NameError;

/// Why bytes cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The first bytes are those of something else.
    #[error("these bytes are no metadata: they do not begin with 89 41 54 4d")]
    Magic,
    /// A version that this Atoll does not know.
    #[error("version {0} of the binary form is newer than this program; update it")]
    Version(u8),
    /// Contents or a block of an unknown kind.
    #[error("{what} {number} is not known")]
    Unknown {
        /// Of what.
        what: &'static str,
        /// Which one.
        number: u64,
    },
    /// A checksum that is not that of its bytes.
    #[error("the checksum of {0} does not match: the bytes are damaged")]
    Checksum(&'static str),
    /// The end of the bytes, before that of what they hold.
    #[error("the bytes end in the middle of {0}")]
    Truncated(&'static str),
    /// Bytes behind the end.
    #[error("bytes follow behind the end")]
    Trailing,
    /// A number that is too long, or longer than it must be.
    #[error("a number is not written as numbers are")]
    Varint,
    /// A length or count beyond its limit.
    #[error("{what}: {found} is beyond the limit of {limit}")]
    TooLong {
        /// Of what.
        what: &'static str,
        /// How long.
        found: u64,
        /// The most that there may be.
        limit: u64,
    },
    /// The end block does not count what was there.
    #[error("{found} records are there, and the end says {told}")]
    Count {
        /// How many there were.
        found: u64,
        /// How many the end tells.
        told: u64,
    },
    /// A field at the wrong place, or twice.
    #[error("field {0} is out of order")]
    Order(u64),
    /// A field of another wire type than it has.
    #[error("field {0} is written as another type")]
    WireType(u64),
    /// A field that is not known where all must be.
    #[error("field {0} is not known")]
    UnknownField(u64),
    /// A field without which nothing is meant.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// A field that does not belong to this kind of file.
    #[error("{what} has no {field}")]
    Contradiction {
        /// What it is.
        what: &'static str,
        /// What it cannot have.
        field: &'static str,
    },
    /// Text that is no UTF-8.
    #[error("{0} is not UTF-8")]
    Utf8(&'static str),
    /// Compressed bytes that cannot be expanded.
    #[error("a block cannot be decompressed: {0}")]
    Zstd(String),
    /// A name that no file can have.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A path that no entry can have.
    #[error(transparent)]
    Path(#[from] PathError),
    /// A value that no version can have.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// A value that no record can have.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// An attribute that no file can have.
    #[error(transparent)]
    Attribute(#[from] AttributeError),
    /// An entry out of order.
    #[error(transparent)]
    EntryOrder(#[from] OrderError),
}
