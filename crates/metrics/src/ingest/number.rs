//! Decimal numbers at the start of a text, by the grammars of JSON and of line protocol,
//! correctly rounded.
//!
//! Short numbers, which most measured ones are, take Clinger's fast path ("How to Read
//! Floating Point Numbers Accurately", 1990): a mantissa and a power of ten that floats
//! hold exactly give the right result in one operation. The rest goes to the standard
//! library. Texts like `NaN` are no decimal numbers.

/// Which numbers are allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Grammar {
    /// RFC 8259, section 6: no `+`, no leading zeros, digits on both sides of the point.
    Json,
    /// Influx line protocol: as Go's parser takes them.
    Line,
}

/// A number as it is written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Decimal<'a> {
    text: &'a [u8],
    negative: bool,
    /// All digits as one whole number, unless there are more than it holds.
    mantissa: Option<u64>,
    /// The power of ten that the mantissa is multiplied by, if it is a usual one.
    exponent: Option<i32>,
    has_point_or_exponent: bool,
}

/// Whole numbers up to here are floats.
const EXACT_MANTISSA: u64 = 1 << 53;

/// The powers of ten that are floats.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];

/// More significant digits may not fit 64 bits.
const MANTISSA_DIGITS: u32 = 19;

impl<'a> Decimal<'a> {
    /// Reads the longest number that `text` begins with; `None` if it begins with none.
    #[inline]
    pub(super) fn read(text: &'a [u8], grammar: Grammar) -> Option<Self> {
        let mut scan = Scan::new(text);
        let negative = scan.sign(grammar == Grammar::Line);
        let whole = scan.digits();
        if grammar == Grammar::Json && !is_json_integer(&text[scan.at - whole..scan.at]) {
            return None;
        }
        let mut decimals = 0;
        let has_point = text.get(scan.at) == Some(&b'.');
        if has_point {
            scan.at += 1;
            decimals = scan.digits();
        }
        let lacks_digits = match grammar {
            Grammar::Json => has_point && decimals == 0,
            Grammar::Line => whole + decimals == 0,
        };
        if lacks_digits {
            return None;
        }
        let has_exponent = matches!(text.get(scan.at), Some(b'e' | b'E'));
        let exponent = if has_exponent {
            scan.exponent()?
        } else {
            Some(0)
        };
        let decimals = i32::try_from(decimals).ok();
        Some(Self {
            text: &text[..scan.at],
            negative,
            mantissa: (scan.significant <= MANTISSA_DIGITS).then_some(scan.mantissa),
            exponent: exponent.zip(decimals).and_then(|(e, d)| e.checked_sub(d)),
            has_point_or_exponent: has_point || has_exponent,
        })
    }

    /// How many bytes it takes.
    pub(super) const fn len(&self) -> usize {
        self.text.len()
    }

    /// The nearest float; infinite if it is beyond all of them.
    #[inline]
    pub(super) fn value(&self) -> f64 {
        self.exact().unwrap_or_else(|| {
            let text = std::str::from_utf8(self.text).unwrap_or_default();
            text.parse().unwrap_or(f64::NAN)
        })
    }

    /// The number as a whole one, if it is written as one and 64 bits hold it.
    #[inline]
    pub(super) fn whole(&self) -> Option<i64> {
        if self.has_point_or_exponent {
            return None;
        }
        let mantissa = i128::from(self.mantissa?);
        i64::try_from(if self.negative { -mantissa } else { mantissa }).ok()
    }

    /// The number as a whole one without a sign, in the same way.
    pub(super) fn unsigned(&self) -> Option<u64> {
        let is_whole = !self.has_point_or_exponent;
        let text = std::str::from_utf8(self.text).ok().filter(|_| is_whole)?;
        text.parse().ok()
    }

    #[inline]
    fn exact(&self) -> Option<f64> {
        let mantissa = self.mantissa.filter(|m| *m <= EXACT_MANTISSA)? as f64;
        let exponent = self.exponent?;
        let power = *POWERS.get(exponent.unsigned_abs() as usize)?;
        let value = if exponent < 0 {
            mantissa / power
        } else {
            mantissa * power
        };
        Some(if self.negative { -value } else { value })
    }
}

/// A place in a number and the digits before it.
struct Scan<'a> {
    text: &'a [u8],
    at: usize,
    mantissa: u64,
    /// Digits of the mantissa without leading zeros.
    significant: u32,
}

impl<'a> Scan<'a> {
    const fn new(text: &'a [u8]) -> Self {
        Self {
            text,
            at: 0,
            mantissa: 0,
            significant: 0,
        }
    }

    /// Passes a sign; whether it was a minus.
    #[inline]
    fn sign(&mut self, plus_allowed: bool) -> bool {
        match self.text.get(self.at) {
            Some(b'-') => self.at += 1,
            Some(b'+') if plus_allowed => self.at += 1,
            _ => return false,
        }
        self.text[self.at - 1] == b'-'
    }

    /// Passes digits of the mantissa; how many.
    #[inline]
    fn digits(&mut self) -> usize {
        let start = self.at;
        while let Some(byte @ b'0'..=b'9') = self.text.get(self.at) {
            // What does not fit is counted, and the mantissa then not used.
            self.mantissa = self
                .mantissa
                .wrapping_mul(10)
                .wrapping_add(u64::from(byte - b'0'));
            let is_significant = self.significant > 0 || *byte != b'0';
            self.significant = self.significant.saturating_add(u32::from(is_significant));
            self.at += 1;
        }
        self.at - start
    }

    /// Passes `e`, a sign and digits, of which there must be some. The exponent, unless
    /// it is absurd.
    fn exponent(&mut self) -> Option<Option<i32>> {
        self.at += 1;
        let negative = self.sign(true);
        let start = self.at;
        let mut exponent = Some(0_i32);
        while let Some(byte @ b'0'..=b'9') = self.text.get(self.at) {
            let digit = i32::from(byte - b'0');
            exponent = exponent.and_then(|e| e.checked_mul(10)?.checked_add(digit));
            self.at += 1;
        }
        let signed = exponent.map(|e| if negative { -e } else { e });
        (self.at > start).then_some(signed)
    }
}

/// RFC 8259, section 6: `0`, or digits that do not begin with it.
const fn is_json_integer(digits: &[u8]) -> bool {
    matches!(digits, [b'0'] | [b'1'..=b'9', ..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, grammar: Grammar, expected: Option<(f64, usize)>) {
        let number = Decimal::read(text.as_bytes(), grammar);
        let read = number.map(|number| (number.value().to_bits(), number.len()));
        let expected = expected.map(|(value, length)| (value.to_bits(), length));
        assert_eq!(read, expected, "{text} by {grammar:?}");
    }

    #[test]
    fn json_has_one_way_to_write_a_number() {
        for (text, expected) in [
            ("0", Some((0.0, 1))),
            ("-0", Some((-0.0, 2))),
            ("12,", Some((12.0, 2))),
            ("0.1]", Some((0.1, 3))),
            ("01", None),
            ("-", None),
            ("+1", None),
            (".5", None),
            ("5.", None),
            ("1.e5", None),
            ("1e", None),
            ("1e+", None),
            ("1E+05", Some((1e5, 5))),
            ("1.25e-3", Some((0.001_25, 7))),
            ("NaN", None),
            ("-Infinity", None),
            ("1.7976931348623157e308", Some((f64::MAX, 22))),
            ("1e999", Some((f64::INFINITY, 5))),
            ("-1e99999999999", Some((f64::NEG_INFINITY, 14))),
            ("1e-99999999999", Some((0.0, 14))),
            ("5e-324", Some((5e-324, 6))),
            ("9007199254740993", Some((9_007_199_254_740_992.0, 16))),
            (
                "123456789012345678901234567890",
                Some((1.234_567_890_123_456_8e29, 30)),
            ),
            ("0.000000000000000000000000000001", Some((1e-30, 32))),
        ] {
            check(text, Grammar::Json, expected);
        }
    }

    #[test]
    fn line_protocol_takes_more() {
        for (text, expected) in [
            ("+1", Some((1.0, 2))),
            ("007", Some((7.0, 3))),
            (".5 ", Some((0.5, 2))),
            ("5.", Some((5.0, 2))),
            ("5i", Some((5.0, 1))),
            ("-.5e1", Some((-5.0, 5))),
            (".", None),
            ("-", None),
            ("e5", None),
            ("--1", None),
        ] {
            check(text, Grammar::Line, expected);
        }
    }

    #[test]
    fn whole_numbers_are_those_written_so() {
        for (text, expected) in [
            ("1700000000000", Some(1_700_000_000_000)),
            ("-1", Some(-1)),
            ("9223372036854775807", Some(i64::MAX)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("9223372036854775808", None),
            ("99999999999999999999", None),
            ("1.0", None),
            ("1e3", None),
        ] {
            let number = Decimal::read(text.as_bytes(), Grammar::Json).unwrap();
            assert_eq!(number.whole(), expected, "{text}");
        }
    }
}
