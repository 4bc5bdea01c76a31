//! The content of a request, as a service reads it.
//!
//! The connection puts one piece at a time into a slot and reads the next only when
//! that was taken: a service that does not read holds its client back, and the node
//! no memory. Who fills the slot is [`super::exchange`].

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// The content of a request.
#[derive(Debug)]
pub struct Incoming {
    slot: Option<Arc<Slot>>,
    length: Option<u64>,
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
            slot: None,
            length: Some(0),
        }
    }

    /// Content that comes through `slot`; `length` when it was announced.
    pub(super) fn from_slot(slot: Arc<Slot>, length: Option<u64>) -> Self {
        Self {
            slot: Some(slot),
            length,
        }
    }
}

impl Body for Incoming {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &self.slot {
            None => Poll::Ready(None),
            Some(slot) => slot.poll_take(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.slot.as_ref().is_none_or(|slot| {
            let state = slot.lock();
            state.has_ended && state.piece.is_none()
        })
    }

    fn size_hint(&self) -> SizeHint {
        self.length
            .map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if let Some(slot) = &self.slot {
            let mut state = slot.lock();
            state.is_dropped = true;
            state.piece = None;
            wake(&mut state.connection);
        }
    }
}

impl Slot {
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
