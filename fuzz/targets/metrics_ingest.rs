//! Requests of those who send samples, in all formats, which the first byte chooses: none
//! panics or takes more than it may, and one that is sent again, when all its series are
//! known, gives the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use metrics::ingest::{Batch, Plain, Precision, json, jsonl, line_protocol, remote_write};

/// Autumn of 2026.
const NOW: i64 = 1_795_000_000_000;

fuzz_target!(|input: &[u8]| {
    let Some((&format, body)) = input.split_first() else {
        return;
    };
    let mut series = Plain::with_limit(64);
    let first = read(format, body, &mut series);
    assert_eq!(read(format, body, &mut series), first);
});

/// What a request gave, as a text: values with all their bits.
fn read(format: u8, body: &[u8], series: &mut Plain) -> String {
    let mut batch = Batch::default();
    let outcome = match format % 5 {
        0 => format!("{:?}", json::parse(body, NOW, series, &mut batch)),
        1 => {
            let precision = Precision::Nanoseconds;
            let skipped = line_protocol::parse(body, precision, NOW, series, &mut batch);
            format!("{skipped} skipped")
        }
        2 => {
            jsonl::parse(body, series, &mut batch);
            String::new()
        }
        3 => format!("{:?}", remote_write::parse(body, series, &mut batch)),
        _ => {
            let mut buffer = Vec::new();
            let message = remote_write::decompress(body, &mut buffer);
            let parsed = message.map(|message| remote_write::parse(message, series, &mut batch));
            format!("{parsed:?}")
        }
    };
    let points = batch.points.iter().map(|point| {
        let bits = point.sample.value.to_bits();
        (point.series, point.kind, point.sample.time, bits)
    });
    let points: Vec<_> = points.collect();
    format!(
        "{outcome} {points:?} {} {:?}",
        batch.refused(),
        batch.listed()
    )
}
