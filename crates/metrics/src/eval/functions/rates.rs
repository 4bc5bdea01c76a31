//! How fast a series grows or changes: `rate` and its likes, and the counts of changes
//! and resets.

use super::OfWindow;
use super::scalars::seconds;
use crate::chunk::Sample;
use crate::eval::error::EvalError;
use crate::eval::evaluator::Evaluator;
use crate::eval::notes::{Notes, Remark};
use crate::eval::steps::Steps;
use crate::eval::vector::Column;
use crate::eval::windows::Window;
use crate::promql::{Expr, METRIC_NAME, Span};

/// What counters' names end in.
const COUNTERS: [&str; 4] = ["_total", "_sum", "_count", "_bucket"];

/// The most that the first or the last sample may be away from an end of the range for
/// the series to be taken to reach it, in mean distances of samples.
const NEAR: f64 = 1.1;

/// How samples lie in a range; times in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Layout {
    count: usize,
    /// From the start of the range to the first.
    before: i64,
    /// From the first to the last.
    between: i64,
    /// From the last to the end of the range.
    behind: i64,
}

/// How far samples that lie so reach, in seconds. They mostly come as regularly as the
/// steps of a query, so that in one range after the other they lie the same, and the
/// divisions that it takes are done once.
#[derive(Debug, Clone, Copy, Default)]
struct Reach {
    layout: Layout,
    /// From the first sample to the last.
    sampled: f64,
    /// How far the series is taken to go on before the first.
    to_start: f64,
    /// How far it is taken to go on behind the last.
    to_end: f64,
    /// Of the whole range.
    length: f64,
    /// How much longer than between the samples it is between both.
    factor: f64,
}

impl Evaluator<'_> {
    /// `rate`, `increase` or `delta`.
    pub(super) fn extrapolated(
        &mut self,
        name: &str,
        range: &Expr,
        steps: &Steps,
    ) -> Result<Vec<Column>, EvalError> {
        let mut reach = Reach::default();
        // Each becomes part of the loop over windows, in which it is a few instructions.
        match name {
            "rate" => self.ranged(name, range, steps, |window| rate(window, &mut reach)),
            "increase" => self.ranged(name, range, steps, |window| increase(window, &mut reach)),
            _ => self.ranged(name, range, steps, |window| delta(window, &mut reach)),
        }
    }
}

/// The other functions that take a range and nothing else.
pub(super) fn simple(name: &str) -> Option<OfWindow> {
    Some(match name {
        "irate" => instant_rate,
        "idelta" => |window| {
            let [before, last] = last_two(window)?;
            Some(last.value - before.value)
        },
        "deriv" => super::trends::derivative,
        "changes" => |window| Some(changes(window)),
        "resets" => |window| Some(window.decreases.len() as f64),
        _ => return None,
    })
}

/// Remarks on series whose names are not those of counters.
pub(super) fn remark_on_names(columns: &[Column], span: Span, notes: &mut Notes) {
    let mut last = "";
    for column in columns.iter().filter(|column| column.has_values()) {
        let name = column.labels.get(METRIC_NAME);
        let is_counter = COUNTERS.iter().any(|ending| name.ends_with(ending));
        // Series come by their labels, so those of one name mostly follow each other.
        if !is_counter && name != last {
            notes.add(Remark::MaybeNoCounter(name.to_owned()), span);
            last = name;
        }
    }
}

/// How fast a counter grew in the range, per second.
fn rate(window: &Window<'_>, reach: &mut Reach) -> Option<f64> {
    let (grown, factor) = growth(window, reach)?;
    Some(grown * (factor / reach.length))
}

/// How much a counter grew in the range.
fn increase(window: &Window<'_>, reach: &mut Reach) -> Option<f64> {
    let (grown, factor) = growth(window, reach)?;
    Some(grown * factor)
}

/// How much a counter grew between its samples, its resets made good, and the factor by
/// which it grew in the whole range.
fn growth(window: &Window<'_>, reach: &mut Reach) -> Option<(f64, f64)> {
    let (first, last) = ends(window)?;
    reach.go_to(window, first, last);
    let resets = window.decreases.iter().map(|decrease| decrease.from);
    let grown = resets.fold(last.value - first.value, |grown, from| grown + from);
    if grown > 0.0 && first.value >= 0.0 {
        // Counters begin at 0: before they got there, they were not.
        let to_zero = reach.sampled * (first.value / grown);
        if to_zero < reach.to_start {
            return Some((grown, reach.factor_from(to_zero)));
        }
    }
    Some((grown, reach.factor))
}

/// How much a gauge changed in the range.
fn delta(window: &Window<'_>, reach: &mut Reach) -> Option<f64> {
    let (first, last) = ends(window)?;
    reach.go_to(window, first, last);
    Some((last.value - first.value) * reach.factor)
}

impl Reach {
    /// That of a window's samples, from its first to its last, which are two.
    fn go_to(&mut self, window: &Window<'_>, first: &Sample, last: &Sample) {
        let layout = Layout {
            count: window.samples.len(),
            before: first.time - window.start,
            between: last.time - first.time,
            behind: window.end - last.time,
        };
        if self.layout != layout {
            *self = Self::of(layout);
        }
    }

    fn of(layout: Layout) -> Self {
        let sampled = seconds(layout.between);
        let mean = sampled / (layout.count - 1) as f64;
        let near = |distance| match distance >= mean * NEAR {
            true => mean / 2.0,
            false => distance,
        };
        // To the end of the range if that is near, else half of the mean distance.
        let to_start = near(seconds(layout.before));
        let mut reach = Self {
            layout,
            sampled,
            to_start,
            to_end: near(seconds(layout.behind)),
            length: seconds(layout.before + layout.between + layout.behind),
            factor: 0.0,
        };
        reach.factor = reach.factor_from(to_start);
        reach
    }

    /// How much longer than the time between the samples it is from so far before the first
    /// up to the end of the range.
    fn factor_from(&self, to_start: f64) -> f64 {
        (self.sampled + to_start + self.to_end) / self.sampled
    }
}

/// The rate of the last two samples. A value smaller than the one before it has grown
/// from 0.
fn instant_rate(window: &Window<'_>) -> Option<f64> {
    let [before, last] = last_two(window)?;
    let grown = match last.value < before.value {
        true => last.value,
        false => last.value - before.value,
    };
    Some(grown / seconds(last.time - before.time))
}

/// The first sample and the last, if those are two.
fn ends<'a>(window: &Window<'a>) -> Option<(&'a Sample, &'a Sample)> {
    match window.samples {
        [first, .., last] => Some((first, last)),
        _ => None,
    }
}

fn last_two<'a>(window: &Window<'a>) -> Option<&'a [Sample; 2]> {
    window.samples.last_chunk()
}

fn changes(window: &Window<'_>) -> f64 {
    let pairs = window.samples.windows(2);
    let changed = pairs.filter(|pair| is_change(pair[0].value, pair[1].value));
    changed.count() as f64
}

fn is_change(before: f64, after: f64) -> bool {
    before != after && !(before.is_nan() && after.is_nan())
}
