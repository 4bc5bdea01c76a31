//! What a query found, as a person reads it: a table of a moment, a plot of a range.

use super::answer::{Instant, Sample, Series};
use super::labels::{Common, Labels, heading, shown};
use super::moment::{clock, date};
use super::plot::{self, Frame, MARKS, Point};
use super::query::Range;
use super::screen::Screen;
use super::table::Table;
use crate::output::{line, painted};
use std::io;
use sync::printable::printable;

/// Lines of a plot without its axis: with what is around it, it fits 24.
const ROWS: usize = 16;

/// Digits of a value beside a plot.
const LEGEND_DIGITS: i32 = 4;

/// What is smaller than that many decimals show is nothing beside a plot.
const MAX_DECIMALS: i32 = 12;

/// A table of series at a moment, under what all of them share.
pub fn tell_vector(series: &[Instant]) -> io::Result<()> {
    let metrics: Vec<_> = series.iter().map(|series| &series.metric).collect();
    let common = Common::of(&metrics);
    if series.is_empty() {
        return line(format_args!("nothing was found"));
    }
    tell_shared(&common)?;
    let mut table = Table::new(headings(&common, None));
    for Instant { metric, value } in series {
        let mut row = cells(&common, metric);
        let value = value
            .as_ref()
            .map_or("(a native histogram)", |sample| &sample.1);
        row.push(value.to_owned());
        table.add(row);
    }
    tell_table(&table, &common)
}

/// A table with a row for each sample.
pub fn tell_matrix(series: &[Series]) -> io::Result<()> {
    let metrics: Vec<_> = series.iter().map(|series| &series.metric).collect();
    let common = Common::of(&metrics);
    if series.is_empty() {
        return line(format_args!("nothing was found"));
    }
    tell_shared(&common)?;
    let mut table = Table::new(headings(&common, Some("time")));
    for Series { metric, values } in series {
        for sample in values {
            let moment = sample.milliseconds();
            let mut row = vec![format!("{}T{}Z", date(moment), clock(moment))];
            row.extend(cells(&common, metric));
            row.push(sample.1.clone());
            table.add(row);
        }
    }
    for text in table.lines() {
        line(format_args!("{text}"))?;
    }
    Ok(())
}

pub fn tell_plot(range: Range, series: &[Series], screen: Screen) -> io::Result<()> {
    let metrics: Vec<_> = series.iter().map(|series| &series.metric).collect();
    let common = Common::of(&metrics);
    let drawn = highest(series, MARKS.len());
    let points: Vec<Vec<Point>> = drawn.iter().map(|series| points(series)).collect();
    let Range { start, end, step } = range;
    let frame = Frame {
        start,
        end,
        step,
        rows: ROWS,
        screen,
    };
    let plot = plot::lines(&frame, &points);
    if plot.is_empty() {
        return line(format_args!("nothing was found that can be drawn"));
    }
    line(format_args!("{}", range.caption()))?;
    tell_shared(&common)?;
    for text in plot {
        painted(&text)?;
    }
    for (index, series) in drawn.iter().enumerate() {
        let mark = plot::mark(index, drawn.len(), screen);
        let text = legend(&common.own(&series.metric), series);
        let text = shortened(&printable(&text), screen.columns - 2);
        painted(&format!("{mark} {text}"))?;
    }
    if drawn.len() < series.len() {
        line(format_args!(
            "{} of {} series, those that reach highest; --table has all",
            drawn.len(),
            series.len()
        ))?;
    }
    Ok(())
}

/// A series by what it has of its own, and its last value in so many digits as a plot is
/// read for.
fn legend(own: &Labels, series: &Series) -> String {
    let last = series.values.last().map_or(f64::NAN, Sample::number);
    let decimals = match last {
        0.0 => 0,
        _ => (LEGEND_DIGITS - 1).saturating_sub(last.abs().log10().floor() as i32),
    };
    let last = format!("last {last:.*}", decimals.clamp(0, MAX_DECIMALS) as usize);
    match own.is_empty() {
        true => last,
        false => format!("{}  {last}", shown(own)),
    }
}

/// Those series that reach highest, in the order they have.
fn highest(series: &[Series], most: usize) -> Vec<&Series> {
    let height = |series: &Series| {
        let numbers = series.values.iter().map(|sample| sample.number());
        numbers
            .filter(|number| number.is_finite())
            .fold(f64::NEG_INFINITY, f64::max)
    };
    let mut ranked: Vec<_> = series.iter().map(height).enumerate().collect();
    ranked.sort_by(|(_, a), (_, b)| b.total_cmp(a));
    ranked.truncate(most);
    ranked.sort_by_key(|(index, _)| *index);
    ranked
        .into_iter()
        .map(|(index, _)| &series[index])
        .collect()
}

fn points(series: &Series) -> Vec<Point> {
    let samples = series.values.iter();
    samples
        .map(|sample| (sample.milliseconds(), sample.number()))
        .collect()
}

fn tell_shared(common: &Common) -> io::Result<()> {
    match common.shared.is_empty() {
        true => Ok(()),
        false => line(format_args!("{}", shown(&common.shared))),
    }
}

fn headings(common: &Common, first: Option<&str>) -> Vec<String> {
    let first = first.map(str::to_owned).into_iter();
    let names = common.differing.iter().map(|name| heading(name));
    first.chain(names).chain(["value".to_owned()]).collect()
}

/// What a series has of its own, by column.
fn cells(common: &Common, metric: &Labels) -> Vec<String> {
    let value = |name: &String| metric.get(name).cloned().unwrap_or_default();
    common.differing.iter().map(value).collect()
}

/// Without headings where there is one value and nothing to tell it from.
fn tell_table(table: &Table, common: &Common) -> io::Result<()> {
    let skipped = usize::from(common.differing.is_empty());
    for text in table.lines().skip(skipped) {
        line(format_args!(
            "{}",
            if skipped == 1 {
                text.trim_start()
            } else {
                &text
            }
        ))?;
    }
    Ok(())
}

/// As much of a text as fits.
fn shortened(text: &str, columns: usize) -> String {
    if text.chars().count() <= columns {
        return text.to_owned();
    }
    let fits: String = text.chars().take(columns.saturating_sub(1)).collect();
    format!("{fits}…")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_series_are_drawn_in_their_order() {
        let series = |values: &[&str]| Series {
            metric: Default::default(),
            values: values
                .iter()
                .map(|value| Sample(0.0, (*value).to_owned()))
                .collect(),
        };
        let all = [
            series(&["1", "9"]),
            series(&["5"]),
            series(&["NaN"]),
            series(&["7", "+Inf"]),
        ];
        let found: Vec<_> = highest(&all, 2)
            .iter()
            .map(|series| series.values.len())
            .collect();
        assert_eq!(found, [2, 2]);
        assert_eq!(highest(&all, 9).len(), 4);
        let labels = Labels::from([("a".to_owned(), "b".to_owned())]);
        for (value, expected) in [
            ("0.195090909", "0.1951"),
            ("12345.6", "12346"),
            ("0", "0"),
            ("1e-300", "0.000000000000"),
            ("NaN", "NaN"),
        ] {
            assert_eq!(
                legend(&Labels::new(), &series(&[value])),
                format!("last {expected}")
            );
        }
        assert_eq!(legend(&labels, &series(&["1"])), "{a=\"b\"}  last 1.000");
        assert_eq!(shortened("abcdef", 4), "abc…");
        assert_eq!(shortened("abcd", 4), "abcd");
    }
}
