//! What a query costs is bounded, and it can be canceled.

use super::memory::Memory;
use super::notation::{Item, line};
use metrics::eval::{Engine, EvalError, Limits, Settings};
use metrics::promql::{Features, parse};
use std::cell::Cell;

const MINUTE: i64 = 60_000;

/// Series `a` and `b`, ten each, with a sample each minute of an hour.
fn memory() -> Memory {
    let mut memory = Memory::default();
    for number in 0..20 {
        let name = if number < 10 { "a" } else { "b" };
        let line = line(&format!("{name}{{number=\"{number}\"}} {number}+1x60"));
        for (index, item) in line.items.iter().enumerate() {
            if let Item::Value(value) = item {
                memory.insert(&line.labels, index as i64 * MINUTE, *value);
            }
        }
    }
    memory
}

fn error(query: &str, limits: Limits) -> Option<EvalError> {
    let memory = memory();
    let settings = Settings {
        limits,
        ..Settings::default()
    };
    let query = parse(query, Features::ALL).unwrap();
    let engine = Engine::new(&memory).with(settings);
    engine.range(&query, 0, 60 * MINUTE, MINUTE).err()
}

#[test]
fn what_a_query_costs_is_bounded() {
    let check = |query: &str, limits: Limits, expected: Option<&str>| {
        let error = error(query, limits).map(|error| error.to_string());
        let is_so = match (&error, expected) {
            (Some(error), Some(expected)) => error.contains(expected),
            (error, expected) => error.is_none() && expected.is_none(),
        };
        assert!(is_so, "{query}: {error:?}, expected {expected:?}");
    };
    let limits = Limits::default();
    let samples = |samples| Limits { samples, ..limits };
    check("sum(a)", samples(610), None);
    check("sum(a)", samples(609), Some("reads more than 609 samples"));
    check(
        "a + on () group_left () sum(b)",
        samples(1219),
        Some("1219 samples"),
    );
    let series = |series| Limits { series, ..limits };
    check("sum(a)", series(10), None);
    check("sum(a)", series(9), Some("more than 9 series"));
    check("a or a", series(10), Some("more than 10 series"));
    let points = |points| Limits { points, ..limits };
    check("sum(a)", points(11 * 61), None);
    check(
        "sum(a)",
        points(10 * 61),
        Some("holds more than 610 points"),
    );
    check("sum(a) + sum(b)", points(12 * 61), None);
    check(
        "sum(a) + sum(b)",
        points(11 * 61),
        Some("holds more than 671 points"),
    );
    check(
        "count_values(\"v\", a)",
        points(50 * 61),
        Some("holds more than 3050 points"),
    );
    check(
        "sum_over_time(a[1h:1s])",
        points(30_000),
        Some("more than 30000 points"),
    );
    let steps = |steps| Limits { steps, ..limits };
    check("a", steps(61), None);
    check("a", steps(60), Some("more than 60 steps"));
    check("sum_over_time(a[1h:1m])", steps(120), None);
    check(
        "sum_over_time(a[1h:1s])",
        steps(120),
        Some("more than 120 steps"),
    );
}

#[test]
fn labels_do_not_grow_without_end() {
    let mut query = "a".to_owned();
    for _ in 0..20 {
        query = format!("label_replace({query}, \"x\", \"$1$1.\", \"x\", \"(.*)\")");
    }
    let error = error(&query, Limits::default()).unwrap();
    assert!(matches!(error, EvalError::LabelsTooLong { .. }), "{error}");
    let query = query.replace("$1$1.", "$1.");
    assert!(self::error(&query, Limits::default()).is_none());
}

/// What the parser lets through does not overflow the stack of a test's thread, the
/// smallest that there is.
#[test]
fn deep_queries_are_answered() {
    let around = [
        "abs($)",
        "($)",
        "-($)",
        "a + on () group_left () sum($)",
        "topk(1, $)",
        "label_replace($, \"x\", \"\", \"\", \"\")",
        "max_over_time(($)[2m:1m] @ 600)",
        "histogram_fraction(0, 1, $)",
        "clamp($, 0, 1)",
    ];
    for around in around {
        let deeper = |query: &String| Some(around.replace('$', query));
        let queries = std::iter::successors(Some("a".to_owned()), deeper);
        let read = queries.take_while(|query| parse(query, Features::ALL).is_ok());
        let query = read.last().unwrap();
        let error = error(&query, Limits::default());
        assert!(error.is_none(), "{around}: {error:?}");
    }
}

#[test]
fn a_window_is_left_soon_after_it_is_canceled() {
    let memory = memory();
    // Each of the series' few samples is looked at thousands of times.
    let query = parse("sum_over_time(a{number=\"1\"}[1h])", Features::STABLE).unwrap();
    let asked = Cell::new(0);
    let is_canceled = || {
        asked.set(asked.get() + 1);
        // The node asks, and the one series that is read.
        asked.get() > 2
    };
    let engine = Engine::new(&memory).until(&is_canceled);
    let error = engine.range(&query, 0, 60 * MINUTE, 200).unwrap_err();
    assert!(matches!(error, EvalError::Canceled), "{error}");
}

#[test]
fn a_query_ends_soon_after_it_is_canceled() {
    let memory = memory();
    for query in [
        "sum(a)",
        "rate(a[5m])",
        "max_over_time(a[10m:1m])",
        "a * on (number) a",
    ] {
        let query = parse(query, Features::ALL).unwrap();
        let asked = Cell::new(0);
        let is_canceled = || {
            asked.set(asked.get() + 1);
            asked.get() >= 5
        };
        let engine = Engine::new(&memory).until(&is_canceled);
        let error = engine.range(&query, 0, 60 * MINUTE, MINUTE).unwrap_err();
        assert!(matches!(error, EvalError::Canceled), "{error}");
        assert_eq!(asked.get(), 5);
    }
}
