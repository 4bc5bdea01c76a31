//! Times in text: RFC 3339 in and out, UTC, to the nanosecond. The arithmetic of
//! dates is [`base::calendar`]'s.

use base::Millis;
use base::calendar::{civil_from_days, days_from_civil};
use meta::Timestamp;

/// Reads RFC 3339 (`2026-11-20T12:00:00.5Z`, `…+01:00`), a plain date, or
/// milliseconds since 1970.
pub fn parse_millis(text: &str) -> Option<Millis> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok();
    }
    let time = parse(text)?;
    let millis = i128::from(time.seconds()) * 1000 + i128::from(time.nanoseconds() / 1_000_000);
    Millis::try_from(millis).ok()
}

/// Reads RFC 3339, or a plain date as its first moment in UTC.
pub fn parse(text: &str) -> Option<Timestamp> {
    let (date, time) = match text.get(..10).zip(text.get(10..)) {
        Some((date, "")) => (date, "T00:00:00Z"),
        Some(parts) => parts,
        None => return None,
    };
    let days = parse_date(date)?;
    let clock = time.strip_prefix(['T', 't', ' '])?;
    let seconds = parse_clock(clock.get(..8)?)?;
    let (nanoseconds, zone) = parse_fraction(clock.get(8..)?)?;
    Timestamp::new(days * 86_400 + seconds - parse_zone(zone)?, nanoseconds).ok()
}

/// Writes a file's time.
pub fn format(time: Timestamp) -> String {
    let seconds = text(time.seconds());
    match time.nanoseconds() {
        0 => format!("{seconds}Z"),
        nanoseconds => format!("{seconds}.{nanoseconds:09}Z"),
    }
}

/// A second without its zone.
fn text(seconds: i64) -> String {
    let (year, month, day) = civil_from_days(seconds.div_euclid(86_400));
    let second = seconds.rem_euclid(86_400);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")
}

/// Writes a moment of the log.
pub fn format_millis(millis: Millis) -> String {
    let seconds = text((millis / 1000) as i64);
    format!("{seconds}.{:03}Z", millis % 1000)
}

fn parse_date(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    if bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    let (year, month) = (digits(text.get(..4)?)?, digits(text.get(5..7)?)?);
    let day = digits(text.get(8..10)?)?;
    let days = days_from_civil(year, month, day);
    // The 31st of a shorter month comes back as another day.
    (civil_from_days(days) == (year, month, day)).then_some(days)
}

fn parse_clock(text: &str) -> Option<i64> {
    let mut parts = text
        .split(':')
        .map(|part| if part.len() == 2 { digits(part) } else { None });
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
    // 60 is a leap second, which the files' clocks do not know: the next second.
    let valid = parts.next().is_none() && hour < 24 && minute < 60 && second <= 60;
    valid.then_some(hour * 3600 + minute * 60 + second)
}

fn parse_fraction(text: &str) -> Option<(u32, &str)> {
    let Some(rest) = text.strip_prefix('.') else {
        return Some((0, text));
    };
    let length = rest.bytes().take_while(u8::is_ascii_digit).count();
    if !(1..=9).contains(&length) {
        return None;
    }
    let value = digits(&rest[..length])? * 10_i64.pow(9 - length as u32);
    Some((u32::try_from(value).ok()?, &rest[length..]))
}

fn parse_zone(text: &str) -> Option<i64> {
    if matches!(text, "Z" | "z") {
        return Some(0);
    }
    let (sign, rest) = match text.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':')?;
    let (hours, minutes) = (digits(hours)?, digits(minutes)?);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

fn digits(text: &str) -> Option<i64> {
    let decimal = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    decimal.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_moments() {
        let check = |text: &str, expected: Option<(i64, u32)>| {
            let time = parse(text).map(|time| (time.seconds(), time.nanoseconds()));
            assert_eq!(time, expected, "{text}");
        };
        check("1970-01-01T00:00:00Z", Some((0, 0)));
        check("1969-12-31T23:59:59.5Z", Some((-1, 500_000_000)));
        check("2000-02-29T12:00:00+01:00", Some((951_822_000, 0)));
        check("2026-11-20", Some((1_795_132_800, 0)));
        check("2026-02-29T00:00:00Z", None);
        check("2026-11-20T24:00:00Z", None);
        check("2026-11-20T12:00:00", None);
        check("2026-11-20T12:00:00.Z", None);
        check("ä026-11-20T12:00:00Z", None);
        check("", None);
        assert_eq!(parse_millis("1795132800123"), Some(1_795_132_800_123));
        assert_eq!(parse_millis("1969-01-01"), None);
    }

    #[test]
    fn formatting_reads_back() {
        for (seconds, nanoseconds) in [
            (0, 0),
            (-1, 1),
            (951_822_000, 999_999_999),
            (4_102_444_800, 5),
        ] {
            let time = Timestamp::new(seconds, nanoseconds).unwrap();
            assert_eq!(parse(&format(time)), Some(time));
        }
        assert_eq!(format_millis(1500), "1970-01-01T00:00:01.500Z");
    }
}
