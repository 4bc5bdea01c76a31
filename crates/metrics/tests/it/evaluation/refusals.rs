//! Queries that have no answer, and what is said about them: in Prometheus' words where
//! it has some.

use super::memory::Memory;
use super::notation::{Item, line};
use metrics::eval::{Engine, QueryValue};
use metrics::promql::{Features, parse};

const SERIES: &[&str] = &[
    "many{job=\"a\", instance=\"1\"} 1x10",
    "many{job=\"a\", instance=\"2\"} 2x10",
    "one{job=\"a\", host=\"x\"} 3x10",
    "early{host=\"x\"} 4x3 stale",
    "late{host=\"x\"} _x5 5x5",
    "native 1 {{count:1 sum:1}}x10",
];

const MINUTE: i64 = 60_000;

fn memory() -> Memory {
    let mut memory = Memory::default();
    for text in SERIES {
        let line = line(text);
        for (index, item) in line.items.iter().enumerate() {
            let time = index as i64 * MINUTE;
            match item {
                Item::Omitted => {}
                Item::Value(value) => memory.insert(&line.labels, time, *value),
                Item::Native => memory.insert_native(&line.labels, time),
            }
        }
    }
    memory
}

/// What is said, asked for ten minutes.
fn said(query: &str) -> String {
    let memory = memory();
    let query = parse(query, Features::ALL).unwrap();
    let answer = Engine::new(&memory).range(&query, 0, 10 * MINUTE, MINUTE);
    match answer.map(|answer| answer.value) {
        Ok(QueryValue::Matrix(series)) => {
            let series = series.iter();
            let series = series.map(|series| format!("{} {}", series.labels, series.samples.len()));
            series.collect::<Vec<_>>().join("; ")
        }
        Ok(other) => panic!("{other:?}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn series_that_do_not_match_one_to_one() {
    let check = |query: &str, expected: &str| assert_eq!(said(query), expected, "{query}");
    check(
        "one + on (job) many",
        "found duplicate series for the match group {job=\"a\"} on the right hand-side of the \
         operation: [{__name__=\"many\", instance=\"1\", job=\"a\"}, {__name__=\"many\", \
         instance=\"2\", job=\"a\"}];many-to-many matching not allowed: matching labels must be \
         unique on one side",
    );
    check(
        "many * on (job) group_right () one{host=\"x\"}",
        "found duplicate series for the match group {job=\"a\"} on the left hand-side of the \
         operation: [{__name__=\"many\", instance=\"1\", job=\"a\"}, {__name__=\"many\", \
         instance=\"2\", job=\"a\"}];many-to-many matching not allowed: matching labels must be \
         unique on one side",
    );
    check(
        "many + on (job) one",
        "multiple matches for labels: many-to-one matching must be explicit \
         (group_left/group_right)",
    );
    check(
        "many + on (job) group_left (instance) one",
        "multiple matches for labels: grouping labels must ensure unique matches",
    );
    check(
        "many + on (job) group_left (host) one",
        "{host=\"x\", instance=\"1\", job=\"a\"} 11; {host=\"x\", instance=\"2\", job=\"a\"} 11",
    );
    check("one + on (job) many{instance=\"3\"}", "");
    check("many > on (job) group_left () (one < 3)", "");
}

#[test]
fn series_that_become_the_same() {
    let check = |query: &str, expected: &str| assert_eq!(said(query), expected, "{query}");
    let same = "vector cannot contain metrics with the same labelset";
    check("abs({__name__=~\"early|late\"})", "{host=\"x\"} 10");
    check(
        "abs({host=\"x\"})",
        "{host=\"x\"} 10; {host=\"x\", job=\"a\"} 11",
    );
    check(
        "-{__name__=~\"one|many\"} + 1",
        "{host=\"x\", job=\"a\"} 11; \
         {instance=\"1\", job=\"a\"} 11; {instance=\"2\", job=\"a\"} 11",
    );
    check("label_replace(many, \"instance\", \"\", \"\", \"\")", same);
    check(
        "rate({__name__=~\"late|one\"}[5m]) or early",
        "{__name__=\"early\", host=\"x\"} 4; \
         {host=\"x\"} 5; {host=\"x\", job=\"a\"} 10",
    );
}

#[test]
fn what_is_not_supported() {
    let check = |query: &str, expected: &str| assert_eq!(said(query), expected, "{query}");
    check("rate(one[5m] anchored)", "anchored is not supported");
    check("one smoothed", "smoothed is not supported");
    check("info(one)", "info() is not supported");
    check(
        "native",
        "expanding series: native histograms are not supported: {__name__=\"native\"}",
    );
    check("native @ 0", "{__name__=\"native\"} 11");
    check("histogram_count(one)", "");
    check("one >/ 3", "");
}

#[test]
fn arguments_that_are_refused() {
    let check = |query: &str, expected: &str| assert_eq!(said(query), expected, "{query}");
    check("topk(NaN, many)", "Parameter value is NaN");
    check(
        "topk(1e30, many)",
        "Scalar value 1000000000000000000000000000000 overflows int64",
    );
    check("topk(0, many)", "");
    check("limit_ratio(NaN, many)", "Ratio value is NaN");
    check("count_values(\"\", many)", "invalid label name \"\"");
    check(
        "label_replace(many, \"\", \"\", \"\", \"\")",
        "invalid destination label name in label_replace(): ",
    );
    check(
        "label_join(many, \"x\", \"\", \"\")",
        "invalid source label name in label_join(): ",
    );
    check(
        "label_replace(many, \"a\", \"\", \"b\", \"(\")",
        "invalid regular expression in label_replace(): (",
    );
    check(
        "double_exponential_smoothing(one[5m], 0, 0.5)",
        "invalid smoothing factor. Expected: 0 < sf < 1, got: 0.000000",
    );
    check(
        "one[5m]",
        "invalid expression type \"range vector\" for range query, must be Scalar or instant Vector",
    );
    check(
        "sum_over_time(one[step() - 1m])",
        "invalid duration: duration must be greater than 0",
    );
}

#[test]
fn times_that_are_refused() {
    let memory = memory();
    let engine = Engine::new(&memory);
    let query = parse("one", Features::STABLE).unwrap();
    let check = |start, end, step, expected: &str| {
        let error = engine.range(&query, start, end, step).unwrap_err();
        assert_eq!(error.to_string(), expected);
    };
    check(1, 0, 1, "end timestamp must not be before start time");
    let step = "zero or negative query resolution step widths are not accepted";
    check(0, 1, 0, step);
    check(0, 1, -1, step);
    let range = "the query looks at times that are out of range";
    check(i64::MIN, 0, 1, range);
    check(0, i64::MAX, 1, range);
    let most = "more than 1048576 steps between start and end; use a longer step";
    check(0, 1 << 50, 1, most);
    assert!(engine.instant(&query, i64::MAX).is_err());
}
