//! Calendar times from seconds since the Unix epoch, as HTTP, logs and listings
//! write them. Always UTC; no clock is read here.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A second in the Gregorian calendar, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Civil {
    pub(crate) year: i64,
    /// 1 to 12.
    pub(crate) month: u8,
    /// 1 to 31.
    pub(crate) day: u8,
    pub(crate) hour: u8,
    pub(crate) minute: u8,
    pub(crate) second: u8,
}

/// The last second that an HTTP date can name: the end of year 9999.
const LAST_SECOND: i64 = 253_402_300_799;

/// An HTTP date (RFC 9110 section 5.6.7, IMF-fixdate) for seconds since the
/// epoch; what it cannot name is moved to its first or last second.
pub fn http_date(seconds: i64) -> String {
    let seconds = seconds.clamp(0, LAST_SECOND).unsigned_abs();
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds))
}

/// The same text as the bytes that [`crate::h1`] writes into responses; a driver
/// makes it once a second.
pub fn response_date(seconds: i64) -> [u8; 29] {
    let mut text = [0; 29];
    text.copy_from_slice(http_date(seconds).as_bytes());
    text
}

/// Seconds since the epoch of any of the three forms of an HTTP date.
pub fn parse_http_date(text: &[u8]) -> Option<i64> {
    let time = httpdate::parse_http_date(std::str::from_utf8(text).ok()?).ok()?;
    let since: Duration = SystemTime::duration_since(&time, UNIX_EPOCH).ok()?;
    i64::try_from(since.as_secs()).ok()
}

impl Civil {
    /// The calendar's name for a second since the epoch, moved into the years
    /// 1970 to 9999.
    pub(crate) fn from_unix(seconds: i64) -> Self {
        let seconds = seconds.clamp(0, LAST_SECOND);
        let (days, in_day) = (seconds / 86_400, seconds % 86_400);
        // Counted in eras of 400 years that start on the first of March, so
        // that a leap day is the last day of its year.
        let from_march = days + 719_468;
        let (era, day_of_era) = (from_march / 146_097, from_march % 146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = (month_from_march + 2) % 12 + 1;
        Self {
            year: era * 400 + year_of_era + i64::from(month <= 2),
            month: month as u8,
            day: day as u8,
            hour: (in_day / 3600) as u8,
            minute: (in_day / 60 % 60) as u8,
            second: (in_day % 60) as u8,
        }
    }

    /// `2026-11-20T15:25:22Z` (RFC 3339).
    pub(crate) fn rfc3339(&self) -> String {
        format!(
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
            self.year, self.month, self.day, self.hour, self.minute, self.second
        )
    }
}

#[cfg(test)]
mod tests {
    use super::{Civil, http_date, parse_http_date};
    use proptest::prelude::*;

    #[test]
    fn dates_of_all_forms_and_times() {
        for (text, expected) in [
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(784_111_777)),
            ("Sunday, 06-Nov-94 08:49:37 GMT", Some(784_111_777)),
            ("Sun Nov  6 08:49:37 1994", Some(784_111_777)),
            ("1994-11-06", None),
            (",", None),
        ] {
            assert_eq!(parse_http_date(text.as_bytes()), expected, "{text}");
        }
        assert_eq!(http_date(784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(http_date(-5), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(http_date(i64::MAX), "Fri, 31 Dec 9999 23:59:59 GMT");
    }

    proptest! {
        /// Two independent calendars agree.
        #[test]
        fn agrees_with_httpdate(seconds in 0..super::LAST_SECOND) {
            let civil = Civil::from_unix(seconds);
            let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
            let expected = format!(
                "{:02} {} {:04} {:02}:{:02}:{:02} GMT",
                civil.day, months[usize::from(civil.month) - 1], civil.year,
                civil.hour, civil.minute, civil.second
            );
            prop_assert_eq!(&http_date(seconds)[5..], expected);
        }
    }
}
