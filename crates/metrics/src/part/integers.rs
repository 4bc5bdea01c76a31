//! A column of integers: what is new in each, divided by what all of it is a multiple of.
//!
//! Of the numbers, of their differences and of the differences of those, the one is kept
//! that is expected to be smallest: gauges jump about a level, counters about a rate. It
//! is written as varints, which the block that holds the column compresses together with
//! those of other series, or by `pco`, which needs some hundred numbers to learn how they
//! are spread and then comes closer to what they are worth. It is taken where it needs
//! less than the entropy of the varints' bytes: a bar that is a tenth higher or lower costs
//! up to a twelfth of the bytes of node_exporter's samples.
//!
//! ```text
//! differences taken   1 byte: 0, 1 or 2
//! the first number    signed varint
//! divisor             varint, at least 1
//! all other numbers   varints, signed; or pco (format version, chunk, one page) of i64
//! ```
//!
//! All sums wrap around, so that no number is too large.

use super::bytes::{Input, Malformed, put_number, put_signed};
use pco::metadata::{DeltaEncoding, Mode};
use pco::wrapped::{FileCompressor, FileDecompressor};
use pco::{ChunkConfig, DeltaSpec};

/// How the numbers of a column are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    /// To be compressed with others.
    Varints,
    /// Compressed as they are.
    Pco,
}

/// Fewer numbers than these are not worth a try: what `pco` tells of them takes about 30
/// bytes before the first.
const PCO_LEAST: usize = 64;

/// The most differences that are taken.
const MOST_DIFFERENCES: u8 = 2;

/// Numbers as a column. There must be one.
pub(super) fn encode(numbers: &[i64]) -> (Packing, Vec<u8>) {
    let Some(&first) = numbers.first() else {
        return (Packing::Varints, Vec::new());
    };
    let mut steps = differences(numbers[1..].iter().copied(), first);
    let common = steps.iter().fold(0, |common, step| {
        greatest_common_divisor(common, step.unsigned_abs())
    });
    let divisor = common.max(1);
    if divisor > 1 {
        divide(&mut steps, divisor);
    }
    let (taken, rest, varints, expected) = smallest(steps);
    let mut column = vec![taken];
    put_signed(&mut column, first);
    put_number(&mut column, divisor);
    if let Some(packed) = pack(&rest).filter(|packed| (packed.len() as f64) < expected) {
        column.extend(packed);
        return (Packing::Pco, column);
    }
    column.extend(varints);
    (Packing::Varints, column)
}

/// The numbers of a column, `count` of them and at least one, appended to `numbers`.
pub(super) fn decode(
    packing: Packing,
    column: &[u8],
    count: usize,
    numbers: &mut Vec<i64>,
) -> Result<(), Malformed> {
    let mut input = Input(column);
    let taken = input.byte()?;
    let mut last = input.signed()?;
    let divisor = input.number()?.cast_signed();
    let begin = numbers.len();
    numbers.push(last);
    match packing {
        Packing::Varints => {
            for _ in 1..count {
                numbers.push(input.signed()?);
            }
            if !input.is_empty() {
                return Err(Malformed("there is more than its numbers"));
            }
        }
        Packing::Pco => unpack(input.0, count - 1, numbers)?,
    }
    let rest = &mut numbers[begin + 1..];
    match taken {
        0 => take_differences(rest),
        1 => {}
        MOST_DIFFERENCES => add_up(rest),
        _ => return Err(Malformed("too many differences were taken")),
    }
    for number in rest {
        last = last.wrapping_add(number.wrapping_mul(divisor));
        *number = last;
    }
    Ok(())
}

/// Of the steps between numbers, of what these add up to and of their differences, what is
/// smallest: how many differences it takes to get there from the numbers, itself, its
/// varints, and how many bytes those may become.
fn smallest(steps: Vec<i64>) -> (u8, Vec<i64>, Vec<u8>, f64) {
    let mut sums = steps.clone();
    add_up(&mut sums);
    let seconds = differences(steps.iter().copied(), 0);
    let mut best: Option<(u8, Vec<i64>, Vec<u8>, f64)> = None;
    for (taken, rest) in [(1, steps), (2, seconds), (0, sums)] {
        let mut varints = Vec::with_capacity(2 * rest.len());
        for number in &rest {
            put_signed(&mut varints, *number);
        }
        let bytes = entropy(&varints);
        if best.as_ref().is_none_or(|(.., least)| bytes < *least) {
            best = Some((taken, rest, varints, bytes));
        }
    }
    best.unwrap_or_default()
}

/// Each number less the one before it, `before` being before the first.
fn differences(numbers: impl Iterator<Item = i64>, mut before: i64) -> Vec<i64> {
    let step = |number: i64| number.wrapping_sub(std::mem::replace(&mut before, number));
    numbers.map(step).collect()
}

/// Each number becomes what it and all before it add up to.
fn add_up(numbers: &mut [i64]) {
    let mut sum = 0_i64;
    for number in numbers {
        sum = sum.wrapping_add(*number);
        *number = sum;
    }
}

/// Takes back what [`add_up`] did.
fn take_differences(numbers: &mut [i64]) {
    let mut before = 0_i64;
    for number in numbers {
        let own = *number;
        *number = own.wrapping_sub(before);
        before = own;
    }
}

/// Divides numbers that all are multiples of `divisor`.
fn divide(numbers: &mut [i64], divisor: u64) {
    for number in numbers {
        let quotient = (number.unsigned_abs() / divisor).cast_signed();
        *number = if *number < 0 { -quotient } else { quotient };
    }
}

const fn greatest_common_divisor(mut one: u64, mut other: u64) -> u64 {
    while other != 0 {
        (one, other) = (other, one % other);
    }
    one
}

/// How many bytes these become where each is told by how frequent it is.
fn entropy(bytes: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in bytes {
        counts[usize::from(*byte)] += 1;
    }
    let all = bytes.len() as f64;
    let told = counts.iter().filter(|count| **count > 0);
    let bits = told.map(|count| f64::from(*count) * (all / f64::from(*count)).log2());
    bits.sum::<f64>() / 8.0
}

/// As `pco` writes them; `None` where that is not to be tried, or refused.
fn pack(numbers: &[i64]) -> Option<Vec<u8>> {
    if numbers.len() < PCO_LEAST {
        return None;
    }
    let config = ChunkConfig::default().with_delta_spec(DeltaSpec::NoOp);
    let file = FileCompressor::default();
    let packed = file.write_header(Vec::new()).ok()?;
    let mut chunk = file.chunk_compressor(numbers, &config).ok()?;
    let packed = chunk.write_meta(packed).ok()?;
    chunk.write_page(0, packed).ok()
}

/// Appends the `count` numbers that `pack` has packed.
fn unpack(packed: &[u8], count: usize, numbers: &mut Vec<i64>) -> Result<(), Malformed> {
    let refused = |_| Malformed("pco does not read it");
    let (file, rest) = FileDecompressor::new(packed).map_err(refused)?;
    let (mut chunk, rest) = file.chunk_decompressor::<i64, _>(rest).map_err(refused)?;
    // Nothing else is written here, and others may ask for much memory.
    let meta = chunk.meta();
    let is_own = matches!(meta.delta_encoding, DeltaEncoding::NoOp)
        && matches!(meta.mode, Mode::Classic | Mode::IntMult(_));
    if !is_own {
        return Err(Malformed("pco is used in a way that is not ours"));
    }
    let mut page = chunk.page_decompressor(rest, count).map_err(refused)?;
    let begin = numbers.len();
    numbers.resize(begin + count, 0);
    page.read(&mut numbers[begin..]).map_err(refused)?;
    if !page.into_src().is_empty() {
        return Err(Malformed("there is more than its numbers"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(numbers: &[i64], expected: Packing, most: usize) {
        let (packing, column) = encode(numbers);
        assert_eq!(packing, expected);
        assert!(column.len() <= most, "{} bytes", column.len());
        let mut read = vec![42];
        decode(packing, &column, numbers.len(), &mut read).unwrap();
        assert_eq!(read[1..], *numbers);
    }

    #[test]
    fn columns_come_back() {
        check(&[7], Packing::Varints, 3);
        check(&[i64::MIN, i64::MAX, 0, -1], Packing::Varints, 42);
        let regular: Vec<_> = (0..100).map(|n| 1_000_000 + 4096 * n).collect();
        check(&regular, Packing::Varints, 7 + 99);
        let spread: Vec<_> = (0..8192_i64).map(|n| n * n % 1009).collect();
        check(&spread, Packing::Pco, 8192 * 11 / 8);
    }

    #[test]
    fn damage_is_told() {
        let spread: Vec<_> = (0..2000_i64).map(|n| n * n % 1009).collect();
        for numbers in [&spread[..], &[1, 2, 3, 5]] {
            let (packing, column) = encode(numbers);
            let read = |column: &[u8], count| decode(packing, column, count, &mut Vec::new());
            for length in 0..column.len() {
                assert!(read(&column[..length], numbers.len()).is_err(), "{length}");
            }
            let mut longer = column.clone();
            longer.push(0);
            assert!(read(&longer, numbers.len()).is_err());
        }
    }

    fn steps() -> impl Strategy<Value = i64> {
        prop_oneof![
            4 => -100..100_i64,
            2 => Just(15_000),
            1 => (-1000..1000_i64).prop_map(|n| n * 4096),
            1 => any::<i64>(),
        ]
    }

    proptest! {
        #[test]
        fn any_numbers_come_back(first: i64, steps in prop::collection::vec(steps(), 0..400)) {
            let mut numbers = vec![first];
            for step in steps {
                numbers.push(numbers[numbers.len() - 1].wrapping_add(step));
            }
            let (packing, column) = encode(&numbers);
            let mut read = Vec::new();
            decode(packing, &column, numbers.len(), &mut read).unwrap();
            prop_assert_eq!(read, numbers);
        }
    }
}
