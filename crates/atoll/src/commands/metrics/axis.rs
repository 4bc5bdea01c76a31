//! Round places on an axis: of values in steps of 1, 2 or 5, of times in steps of clocks
//! and calendars; and both as short texts.

use super::moment::{clock, date};

/// Steps of time that people think in, in seconds.
const TIMES: [i64; 22] = [
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400,
    172_800, 604_800, 2_592_000, 31_536_000,
];

/// Units that stand for a thousand of the one before.
const UNITS: [&str; 7] = ["", "k", "M", "G", "T", "P", "E"];

/// Values along an axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Values {
    /// The least that is on it, a whole number of steps.
    pub low: f64,
    /// The greatest, so many steps above.
    pub high: f64,
    step: f64,
    count: usize,
}

impl Values {
    /// An axis with all from `low` to `high` on it, in `most` steps or fewer (2 or more).
    pub fn new(low: f64, high: f64, most: usize) -> Self {
        let (low, high) = spread(low, high);
        let rough = (high - low) / most as f64;
        let power = 10_f64.powf(rough.log10().floor());
        let steps = [1.0, 2.0, 5.0, 10.0, 20.0].map(|factor| factor * power);
        // Rounding outwards may add a step at each end.
        let fits = |step: &f64| (high / step).ceil() - (low / step).floor() <= most as f64;
        let step = steps.into_iter().find(fits).unwrap_or(steps[4]);
        let (first, last) = ((low / step).floor(), (high / step).ceil());
        Self {
            low: first * step,
            high: last * step,
            step,
            count: (last - first) as usize,
        }
    }

    /// Each step with its text, from the lowest.
    pub fn ticks(&self) -> impl Iterator<Item = (f64, String)> + '_ {
        (0..=self.count).map(|index| {
            let value = self.low + index as f64 * self.step;
            // What rounding left of nothing.
            let value = if value.abs() < self.step / 1e6 {
                0.0
            } else {
                value
            };
            (value, number(value, self.step))
        })
    }
}

/// Makes room where there is none, and lets an axis that nearly reaches 0 begin there.
fn spread(low: f64, high: f64) -> (f64, f64) {
    match (low, high) {
        (low, high) if low == high => match low {
            0.0 => (0.0, 1.0),
            _ => (low - low.abs() / 10.0, high + high.abs() / 10.0),
        },
        (low, high) if low > 0.0 && low < high / 2.0 => (0.0, high),
        (low, high) if high < 0.0 && high > low / 2.0 => (low, 0.0),
        both => both,
    }
}

/// A value in as many digits as tell it from the next, `step` away.
fn number(value: f64, step: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let size = value.abs().max(step);
    if size < 1e-4 {
        return format!("{value:.1e}");
    }
    let scale = (size.log10() / 3.0)
        .floor()
        .clamp(0.0, UNITS.len() as f64 - 1.0);
    let unit = 1000_f64.powf(scale);
    // A step of 1, 2 or 5 has one digit.
    let decimals = (-(step / unit).log10().floor()).clamp(0.0, 9.0) as usize;
    format!("{:.decimals$}{}", value / unit, UNITS[scale as usize])
}

/// Round moments between two, in milliseconds since 1970, with their texts: no more than
/// fit when each has `room` for a text of up to 8 characters.
pub fn moments(start: i64, end: i64, most: usize) -> Vec<(i64, String)> {
    let span = (end - start).max(1) / 1000;
    let fits = |step: &&i64| span / **step < most.max(1) as i64;
    let seconds = TIMES.iter().find(fits).copied().unwrap_or(span);
    let step = seconds * 1000;
    let first = start.div_euclid(step) + i64::from(start.rem_euclid(step) > 0);
    let text = |moment| match seconds {
        ..60 => clock(moment),
        60..86_400 => clock(moment)[..5].to_owned(),
        // Without the year, which is said once.
        _ => {
            let date = date(moment);
            date[date.len() - 5..].to_owned()
        }
    };
    let moments = (first..).map(|index| index * step);
    let moments = moments.take_while(|&moment| moment <= end);
    moments.map(|moment| (moment, text(moment))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(low: f64, high: f64, expected: &[&str]) {
        let values = Values::new(low, high, 5);
        assert!(values.low <= low && values.high >= high, "{values:?}");
        let texts: Vec<_> = values.ticks().map(|(_, text)| text).collect();
        assert_eq!(texts, expected);
    }

    #[test]
    fn values_are_round() {
        check(0.0, 1.0, &["0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        check(0.01, 0.93, &["0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        check(90.0, 103.0, &["90", "95", "100", "105"]);
        check(7.0, 7.0, &["6.0", "6.5", "7.0", "7.5", "8.0"]);
        check(0.0, 0.0, &["0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        check(-5.0, 5.0, &["-5", "0", "5"]);
        check(1.2e6, 4.4e9, &["0", "1G", "2G", "3G", "4G", "5G"]);
        check(0.0, 3e-6, &["0", "1.0e-6", "2.0e-6", "3.0e-6"]);
    }

    #[test]
    fn moments_are_round() {
        let texts = |start: i64, end: i64| {
            let found = moments(start * 1000, end * 1000, 5);
            found.into_iter().map(|(_, text)| text).collect::<Vec<_>>()
        };
        assert_eq!(texts(3601, 4801), ["01:05", "01:10", "01:15", "01:20"]);
        assert_eq!(
            texts(0, 4),
            ["00:00:00", "00:00:01", "00:00:02", "00:00:03", "00:00:04"]
        );
        assert_eq!(
            texts(0, 4 * 86_400),
            ["01-01", "01-02", "01-03", "01-04", "01-05"]
        );
        assert!(moments(5, 5, 0).is_empty());
    }
}
