//! A column of values: floats as integers, to the bit.
//!
//! Most floats were written by someone as a decimal number, or counted in small units and
//! brought to a larger one: they are an integer divided by a power of ten, or multiplied
//! by one below 1. (`1001.0 * 0.001` is not `1.001`; node_exporter does both.) Which
//! integer is found by rounding and believed only where it gives back each bit. The few
//! values of a column that are none (stale marks, infinities, -0) are told one by one. A
//! column with more of them is told by the bits of its floats, taken as integers.
//!
//! ```text
//! scale               1 byte: 0 bits; 1 + e divided by 10^e; 65 + e multiplied by 10^-e
//! exceptions          varint; each: numbers between it and the one before, its 8 bytes
//! integers            as in `integers`
//! ```

use super::bytes::{Input, Malformed, put_number};
use super::integers::{self, Packing};

/// From an integer to a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scale {
    /// The bits of the float.
    Bits,
    /// Divided by this power of ten.
    Divided(u8),
    /// Multiplied by the float nearest to the inverse of this power of ten.
    Multiplied(u8),
}

/// The highest power of ten: a float has at most 17 digits.
const MOST_TENS: u8 = 17;

/// What [`Scale::Multiplied`] is told by, less its power.
const MULTIPLIED: u8 = 65;

/// In how many values one may be an exception; it takes 9 bytes and an integer that comes
/// of nothing.
const VALUES_TO_AN_EXCEPTION: usize = 32;

/// Powers of ten, which floats hold exactly.
const TENS: [f64; MOST_TENS as usize + 1] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17,
];

/// The floats nearest to their inverses.
const TENTHS: [f64; MOST_TENS as usize + 1] = [
    1e0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-11, 1e-12, 1e-13, 1e-14,
    1e-15, 1e-16, 1e-17,
];

/// Integers, and the values that are not those: where, and their bits.
#[derive(Debug, Default)]
struct Found {
    integers: Vec<i64>,
    exceptions: Vec<(usize, u64)>,
}

/// Values as a column. There must be one.
pub(super) fn encode(values: &[f64]) -> (Packing, Vec<u8>) {
    let (scale, found) = scaled(values);
    let (packing, integers) = integers::encode(&found.integers);
    let mut column = vec![scale.byte()];
    put_number(&mut column, found.exceptions.len() as u64);
    let mut next = 0;
    for (index, bits) in found.exceptions {
        put_number(&mut column, (index - next) as u64);
        column.extend(bits.to_le_bytes());
        next = index + 1;
    }
    column.extend(integers);
    (packing, column)
}

/// The values of a column, `count` of them and at least one, in place of `values`.
/// `integers` is memory to work in.
pub(super) fn decode(
    packing: Packing,
    column: &[u8],
    count: usize,
    integers: &mut Vec<i64>,
    values: &mut Vec<f64>,
) -> Result<(), Malformed> {
    let mut input = Input(column);
    let scale = Scale::of(input.byte()?)?;
    let exceptions = input.count(count)?;
    let before = input;
    for _ in 0..exceptions {
        input.number()?;
        input.take(8)?;
    }
    integers.clear();
    integers::decode(packing, input.0, count, integers)?;
    values.clear();
    let integers = integers.iter();
    match scale {
        Scale::Bits => values.extend(integers.map(|n| f64::from_bits(n.cast_unsigned()))),
        Scale::Divided(0) => values.extend(integers.map(|n| *n as f64)),
        _ => values.extend(integers.map(|n| scale.value(*n))),
    }
    put_exceptions(before, exceptions, values)
}

fn put_exceptions(
    mut input: Input<'_>,
    exceptions: usize,
    values: &mut [f64],
) -> Result<(), Malformed> {
    let mut rest = values;
    for _ in 0..exceptions {
        let gap = input.count(rest.len())?;
        let split = rest.split_at_mut(gap).1.split_first_mut();
        let (value, behind) = split.ok_or(Malformed("an exception is no value of it"))?;
        *value = f64::from_bits(u64::from_le_bytes(input.array()?));
        rest = behind;
    }
    Ok(())
}

fn scaled(values: &[f64]) -> (Scale, Found) {
    let scales = (0..=MOST_TENS).flat_map(|tens| [Scale::Divided(tens), Scale::Multiplied(tens)]);
    for scale in scales {
        if let Some(found) = scale.find(values) {
            return (scale, found);
        }
    }
    let bits = values.iter().map(|value| value.to_bits().cast_signed());
    let integers = bits.collect();
    let exceptions = Vec::new();
    (
        Scale::Bits,
        Found {
            integers,
            exceptions,
        },
    )
}

impl Scale {
    const fn byte(self) -> u8 {
        match self {
            Self::Bits => 0,
            Self::Divided(tens) => 1 + tens,
            Self::Multiplied(tens) => MULTIPLIED + tens,
        }
    }

    const fn of(byte: u8) -> Result<Self, Malformed> {
        match byte {
            0 => Ok(Self::Bits),
            1..=18 => Ok(Self::Divided(byte - 1)),
            MULTIPLIED..=82 => Ok(Self::Multiplied(byte - MULTIPLIED)),
            _ => Err(Malformed("the scale of its values is none")),
        }
    }

    fn value(self, integer: i64) -> f64 {
        match self {
            Self::Bits => f64::from_bits(integer.cast_unsigned()),
            Self::Divided(tens) => integer as f64 / TENS[usize::from(tens)],
            Self::Multiplied(tens) => integer as f64 * TENTHS[usize::from(tens)],
        }
    }

    /// The integers that give these values by this scale, if there are not too many
    /// exceptions.
    fn find(self, values: &[f64]) -> Option<Found> {
        let (Self::Divided(tens) | Self::Multiplied(tens)) = self else {
            return None;
        };
        let most = values.len() / VALUES_TO_AN_EXCEPTION + 1;
        let mut found = Found::default();
        for (index, value) in values.iter().enumerate() {
            // Too large ones become the largest, and are compared like any other.
            let integer = (value * TENS[usize::from(tens)]).round() as i64;
            if self.value(integer).to_bits() == value.to_bits() {
                found.integers.push(integer);
                continue;
            }
            if found.exceptions.len() == most {
                return None;
            }
            found.exceptions.push((index, value.to_bits()));
            let like_the_last = found.integers.last().copied().unwrap_or_default();
            found.integers.push(like_the_last);
        }
        (found.exceptions.len() < values.len()).then_some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::STALE;
    use proptest::prelude::*;

    #[track_caller]
    fn round_trip(values: &[f64]) -> Vec<u8> {
        let (packing, column) = encode(values);
        let mut read = vec![42.0];
        decode(packing, &column, values.len(), &mut vec![1], &mut read).unwrap();
        let bits = |values: &[f64]| {
            values
                .iter()
                .map(|value| value.to_bits())
                .collect::<Vec<_>>()
        };
        assert_eq!(bits(&read), bits(values));
        column
    }

    #[test]
    fn scales() {
        let check = |values: &[f64], expected: Scale| {
            assert_eq!(round_trip(values)[0], expected.byte(), "{values:?}");
        };
        check(&[1.0, 2.0, 4e15], Scale::Divided(0));
        check(&[9_007_199_254_740_993.0, 1e18, -1e18], Scale::Divided(0));
        check(&[0.1, 0.25, 1.99], Scale::Divided(2));
        let milliseconds: Vec<_> = (1000..1100).map(|n| f64::from(n) * 0.001).collect();
        check(&milliseconds, Scale::Multiplied(3));
        check(&[std::f64::consts::PI, 1e300, 1e-300], Scale::Bits);
        let stale = f64::from_bits(STALE);
        check(&[1.0, 2.0, stale], Scale::Divided(0));
        check(&[stale], Scale::Bits);
        check(&[f64::INFINITY, -0.0, stale, -f64::INFINITY], Scale::Bits);
        check(&[-0.0, 0.5], Scale::Divided(1));
    }

    #[test]
    fn damage_is_told() {
        let column = round_trip(&[1.0, f64::NAN, 2.5]);
        let read = |column: &[u8]| {
            decode(
                Packing::Varints,
                column,
                3,
                &mut Vec::new(),
                &mut Vec::new(),
            )
        };
        for length in 0..column.len() {
            assert!(read(&column[..length]).is_err(), "{length}");
        }
        let mut wrong = column.clone();
        wrong[0] = 19;
        assert!(read(&wrong).is_err(), "scale");
        let mut wrong = column;
        wrong[2] = 3;
        assert!(read(&wrong).is_err(), "place of an exception");
    }

    fn values() -> impl Strategy<Value = f64> {
        prop_oneof![
            1 => any::<u64>().prop_map(f64::from_bits),
            1 => any::<u64>().prop_map(|payload| f64::from_bits(payload | 0x7ff0 << 48)),
            4 => (0..1000_i32).prop_map(f64::from),
            4 => (-1_000_000..1_000_000_i32).prop_map(|n| f64::from(n) / 1000.0),
            2 => (0..1_000_000_i32).prop_map(|n| f64::from(n) * 0.000_001),
            1 => Just(f64::from_bits(STALE)),
            1 => Just(-0.0),
        ]
    }

    proptest! {
        #[test]
        fn any_values_come_back(values in prop::collection::vec(values(), 1..200)) {
            round_trip(&values);
        }

        #[test]
        fn few_exceptions_do_not_matter(
            mut values in prop::collection::vec((0..1000_i32).prop_map(f64::from), 100..200),
            place in 0..100_usize,
            bits: u64,
        ) {
            values[place] = f64::from_bits(bits);
            prop_assert!(round_trip(&values)[0] != Scale::Bits.byte());
        }
    }
}
