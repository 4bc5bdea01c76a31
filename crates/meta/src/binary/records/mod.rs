//! Records as fields: which tags there are, and what each means.
//!
//! A tag is never reused. New fields get new tags behind [`LAST`], in the record itself
//! and not in a message within it, so that an older Atoll finds them at its end and keeps
//! them ([`Record::unrecognized`](crate::Record::unrecognized)).

mod parts;
mod read;
mod write;

pub use read::{check_unrecognized, check_unrecognized_of_header, decode_metadata};
pub(super) use read::{decode_entry, decode_file, decode_header};
pub use write::encode_metadata;
pub(super) use write::{encode_entry, encode_file, encode_header};

const KIND: u64 = 1;
const MODE: u64 = 2;
const SECONDS: u64 = 3;
const NANOSECONDS: u64 = 4;
const BLAKE3: u64 = 5;
const SIZE: u64 = 6;
const TARGET: u64 = 7;
const VERSION: u64 = 8;
const NAME: u64 = 9;
const SHA256: u64 = 10;
const SYNC_STATE: u64 = 11;
const ATTRIBUTE: u64 = 12;
/// Bytes that an entry's path shares with the one before it in the block.
const SHARED: u64 = 13;
/// The rest of the path.
const REST: u64 = 14;
/// The last tag that is known.
const LAST: u64 = REST;

const FILE: u64 = 1;
const DIRECTORY: u64 = 2;
const SYMLINK: u64 = 3;

/// Tags of a sync state.
const STATUS: u64 = 1;
const MODIFIED_SECONDS: u64 = 2;
const MODIFIED_NANOSECONDS: u64 = 3;
const REPLICA: u64 = 4;

/// Tags of a replica, and of an attribute.
const FIRST: u64 = 1;
const SECOND: u64 = 2;

/// Tags of a manifest's header.
const SPACE: u64 = 1;
const CREATED_SECONDS: u64 = 2;
const CREATED_NANOSECONDS: u64 = 3;
