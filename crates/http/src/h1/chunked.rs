//! The chunked coding, decoded in place (RFC 9112 7.1): what is content is named
//! as a range of the driver's buffer, what is framing is checked and skipped.
//!
//! Nothing is repaired: a line ends with CRLF or is refused, and extensions are
//! ignored as they must be but may not grow. Trailers are kept in the buffer until
//! they are whole, see [`super::trailers`].

use std::ops::Range;

use super::limits::Limits;
use super::reject::Reject;
use super::scan::{Bounds, Scan, ScanError};
use super::trailers;

/// Where the decoder is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// In `chunk-size`, so many of its digits seen.
    Size { digits: u8 },
    /// After white space behind the size: RFC 9112 7.1.1 allows it before `;`.
    BeforeExtension,
    /// In `chunk-ext`.
    Extension,
    /// After the CR of the size line.
    SizeLineFeed,
    /// In `chunk-data`, so many bytes left.
    Data,
    /// Before the CR behind `chunk-data`.
    DataCarriageReturn,
    /// Before the LF behind `chunk-data`.
    DataLineFeed,
    /// In `trailer-section`.
    Trailers(Scan),
}

/// Decodes one body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chunked {
    state: State,
    /// While in `chunk-size` what was read of it, then the bytes left of the chunk.
    left: u64,
    /// What all later chunks together may hold.
    allowance: u64,
    line_bytes: u16,
    extension_bytes: u32,
}

/// What some bytes of a chunked body were.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Chunk {
    /// Framing only, all of the `consumed` bytes; more are needed.
    NeedMore { consumed: usize },
    /// Content; all before and in the range is consumed.
    Data(Range<usize>),
    /// The end; the trailer section with its empty line is the range, and all
    /// before and in it is consumed.
    End(Range<usize>),
}

impl Chunked {
    /// A decoder that accepts `allowance` bytes of content.
    pub(crate) fn new(allowance: u64) -> Self {
        Self {
            state: State::Size { digits: 0 },
            left: 0,
            allowance,
            line_bytes: 0,
            extension_bytes: 0,
        }
    }

    /// Accepts no more than `allowance` bytes of content from here on.
    pub(crate) fn limit(&mut self, allowance: u64) {
        self.allowance = self.allowance.min(allowance);
    }

    /// Decodes from the start of `buffer`, up to the end of a piece of content.
    pub(crate) fn decode(&mut self, buffer: &[u8], limits: &Limits) -> Result<Chunk, Reject> {
        let mut at = 0;
        loop {
            if let State::Trailers(scan) = &mut self.state {
                return Ok(match end_of_trailers(scan, &buffer[at..], limits)? {
                    Some(length) => Chunk::End(at..at + length),
                    None => Chunk::NeedMore { consumed: at },
                });
            }
            let Some(&byte) = buffer.get(at) else {
                return Ok(Chunk::NeedMore { consumed: at });
            };
            if self.state == State::Data {
                return Ok(Chunk::Data(self.take(at, buffer.len())));
            }
            self.step(byte, limits)?;
            at += 1;
        }
    }

    /// As much of the chunk as lies between `at` and `end`.
    fn take(&mut self, at: usize, end: usize) -> Range<usize> {
        let here = usize::try_from(self.left).map_or(end - at, |left| left.min(end - at));
        self.left -= here as u64;
        if self.left == 0 {
            self.state = State::DataCarriageReturn;
        }
        at..at + here
    }

    /// Goes over one byte of framing.
    fn step(&mut self, byte: u8, limits: &Limits) -> Result<(), Reject> {
        self.state = match (self.state, byte) {
            (State::DataCarriageReturn, b'\r') => State::DataLineFeed,
            (State::DataLineFeed, b'\n') => State::Size { digits: 0 },
            (State::DataCarriageReturn | State::DataLineFeed, _) => {
                return Err(Reject::bad("a chunk does not end with CRLF"));
            }
            (State::SizeLineFeed, b'\n') => return self.begin_chunk(),
            (state, byte) => {
                self.count(state, limits)?;
                self.step_in_line(state, byte)?
            }
        };
        Ok(())
    }

    /// Goes over one byte of a size line.
    fn step_in_line(&mut self, state: State, byte: u8) -> Result<State, Reject> {
        match (state, byte) {
            (State::Size { digits }, byte) if byte.is_ascii_hexdigit() => {
                self.add_digit(digits, byte)
            }
            (State::Size { digits: 0 }, _) => Err(Reject::bad("a chunk has no size")),
            (State::Size { .. } | State::Extension, b'\r') => Ok(State::SizeLineFeed),
            (State::Size { .. } | State::BeforeExtension, b';') => Ok(State::Extension),
            (State::Size { .. } | State::BeforeExtension, b' ' | b'\t') => {
                Ok(State::BeforeExtension)
            }
            (State::Extension, b'\t' | b' '..=b'~' | 0x80..) => Ok(State::Extension),
            (State::SizeLineFeed, _) | (State::Extension, b'\n') => Err(Reject::bad(
                "the size line of a chunk does not end with CRLF",
            )),
            _ => Err(Reject::bad("the size line of a chunk is malformed")),
        }
    }

    /// Bounds what carries no content: one line, and all extensions of the body.
    fn count(&mut self, state: State, limits: &Limits) -> Result<(), Reject> {
        self.line_bytes = self.line_bytes.saturating_add(1);
        if matches!(state, State::BeforeExtension | State::Extension) {
            self.extension_bytes = self.extension_bytes.saturating_add(1);
        }
        if self.line_bytes >= limits.chunk_line_bytes
            || self.extension_bytes > limits.chunk_extension_bytes
        {
            return Err(Reject::bad("chunk extensions are too long"));
        }
        Ok(())
    }

    /// RFC 9112 7.1: "recipients MUST anticipate potentially large hexadecimal
    /// numerals and prevent parsing errors due to integer conversion overflows".
    fn add_digit(&mut self, digits: u8, byte: u8) -> Result<State, Reject> {
        const MOST_DIGITS: u8 = (u64::BITS / 4) as u8;
        if digits == MOST_DIGITS {
            return Err(Reject::bad("the size of a chunk is too large a number"));
        }
        let digit = char::from(byte).to_digit(16).unwrap_or_default();
        self.left = self.left << 4 | u64::from(digit);
        Ok(State::Size { digits: digits + 1 })
    }

    /// After the size line.
    fn begin_chunk(&mut self) -> Result<(), Reject> {
        self.line_bytes = 0;
        self.allowance = self
            .allowance
            .checked_sub(self.left)
            .ok_or(Reject::too_large("the content is too large"))?;
        self.state = match self.left {
            0 => State::Trailers(Scan::default()),
            _ => State::Data,
        };
        Ok(())
    }
}

fn end_of_trailers(
    scan: &mut Scan,
    section: &[u8],
    limits: &Limits,
) -> Result<Option<usize>, Reject> {
    let bounds = Bounds {
        first_line: limits.trailer_bytes,
        whole: limits.trailer_bytes,
    };
    let end = scan.advance(section, bounds).map_err(|error| match error {
        ScanError::BareLineFeed => Reject::bad("a line of the trailers does not end with CRLF"),
        ScanError::FirstLineTooLong | ScanError::TooLong => {
            Reject::fields_too_large("the trailers are too large")
        }
    })?;
    if let Some(end) = end {
        trailers::check(&section[..end])?;
    }
    Ok(end)
}
