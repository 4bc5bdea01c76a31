//! Bits back into samples.

use super::bits::BitReader;
use super::{Sample, TIME_BITS, Window};

/// Bits that are not as many samples as they should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChunkError {
    /// They end too early.
    #[error("the chunk ends before sample {0}")]
    Short(u32),
    /// The bits of a value that lie outside of it.
    #[error("sample {0} of the chunk has bits beyond its value")]
    Window(u32),
}

/// Gives the samples of a chunk in their order; after an error, nothing.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    bits: BitReader<'a>,
    /// How many there are, and how many were read.
    count: u32,
    read: u32,
    time: i64,
    step: i64,
    value: u64,
    window: Option<Window>,
}

impl<'a> Reader<'a> {
    /// Reads `count` samples from the bits of a [`Chunk`](super::Chunk).
    pub const fn new(bytes: &'a [u8], count: u32) -> Self {
        Self::of_bits(BitReader::new(bytes), count)
    }

    pub(super) const fn of_bits(bits: BitReader<'a>, count: u32) -> Self {
        Self {
            bits,
            count,
            read: 0,
            time: 0,
            step: 0,
            value: 0,
            window: None,
        }
    }

    fn sample(&mut self) -> Result<Sample, ChunkError> {
        let short = ChunkError::Short(self.read);
        if self.read == 0 {
            self.time = self.bits.take(u64::BITS).ok_or(short)?.cast_signed();
            self.value = self.bits.take(u64::BITS).ok_or(short)?;
        } else {
            let (is_late, is_other) = match self.bits.ones(2).ok_or(short)? {
                0 => (false, false),
                1 => (false, true),
                _ => (true, self.bits.take(1).ok_or(short)? == 1),
            };
            if is_late {
                let late = self.late().ok_or(short)?;
                self.step = self.step.wrapping_add(late);
            }
            self.time = self.time.wrapping_add(self.step);
            if is_other {
                self.value ^= self.difference()?;
            }
        }
        Ok(Sample {
            time: self.time,
            value: f64::from_bits(self.value),
        })
    }

    fn late(&mut self) -> Option<i64> {
        let longest = TIME_BITS.len() as u32 - 1;
        let class = self.bits.ones(longest)?;
        let bits = TIME_BITS[class as usize];
        let spare = i64::BITS - bits;
        // The highest bit is the sign.
        Some(self.bits.take(bits)?.cast_signed() << spare >> spare)
    }

    fn difference(&mut self) -> Result<u64, ChunkError> {
        let short = ChunkError::Short(self.read);
        let outside = ChunkError::Window(self.read);
        let is_new = self.bits.take(1).ok_or(short)? == 1;
        if is_new {
            let leading = self.bits.take(6).ok_or(short)? as u8;
            let length = self.bits.take(6).ok_or(short)? as u8 + 1;
            let fits = u32::from(leading + length) <= u64::BITS;
            self.window = Some(Window { leading, length }).filter(|_| fits);
        }
        let window = self.window.ok_or(outside)?;
        let bits = self.bits.take(window.length()).ok_or(short)?;
        Ok(bits << window.trailing())
    }
}

impl Iterator for Reader<'_> {
    type Item = Result<Sample, ChunkError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.read == self.count {
            return None;
        }
        let sample = self.sample();
        self.read = match sample {
            Ok(_) => self.read + 1,
            Err(_) => self.count,
        };
        Some(sample)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let most = (self.count - self.read) as usize;
        (0, Some(most))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Chunk;
    use super::*;
    use proptest::prelude::*;

    /// As Prometheus marks a series that has ended.
    const STALE: u64 = 0x7ff0_0000_0000_0002;

    #[track_caller]
    fn check(samples: &[(i64, f64)], bytes: usize) {
        let mut chunk = Chunk::default();
        for &(time, value) in samples {
            chunk.push(Sample { time, value });
        }
        let read: Result<Vec<_>, _> = chunk.samples().collect();
        let expected: Vec<_> = samples
            .iter()
            .map(|&(time, value)| Sample { time, value })
            .collect();
        assert_eq!(read.unwrap(), expected);
        assert_eq!(
            (chunk.len(), chunk.to_bytes().len()),
            (samples.len(), bytes)
        );
        assert_eq!(chunk.last_time(), samples.last().map(|sample| sample.0));
    }

    #[test]
    fn samples_come_back_exactly() {
        check(&[], 0);
        check(&[(1_000, 1.5)], 16);
        check(&[(i64::MIN, 0.0), (i64::MAX, -0.0), (0, f64::INFINITY)], 32);
        let stale = f64::from_bits(STALE);
        check(&[(0, 1.0), (15_000, 1.0), (30_000, stale)], 29);
    }

    #[test]
    fn a_sample_with_nothing_new_is_one_bit() {
        let mut samples = vec![(0, 42.0)];
        samples.extend((1..=800).map(|n| (n * 15_000, 42.0)));
        // The first step takes a time of 20 bits, and 3 + 4 before it.
        check(&samples, 16 + (27 + 799_usize).div_ceil(8));
    }

    #[test]
    fn damage_is_told() {
        let mut chunk = Chunk::default();
        for n in 0..10 {
            chunk.push(Sample {
                time: n * n,
                value: n as f64,
            });
        }
        let cut = &chunk.to_bytes()[..chunk.to_bytes().len() / 2];
        let read: Vec<_> = Reader::new(cut, 10).collect();
        assert!(matches!(read.last(), Some(Err(ChunkError::Short(_)))));
        // A value whose bits are where the last one's were, and there was none.
        let mut bytes = chunk.to_bytes()[..16].to_vec();
        bytes.push(0b1000_0000);
        let read: Vec<_> = Reader::new(&bytes, 2).collect();
        assert_eq!(read[1], Err(ChunkError::Window(1)));
    }

    fn values() -> impl Strategy<Value = f64> {
        prop_oneof![
            any::<u64>().prop_map(f64::from_bits),
            (0..1000_i32).prop_map(f64::from),
            (-1e6..1e6).prop_map(|value: f64| (value * 100.0).round() / 100.0),
            Just(f64::from_bits(STALE)),
        ]
    }

    fn steps() -> impl Strategy<Value = i64> {
        prop_oneof![
            Just(15_000),
            14_990..15_010_i64,
            0..100_000_000_i64,
            any::<i64>(),
        ]
    }

    proptest! {
        #[test]
        fn any_samples_come_back(news in prop::collection::vec((steps(), values()), 0..300)) {
            let mut time = 0_i64;
            let mut chunk = Chunk::default();
            let mut samples = Vec::new();
            for (step, value) in news {
                time = time.wrapping_add(step);
                samples.push(Sample { time, value });
                chunk.push(Sample { time, value });
            }
            let read: Result<Vec<_>, _> = chunk.samples().collect();
            prop_assert_eq!(read, Ok(samples));
        }

        #[test]
        fn no_bytes_are_too_much(bytes: Vec<u8>, count in 0..100_000_u32) {
            let read = Reader::new(&bytes, count);
            prop_assert!(read.take(bytes.len() * 8 + 1).count() <= bytes.len() * 8 + 1);
        }
    }
}
