//! The table of a run: each figure beside its rival and its bar, and the section
//! of BENCHMARKS.md that holds the last whole run.

use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use anyhow::Context;

use crate::shell;

/// One line of the table.
pub struct Row {
    /// What was done, until when.
    pub work: String,
    /// Atoll's figure.
    pub atoll: String,
    /// The rival's figure, with its name; empty where there is none.
    pub rival: String,
    /// Atoll's figure as a multiple of the rival's, where both are times.
    pub ratio: String,
    /// The bar in words; empty where there is none.
    pub bar: String,
    /// Whether the bar is met, where there is one.
    pub met: Option<bool>,
}

/// Atoll's figure as a multiple of a rival's: the median of the rounds' own, since a
/// machine that is slower in one round is slower for both.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ratio {
    /// What counts.
    pub median: f64,
    /// The least and the greatest, where there is more than one round.
    spread: Option<(f64, f64)>,
}

impl Ratio {
    /// Of figures that stand in the order of their rounds, at least one of each.
    pub fn of(ours: &[f64], theirs: &[f64]) -> Self {
        let pairs = ours.iter().zip(theirs);
        let mut ratios: Vec<f64> = pairs.map(|(ours, theirs)| ours / theirs).collect();
        ratios.sort_by(f64::total_cmp);
        Self {
            median: ratios[ratios.len() / 2],
            spread: match ratios[..] {
                [least, .., most] => Some((least, most)),
                _ => None,
            },
        }
    }
}

impl Display for Ratio {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2} ×", self.median)?;
        match self.spread {
            Some((least, most)) => write!(f, " ({least:.2} to {most:.2})"),
            None => Ok(()),
        }
    }
}

impl Row {
    /// Atoll's times against a rival's, round by round, under a bar on their
    /// ratio if there is one.
    pub fn ratio(
        work: &str,
        atoll: &[Duration],
        rival: (&str, &[Duration]),
        bar: Option<f64>,
    ) -> Self {
        let times = |all: &[Duration]| all.iter().map(Duration::as_secs_f64).collect::<Vec<_>>();
        let ratio = Ratio::of(&times(atoll), &times(rival.1));
        Self {
            work: work.to_owned(),
            atoll: seconds(median(atoll)),
            rival: format!("{} {}", rival.0, seconds(median(rival.1))),
            ratio: ratio.to_string(),
            bar: bar.map(|bar| format!("≤ {bar:.1} ×")).unwrap_or_default(),
            met: bar.map(|bar| ratio.median <= bar),
        }
    }

    /// A figure with a bar of its own.
    pub fn figure(work: &str, atoll: String, rival: String, bar: String, met: bool) -> Self {
        Self {
            work: work.to_owned(),
            ratio: String::new(),
            atoll,
            rival,
            bar,
            met: Some(met),
        }
    }

    /// A figure that only informs.
    pub fn note(work: &str, atoll: String, rival: String) -> Self {
        let none = String::new;
        Self {
            work: work.to_owned(),
            atoll,
            rival,
            ratio: none(),
            bar: none(),
            met: None,
        }
    }
}

impl Display for Row {
    /// A line of the table.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (work, atoll, rival) = (&self.work, &self.atoll, &self.rival);
        let verdict = self.met.map(verdict).unwrap_or_default();
        writeln!(
            f,
            "| {work} | {atoll} | {rival} | {} | {} | {verdict} |",
            self.ratio, self.bar
        )
    }
}

/// The report of a run in Markdown.
pub fn text(machine: &str, rounds: usize, rows: &[Row]) -> String {
    let header = "| work | atoll | rival | ratio | bar | |\n|---|---|---|---|---|---|\n";
    let lines: String = rows.iter().map(Row::to_string).collect();
    format!("{machine}\n\n{}\n\n{header}{lines}", of_rounds(rounds))
}

/// What the figures of so many rounds are.
pub fn of_rounds(rounds: usize) -> String {
    match rounds {
        1 => "One round.".to_owned(),
        rounds => format!(
            "Median of {rounds} rounds; a ratio is the median of the rounds' own, with the \
             least and the greatest."
        ),
    }
}

/// Whether a bar is met, in the words of the tables.
pub fn verdict(is_met: bool) -> &'static str {
    if is_met { "met" } else { "**missed**" }
}

/// Puts `report` into the section of BENCHMARKS.md that `bench AREA` writes.
///
/// # Errors
/// When the file has no such section or cannot be written.
pub fn write(area: &str, report: &str) -> anyhow::Result<()> {
    let path = shell::root().join("BENCHMARKS.md");
    let old = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read {}", path.display()))?;
    let new = with_section(&old, area, report).with_context(|| {
        let (begin, end) = markers(area);
        format!(
            "{} has no section between {begin} and {end}",
            path.display()
        )
    })?;
    std::fs::write(&path, new).with_context(|| format!("cannot write {}", path.display()))
}

fn with_section(text: &str, area: &str, section: &str) -> Option<String> {
    let (begin, end) = markers(area);
    let (before, rest) = text.split_once(&begin)?;
    let (_, after) = rest.split_once(&end)?;
    Some(format!(
        "{before}{begin}\n{}\n\n{end}{after}",
        section.trim_end()
    ))
}

/// What a section lies between.
fn markers(area: &str) -> (String, String) {
    (
        format!("<!-- {area}: begin, written by cargo xtask bench {area} -->"),
        format!("<!-- {area}: end -->"),
    )
}

/// A time as people compare it.
pub fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}

/// Bytes in millions, as the bars count them.
pub fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

/// The middle one; the mean of the middle two would be a time nobody measured.
pub fn median<T: Ord + Copy>(values: &[T]) -> T {
    let mut sorted = values.to_vec();
    sorted.sort();
    sorted[sorted.len() / 2]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_replaces_the_old_one() {
        let (begin, end) = markers("sync");
        let old = format!("# Title\n{begin}\nold\n{end}\nrest\n");
        let new = with_section(&old, "sync", "new\n").unwrap();
        assert_eq!(new, format!("# Title\n{begin}\nnew\n\n{end}\nrest\n"));
        assert_eq!(with_section(&old, "http", "new"), None);
    }

    #[test]
    fn a_ratio_is_of_the_rounds_own() {
        let check = |ours: &[f64], theirs: &[f64], expected| {
            assert_eq!(Ratio::of(ours, theirs).to_string(), expected);
        };
        check(&[1.0], &[2.0], "0.50 ×");
        check(&[1.0, 3.0, 8.0], &[2.0, 1.0, 2.0], "3.00 × (0.50 to 4.00)");
    }

    #[test]
    fn a_ratio_is_held_against_its_bar() {
        let [one, two, nine] = [1, 2, 9].map(Duration::from_secs);
        let check = |atoll: &[Duration], rival: &[Duration], bar, expected| {
            assert_eq!(Row::ratio("w", atoll, ("rsync", rival), bar).met, expected);
        };
        check(&[one], &[two], Some(0.5), Some(true));
        check(&[two], &[one], Some(1.9), Some(false));
        check(&[two], &[one], None, None);
        // The rounds' own ratios count, not that of the medians.
        check(&[one, two, nine], &[two, nine, two], Some(0.5), Some(true));
    }
}
