//! A body that is made when its first piece is asked for.
//!
//! An answer that is a run of a file carries both: the run as an extension, for an
//! engine that gives it to the socket, and the equivalent body, for one that cannot.
//! The first kind never asks for a piece, so nothing is read in vain.

use axum::body::Body;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll};

/// Makes the body, once.
type Make = Box<dyn FnOnce() -> Body + Send>;

enum Lazy {
    /// Nothing has been asked for; of so many bytes.
    Unmade(u64, Make),
    Made(Body),
    /// Between the two.
    Making,
}

/// The body of `length` bytes that `make` makes. It is dropped when its answer has
/// ended, made or not, and with it what `make` holds.
pub fn body(length: u64, make: impl FnOnce() -> Body + Send + 'static) -> Body {
    Body::new(Lazy::Unmade(length, Box::new(make)))
}

impl http_body::Body for Lazy {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if let Self::Unmade(..) = *self
            && let Self::Unmade(_, make) = std::mem::replace(&mut *self, Self::Making)
        {
            *self = Self::Made(make());
        }
        match &mut *self {
            Self::Made(body) => Pin::new(body).poll_frame(context),
            // Only a panic of the maker leaves it so.
            Self::Making | Self::Unmade(..) => Poll::Ready(None),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Unmade(length, _) => SizeHint::with_exact(*length),
            Self::Made(body) => body.size_hint(),
            Self::Making => SizeHint::default(),
        }
    }
}
