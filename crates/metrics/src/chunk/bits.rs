//! Bits in bytes, the first in the highest place. What they mean is told in `super`.
//!
//! The last of them stand in a word beside the bytes, so that a few bits more most often
//! touch no other memory.

/// Bytes by which the memory of a short chunk grows: some samples of most series. Doubling
/// would leave half of it empty, for a million series.
const STEP_BYTES: usize = 16;

/// The first bytes: allocators give blocks of 16 less what they note in them, so these and
/// each step after them leave nothing over.
const FIRST_BYTES: usize = 24;

/// Bits that are written one after the other.
#[derive(Debug, Clone, Default)]
pub(super) struct Bits {
    /// Whole words.
    bytes: Vec<u8>,
    /// Those behind them, in the highest places; the others are 0.
    word: u64,
    /// How many those are: 0 to 63.
    used: u8,
}

impl Bits {
    /// Writes the lowest `count` bits of `value`, at most 64 of them.
    pub(super) fn put(&mut self, value: u64, count: u32) {
        if count == 0 {
            return;
        }
        let value = value << (u64::BITS - count);
        let used = u32::from(self.used);
        self.word |= value >> used;
        if used + count < u64::BITS {
            self.used += count as u8;
            return;
        }
        let word = self.word;
        self.push(word);
        // What did not fit; a shift by all bits is none.
        self.word = value.checked_shl(u64::BITS - used).unwrap_or(0);
        self.used = (used + count - u64::BITS) as u8;
    }

    /// Reads them.
    pub(super) const fn reader(&self) -> BitReader<'_> {
        BitReader {
            bytes: self.bytes.as_slice(),
            tail: self.word,
            tail_bits: self.used as u32,
            word: 0,
            there: 0,
        }
    }

    /// All of them as bytes; those bits of the last that were not written are 0.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let tail = self.word.to_be_bytes();
        let tail = &tail[..usize::from(self.used).div_ceil(8)];
        [self.bytes.as_slice(), tail].concat()
    }

    /// Gives back the memory for bits that will not come.
    pub(super) fn close(&mut self) {
        self.bytes.shrink_to_fit();
    }

    fn push(&mut self, word: u64) {
        if self.bytes.len() == self.bytes.capacity() {
            let more = (self.bytes.len() / 4).next_multiple_of(STEP_BYTES);
            let least = if self.bytes.is_empty() {
                FIRST_BYTES
            } else {
                STEP_BYTES
            };
            self.bytes.reserve_exact(more.max(least));
        }
        self.bytes.extend_from_slice(&word.to_be_bytes());
    }
}

/// Bits that are read in the same order.
#[derive(Debug, Clone)]
pub(super) struct BitReader<'a> {
    bytes: &'a [u8],
    /// Behind the bytes, in the highest places.
    tail: u64,
    tail_bits: u32,
    /// Those that are read next, in the highest places; the others are 0.
    word: u64,
    /// How many those are.
    there: u32,
}

impl<'a> BitReader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            tail: 0,
            tail_bits: 0,
            word: 0,
            there: 0,
        }
    }

    /// The next `count` bits, at most 64, as the lowest of a number; `None` when there are
    /// not so many.
    pub(super) fn take(&mut self, count: u32) -> Option<u64> {
        let (mut value, mut left) = (0, count);
        while left > self.there {
            value = shifted(value, self.there) | self.take_there(self.there);
            left -= self.there;
            self.there = 0;
            self.refill()?;
        }
        value = shifted(value, left) | self.take_there(left);
        self.there -= left;
        Some(value)
    }

    /// How many ones come before the next zero, at most `most`, behind which no zero is
    /// looked for.
    pub(super) fn ones(&mut self, most: u32) -> Option<u32> {
        if self.there > most {
            let ones = self.word.leading_ones().min(most);
            self.take((ones + 1).min(most))?;
            return Some(ones);
        }
        for ones in 0..most {
            if self.take(1)? == 0 {
                return Some(ones);
            }
        }
        Some(most)
    }

    /// The highest `count` bits of the word, which moves up.
    const fn take_there(&mut self, count: u32) -> u64 {
        if count == 0 {
            return 0;
        }
        let taken = self.word >> (u64::BITS - count);
        self.word = shifted(self.word, count);
        taken
    }

    fn refill(&mut self) -> Option<()> {
        if let Some((word, rest)) = self.bytes.split_first_chunk() {
            self.word = u64::from_be_bytes(*word);
            self.there = u64::BITS;
            self.bytes = rest;
        } else if !self.bytes.is_empty() {
            let mut word = [0; 8];
            word[..self.bytes.len()].copy_from_slice(self.bytes);
            self.word = u64::from_be_bytes(word);
            self.there = u8::BITS * self.bytes.len() as u32;
            self.bytes = &[];
        } else if self.tail_bits > 0 {
            self.word = self.tail;
            self.there = self.tail_bits;
            self.tail_bits = 0;
        } else {
            return None;
        }
        Some(())
    }
}

/// Moved up by so many bits, 0 to 64.
const fn shifted(value: u64, count: u32) -> u64 {
    match value.checked_shl(count) {
        Some(shifted) => shifted,
        None => 0,
    }
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
        let bytes = bits.to_bytes();
        assert_eq!(
            bytes.len(),
            (1 + 3 + 12 + 64 + 64 + 3 + 7_usize).div_ceil(8)
        );
        for mut reader in [BitReader::new(&bytes), bits.reader()] {
            for (value, count) in pieces {
                assert_eq!(reader.take(count), Some(value));
            }
            assert_eq!(reader.take(8), None);
        }
    }

    #[test]
    fn ones_are_counted_up_to_a_zero() {
        let mut bits = Bits::default();
        for (ones, length) in [(0b0, 1), (0b10, 2), (0b110, 3), (0b1111, 4), (0b1, 1)] {
            bits.put(ones, length);
        }
        let bytes = bits.to_bytes();
        let mut reader = BitReader::new(&bytes);
        let counted: Vec<_> = (0..4).map(|_| reader.ones(4)).collect();
        assert_eq!(counted, [Some(0), Some(1), Some(2), Some(4)]);
        // What is left of the last byte is 0.
        assert_eq!(reader.ones(7), Some(1));
    }
}
