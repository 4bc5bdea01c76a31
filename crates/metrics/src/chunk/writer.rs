//! Samples into bits, one after the other.

use super::bits::Bits;
use super::reader::Reader;
use super::{Sample, TIME_BITS, Window};

/// Samples of one series, in the order in which they were given.
#[derive(Debug, Clone, Default)]
pub struct Chunk {
    bits: Bits,
    count: u32,
    /// Of the last sample.
    time: i64,
    /// From the time before the last to the last.
    step: i64,
    /// Of the last sample, as bits.
    value: u64,
    /// Where the last value that differed did.
    window: Option<Window>,
}

impl Chunk {
    /// Appends a sample.
    pub fn push(&mut self, sample: Sample) {
        let Sample { time, value } = sample;
        let value = value.to_bits();
        if self.count == 0 {
            self.bits.put(time.cast_unsigned(), u64::BITS);
            self.bits.put(value, u64::BITS);
        } else {
            let step = time.wrapping_sub(self.time);
            let late = step.wrapping_sub(self.step);
            let difference = value ^ self.value;
            self.put_news(late, difference);
            self.step = step;
        }
        self.time = time;
        self.value = value;
        self.count += 1;
    }

    /// How many samples it has.
    pub const fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether it has none.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The time of the last sample, if there is one.
    pub fn last_time(&self) -> Option<i64> {
        (!self.is_empty()).then_some(self.time)
    }

    /// The last sample, if there is one.
    pub fn last(&self) -> Option<Sample> {
        let value = f64::from_bits(self.value);
        let time = self.time;
        (!self.is_empty()).then_some(Sample { time, value })
    }

    /// Reads its samples.
    pub fn samples(&self) -> Reader<'_> {
        Reader::of_bits(self.bits.reader(), self.count)
    }

    /// The bits, which [`Reader::new`] reads when it is told how many samples they are.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.bits.to_bytes()
    }

    /// Gives back the memory for samples that will not come.
    pub fn close(&mut self) {
        self.bits.close();
    }

    /// How late a sample is beside what was promised, and which bits of its value are
    /// others.
    fn put_news(&mut self, late: i64, difference: u64) {
        match (late, difference) {
            (0, 0) => self.bits.put(0b0, 1),
            (0, _) => {
                self.bits.put(0b10, 2);
                self.put_value(difference);
            }
            (_, 0) => {
                self.bits.put(0b110, 3);
                self.put_time(late);
            }
            _ => {
                self.bits.put(0b111, 3);
                self.put_time(late);
                self.put_value(difference);
            }
        }
    }

    fn put_time(&mut self, late: i64) {
        let fits = |bits: u32| {
            let spare = i64::BITS - bits;
            late << spare >> spare == late
        };
        let class = TIME_BITS
            .iter()
            .position(|&bits| fits(bits))
            .unwrap_or_default() as u32;
        let longest = TIME_BITS.len() as u32 - 1;
        if class == longest {
            self.bits.put(ones(class), class);
        } else {
            self.bits.put(ones(class) << 1, class + 1);
        }
        self.bits
            .put(late.cast_unsigned(), TIME_BITS[class as usize]);
    }

    fn put_value(&mut self, difference: u64) {
        let own = Window::of(difference);
        // A window of its own costs 12 bits more to tell, and saves those that the last
        // one is wider.
        const TOLD: u32 = 12;
        if let Some(last) = self.window
            && last.holds(own)
            && last.length() <= own.length() + TOLD
        {
            self.bits.put(0, 1);
            self.bits.put(difference >> last.trailing(), last.length());
            return;
        }
        self.bits.put(1, 1);
        self.bits.put(u64::from(own.leading), 6);
        self.bits.put(u64::from(own.length - 1), 6);
        self.bits.put(difference >> own.trailing(), own.length());
        self.window = Some(own);
    }
}

/// So many ones, at most 63.
const fn ones(count: u32) -> u64 {
    (1 << count) - 1
}
