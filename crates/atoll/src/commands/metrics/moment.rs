//! Moments as people write them: a date, seconds since 1970, or how long ago.

use anyhow::{Context, Result};
use base::calendar::civil_from_days;
use httpd::limit::parse_period;
use metrics::ingest::rfc3339;
use std::time::{SystemTime, UNIX_EPOCH};

/// Moments that are seconds since 1970 lie no further from it: 2^51 milliseconds, as far as
/// a query can ask.
const MAX_SECONDS: f64 = ((1_u64 << 51) / 1000) as f64;

const MS_PER_DAY: i64 = 86_400_000;

/// A moment, some of which move with the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Milliseconds since 1970.
    At(i64),
    /// So many milliseconds before now.
    Ago(i64),
}

impl Moment {
    /// Reads `now`, `90s` or `7d` (ago), `1796000108.5` (since 1970), `2026-11-20`, or
    /// RFC 3339.
    pub fn read(text: &str) -> Result<Self> {
        let seconds = || {
            let seconds: f64 = text.parse().ok()?;
            (seconds.abs() <= MAX_SECONDS).then(|| Self::At((seconds * 1e3).round() as i64))
        };
        let ago = || {
            let period = parse_period(text.strip_prefix('-').unwrap_or(text))?;
            i64::try_from(period.as_millis()).ok().map(Self::Ago)
        };
        let date = || {
            rfc3339(text)
                .or_else(|_| rfc3339(&format!("{text}T00:00:00Z")))
                .ok()
        };
        let now = (text == "now").then_some(Self::Ago(0));
        let read = now
            .or_else(seconds)
            .or_else(ago)
            .or_else(|| date().map(Self::At));
        read.with_context(|| {
            format!(
                "{text:?} is no moment: write 2026-11-20T12:00:00Z, a date, seconds since 1970, \
                 or how long ago, such as 1h"
            )
        })
    }

    /// In milliseconds since 1970, if it is `now` there.
    pub fn milliseconds(self, now: i64) -> i64 {
        match self {
            Self::At(time) => time,
            Self::Ago(period) => now.saturating_sub(period),
        }
    }
}

/// The clock of this machine, in milliseconds since 1970.
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as i64)
}

/// Milliseconds as the API takes times: in seconds.
pub fn seconds(milliseconds: i64) -> String {
    format!("{}", milliseconds as f64 / 1e3)
}

/// The date of a moment, in UTC.
pub fn date(milliseconds: i64) -> String {
    let (year, month, day) = civil_from_days(milliseconds.div_euclid(MS_PER_DAY));
    format!("{year:04}-{month:02}-{day:02}")
}

/// The time of day of a moment, in UTC: `12:30:59`.
pub fn clock(milliseconds: i64) -> String {
    let second = milliseconds.rem_euclid(MS_PER_DAY) / 1000;
    let (hour, minute) = (second / 3600, second / 60 % 60);
    format!("{hour:02}:{minute:02}:{:02}", second % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read() {
        for (text, expected) in [
            ("now", Some(Moment::Ago(0))),
            ("90s", Some(Moment::Ago(90_000))),
            ("-1h", Some(Moment::Ago(3_600_000))),
            ("1.5", Some(Moment::At(1500))),
            ("-1", Some(Moment::At(-1000))),
            ("1970-01-02", Some(Moment::At(86_400_000))),
            ("1970-01-01T00:00:01.5Z", Some(Moment::At(1500))),
            ("1970-01-01T01:00:00+01:00", Some(Moment::At(0))),
            ("1e300", None),
            ("NaN", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(Moment::read(text).ok(), expected, "{text}");
        }
        assert_eq!(Moment::Ago(5).milliseconds(7), 2);
        assert_eq!(seconds(1_796_000_108_124), "1796000108.124");
        let moment = 1_796_000_108_124;
        assert_eq!(
            (date(moment), clock(moment)),
            ("2026-11-30".into(), "00:55:08".into())
        );
    }
}
