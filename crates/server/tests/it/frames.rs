//! Content as the frames that a client makes of it, and what those that come back
//! ask for or are put together. The node that gets them is [`crate::site`]'s.

use crate::site::Answer;
use axum::body::Bytes;
use base::Hash;
use store::blob::Run;
use sync::chunk::Cut;
use sync::wire::{Frame, Open, encode_whole};

/// A small file, which travels with the commit that names it.
pub fn blob(bytes: &[u8]) -> Frame {
    Frame::Blob {
        hash: Hash::of(bytes),
        bytes: Bytes::copy_from_slice(bytes),
    }
}

/// A file of middle size, which comes whole.
pub fn whole(content: &[u8]) -> Vec<u8> {
    let mut frames = Vec::new();
    let read = |piece: &mut [u8], offset: u64| {
        let offset = offset as usize;
        piece.copy_from_slice(&content[offset..offset + piece.len()]);
        Ok(())
    };
    encode_whole(&mut frames, content.len() as u64, read).unwrap();
    frames
}

pub fn encoded(frame: &Frame) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame.encode(&mut bytes);
    bytes
}

/// Announces a file as runs against another one, or against nothing.
pub fn open(cut: &Cut, base: Option<Hash>, runs: Vec<Run>) -> Frame {
    Frame::Open(Open {
        file: cut.hash,
        size: cut.size(),
        base,
        runs,
        continued: 0,
    })
}

pub fn open_whole(cut: &Cut) -> Frame {
    open(cut, None, vec![Run::Insert(cut.map.chunks().to_vec())])
}

/// What the node asks for of a file that was announced.
pub fn needed(answer: &Answer) -> Vec<(u64, u64)> {
    match answer.frames().as_slice() {
        [Frame::Need { ranges, .. }] => ranges.clone(),
        other => panic!("{other:?} {}", answer.text()),
    }
}

/// The chunks of `bytes` that begin in `ranges`.
pub fn chunks(cut: &Cut, bytes: &[u8], ranges: &[(u64, u64)]) -> Vec<Frame> {
    let wanted = |start: u64| {
        ranges
            .iter()
            .any(|(from, to)| (*from..*to).contains(&start))
    };
    let starts = cut.map.chunks().iter().enumerate();
    starts
        .map(|(number, chunk)| (cut.map.start(number), chunk.len as usize))
        .filter(|(offset, _)| wanted(*offset))
        .map(|(offset, length)| Frame::Chunk {
            file: cut.hash,
            offset,
            bytes: Bytes::copy_from_slice(&bytes[offset as usize..][..length]),
        })
        .collect()
}

/// Puts a new version together from the old one and what is told of it; also how many
/// bytes came as new.
pub fn rebuilt(old: &[u8], frames: &[Frame]) -> (Vec<u8>, usize) {
    let (Frame::End, delta) = frames.split_last().unwrap() else {
        panic!("the delta does not end: {frames:?}");
    };
    let (mut new, mut sent) = (Vec::new(), 0);
    for frame in delta {
        match frame {
            Frame::Copy { offset, length } => {
                new.extend_from_slice(&old[*offset as usize..(*offset + *length) as usize]);
            }
            Frame::Insert(bytes) => {
                sent += bytes.len();
                new.extend_from_slice(bytes);
            }
            other => panic!("{other:?}"),
        }
    }
    (new, sent)
}
