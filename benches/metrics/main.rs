//! Requests of agents read into samples of known series, beside what else reads JSON.
//!
//! `json/known` does the whole work: the grammar, the rules of names, and the way from
//! labels to an id that is known already. `json/parse` leaves the last out, and the rivals'
//! rules with it: of series that are known, ours only passes the tags, and so it is also
//! measured where none is known and all tags are parsed, checked and sorted. The naive
//! parser is the oracle of the tests, and knows the rules in both.

mod corpus;
#[path = "../../crates/metrics/tests/it/ingest/naive.rs"]
mod naive;
mod typed;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use metrics::ingest::line_protocol;
use metrics::ingest::{
    Batch, Key, Labels, Plain, Precision, Series, SeriesRefusal, json, remote_write,
};
use naive::{Accepted, Verdict, judge};
use std::collections::HashMap;
use std::hint::black_box;
use typed::{Document, Known};

/// One series, whatever it is asked for: what parsing alone costs, of series by keys that
/// are known or not.
struct One {
    is_known: bool,
}

impl Series for One {
    type Id = usize;

    fn known(&mut self, key: Key<'_>) -> Option<usize> {
        black_box(key);
        self.is_known.then_some(0)
    }

    fn admit(&mut self, _: Option<Key<'_>>, _: &Labels) -> Result<usize, SeriesRefusal> {
        Ok(0)
    }
}

fn json_parse(criterion: &mut Criterion) {
    let body = corpus::json(&corpus::items());
    let mut group = criterion.benchmark_group("json/parse");
    group.throughput(Throughput::Bytes(body.len() as u64));
    for (name, is_known) in [("atoll", true), ("atoll, unknown keys", false)] {
        group.bench_function(name, |bencher| {
            let mut batch = Batch::default();
            bencher.iter(|| ours(&body, &mut One { is_known }, &mut batch));
        });
    }
    group.bench_function("naive", |bencher| bencher.iter(|| accepted(&body)));
    group.bench_function("serde_json", |bencher| {
        bencher.iter(|| by_serde_json(&body).metrics.len());
    });
    group.bench_function("sonic-rs", |bencher| {
        bencher.iter(|| by_sonic(&body).metrics.len());
    });
    group.finish();
}

fn json_known(criterion: &mut Criterion) {
    let body = corpus::json(&corpus::items());
    let mut group = criterion.benchmark_group("json/known");
    group.throughput(Throughput::Bytes(body.len() as u64));
    group.bench_function("atoll", |bencher| {
        let (mut series, mut batch) = (Plain::default(), Batch::default());
        bencher.iter(|| ours(&body, &mut series, &mut batch));
    });
    group.bench_function("naive", |bencher| {
        let mut ids = HashMap::new();
        bencher.iter(|| {
            let ids = accepted(&body)
                .into_iter()
                .map(|(labels, kind, time, bits)| {
                    let next = ids.len();
                    (*ids.entry(labels).or_insert(next), kind, time, bits)
                });
            ids.collect::<Vec<_>>()
        });
    });
    for (name, read) in [
        ("serde_json", by_serde_json as fn(&[u8]) -> Document<'_>),
        ("sonic-rs", by_sonic),
    ] {
        group.bench_function(name, |bencher| {
            let (mut known, mut points) = (Known::default(), Vec::new());
            bencher.iter(|| {
                read(black_box(&body)).points(&mut known, &mut points);
                assert_eq!(points.len(), corpus::ITEMS);
            });
        });
    }
    group.finish();
}

fn other_formats(criterion: &mut Criterion) {
    let items = corpus::items();
    let mut group = criterion.benchmark_group("others/known");
    let lines = corpus::lines(&items);
    group.throughput(Throughput::Bytes(lines.len() as u64));
    group.bench_function("line protocol", |bencher| {
        let (mut series, mut batch) = (Plain::default(), Batch::default());
        bencher.iter(|| {
            batch.clear();
            let precision = Precision::Milliseconds;
            line_protocol::parse(black_box(&lines), precision, 0, &mut series, &mut batch);
            assert_eq!(batch.points.len(), corpus::ITEMS);
        });
    });
    let message = corpus::remote_write(&items);
    group.throughput(Throughput::Bytes(message.len() as u64));
    let mut compressor = snap::raw::Encoder::new();
    let body = compressor.compress_vec(&message).expect("it fits");
    group.bench_function("remote write, with snappy", |bencher| {
        let (mut series, mut batch, mut buffer) = (Plain::default(), Batch::default(), Vec::new());
        bencher.iter(|| {
            batch.clear();
            let message = remote_write::decompress(black_box(&body), &mut buffer);
            let message = message.expect("what was compressed");
            let read = remote_write::parse(message, &mut series, &mut batch);
            assert!(read.is_ok() && batch.points.len() == corpus::ITEMS);
        });
    });
    group.finish();
}

fn ours<S: Series>(body: &[u8], series: &mut S, batch: &mut Batch<S::Id>) {
    batch.clear();
    let read = json::parse(black_box(body), 0, series, batch);
    assert!(read.is_ok() && batch.points.len() == corpus::ITEMS);
}

fn accepted(body: &[u8]) -> Vec<Accepted> {
    let Verdict::Items(items) = judge(black_box(body), 0) else {
        panic!("a document");
    };
    items.into_iter().flatten().collect()
}

fn by_serde_json(body: &[u8]) -> Document<'_> {
    serde_json::from_slice(black_box(body)).expect("a document")
}

fn by_sonic(body: &[u8]) -> Document<'_> {
    sonic_rs::from_slice(black_box(body)).expect("a document")
}

criterion_group!(all, json_parse, json_known, other_formats);
criterion_main!(all);
