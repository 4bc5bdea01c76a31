//! HTTP/2 over TLS: hyper's engine on the loop's own runtime, with the loop's handler,
//! clock and counts.
//!
//! Frames, streams and windows are hyper's. What is ours is what a connection may
//! cost (the constants below), how long it may wait ([`streams`]), and that handlers
//! see no difference: `head` hands them a request in the form of HTTP/1.1, `content`
//! sends what they answered.

mod content;
mod head;
mod request;
mod streams;

use super::handler::Handler;
use super::sealed::SealedStream;
use super::switched::Place;
use crate::h1::Limits;
use crate::models::Phase;
use hyper::server::conn::http2::Builder;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use request::Requests;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;
use streams::{Streams, Verdict};

/// Requests of one connection that are answered at the same time. RFC 9113 6.5.2
/// recommends no less than 100; browsers are content with that.
const MAX_STREAMS: u32 = 100;

/// Content that a client may send ahead of the service that reads it, for one request
/// and for all of a connection. It is what a slow service costs in memory, and half a
/// millisecond of a fast network.
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;

/// What one response holds in memory while its client does not take it; with as many
/// streams as there may be, 6.25 MiB for one connection.
const SEND_BUFFER_BYTES: usize = 64 * 1024;

/// Streams that a client has reset before they were looked at. A client that changes
/// its mind has a few; more of them are an attack (CVE-2023-44487), and the
/// connection ends.
const MAX_PENDING_RESETS: usize = 20;

/// Streams that this server has reset because of what the client did; more of them
/// are an attack (CVE-2025-8671), and the connection ends.
const MAX_CAUSED_RESETS: usize = 256;

/// How often a client is asked whether it is still there, and how long it may take
/// to say so: a request whose answer takes its time must not wait for nobody.
const PING_EVERY: Duration = Duration::from_secs(30);
const PING_PATIENCE: Duration = Duration::from_secs(20);

/// Serves one connection to its end; its preface has not been read.
pub(super) async fn serve<H: Handler>(place: Place<H>, stream: SealedStream, peer: SocketAddr) {
    let turn = &place.0;
    let streams = Rc::new(Streams::new(turn.seconds()));
    let requests = Rc::new(Requests::new(Rc::clone(turn), peer, Rc::clone(&streams)));
    let service = service_fn(move |request| Rc::clone(&requests).answer(request));
    let stream = TokioIo::new(stream);
    let connection = builder(turn.settings.limits).serve_connection(stream, service);
    let mut connection = pin!(connection);
    let mut is_ending = false;
    loop {
        let phase_changed = turn.phase_changed();
        let verdict = if turn.phase() == Phase::Serving || is_ending {
            streams.judge(turn.seconds(), &turn.settings.timeouts, is_ending)
        } else {
            Verdict::End
        };
        let patience = match verdict {
            Verdict::Wait(duration) => duration,
            Verdict::End => {
                is_ending = true;
                connection.as_mut().graceful_shutdown();
                turn.settings.timeouts.linger
            }
            Verdict::Cut => return,
        };
        tokio::select! {
            biased;
            // How it ended is the client's affair.
            _ = connection.as_mut() => return,
            () = phase_changed => {}
            () = tokio::time::sleep(patience) => {}
        }
    }
}

fn builder(limits: Limits) -> Builder<Local> {
    let mut builder = Builder::new(Local);
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER_BYTES)
        .max_header_list_size(limits.head_bytes)
        .max_pending_accept_reset_streams(MAX_PENDING_RESETS)
        .max_local_error_reset_streams(MAX_CAUSED_RESETS)
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_PATIENCE);
    builder
}

/// Runs what hyper wants to be run on the loop that runs now.
#[derive(Clone, Copy)]
struct Local;

impl<F> hyper::rt::Executor<F> for Local
where
    F: Future<Output = ()> + 'static,
{
    fn execute(&self, future: F) {
        tokio::task::spawn_local(future);
    }
}
