//! How far an answer is when a service has been asked once: most answers are whole
//! then, and need neither a box nor a second visit.
//!
//! What becomes of the others is in [`super::exchange`].

use super::handler::{Answering, BoxBody};
use super::upgrade::Switch;
use crate::files::FileRange;
use bytes::Bytes;
use http::{Response, response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full};
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

/// A longer content is sent piece by piece, as one that is not there yet.
const WHOLE_BYTES: u64 = 64 * 1024;

/// See the module.
pub enum Begun {
    /// The head, and all of the content.
    Whole(response::Parts, Bytes),
    /// The head; the content, or some of it, is still to come.
    Open(Box<Unfinished>),
    /// Nothing yet.
    Awaited(Answering),
}

/// An answer with what was taken of its content already.
#[derive(Debug)]
pub struct Unfinished {
    pub(super) response: Response<BoxBody>,
    pub(super) taken: Taken,
}

/// What a body gave when it was polled, if it was.
pub(super) type Taken = Option<Option<Result<Frame<Bytes>, <BoxBody as Body>::Error>>>;

impl Begun {
    /// With an answer whose head is there. `context` is woken when more of its content
    /// is, if some is missing.
    pub fn with(mut response: Response<BoxBody>, context: &mut Context<'_>) -> Self {
        match whole(&mut response, context) {
            Ok(content) => Self::Whole(response.into_parts().0, content),
            Err(taken) => Self::Open(Box::new(Unfinished { response, taken })),
        }
    }
}

impl Unfinished {
    /// One that is whole, but cannot be sent yet.
    pub(super) fn whole(head: response::Parts, content: Bytes) -> Box<Self> {
        let body = Full::new(content).map_err(|never| match never {});
        Box::new(Self {
            response: Response::from_parts(head, body.boxed_unsync()),
            taken: None,
        })
    }
}

impl fmt::Debug for Begun {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(head, _) => write!(formatter, "Whole({})", head.status),
            Self::Open(open) => write!(formatter, "Open({})", open.response.status()),
            Self::Awaited(_) => formatter.write_str("Awaited"),
        }
    }
}

/// The content of `response`, if it is short and there at once; else what of it was
/// taken.
fn whole(response: &mut Response<BoxBody>, context: &mut Context<'_>) -> Result<Bytes, Taken> {
    let extensions = response.extensions();
    let is_plain = extensions.is_empty()
        || (extensions.get::<FileRange>().is_none() && !Switch::is_in(extensions));
    let length = response.body().size_hint().exact();
    let length = length.filter(|length| is_plain && *length <= WHOLE_BYTES);
    let body = response.body_mut();
    match length {
        None => Err(None),
        Some(_) if body.is_end_stream() => Ok(Bytes::new()),
        Some(length) => match Pin::new(&mut *body).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                Ok(content) if content.len() as u64 == length && body.is_end_stream() => {
                    Ok(content)
                }
                Ok(content) => Err(Some(Some(Ok(Frame::data(content))))),
                Err(frame) => Err(Some(Some(Ok(frame)))),
            },
            Poll::Ready(taken) => Err(Some(taken)),
            Poll::Pending => Err(None),
        },
    }
}
