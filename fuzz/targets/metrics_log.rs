//! Entries of the log of metrics: any bytes are read to an end, and the records that were
//! found in them come back as they were when they are written again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use metrics::log::{Encoder, Record, decode};

fuzz_target!(|input: &[u8]| {
    let mut records = Vec::new();
    let mut encoder = Encoder::default();
    // What comes before an error is valid, and can be written again.
    for record in decode(input).map_while(Result::ok) {
        write(&mut encoder, record);
        records.push(record);
    }
    // The shortest is a tag, or a sample of ten bytes.
    assert!(records.len() <= input.len());
    let bytes = encoder.take();
    let read: Result<Vec<_>, _> = decode(&bytes).collect();
    let read = read.expect("what was encoded is decoded");
    assert!(read.iter().map(exact).eq(records.iter().map(exact)));
});

fn write(encoder: &mut Encoder, record: Record<'_>) {
    match record {
        Record::Series { number, labels } => encoder.series(number, labels),
        Record::Kind { name, kind } => encoder.kind(name, kind),
        Record::Sample { number, sample } => encoder.samples([(number, sample)].into_iter()),
        Record::Deletion {
            selector,
            start,
            end,
        } => encoder.deletion(selector, start, end),
    }
}

/// A record and the bits of its value: no NaN equals itself.
fn exact<'a>(record: &Record<'a>) -> (Record<'a>, u64) {
    match *record {
        Record::Sample { number, mut sample } => {
            let bits = sample.value.to_bits();
            sample.value = 0.0;
            (Record::Sample { number, sample }, bits)
        }
        other => (other, 0),
    }
}
