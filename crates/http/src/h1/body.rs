//! The content of a request, by the framing that its head decided.
//!
//! Content is never copied: it is named as ranges of the driver's buffer. Read on
//! in [`super::chunked`].

use std::ops::Range;

use super::chunked::{Chunk, Chunked};
use super::head::Framing;
use super::limits::Limits;
use super::reject::Reject;

/// What the bytes at the start of the buffer were.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BodyStep {
    /// More bytes are needed; the first `consumed` are done with.
    NeedMore {
        /// How many bytes at the start of the buffer were framing.
        consumed: usize,
    },
    /// The client waits for [`super::Connection::send_continue`] before it sends
    /// anything.
    ContinueDue,
    /// This range of the buffer is content; all up to its end is done with.
    Data(Range<usize>),
    /// The content is whole. The range holds the trailer section, for
    /// [`super::trailer_fields`]; all up to its end is done with.
    End(Range<usize>),
}

impl BodyStep {
    /// How many bytes at the start of the buffer are done with.
    #[must_use]
    pub fn consumed(&self) -> usize {
        match self {
            Self::NeedMore { consumed } => *consumed,
            Self::ContinueDue => 0,
            Self::Data(range) | Self::End(range) => range.end,
        }
    }
}

/// Reads one body.
#[derive(Clone, Copy, Debug)]
pub(super) enum BodyReader {
    Length { left: u64 },
    Chunked(Chunked),
}

impl BodyReader {
    /// A reader for `framing`, if it has content at all.
    #[inline]
    pub(super) fn new(framing: Framing, limits: &Limits) -> Result<Option<Self>, Reject> {
        match framing {
            Framing::None => Ok(None),
            Framing::Length(left) if left > limits.body_bytes => Err(TOO_LARGE),
            Framing::Length(left) => Ok(Some(Self::Length { left })),
            Framing::Chunked => Ok(Some(Self::Chunked(Chunked::new(limits.body_bytes)))),
        }
    }

    /// Lets no more than `most` bytes of content come from here on.
    pub(super) fn limit(&mut self, most: u64) -> Result<(), Reject> {
        match self {
            Self::Length { left } if *left > most => Err(TOO_LARGE),
            Self::Length { .. } => Ok(()),
            Self::Chunked(chunked) => {
                chunked.limit(most);
                Ok(())
            }
        }
    }

    /// How many bytes are still to come, where that was announced.
    pub(super) fn left(&self) -> Option<u64> {
        match self {
            Self::Length { left } => Some(*left),
            Self::Chunked(_) => None,
        }
    }

    pub(super) fn decode(&mut self, buffer: &[u8], limits: &Limits) -> Result<BodyStep, Reject> {
        match self {
            Self::Length { left } => Ok(take(left, buffer.len())),
            Self::Chunked(chunked) => Ok(match chunked.decode(buffer, limits)? {
                Chunk::NeedMore { consumed } => BodyStep::NeedMore { consumed },
                Chunk::Data(range) => BodyStep::Data(range),
                Chunk::End(trailers) => BodyStep::End(trailers),
            }),
        }
    }
}

const TOO_LARGE: Reject = Reject::too_large("the content is too large");

fn take(left: &mut u64, available: usize) -> BodyStep {
    let here = usize::try_from(*left).map_or(available, |left| left.min(available));
    *left -= here as u64;
    match here {
        0 => BodyStep::NeedMore { consumed: 0 },
        _ => BodyStep::Data(0..here),
    }
}
