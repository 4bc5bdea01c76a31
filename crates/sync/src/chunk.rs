//! Cutting files into content-defined chunks, and telling two cuts apart.
//!
//! The cut points are part of the protocol: a client and a node, of any
//! versions, must cut equal bytes alike, or deltas grow. They are FastCDC's
//! (Xia et al., "The Design of Fast Content-Defined Chunking", IEEE TPDS 2020)
//! with the sizes of [`base::limits`], and are pinned by golden vectors below.

use base::{Hash, Hasher, limits};
use fastcdc::v2020::{FastCDC, Normalization};
use std::collections::HashMap;
use std::io::{self, Read};
use store::blob::{BlockMap, ChunkRef, Run};

/// Read at once: many chunks, so that what is moved to the front to complete a
/// chunk is little.
const WINDOW_BYTES: usize = 16 * limits::CHUNK_MAX_BYTES;

/// A whole file, cut and hashed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// BLAKE3 of all bytes.
    pub hash: Hash,
    /// Its chunks.
    pub map: BlockMap,
}

impl Cut {
    /// Length of the file in bytes.
    pub fn size(&self) -> u64 {
        self.map.total_len()
    }
}

/// Reads `source` to its end and cuts it.
///
/// # Errors
/// Those of reading, and `FileTooLarge` beyond [`limits::FILE_BYTES`].
pub fn cut(source: &mut dyn Read) -> io::Result<Cut> {
    let mut window = Vec::with_capacity(WINDOW_BYTES);
    let (mut hasher, mut chunks, mut total) = (Hasher::new(), Vec::new(), 0_u64);
    loop {
        let kept = window.len();
        let room = (WINDOW_BYTES - kept) as u64;
        let read = (&mut *source).take(room).read_to_end(&mut window)?;
        hasher.update(&window[kept..]);
        total += read as u64;
        if total > limits::FILE_BYTES {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let at_end = window.len() < WINDOW_BYTES;
        let used = cut_window(&window, at_end, &mut chunks);
        window.drain(..used);
        if at_end {
            let map = BlockMap::new(chunks).map_err(|error| io::Error::other(error.to_string()))?;
            return Ok(Cut {
                hash: hasher.finish(),
                map,
            });
        }
    }
}

/// Cuts `bytes`, a whole file in memory.
///
/// # Errors
/// As [`cut`].
pub fn cut_bytes(bytes: &[u8]) -> io::Result<Cut> {
    cut(&mut { bytes })
}

/// Cuts as much of `window` as no later byte can change; returns how much.
fn cut_window(window: &[u8], at_end: bool, chunks: &mut Vec<ChunkRef>) -> usize {
    let cutter = FastCDC::with_level(
        window,
        limits::CHUNK_MIN_BYTES,
        limits::CHUNK_AVERAGE_BYTES,
        limits::CHUNK_MAX_BYTES,
        Normalization::Level1,
    );
    let mut start = 0;
    while start < window.len() && (at_end || window.len() - start >= limits::CHUNK_MAX_BYTES) {
        let (_, end) = cutter.cut(start, window.len() - start);
        let bytes = &window[start..end];
        chunks.push(ChunkRef {
            hash: Hash::of(bytes),
            len: bytes.len() as u32,
        });
        start = end;
    }
    start
}

/// Describes `new` as pieces of `base` and chunks that `base` lacks, in the
/// fewest runs that a single pass finds.
pub fn runs(base: &BlockMap, new: &BlockMap) -> Vec<Run> {
    let mut places = HashMap::with_capacity(base.chunks().len());
    for (number, chunk) in base.chunks().iter().enumerate() {
        places.entry(chunk.hash).or_insert(number as u32);
    }
    let mut runs: Vec<Run> = Vec::new();
    for chunk in new.chunks() {
        let follows = match runs.last() {
            Some(Run::Copy { first_chunk, count }) => base
                .chunks()
                .get((first_chunk + count) as usize)
                .is_some_and(|next| next.hash == chunk.hash),
            _ => false,
        };
        match (runs.last_mut(), places.get(&chunk.hash)) {
            (Some(Run::Copy { count, .. }), _) if follows => *count += 1,
            (_, Some(&first_chunk)) => runs.push(Run::Copy {
                first_chunk,
                count: 1,
            }),
            (Some(Run::Insert(inserted)), None) => inserted.push(*chunk),
            (_, None) => runs.push(Run::Insert(vec![*chunk])),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::{Random, SeededRandom};
    use proptest::prelude::*;

    fn noise(seed: u64, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        SeededRandom::new(seed).fill(&mut bytes);
        bytes
    }

    #[test]
    fn cut_points_are_pinned() {
        let cut = cut_bytes(&noise(1, 1 << 20)).unwrap();
        let lengths: Vec<u32> = cut.map.chunks().iter().map(|chunk| chunk.len).collect();
        assert_eq!(lengths.iter().sum::<u32>(), 1 << 20);
        assert_eq!(lengths, GOLDEN);
    }

    const GOLDEN: &[u32] = &[
        28128, 87550, 64925, 67788, 30364, 38273, 50371, 101085, 100168, 79822, 94750, 68129,
        37731, 77250, 65957, 56285,
    ];

    #[test]
    fn the_window_does_not_show() {
        // Read in small pieces and across several windows, against one slice.
        struct Dribble<'a>(&'a [u8]);
        impl Read for Dribble<'_> {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                let length = buffer.len().min(9999).min(self.0.len());
                buffer[..length].copy_from_slice(&self.0[..length]);
                self.0 = &self.0[length..];
                Ok(length)
            }
        }
        let bytes = noise(2, 3 * WINDOW_BYTES + 12345);
        let mut whole = Vec::new();
        cut_window(&bytes, true, &mut whole);
        let streamed = cut(&mut Dribble(&bytes)).unwrap();
        assert_eq!(streamed.map.chunks(), whole);
        assert_eq!(streamed.hash, Hash::of(&bytes));
    }

    #[test]
    fn one_byte_in_front_costs_one_chunk() {
        let old = noise(3, 8 << 20);
        let new = [b"x", &old[..]].concat();
        let (old, new) = (cut_bytes(&old).unwrap().map, cut_bytes(&new).unwrap().map);
        let runs = runs(&old, &new);
        let inserted: usize = runs
            .iter()
            .map(|run| match run {
                Run::Insert(chunks) => chunks.len(),
                Run::Copy { .. } => 0,
            })
            .sum();
        assert!(inserted <= 2, "{inserted} chunks inserted");
        assert!(runs.len() <= 3, "{} runs", runs.len());
    }

    #[test]
    fn an_empty_file_has_no_chunks() {
        let cut = cut_bytes(b"").unwrap();
        assert_eq!((cut.hash, cut.size()), (Hash::of(b""), 0));
    }

    fn map(letters: &[u8]) -> BlockMap {
        BlockMap::new(
            letters
                .iter()
                .map(|l| ChunkRef {
                    hash: Hash::of(&[*l]),
                    len: 1,
                })
                .collect(),
        )
        .unwrap()
    }

    proptest! {
        #[test]
        fn runs_rebuild_the_new_map(base in proptest::collection::vec(0..6_u8, 0..40), new in proptest::collection::vec(0..6_u8, 0..40)) {
            let (base, new) = (map(&base), map(&new));
            let rebuilt = BlockMap::from_runs(Some(&base), &runs(&base, &new)).unwrap();
            prop_assert_eq!(rebuilt, new);
        }
    }
}
