//! The content of a request, as a service reads it.
//!
//! The connection puts one piece at a time into a slot and reads the next only when
//! that was taken: a service that does not read holds its client back, and the node
//! no memory. Who fills the slot is [`super::exchange`]. Content of HTTP/2 has the
//! windows of its engine instead of a slot.

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::time::{Sleep, sleep};

/// The content of a request.
#[derive(Debug)]
pub struct Incoming {
    source: Source,
    /// What is still to come, if its length was announced.
    left: Option<u64>,
}

/// Where it comes from.
#[derive(Debug)]
enum Source {
    Nowhere,
    Slot(Arc<Slot>),
    Http2(Box<Http2>),
}

/// The content of a request of HTTP/2.
#[derive(Debug)]
struct Http2 {
    body: hyper::body::Incoming,
    /// How long any byte of it may take.
    patience: Duration,
    /// Runs while the service waits.
    late: Option<Pin<Box<Sleep>>>,
    /// Bytes that may still come.
    left: u64,
}

/// Why the content of a request did not come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// It is not well-formed, or longer than allowed.
    #[error("the content of the request was refused: {0}")]
    Refused(&'static str),
    /// The connection broke, or the client was too slow.
    #[error("the connection ended before the content of the request did")]
    CutOff,
}

/// Where the pieces change hands.
#[derive(Debug, Default)]
pub(super) struct Slot(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    piece: Option<Result<Frame<Bytes>, BodyError>>,
    /// Nothing comes after what is in the slot.
    has_ended: bool,
    /// The service waits for a piece.
    is_wanted: bool,
    /// The service let go of the body.
    is_dropped: bool,
    service: Option<Waker>,
    connection: Option<Waker>,
}

impl Incoming {
    /// No content.
    pub fn empty() -> Self {
        Self {
            source: Source::Nowhere,
            left: Some(0),
        }
    }

    /// Content that comes through `slot`; `length` when it was announced.
    pub(super) fn from_slot(slot: Arc<Slot>, length: Option<u64>) -> Self {
        Self {
            source: Source::Slot(slot),
            left: length,
        }
    }

    /// Content of HTTP/2, any byte of which may take `patience`, and of which there may
    /// be `most` bytes.
    pub(super) fn from_http_2(body: hyper::body::Incoming, patience: Duration, most: u64) -> Self {
        if body.is_end_stream() {
            return Self::empty();
        }
        Self {
            left: body.size_hint().exact(),
            source: Source::Http2(Box::new(Http2 {
                body,
                patience,
                late: None,
                left: most,
            })),
        }
    }
}

impl Body for Incoming {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let taken = match &mut self.source {
            Source::Nowhere => Poll::Ready(None),
            Source::Slot(slot) => slot.poll_take(context),
            Source::Http2(content) => content.poll_take(context),
        };
        if let Poll::Ready(Some(Ok(frame))) = &taken
            && let (Some(left), Some(piece)) = (self.left, frame.data_ref())
        {
            self.left = Some(left.saturating_sub(piece.len() as u64));
        }
        taken
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Nowhere => true,
            Source::Slot(slot) => slot.has_ended(),
            Source::Http2(content) => content.body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.left
            .map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if let Source::Slot(slot) = &self.source {
            let mut state = slot.lock();
            state.is_dropped = true;
            state.piece = None;
            wake(&mut state.connection);
        }
    }
}

impl Http2 {
    fn poll_take(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) else {
            let patience = self.patience;
            let late = self.late.get_or_insert_with(|| Box::pin(sleep(patience)));
            return late
                .as_mut()
                .poll(context)
                .map(|()| Some(Err(BodyError::CutOff)));
        };
        self.late = None;
        let Some(frame) = frame else {
            return Poll::Ready(None);
        };
        let Ok(frame) = frame else {
            return Poll::Ready(Some(Err(BodyError::CutOff)));
        };
        let length = frame.data_ref().map_or(0, Bytes::len) as u64;
        match self.left.checked_sub(length) {
            Some(left) => self.left = left,
            None => return Poll::Ready(Some(Err(BodyError::Refused("the content is too large")))),
        }
        Poll::Ready(Some(Ok(frame)))
    }
}

impl Slot {
    fn has_ended(&self) -> bool {
        let state = self.lock();
        state.has_ended && state.piece.is_none()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change is one assignment: a panic leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn poll_take(
        &self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let mut state = self.lock();
        if let Some(piece) = state.piece.take() {
            return Poll::Ready(Some(piece));
        }
        if state.has_ended {
            return Poll::Ready(None);
        }
        state.is_wanted = true;
        state.service = Some(context.waker().clone());
        wake(&mut state.connection);
        Poll::Pending
    }

    /// Whether the service waits for a piece; if not, `context` is woken when it does.
    pub(super) fn poll_wanted(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        if state.is_wanted && !state.is_dropped {
            return Poll::Ready(());
        }
        state.connection = Some(context.waker().clone());
        Poll::Pending
    }

    pub(super) fn put(&self, content: Bytes) {
        self.give(Ok(Frame::data(content)), false);
    }

    pub(super) fn end(&self, trailers: HeaderMap) {
        if trailers.is_empty() {
            let mut state = self.lock();
            state.has_ended = true;
            wake(&mut state.service);
        } else {
            self.give(Ok(Frame::trailers(trailers)), true);
        }
    }

    pub(super) fn fail(&self, error: BodyError) {
        self.give(Err(error), true);
    }

    fn give(&self, piece: Result<Frame<Bytes>, BodyError>, is_last: bool) {
        let mut state = self.lock();
        state.piece = Some(piece);
        state.is_wanted = false;
        state.has_ended = is_last;
        wake(&mut state.service);
    }
}

fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;

    /// Whoever bounds a body compares what is still to come with what may come.
    #[test]
    fn its_length_is_what_is_left() {
        let slot = Arc::<Slot>::default();
        let mut incoming = pin!(Incoming::from_slot(Arc::clone(&slot), Some(5)));
        let mut context = Context::from_waker(Waker::noop());
        for (piece, left) in [("abc", 2), ("de", 0)] {
            slot.put(Bytes::from_static(piece.as_bytes()));
            assert!(incoming.as_mut().poll_frame(&mut context).is_ready());
            assert_eq!(incoming.size_hint().exact(), Some(left));
        }
    }
}
