//! Finding the frames in a stream that arrives in any pieces. What is in a frame
//! is [`super::Frame`]'s.

use super::{Frame, HEADER_BYTES, WireError};
use base::limits;
use bytes::{Buf, Bytes, BytesMut};

/// Cuts a byte stream into frames, whatever pieces it arrives in. Content that
/// lies in one of them is not copied: a frame holds on to the piece it came in.
///
/// Holds at most one frame beyond what it was given: a header that promises
/// more than [`limits::FRAME_BYTES`] is refused before its payload is awaited.
#[derive(Debug, Default)]
pub struct Decoder {
    /// The beginning of a frame that goes on in `rest`.
    begun: BytesMut,
    /// What is left of the last piece.
    rest: Bytes,
}

impl Decoder {
    /// A decoder at the start of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes of the stream.
    pub fn push(&mut self, bytes: Bytes) {
        self.begun.extend_from_slice(&self.rest);
        self.rest = bytes;
    }

    /// Bytes held that are not yet a frame given out.
    pub fn buffered(&self) -> usize {
        self.begun.len() + self.rest.len()
    }

    /// The next whole frame, or `None` until more bytes come.
    ///
    /// # Errors
    /// [`WireError`]; the stream cannot be read further.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, WireError> {
        if !self.begun.is_empty() {
            return self.next_begun();
        }
        let Some(header) = self.rest.first_chunk() else {
            return Ok(None);
        };
        let (kind, length) = read_header(*header)?;
        if self.rest.len() < HEADER_BYTES + length {
            return Ok(None);
        }
        self.rest.advance(HEADER_BYTES);
        Frame::decode(kind, self.rest.split_to(length)).map(Some)
    }

    /// The next frame when it began in an earlier piece.
    fn next_begun(&mut self) -> Result<Option<Frame>, WireError> {
        self.complete_begun(HEADER_BYTES);
        let Some(header) = self.begun.first_chunk() else {
            return Ok(None);
        };
        let (kind, length) = read_header(*header)?;
        self.complete_begun(HEADER_BYTES + length);
        if self.begun.len() < HEADER_BYTES + length {
            return Ok(None);
        }
        self.begun.advance(HEADER_BYTES);
        Frame::decode(kind, self.begun.split_to(length).freeze()).map(Some)
    }

    /// Moves bytes over until `begun` has `length`, as far as there are any.
    fn complete_begun(&mut self, length: usize) {
        let lacking = length.saturating_sub(self.begun.len());
        let come = self.rest.split_to(lacking.min(self.rest.len()));
        self.begun.extend_from_slice(&come);
    }

    /// Checks that the stream ended between two frames.
    ///
    /// # Errors
    /// [`WireError::Cut`].
    pub fn end(&self) -> Result<(), WireError> {
        match self.buffered() {
            0 => Ok(()),
            left => Err(WireError::Cut(left)),
        }
    }
}

/// Kind and payload length of a frame.
fn read_header(header: [u8; HEADER_BYTES]) -> Result<(u8, usize), WireError> {
    let [a, b, c, d, kind] = header;
    let length = u32::from_le_bytes([a, b, c, d]);
    if length as usize > limits::FRAME_BYTES {
        return Err(WireError::TooLong(length));
    }
    Ok((kind, length as usize))
}
