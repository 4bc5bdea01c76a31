//! Series that are spread over several sources are answered as if they were in one.

use super::memory::Memory;
use crate::seed;
use metrics::eval::{Engine, Labels, Merged, Select};
use metrics::promql::{Features, parse};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

const CASES: u32 = 500;

#[test]
fn merged_sources_are_one() {
    let mut runner = TestRunner::new(seed::config(CASES));
    // Which series, when, and in which of three sources: in one, or in all but one.
    let sample = (0_u8..4, 0_i64..600, 0_usize..3, any::<bool>());
    let samples = vec(sample, 0..40);
    runner
        .run(&samples, |samples| {
            let mut whole = Memory::default();
            let mut parts = [Memory::default(), Memory::default(), Memory::default()];
            for (series, second, place, is_only) in samples {
                let labels = Labels::new([("__name__", "m"), ("n", &series.to_string())]);
                // The same in all sources that have it.
                let value = (second % 17) as f64;
                whole.insert(&labels, second * 1_000, value);
                for (index, part) in parts.iter_mut().enumerate() {
                    if (index == place) == is_only {
                        part.insert(&labels, second * 1_000, value);
                    }
                }
            }
            let merged = Merged::new(parts.iter().map(|part| part as &dyn Select));
            for query in ["m", "rate(m[2m])", "sum(count_over_time(m[5m]))"] {
                let query = parse(query, Features::STABLE).unwrap();
                let answer = |source: &dyn Select| {
                    let answer = Engine::new(source).range(&query, 0, 600_000, 7_000);
                    format!("{:?}", answer.unwrap().value)
                };
                prop_assert_eq!(answer(&merged), answer(&whole));
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn the_first_source_counts() {
    let labels = Labels::new([("__name__", "m")]);
    let (mut first, mut second) = (Memory::default(), Memory::default());
    first.insert(&labels, 0, 1.0);
    second.insert(&labels, 0, 2.0);
    second.insert(&labels, 1_000, 4.0);
    let query = parse("sum_over_time(m[1m])", Features::STABLE).unwrap();
    let check = |sources: [&dyn Select; 2], expected: &str| {
        let answer = Engine::new(&Merged::new(sources)).instant(&query, 1_000);
        let answer = format!("{:?}", answer.unwrap().value);
        assert!(answer.contains(expected), "{answer}");
    };
    check([&first, &second], "value: 5.0");
    check([&second, &first], "value: 6.0");
}
