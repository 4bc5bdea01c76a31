//! The binary form: any bytes are answered, however they come in pieces, and what was
//! understood is encoded as bytes that are understood the same. Checksums are put right
//! first, or hardly anything would come past them.

#![no_main]

use libfuzzer_sys::fuzz_target;
use meta::binary::{
    Compression, DecodeError, Decoder, MAGIC, Step, decode, decode_metadata, encode_files,
    encode_manifest, encode_metadata,
};
use meta::form::Described;

fuzz_target!(|input: &[u8]| {
    if let Ok(metadata) = decode_metadata(input) {
        let mut bytes = Vec::new();
        encode_metadata(&metadata, &mut bytes);
        assert_eq!(decode_metadata(&bytes), Ok(metadata));
    }
    let Some((&first, payload)) = input.split_first() else {
        return;
    };
    check(input);
    check(&file_of(first, payload));
});

/// A file of one block with that payload, all of whose checksums are right.
fn file_of(first: u8, payload: &[u8]) -> Vec<u8> {
    let (contents, records) = (1 + (first & 1), 1 + (first >> 1) % 8);
    let mut bytes = MAGIC.to_vec();
    bytes.extend([1, contents]);
    let mut block = vec![1, records];
    let mut length = payload.len();
    while length >= 0x80 {
        block.push(length as u8 | 0x80);
        length >>= 7;
    }
    block.push(length as u8);
    block.extend_from_slice(payload);
    bytes.extend_from_slice(&block);
    bytes.extend_from_slice(&crc32c::crc32c(&block).to_le_bytes());
    bytes.extend([0, records]);
    let sum = crc32c::crc32c(&bytes);
    bytes.extend_from_slice(&sum.to_le_bytes());
    bytes
}

fn check(bytes: &[u8]) {
    let whole = decode(bytes);
    assert_eq!(steps(bytes, 7), steps(bytes, bytes.len()));
    let Ok(all) = whole else {
        return;
    };
    let files = all.iter().filter_map(|it| match it {
        Described::File(file) => Some(file),
        Described::Folder(_) => None,
    });
    let files: Vec<_> = files.collect();
    if files.len() == all.len() {
        assert_eq!(decode(&encode_files(files, Compression::None)).as_ref(), Ok(&all));
    } else if let [Described::Folder(manifest)] = &all[..] {
        let again = encode_manifest(manifest, Compression::Zstd);
        assert_eq!(decode(&again).as_ref(), Ok(&all));
    }
}

/// What came, in pieces of so many bytes, and how it ended.
fn steps(bytes: &[u8], piece: usize) -> (Vec<Step>, Result<(), DecodeError>) {
    let mut decoder = Decoder::new();
    let mut steps = Vec::new();
    for piece in bytes.chunks(piece) {
        decoder.feed(piece);
        loop {
            match decoder.step() {
                Ok(Step::NeedMore | Step::End) => break,
                Ok(step) => steps.push(step),
                Err(error) => return (steps, Err(error)),
            }
        }
    }
    (steps, decoder.finish())
}
