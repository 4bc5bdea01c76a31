//! Bytes into blocks, blocks into records, as they come.

use super::MAGIC;
use super::blocks::{
    END, FILES, FORMAT, HEADER, LONGEST_BLOCK, MANIFEST, PLAIN, RECORD_BYTES, ZSTD,
};
use super::error::DecodeError;
use super::records::{decode_entry, decode_file, decode_header};
use super::wire::varint;
use crate::form::Described;
use crate::manifest::{Entry, Header, Manifest, Order};
use crate::record::FileMetadata;

/// Reads a file of the binary form from bytes that come piece by piece; holds a block
/// before and a block after decompression, and what was fed and not yet read.
#[derive(Debug, Default)]
pub struct Decoder {
    /// What was fed, from `at` on not yet read.
    input: Vec<u8>,
    at: usize,
    state: State,
    contents: u8,
    /// The checksum of all that was read.
    sum: u32,
    /// Records of a block, from `record_at` on not yet given.
    block: Vec<u8>,
    record_at: usize,
    /// Records that the block should still have.
    in_block: u64,
    total: u64,
    order: Order,
    /// The path before, of the same block.
    last: String,
}

/// What came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Nothing is complete: feed more, or call [`Decoder::finish`] when there is no more.
    NeedMore,
    /// What a manifest says of its folder as a whole; comes once, before its entries.
    Header(Header),
    /// An entry of a manifest.
    Entry(Box<Entry>),
    /// The document of a file.
    File(Box<FileMetadata>),
    /// All that there was.
    End,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Magic,
    /// A header may come.
    First,
    Blocks,
    Ended,
    /// Something was wrong, and nothing behind it means anything.
    Failed,
}

impl Decoder {
    /// Nothing has come.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.input.drain(..self.at);
        self.at = 0;
        self.input.extend_from_slice(bytes);
    }

    /// What comes next.
    ///
    /// # Errors
    /// [`DecodeError`]; what was given before it holds, nothing is behind it.
    pub fn step(&mut self) -> Result<Step, DecodeError> {
        let step = self.advance();
        if step.is_err() {
            self.state = State::Failed;
        }
        step
    }

    /// Says that no bytes follow.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] unless [`Step::End`] was reached,
    /// [`DecodeError::Trailing`] when there was more than that.
    pub fn finish(self) -> Result<(), DecodeError> {
        match self.state {
            State::Ended if self.at < self.input.len() => Err(DecodeError::Trailing),
            State::Ended => Ok(()),
            _ => Err(DecodeError::Truncated("the file")),
        }
    }

    fn advance(&mut self) -> Result<Step, DecodeError> {
        loop {
            if self.record_at < self.block.len() {
                return self.record();
            }
            if self.in_block > 0 {
                return Err(DecodeError::Truncated("a block"));
            }
            let state = self.state;
            match state {
                State::Magic if !self.begin()? => return Ok(Step::NeedMore),
                State::Magic => {}
                State::Ended => return Ok(Step::End),
                State::Failed => return Err(DecodeError::Truncated("what was damaged")),
                State::First if self.contents == MANIFEST => {
                    if let Some(header) = self.header()? {
                        self.state = State::Blocks;
                        return Ok(Step::Header(header));
                    }
                    return Ok(Step::NeedMore);
                }
                State::First => self.state = State::Blocks,
                State::Blocks if !self.next_block()? => return Ok(Step::NeedMore),
                State::Blocks => {}
            }
        }
    }

    fn begin(&mut self) -> Result<bool, DecodeError> {
        let begun = &self.input[self.at..];
        let length = begun.len().min(MAGIC.len());
        if begun[..length] != MAGIC[..length] {
            return Err(DecodeError::Magic);
        }
        let Some(&[version, contents]) = begun.get(MAGIC.len()..MAGIC.len() + 2) else {
            return Ok(false);
        };
        match version {
            0 => return Err(DecodeError::Magic),
            1..=FORMAT => {}
            newer => return Err(DecodeError::Version(newer)),
        }
        if !matches!(contents, FILES | MANIFEST) {
            let (what, number) = ("contents", u64::from(contents));
            return Err(DecodeError::Unknown { what, number });
        }
        self.contents = contents;
        self.take(MAGIC.len() + 2);
        self.state = State::First;
        Ok(true)
    }

    /// Counts bytes of the input as read.
    fn take(&mut self, length: usize) {
        let read = &self.input[self.at..self.at + length];
        self.sum = crc32c::crc32c_append(self.sum, read);
        self.at += length;
    }

    /// The header, or an empty one where another block comes first; none while that is
    /// not known.
    fn header(&mut self) -> Result<Option<Header>, DecodeError> {
        let input = &self.input[self.at..];
        match input.first() {
            None => return Ok(None),
            Some(&HEADER) => {}
            Some(_) => return Ok(Some(Header::default())),
        }
        let mut rest = &input[1..];
        let Some(length) = length("a header", &mut rest, RECORD_BYTES)? else {
            return Ok(None);
        };
        let before = input.len() - rest.len();
        let Some(payload) = checked(input, before, length, "the header")? else {
            return Ok(None);
        };
        let header = decode_header(payload)?;
        self.take(before + length + SUM_BYTES);
        Ok(Some(header))
    }

    /// Reads the next block; false while it is not there.
    fn next_block(&mut self) -> Result<bool, DecodeError> {
        let input = &self.input[self.at..];
        let Some((&tag, mut rest)) = input.split_first() else {
            return Ok(false);
        };
        let Some(records) = varint(&mut rest)? else {
            return Ok(false);
        };
        if tag == END {
            let before = input.len() - rest.len();
            return self.end(records, before);
        }
        if !matches!(tag, PLAIN | ZSTD) {
            let (what, number) = ("a block", u64::from(tag));
            return Err(DecodeError::Unknown { what, number });
        }
        let Some(raw) = length("a block", &mut rest, LONGEST_BLOCK)? else {
            return Ok(false);
        };
        let stored = match tag {
            PLAIN => raw,
            _ => match length("a block", &mut rest, LONGEST_BLOCK)? {
                None => return Ok(false),
                Some(stored) => stored,
            },
        };
        let before = input.len() - rest.len();
        let Some(payload) = checked(input, before, stored, "a block")? else {
            return Ok(false);
        };
        self.block = match tag {
            PLAIN => payload.to_vec(),
            _ => unpack(payload, raw)?,
        };
        if records == 0 || self.block.is_empty() {
            return Err(DecodeError::Missing("a record in a block"));
        }
        self.take(before + stored + SUM_BYTES);
        self.record_at = 0;
        self.in_block = records;
        self.last.clear();
        Ok(true)
    }

    fn end(&mut self, told: u64, before: usize) -> Result<bool, DecodeError> {
        let input = &self.input[self.at..];
        let Some(sum) = input.get(before..before + SUM_BYTES) else {
            return Ok(false);
        };
        let expected = crc32c::crc32c_append(self.sum, &input[..before]);
        if sum != expected.to_le_bytes() {
            return Err(DecodeError::Checksum("the whole"));
        }
        if told != self.total {
            let found = self.total;
            return Err(DecodeError::Count { found, told });
        }
        self.at += before + SUM_BYTES;
        self.state = State::Ended;
        Ok(true)
    }

    /// The next record of the block.
    fn record(&mut self) -> Result<Step, DecodeError> {
        let mut rest = &self.block[self.record_at..];
        if self.in_block == 0 {
            return Err(DecodeError::Trailing);
        }
        let ends = || DecodeError::Truncated("a block");
        let length = length("a record", &mut rest, RECORD_BYTES)?.ok_or_else(ends)?;
        let (record, rest) = rest.split_at_checked(length).ok_or_else(ends)?;
        let step = match self.contents {
            FILES => Step::File(Box::new(decode_file(record)?)),
            _ => {
                let entry = decode_entry(record, &self.last)?;
                self.order.next(&entry.path, entry.record.is_directory())?;
                self.last.clear();
                self.last.push_str(entry.path.as_str());
                Step::Entry(Box::new(entry))
            }
        };
        self.record_at = self.block.len() - rest.len();
        self.in_block -= 1;
        self.total += 1;
        Ok(step)
    }
}

/// Bytes of a checksum.
const SUM_BYTES: usize = 4;

fn length(
    what: &'static str,
    bytes: &mut &[u8],
    limit: usize,
) -> Result<Option<usize>, DecodeError> {
    let Some(found) = varint(bytes)? else {
        return Ok(None);
    };
    match usize::try_from(found) {
        Ok(length) if length <= limit => Ok(Some(length)),
        _ => Err(DecodeError::TooLong {
            what,
            found,
            limit: limit as u64,
        }),
    }
}

/// The payload of a block whose head has `before` bytes, once all of it and its checksum
/// are there.
fn checked<'i>(
    input: &'i [u8],
    before: usize,
    length: usize,
    what: &'static str,
) -> Result<Option<&'i [u8]>, DecodeError> {
    let end = before + length;
    let Some(sum) = input.get(end..end + SUM_BYTES) else {
        return Ok(None);
    };
    if sum != crc32c::crc32c(&input[..end]).to_le_bytes() {
        return Err(DecodeError::Checksum(what));
    }
    Ok(Some(&input[before..end]))
}

fn unpack(packed: &[u8], raw: usize) -> Result<Vec<u8>, DecodeError> {
    let block = zstd::bulk::decompress(packed, raw);
    let block = block.map_err(|error| DecodeError::Zstd(error.to_string()))?;
    if block.len() == raw {
        Ok(block)
    } else {
        Err(DecodeError::Truncated("a block"))
    }
}

/// Reads all of a file of the binary form.
///
/// # Errors
/// [`DecodeError`] of the first thing that is wrong.
pub fn decode(bytes: &[u8]) -> Result<Vec<Described>, DecodeError> {
    let mut decoder = Decoder::new();
    decoder.feed(bytes);
    let mut described = Vec::new();
    let mut folder: Option<(Header, Vec<Entry>)> = None;
    loop {
        match decoder.step()? {
            Step::NeedMore => return Err(DecodeError::Truncated("the file")),
            Step::Header(header) => folder = Some((header, Vec::new())),
            Step::Entry(entry) => {
                if let Some((_, entries)) = &mut folder {
                    entries.push(*entry);
                }
            }
            Step::File(file) => described.push(Described::File(*file)),
            Step::End => break,
        }
    }
    decoder.finish()?;
    if let Some((header, entries)) = folder {
        described.push(Described::Folder(Manifest::with(header, entries)?));
    }
    Ok(described)
}
