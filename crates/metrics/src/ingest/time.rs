//! Times of samples, in milliseconds since 1970: read from RFC 3339, brought from other
//! precisions, and held to a range.
//!
//! What is finer than a millisecond is cut off towards the past, everywhere alike.

use crate::promql::TIMESTAMP_MS;
use base::calendar::{days_from_civil, days_in};

const MS_PER_DAY: i64 = 86_400_000;

/// The unit of a time that is a whole number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// Billionths of a second.
    Nanoseconds,
    /// Millionths of a second.
    Microseconds,
    /// Thousandths of a second.
    Milliseconds,
    /// Seconds.
    Seconds,
    /// 60 seconds.
    Minutes,
    /// 3600 seconds.
    Hours,
}

/// Why a time is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TimeFault {
    /// Not RFC 3339.
    #[error("the timestamp is not a date and time like 2006-01-02T15:04:05Z")]
    NoDate,
    /// Beyond what a query can ask for.
    #[error("the timestamp is further from 1970 than 2^51 milliseconds")]
    OutOfRange,
    /// Before what is kept.
    #[error(
        "the timestamp {time} is too old: samples are kept from {oldest} on, in milliseconds \
         since 1970"
    )]
    TooOld {
        /// What it is.
        time: i64,
        /// The first that is taken.
        oldest: i64,
    },
    /// Of a sender whose clock is wrong.
    #[error(
        "the timestamp {time} is in the future: samples are taken until {newest}, in \
         milliseconds since 1970"
    )]
    TooNew {
        /// What it is.
        time: i64,
        /// The last that is taken.
        newest: i64,
    },
}

/// Between which times samples are taken, both included, in milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// The first.
    pub oldest: i64,
    /// The last.
    pub newest: i64,
}

impl Default for Times {
    /// All that a query can ask for.
    fn default() -> Self {
        Self {
            oldest: -TIMESTAMP_MS,
            newest: TIMESTAMP_MS,
        }
    }
}

impl Times {
    /// Whether a sample of this time is taken.
    pub(super) const fn check(&self, time: i64) -> Result<(), TimeFault> {
        let Self { oldest, newest } = *self;
        if time < oldest {
            Err(TimeFault::TooOld { time, oldest })
        } else if time > newest {
            Err(TimeFault::TooNew { time, newest })
        } else {
            Ok(())
        }
    }
}

impl Precision {
    /// Milliseconds of so many units.
    pub(super) fn milliseconds(self, units: i64) -> Result<i64, TimeFault> {
        let milliseconds = match self {
            Self::Nanoseconds => Some(units.div_euclid(1_000_000)),
            Self::Microseconds => Some(units.div_euclid(1000)),
            Self::Milliseconds => Some(units),
            Self::Seconds => units.checked_mul(1000),
            Self::Minutes => units.checked_mul(60_000),
            Self::Hours => units.checked_mul(3_600_000),
        };
        in_range(milliseconds.ok_or(TimeFault::OutOfRange)?)
    }
}

/// A time that a query can ask for: no sample is kept that could not be found again.
pub(super) fn in_range(milliseconds: i64) -> Result<i64, TimeFault> {
    if (-TIMESTAMP_MS..=TIMESTAMP_MS).contains(&milliseconds) {
        Ok(milliseconds)
    } else {
        Err(TimeFault::OutOfRange)
    }
}

/// Milliseconds of a date and time, RFC 3339, section 5.6. As it allows, `T` and `Z` may
/// be small and a space may stand for `T`; the second 60 of a leap second is the first of
/// the next minute.
///
/// # Errors
/// [`TimeFault::NoDate`].
pub fn rfc3339(text: &str) -> Result<i64, TimeFault> {
    read(text.as_bytes()).ok_or(TimeFault::NoDate)
}

fn read(text: &[u8]) -> Option<i64> {
    let (date, rest) = text.split_at_checked(10)?;
    let (separator, rest) = rest.split_first()?;
    let (clock, rest) = rest.split_at_checked(8)?;
    if !matches!(separator, b'T' | b't' | b' ') {
        return None;
    }
    let (fraction, rest) = read_fraction(rest)?;
    let offset = read_offset(rest)?;
    let start_of_day = read_date(date)?.checked_mul(MS_PER_DAY)?;
    let time = read_clock(clock, offset)?;
    Some(start_of_day + time + fraction)
}

/// Days since 1970 of `YYYY-MM-DD`.
fn read_date(date: &[u8]) -> Option<i64> {
    let &[y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1] = date else {
        return None;
    };
    let year = two_digits(y0, y1)? * 100 + two_digits(y2, y3)?;
    let month = two_digits(m0, m1)?;
    let day = two_digits(d0, d1)?;
    let exists = (1..=12).contains(&month) && (1..=days_in(year, month)).contains(&day);
    exists.then(|| days_from_civil(year, month, day))
}

/// Milliseconds since the start of the day of `HH:MM:SS`, so many minutes east.
fn read_clock(clock: &[u8], offset: i64) -> Option<i64> {
    let &[h0, h1, b':', m0, m1, b':', s0, s1] = clock else {
        return None;
    };
    let (hour, minute) = (two_digits(h0, h1)?, two_digits(m0, m1)?);
    let second = two_digits(s0, s1)?;
    let minutes = hour * 60 + minute - offset;
    // Section 5.7: a leap second ends a day of UTC.
    let last = if minutes.rem_euclid(1440) == 1439 {
        60
    } else {
        59
    };
    let exists = hour <= 23 && minute <= 59 && second <= last;
    exists.then_some(minutes * 60_000 + second * 1000)
}

/// Milliseconds of `.` and digits, of which there may be none, and what follows.
fn read_fraction(text: &[u8]) -> Option<(i64, &[u8])> {
    let Some((b'.', rest)) = text.split_first() else {
        return Some((0, text));
    };
    let end = rest.iter().position(|byte| !byte.is_ascii_digit())?;
    let (digits, rest) = rest.split_at(end);
    if digits.is_empty() {
        return None;
    }
    let digit = |at: usize| digits.get(at).map_or(0, |byte| i64::from(byte - b'0'));
    Some((digit(0) * 100 + digit(1) * 10 + digit(2), rest))
}

/// Minutes east of `Z` or `+HH:MM`.
fn read_offset(text: &[u8]) -> Option<i64> {
    match *text {
        [b'Z' | b'z'] => Some(0),
        [sign @ (b'+' | b'-'), h0, h1, b':', m0, m1] => {
            let (hours, minutes) = (two_digits(h0, h1)?, two_digits(m0, m1)?);
            let offset = hours * 60 + minutes;
            let exists = hours <= 23 && minutes <= 59;
            exists.then_some(if sign == b'+' { offset } else { -offset })
        }
        _ => None,
    }
}

fn two_digits(tens: u8, ones: u8) -> Option<i64> {
    let valid = tens.is_ascii_digit() && ones.is_ascii_digit();
    valid.then(|| i64::from(tens - b'0') * 10 + i64::from(ones - b'0'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::calendar::civil_from_days;

    #[test]
    fn dates_are_those_of_rfc_3339() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("1985-04-12T23:20:50.52Z", Some(482_196_050_520)),
            ("1996-12-19T16:39:57-08:00", Some(851_042_397_000)),
            ("1990-12-31T23:59:60Z", Some(662_688_000_000)),
            ("1990-12-31T15:59:60-08:00", Some(662_688_000_000)),
            ("1937-01-01T12:00:27.87+00:20", Some(-1_041_337_172_130)),
            ("2026-11-29 22:47:26.1239999z", Some(1_795_992_446_123)),
            ("1969-12-31t23:59:59.9999999Z", Some(-1)),
            ("0000-01-01T00:00:00Z", Some(-62_167_219_200_000)),
            ("9999-12-31T23:59:59.999Z", Some(253_402_300_799_999)),
            ("2024-02-29T00:00:00+23:59", Some(1_709_078_460_000)),
            ("2023-02-29T00:00:00Z", None),
            ("2026-13-01T00:00:00Z", None),
            ("2026-00-01T00:00:00Z", None),
            ("2026-11-31T00:00:00Z", None),
            ("2026-11-00T00:00:00Z", None),
            ("2026-11-29T24:00:00Z", None),
            ("2026-11-29T23:60:00Z", None),
            ("2026-11-29T22:59:60Z", None),
            ("2026-11-29T23:59:61Z", None),
            ("2026-11-29T22:47:26", None),
            ("2026-11-29T22:47:26.Z", None),
            ("2026-11-29T22:47:26.5", None),
            ("2026-11-29T22:47Z", None),
            ("2026-11-29T22:47:26+0100", None),
            ("2026-11-29T22:47:26+24:00", None),
            ("2026-11-29T22:47:26+01:60", None),
            ("2026-11-29T22:47:26ZZ", None),
            ("2026-11-29_22:47:26Z", None),
            ("2026/11/29T22:47:26Z", None),
            ("+026-11-29T22:47:26Z", None),
            ("2026-11-29", None),
            ("é026-11-29T22:47:26Z", None),
            ("", None),
        ] {
            assert_eq!(rfc3339(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn every_date_is_its_day() {
        for days in (-719_528..=2_932_896).step_by(97) {
            let (year, month, day) = civil_from_days(days);
            let text = format!("{year:04}-{month:02}-{day:02}T12:34:56.789Z");
            assert_eq!(rfc3339(&text), Ok(days * MS_PER_DAY + 45_296_789), "{text}");
        }
    }

    #[test]
    fn units_become_milliseconds() {
        for (precision, units, expected) in [
            (Precision::Nanoseconds, 1_999_999, Ok(1)),
            (Precision::Nanoseconds, -1, Ok(-1)),
            (Precision::Nanoseconds, i64::MIN, Ok(-9_223_372_036_855)),
            (Precision::Microseconds, 1999, Ok(1)),
            (
                Precision::Microseconds,
                i64::MAX,
                Err(TimeFault::OutOfRange),
            ),
            (Precision::Milliseconds, -7, Ok(-7)),
            (Precision::Milliseconds, 1 << 51, Ok(1 << 51)),
            (
                Precision::Milliseconds,
                (1 << 51) + 1,
                Err(TimeFault::OutOfRange),
            ),
            (
                Precision::Milliseconds,
                i64::MIN,
                Err(TimeFault::OutOfRange),
            ),
            (Precision::Seconds, 5, Ok(5000)),
            (Precision::Seconds, i64::MAX, Err(TimeFault::OutOfRange)),
            (Precision::Minutes, 2, Ok(120_000)),
            (Precision::Hours, -1, Ok(-3_600_000)),
        ] {
            assert_eq!(
                precision.milliseconds(units),
                expected,
                "{precision:?} {units}"
            );
        }
    }
}
