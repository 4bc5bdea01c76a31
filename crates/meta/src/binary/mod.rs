//! Metadata as compact bytes; docs/formats/metadata.md has every one of them.
//!
//! ```text
//! fields ──▶ records ──▶ blocks ──▶ a file: magic, version, blocks, end
//! tag and value          checksum, zstd
//! ```
//!
//! A record is fields in the wire format of Protocol Buffers, in the order of their tags.
//! [`encode_metadata`] and [`decode_metadata`] are what a command in the log holds: there
//! an unknown field is refused, because nodes that understand a command differently would
//! part. In files ([`Encoder`], [`Decoder`]) fields of a newer Atoll are kept as they are.
//!
//! Nothing here does I/O: an encoder gives bytes as they are complete, a decoder takes
//! them as they come.

mod blocks;
mod decoder;
mod encoder;
mod error;
mod records;
mod wire;

pub use decoder::{Decoder, Step, decode};
pub use encoder::{Compression, Encoder, encode_files, encode_manifest};
pub use error::DecodeError;
pub use records::{
    check_unrecognized, check_unrecognized_of_header, decode_metadata, encode_metadata,
};

/// What a file begins with: no text does, since the first byte is no UTF-8.
pub const MAGIC: [u8; 4] = *b"\x89ATM";
