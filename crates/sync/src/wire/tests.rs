//! What frames look like, and what is refused.

use super::*;
use base::{ItemId, LogId};
use proptest::prelude::*;

fn every_frame() -> Vec<Frame> {
    let hash = Hash::of(b"x");
    let version = VersionId {
        item: ItemId::new(3, 4),
        counter: 5,
    };
    let cursor = Cursor {
        log: LogId::from_u64(9),
        index: 8,
        ordinal: 7,
    };
    let chunk = ChunkRef { hash, len: 1 };
    let runs = vec![
        Run::Copy {
            first_chunk: 1,
            count: 2,
        },
        Run::Insert(vec![chunk; 2]),
    ];
    vec![
        Frame::Blob {
            hash,
            bytes: Bytes::from_static(b"x"),
        },
        Frame::Whole { hash, size: 9 },
        Frame::Piece(Bytes::from_static(b"p")),
        Frame::Open(Open {
            file: hash,
            size: 9,
            base: None,
            runs: runs.clone(),
            continued: 0,
        }),
        Frame::Open(Open {
            file: hash,
            size: 9,
            base: Some(hash),
            runs: vec![],
            continued: 1,
        }),
        Frame::Runs(runs),
        Frame::Chunk {
            file: hash,
            offset: 7,
            bytes: Bytes::from_static(b"x"),
        },
        Frame::Finish(vec![hash, hash]),
        Frame::Commit {
            stream: 1,
            sequence: 2,
            commit: Bytes::from_static(b"c"),
        },
        Frame::Have(hash),
        Frame::Need {
            file: hash,
            ranges: vec![(0, 1), (5, 9)],
        },
        Frame::Outcomes {
            sequence: 2,
            outcomes: Bytes::from_static(b"o"),
            cursor,
        },
        Frame::Version(Bytes::from_static(b"v")),
        Frame::Cursor(cursor),
        Frame::KeepAlive,
        Frame::Content {
            version,
            bytes: Bytes::from_static(b"x"),
        },
        Frame::Missing(version),
        Frame::Copy {
            offset: 1,
            length: 2,
        },
        Frame::Insert(Bytes::from_static(b"i")),
        Frame::Map(vec![chunk]),
        Frame::End,
    ]
}

#[test]
fn every_frame_round_trips_in_any_pieces() {
    let frames = every_frame();
    let mut stream = Vec::new();
    frames.iter().for_each(|frame| frame.encode(&mut stream));
    for piece in [1, 2, 7, stream.len()] {
        let mut decoder = Decoder::new();
        let mut seen = Vec::new();
        for bytes in stream.chunks(piece) {
            decoder.push(Bytes::copy_from_slice(bytes));
            while let Some(frame) = decoder.next_frame().unwrap() {
                seen.push(frame);
            }
        }
        decoder.end().unwrap();
        assert_eq!(seen, frames);
    }
}

#[test]
fn borrowed_encodings_equal_owned_ones() {
    let hash = Hash::of(b"x");
    let (mut a, mut b) = (Vec::new(), Vec::new());
    encode_chunk(&mut a, &hash, 3, b"x");
    encode_blob(&mut a, &hash, b"x");
    Frame::Chunk {
        file: hash,
        offset: 3,
        bytes: Bytes::from_static(b"x"),
    }
    .encode(&mut b);
    Frame::Blob {
        hash,
        bytes: Bytes::from_static(b"x"),
    }
    .encode(&mut b);
    assert_eq!(a, b);
}

#[test]
fn a_whole_file_is_read_into_its_frames() {
    let content: Vec<u8> = (0..PIECE_BYTES * 2 + 7).map(|n| n as u8).collect();
    let read = |into: &mut [u8], offset: u64| {
        let offset = offset as usize;
        into.copy_from_slice(&content[offset..offset + into.len()]);
        Ok(())
    };
    let mut stream = b"before".to_vec();
    let size = content.len() as u64;
    let hash = encode_whole(&mut stream, size, read).unwrap();
    let mut decoder = Decoder::new();
    decoder.push(Bytes::from(stream).slice(6..));
    let first = decoder.next_frame().unwrap();
    assert_eq!(first, Some(Frame::Whole { hash, size }));
    let mut come = Vec::new();
    while let Some(frame) = decoder.next_frame().unwrap() {
        match frame {
            Frame::Piece(bytes) => come.extend_from_slice(&bytes),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((come, hash), (content.clone(), Hash::of(&content)));

    let mut stream = b"before".to_vec();
    let fails = |_: &mut [u8], offset: u64| match offset {
        0 => Ok(()),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    };
    assert!(encode_whole(&mut stream, size, fails).is_err());
    assert_eq!(stream, b"before");
}

#[test]
fn content_in_one_piece_is_not_copied() {
    let mut stream = Vec::new();
    let piece = |seed| Frame::Piece(Bytes::from(vec![seed; 1000]));
    (0..3).for_each(|seed| piece(seed).encode(&mut stream));
    let stream = Bytes::from(stream);
    let mut decoder = Decoder::new();
    let mut copied = Vec::new();
    for part in [stream.slice(..1500), stream.slice(1500..)] {
        decoder.push(part.clone());
        while let Some(frame) = decoder.next_frame().unwrap() {
            let Frame::Piece(bytes) = frame else {
                panic!("{frame:?}")
            };
            copied.push(!stream.as_ptr_range().contains(&bytes.as_ptr()));
        }
    }
    assert_eq!(copied, [false, true, false]);
}

#[test]
fn malformed_streams_are_refused() {
    let check = |bytes: &[u8], expected: WireError| {
        let mut decoder = Decoder::new();
        decoder.push(Bytes::copy_from_slice(bytes));
        assert_eq!(decoder.next_frame(), Err(expected), "{bytes:?}");
    };
    check(&[255, 255, 255, 255, 1], WireError::TooLong(u32::MAX));
    check(&[0, 0, 0, 0, 99], WireError::Kind(99));
    check(&[1, 0, 0, 0, kind::HAVE, 0], WireError::Malformed("have"));
    check(
        &[1, 0, 0, 0, kind::END, 0],
        WireError::Malformed("frame with a tail"),
    );
    check(&[0, 0, 0, 0, kind::PIECE], WireError::Malformed("piece"));
    let size = limits::FILE_BYTES + 1;
    let open = Open {
        file: Hash::of(b"x"),
        size,
        base: None,
        runs: vec![],
        continued: 0,
    };
    let mut long = Vec::new();
    Frame::Open(open).encode(&mut long);
    check(&long, WireError::FileTooLong(size));
    let mut cut = Decoder::new();
    cut.push(Bytes::from_static(&[1, 0, 0]));
    assert_eq!(cut.next_frame(), Ok(None));
    assert_eq!(cut.end(), Err(WireError::Cut(3)));
}

proptest! {
    #[test]
    fn no_bytes_panic(kind in any::<u8>(), payload in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(frame) = Frame::decode(kind, Bytes::copy_from_slice(&payload)) {
            let mut out = Vec::new();
            frame.encode(&mut out);
            prop_assert_eq!(&out[HEADER_BYTES..], &payload[..]);
        }
    }
}
