//! Timestamps as text: RFC 3339, section 5.6, with years beyond four digits as
//! ISO 8601 expands them, so that every time a file can have can be written.
//!
//! The calendar is the proleptic Gregorian one, without leap seconds.

use crate::Timestamp;
use base::calendar::{civil_from_days, days_from_civil, days_in};
use std::fmt;

const SECONDS_PER_DAY: i64 = 86_400;

/// Reads a timestamp; `None` for what is none, or is beyond what seconds since
/// 1970 in 64 bits hold.
pub(super) fn read(text: &str) -> Option<Timestamp> {
    let (date, time) = text.split_once('T')?;
    let days = read_date(date)?;
    let (clock, offset) = split_offset(time)?;
    let (clock, fraction) = match clock.split_once('.') {
        Some((clock, fraction)) => (clock, read_fraction(fraction)?),
        None => (clock, 0),
    };
    let [hour, minute, second] = fields(clock, ':')?;
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let seconds = i128::from(days) * i128::from(SECONDS_PER_DAY)
        + i128::from(hour * 3600 + minute * 60 + second - offset);
    Timestamp::new(i64::try_from(seconds).ok()?, fraction).ok()
}

/// Appends a timestamp as text, in UTC, with no more decimals than it has.
pub(super) fn write(out: &mut String, time: Timestamp) {
    let days = time.seconds().div_euclid(SECONDS_PER_DAY);
    let second = time.seconds().rem_euclid(SECONDS_PER_DAY);
    let (year, month, day) = civil_from_days(days);
    let year = if (0..10_000).contains(&year) {
        format!("{year:04}")
    } else {
        format!("{year:+06}")
    };
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    out.push_str(&format!(
        "{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"
    ));
    if time.nanoseconds() > 0 {
        let decimals = format!(".{:09}", time.nanoseconds());
        out.push_str(decimals.trim_end_matches('0'));
    }
    out.push('Z');
}

/// As it stands in a text.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        write(&mut text, *self);
        f.write_str(&text)
    }
}

/// Days since 1970 of `YYYY-MM-DD`, or of a sign and five to twelve digits of a year.
fn read_date(text: &str) -> Option<i64> {
    let (sign, unsigned) = match text.as_bytes().first()? {
        b'-' => (-1, &text[1..]),
        b'+' => (1, &text[1..]),
        _ => (1, text),
    };
    let (year, rest) = unsigned.split_once('-')?;
    let expanded = unsigned.len() < text.len();
    let digits = if expanded { 5..=12 } else { 4..=4 };
    if !digits.contains(&year.len()) {
        return None;
    }
    let year = sign * number(year)?;
    let [month, day] = fields(rest, '-')?;
    let valid = (1..=12).contains(&month) && (1..=days_in(year, month)).contains(&day);
    valid.then(|| days_from_civil(year, month, day))
}

/// Splits `Z`, `+HH:MM` or `-HH:MM` off a time of day; the offset in seconds.
fn split_offset(time: &str) -> Option<(&str, i64)> {
    if let Some(clock) = time.strip_suffix('Z') {
        return Some((clock, 0));
    }
    let at = time.rfind(['+', '-'])?;
    let [hours, minutes] = fields(&time[at + 1..], ':')?;
    if hours > 23 || minutes > 59 {
        return None;
    }
    let seconds = hours * 3600 + minutes * 60;
    let east = time.as_bytes()[at] == b'+';
    Some((&time[..at], if east { seconds } else { -seconds }))
}

/// Nanoseconds of one to nine decimals.
fn read_fraction(decimals: &str) -> Option<u32> {
    let missing = 9_usize.checked_sub(decimals.len())?;
    let scale = 10_u32.pow(u32::try_from(missing).ok()?);
    Some(u32::try_from(number(decimals)?).ok()? * scale)
}

/// Exactly `N` numbers of two digits each.
fn fields<const N: usize>(text: &str, separator: char) -> Option<[i64; N]> {
    let mut parts = text.split(separator);
    let mut fields = [0; N];
    for field in &mut fields {
        *field = number(parts.next().filter(|part| part.len() == 2)?)?;
    }
    parts.next().is_none().then_some(fields)
}

/// Digits alone: no sign, not empty.
fn number(digits: &str) -> Option<i64> {
    let valid = digits.bytes().all(|byte| byte.is_ascii_digit());
    valid.then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<(i64, u32)>, canonical: &str) {
        let read = read(text);
        let expected = expected.map(|(s, ns)| Timestamp::new(s, ns).unwrap());
        assert_eq!(read, expected, "{text}");
        if let Some(time) = read {
            let mut written = String::new();
            write(&mut written, time);
            assert_eq!(written, canonical, "{text}");
        }
    }

    #[test]
    fn times() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", (0, 0)),
            ("1969-12-31T23:59:59.5Z", (-1, 500_000_000)),
            ("2000-02-29T12:00:00Z", (951_825_600, 0)),
            ("2026-11-20T15:30:00.000000001Z", (1_795_188_600, 1)),
            ("0000-01-01T00:00:00Z", (-62_167_219_200, 0)),
            ("-00001-12-31T23:59:59Z", (-62_167_219_201, 0)),
            ("+10000-01-01T00:00:00Z", (253_402_300_800, 0)),
            ("+292277026596-12-04T15:30:07Z", (i64::MAX, 0)),
            ("-292277022657-01-27T08:29:52Z", (i64::MIN, 0)),
        ] {
            check(text, Some(expected), text);
        }
    }

    #[test]
    fn offsets_and_zeros_are_made_one() {
        check(
            "2026-11-20T15:30:00+01:00",
            Some((1_795_185_000, 0)),
            "2026-11-20T14:30:00Z",
        );
        check(
            "2026-11-20T23:30:00-05:45",
            Some((1_795_238_100, 0)),
            "2026-11-21T05:15:00Z",
        );
        check(
            "+02026-11-20T15:30:00.100Z",
            Some((1_795_188_600, 100_000_000)),
            "2026-11-20T15:30:00.1Z",
        );
    }

    #[test]
    fn what_never_was() {
        for text in [
            "",
            "T",
            "2026-11-20",
            "2026-11-20T",
            "2026-11-20T15:30Z",
            "2026-11-20T15:30:00",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-02-29T00:00:00Z",
            "1900-02-29T00:00:00Z",
            "2026-11-31T00:00:00Z",
            "2026-11-20T24:00:00Z",
            "2026-11-20T23:59:60Z",
            "2026-11-20T23:59:59.Z",
            "2026-11-20T23:59:59.1234567890Z",
            "2026-11-20t15:30:00Z",
            "26-11-20T15:30:00Z",
            "+2026-11-20T15:30:00Z",
            "2026-11-20T15:30:00+1:00",
            "2026-11-20T15:30:00+01:60",
            "2026-11-20T15:30:00.+1Z",
            "+292277026596-12-04T15:30:08Z",
            "+9999999999999-01-01T00:00:00Z",
            "é-11-20T15:30:00Z",
        ] {
            check(text, None, "");
        }
    }
}
