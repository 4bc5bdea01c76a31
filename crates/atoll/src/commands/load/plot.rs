//! How latencies spread, as bars: a row for each span of time, from the shortest that
//! occurs to the longest.

use super::told::time;
use httpd::load::latencies::Latencies;
use std::time::Duration;

/// Rows that a terminal has room for beside the figures.
const MAX_ROWS: usize = 14;

/// Columns of the longest bar.
const BAR: usize = 40;

/// A block that is filled by so many eighths.
const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/// Where rows end within each power of ten, finest first: as round as they can be.
const STEPS: [&[u64]; 3] = [&[10, 15, 20, 30, 50, 70], &[10, 20, 50], &[10]];

/// The rows; none where nothing was measured.
pub fn rows(latencies: &Latencies) -> Vec<String> {
    let all = latencies.count();
    let spans = spans(latencies);
    let most = spans
        .iter()
        .map(|&(_, count)| count)
        .max()
        .unwrap_or_default();
    let row = |&(until, count): &(Duration, u64)| {
        let percent = 100.0 * count as f64 / all as f64;
        let bar = bar(count, most);
        format!("≤ {:>7}  {percent:>6.2} %  {bar}", time(until))
            .trim_end()
            .to_owned()
    };
    spans.iter().map(row).collect()
}

/// The end of each span and how many lie in it, in the finest steps that have few enough
/// rows.
fn spans(latencies: &Latencies) -> Vec<(Duration, u64)> {
    let counted = STEPS.iter().map(|steps| {
        let mut start = Duration::ZERO;
        let mut spans = Vec::new();
        for end in ends(steps) {
            if start >= latencies.most() {
                break;
            }
            let count = latencies.count_between(start, end);
            if count > 0 || !spans.is_empty() {
                spans.push((end, count));
            }
            start = end;
        }
        spans
    });
    let mut counted: Vec<_> = counted.collect();
    let fits = counted.iter().position(|spans| spans.len() <= MAX_ROWS);
    counted.swap_remove(fits.unwrap_or(STEPS.len() - 1))
}

/// From a microsecond on, to beyond anything that is measured.
fn ends(steps: &[u64]) -> impl Iterator<Item = Duration> {
    let scales = (0..12).map(|power| 10_u64.pow(power));
    scales.flat_map(move |scale| {
        steps
            .iter()
            .map(move |step| Duration::from_nanos(step * 100 * scale))
    })
}

fn bar(count: u64, most: u64) -> String {
    let eighths = (count as f64 / most.max(1) as f64 * (BAR * 8) as f64).ceil() as usize;
    format!("{}{}", "█".repeat(eighths / 8), EIGHTHS[eighths % 8])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(microseconds: impl IntoIterator<Item = u64>) -> Latencies {
        let mut latencies = Latencies::default();
        for time in microseconds {
            latencies.add(Duration::from_micros(time));
        }
        latencies
    }

    #[test]
    fn bars_show_where_most_lie() {
        let latencies = of([400, 400, 400, 400, 600, 600, 1200, 9_000]);
        let expected = [
            "≤  500 µs   50.00 %  ████████████████████████████████████████",
            "≤  700 µs   25.00 %  ████████████████████",
            "≤ 1.00 ms    0.00 %",
            "≤ 1.50 ms   12.50 %  ██████████",
            "≤ 2.00 ms    0.00 %",
            "≤ 3.00 ms    0.00 %",
            "≤ 5.00 ms    0.00 %",
            "≤ 7.00 ms    0.00 %",
            "≤ 10.0 ms   12.50 %  ██████████",
        ];
        assert_eq!(rows(&latencies), expected);
        assert_eq!(rows(&of([])), [""; 0]);
    }

    #[test]
    fn rows_are_few_however_wide_the_spread() {
        for latencies in [of([1, 60_000_000]), of([50, 5_000_000]), of([3])] {
            let spans = spans(&latencies);
            assert!(spans.len() <= MAX_ROWS, "{spans:?}");
            let all: u64 = spans.iter().map(|&(_, count)| count).sum();
            assert_eq!(all, latencies.count());
        }
    }
}
