//! What holds for every request, good and damaged. Each random test prints the seed that
//! replays it; a failure also prints the request, shrunk.
//!
//! `naive` is the oracle of JSON, `documents` draws what both read.

mod documents;
mod naive;

use crate::seed;
use documents::{Damage, damage, document};
use metrics::chunk::Sample;
use metrics::ingest::{
    Batch, Key, Labels, Plain, Precision, Series, SeriesRefusal, json, jsonl, line_protocol,
    remote_write,
};
use naive::{Accepted, Verdict, judge};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::TestRunner;
use std::collections::BTreeMap;

const NOW: i64 = 1_000;

/// Cases of a test; requests are small.
const CASES: u32 = 4_000;

/// A name of a series or a label that is valid, but not plain.
const NAME: &str = "[a-z,= {}\"\\\\é]{0,11}[a-z]";

/// Labels as they are drawn.
type Drawn = BTreeMap<String, String>;

/// What we make of a document.
fn ours(body: &[u8], series: &mut Plain) -> Verdict {
    let mut batch = Batch::default();
    if json::parse(body, NOW, series, &mut batch).is_err() {
        assert!(batch.points.is_empty() && batch.refused() == 0);
        return Verdict::Error;
    }
    let mut items: Vec<Option<Accepted>> = vec![None; batch.points.len() + batch.refused()];
    let refused: Vec<_> = batch.listed().iter().map(|refused| refused.place).collect();
    let accepted = (0..items.len()).filter(|index| !refused.contains(index));
    for (index, point) in accepted.collect::<Vec<_>>().into_iter().zip(&batch.points) {
        let labels = series.labels(point.series).to_vec();
        let kind = point.kind.unwrap();
        items[index] = Some((
            labels,
            kind,
            point.sample.time,
            point.sample.value.to_bits(),
        ));
    }
    Verdict::Items(items)
}

fn run<S: Strategy>(strategy: &S, test: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    TestRunner::new(seed::config(CASES))
        .run(strategy, test)
        .unwrap();
}

fn damaged(bytes: &[u8], damages: &[Damage]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for damage in damages {
        damage.apply(&mut bytes);
    }
    bytes
}

#[test]
fn json_is_read_as_the_naive_parser_reads_it() {
    run(&document(), |document| {
        let expected = judge(document.as_bytes(), NOW);
        if expected != Verdict::Unknown {
            let mut series = Plain::default();
            prop_assert_eq!(&ours(document.as_bytes(), &mut series), &expected);
            prop_assert_eq!(&ours(document.as_bytes(), &mut series), &expected, "known");
        }
        Ok(())
    });
}

/// The series of the good document are known when the damaged one is read, so that what
/// is only passed for known series is damaged too.
#[test]
fn damaged_json_is_read_as_the_naive_parser_reads_it() {
    run(&(document(), vec(damage(), 1..3)), |(document, damages)| {
        let damaged = damaged(document.as_bytes(), &damages);
        let expected = judge(&damaged, NOW);
        if expected != Verdict::Unknown {
            let mut series = Plain::default();
            ours(document.as_bytes(), &mut series);
            prop_assert_eq!(&ours(&damaged, &mut series), &expected, "known");
            prop_assert_eq!(&ours(&damaged, &mut Plain::default()), &expected);
        }
        Ok(())
    });
}

/// Series that may only be known.
struct Known(Plain);

impl Series for Known {
    type Id = usize;

    fn known(&mut self, key: Key<'_>) -> Option<usize> {
        self.0.known(key)
    }

    fn admit(&mut self, key: Option<Key<'_>>, _: &Labels) -> Result<usize, SeriesRefusal> {
        panic!("{key:?} should be known");
    }
}

/// The shortcut is taken: whoever sent a series once is not asked for its labels again.
#[test]
fn known_series_are_not_admitted_again() {
    let labels = [
        ("__name__".to_owned(), "m".to_owned()),
        ("a".to_owned(), "b".to_owned()),
    ];
    let sample = Sample {
        time: 1,
        value: 2.0,
    };
    let message = encode(&[(labels.into(), vec![sample])]);
    let document =
        br#"{"metrics":[{"name":"m\u0061","value":1,"tags":{"a":"\"}"}},{"value":2,"name":"m"}]}"#;
    let lines = br#"m\ ,a=b c=1,value=2"#;
    let export = br#"{"metric":{"__name__":"m"},"values":[1],"timestamps":[1]}"#;

    let (mut series, mut batch) = (Plain::default(), Batch::default());
    read_each(document, lines, export, &message, &mut series, &mut batch);
    let first = batch.points.clone();
    batch.clear();
    read_each(
        document,
        lines,
        export,
        &message,
        &mut Known(series),
        &mut batch,
    );
    assert_eq!((batch.points.len(), batch.refused()), (6, 0));
    assert_eq!(batch.points, first);
}

fn read_each<S: Series<Id = usize>>(
    document: &[u8],
    lines: &[u8],
    export: &[u8],
    message: &[u8],
    series: &mut S,
    batch: &mut Batch<usize>,
) {
    json::parse(document, NOW, series, batch).unwrap();
    line_protocol::parse(lines, Precision::Seconds, NOW, series, batch);
    jsonl::parse(export, series, batch);
    remote_write::parse(message, series, batch).unwrap();
}

#[test]
fn every_cut_of_a_json_document_is_an_error() {
    let document = r#"{"metrics":[{"name":"a\u0061","value":-1.5e3,"tags":{"é":"\ud83d\ude00"},"timestamp":12}],"x":[{}]}"#;
    for end in 0..document.len() {
        let cut = &document.as_bytes()[..end];
        assert_eq!(ours(cut, &mut Plain::default()), Verdict::Error, "{end}");
    }
    assert_ne!(
        ours(document.as_bytes(), &mut Plain::default()),
        Verdict::Error
    );
}

/// Strings are scanned by words of eight bytes: every escape at every place of one.
#[test]
fn escapes_are_undone_wherever_they_stand() {
    let escapes = [
        ("\\\"", "\""),
        ("\\\\", "\\"),
        ("\\u00e9", "é"),
        ("\\ud83d\\ude00", "😀"),
        ("\\\\\\\"}", "\\\"}"),
    ];
    for (escape, meant) in escapes {
        for before in 0..18 {
            for after in 0..18 {
                let around = |inner| format!("{}{inner}{}", "a".repeat(before), "b".repeat(after));
                let (escape, meant) = (around(escape), around(meant));
                let document = format!(
                    "{{\"metrics\":[{{\"name\":\"{escape}\",\"value\":1,\"tags\":{{\"{escape}\":\"{escape}\"}}}}]}}"
                );
                let mut series = Plain::default();
                ours(document.as_bytes(), &mut series);
                let mut labels = vec![
                    ("__name__".to_owned(), meant.clone()),
                    (meant.clone(), meant),
                ];
                labels.sort();
                assert_eq!(series.labels(0), labels, "{document}");
            }
        }
    }
}

/// All parsers end, whatever they are given, and the same with series that are known.
#[test]
fn random_bytes_are_read_to_their_end() {
    let soup = vec(
        select(&b"{}[]\":,\\ #=\"\n\r\t.-+0123456789eEtrufalsn\x0a\x12\x09\xff\x80m"[..]),
        0..200,
    );
    run(&prop_oneof![soup, vec(any::<u8>(), 0..200)], |bytes| {
        let mut series = Plain::default();
        let first = read_all(&bytes, &mut series);
        prop_assert_eq!(first, read_all(&bytes, &mut series));
        Ok(())
    });
}

/// What all parsers make of the same bytes: points and refusals of each.
fn read_all(bytes: &[u8], series: &mut Plain) -> Vec<(usize, usize)> {
    let mut batch = Batch::default();
    let mut counts = Vec::new();
    let mut count = |batch: &mut Batch<usize>| {
        counts.push((batch.points.len(), batch.refused()));
        batch.clear();
    };
    json::parse(bytes, NOW, series, &mut batch).ok();
    count(&mut batch);
    jsonl::parse(bytes, series, &mut batch);
    count(&mut batch);
    line_protocol::parse(bytes, Precision::Seconds, NOW, series, &mut batch);
    count(&mut batch);
    remote_write::parse(bytes, series, &mut batch).ok();
    count(&mut batch);
    let mut message = Vec::new();
    remote_write::decompress(bytes, &mut message).ok();
    counts
}

fn labels() -> impl Strategy<Value = Drawn> {
    let tags = btree_map(NAME, NAME, 0..5);
    (tags, NAME).prop_map(|(mut labels, name)| {
        labels.insert("__name__".to_owned(), name);
        labels
    })
}

fn samples() -> impl Strategy<Value = Vec<Sample>> {
    let value = prop_oneof![
        any::<u64>().prop_map(f64::from_bits),
        any::<f64>(),
        (-1000_i32..1000).prop_map(f64::from),
        select(vec![
            f64::from_bits(0x7ff0_0000_0000_0002),
            f64::INFINITY,
            -0.0
        ]),
    ];
    let sample = (-1_i64 << 51..=1 << 51, value);
    vec(
        sample.prop_map(|(time, value)| Sample { time, value }),
        1..6,
    )
}

fn pairs(labels: &Drawn) -> Vec<(&str, &str)> {
    labels
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect()
}

/// The labels and samples of a batch, by runs of the same series.
fn given(batch: &Batch<usize>, series: &Plain) -> Vec<(Drawn, Vec<Sample>)> {
    let mut all: Vec<(Drawn, Vec<Sample>)> = Vec::new();
    for point in &batch.points {
        let labels: Drawn = series.labels(point.series).iter().cloned().collect();
        match all.last_mut() {
            Some((last, samples)) if *last == labels => samples.push(point.sample),
            _ => all.push((labels, vec![point.sample])),
        }
    }
    all
}

#[test]
fn an_export_comes_back_bit_by_bit() {
    run(&(labels(), samples()), |(labels, samples)| {
        let mut line = String::new();
        jsonl::write(&mut line, pairs(&labels), &samples);
        let (mut series, mut batch) = (Plain::default(), Batch::default());
        jsonl::parse(line.as_bytes(), &mut series, &mut batch);
        prop_assert_eq!(batch.listed(), &[]);
        prop_assert_eq!(given(&batch, &series), vec![(labels, samples)]);
        serde_json::from_str::<serde_json::Value>(&line).unwrap();
        Ok(())
    });
}

#[test]
fn remote_write_comes_back_bit_by_bit_and_damage_ends() {
    let request = vec((labels(), samples()), 0..4);
    let damages = vec(damage(), 1..4);
    run(&(request, damages), |(request, damages)| {
        let message = encode(&request);
        let body = snap::raw::Encoder::new().compress_vec(&message).unwrap();
        let mut buffer = Vec::new();
        let message = remote_write::decompress(&body, &mut buffer).unwrap();
        let (mut series, mut batch) = (Plain::default(), Batch::default());
        remote_write::parse(message, &mut series, &mut batch).unwrap();
        prop_assert_eq!(batch.listed(), &[]);
        let mut expected: Vec<(Drawn, Vec<Sample>)> = Vec::new();
        for (labels, samples) in request {
            match expected.last_mut() {
                Some((last, all)) if *last == labels => all.extend(samples),
                _ => expected.push((labels, samples)),
            }
        }
        prop_assert_eq!(given(&batch, &series), expected);

        let damaged = damaged(message, &damages);
        let known = read_all(&damaged, &mut series);
        prop_assert_eq!(known, read_all(&damaged, &mut Plain::default()));
        remote_write::decompress(&self::damaged(&body, &damages), &mut buffer).ok();
        Ok(())
    });
}

/// A `WriteRequest`, by the wire format.
fn encode(request: &[(Drawn, Vec<Sample>)]) -> Vec<u8> {
    let mut message = Vec::new();
    for (labels, samples) in request {
        let mut series = Vec::new();
        for (name, value) in labels {
            let mut label = Vec::new();
            put(&mut label, 1, name.as_bytes());
            put(&mut label, 2, value.as_bytes());
            put(&mut series, 1, &label);
        }
        for sample in samples {
            let mut field = vec![1 << 3 | 1];
            field.extend(sample.value.to_bits().to_le_bytes());
            field.push(2 << 3);
            put_varint(&mut field, sample.time.cast_unsigned());
            put(&mut series, 2, &field);
        }
        put(&mut message, 1, &series);
    }
    message
}

fn put(out: &mut Vec<u8>, number: u8, bytes: &[u8]) {
    out.push(number << 3 | 2);
    put_varint(out, bytes.len() as u64);
    out.extend(bytes);
}

fn put_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

#[test]
fn line_protocol_says_what_was_escaped() {
    let fields = btree_map(NAME, -1000_i32..1000, 1..4);
    let line = (
        NAME,
        btree_map(NAME, NAME, 0..4),
        fields,
        -1_000_000_i64..1_000_000,
    );
    run(
        &(line, vec(damage(), 1..4)),
        |((measurement, tags, fields, time), damages)| {
            let escaped = |name: &str, signs: &[char]| {
                let escape = |c| {
                    if signs.contains(&c) {
                        format!("\\{c}")
                    } else {
                        c.to_string()
                    }
                };
                name.chars().map(escape).collect::<String>()
            };
            let key = |name: &str| escaped(name, &[',', ' ', '=']);
            let mut line = escaped(&measurement, &[',', ' ']);
            for (name, value) in &tags {
                line.push_str(&format!(",{}={}", key(name), key(value)));
            }
            let fields_text: Vec<_> = fields
                .iter()
                .map(|(k, v)| format!("{}={v}", key(k)))
                .collect();
            line.push_str(&format!(" {} {time}", fields_text.join(",")));

            let (mut series, mut batch) = (Plain::default(), Batch::default());
            let read = line_protocol::parse;
            let skipped = read(
                line.as_bytes(),
                Precision::Seconds,
                NOW,
                &mut series,
                &mut batch,
            );
            prop_assert_eq!((skipped, batch.listed()), (0, &[][..]), "{}", line);
            let expected: Vec<_> = fields
                .iter()
                .map(|(field, value)| {
                    let mut labels = tags.clone();
                    labels.insert("__name__".to_owned(), format!("{measurement}_{field}"));
                    (
                        labels,
                        vec![Sample {
                            time: time * 1000,
                            value: f64::from(*value),
                        }],
                    )
                })
                .collect();
            prop_assert_eq!(given(&batch, &series), expected, "{}", line);

            let damaged = damaged(line.as_bytes(), &damages);
            let known = read_all(&damaged, &mut series);
            prop_assert_eq!(known, read_all(&damaged, &mut Plain::default()));
            Ok(())
        },
    );
}
