//! The first and the last bytes of a part.
//!
//! ```text
//! header                        footer
//!  0  8  "ATOLLPRT"              0  8  where the index is
//!  8  4  version: 1              8  8  series
//! 12  4  CRC of bytes 0–11      16  8  samples
//!                               24  8  first time, signed
//!                               32  8  last time, signed
//!                               40  8  length of the file
//!                               48  4  zero
//!                               52  4  CRC of bytes 0–51
//! ```

use super::bytes::{Input, Malformed};

pub(super) const HEADER_BYTES: usize = 16;
pub(super) const FOOTER_BYTES: usize = 56;

/// The version of the format that is written, and the only one that is read.
pub(super) const VERSION: u32 = 1;

const MAGIC: [u8; 8] = *b"ATOLLPRT";

/// What a part holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    /// How many series; each has a sample.
    pub series: u64,
    /// How many samples.
    pub samples: u64,
    /// The time of the first, in milliseconds since 1970.
    pub start: i64,
    /// The time of the last, in milliseconds since 1970.
    pub end: i64,
    /// The length of the file.
    pub bytes: u64,
}

/// What the last bytes say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Footer {
    pub(super) index: u64,
    pub(super) summary: Summary,
}

/// What the first bytes say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beginning {
    OfPart,
    OfVersion(u32),
    Foreign,
    Damaged,
}

pub(super) fn header() -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    header[..8].copy_from_slice(&MAGIC);
    header[8..12].copy_from_slice(&VERSION.to_le_bytes());
    seal(&mut header);
    header
}

pub(super) fn beginning(header: [u8; HEADER_BYTES]) -> Beginning {
    if header[..8] != MAGIC {
        return Beginning::Foreign;
    }
    if !is_sealed(&header) {
        return Beginning::Damaged;
    }
    match u32::from_le_bytes([header[8], header[9], header[10], header[11]]) {
        VERSION => Beginning::OfPart,
        other => Beginning::OfVersion(other),
    }
}

impl Footer {
    pub(super) fn bytes(&self) -> [u8; FOOTER_BYTES] {
        let Summary {
            series,
            samples,
            start,
            end,
            bytes,
        } = self.summary;
        let (start, end) = (start.cast_unsigned(), end.cast_unsigned());
        let mut footer = [0; FOOTER_BYTES];
        let fields = [self.index, series, samples, start, end, bytes];
        for (place, field) in footer.chunks_exact_mut(8).zip(fields) {
            place.copy_from_slice(&field.to_le_bytes());
        }
        seal(&mut footer);
        footer
    }

    /// Reads the footer of a file of `length` bytes.
    pub(super) fn of(bytes: [u8; FOOTER_BYTES], length: u64) -> Result<Self, Malformed> {
        if !is_sealed(&bytes) {
            return Err(Malformed("the footer's checksum is wrong"));
        }
        let mut input = Input(&bytes);
        let mut next = || Ok(u64::from_le_bytes(input.array()?));
        let footer = Self {
            index: next()?,
            summary: Summary {
                series: next()?,
                samples: next()?,
                start: next()?.cast_signed(),
                end: next()?.cast_signed(),
                bytes: next()?,
            },
        };
        if footer.summary.bytes != length {
            return Err(Malformed("the file is not as long as its footer says"));
        }
        if footer.summary.series > u64::from(u32::MAX) {
            return Err(Malformed("there are more series than a part holds"));
        }
        Ok(footer)
    }
}

/// Puts a CRC of the others into the last four bytes.
fn seal(bytes: &mut [u8]) {
    if let Some((all, crc)) = bytes.split_last_chunk_mut::<4>() {
        *crc = crc32c::crc32c(all).to_le_bytes();
    }
}

fn is_sealed(bytes: &[u8]) -> bool {
    let parts = bytes.split_last_chunk::<4>();
    parts.is_some_and(|(all, crc)| crc32c::crc32c(all).to_le_bytes() == *crc)
}
