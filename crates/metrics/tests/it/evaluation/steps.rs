//! What a range query says of a step is what an instant query says of its time, for
//! random queries over random series.
//!
//! The range query is asked of a source that gives more than it must.
//!
//! Queries that fail are left out: a range query fails if any of its steps does.

use super::memory::Memory;
use crate::seed;
use metrics::chunk::Sample;
use metrics::eval::{
    Engine, EvalError, Labels, QueryValue, STALE, Select, SeriesCursor, TimeRange,
};
use metrics::promql::{Features, LabelMatcher, parse};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::TestRunner;
use std::collections::BTreeMap;

const CASES: u32 = 2_000;

/// Queries range over ten minutes around samples that lie within five.
const START: i64 = -120_000;
const END: i64 = 480_000;

const OVER_TIME: &[&str] = &[
    "rate",
    "increase",
    "delta",
    "irate",
    "idelta",
    "changes",
    "resets",
    "deriv",
    "sum_over_time",
    "avg_over_time",
    "min_over_time",
    "max_over_time",
    "count_over_time",
    "last_over_time",
    "first_over_time",
    "present_over_time",
    "stddev_over_time",
    "absent_over_time",
];

/// What may stand around a vector, which is written as `$`.
const AROUND: &[&str] = &[
    "abs($)",
    "-($)",
    "+($)",
    "sgn($)",
    "timestamp($)",
    "absent($)",
    "sum($)",
    "avg($)",
    "max($)",
    "count($)",
    "stdvar($)",
    "group($)",
    "sum by (a) ($)",
    "max without (b) ($)",
    "topk by (a) (1, $)",
    "bottomk(2, $)",
    "quantile(0.3, $)",
    "count_values(\"v\", $)",
    "clamp_min($, 2)",
    "round($, 4)",
    "hour($)",
    "day_of_year($)",
    "days_in_month($)",
    "sort_by_label_desc($, \"a\")",
    "stddev by (b) ($)",
    "histogram_fraction(0, 1, label_replace($, \"le\", \"$1\", \"b\", \"(.+)\"))",
    "vector(scalar($))",
    "sort($)",
    "limitk(1, $)",
    "limit_ratio(0.5, $)",
    "time() + ($)",
    "3 < bool ($)",
    "($) > time() / 60",
    "label_join($, \"a\", \"-\", \"b\", \"a\")",
    "label_replace($, \"b\", \"$1\", \"a\", \"(.).*\")",
    "histogram_quantile(0.5, label_replace($, \"le\", \"$1\", \"a\", \"(.+)\"))",
];

const OPERATORS: &[&str] = &[
    "+",
    "- on (a)",
    "* ignoring (b)",
    "/ on (a, b) group_left ()",
    "> bool",
    "<=",
    "!= on (b)",
    "and",
    "or",
    "unless",
    "and on (a)",
    "or on (b)",
    "unless ignoring (a)",
    "atan2",
    "+ on (a) fill (1)",
    "< fill_left (2)",
    "- on (a) group_right (b) fill_right (3)",
    "+ on (b) group_left (a)",
];

/// Gives more samples than it is asked for, as a source may.
struct Generous<'a>(&'a Memory);

impl Select for Generous<'_> {
    fn select<'s>(
        &'s self,
        matchers: &[LabelMatcher],
        _: TimeRange,
    ) -> Result<Box<dyn SeriesCursor + 's>, EvalError> {
        let (start, end) = (i64::MIN, i64::MAX);
        self.0.select(matchers, TimeRange { start, end })
    }
}

#[test]
fn a_step_is_an_instant() {
    let mut runner = TestRunner::new(seed::config(CASES));
    let steps = select(vec![1_000_i64, 7_001, 30_000, 60_000, 299_999]);
    let inputs = (queries(), series(), steps);
    let answered = std::cell::Cell::new(0);
    runner
        .run(&inputs, |(text, memory, step)| {
            let query = parse(&text, Features::ALL);
            let query = query.unwrap_or_else(|error| panic!("{text}: {error}"));
            let engine = Engine::new(&memory);
            let generous = Generous(&memory);
            let Ok(answer) = Engine::new(&generous).range(&query, START, END, step) else {
                return Ok(());
            };
            let QueryValue::Matrix(series) = answer.value else {
                panic!("{text}: a range query has a matrix");
            };
            answered.set(answered.get() + 1);
            let mut at_times: BTreeMap<i64, BTreeMap<Labels, u64>> = BTreeMap::new();
            for series in series {
                for Sample { time, value } in series.samples {
                    let at_time = at_times.entry(time).or_default();
                    at_time.insert(series.labels.clone(), bits(value));
                }
            }
            for time in (START..=END).step_by(step as usize) {
                let instant = engine.instant(&query, time).unwrap();
                let expected = at_times.remove(&time).unwrap_or_default();
                prop_assert_eq!(elements(instant.value), expected, "{} at {}", text, time);
            }
            prop_assert!(at_times.is_empty(), "{}: times beside its steps", text);
            Ok(())
        })
        .unwrap();
    println!("{} of {CASES} queries have answers", answered.get());
    assert!(answered.get() > CASES / 2);
}

fn elements(value: QueryValue) -> BTreeMap<Labels, u64> {
    match value {
        QueryValue::Vector(elements) => {
            let count = elements.len();
            let elements = elements.into_iter();
            let elements = elements.map(|element| (element.labels, bits(element.sample.value)));
            let elements: BTreeMap<_, _> = elements.collect();
            assert_eq!(elements.len(), count, "labels are told once");
            elements
        }
        QueryValue::Scalar(sample) => BTreeMap::from([(Labels::empty(), bits(sample.value))]),
        other => panic!("{other:?}"),
    }
}

/// All that is no number is the same here.
fn bits(value: f64) -> u64 {
    if value.is_nan() { f64::NAN } else { value }.to_bits()
}

fn queries() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        4 => selectors(),
        4 => (select(OVER_TIME), ranges()).prop_map(|(name, range)| format!("{name}({range})")),
        1 => ranges().prop_map(|range| format!("predict_linear({range}, 60)")),
        1 => ranges().prop_map(|range| format!("quantile_over_time(0.7, {range})")),
    ];
    leaf.prop_recursive(3, 12, 2, |inner| {
        let subquery = (
            select(OVER_TIME),
            inner.clone(),
            select(vec!["2m:30s", "1m:", "90s:17s"]),
        );
        prop_oneof![
            3 => (select(AROUND), inner.clone())
                .prop_map(|(around, inner)| around.replacen('$', &inner, 1)),
            3 => (inner.clone(), select(OPERATORS), inner)
                .prop_map(|(left, operator, right)| format!("({left}) {operator} ({right})")),
            1 => subquery.prop_map(|(name, inner, range)| format!("{name}(({inner})[{range}])")),
        ]
    })
}

fn selectors() -> impl Strategy<Value = String> {
    let names = select(vec![
        "m",
        "n",
        "m{a=\"1\"}",
        "n{b!=\"1\"}",
        "{__name__=~\"m|n\"}",
    ]);
    let times = select(vec![
        "",
        "",
        "",
        " offset 30s",
        " offset -1m",
        " @ 100",
        " @ 60 offset 10s",
    ]);
    (names, times).prop_map(|(name, time)| format!("{name}{time}"))
}

fn ranges() -> impl Strategy<Value = String> {
    let names = select(vec!["m", "n{a=\"1\"}", "m{b!=\"2\"}"]);
    let lengths = select(vec!["30s", "1m", "101s", "5m"]);
    let times = select(vec!["", "", "", " offset 30s", " @ 100"]);
    (names, lengths, times).prop_map(|(name, length, time)| format!("{name}[{length}]{time}"))
}

fn series() -> impl Strategy<Value = Memory> {
    let value = prop_oneof![
        8 => (-5_i32..20).prop_map(f64::from),
        1 => select(vec![f64::NAN, f64::INFINITY, f64::from_bits(STALE)]),
    ];
    let name = select(vec!["m", "n"]);
    let label = || select(vec!["", "1", "2"]);
    let samples = vec((1_i64..60_000, value), 0..12);
    vec((name, label(), label(), samples), 0..6).prop_map(|series| {
        let mut memory = Memory::default();
        for (name, a, b, samples) in series {
            let labels = Labels::new([("__name__", name), ("a", a), ("b", b)]);
            let mut time = 0;
            for (distance, value) in samples {
                time += distance;
                memory.insert(&labels, time, value);
            }
        }
        memory
    })
}
