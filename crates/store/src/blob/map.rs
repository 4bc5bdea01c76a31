//! Block maps: the chunks of a large blob in order, and how a new blob is
//! described as pieces of an older one's map.
//!
//! Where the chunks are cut is decided elsewhere (`sync`); here a map is only a
//! list whose lengths add up.

use base::{Hash, limits};

/// Most chunks in one block map: those of the largest file, each the smallest,
/// and a short one at its end. 144 MiB encoded.
pub const MAP_CHUNKS: usize = (limits::FILE_BYTES / limits::CHUNK_MIN_BYTES as u64) as usize + 1;

/// Bytes of one chunk in the encoded form: hash and length.
pub const CHUNK_ENCODED_BYTES: usize = Hash::BYTES + 4;

/// A chunk of a blob: the bytes that follow those of the chunk before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkRef {
    /// BLAKE3 of its bytes.
    pub hash: Hash,
    /// Its length in bytes, from 1 to [`limits::CHUNK_MAX_BYTES`].
    pub len: u32,
}

/// The chunks of one blob, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockMap {
    chunks: Vec<ChunkRef>,
    /// Where each chunk ends.
    ends: Vec<u64>,
}

/// A piece of a new blob's map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Run {
    /// Chunks of the base's map.
    Copy {
        /// The first one, counted from 0.
        first_chunk: u32,
        /// How many.
        count: u32,
    },
    /// Chunks that the base may lack.
    Insert(Vec<ChunkRef>),
}

/// Why a block map makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MapError {
    /// A chunk of no or too many bytes.
    #[error("chunk {chunk} has {len} bytes; expected 1 to {limit}", limit = limits::CHUNK_MAX_BYTES)]
    ChunkLength {
        /// Its number.
        chunk: usize,
        /// Its length.
        len: u32,
    },
    /// A chunk in the middle that no cut of ours makes.
    #[error("chunk {chunk} has {len} bytes and is not the last; expected {least} at least", least = limits::CHUNK_MIN_BYTES)]
    ShortChunk {
        /// Its number.
        chunk: usize,
        /// Its length.
        len: u32,
    },
    /// More chunks than a map may have.
    #[error("a block map of more than {MAP_CHUNKS} chunks")]
    TooManyChunks,
    /// A copy run beyond the base's map.
    #[error("chunks {first} to {end} of a base that has {chunks}")]
    BeyondBase {
        /// First chunk asked for.
        first: u32,
        /// End of the run.
        end: u64,
        /// What the base has.
        chunks: usize,
    },
    /// Encoded bytes that are no whole number of chunks.
    #[error("{0} bytes are no block map: expected a multiple of {CHUNK_ENCODED_BYTES}")]
    Encoding(usize),
    /// Chunks beyond the end of the blob.
    #[error("the chunks have more bytes together than the blob's {blob}")]
    TooLong {
        /// Length of the blob.
        blob: u64,
    },
    /// The chunks are longer or shorter together than the blob.
    #[error("the chunks have {chunks} bytes together, the blob {blob}")]
    Total {
        /// Sum of the chunks' lengths.
        chunks: u64,
        /// Length of the blob.
        blob: u64,
    },
}

impl BlockMap {
    /// Checks the lengths of `chunks`.
    ///
    /// # Errors
    /// [`MapError`] says which rule they break.
    pub fn new(chunks: Vec<ChunkRef>) -> Result<Self, MapError> {
        if chunks.len() > MAP_CHUNKS {
            return Err(MapError::TooManyChunks);
        }
        let mut total = 0;
        let mut ends = Vec::with_capacity(chunks.len());
        for (number, chunk) in chunks.iter().enumerate() {
            if chunk.len == 0 || chunk.len as usize > limits::CHUNK_MAX_BYTES {
                return Err(MapError::ChunkLength {
                    chunk: number,
                    len: chunk.len,
                });
            }
            total += u64::from(chunk.len);
            ends.push(total);
        }
        Ok(Self { chunks, ends })
    }

    /// The map that `runs` describe against `base`'s.
    ///
    /// # Errors
    /// [`MapError`] says which rule they break.
    pub fn from_runs(base: Option<&Self>, runs: &[Run]) -> Result<Self, MapError> {
        Self::build(base, runs, u64::MAX, 0)
    }

    /// [`BlockMap::from_runs`] for runs that a stranger wrote. They may name the
    /// same chunks again and again, so no more chunks are taken than fit into
    /// the `blob` bytes that they claim to describe; and all but the last have
    /// [`limits::CHUNK_MIN_BYTES`], so that a map stays small beside its blob.
    ///
    /// # Errors
    /// [`MapError`] says which rule they break; [`MapError::TooLong`] and
    /// [`MapError::ShortChunk`] as soon as they do.
    pub fn from_runs_within(
        base: Option<&Self>,
        runs: &[Run],
        blob: u64,
    ) -> Result<Self, MapError> {
        Self::build(base, runs, blob, limits::CHUNK_MIN_BYTES as u32)
    }

    fn build(base: Option<&Self>, runs: &[Run], blob: u64, least: u32) -> Result<Self, MapError> {
        let base = base.map_or(&[][..], Self::chunks);
        let mut chunks = Vec::new();
        let mut left = blob;
        for run in runs {
            let piece = match run {
                Run::Insert(chunks) => chunks,
                Run::Copy { first_chunk, count } => {
                    let end = u64::from(*first_chunk) + u64::from(*count);
                    base.get(*first_chunk as usize..end as usize)
                        .ok_or(MapError::BeyondBase {
                            first: *first_chunk,
                            end,
                            chunks: base.len(),
                        })?
                }
            };
            if chunks.len() + piece.len() > MAP_CHUNKS {
                return Err(MapError::TooManyChunks);
            }
            let bytes = piece.iter().map(|chunk| u64::from(chunk.len)).sum();
            left = left.checked_sub(bytes).ok_or(MapError::TooLong { blob })?;
            // The last of all may be short; what follows it shows that it is not.
            let from = chunks.len().saturating_sub(1);
            chunks.extend_from_slice(piece);
            check_inner(&chunks, from, least)?;
        }
        Self::new(chunks)
    }

    /// Itself, if its chunks have `blob` bytes together.
    ///
    /// # Errors
    /// [`MapError::Total`].
    pub fn check_total(self, blob: u64) -> Result<Self, MapError> {
        let chunks = self.total_len();
        if chunks == blob {
            Ok(self)
        } else {
            Err(MapError::Total { chunks, blob })
        }
    }

    /// The chunks in order.
    pub fn chunks(&self) -> &[ChunkRef] {
        &self.chunks
    }

    /// Length of the whole blob in bytes.
    pub fn total_len(&self) -> u64 {
        self.ends.last().copied().unwrap_or(0)
    }

    /// Where chunk `number` begins.
    pub fn start(&self, number: usize) -> u64 {
        number.checked_sub(1).map_or(0, |before| self.ends[before])
    }

    /// The number of the chunk that begins exactly at `offset`.
    pub fn chunk_at(&self, offset: u64) -> Option<usize> {
        let number = self.ends.partition_point(|end| *end <= offset);
        (number < self.chunks.len() && self.start(number) == offset).then_some(number)
    }

    /// The form in which a map is stored and sent: per chunk the 32 bytes of
    /// its hash and its length as 4 bytes, little end first.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.chunks.len() * CHUNK_ENCODED_BYTES);
        for chunk in &self.chunks {
            bytes.extend_from_slice(chunk.hash.as_bytes());
            bytes.extend_from_slice(&chunk.len.to_le_bytes());
        }
        bytes
    }

    /// Reads what [`BlockMap::encode`] wrote.
    ///
    /// # Errors
    /// [`MapError`] says which rule it breaks.
    pub fn decode(bytes: &[u8]) -> Result<Self, MapError> {
        let (encoded, rest) = bytes.as_chunks::<CHUNK_ENCODED_BYTES>();
        if !rest.is_empty() {
            return Err(MapError::Encoding(bytes.len()));
        }
        if encoded.len() > MAP_CHUNKS {
            return Err(MapError::TooManyChunks);
        }
        Self::new(encoded.iter().map(decode_chunk).collect())
    }
}

/// Refuses chunks from number `from` on that have less than `least` bytes, but
/// for the last.
fn check_inner(chunks: &[ChunkRef], from: usize, least: u32) -> Result<(), MapError> {
    let inner = chunks.len().saturating_sub(1);
    let short = (from..inner).find(|number| chunks[*number].len < least);
    short.map_or(Ok(()), |chunk| {
        let len = chunks[chunk].len;
        Err(MapError::ShortChunk { chunk, len })
    })
}

fn decode_chunk(bytes: &[u8; CHUNK_ENCODED_BYTES]) -> ChunkRef {
    let (hash, len) = bytes.split_at(Hash::BYTES);
    ChunkRef {
        hash: Hash::from_slice(hash).expect("a hash has 32 bytes"),
        len: u32::from_le_bytes(len.try_into().expect("a length has 4 bytes")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(byte: u8, len: u32) -> ChunkRef {
        let hash = Hash::of(&[byte]);
        ChunkRef { hash, len }
    }

    #[test]
    fn offsets_and_encoding() {
        let map = BlockMap::new(vec![chunk(1, 10), chunk(2, 20), chunk(3, 5)]).unwrap();
        assert_eq!(map.total_len(), 35);
        let places = [
            (0, Some(0)),
            (5, None),
            (10, Some(1)),
            (30, Some(2)),
            (35, None),
        ];
        for (offset, number) in places {
            assert_eq!(map.chunk_at(offset), number, "{offset}");
        }
        assert_eq!([0, 1, 2, 3].map(|n| map.start(n)), [0, 10, 30, 35]);
        let encoded = map.encode();
        assert_eq!(BlockMap::decode(&encoded), Ok(map));
        let cut = &encoded[1..];
        assert_eq!(BlockMap::decode(cut), Err(MapError::Encoding(cut.len())));
    }

    #[test]
    fn chunk_lengths_are_bounded() {
        let limit = limits::CHUNK_MAX_BYTES as u32;
        for (len, good) in [(0, false), (1, true), (limit, true), (limit + 1, false)] {
            assert_eq!(BlockMap::new(vec![chunk(1, len)]).is_ok(), good, "{len}");
        }
    }

    #[test]
    fn runs_build_a_map() {
        let base = BlockMap::new(vec![chunk(1, 10), chunk(2, 20), chunk(3, 5)]).unwrap();
        let check = |runs: &[Run], expected: Option<&[ChunkRef]>| {
            let map = BlockMap::from_runs(Some(&base), runs);
            assert_eq!(map.as_ref().ok().map(BlockMap::chunks), expected, "{map:?}");
        };
        let copy = |first_chunk, count| Run::Copy { first_chunk, count };
        let insert = Run::Insert(vec![chunk(9, 9)]);
        check(&[], Some(&[]));
        let expected = [chunk(2, 20), chunk(3, 5), chunk(9, 9), chunk(1, 10)];
        check(&[copy(1, 2), insert, copy(0, 1)], Some(&expected));
        check(&[copy(3, 0)], Some(&[]));
        check(&[copy(2, 2)], None);
        check(&[copy(u32::MAX, u32::MAX)], None);
        assert!(BlockMap::from_runs(None, &[copy(0, 1)]).is_err());
    }

    #[test]
    fn runs_stop_at_the_end_of_the_blob() {
        let long = limits::CHUNK_MAX_BYTES as u32;
        let base = BlockMap::new(vec![chunk(1, long); 1000]).unwrap();
        let check = |count: usize, blob: u64, expected: Result<u64, MapError>| {
            let run = Run::Copy {
                first_chunk: 0,
                count: 1000,
            };
            let map = BlockMap::from_runs_within(Some(&base), &vec![run; count], blob);
            assert_eq!(map.map(|map| map.total_len()), expected, "{count} {blob}");
        };
        let two = 2000 * u64::from(long);
        check(2, two, Ok(two));
        check(2, two + 1, Ok(two));
        check(2, two - 1, Err(MapError::TooLong { blob: two - 1 }));
        // So many chunks that only their bytes can have ended it.
        check(20_000, two, Err(MapError::TooLong { blob: two }));
        check(20_000, u64::MAX, Err(MapError::TooManyChunks));
    }

    #[test]
    fn only_the_last_chunk_of_a_stranger_may_be_short() {
        let least = limits::CHUNK_MIN_BYTES as u32;
        let base = BlockMap::new(vec![chunk(1, least), chunk(2, least), chunk(3, 5)]).unwrap();
        let check = |runs: &[Run], short: Option<usize>| {
            let map = BlockMap::from_runs_within(Some(&base), runs, u64::MAX);
            let found = match map {
                Ok(_) => None,
                Err(MapError::ShortChunk { chunk, .. }) => Some(chunk),
                Err(other) => panic!("{other}"),
            };
            assert_eq!(found, short, "{runs:?}");
        };
        let copy = |first_chunk, count| Run::Copy { first_chunk, count };
        let insert =
            |lengths: &[u32]| Run::Insert(lengths.iter().map(|length| chunk(9, *length)).collect());
        check(&[insert(&[least, least, 1])], None);
        check(&[insert(&[1])], None);
        check(&[insert(&[least, least - 1, least])], Some(1));
        check(&[insert(&[1]), insert(&[])], None);
        check(&[insert(&[1]), insert(&[]), insert(&[1])], Some(0));
        check(&[copy(0, 3)], None);
        check(&[copy(0, 3), insert(&[least])], Some(2));
        check(&[copy(2, 1), copy(2, 1)], Some(0));
    }
}
