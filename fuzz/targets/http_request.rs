//! HTTP/1.1 requests: however the bytes are split, the same is understood of them,
//! what is understood fits the shared types, and hyper understands it alike where it
//! accepts it too.

#![no_main]

#[path = "../../crates/http/tests/it/h1/observe.rs"]
mod observe;
#[path = "../../crates/http/tests/it/h1/oracle.rs"]
mod oracle;

use httpd::h1::Limits;
use libfuzzer_sys::fuzz_target;
use observe::observe;

/// Every split is tried, so that the work grows with the square of this.
const LONGEST: usize = 400;

/// Low enough for short inputs to reach them.
const SMALL: Limits = Limits {
    request_line_bytes: 48,
    head_bytes: 160,
    headers: 4,
    body_bytes: 60,
    chunk_line_bytes: 12,
    chunk_extension_bytes: 16,
    trailer_bytes: 32,
    drain_bytes: 10,
};

fuzz_target!(|input: &[u8]| {
    let input = &input[..input.len().min(LONGEST)];
    oracle::compare(input);
    for limits in [Limits::default(), SMALL] {
        let whole = observe(limits, [input]);
        assert_eq!(whole, observe(limits, input.chunks(1)), "byte by byte");
        for at in 0..=input.len() {
            let (first, second) = input.split_at(at);
            assert_eq!(whole, observe(limits, [first, second]), "split at {at}");
        }
    }
});
