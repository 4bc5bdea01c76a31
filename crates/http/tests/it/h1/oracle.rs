//! Messages as this core and hyper understand them.
//!
//! What both accept they must understand alike; how many each accepts is the callers'
//! business, `differential` and the fuzz target, which uses this file too.

use std::cmp::Ordering;
use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use http_body_util::{BodyExt, Empty};
use httpd::h1::Limits;
use hyper::body::{Bytes, Incoming};
use hyper::rt::ReadBufCursor;
use hyper::service::service_fn;

use super::observe::{Seen, SeenHead, observe};

/// Lets both sides read `message`: how many requests both understood, and whether this
/// core found fewer than hyper, or more.
///
/// # Panics
/// When they understand a request differently.
pub fn compare(message: &[u8]) -> (usize, Ordering) {
    let (ours, hypers) = (ours(message), hypers(message));
    let mut both = 0;
    for (one, other) in ours.iter().zip(&hypers) {
        assert_eq!(one, other, "{}", message.escape_ascii());
        both += 1;
    }
    (both, ours.len().cmp(&hypers.len()))
}

/// A whole request, as either side understood it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Understood {
    method: String,
    target: String,
    fields: Vec<(String, Vec<u8>)>,
    content: Vec<u8>,
}

/// The whole requests that this core finds in `message`.
fn ours(message: &[u8]) -> Vec<Understood> {
    let seen = observe(Limits::default(), [message]);
    seen.windows(3)
        .filter_map(|seen| match seen {
            [Seen::Head(head), Seen::Content(content), Seen::End(_)] => {
                Some(understood(head, content.clone()))
            }
            _ => None,
        })
        .collect()
}

fn understood(head: &SeenHead, content: Vec<u8>) -> Understood {
    let fields = head.fields.iter();
    let mut fields: Vec<_> = fields
        .map(|(name, value)| (name.to_ascii_lowercase(), value.clone()))
        .collect();
    fields.sort_by(|one, other| one.0.cmp(&other.0));
    let target: http::Uri = head.target.parse().expect("an accepted target is a URI");
    Understood {
        method: head.method.clone(),
        target: target.to_string(),
        fields,
        content,
    }
}

/// The whole requests that hyper finds in `message`.
fn hypers(message: &[u8]) -> Vec<Understood> {
    let found = Arc::new(Mutex::new(Vec::new()));
    let service = service_fn(|request: http::Request<Incoming>| {
        let found = Arc::clone(&found);
        async move {
            let (parts, body) = request.into_parts();
            if let Ok(content) = body.collect().await {
                let content = content.to_bytes().to_vec();
                let request = understood_by_hyper(&parts, content);
                found.lock().expect("no panic in between").push(request);
            }
            Ok::<_, Infallible>(http::Response::new(Empty::<Bytes>::new()))
        }
    });
    let wire = Wire {
        input: message.to_vec(),
    };
    let connection = hyper::server::conn::http1::Builder::new()
        .half_close(true)
        .serve_connection(wire, service);
    run(connection);
    Arc::try_unwrap(found)
        .expect("the connection is gone")
        .into_inner()
        .expect("no panic in between")
}

fn understood_by_hyper(parts: &http::request::Parts, content: Vec<u8>) -> Understood {
    let fields = parts.headers.iter();
    let mut fields: Vec<_> = fields
        .map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()))
        .collect();
    fields.sort_by(|one, other| one.0.cmp(&other.0));
    Understood {
        method: parts.method.to_string(),
        target: parts.uri.to_string(),
        fields,
        content,
    }
}

/// Polls to the end; nothing on the wire ever has to be waited for.
fn run(future: impl Future) {
    const POLLS: usize = 10_000;
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    let done = (0..POLLS).any(|_| future.as_mut().poll(&mut context).is_ready());
    assert!(done, "hyper came to no end");
}

/// A client that has sent everything at once and takes every answer.
struct Wire {
    input: Vec<u8>,
}

impl hyper::rt::Read for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<std::io::Result<()>> {
        let length = buffer.remaining().min(self.input.len());
        buffer.put_slice(&self.input[..length]);
        self.input.drain(..length);
        Poll::Ready(Ok(()))
    }
}

impl hyper::rt::Write for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
