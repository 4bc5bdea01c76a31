//! Figures of Atoll and a rival, round by round, as rows of the table.

use super::super::report::{Ratio, Row};

/// On Atoll's figure as a multiple of the rival's.
#[derive(Debug, Clone, Copy)]
pub enum Bar {
    AtLeast(f64),
    AtMost(f64),
}

impl Bar {
    fn is_met(self, ratio: f64) -> bool {
        match self {
            Self::AtLeast(bar) => ratio >= bar,
            Self::AtMost(bar) => ratio <= bar,
        }
    }

    fn text(self) -> String {
        match self {
            Self::AtLeast(bar) => format!("≥ {bar:.1} ×"),
            Self::AtMost(bar) => format!("≤ {bar:.1} ×"),
        }
    }
}

/// Atoll's figures beside a rival's, in the order of their rounds.
pub fn row(
    work: &str,
    atoll: &[f64],
    rival: (&str, &[f64]),
    bar: Option<Bar>,
    show: fn(f64) -> String,
) -> Row {
    let ratio = Ratio::of(atoll, rival.1);
    Row {
        work: work.to_owned(),
        atoll: show(median(atoll)),
        rival: format!("{} {}", rival.0, show(median(rival.1))),
        ratio: ratio.to_string(),
        bar: bar.map(Bar::text).unwrap_or_default(),
        met: bar.map(|bar| bar.is_met(ratio.median)),
    }
}

/// The middle one of at least one.
pub fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

/// Samples, in thousands.
pub fn thousands(samples: f64) -> String {
    format!("{:.0} k", samples / 1e3)
}

pub fn milliseconds(time: f64) -> String {
    format!("{time:.2} ms")
}

pub fn bytes(bytes: f64) -> String {
    format!("{bytes:.0} B")
}

pub fn percent(part: f64) -> String {
    format!("{:.2} %", part * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_the_rounds_own_ratios_is_held_against_the_bar() {
        let check = |atoll: &[f64], rival: &[f64], bar, expected| {
            assert_eq!(row("w", atoll, ("r", rival), bar, bytes).met, expected);
        };
        check(&[4.0], &[2.0], Some(Bar::AtLeast(2.0)), Some(true));
        check(&[3.9], &[2.0], Some(Bar::AtLeast(2.0)), Some(false));
        check(
            &[1.0, 9.0, 1.0],
            &[1.0; 3],
            Some(Bar::AtMost(1.0)),
            Some(true),
        );
        check(&[1.1], &[1.0], Some(Bar::AtMost(1.0)), Some(false));
        check(&[1.1], &[1.0], None, None);
    }
}
