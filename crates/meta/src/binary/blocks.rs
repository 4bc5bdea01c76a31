//! What encoder and decoder agree on about blocks: their tags and their bounds.

/// The version that is written. Every version from 1 on is read.
pub(super) const FORMAT: u8 = 1;

/// What a file holds.
pub(super) const FILES: u8 = 1;
/// See [`FILES`].
pub(super) const MANIFEST: u8 = 2;

/// The last block: how many records there were, and the checksum of all before it.
pub(super) const END: u8 = 0;
/// A block of records as they are.
pub(super) const PLAIN: u8 = 1;
/// A block of records, compressed by zstd.
pub(super) const ZSTD: u8 = 2;
/// What is said of a manifest's folder as a whole; the first block, if there is one.
pub(super) const HEADER: u8 = 3;

/// Records are gathered up to about so many bytes: larger blocks compress hardly better,
/// and two of them are all that either side holds.
pub(super) const BLOCK_BYTES: usize = 256 << 10;

/// Longest record: every part of it is bounded, its attributes and what is unrecognized
/// by far the most (192 KiB).
pub(super) const RECORD_BYTES: usize = 256 << 10;

/// Longest block before compression: one that was nearly full took one more record.
pub(super) const LONGEST_BLOCK: usize = BLOCK_BYTES + RECORD_BYTES + super::wire::VARINT_BYTES;

/// zstd's own default, which is as quick as the disk.
pub(super) const LEVEL: i32 = 3;
