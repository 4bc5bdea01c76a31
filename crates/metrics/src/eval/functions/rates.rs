//! How fast a series grows or changes: `rate` and its likes, and the counts of changes
//! and resets.

use super::OfWindow;
use super::scalars::seconds;
use crate::chunk::Sample;
use crate::eval::notes::{Notes, Remark};
use crate::eval::vector::Column;
use crate::eval::windows::Window;
use crate::promql::{METRIC_NAME, Span};

/// What counters' names end in.
const COUNTERS: [&str; 4] = ["_total", "_sum", "_count", "_bucket"];

/// The most that the first or the last sample may be away from an end of the range for
/// the series to be taken to reach it, in mean distances of samples.
const NEAR: f64 = 1.1;

/// The functions that take a range and nothing else.
pub(super) fn simple(name: &str) -> Option<OfWindow> {
    Some(match name {
        "rate" => |window| {
            let (grown, factor) = growth(window)?;
            Some(grown * (factor / length(window)))
        },
        "increase" => |window| {
            let (grown, factor) = growth(window)?;
            Some(grown * factor)
        },
        "delta" => delta,
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

/// How much a counter grew between its samples, its resets made good, and the factor by
/// which it grew in the whole range.
fn growth(window: &Window<'_>) -> Option<(f64, f64)> {
    let (first, last) = ends(window)?;
    let resets = window.decreases.iter().map(|decrease| decrease.from);
    let grown = resets.fold(last.value - first.value, |grown, from| grown + from);
    let mut to_start = near(window, seconds(first.time - window.start));
    if grown > 0.0 && first.value >= 0.0 {
        // Counters begin at 0: before they got there, they were not.
        let to_zero = sampled(window) * (first.value / grown);
        to_start = if to_zero < to_start {
            to_zero
        } else {
            to_start
        };
    }
    Some((grown, factor(window, to_start)))
}

/// How much a gauge changed in the range.
fn delta(window: &Window<'_>) -> Option<f64> {
    let (first, last) = ends(window)?;
    let to_start = near(window, seconds(first.time - window.start));
    Some((last.value - first.value) * factor(window, to_start))
}

/// How much longer than the time between the samples it is from so far before the first
/// up to the end of the range.
fn factor(window: &Window<'_>, to_start: f64) -> f64 {
    let last = window.samples.last();
    let behind = last.map_or(0, |last| window.end - last.time);
    let sampled = sampled(window);
    let to_end = near(window, seconds(behind));
    (sampled + to_start + to_end) / sampled
}

/// How far the series is taken to go on beyond its first or its last sample: to the end
/// of the range if that is near, else half of the mean distance of samples.
fn near(window: &Window<'_>, distance: f64) -> f64 {
    let mean = sampled(window) / (window.samples.len() - 1) as f64;
    if distance >= mean * NEAR {
        mean / 2.0
    } else {
        distance
    }
}

/// Seconds from the first sample to the last.
fn sampled(window: &Window<'_>) -> f64 {
    let ends = ends(window);
    ends.map_or(0.0, |(first, last)| seconds(last.time - first.time))
}

fn length(window: &Window<'_>) -> f64 {
    seconds(window.end - window.start)
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
