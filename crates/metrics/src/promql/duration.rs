//! Durations as texts: `1h30m`, read into milliseconds and written from them.
//!
//! Arithmetic on durations is in `duration_expr`.

use std::fmt;

/// Milliseconds of a second.
pub(super) const SECOND: u64 = 1_000;

/// Milliseconds of the longest duration, about 292 years: Prometheus counts nanoseconds
/// in 64 bits.
pub(crate) const LONGEST: u64 = i64::MAX as u64 / 1_000_000;

/// The units and their milliseconds, the longest first: days always have 24 hours, and
/// years 365 days.
const UNITS: [(&str, u64); 7] = [
    ("y", 365 * 24 * 3600 * SECOND),
    ("w", 7 * 24 * 3600 * SECOND),
    ("d", 24 * 3600 * SECOND),
    ("h", 3600 * SECOND),
    ("m", 60 * SECOND),
    ("s", SECOND),
    ("ms", 1),
];

/// Units that are written only where nothing is left over: `8d` says more than `1w1d`.
const WHOLE_ONLY: usize = 2;

/// Why a text is no duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotADuration {
    /// It is no list of numbers with units.
    Syntax,
    /// A unit stands twice, or behind a shorter one.
    Order,
    /// It is longer than [`LONGEST`].
    Range,
}

/// Reads a duration into milliseconds: whole numbers with units, from the longest unit
/// to the shortest.
pub(crate) fn parse(text: &str) -> Result<u64, NotADuration> {
    let mut rest = text;
    let mut total = 0_u64;
    let mut smallest = None;
    while !rest.is_empty() {
        let (digits, behind) = split_where(rest, |c| !c.is_ascii_digit());
        let (unit, behind) = split_where(behind, |c| !c.is_ascii_alphabetic());
        let known = UNITS.iter().position(|(name, _)| *name == unit);
        let index = known.ok_or(NotADuration::Syntax)?;
        if digits.is_empty() {
            return Err(NotADuration::Syntax);
        }
        if smallest.is_some_and(|smallest| index <= smallest) {
            return Err(NotADuration::Order);
        }
        let part = digits.parse::<u64>().ok();
        let part = part.and_then(|count| count.checked_mul(UNITS[index].1));
        let sum = part.and_then(|part| total.checked_add(part));
        total = sum
            .filter(|sum| *sum <= LONGEST)
            .ok_or(NotADuration::Range)?;
        smallest = Some(index);
        rest = behind;
    }
    smallest.map(|_| total).ok_or(NotADuration::Syntax)
}

/// Writes milliseconds as [`parse`] reads them.
pub(super) fn write(f: &mut fmt::Formatter<'_>, milliseconds: u64) -> fmt::Result {
    if milliseconds == 0 {
        return f.write_str("0s");
    }
    let mut rest = milliseconds;
    for (index, (name, length)) in UNITS.into_iter().enumerate() {
        let is_skipped = index < WHOLE_ONLY && !rest.is_multiple_of(length);
        if rest >= length && !is_skipped {
            write!(f, "{}{name}", rest / length)?;
            rest %= length;
        }
    }
    Ok(())
}

fn split_where(text: &str, ends: fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(ends).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::{LONGEST, NotADuration, parse};
    use crate::promql::Number;

    #[test]
    fn texts_of_durations() {
        let check = |text: &str, expected| assert_eq!(parse(text), expected, "{text}");
        check("0s", Ok(0));
        check("5ms", Ok(5));
        check("1h30m", Ok(5_400_000));
        check("1y2w3d4h5m6s7ms", Ok(33_019_506_007));
        check("90m", Ok(5_400_000));
        check("5m1h", Err(NotADuration::Order));
        check("5m1m", Err(NotADuration::Order));
        check("300y", Err(NotADuration::Range));
        check("99999999999999999999s", Err(NotADuration::Range));
        for text in ["", "5", "m", "5mm", "5m1", "5y1hs", "1.5h", "-5m", "5M"] {
            check(text, Err(NotADuration::Syntax));
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let check = |text: &str, expected: &str| {
            let milliseconds = parse(text).unwrap();
            let written = Number::duration(milliseconds as i64).to_string();
            assert_eq!(written, expected);
            assert_eq!(parse(&written), Ok(milliseconds));
        };
        check("0ms", "0s");
        check("7d", "1w");
        check("8d", "8d");
        check("365d", "1y");
        check("366d1ms", "366d1ms");
        check("90061001ms", "1d1h1m1s1ms");
        check(&format!("{LONGEST}ms"), "106751d23h47m16s854ms");
    }
}
