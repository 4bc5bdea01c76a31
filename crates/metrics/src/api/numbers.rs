//! Samples as Prometheus writes them into its JSON: values as texts, since JSON has no
//! NaN, and times as seconds.
//!
//! What is written here is most of a large answer, so usual numbers have short ways.

use crate::json_text::push_display;
use base::calendar::civil_from_days;

/// Whole numbers below are floats, each of them.
const EXACT_WHOLE: u64 = 1 << 53;

/// Millionths below have at most 15 digits, and floats tell all decimals of 15 digits
/// apart (`DBL_DIG` of C). So of the decimals that are read as one float no other is as
/// short.
const EXACT_MILLIONTHS: u64 = 1_000_000_000_000_000;

/// Appends a value as Go's `strconv.FormatFloat` writes the shortest text that is read as
/// the same float: without an exponent from 1e-6 up to 1e21, and with one beyond
/// (`jsonutil.MarshalFloat` of Prometheus).
pub(super) fn push_value(out: &mut String, value: f64) {
    if !value.is_finite() {
        return out.push_str(name(value));
    }
    if value.is_sign_negative() {
        out.push('-');
    }
    let size = value.abs();
    let whole = size as u64;
    let millionths = (size * 1e6 + 0.5) as u64;
    if whole < EXACT_WHOLE && whole as f64 == size {
        push_whole(out, whole);
    } else if millionths < EXACT_MILLIONTHS && millionths as f64 / 1e6 == size {
        // Both are floats, and a quotient is rounded as a text would be.
        push_millionths(out, millionths);
    } else if (1e-6..1e21).contains(&size) {
        push_display(out, size);
    } else {
        push_with_exponent(out, size);
    }
}

/// Appends the value of a scalar, which Prometheus writes without an exponent whatever
/// its size.
pub(super) fn push_scalar(out: &mut String, value: f64) {
    match value.is_finite() {
        true => push_display(out, value),
        false => out.push_str(name(value)),
    }
}

/// Appends a time in milliseconds as seconds, with three decimals if it has any.
pub(super) fn push_time(out: &mut String, time: i64) {
    if time < 0 {
        out.push('-');
    }
    let milliseconds = time.unsigned_abs();
    push_whole(out, milliseconds / 1000);
    if !milliseconds.is_multiple_of(1000) {
        out.push('.');
        push_ascii(out, &last_digits::<3>(milliseconds));
    }
}

/// Appends a time in milliseconds as RFC 3339 in UTC, in quotes.
pub(super) fn push_rfc3339(out: &mut String, time: i64) {
    let (days, rest) = (time.div_euclid(86_400_000), time.rem_euclid(86_400_000));
    let (year, month, day) = civil_from_days(days);
    let (seconds, milliseconds) = (rest / 1000, rest % 1000);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    push_display(
        out,
        format_args!(
            "\"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milliseconds:03}Z\""
        ),
    );
}

const fn name(value: f64) -> &'static str {
    match value {
        f64::INFINITY => "+Inf",
        f64::NEG_INFINITY => "-Inf",
        _ => "NaN",
    }
}

/// Not of a whole number.
fn push_millionths(out: &mut String, millionths: u64) {
    push_whole(out, millionths / 1_000_000);
    let digits = last_digits::<6>(millionths);
    let end = digits.iter().rposition(|digit| *digit != b'0');
    out.push('.');
    push_ascii(out, &digits[..=end.unwrap_or(0)]);
}

/// Go's exponents have a sign and at least two digits.
fn push_with_exponent(out: &mut String, size: f64) {
    let text = format!("{size:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, exponent) = match exponent.strip_prefix('-') {
        Some(exponent) => ('-', exponent),
        None => ('+', exponent),
    };
    push_display(out, format_args!("{digits}e{sign}{exponent:0>2}"));
}

fn push_whole(out: &mut String, mut number: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = last_digit(number);
        number /= 10;
        if number == 0 {
            return push_ascii(out, &digits[at..]);
        }
    }
}

/// The last digits of a number, zeros among them.
fn last_digits<const COUNT: usize>(mut number: u64) -> [u8; COUNT] {
    let mut digits = [0; COUNT];
    for place in digits.iter_mut().rev() {
        *place = last_digit(number);
        number /= 10;
    }
    digits
}

const fn last_digit(number: u64) -> u8 {
    b'0' + (number % 10) as u8
}

fn push_ascii(out: &mut String, digits: &[u8]) {
    out.push_str(std::str::from_utf8(digits).expect("digits are ASCII"));
}

#[cfg(test)]
mod tests {
    use super::{push_scalar, push_time, push_value};
    use proptest::num::f64::{ANY, NORMAL};
    use proptest::prelude::*;

    fn value(value: f64) -> String {
        let mut out = String::new();
        push_value(&mut out, value);
        out
    }

    /// Expected is what Go 1.19 prints for `strconv.FormatFloat(value, format, -1, 64)`.
    #[test]
    fn values_are_written_as_go_writes_them() {
        let check = |number: f64, expected: &str| assert_eq!(value(number), expected);
        check(0.0, "0");
        check(-0.0, "-0");
        check(1.0, "1");
        check(-12.5, "-12.5");
        check(0.1, "0.1");
        check(0.1 + 0.2, "0.30000000000000004");
        check(100.0, "100");
        check(0.000_001, "0.000001");
        check(0.000_000_9, "9e-07");
        check(1.5e-10, "1.5e-10");
        check(5e-324, "5e-324");
        check(123_456.789_012, "123456.789012");
        check(999_999_999.999_999, "999999999.999999");
        check(1_234_567_890.123_456_7, "1234567890.1234567");
        check(9_007_199_254_740_991.0, "9007199254740991");
        check(9_007_199_254_740_992.0, "9007199254740992");
        check(1e20, "100000000000000000000");
        check(1.234_567_890_123_456_8e20, "123456789012345680000");
        check(1e21, "1e+21");
        check(-1.5e21, "-1.5e+21");
        check(1e100, "1e+100");
        check(f64::MAX, "1.7976931348623157e+308");
        check(1.0 / 3.0, "0.3333333333333333");
        check(f64::INFINITY, "+Inf");
        check(f64::NEG_INFINITY, "-Inf");
        check(f64::NAN, "NaN");
        check(-f64::NAN, "NaN");
    }

    #[test]
    fn scalars_have_no_exponent() {
        let check = |number: f64, expected: &str| {
            let mut out = String::new();
            push_scalar(&mut out, number);
            assert_eq!(out, expected);
        };
        check(1e21, "1000000000000000000000");
        check(1e-7, "0.0000001");
        check(-0.0, "-0");
        check(-f64::INFINITY, "-Inf");
    }

    #[test]
    fn times_are_seconds() {
        let check = |time: i64, expected: &str| {
            let mut out = String::new();
            push_time(&mut out, time);
            assert_eq!(out, expected);
        };
        check(0, "0");
        check(1, "0.001");
        check(-1, "-0.001");
        check(1_500, "1.500");
        check(-60_000, "-60");
        check(1_435_781_451_781, "1435781451.781");
        check(i64::MIN, "-9223372036854775.808");
    }

    /// Short decimals are what is measured, and take the short ways.
    fn decimals() -> impl Strategy<Value = f64> {
        (-1_000_000_000_000_i64..1_000_000_000_000, 0..10_i32)
            .prop_map(|(digits, places)| digits as f64 / 10_f64.powi(places))
    }

    proptest! {
        #[test]
        fn values_are_short_and_read_as_the_same(number in prop_oneof![decimals(), NORMAL, ANY]) {
            let text = value(number);
            let read: f64 = text.parse().unwrap();
            prop_assert!(read == number || read.is_nan() && number.is_nan());
            if number.is_finite() && !text.contains('e') {
                // The standard library's is the shortest, too.
                prop_assert_eq!(text, number.to_string());
            }
        }
    }
}
