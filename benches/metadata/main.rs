//! Metadata as text and as bytes, beside what reads YAML into the same types: run it with
//! `cargo xtask bench meta`, which makes a table of it.

use benches::manifest;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use meta::binary::{Compression, Decoder, Step, encode_manifest};
use meta::form::{manifest_document, read_manifest};
use meta::schema;
use meta::text::{Problems, Source, Tree, parse, print};
use serde::Deserialize;
use std::hint::black_box;

/// Entries of the folder: some 3 MB of text, far beyond any cache of the processor.
const ENTRIES: usize = 20_000;

/// What the rivals read the same text into: as little as they may.
#[derive(Deserialize)]
#[allow(dead_code, reason = "they are read, not used")]
struct Root {
    manifest: Folder,
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "as above")]
struct Folder {
    entries: Vec<File>,
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "as above")]
struct File {
    path: String,
    version: u64,
    kind: Option<String>,
    size: Option<u64>,
    hash: Option<String>,
    target: Option<String>,
    mode: Option<String>,
    mtime: Option<String>,
}

fn text(criterion: &mut Criterion) {
    let manifest = manifest(ENTRIES);
    let tree = Tree {
        documents: vec![manifest_document(&manifest)],
        comments: Vec::new(),
    };
    let text = print(&tree);
    let mut group = criterion.benchmark_group("text");
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("tree", |bencher| {
        bencher.iter(|| parse(source(black_box(&text))).problems.len());
    });
    group.bench_function("entries", |bencher| {
        bencher.iter(|| {
            let mut count = 0;
            let read = read_manifest(source(black_box(&text)), |_| count += 1);
            assert!(read.is_ok() && count == ENTRIES);
        });
    });
    group.bench_function("validate", |bencher| {
        let parsed = parse(source(&text));
        let schema = schema::embedded("manifest").expect("it is embedded");
        bencher.iter(|| {
            let mut problems = Problems::default();
            schema.validate(black_box(&parsed.tree.documents[0]), &mut problems);
            assert!(problems.is_empty());
        });
    });
    group.bench_function("print", |bencher| bencher.iter(|| print(black_box(&tree))));
    group.sample_size(10);
    group.bench_function("serde-saphyr", |bencher| {
        bencher.iter(|| {
            let mut options = serde_saphyr::Options::default();
            options.budget = None;
            let read = serde_saphyr::from_str_with_options::<Root>(black_box(&text), options);
            assert_eq!(
                read.map(|root| root.manifest.entries.len()).ok(),
                Some(ENTRIES)
            );
        });
    });
    group.bench_function("serde_yaml_ng", |bencher| {
        bencher.iter(|| {
            let read = serde_yaml_ng::from_str::<Root>(black_box(&text));
            assert_eq!(
                read.map(|root| root.manifest.entries.len()).ok(),
                Some(ENTRIES)
            );
        });
    });
    group.finish();
}

fn source(text: &str) -> Source<'_> {
    Source::new(text.as_bytes()).expect("a text that was printed")
}

fn binary(criterion: &mut Criterion) {
    let manifest = manifest(ENTRIES);
    let mut group = criterion.benchmark_group("binary");
    group.throughput(Throughput::Elements(ENTRIES as u64));
    for (suffix, compression) in [("", Compression::None), ("-zstd", Compression::Zstd)] {
        let bytes = encode_manifest(&manifest, compression);
        group.bench_function(format!("decode{suffix}"), |bencher| {
            bencher.iter_batched(
                || bytes.clone(),
                |bytes| assert_eq!(decode(&bytes), ENTRIES),
                BatchSize::LargeInput,
            );
        });
        group.bench_function(format!("encode{suffix}"), |bencher| {
            bencher.iter(|| encode_manifest(black_box(&manifest), compression));
        });
    }
    group.finish();
}

/// All records, each of which is let go.
fn decode(bytes: &[u8]) -> usize {
    let mut decoder = Decoder::new();
    let mut count = 0;
    for piece in bytes.chunks(64 << 10) {
        decoder.feed(piece);
        loop {
            match decoder.step().expect("bytes that were encoded") {
                Step::NeedMore | Step::End => break,
                Step::Entry(entry) => {
                    black_box(&entry);
                    count += 1;
                }
                Step::Header(_) | Step::File(_) => {}
            }
        }
    }
    count
}

criterion_group!(all, text, binary);
criterion_main!(all);
