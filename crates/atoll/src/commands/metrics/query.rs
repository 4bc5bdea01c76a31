//! `atoll metrics query`: what an expression of PromQL finds, at one moment as a table,
//! over time as a plot.

use super::answer::{Found, Instant, Sample, Series, found};
use super::caret;
use super::labels::{Common, Labels, heading, shown};
use super::moment::{Moment, clock, date, now, seconds};
use super::plot::{self, Frame, MARKS, Point};
use super::screen::Screen;
use super::table::Table;
use crate::client::{Client, encode};
use crate::output::{complain, line, painted};
use crate::place::Reach;
use anyhow::{Context, Result, anyhow};
use httpd::limit::parse_period;
use serde_json::Value;
use std::io;
use std::time::Duration;
use sync::printable::printable;
use ureq::http::Method;

/// Moments of a range unless somebody says: about two for each character across.
const MOMENTS: f64 = 240.0;

/// Lines of a plot without its axis: with what is around it, it fits 24.
const ROWS: usize = 16;

/// Digits of a value beside a plot.
const LEGEND_DIGITS: i32 = 4;

/// What is smaller than that many decimals show is nothing beside a plot.
const MAX_DECIMALS: i32 = 12;

const FORM: &str = "application/x-www-form-urlencoded";

#[derive(clap::Args)]
pub struct Arguments {
    /// An expression of PromQL
    expression: String,
    /// The moment that is asked for, or the end of the range: a date, RFC 3339, seconds
    /// since 1970, or how long ago, such as 1h [default: now]
    #[arg(long, value_name = "TIME", value_parser = Moment::read, allow_hyphen_values = true)]
    at: Option<Moment>,
    /// Ask for so long up to then, such as 1h, and draw it
    #[arg(long, value_name = "TIME", value_parser = period)]
    range: Option<Duration>,
    /// From one moment of the range to the next [default: a 240th of it]
    #[arg(long, value_name = "TIME", value_parser = period, requires = "range")]
    step: Option<Duration>,
    /// Print a range as numbers
    #[arg(long)]
    table: bool,
    /// Print the server's answer
    #[arg(long, conflicts_with = "table")]
    json: bool,
    #[command(flatten)]
    reach: Reach,
}

/// What is asked for over time, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range {
    start: i64,
    end: i64,
    step: i64,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let client = arguments.reach.client_of_any_server()?;
    let at = arguments.at.map(|at| at.milliseconds(now()));
    let range = arguments.range.map(|range| {
        let step = arguments.step.map(|step| step.as_millis() as i64);
        Range::new(at.unwrap_or_else(now), range.as_millis() as i64, step)
    });
    let answer = arguments.ask(&client, at, range)?;
    if arguments.json {
        line(format_args!("{answer}"))?;
        return Ok(());
    }
    for kind in ["warnings", "infos"] {
        for text in answer[kind]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
        {
            complain(format_args!("{}", printable(text)));
        }
    }
    let told = match (found(&answer)?, range) {
        (Found::Vector(series), _) => tell_vector(&series),
        (Found::Matrix(series), Some(range)) if !arguments.table => {
            tell_plot(range, &series, Screen::find())
        }
        (Found::Matrix(series), _) => tell_matrix(&series),
        (Found::Scalar(sample) | Found::String(sample), _) => line(format_args!("{}", sample.1)),
    };
    Ok(told?)
}

impl Arguments {
    /// The server's answer, if it is what was asked for.
    fn ask(&self, client: &Client, at: Option<i64>, range: Option<Range>) -> Result<Value> {
        let mut form = format!("query={}", encode(&self.expression));
        let path = if let Some(Range { start, end, step }) = range {
            let [start, end, step] = [start, end, step].map(seconds);
            form.push_str(&format!("&start={start}&end={end}&step={step}"));
            "/api/v1/query_range"
        } else {
            if let Some(at) = at {
                form.push_str(&format!("&time={}", seconds(at)));
            }
            "/api/v1/query"
        };
        let response = client.exchange(Method::POST, path, FORM, form)?;
        let status = response.status();
        let answer = client.read(response)?;
        if status.is_success() {
            return Ok(answer);
        }
        if self.json {
            line(format_args!("{answer}"))?;
        }
        let Some(error) = answer["error"].as_str() else {
            return Err(client.refusal(status, &answer));
        };
        for text in caret::below(&self.expression, error).into_iter().flatten() {
            complain(format_args!("{}", printable(&text)));
        }
        Err(anyhow!("{error}"))
    }
}

impl Range {
    /// So long up to `end`, in steps that are told or that make a good plot. The moments lie
    /// at multiples of the step, so that the same question a little later is answered alike.
    fn new(end: i64, length: i64, step: Option<i64>) -> Self {
        let usual = || {
            let seconds = (length as f64 / 1e3 / MOMENTS).ceil() as i64;
            seconds.max(1) * 1000
        };
        let step = step.unwrap_or_else(usual);
        let end = end.div_euclid(step) * step;
        let start = end - length / step * step;
        Self { start, end, step }
    }
}

/// A table of series at a moment, under what all of them share.
fn tell_vector(series: &[Instant]) -> io::Result<()> {
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
fn tell_matrix(series: &[Series]) -> io::Result<()> {
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

fn tell_plot(range: Range, series: &[Series], screen: Screen) -> io::Result<()> {
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
    line(format_args!("{}", caption(range)))?;
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

fn caption(Range { start, end, step }: Range) -> String {
    let until = match date(start) == date(end) {
        true => clock(end),
        false => format!("{} {}", date(end), clock(end)),
    };
    let step = Duration::from_millis(step.unsigned_abs()).as_secs_f64();
    format!(
        "{} {} to {until} UTC, every {step} s",
        date(start),
        clock(start)
    )
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

fn period(text: &str) -> Result<Duration> {
    let found = parse_period(text).filter(|period| !period.is_zero());
    found.with_context(|| format!("{text:?} is no time, such as 15s, 1h or 7d"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_lie_at_multiples_of_their_step() {
        let hour = Range::new(7_205_500, 3_600_000, None);
        let expected = Range {
            start: 3_600_000,
            end: 7_200_000,
            step: 15_000,
        };
        assert_eq!(hour, expected);
        assert_eq!(Range::new(10_000, 5000, None).step, 1000);
        assert_eq!(
            caption(hour),
            "1970-01-01 01:00:00 to 02:00:00 UTC, every 15 s"
        );
    }

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
