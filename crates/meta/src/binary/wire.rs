//! Fields in the wire format of Protocol Buffers (its encoding page): a key, which is
//! tag << 3 | type, and a value. Which tags there are is `records`'.
//!
//! Numbers are written in one way, the shortest, and whoever reads them insists on it.

use super::error::DecodeError;

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value<'a> {
    /// Wire type 0.
    Varint(u64),
    /// Wire type 1.
    Fixed64,
    /// Wire type 2: after its length.
    Bytes(&'a [u8]),
    /// Wire type 5.
    Fixed32(u32),
}

const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const BYTES: u64 = 2;
const FIXED32: u64 = 5;

/// Bytes of the longest varint.
pub(super) const VARINT_BYTES: usize = 10;

/// Largest tag, as Protocol Buffers have it.
const LAST_TAG: u64 = (1 << 29) - 1;

/// Takes a number off the front of `bytes`. `None` where it does not end there.
#[inline]
pub(super) fn varint(bytes: &mut &[u8]) -> Result<Option<u64>, DecodeError> {
    match bytes.split_first() {
        Some((&byte, rest)) if byte < 0x80 => {
            *bytes = rest;
            Ok(Some(u64::from(byte)))
        }
        _ => long_varint(bytes),
    }
}

fn long_varint(bytes: &mut &[u8]) -> Result<Option<u64>, DecodeError> {
    let mut number = 0_u64;
    for (index, &byte) in bytes.iter().take(VARINT_BYTES).enumerate() {
        number |= u64::from(byte & 0x7f) << (7 * index);
        if byte < 0x80 {
            // No needless byte, and none beyond 64 bits.
            if (byte == 0 && index > 0) || (index + 1 == VARINT_BYTES && byte > 1) {
                return Err(DecodeError::Varint);
            }
            *bytes = &bytes[index + 1..];
            return Ok(Some(number));
        }
    }
    if bytes.len() < VARINT_BYTES {
        Ok(None)
    } else {
        Err(DecodeError::Varint)
    }
}

#[inline]
pub(super) fn put_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Small magnitudes of either sign as small numbers.
pub(super) const fn zigzag(number: i64) -> u64 {
    (number << 1 ^ number >> 63).cast_unsigned()
}

pub(super) const fn unzigzag(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -((number & 1).cast_signed())
}

pub(super) fn put_number(out: &mut Vec<u8>, tag: u64, number: u64) {
    put_varint(out, tag << 3 | VARINT);
    put_varint(out, number);
}

pub(super) fn put_fixed32(out: &mut Vec<u8>, tag: u64, number: u32) {
    put_varint(out, tag << 3 | FIXED32);
    out.extend_from_slice(&number.to_le_bytes());
}

pub(super) fn put_bytes(out: &mut Vec<u8>, tag: u64, bytes: &[u8]) {
    put_varint(out, tag << 3 | BYTES);
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// The fields of one message.
pub(super) struct Fields<'a> {
    rest: &'a [u8],
    what: &'static str,
}

impl<'a> Fields<'a> {
    /// Of a message that messages call `what`.
    pub(super) const fn new(bytes: &'a [u8], what: &'static str) -> Self {
        Self { rest: bytes, what }
    }

    /// What has not been read.
    pub(super) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next tag and value.
    #[inline]
    pub(super) fn next(&mut self) -> Result<Option<(u64, Value<'a>)>, DecodeError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let key = self.number()?;
        let tag = key >> 3;
        if tag == 0 || tag > LAST_TAG {
            return Err(DecodeError::UnknownField(tag));
        }
        let value = match key & 7 {
            VARINT => Value::Varint(self.number()?),
            FIXED64 => {
                self.take(8)?;
                Value::Fixed64
            }
            BYTES => {
                let length = self.number()?;
                Value::Bytes(self.take(length)?)
            }
            FIXED32 => {
                let bytes = self.take(4)?;
                Value::Fixed32(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
            }
            _ => return Err(DecodeError::WireType(tag)),
        };
        Ok(Some((tag, value)))
    }

    fn number(&mut self) -> Result<u64, DecodeError> {
        varint(&mut self.rest)?.ok_or_else(|| self.truncated())
    }

    #[cold]
    const fn truncated(&self) -> DecodeError {
        DecodeError::Truncated(self.what)
    }

    fn take(&mut self, length: u64) -> Result<&'a [u8], DecodeError> {
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let (taken, rest) = self
            .rest
            .split_at_checked(length)
            .ok_or_else(|| self.truncated())?;
        self.rest = rest;
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_one_form() {
        for number in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX] {
            let mut bytes = Vec::new();
            put_varint(&mut bytes, number);
            assert_eq!(varint(&mut &bytes[..]), Ok(Some(number)));
            for length in 0..bytes.len() {
                assert_eq!(varint(&mut &bytes[..length]), Ok(None));
            }
        }
        for bytes in [
            &[0x80, 0][..],
            &[0xff, 0x80, 0],
            &[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 2],
            &[0xff; 11],
        ] {
            assert_eq!(varint(&mut &*bytes), Err(DecodeError::Varint), "{bytes:?}");
        }
        for number in [0, -1, 1, i64::MIN, i64::MAX] {
            assert_eq!(unzigzag(zigzag(number)), number);
        }
    }

    #[test]
    fn fields_are_bounded_by_their_message() {
        let check = |bytes: &[u8], expected| {
            let mut fields = Fields::new(bytes, "it");
            assert_eq!(fields.next().map(|_| ()), expected, "{bytes:?}");
        };
        check(b"", Ok(()));
        check(&[8, 5], Ok(()));
        check(&[8], Err(DecodeError::Truncated("it")));
        check(&[0, 5], Err(DecodeError::UnknownField(0)));
        check(&[11], Err(DecodeError::WireType(1)));
        check(&[10, 2, 1], Err(DecodeError::Truncated("it")));
        check(
            &[10, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
            Err(DecodeError::Truncated("it")),
        );
        check(&[13, 1, 2, 3], Err(DecodeError::Truncated("it")));
        check(&[9, 1, 2, 3, 4, 5, 6, 7], Err(DecodeError::Truncated("it")));
    }
}
