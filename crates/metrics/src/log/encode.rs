//! Records into the bytes of an entry.

use super::{DELETION, KIND, KINDS, SAMPLES, SERIES};
use crate::chunk::Sample;
use crate::ingest::Kind;

/// Puts records together. Numbers and times are told by what is new in them.
#[derive(Debug, Default)]
pub struct Encoder {
    bytes: Vec<u8>,
    number: u32,
    time: i64,
}

impl Encoder {
    /// A number means these labels from here on.
    pub fn series(&mut self, number: u32, labels: &[u8]) {
        self.bytes.push(SERIES);
        put_varint(&mut self.bytes, u64::from(number));
        self.put_bytes(labels);
    }

    /// What the values of a metric mean.
    pub fn kind(&mut self, name: &str, kind: Kind) {
        let number = KINDS.iter().position(|other| *other == kind);
        self.bytes.push(KIND);
        self.bytes.push(number.unwrap_or_default() as u8);
        self.put_bytes(name.as_bytes());
    }

    /// Samples with the numbers of their series.
    pub fn samples(&mut self, samples: impl ExactSizeIterator<Item = (u32, Sample)>) {
        self.bytes.push(SAMPLES);
        put_varint(&mut self.bytes, samples.len() as u64);
        for (number, Sample { time, value }) in samples {
            let step = i64::from(number) - i64::from(self.number);
            put_varint(&mut self.bytes, zigzag(step));
            put_varint(&mut self.bytes, zigzag(time.wrapping_sub(self.time)));
            self.bytes.extend_from_slice(&value.to_bits().to_le_bytes());
            self.number = number;
            self.time = time;
        }
    }

    /// Samples that came before are deleted.
    pub fn deletion(&mut self, selector: &str, start: i64, end: i64) {
        self.bytes.push(DELETION);
        put_varint(&mut self.bytes, zigzag(start));
        put_varint(&mut self.bytes, zigzag(end));
        self.put_bytes(selector.as_bytes());
    }

    /// How many bytes there are.
    pub const fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The bytes of an entry; what comes next begins another.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(self).bytes
    }

    fn put_bytes(&mut self, bytes: &[u8]) {
        put_varint(&mut self.bytes, bytes.len() as u64);
        self.bytes.extend_from_slice(bytes);
    }
}

/// Seven bits at a time, the lowest first (LEB128).
fn put_varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

/// Small for what is near 0 on either side.
const fn zigzag(value: i64) -> u64 {
    (value << 1 ^ value >> 63).cast_unsigned()
}
