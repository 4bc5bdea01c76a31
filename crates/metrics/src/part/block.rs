//! Blocks: what a part consists of between its header and its footer. Each is checked by
//! itself, and most of it is compressed.
//!
//! ```text
//!  0  4  CRC of: this block's offset (8), bytes 4 to the end
//!  4  4  kind
//!  8  4  length of the compressed bytes
//! 12  4  what they are when they are not compressed
//! 16  4  length of the plain bytes
//! 20     the compressed bytes (zstd), then the plain ones
//! ```
//!
//! Numbers are little-endian. The CRC is CRC-32C.

use super::bytes::{Input, Malformed};
use std::io;
use zstd::bulk::{Compressor, Decompressor};

/// Bytes before what a block holds.
pub(super) const HEADER_BYTES: usize = 20;

/// What a block holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum Kind {
    /// Columns of samples.
    Samples = 1,
    /// Series: their labels, and where their columns are.
    Series = 2,
    /// Which series have a label.
    Postings = 3,
    /// Where the blocks of series and postings are.
    Index = 4,
}

/// The most bytes that a block may hold of each of its two sorts. A reader allocates no
/// more, whatever a damaged file says. It is what an index of ten million blocks takes.
const MOST_BYTES: usize = 64 << 20;

/// The most bytes that a block may hold which is no index: one row of a series that has
/// very many samples.
const MOST_BYTES_BUT_INDEX: usize = 4 << 20;

/// How hard zstd tries: levels above this one save a hundredth and take twice the time.
const LEVEL: i32 = 3;

/// Makes blocks.
pub(super) struct BlockWriter(Compressor<'static>);

/// What a block's header says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Header {
    crc: u32,
    pub(super) kind: Kind,
    compressed: usize,
    full: usize,
    plain: usize,
}

/// A block, taken apart and checked.
#[derive(Debug, Default)]
pub(super) struct Block {
    /// What was compressed.
    pub(super) packed: Vec<u8>,
    /// What was not.
    pub(super) plain: Vec<u8>,
}

impl Kind {
    fn of(number: u32) -> Result<Self, Malformed> {
        let kinds = [Self::Samples, Self::Series, Self::Postings, Self::Index];
        let found = kinds.into_iter().find(|kind| *kind as u32 == number);
        found.ok_or(Malformed("a block is of no known kind"))
    }

    /// The most bytes that a block of this kind holds of each sort.
    pub(super) const fn most_bytes(self) -> usize {
        match self {
            Self::Index => MOST_BYTES,
            _ => MOST_BYTES_BUT_INDEX,
        }
    }
}

impl BlockWriter {
    pub(super) fn new() -> io::Result<Self> {
        Compressor::new(LEVEL).map(Self)
    }

    /// The bytes of a block that will stand at `offset`. Neither sort of them may be longer
    /// than [`Kind::most_bytes`].
    pub(super) fn block(
        &mut self,
        kind: Kind,
        offset: u64,
        packed: &[u8],
        plain: &[u8],
    ) -> io::Result<Vec<u8>> {
        let compressed = self.0.compress(packed)?;
        let mut block = vec![0; 4];
        let lengths = [compressed.len(), packed.len(), plain.len()];
        block.extend((kind as u32).to_le_bytes());
        for length in lengths {
            block.extend((length as u32).to_le_bytes());
        }
        block.extend(compressed);
        block.extend(plain);
        let crc = checksum(offset, &block[4..]);
        block[..4].copy_from_slice(&crc.to_le_bytes());
        Ok(block)
    }
}

impl Header {
    /// Reads a header; whether its CRC is right is known with the rest.
    pub(super) fn of(bytes: [u8; HEADER_BYTES]) -> Result<Self, Malformed> {
        let mut input = Input(&bytes);
        let mut next = || Ok(u32::from_le_bytes(input.array()?));
        let crc = next()?;
        let kind = Kind::of(next()?)?;
        let mut length = || Ok(next()? as usize);
        let (compressed, full, plain) = (length()?, length()?, length()?);
        let most = kind.most_bytes();
        // What cannot be compressed becomes longer, by a little.
        if compressed > most + most / 64 + 64 || full > most || plain > most {
            return Err(Malformed("a block is longer than any"));
        }
        Ok(Self {
            crc,
            kind,
            compressed,
            full,
            plain,
        })
    }

    /// How many bytes follow it.
    pub(super) const fn body_bytes(&self) -> usize {
        self.compressed + self.plain
    }

    /// Checks the bytes of a whole block that stands at `offset`, and takes it apart.
    pub(super) fn open(
        &self,
        offset: u64,
        bytes: &[u8],
        decompressor: &mut Decompressor<'_>,
        block: &mut Block,
    ) -> Result<(), Malformed> {
        if checksum(offset, &bytes[4..]) != self.crc {
            return Err(Malformed("its checksum is wrong"));
        }
        let (compressed, plain) = bytes[HEADER_BYTES..].split_at(self.compressed);
        block.packed.clear();
        block.packed.reserve(self.full);
        let full = decompressor.decompress_to_buffer(compressed, &mut block.packed);
        if full.ok() != Some(self.full) {
            return Err(Malformed("it is not compressed as it should be"));
        }
        block.plain.clear();
        block.plain.extend_from_slice(plain);
        Ok(())
    }
}

fn checksum(offset: u64, bytes: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&offset.to_le_bytes()), bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFSET: u64 = 1 << 33;

    fn opened(bytes: &[u8], offset: u64) -> Result<Block, Malformed> {
        let mut block = Block::default();
        let header = Header::of(*bytes.first_chunk().unwrap())?;
        let mut decompressor = Decompressor::new().unwrap();
        header.open(offset, bytes, &mut decompressor, &mut block)?;
        Ok(block)
    }

    #[test]
    fn blocks_come_back() {
        let mut writer = BlockWriter::new().unwrap();
        for packed in [vec![], vec![7; 100_000], (0..=255).collect()] {
            let bytes = writer
                .block(Kind::Samples, OFFSET, &packed, b"plain")
                .unwrap();
            let header = Header::of(*bytes.first_chunk().unwrap()).unwrap();
            assert_eq!(header.kind, Kind::Samples);
            assert_eq!(HEADER_BYTES + header.body_bytes(), bytes.len());
            let block = opened(&bytes, OFFSET).unwrap();
            assert_eq!((block.packed, &*block.plain), (packed, &b"plain"[..]));
        }
    }

    #[test]
    fn a_block_that_is_elsewhere_or_another_is_told() {
        let mut writer = BlockWriter::new().unwrap();
        let bytes = writer.block(Kind::Series, OFFSET, b"packed", b"").unwrap();
        assert!(opened(&bytes, OFFSET + 1).is_err());
        for place in 0..bytes.len() {
            let mut other = bytes.clone();
            other[place] ^= 0x40;
            // A length that is another would not be read to its end.
            if (8..HEADER_BYTES).contains(&place) {
                continue;
            }
            assert!(opened(&other, OFFSET).is_err(), "byte {place}");
        }
    }

    #[test]
    fn no_header_asks_for_much() {
        let check = |kind: u32, lengths: [u32; 3], is_taken: bool| {
            let mut header = [0; HEADER_BYTES];
            let fields = [0, kind, lengths[0], lengths[1], lengths[2]];
            for (place, field) in header.chunks_exact_mut(4).zip(fields) {
                place.copy_from_slice(&field.to_le_bytes());
            }
            assert_eq!(Header::of(header).is_ok(), is_taken, "{kind} {lengths:?}");
        };
        check(0, [0; 3], false);
        check(5, [0; 3], false);
        check(1, [1, 4 << 20, 4 << 20], true);
        check(1, [1, (4 << 20) + 1, 0], false);
        check(2, [1, 0, (4 << 20) + 1], false);
        check(3, [u32::MAX, 0, 0], false);
        check(4, [1, 64 << 20, 0], true);
        check(4, [1, (64 << 20) + 1, 0], false);
    }
}
