//! Wire frames: any bytes, cut into any pieces, give the same frames or the same
//! refusal, and a frame that decodes encodes to what was decoded.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use sync::wire::{Decoder, Frame};

/// All frames of a stream that arrives as `pieces`, and how it ended.
fn decode<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<Frame>, String) {
    let mut decoder = Decoder::new();
    let mut frames = Vec::new();
    for piece in pieces {
        decoder.push(Bytes::copy_from_slice(piece));
        loop {
            match decoder.next_frame() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(error) => return (frames, error.to_string()),
            }
        }
    }
    let end = decoder
        .end()
        .err()
        .map(|error| error.to_string())
        .unwrap_or_default();
    (frames, end)
}

fuzz_target!(|input: &[u8]| {
    let Some((&size, stream)) = input.split_first() else {
        return;
    };
    let whole = decode(std::iter::once(stream));
    let pieces = decode(stream.chunks(usize::from(size).max(1)));
    assert_eq!(whole, pieces, "pieces of {size} bytes");

    for frame in whole.0 {
        let mut encoded = Vec::new();
        frame.encode(&mut encoded);
        let again = decode(std::iter::once(encoded.as_slice()));
        assert_eq!(again, (vec![frame], String::new()));
    }
});
