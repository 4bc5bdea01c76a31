//! Times as logs write them, made once per second.

use crate::date::Civil;
use std::io::Write;
use std::time::Duration;

/// The text of the latest second that was asked for.
#[derive(Debug, Clone)]
pub struct TimeText {
    second: Option<u64>,
    clf: [u8; CLF_LENGTH],
    rfc3339: [u8; RFC3339_LENGTH],
}

const CLF_LENGTH: usize = "20/Nov/2026:15:25:22 +0000".len();
const RFC3339_LENGTH: usize = "2026-11-20T15:25:22".len();

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

impl Default for TimeText {
    fn default() -> Self {
        Self {
            second: None,
            clf: [b' '; CLF_LENGTH],
            rfc3339: [b' '; RFC3339_LENGTH],
        }
    }
}

impl TimeText {
    /// `20/Nov/2026:15:25:22 +0000`
    pub(super) fn clf(&mut self, since_epoch: Duration) -> &[u8] {
        self.refresh(since_epoch);
        &self.clf
    }

    /// Appends `2026-11-20T15:25:22.123Z`.
    pub(super) fn push_rfc3339(&mut self, since_epoch: Duration, out: &mut Vec<u8>) {
        self.refresh(since_epoch);
        out.extend_from_slice(&self.rfc3339);
        push(out, format_args!(".{:03}Z", since_epoch.subsec_millis()));
    }

    fn refresh(&mut self, since_epoch: Duration) {
        let second = since_epoch.as_secs();
        if self.second == Some(second) {
            return;
        }
        self.second = Some(second);
        let it = Civil::from_unix(i64::try_from(second).unwrap_or(i64::MAX));
        let month = MONTHS[usize::from(it.month) - 1];
        let (year, day) = (it.year, it.day);
        let clock = format_args!("{:02}:{:02}:{:02}", it.hour, it.minute, it.second).to_string();
        write!(
            &mut self.clf[..],
            "{day:02}/{month}/{year:04}:{clock} +0000"
        )
        .expect("a year has four digits");
        write!(
            &mut self.rfc3339[..],
            "{year:04}-{:02}-{day:02}T{clock}",
            it.month
        )
        .expect("a year has four digits");
    }
}

/// Appends formatted text.
pub(super) fn push(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text)
        .expect("a vector takes all that is written");
}

#[cfg(test)]
mod tests {
    use super::TimeText;
    use std::time::Duration;

    #[test]
    fn times_follow_the_clock_both_ways() {
        let mut text = TimeText::default();
        let mut check = |millis, clf: &str, rfc3339: &str| {
            let time = Duration::from_millis(millis);
            let mut out = Vec::new();
            text.push_rfc3339(time, &mut out);
            assert_eq!(str::from_utf8(&out), Ok(rfc3339));
            assert_eq!(str::from_utf8(text.clf(time)), Ok(clf));
        };
        check(
            784_111_777_005,
            "06/Nov/1994:08:49:37 +0000",
            "1994-11-06T08:49:37.005Z",
        );
        check(
            784_111_777_999,
            "06/Nov/1994:08:49:37 +0000",
            "1994-11-06T08:49:37.999Z",
        );
        check(
            951_782_400_000,
            "29/Feb/2000:00:00:00 +0000",
            "2000-02-29T00:00:00.000Z",
        );
        check(0, "01/Jan/1970:00:00:00 +0000", "1970-01-01T00:00:00.000Z");
        check(
            u64::MAX,
            "31/Dec/9999:23:59:59 +0000",
            "9999-12-31T23:59:59.615Z",
        );
    }
}
