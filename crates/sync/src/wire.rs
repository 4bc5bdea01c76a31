//! The frames in which files and feeds travel between client and node.
//!
//! A stream is a sequence of frames: `length: u32 LE`, `kind: u8`, then
//! `length` bytes of payload. Pure: [`Decoder`] takes bytes as they arrive and
//! gives whole frames; nothing here knows what carries them. The endpoints that
//! speak frames and their order are in `docs/protocol.md`.

mod decoder;

use base::{Cursor, Hash, Hasher, VersionId, limits};
use bytes::{Buf, Bytes};
use meta::MetadataError;
use std::io;
use store::blob::{ChunkRef, Run};

pub use decoder::Decoder;

/// The media type of a stream of frames.
pub const MEDIA_TYPE: &str = "application/x-atoll-frames";

/// Bytes before a payload: length and kind.
pub const HEADER_BYTES: usize = 5;

/// Content in one [`Frame::Piece`] of ours: most of them then lie in one piece of
/// what a socket gives, and need no copy.
pub const PIECE_BYTES: usize = 64 * 1024;

/// Least content in a [`Frame::Piece`] that is not its file's last: a node keeps some
/// dozen bytes for each until a worker has it, and writes each on its own.
pub const LEAST_PIECE_BYTES: usize = 16 * 1024;

/// Byte ranges listed in one [`Frame::Need`]: a client asks again for the rest.
const NEED_RANGES: usize = 65_536;

/// One frame. Requests use the first group, answers the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// A whole small file, at most [`limits::SMALL_FILE_BYTES`].
    Blob {
        /// BLAKE3 of `bytes`.
        hash: Hash,
        /// The content.
        bytes: Bytes,
    },
    /// A file of middle size, [`limits::SMALL_FILE_BYTES`] to
    /// [`limits::WHOLE_FILE_BYTES`], whose content follows at once in
    /// [`Frame::Piece`]s.
    Whole {
        /// BLAKE3 of its content.
        hash: Hash,
        /// Its length in bytes.
        size: u64,
    },
    /// The next bytes of the [`Frame::Whole`] before, [`LEAST_PIECE_BYTES`] to
    /// [`limits::CHUNK_MAX_BYTES`]; the last may be of one.
    Piece(Bytes),
    /// Begins or resumes the upload of a large file; answered by
    /// [`Frame::Have`] or [`Frame::Need`].
    Open(Open),
    /// More runs for the [`Frame::Open`] just before.
    Runs(Vec<Run>),
    /// One chunk of an opened file, exactly as its runs list it.
    Chunk {
        /// The file's hash.
        file: Hash,
        /// Where in the file.
        offset: u64,
        /// The content.
        bytes: Bytes,
    },
    /// All chunks of these files were sent; answered by one [`Frame::Have`]
    /// each, once they are verified and durable.
    Finish(Vec<Hash>),
    /// Changes to commit, answered by [`Frame::Outcomes`].
    Commit {
        /// The client's random stream id; 0 is not allowed.
        stream: u64,
        /// Its place in that stream, from 1.
        sequence: u64,
        /// An encoded `state::Commit`.
        commit: Bytes,
    },

    /// The node holds this content, durably.
    Have(Hash),
    /// The byte ranges of a file that the node lacks, in order.
    Need {
        /// The file.
        file: Hash,
        /// Start and end of each missing range.
        ranges: Vec<(u64, u64)>,
    },
    /// The encoded outcomes of one commit.
    Outcomes {
        /// Which commit.
        sequence: u64,
        /// Encoded by `state::encode_outcomes`.
        outcomes: Bytes,
        /// The feed's place after it.
        cursor: Cursor,
    },

    /// An encoded `state::Version`: one step of the feed.
    Version(Bytes),
    /// Everything up to here has been sent.
    Cursor(Cursor),
    /// Nothing happened; the connection lives.
    KeepAlive,

    /// The content of one small version that was asked for.
    Content {
        /// Which version.
        version: VersionId,
        /// Its bytes.
        bytes: Bytes,
    },
    /// A version that was asked for and cannot be sent: gone, not a small file,
    /// or not readable.
    Missing(VersionId),

    /// A run of the base's bytes, in a delta download.
    Copy {
        /// Where in the base.
        offset: u64,
        /// How many bytes.
        length: u64,
    },
    /// New bytes, in a delta download.
    Insert(Bytes),
    /// A piece of a file's block map.
    Map(Vec<ChunkRef>),
    /// The stream is complete; without it, it was cut.
    End,
}

/// The head of an upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    /// BLAKE3 of the whole file.
    pub file: Hash,
    /// Its length in bytes.
    pub size: u64,
    /// A file of the same space whose chunks the runs may copy.
    pub base: Option<Hash>,
    /// The first runs; more may follow in [`Frame::Runs`].
    pub runs: Vec<Run>,
    /// How many [`Frame::Runs`] follow.
    pub continued: u32,
}

/// A stream that is not a sequence of frames.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// A payload beyond [`limits::FRAME_BYTES`].
    #[error("frame of {0} bytes is beyond the limit of {limit}", limit = limits::FRAME_BYTES)]
    TooLong(u32),
    /// A file beyond [`limits::FILE_BYTES`].
    #[error("a file of {0} bytes is beyond the limit of {limit}", limit = limits::FILE_BYTES)]
    FileTooLong(u64),
    /// A kind of frame that this version does not know.
    #[error("frame of unknown kind {0}")]
    Kind(u8),
    /// A payload that is not what its kind promises.
    #[error("frame `{0}` is malformed")]
    Malformed(&'static str),
    /// The stream ended inside a frame.
    #[error("stream ended inside a frame, {0} bytes short")]
    Cut(usize),
}

impl From<MetadataError> for WireError {
    fn from(_: MetadataError) -> Self {
        Self::Malformed("metadata")
    }
}

mod kind {
    pub const BLOB: u8 = 1;
    pub const OPEN: u8 = 2;
    pub const RUNS: u8 = 3;
    pub const CHUNK: u8 = 4;
    pub const FINISH: u8 = 5;
    pub const COMMIT: u8 = 6;
    pub const WHOLE: u8 = 7;
    pub const PIECE: u8 = 8;
    pub const HAVE: u8 = 16;
    pub const NEED: u8 = 17;
    pub const OUTCOMES: u8 = 18;
    pub const VERSION: u8 = 32;
    pub const CURSOR: u8 = 33;
    pub const KEEP_ALIVE: u8 = 34;
    pub const CONTENT: u8 = 40;
    pub const MISSING: u8 = 41;
    pub const COPY: u8 = 42;
    pub const INSERT: u8 = 43;
    pub const MAP: u8 = 44;
    pub const END: u8 = 45;
}

/// Runs put into one frame: below [`limits::FRAME_BYTES`] by a wide margin even
/// when each inserts; the rest goes into [`Frame::Runs`].
pub const CHUNKS_PER_FRAME: usize = 65_536;

impl Frame {
    /// Appends the encoded frame to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&[0; HEADER_BYTES]);
        let kind = self.encode_payload(out);
        let length = (out.len() - start - HEADER_BYTES) as u32;
        out[start..start + 4].copy_from_slice(&length.to_le_bytes());
        out[start + 4] = kind;
    }

    fn encode_payload(&self, out: &mut Vec<u8>) -> u8 {
        match self {
            Self::Blob { hash, bytes } => {
                out.extend_from_slice(hash.as_bytes());
                out.extend_from_slice(bytes);
                kind::BLOB
            }
            Self::Whole { hash, size } => {
                out.extend_from_slice(hash.as_bytes());
                put_u64(out, *size);
                kind::WHOLE
            }
            Self::Piece(bytes) => {
                out.extend_from_slice(bytes);
                kind::PIECE
            }
            Self::Open(open) => {
                out.extend_from_slice(open.file.as_bytes());
                put_u64(out, open.size);
                out.extend_from_slice(&open.continued.to_le_bytes());
                out.push(u8::from(open.base.is_some()));
                if let Some(base) = &open.base {
                    out.extend_from_slice(base.as_bytes());
                }
                put_runs(out, &open.runs);
                kind::OPEN
            }
            Self::Runs(runs) => {
                put_runs(out, runs);
                kind::RUNS
            }
            Self::Chunk {
                file,
                offset,
                bytes,
            } => {
                put_chunk_header(out, file, *offset);
                out.extend_from_slice(bytes);
                kind::CHUNK
            }
            Self::Finish(files) => {
                files
                    .iter()
                    .for_each(|file| out.extend_from_slice(file.as_bytes()));
                kind::FINISH
            }
            Self::Commit {
                stream,
                sequence,
                commit,
            } => {
                put_u64(out, *stream);
                put_u64(out, *sequence);
                out.extend_from_slice(commit);
                kind::COMMIT
            }
            Self::Have(hash) => {
                out.extend_from_slice(hash.as_bytes());
                kind::HAVE
            }
            Self::Need { file, ranges } => {
                out.extend_from_slice(file.as_bytes());
                for (start, end) in ranges.iter().take(NEED_RANGES) {
                    put_u64(out, *start);
                    put_u64(out, *end);
                }
                kind::NEED
            }
            Self::Outcomes {
                sequence,
                outcomes,
                cursor,
            } => {
                put_u64(out, *sequence);
                put_cursor(out, *cursor);
                out.extend_from_slice(outcomes);
                kind::OUTCOMES
            }
            Self::Version(bytes) => {
                out.extend_from_slice(bytes);
                kind::VERSION
            }
            Self::Cursor(cursor) => {
                put_cursor(out, *cursor);
                kind::CURSOR
            }
            Self::KeepAlive => kind::KEEP_ALIVE,
            Self::Content { version, bytes } => {
                put_version(out, *version);
                out.extend_from_slice(bytes);
                kind::CONTENT
            }
            Self::Missing(version) => {
                put_version(out, *version);
                kind::MISSING
            }
            Self::Copy { offset, length } => {
                put_u64(out, *offset);
                put_u64(out, *length);
                kind::COPY
            }
            Self::Insert(bytes) => {
                out.extend_from_slice(bytes);
                kind::INSERT
            }
            Self::Map(chunks) => {
                chunks.iter().for_each(|chunk| put_chunk_ref(out, chunk));
                kind::MAP
            }
            Self::End => kind::END,
        }
    }

    /// Decodes one payload.
    ///
    /// # Errors
    /// [`WireError::Kind`] and [`WireError::Malformed`].
    pub fn decode(kind: u8, payload: Bytes) -> Result<Self, WireError> {
        let mut input = Input(payload);
        let frame = match kind {
            kind::BLOB => {
                let hash = input.hash("blob")?;
                if input.0.len() as u64 > limits::SMALL_FILE_BYTES {
                    return Err(WireError::Malformed("blob"));
                }
                Self::Blob {
                    hash,
                    bytes: input.rest(),
                }
            }
            kind::WHOLE => Self::Whole {
                hash: input.hash("whole")?,
                size: input.u64("whole")?,
            },
            kind::PIECE => {
                if input.0.is_empty() || input.0.len() > limits::CHUNK_MAX_BYTES {
                    return Err(WireError::Malformed("piece"));
                }
                Self::Piece(input.rest())
            }
            kind::OPEN => {
                let (file, size) = (input.hash("open")?, input.u64("open")?);
                let continued = input.u32("open")?;
                let base = match input.u8("open")? {
                    0 => None,
                    1 => Some(input.hash("open")?),
                    _ => return Err(WireError::Malformed("open")),
                };
                if size > limits::FILE_BYTES {
                    return Err(WireError::FileTooLong(size));
                }
                Self::Open(Open {
                    file,
                    size,
                    base,
                    runs: input.runs("open")?,
                    continued,
                })
            }
            kind::RUNS => Self::Runs(input.runs("runs")?),
            kind::CHUNK => {
                let (file, offset) = (input.hash("chunk")?, input.u64("chunk")?);
                if input.0.len() > limits::CHUNK_MAX_BYTES || offset > limits::FILE_BYTES {
                    return Err(WireError::Malformed("chunk"));
                }
                Self::Chunk {
                    file,
                    offset,
                    bytes: input.rest(),
                }
            }
            kind::FINISH => {
                let mut files = Vec::new();
                while !input.0.is_empty() {
                    files.push(input.hash("finish")?);
                }
                Self::Finish(files)
            }
            kind::COMMIT => Self::Commit {
                stream: input.u64("commit")?,
                sequence: input.u64("commit")?,
                commit: input.rest(),
            },
            kind::HAVE => Self::Have(input.hash("have")?),
            kind::NEED => {
                let file = input.hash("need")?;
                let mut ranges = Vec::new();
                while !input.0.is_empty() {
                    let (start, end) = (input.u64("need")?, input.u64("need")?);
                    if start >= end || end > limits::FILE_BYTES {
                        return Err(WireError::Malformed("need"));
                    }
                    ranges.push((start, end));
                }
                Self::Need { file, ranges }
            }
            kind::OUTCOMES => Self::Outcomes {
                sequence: input.u64("outcomes")?,
                cursor: input.cursor("outcomes")?,
                outcomes: input.rest(),
            },
            kind::VERSION => Self::Version(input.rest()),
            kind::CURSOR => Self::Cursor(input.cursor("cursor")?),
            kind::KEEP_ALIVE => Self::KeepAlive,
            kind::CONTENT => Self::Content {
                version: input.version("content")?,
                bytes: input.rest(),
            },
            kind::MISSING => Self::Missing(input.version("missing")?),
            kind::COPY => {
                let (offset, length) = (input.u64("copy")?, input.u64("copy")?);
                if offset > limits::FILE_BYTES || length > limits::FILE_BYTES {
                    return Err(WireError::Malformed("copy"));
                }
                Self::Copy { offset, length }
            }
            kind::INSERT => Self::Insert(input.rest()),
            kind::MAP => {
                let mut chunks = Vec::new();
                while !input.0.is_empty() {
                    chunks.push(input.chunk_ref("map")?);
                }
                Self::Map(chunks)
            }
            kind::END => Self::End,
            unknown => return Err(WireError::Kind(unknown)),
        };
        if input.0.is_empty() {
            Ok(frame)
        } else {
            Err(WireError::Malformed("frame with a tail"))
        }
    }
}

/// Appends a [`Frame::Chunk`] without owning its bytes.
pub fn encode_chunk(out: &mut Vec<u8>, file: &Hash, offset: u64, bytes: &[u8]) {
    let length = (Hash::BYTES + 8 + bytes.len()) as u32;
    out.extend_from_slice(&length.to_le_bytes());
    out.push(kind::CHUNK);
    put_chunk_header(out, file, offset);
    out.extend_from_slice(bytes);
}

/// Appends a [`Frame::Blob`] without owning its bytes.
pub fn encode_blob(out: &mut Vec<u8>, hash: &Hash, bytes: &[u8]) {
    out.extend_from_slice(&((Hash::BYTES + bytes.len()) as u32).to_le_bytes());
    out.push(kind::BLOB);
    out.extend_from_slice(hash.as_bytes());
    out.extend_from_slice(bytes);
}

/// Appends a [`Frame::Whole`] of `size` bytes and its pieces, which `read` puts
/// where they are sent from; returns their hash.
///
/// # Errors
/// Those of `read`; `out` is then as it was.
pub fn encode_whole(
    out: &mut Vec<u8>,
    size: u64,
    mut read: impl FnMut(&mut [u8], u64) -> io::Result<()>,
) -> io::Result<Hash> {
    let start = out.len();
    let hash = Hash::from_bytes([0; Hash::BYTES]);
    Frame::Whole { hash, size }.encode(out);
    let (mut hasher, mut offset) = (Hasher::new(), 0);
    while offset < size {
        let length = (size - offset).min(PIECE_BYTES as u64) as usize;
        out.extend_from_slice(&(length as u32).to_le_bytes());
        out.push(kind::PIECE);
        let piece = out.len();
        out.resize(piece + length, 0);
        if let Err(error) = read(&mut out[piece..], offset) {
            out.truncate(start);
            return Err(error);
        }
        hasher.update(&out[piece..]);
        offset += length as u64;
    }
    let hash = hasher.finish();
    out[start + HEADER_BYTES..][..Hash::BYTES].copy_from_slice(hash.as_bytes());
    Ok(hash)
}

/// What is left of a payload.
struct Input(Bytes);

impl Input {
    fn take<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], WireError> {
        let head = *self.0.first_chunk().ok_or(WireError::Malformed(what))?;
        self.0.advance(N);
        Ok(head)
    }

    fn u8(&mut self, what: &'static str) -> Result<u8, WireError> {
        self.take::<1>(what).map(|[byte]| byte)
    }

    fn u16(&mut self, what: &'static str) -> Result<u16, WireError> {
        self.take(what).map(u16::from_le_bytes)
    }

    fn u32(&mut self, what: &'static str) -> Result<u32, WireError> {
        self.take(what).map(u32::from_le_bytes)
    }

    fn u64(&mut self, what: &'static str) -> Result<u64, WireError> {
        self.take(what).map(u64::from_le_bytes)
    }

    fn hash(&mut self, what: &'static str) -> Result<Hash, WireError> {
        self.take(what).map(Hash::from_bytes)
    }

    fn rest(&mut self) -> Bytes {
        std::mem::take(&mut self.0)
    }

    fn version(&mut self, what: &'static str) -> Result<VersionId, WireError> {
        let item = base::ItemId::from_u64(self.u64(what)?).ok_or(WireError::Malformed(what))?;
        Ok(VersionId {
            item,
            counter: self.u64(what)?,
        })
    }

    fn cursor(&mut self, what: &'static str) -> Result<Cursor, WireError> {
        let log = base::LogId::from_u64(self.u64(what)?);
        Ok(Cursor {
            log,
            index: self.u64(what)?,
            ordinal: self.u16(what)?,
        })
    }

    fn chunk_ref(&mut self, what: &'static str) -> Result<ChunkRef, WireError> {
        let chunk = ChunkRef {
            hash: self.hash(what)?,
            len: self.u32(what)?,
        };
        let valid = (1..=limits::CHUNK_MAX_BYTES).contains(&(chunk.len as usize));
        if valid {
            Ok(chunk)
        } else {
            Err(WireError::Malformed(what))
        }
    }

    fn runs(&mut self, what: &'static str) -> Result<Vec<Run>, WireError> {
        let mut runs = Vec::new();
        while !self.0.is_empty() {
            runs.push(match self.u8(what)? {
                RUN_COPY => Run::Copy {
                    first_chunk: self.u32(what)?,
                    count: self.u32(what)?,
                },
                RUN_INSERT => {
                    let count = self.u32(what)?;
                    let chunks = (0..count)
                        .map(|_| self.chunk_ref(what))
                        .collect::<Result<_, _>>()?;
                    Run::Insert(chunks)
                }
                _ => return Err(WireError::Malformed(what)),
            });
        }
        Ok(runs)
    }
}

const RUN_COPY: u8 = 0;
const RUN_INSERT: u8 = 1;

fn put_u64(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(&value.to_le_bytes());
}

fn put_version(out: &mut Vec<u8>, version: VersionId) {
    put_u64(out, version.item.to_u64());
    put_u64(out, version.counter);
}

fn put_cursor(out: &mut Vec<u8>, cursor: Cursor) {
    put_u64(out, cursor.log.to_u64());
    put_u64(out, cursor.index);
    out.extend_from_slice(&cursor.ordinal.to_le_bytes());
}

fn put_chunk_header(out: &mut Vec<u8>, file: &Hash, offset: u64) {
    out.extend_from_slice(file.as_bytes());
    put_u64(out, offset);
}

fn put_chunk_ref(out: &mut Vec<u8>, chunk: &ChunkRef) {
    out.extend_from_slice(chunk.hash.as_bytes());
    out.extend_from_slice(&chunk.len.to_le_bytes());
}

fn put_runs(out: &mut Vec<u8>, runs: &[Run]) {
    for run in runs {
        match run {
            Run::Copy { first_chunk, count } => {
                out.push(RUN_COPY);
                out.extend_from_slice(&first_chunk.to_le_bytes());
                out.extend_from_slice(&count.to_le_bytes());
            }
            Run::Insert(chunks) => {
                out.push(RUN_INSERT);
                out.extend_from_slice(&(chunks.len() as u32).to_le_bytes());
                chunks.iter().for_each(|chunk| put_chunk_ref(out, chunk));
            }
        }
    }
}

#[cfg(test)]
mod tests;
