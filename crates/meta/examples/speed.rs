//! How quickly a manifest is read, validated and written, on one core: run by hand,
//! with `cargo run --release -p meta --example speed`. It proves nothing else.

use std::hint::black_box;
use std::time::Instant;

use meta::schema::embedded;
use meta::text::{Problems, Source, parse, print};

/// Records in the text that is read.
const RECORDS: usize = 100_000;

/// How often it is read; the quickest counts.
const ROUNDS: usize = 7;

fn main() {
    let text: String = (0..RECORDS).map(record).collect();
    let text = format!("manifest:\n  entries:\n{text}");
    println!("{RECORDS} records, {} bytes", text.len());
    let bytes = text.as_bytes();
    let tree = Source::new(bytes).map(parse).map(|parsed| parsed.tree);
    let (Ok(tree), Some(schema)) = (tree, embedded("manifest")) else {
        return;
    };
    report("read", bytes.len(), || {
        black_box(Source::new(bytes).map(parse).is_ok());
    });
    report("validate", bytes.len(), || {
        let mut problems = Problems::default();
        for document in &tree.documents {
            schema.validate(document, &mut problems);
        }
        assert!(problems.is_empty(), "the records are right");
    });
    report("write", bytes.len(), || {
        black_box(print(&tree));
    });
}

/// What one file of a folder looks like.
fn record(number: usize) -> String {
    format!(
        "    - path: \"documents/report-{number}.pdf\"\n      version: {}\n      size: {}\n      \
         hash: \"blake3:{number:064x}\"\n      permissions:\n        owner: \"rw\"\n        \
         group: \"r\"\n        other: \"-\"\n      mode: \"0640\"\n      \
         mtime: 2026-11-20T15:30:00.{:09}Z\n      sync_state:\n        status: \"synced\"\n        \
         replicas:\n          - node: \"server1\"\n            version: {}\n",
        number % 7 + 1,
        number * 4099,
        number * 997 + 1,
        number % 7 + 1,
    )
}

fn report(what: &str, bytes: usize, work: impl Fn()) {
    let seconds = (0..ROUNDS).map(|_| {
        let start = Instant::now();
        work();
        start.elapsed().as_secs_f64()
    });
    let best = seconds.fold(f64::INFINITY, f64::min);
    println!("{what}: {:.0} MB/s", bytes as f64 / best / 1e6);
}
