//! The framing of a snapshot: pieces that each carry their checksum, and the
//! hash of all at the end. What is in the pieces is the parent module's.
//!
//! ```text
//! "ATOLSNAP" · frame… · end
//! frame: length (u32 LE, not 0) · crc32c of the payload (u32 LE) · payload
//! end:   0 (u32 LE) · BLAKE3 of all bytes before this hash
//! ```

use super::SnapshotError;
use base::{Hash, Hasher};
use rusqlite::types::{Value, ValueRef};
use std::io::{self, Read, Write};

const MAGIC: &[u8; 8] = b"ATOLSNAP";

/// Longest frame. The longest row is the remembered reply to a commit of 4096
/// changes that all conflict with links of the longest target: 18 MiB.
const FRAME_LIMIT_BYTES: u32 = 32 << 20;

const NULL: u8 = 0;
const INTEGER: u8 = 1;
const TEXT: u8 = 2;
const BLOB: u8 = 3;

/// Writes frames.
pub(super) struct FrameWriter<'o> {
    out: &'o mut dyn Write,
    hasher: Hasher,
}

impl<'o> FrameWriter<'o> {
    pub(super) fn start(out: &'o mut dyn Write) -> io::Result<Self> {
        let mut writer = Self {
            out,
            hasher: Hasher::new(),
        };
        writer.put(MAGIC)?;
        Ok(writer)
    }

    pub(super) fn write(&mut self, payload: &[u8]) -> io::Result<()> {
        let length = u32::try_from(payload.len())
            .ok()
            .filter(|length| *length <= FRAME_LIMIT_BYTES)
            .ok_or_else(|| io::Error::other("a row is too long for a snapshot frame"))?;
        self.put(&length.to_le_bytes())?;
        self.put(&crc32c::crc32c(payload).to_le_bytes())?;
        self.put(payload)
    }

    pub(super) fn finish(mut self) -> io::Result<()> {
        self.put(&0_u32.to_le_bytes())?;
        let hash = self.hasher.finish();
        self.out.write_all(hash.as_bytes())?;
        self.out.flush()
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hasher.update(bytes);
        self.out.write_all(bytes)
    }
}

/// Reads frames.
pub(super) struct FrameReader<'i> {
    input: &'i mut dyn Read,
    hasher: Hasher,
    frame: u64,
}

impl<'i> FrameReader<'i> {
    pub(super) fn start(input: &'i mut dyn Read) -> Result<Self, SnapshotError> {
        let mut reader = Self {
            input,
            hasher: Hasher::new(),
            frame: 0,
        };
        let magic: [u8; 8] = reader.take()?;
        if magic == *MAGIC {
            Ok(reader)
        } else {
            Err(SnapshotError::NotASnapshot)
        }
    }

    /// The next payload; `None` after the last, when the hash of all fits.
    pub(super) fn read(&mut self) -> Result<Option<Vec<u8>>, SnapshotError> {
        let length = u32::from_le_bytes(self.take()?);
        if length == 0 {
            return self.check_end();
        }
        if length > FRAME_LIMIT_BYTES {
            return Err(self.damaged("it is too long"));
        }
        let checksum = u32::from_le_bytes(self.take()?);
        let mut payload = Vec::new();
        // Grows with what arrives: the length alone reserves nothing.
        let read = (&mut *self.input)
            .take(u64::from(length))
            .read_to_end(&mut payload)?;
        if read != length as usize {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        if crc32c::crc32c(&payload) != checksum {
            return Err(self.damaged("its checksum differs"));
        }
        self.hasher.update(&payload);
        self.frame += 1;
        Ok(Some(payload))
    }

    /// Damage in the frame that was read last or is being read.
    pub(super) fn damaged(&self, what: &'static str) -> SnapshotError {
        SnapshotError::Damaged {
            frame: self.frame,
            what,
        }
    }

    fn check_end(&mut self) -> Result<Option<Vec<u8>>, SnapshotError> {
        let expected = self.hasher.finish();
        let found: [u8; Hash::BYTES] = self.take()?;
        if Hash::from_bytes(found) == expected {
            Ok(None)
        } else {
            Err(self.damaged("the hash of the whole differs"))
        }
    }

    fn take<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.input.read_exact(&mut bytes)?;
        self.hasher.update(&bytes);
        Ok(bytes)
    }
}

/// Appends one column: its type, then a zigzag number or a length and bytes.
pub(super) fn encode_value(out: &mut Vec<u8>, value: ValueRef<'_>) {
    match value {
        ValueRef::Null => out.push(NULL),
        ValueRef::Integer(number) => {
            out.push(INTEGER);
            encode_number(out, ((number << 1) ^ (number >> 63)).cast_unsigned());
        }
        ValueRef::Real(_) => unreachable!("no table has a column for it, and all are strict"),
        ValueRef::Text(bytes) => encode_bytes(out, TEXT, bytes),
        ValueRef::Blob(bytes) => encode_bytes(out, BLOB, bytes),
    }
}

/// Takes one column off the front; `None` when there is no whole one.
pub(super) fn decode_value(bytes: &mut &[u8]) -> Option<Value> {
    match take_byte(bytes)? {
        NULL => Some(Value::Null),
        INTEGER => {
            let zigzag = decode_number(bytes)?;
            let number = (zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed();
            Some(Value::Integer(number))
        }
        TEXT => String::from_utf8(decode_bytes(bytes)?)
            .ok()
            .map(Value::Text),
        BLOB => decode_bytes(bytes).map(Value::Blob),
        _ => None,
    }
}

fn encode_bytes(out: &mut Vec<u8>, kind: u8, bytes: &[u8]) {
    out.push(kind);
    encode_number(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn decode_bytes(bytes: &mut &[u8]) -> Option<Vec<u8>> {
    let length = usize::try_from(decode_number(bytes)?).ok()?;
    let (value, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(value.to_vec())
}

/// LEB128: seven bits to a byte, least significant first.
fn encode_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn decode_number(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = take_byte(bytes)?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

fn take_byte(bytes: &mut &[u8]) -> Option<u8> {
    let (first, rest) = bytes.split_first()?;
    *bytes = rest;
    Some(*first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

    proptest! {
        #[test]
        fn values_round_trip(number in any::<i64>(), text in ".*", blob in any::<Vec<u8>>()) {
            let row = [Value::Integer(number), Value::Text(text), Value::Null, Value::Blob(blob)];
            let mut bytes = Vec::new();
            for value in &row {
                encode_value(&mut bytes, value.into());
            }
            let mut rest = bytes.as_slice();
            for value in row {
                prop_assert_eq!(decode_value(&mut rest), Some(value));
            }
            prop_assert!(rest.is_empty());
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in any::<Vec<u8>>()) {
            let mut rest = bytes.as_slice();
            while decode_value(&mut rest).is_some() {}
            let mut input = bytes.as_slice();
            if let Ok(mut frames) = FrameReader::start(&mut input) {
                while let Ok(Some(_)) = frames.read() {}
            }
        }
    }
}
