//! Records from the bytes of an entry. An entry has a checksum, so what cannot be read was
//! never written so, or by a later version.

use super::{DELETION, KIND, KINDS, LABELS_BYTES, Record, SAMPLES, SELECTOR_BYTES, SERIES};
use crate::chunk::Sample;

/// Gives the records of an entry in their order; after an error, nothing.
#[derive(Debug, Clone)]
pub struct Records<'a> {
    rest: &'a [u8],
    /// Samples that follow.
    samples: u64,
    number: u32,
    time: i64,
}

/// An entry that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// It ends within a record.
    #[error("it ends within a record")]
    Short,
    /// A record of a sort that is not known.
    #[error("it has a record of sort {0}, which this program does not know")]
    Unknown(u8),
    /// A number or length beyond what there can be.
    #[error("it has a number that is too large")]
    TooLarge,
    /// A text that is none.
    #[error("it has a text that is not UTF-8")]
    NoText,
}

/// Reads the records of an entry.
pub const fn decode(bytes: &[u8]) -> Records<'_> {
    Records {
        rest: bytes,
        samples: 0,
        number: 0,
        time: 0,
    }
}

impl<'a> Records<'a> {
    fn record(&mut self) -> Result<Option<Record<'a>>, RecordError> {
        while self.samples == 0 {
            let Some((tag, rest)) = self.rest.split_first() else {
                return Ok(None);
            };
            self.rest = rest;
            match *tag {
                SERIES => return self.series().map(Some),
                KIND => return self.kind().map(Some),
                SAMPLES => self.samples = self.varint()?,
                DELETION => return self.deletion().map(Some),
                unknown => return Err(RecordError::Unknown(unknown)),
            }
        }
        self.samples -= 1;
        self.sample().map(Some)
    }

    fn series(&mut self) -> Result<Record<'a>, RecordError> {
        let number = self.varint()?;
        let number = u32::try_from(number).map_err(|_| RecordError::TooLarge)?;
        let labels = self.bytes(LABELS_BYTES)?;
        Ok(Record::Series { number, labels })
    }

    fn kind(&mut self) -> Result<Record<'a>, RecordError> {
        let number = usize::from(self.take(1)?[0]);
        let kind = *KINDS.get(number).ok_or(RecordError::TooLarge)?;
        let name = text(self.bytes(LABELS_BYTES)?)?;
        Ok(Record::Kind { name, kind })
    }

    fn sample(&mut self) -> Result<Record<'a>, RecordError> {
        let step = self.signed()?;
        let number = i64::from(self.number).checked_add(step);
        let number = number.and_then(|number| u32::try_from(number).ok());
        let number = number.ok_or(RecordError::TooLarge)?;
        let time = self.time.wrapping_add(self.signed()?);
        let bits = self.take(8)?.first_chunk().ok_or(RecordError::Short)?;
        let value = f64::from_bits(u64::from_le_bytes(*bits));
        self.number = number;
        self.time = time;
        let sample = Sample { time, value };
        Ok(Record::Sample { number, sample })
    }

    fn deletion(&mut self) -> Result<Record<'a>, RecordError> {
        let (start, end) = (self.signed()?, self.signed()?);
        let selector = text(self.bytes(SELECTOR_BYTES)?)?;
        Ok(Record::Deletion {
            selector,
            start,
            end,
        })
    }

    fn bytes(&mut self, most: usize) -> Result<&'a [u8], RecordError> {
        let length = self.varint()?;
        match usize::try_from(length) {
            Ok(length) if length <= most => self.take(length),
            _ => Err(RecordError::TooLarge),
        }
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], RecordError> {
        let (taken, rest) = self
            .rest
            .split_at_checked(count)
            .ok_or(RecordError::Short)?;
        self.rest = rest;
        Ok(taken)
    }

    fn signed(&mut self) -> Result<i64, RecordError> {
        let value = self.varint()?;
        Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
    }

    fn varint(&mut self) -> Result<u64, RecordError> {
        let mut value = 0_u64;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.take(1)?[0];
            let bits = u64::from(byte & 0x7f);
            if bits << shift >> shift != bits {
                return Err(RecordError::TooLarge);
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(RecordError::TooLarge)
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        let record = self.record();
        if record.is_err() {
            self.rest = &[];
            self.samples = 0;
        }
        record.transpose()
    }
}

fn text(bytes: &[u8]) -> Result<&str, RecordError> {
    std::str::from_utf8(bytes).map_err(|_| RecordError::NoText)
}
