//! What was written is read, bit by bit, whatever is asked for.

use super::series::{ALWAYS, PATH, Series, naive, open, read, some, write};
use crate::seed;
use metrics::chunk::Sample;
use metrics::eval::{Labels, Merged, STALE, Select, Texts, TimeRange};
use metrics::part::PartError;
use metrics::promql::{LabelMatcher, MatchOperator};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use std::path::Path;
use store::fs::{FileSystem, SimulatedFileSystem};

const CASES: u32 = 150;

fn values() -> impl Strategy<Value = f64> {
    prop_oneof![
        1 => any::<u64>().prop_map(f64::from_bits),
        3 => Just(1.0),
        3 => (0..100_i32).prop_map(f64::from),
        3 => (0..100_000_i32).prop_map(|n| f64::from(n) / 100.0),
        1 => Just(f64::from_bits(STALE)),
    ]
}

/// Steps between times and values; a sample may be repeated to make many.
fn samples() -> impl Strategy<Value = Vec<Sample>> {
    let step = prop_oneof![3 => Just(15_000_i64), 1 => 1..30_000_i64, 1 => 1..1_i64 << 50];
    let news = vec(
        (
            step,
            values(),
            prop_oneof![100 => Just(1_usize), 1 => 1..9000_usize],
        ),
        0..20,
    );
    (any::<i32>(), news).prop_map(|(start, news)| {
        let mut time = i64::from(start) * 1000;
        let mut samples = Vec::new();
        for (step, value, repeated) in news {
            for _ in 0..repeated {
                time = time.saturating_add(step);
                samples.push(Sample { time, value });
            }
        }
        samples.dedup_by_key(|sample| sample.time);
        samples
    })
}

fn labels() -> impl Strategy<Value = Labels> {
    let value = prop_oneof![
        Just(""),
        Just("a"),
        Just("b"),
        Just("ab"),
        Just("\u{10ffff}")
    ];
    vec(
        (
            prop_oneof![Just("__name__"), Just("x"), Just("xy"), Just("é")],
            value,
        ),
        0..4,
    )
    .prop_map(Labels::new)
}

fn matchers() -> impl Strategy<Value = Vec<LabelMatcher>> {
    let name = prop_oneof![Just("__name__"), Just("x"), Just("xy"), Just("none")];
    let operator = prop_oneof![
        Just(MatchOperator::Equal),
        Just(MatchOperator::NotEqual),
        Just(MatchOperator::Matches),
        Just(MatchOperator::NotMatches),
    ];
    let value = prop_oneof![
        Just(""),
        Just("a"),
        Just("a|b"),
        Just("a.*"),
        Just("b|"),
        Just(".+")
    ];
    let matcher = (name, operator, value)
        .prop_map(|(name, operator, value)| LabelMatcher::new(name, operator, value).unwrap());
    vec(matcher, 0..3)
}

#[test]
fn any_series_are_read_back() {
    let mut runner = TestRunner::new(seed::config(CASES));
    let range = (any::<i32>(), any::<u32>(), any::<bool>());
    let cases = (btree_map(labels(), samples(), 0..12), matchers(), range);
    runner
        .run(&cases, |(series, matchers, (start, length, is_cut))| {
            let start = i64::from(start) * 1000;
            let range = match is_cut {
                true => TimeRange {
                    start,
                    end: start + i64::from(length) * 100,
                },
                false => ALWAYS,
            };
            let fs = SimulatedFileSystem::new();
            let summary = write(&fs, &series).unwrap();
            let held: Series = naive(&series, &[], ALWAYS);
            prop_assert_eq!(summary.is_none(), held.is_empty());
            let Some(summary) = summary else {
                return Ok(());
            };
            let part = open(&fs).unwrap();
            prop_assert_eq!(part.summary(), &summary);
            prop_assert_eq!(summary.series, held.len() as u64);
            let samples = held.values().flatten();
            prop_assert_eq!(summary.samples, samples.clone().count() as u64);
            prop_assert_eq!(Some(summary.start), samples.clone().map(|s| s.time).min());
            prop_assert_eq!(Some(summary.end), samples.map(|s| s.time).max());
            prop_assert!(read(&part, &[], ALWAYS).unwrap() == held);
            let found = read(&part, &matchers, range).unwrap();
            prop_assert!(found == naive(&held, &matchers, range), "{:?}", matchers);
            prop_assert!(part.verify(&mut |_| true).unwrap());
            Ok(())
        })
        .unwrap();
}

#[test]
fn many_series_are_in_many_blocks() {
    let mut series = Series::new();
    for number in 0..9_000 {
        let labels = Labels::new([
            ("__name__", ["up", "down"][number % 2]),
            ("instance", &format!("host-{}", number / 2)),
            ("zone", &format!("zone-{}", number % 7)),
        ]);
        let samples = (0..3).map(|n| Sample {
            time: n * 1000,
            value: (number as f64 * 0.37 + n as f64).sin(),
        });
        series.insert(labels, samples.collect());
    }
    let fs = SimulatedFileSystem::new();
    write(&fs, &series).unwrap();
    let part = open(&fs).unwrap();
    assert!(part.verify(&mut |_| true).unwrap());
    let matcher = |name, operator, value| LabelMatcher::new(name, operator, value).unwrap();
    let check = |matchers: &[LabelMatcher], expected: usize| {
        let found = read(&part, matchers, ALWAYS).unwrap();
        assert_eq!(found.len(), expected, "{matchers:?}");
        assert!(found == naive(&series, matchers, ALWAYS), "{matchers:?}");
    };
    use MatchOperator::{Equal, Matches, NotEqual, NotMatches};
    check(&[], 9_000);
    check(&[matcher("instance", Equal, "host-777")], 2);
    check(&[matcher("instance", Equal, "host-77777")], 0);
    check(&[matcher("instance", Matches, "host-1|host-4499|none")], 4);
    check(&[matcher("instance", Matches, "host-.*77")], 2 * 45);
    check(&[matcher("instance", NotMatches, "host-.*77")], 9_000 - 90);
    let up = matcher("__name__", Equal, "up");
    check(&[up.clone(), matcher("zone", NotEqual, "zone-3")], 3_857);
    check(&[up, matcher("zone", Matches, "zone-[34]")], 1_286);
    let mut values = Texts::all();
    part.label_values("instance", &[], ALWAYS, &mut values)
        .unwrap();
    assert_eq!(values.iter().count(), 4_500);
}

#[test]
fn labels_are_told() {
    let fs = SimulatedFileSystem::new();
    write(&fs, &some()).unwrap();
    let part = open(&fs).unwrap();
    let check = |matchers: &[LabelMatcher], range, names: &str, hosts: usize| {
        let (mut found, mut values) = (Texts::all(), Texts::all());
        part.label_names(matchers, range, &mut found).unwrap();
        part.label_values("host", matchers, range, &mut values)
            .unwrap();
        assert_eq!(found.iter().collect::<Vec<_>>().join(" "), names);
        assert_eq!(values.iter().count(), hosts);
    };
    let before = TimeRange { start: -9, end: -1 };
    check(&[], ALWAYS, "__name__ host job", 10);
    check(&[], before, "", 0);
    check(
        &[LabelMatcher::of_name("metric_2")],
        ALWAYS,
        "__name__ host job",
        10,
    );
    check(&[LabelMatcher::of_name("metric_2")], before, "", 0);
    check(&[LabelMatcher::of_name("none")], ALWAYS, "", 0);
}

#[test]
fn parts_are_merged_into_one() {
    let all = some();
    let mut parts = Vec::new();
    for part in 0..3 {
        let samples = |samples: &Vec<Sample>| {
            let own = samples.iter().enumerate().filter(|(n, _)| n % 3 == part);
            own.map(|(_, sample)| *sample).collect()
        };
        let series: Series = all
            .iter()
            .map(|(labels, all)| (labels.clone(), samples(all)))
            .collect();
        let fs = SimulatedFileSystem::new();
        write(&fs, &series).unwrap();
        parts.push(open(&fs).unwrap());
    }
    let merged = Merged::new(parts.iter().map(|part| part as &dyn Select));
    let fs = SimulatedFileSystem::new();
    fs.create_dir_all(Path::new("parts")).unwrap();
    let mut series = merged.select(&[], ALWAYS).unwrap();
    metrics::part::write(&fs, Path::new(PATH), &mut *series).unwrap();
    let part = open(&fs).unwrap();
    assert!(read(&part, &[], ALWAYS).unwrap() == naive(&all, &[], ALWAYS));
    assert_eq!(part.summary().start, 0);
}

#[test]
fn a_scrub_can_be_stopped() {
    let fs = SimulatedFileSystem::new();
    let summary = write(&fs, &some()).unwrap().unwrap();
    let part = open(&fs).unwrap();
    assert!(!part.verify(&mut |_| false).unwrap());
    let mut bytes = 0;
    let mut count = |block| {
        bytes += block;
        true
    };
    assert!(part.verify(&mut count).unwrap());
    assert_eq!(bytes, summary.bytes - 16 - 56);
}

#[test]
fn nothing_is_no_part() {
    let fs = SimulatedFileSystem::new();
    let empty = Series::from([(Labels::empty(), Vec::new())]);
    assert_eq!(write(&fs, &empty).unwrap(), None);
    assert_eq!(fs.list(Path::new("parts")).unwrap(), []);
}

#[test]
fn what_is_refused_leaves_nothing() {
    let sample = |time| Sample { time, value: 1.0 };
    let long = "x".repeat(1 << 20);
    let labels = Labels::new([("a", long.as_str())]);
    let check = |series: Series, expected: &str| {
        let fs = SimulatedFileSystem::new();
        let error: PartError = write(&fs, &series).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        assert_eq!(fs.list(Path::new("parts")).unwrap(), []);
    };
    let unordered = vec![sample(2), sample(2)];
    check(Series::from([(Labels::empty(), unordered)]), "2 ms");
    check(
        Series::from([(labels, vec![sample(1)])]),
        "labels of 1048579 bytes",
    );
}
