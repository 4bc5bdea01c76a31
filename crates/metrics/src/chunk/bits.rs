//! Bits in bytes, the first in the highest place. What they mean is told in `super`.

/// Bits that are written one after the other.
#[derive(Debug, Clone, Default)]
pub(super) struct Bits {
    bytes: Vec<u8>,
    /// Of the last byte, how many are not written: 0 to 7.
    free: u32,
}

impl Bits {
    /// Writes the lowest `count` bits of `value`, at most 64 of them.
    pub(super) fn put(&mut self, value: u64, count: u32) {
        let mut left = count;
        while left > 0 {
            if self.free == 0 {
                self.bytes.push(0);
                self.free = u8::BITS;
            }
            let taken = left.min(self.free);
            let piece = (value >> (left - taken)) as u8 & low_mask(taken);
            if let Some(last) = self.bytes.last_mut() {
                *last |= piece << (self.free - taken);
            }
            self.free -= taken;
            left -= taken;
        }
    }

    /// The bytes; those bits of the last that were not written are 0.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Bytes of memory beside its own.
    pub(super) fn heap_bytes(&self) -> usize {
        self.bytes.capacity()
    }

    /// Gives back the memory for bits that will not come.
    pub(super) fn close(&mut self) {
        self.bytes.shrink_to_fit();
    }
}

/// Bits that are read in the same order.
#[derive(Debug, Clone)]
pub(super) struct BitReader<'a> {
    bytes: &'a [u8],
    /// Bits that were read of the first byte: 0 to 7.
    read: u32,
}

impl<'a> BitReader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, read: 0 }
    }

    /// The next `count` bits, at most 64, as the lowest of a number; `None` when there are
    /// not so many.
    pub(super) fn take(&mut self, count: u32) -> Option<u64> {
        let mut value = 0;
        let mut left = count;
        while left > 0 {
            let (&first, rest) = self.bytes.split_first()?;
            let there = u8::BITS - self.read;
            let taken = left.min(there);
            let piece = first >> (there - taken) & low_mask(taken);
            value = value << taken | u64::from(piece);
            self.read += taken;
            left -= taken;
            if self.read == u8::BITS {
                (self.bytes, self.read) = (rest, 0);
            }
        }
        Some(value)
    }

    /// How many ones come before the next zero, at most `most`, behind which no zero is
    /// looked for.
    pub(super) fn ones(&mut self, most: u32) -> Option<u32> {
        for ones in 0..most {
            if self.take(1)? == 0 {
                return Some(ones);
            }
        }
        Some(most)
    }
}

/// The lowest `count` bits, from 0 to 8.
const fn low_mask(count: u32) -> u8 {
    (0xff_u16 >> (u8::BITS - count)) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_is_taken() {
        let pieces = [
            (0b1, 1),
            (0, 3),
            (0b1010_1010_1010, 12),
            (u64::MAX, 64),
            (0x0123_4567_89ab_cdef, 64),
            (0, 0),
            (0b101, 3),
            (0x7f, 7),
        ];
        let mut bits = Bits::default();
        for (value, count) in pieces {
            bits.put(value, count);
        }
        assert_eq!(
            bits.bytes().len(),
            (1 + 3 + 12 + 64 + 64 + 3 + 7_usize).div_ceil(8)
        );
        let mut reader = BitReader::new(bits.bytes());
        for (value, count) in pieces {
            assert_eq!(reader.take(count), Some(value));
        }
        assert_eq!(reader.take(8), None);
    }

    #[test]
    fn ones_are_counted_up_to_a_zero() {
        let mut bits = Bits::default();
        for (ones, length) in [(0b0, 1), (0b10, 2), (0b110, 3), (0b1111, 4), (0b1, 1)] {
            bits.put(ones, length);
        }
        let mut reader = BitReader::new(bits.bytes());
        let counted: Vec<_> = (0..4).map(|_| reader.ones(4)).collect();
        assert_eq!(counted, [Some(0), Some(1), Some(2), Some(4)]);
        // What is left of the last byte is 0.
        assert_eq!(reader.ones(7), Some(1));
    }
}
