//! Whatever is in the store, an answer is JSON that says the same.

use crate::evaluation::memory::Memory;
use crate::seed;
use metrics::api::{Api, Endpoint, Request, Settings, Status};
use metrics::eval::{Labels, STALE};
use metrics::head::HeadFigures;
use proptest::collection::btree_map;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::Value;
use std::collections::BTreeMap;

const CASES: u32 = 200;

fn ask(memory: &Memory, path: &str, query_string: &str) -> Value {
    let api = Api {
        source: memory,
        metadata: &BTreeMap::new(),
        status: &Status::default,
        figures: &|_| Ok(HeadFigures::default()),
        settings: Settings::default(),
    };
    let request = Request {
        endpoint: &Endpoint::at(path).unwrap(),
        query_string,
        form: b"",
    };
    let response = api.answer(request, 0, &|_| None);
    assert_eq!(response.status, 200);
    serde_json::from_slice(&response.body).unwrap()
}

fn labels(json: &Value) -> Labels {
    let labels = json.as_object().unwrap().iter();
    Labels::new(labels.map(|(name, value)| (name, value.as_str().unwrap())))
}

/// The samples of a series of a matrix: milliseconds, and values by their bits.
fn samples(series: &Value) -> Vec<(i64, u64)> {
    let read = |pair: &Value| {
        let time = (pair[0].as_f64().unwrap() * 1000.0).round() as i64;
        let value: f64 = pair[1].as_str().unwrap().parse().unwrap();
        (time, bits(value))
    };
    series["values"]
        .as_array()
        .unwrap()
        .iter()
        .map(read)
        .collect()
}

/// A text tells no NaN from another.
fn bits(value: f64) -> u64 {
    match value.is_nan() {
        true => f64::NAN.to_bits(),
        false => value.to_bits(),
    }
}

#[test]
fn answers_say_what_is_there() {
    let mut runner = TestRunner::new(seed::config(CASES));
    let value = any::<u64>().prop_map(f64::from_bits);
    let value = value.prop_filter("stale", |value| value.to_bits() != STALE);
    let value = prop_oneof![value, (-9999..9999_i32).prop_map(|n| f64::from(n) / 100.0)];
    let times = btree_map(1_i64..3_600_000, value, 1..20);
    let series = btree_map(
        btree_map("[^\u{0}]{1,4}", "\\PC{1,9}|[\"\\\\\n]{1,3}", 1..4),
        times,
        1..5,
    );
    runner
        .run(&series, |drawn| {
            let mut memory = Memory::default();
            let mut expected = BTreeMap::new();
            for (pairs, values) in drawn {
                let labels =
                    Labels::new(pairs.into_iter().chain([("x".to_owned(), "1".to_owned())]));
                let samples: Vec<_> = values
                    .iter()
                    .map(|(time, value)| (*time, bits(*value)))
                    .collect();
                if expected.insert(labels.clone(), samples).is_none() {
                    for (time, value) in values {
                        memory.insert(&labels, time, value);
                    }
                }
            }
            let all = ask(&memory, "query", "query=%7Bx=%221%22%7D[1h]&time=3600");
            let all = all["data"]["result"].as_array().unwrap().iter();
            let found: BTreeMap<_, _> = all
                .map(|series| (labels(&series["metric"]), samples(series)))
                .collect();
            let named = ask(&memory, "series", "match[]=%7Bx=%221%22%7D");
            let named = named["data"].as_array().unwrap().iter().map(labels);
            prop_assert_eq!(
                named.collect::<Vec<_>>(),
                found.keys().cloned().collect::<Vec<_>>()
            );
            prop_assert_eq!(found, expected);
            Ok(())
        })
        .unwrap();
}
