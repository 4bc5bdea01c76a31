//! Samples as bits: any bytes are read to an end, and any samples come back as they were.

#![no_main]

use libfuzzer_sys::fuzz_target;
use metrics::chunk::{Chunk, Reader, Sample};

fuzz_target!(|input: &[u8]| {
    let read = Reader::new(input, u32::MAX).take_while(Result::is_ok);
    // The shortest sample is a bit.
    assert!(read.count() <= 8 * input.len());

    let mut chunk = Chunk::default();
    let mut samples = Vec::new();
    for bytes in input.chunks_exact(16) {
        let (time, value) = bytes.split_at(8);
        let number = |half: &[u8]| half.iter().fold(0, |all, &byte| all << 8 | u64::from(byte));
        let sample = Sample {
            time: number(time).cast_signed(),
            value: f64::from_bits(number(value)),
        };
        samples.push(sample);
        chunk.push(sample);
    }
    let read: Result<Vec<_>, _> = chunk.samples().collect();
    assert_eq!(read, Ok(samples));
});
