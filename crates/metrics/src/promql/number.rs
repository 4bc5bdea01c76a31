//! Numbers: decimal, hexadecimal and octal ones as texts, and a value that remembers
//! whether it was written as a duration.
//!
//! The words `Inf` and `NaN` are the parser's; durations as texts are in `duration`.

use super::duration;
use std::fmt;

/// A number of a query.
///
/// Two are equal if they have the same bits and the same form, so that NaN is equal to
/// itself and 0 differs from -0, as their texts do.
#[derive(Debug, Clone, Copy)]
pub struct Number {
    value: f64,
    is_duration: bool,
}

/// Why a text is no number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotANumber {
    /// It is written as no number is.
    Syntax,
    /// No float is so large.
    Range,
}

impl Number {
    /// A number that is written as one.
    pub const fn new(value: f64) -> Self {
        // One NaN only, since a text cannot tell them apart.
        let value = if value.is_nan() { f64::NAN } else { value };
        Self {
            value,
            is_duration: false,
        }
    }

    /// A number of seconds that is written as a duration.
    pub const fn duration(milliseconds: i64) -> Self {
        let second = duration::SECOND as i64;
        // Go adds the seconds and their fraction, which rounds twice.
        let fraction = (milliseconds % second) as f64 / second as f64;
        Self {
            value: (milliseconds / second) as f64 + fraction,
            is_duration: true,
        }
    }

    /// Its value; seconds, if it is a duration.
    pub const fn value(self) -> f64 {
        self.value
    }

    /// The same number with the other sign.
    pub const fn negated(self) -> Self {
        let value = if self.value.is_nan() {
            self.value
        } else {
            -self.value
        };
        Self { value, ..self }
    }

    /// Whether it begins with a minus.
    pub(super) const fn is_negative(self) -> bool {
        self.value.is_sign_negative() && !self.value.is_nan()
    }
}

/// Reads a number: digits with a point, an exponent and `_` between digits, or `0x` and
/// hexadecimal digits, or `0` and octal digits, as Go does.
pub(super) fn parse(text: &str) -> Result<f64, NotANumber> {
    if let Some(digits) = text.strip_prefix("0x").or(text.strip_prefix("0X")) {
        let digits = digits.strip_prefix('_').unwrap_or(digits);
        let digits = without_separators(digits, |c| c.is_ascii_hexdigit())?;
        return integer(&digits, 16);
    }
    let text = without_separators(text, |c| c.is_ascii_digit())?;
    let is_octal = text.len() > 1
        && text.starts_with('0')
        && text.bytes().all(|digit| matches!(digit, b'0'..=b'7'));
    if is_octal && let Ok(value) = integer(&text, 8) {
        return Ok(value);
    }
    decimal(&text)
}

fn integer(digits: &str, radix: u32) -> Result<f64, NotANumber> {
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return Err(NotANumber::Syntax);
    }
    // Prometheus reads them into 64 bits with a sign before it makes floats of them.
    let value = i64::from_str_radix(digits, radix).map_err(|_| NotANumber::Range)?;
    Ok(value as f64)
}

fn decimal(text: &str) -> Result<f64, NotANumber> {
    // The standard library reads `inf` and signs too, which are words and operators here.
    if !text.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return Err(NotANumber::Syntax);
    }
    let value: f64 = text.parse().map_err(|_| NotANumber::Syntax)?;
    if value.is_finite() {
        Ok(value)
    } else {
        Err(NotANumber::Range)
    }
}

/// Takes the `_` out of a text, each of which must stand between two digits.
fn without_separators(text: &str, is_digit: fn(char) -> bool) -> Result<String, NotANumber> {
    let begins = |part: &str| part.starts_with(is_digit);
    let ends = |part: &str| part.ends_with(is_digit);
    for (at, _) in text.match_indices('_') {
        if !ends(&text[..at]) || !begins(&text[at + 1..]) {
            return Err(NotANumber::Syntax);
        }
    }
    Ok(text.replace('_', ""))
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.value.to_bits() == other.value.to_bits() && self.is_duration == other.is_duration
    }
}

impl Eq for Number {}

/// The shortest text that is read as the same number.
impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_negative() {
            f.write_str("-")?;
        }
        let size = self.value.abs();
        if self.is_duration {
            let milliseconds = (size * duration::SECOND as f64).round();
            return duration::write(f, milliseconds as u64);
        }
        if size.is_infinite() {
            return f.write_str("Inf");
        }
        let text = format!("{size:?}");
        f.write_str(text.strip_suffix(".0").unwrap_or(&text))
    }
}

#[cfg(test)]
mod tests {
    use super::{NotANumber, Number, parse};

    #[test]
    fn texts_of_numbers() {
        let check = |text: &str, expected| assert_eq!(parse(text), expected, "{text}");
        check("0", Ok(0.0));
        check("123.4567", Ok(123.4567));
        check(".5", Ok(0.5));
        check("5.", Ok(5.0));
        check("5e-3", Ok(0.005));
        check("5.E+3", Ok(5000.0));
        check("1_000.5", Ok(1000.5));
        check("0xc", Ok(12.0));
        check("0X_1F", Ok(31.0));
        check("0xeee", Ok(3822.0));
        check("0755", Ok(493.0));
        check("0_7", Ok(7.0));
        check("0855", Ok(855.0));
        check("00.5", Ok(0.5));
        check("9223372036854775808", Ok(9_223_372_036_854_775_808.0));
        check("1e999", Err(NotANumber::Range));
        check("0xffffffffffffffff", Err(NotANumber::Range));
        for text in [
            "", ".", "_1", "1_", "1__0", "1_.5", "1e", "1e_5", "0x", "0x_", "0xg", "inf", "nan",
            "1.2.3", "-1", "0b1",
        ] {
            check(text, Err(NotANumber::Syntax));
        }
    }

    #[test]
    fn seconds_of_durations() {
        let check = |milliseconds, expected: f64| {
            let found = Number::duration(milliseconds).value();
            assert_eq!(found.to_bits(), expected.to_bits(), "{milliseconds} ms");
        };
        check(0, 0.0);
        check(1_500, 1.5);
        check(1_515, 1.515_000_000_000_000_1);
    }

    #[test]
    fn numbers_are_written_short() {
        let check = |number: Number, expected: &str| assert_eq!(number.to_string(), expected);
        check(Number::new(0.0), "0");
        check(Number::new(-0.0), "-0");
        check(Number::new(1.0), "1");
        check(Number::new(-1.5), "-1.5");
        check(Number::new(1e300), "1e300");
        check(Number::new(f64::NAN).negated(), "NaN");
        check(Number::new(f64::INFINITY).negated(), "-Inf");
        check(Number::duration(5_400_000), "1h30m");
        check(Number::duration(0).negated(), "-0s");
    }
}
