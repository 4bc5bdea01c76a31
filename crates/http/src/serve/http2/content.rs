//! The content of a response, as hyper takes it; and what is told when it has ended.

use super::streams::Streams;
use crate::files::Part;
use crate::serve::fault;
use crate::serve::handler::{BoxBody, Handler};
use crate::serve::record::Kept;
use crate::serve::turn::Turn;
use bytes::Bytes;
use http::StatusCode;
use http_body::{Body, Frame, SizeHint};
use std::collections::VecDeque;
use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

/// Read of a file at once; see [`super::SEND_BUFFER_BYTES`].
const PIECE_BYTES: usize = 32 * 1024;

/// The content of a response.
pub(super) struct Content<H: Handler> {
    source: Source,
    story: Story<H>,
}

/// Where it comes from.
pub(super) enum Source {
    /// From memory and files, one after another.
    Parts(VecDeque<Part>),
    /// From a service.
    Service(BoxBody),
}

/// A response from its request to its end, however it ends.
pub(super) struct Story<H: Handler> {
    turn: Rc<Turn<H>>,
    streams: Rc<Streams>,
    peer: SocketAddr,
    /// What was asked, if that is to be told.
    pub(super) kept: Option<Kept>,
    pub(super) status: StatusCode,
    bytes: u64,
    /// A piece was given, and no other asked for yet.
    is_untaken: bool,
}

impl<H: Handler> Story<H> {
    pub(super) fn begin(turn: Rc<Turn<H>>, streams: Rc<Streams>, peer: SocketAddr) -> Self {
        streams.begin(turn.seconds());
        Self {
            turn,
            streams,
            peer,
            kept: None,
            status: StatusCode::OK,
            bytes: 0,
            is_untaken: false,
        }
    }

    fn give(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
        self.is_untaken = true;
        self.streams.give(self.turn.seconds());
    }

    fn note_taken(&mut self) {
        if std::mem::take(&mut self.is_untaken) {
            self.streams.take(self.turn.seconds());
        }
    }
}

impl<H: Handler> Drop for Story<H> {
    fn drop(&mut self) {
        self.note_taken();
        self.streams.end(self.turn.seconds());
        if let Some(kept) = &self.kept {
            let asked = Some(kept.asked());
            self.turn
                .tell(self.peer, asked, self.status, self.bytes, kept.begun);
        }
    }
}

impl<H: Handler> Content<H> {
    pub(super) fn new(source: Source, story: Story<H>) -> Self {
        Self { source, story }
    }
}

impl<H: Handler> Body for Content<H> {
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let Self { source, story } = &mut *self;
        story.note_taken();
        let frame = match source {
            Source::Parts(parts) => next_piece(parts).map(|piece| Ok(Frame::data(piece?))),
            Source::Service(body) => {
                let frame = ready!(Pin::new(&mut *body).poll_frame(context));
                if is_empty(frame.as_ref()) && !body.is_end_stream() {
                    // hyper would ask again at once, for ever where that is all that
                    // the service says, and nobody else had a turn.
                    context.waker().wake_by_ref();
                    return Poll::Pending;
                }
                frame
            }
        };
        match &frame {
            Some(Ok(frame)) => story.give(frame.data_ref().map_or(0, Bytes::len)),
            Some(Err(error)) => tracing::warn!("a response broke off: {error}"),
            None => {}
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Parts(parts) => parts.iter().all(|part| part.length() == 0),
            Source::Service(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Parts(parts) => SizeHint::with_exact(parts.iter().map(Part::length).sum()),
            Source::Service(body) => body.size_hint(),
        }
    }
}

/// Whether there is content to come, and nothing of it in this frame.
fn is_empty<E>(frame: Option<&Result<Frame<Bytes>, E>>) -> bool {
    let data = frame.and_then(|frame| frame.as_ref().ok()?.data_ref());
    data.is_some_and(Bytes::is_empty)
}

fn next_piece(parts: &mut VecDeque<Part>) -> Option<io::Result<Bytes>> {
    loop {
        match parts.pop_front()? {
            part if part.length() == 0 => {}
            Part::Bytes(bytes) => return Some(Ok(bytes)),
            Part::File(mut range) => {
                let length = range.span.length.min(PIECE_BYTES as u64) as usize;
                let mut piece = vec![0; length];
                let read = match range.read(&mut piece) {
                    // The file was cut: what was announced cannot be kept.
                    Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
                    read => read,
                };
                let read = match read {
                    Ok(read) => read,
                    Err(error) => {
                        fault::tell(&range, &error);
                        return Some(Err(error));
                    }
                };
                piece.truncate(read);
                range.advance(read as u64);
                parts.push_front(Part::File(range));
                return Some(Ok(piece.into()));
            }
        }
    }
}
