//! `atoll metrics query`: what an expression of PromQL finds, at one moment as a table,
//! over time as a plot.

use super::answer::{Found, found};
use super::caret;
use super::moment::{Moment, clock, date, now, seconds};
use super::screen::Screen;
use super::told::{tell_matrix, tell_plot, tell_vector};
use crate::client::{Client, encode};
use crate::output::{complain, line};
use crate::place::Reach;
use anyhow::{Context, Result, anyhow};
use httpd::limit::parse_period;
use serde_json::Value;
use std::time::Duration;
use sync::printable::printable;
use ureq::http::Method;

/// Moments of a range unless somebody says: about two for each character across.
const MOMENTS: f64 = 240.0;

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
pub struct Range {
    pub start: i64,
    pub end: i64,
    pub step: i64,
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

    /// What it says above a plot.
    pub fn caption(self) -> String {
        let Self { start, end, step } = self;
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
            hour.caption(),
            "1970-01-01 01:00:00 to 02:00:00 UTC, every 15 s"
        );
    }
}
