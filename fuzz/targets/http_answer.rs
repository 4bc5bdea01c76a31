//! Answers to the load generator: however the bytes are split, the same answer is found at
//! the same place, or none.

#![no_main]

use httpd::load::answer::{Answer, Malformed, Reader};
use libfuzzer_sys::fuzz_target;

/// Every split is tried, so that the work grows with the square of this.
const LONGEST: usize = 400;

fuzz_target!(|input: &[u8]| {
    let input = &input[..input.len().min(LONGEST)];
    for is_head_request in [false, true] {
        let whole = read(input, [input.len()], is_head_request);
        let bytes = read(input, 1..=input.len(), is_head_request);
        assert_eq!(bytes, whole, "byte by byte");
        for at in 0..=input.len() {
            let split = read(input, [at, input.len()], is_head_request);
            assert_eq!(split, whole, "split at {at}");
        }
    }
});

/// What is found, and where it ends, when the bytes are there up to each of `ends`. Why
/// there is nothing depends on how much of it was seen at once.
fn read(
    input: &[u8],
    ends: impl IntoIterator<Item = usize>,
    is_head_request: bool,
) -> Option<(Answer, usize)> {
    let mut reader = Reader::new(is_head_request);
    let mut start = 0;
    for end in ends {
        let read = reader.read(&input[start..end]).ok()?;
        start += read.consumed;
        assert!(start <= end, "more was consumed than came");
        if let Some(answer) = read.answer {
            return Some((answer, start));
        }
    }
    let ended: Result<_, Malformed> = reader.end(input.len() - start);
    Some((ended.ok()?, start))
}
