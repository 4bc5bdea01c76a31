//! What turns one version's bytes into another's: runs of the base that stay,
//! and the chunks between them. Pure: from two block maps, no bytes read.

use base::Hash;
use std::collections::HashMap;
use store::blob::{BlockMap, ChunkRef};

/// One step of a delta download.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Bytes that the base has.
    Copy {
        /// Where in the base.
        offset: u64,
        /// How many.
        length: u64,
    },
    /// Bytes only the target has: one chunk of it.
    Insert {
        /// Where in the target.
        offset: u64,
        /// Which.
        chunk: ChunkRef,
    },
}

/// The steps that make `target` from `base`, neighbouring copies merged.
pub fn between(base: &BlockMap, target: &BlockMap) -> Vec<Step> {
    let mut places: HashMap<Hash, u64> = HashMap::with_capacity(base.chunks().len());
    for (number, chunk) in base.chunks().iter().enumerate() {
        places.entry(chunk.hash).or_insert(base.start(number));
    }
    let mut steps: Vec<Step> = Vec::new();
    for (number, chunk) in target.chunks().iter().enumerate() {
        let length = u64::from(chunk.len);
        match (places.get(&chunk.hash), steps.last_mut()) {
            (
                Some(&offset),
                Some(Step::Copy {
                    offset: start,
                    length: run,
                }),
            ) if *start + *run == offset => {
                *run += length;
            }
            (Some(&offset), _) => steps.push(Step::Copy { offset, length }),
            (None, _) => steps.push(Step::Insert {
                offset: target.start(number),
                chunk: *chunk,
            }),
        }
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(chunks: &[(&str, u32)]) -> BlockMap {
        let chunk = |(text, len): &(&str, u32)| ChunkRef {
            hash: Hash::of(text.as_bytes()),
            len: *len,
        };
        BlockMap::new(chunks.iter().map(chunk).collect()).unwrap()
    }

    #[test]
    fn neighbouring_copies_merge() {
        let base = map(&[("a", 10), ("b", 20), ("c", 30)]);
        let target = map(&[("x", 5), ("b", 20), ("c", 30), ("a", 10), ("y", 1)]);
        let expected = [
            Step::Insert {
                offset: 0,
                chunk: target.chunks()[0],
            },
            Step::Copy {
                offset: 10,
                length: 50,
            },
            Step::Copy {
                offset: 0,
                length: 10,
            },
            Step::Insert {
                offset: 65,
                chunk: target.chunks()[4],
            },
        ];
        assert_eq!(between(&base, &target), expected);
        assert_eq!(
            between(&base, &base),
            [Step::Copy {
                offset: 0,
                length: 60
            }]
        );
    }
}
