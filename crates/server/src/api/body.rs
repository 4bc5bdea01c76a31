//! Bodies in both directions, each bounded in bytes and in time: a client that
//! stands still holds a connection, never a worker, and not for long.

use crate::problem::Problem;
use axum::body::Body;
use bytes::Bytes;
use http_body::{Body as _, Frame};
use http_body_util::BodyExt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// A request body may stand still this long.
pub const IDLE: Duration = Duration::from_secs(30);

/// Once a body has been waited for this long in all, it must have come at
/// [`LEAST_RATE`] on average: a trickle would hold an upload's slot for days.
const RATE_GRACE: Duration = Duration::from_secs(60);

/// Bytes per second, a tenth of the slowest line worth having.
const LEAST_RATE: u64 = 1024;

/// A client may refuse to read an answer this long before it is cut off.
const READER_IDLE: Duration = Duration::from_secs(60);

/// Of a refused request's body, so much is read and dropped: more than a client
/// of ours ever has under way.
const DISCARD_BYTES: u64 = 64 << 20;

/// For dropping it, a client gets this long in all.
const DISCARD_TIME: Duration = Duration::from_secs(10);

/// Pieces of an answer that wait for a slow reader, each up to [`PIECE_BYTES`].
const PIECES: usize = 2;

/// Bytes read from or handed to a worker at once: large enough that crossing a
/// thread costs little, small enough that a slow reader holds under 1 MiB.
pub const PIECE_BYTES: usize = 256 * 1024;

/// Memory that is taken for a body before it has come: as much as most bodies have, and
/// no more than a connection may cost anyway.
const COLLECT_AHEAD_BYTES: usize = 32 * 1024;

/// A request body read piece by piece, up to a limit.
pub struct Incoming {
    body: Body,
    left: u64,
    limit: u64,
    /// How long the client was waited for; what workers take does not count.
    waited: Duration,
}

/// The sending half of a streamed answer.
#[derive(Clone)]
pub struct Outgoing(mpsc::Sender<Result<Bytes, BrokenOff>>);

/// The other half: what the engine reads.
struct Streamed {
    pieces: mpsc::Receiver<Result<Bytes, BrokenOff>>,
    /// What must arrive for the answer to be whole, if its length was announced.
    left: Option<u64>,
}

/// A request body that a handler reads and may leave before its end.
struct Lent(Arc<Mutex<Shared>>);

/// What a handler left of a request body.
pub struct Rest(Arc<Mutex<Shared>>);

struct Shared {
    body: Body,
    /// Whether anyone has read of it: the engine then invites a client that
    /// waits with `Expect: 100-continue` to send.
    begun: bool,
}

/// The client stopped reading.
#[derive(Debug, Clone, Copy)]
pub struct Gone;

/// An answer could not be made to its end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BrokenOff(String);

impl Incoming {
    /// Reads `body`, at most `limit` bytes.
    pub const fn new(body: Body, limit: u64) -> Self {
        Self {
            body,
            left: limit,
            limit,
            waited: Duration::ZERO,
        }
    }

    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// [`Problem::TooLong`], [`Problem::Idle`], [`Problem::Slow`] or
    /// [`Problem::Cut`].
    pub async fn next(&mut self) -> Result<Option<Bytes>, Problem> {
        // A length that was announced is refused before it comes.
        if self.body.size_hint().lower() > self.left {
            return Err(Problem::TooLong(self.limit));
        }
        loop {
            let asked = Instant::now();
            let frame = tokio::time::timeout(IDLE, self.body.frame()).await;
            self.waited += asked.elapsed();
            let frame = match frame {
                Err(_) => return Err(Problem::Idle(IDLE.as_secs())),
                Ok(None) => return Ok(None),
                Ok(Some(Err(error))) => return Err(Problem::Cut(error.to_string())),
                Ok(Some(Ok(frame))) => frame,
            };
            // Trailers mean nothing here.
            let Ok(bytes) = frame.into_data() else {
                continue;
            };
            let Some(left) = self.left.checked_sub(bytes.len() as u64) else {
                return Err(Problem::TooLong(self.limit));
            };
            self.left = left;
            self.check_rate()?;
            return Ok(Some(bytes));
        }
    }
}

impl Incoming {
    fn check_rate(&self) -> Result<(), Problem> {
        let least = LEAST_RATE * self.waited.as_secs();
        if self.waited > RATE_GRACE && self.limit - self.left < least {
            return Err(Problem::Slow(LEAST_RATE));
        }
        Ok(())
    }
}

/// Lends `body` to a handler and keeps a hold of what it leaves unread.
pub fn lend(body: Body) -> (Body, Rest) {
    let shared = Arc::new(Mutex::new(Shared { body, begun: false }));
    (Body::new(Lent(Arc::clone(&shared))), Rest(shared))
}

impl Rest {
    /// Reads and drops what was left unread, for a while: a client that is
    /// still writing then reads its answer instead of a reset connection. One
    /// that `waits` to be invited is not.
    pub async fn discard(self, waits: bool) {
        let begun = self.0.lock().unwrap_or_else(PoisonError::into_inner).begun;
        if waits && !begun {
            return;
        }
        let mut body = Incoming::new(Body::new(Lent(self.0)), DISCARD_BYTES);
        let drained = async { while let Ok(Some(_)) = body.next().await {} };
        // Whoever still writes after that has to live with the reset.
        let _ = tokio::time::timeout(DISCARD_TIME, drained).await;
    }
}

impl http_body::Body for Lent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let mut shared = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        shared.begun = true;
        Pin::new(&mut shared.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        let shared = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        shared.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        let shared = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        shared.body.size_hint()
    }
}

/// The whole of a body that may have at most `limit` bytes.
///
/// # Errors
/// As [`Incoming::next`].
pub async fn collect(body: Body, limit: usize) -> Result<Vec<u8>, Problem> {
    // What is announced is believed only as far as it would be taken.
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    let mut whole = Vec::with_capacity(announced.min(limit).min(COLLECT_AHEAD_BYTES));
    let mut incoming = Incoming::new(body, limit as u64);
    while let Some(bytes) = incoming.next().await? {
        whole.extend_from_slice(&bytes);
    }
    Ok(whole)
}

/// A streamed answer: what is sent into the first half leaves through the second.
/// With `length`, an answer that ends short of it is seen by the client as cut.
pub fn stream(length: Option<u64>) -> (Outgoing, Body) {
    let (sender, pieces) = mpsc::channel(PIECES);
    (
        Outgoing(sender),
        Body::new(Streamed {
            pieces,
            left: length,
        }),
    )
}

impl Outgoing {
    /// Sends a piece once there is room for it.
    ///
    /// # Errors
    /// [`Gone`] when the client left or did not read for too long.
    pub async fn send(&self, piece: impl Into<Bytes>) -> Result<(), Gone> {
        self.put(Ok(piece.into())).await
    }

    /// Breaks the answer off, so that the client does not take what it has for all of it.
    ///
    /// # Errors
    /// As [`Outgoing::send`].
    pub async fn break_off(&self, reason: String) -> Result<(), Gone> {
        self.put(Err(BrokenOff(reason))).await
    }

    async fn put(&self, piece: Result<Bytes, BrokenOff>) -> Result<(), Gone> {
        match tokio::time::timeout(READER_IDLE, self.0.send(piece)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Gone),
        }
    }

    /// Returns when the client has gone.
    pub async fn closed(&self) {
        self.0.closed().await;
    }
}

impl http_body::Body for Streamed {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        self.pieces.poll_recv(context).map(|piece| {
            let piece = match piece? {
                Ok(piece) => piece,
                Err(broken_off) => return Some(Err(broken_off)),
            };
            if let Some(left) = &mut self.left {
                *left = left.saturating_sub(piece.len() as u64);
            }
            Some(Ok(Frame::data(piece)))
        })
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.left.map_or_else(
            http_body::SizeHint::default,
            http_body::SizeHint::with_exact,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_client_that_stands_still_is_cut_off() {
        let (outgoing, body) = stream(None);
        outgoing.send("start").await.unwrap();
        let mut incoming = Incoming::new(body, 100);
        assert_eq!(incoming.next().await.unwrap().unwrap(), "start");
        // The sender lives but sends nothing; the paused clock jumps ahead.
        assert!(matches!(incoming.next().await, Err(Problem::Idle(30))));
        drop(outgoing);
    }

    /// Sends `bytes` every 20 s, 20 times; whether all of them were taken.
    async fn drips(bytes: usize) -> bool {
        let (outgoing, body) = stream(None);
        let client = async move {
            for _ in 0..20 {
                tokio::time::sleep(Duration::from_secs(20)).await;
                if outgoing.send(vec![0; bytes]).await.is_err() {
                    return;
                }
            }
        };
        let node = async {
            let mut incoming = Incoming::new(body, 1 << 30);
            loop {
                match incoming.next().await {
                    Ok(Some(_)) => {}
                    Ok(None) => return true,
                    Err(problem) => {
                        assert!(matches!(problem, Problem::Slow(1024)), "{problem}");
                        return false;
                    }
                }
            }
        };
        tokio::join!(client, node).1
    }

    #[tokio::test(start_paused = true)]
    async fn a_trickle_is_cut_off() {
        assert!(drips(20 * 1024 + 100).await);
        assert!(!drips(20 * 1024 - 100).await);
        assert!(!drips(1).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_stands_still_is_left() {
        let (outgoing, body) = stream(None);
        for _ in 0..PIECES {
            outgoing.send("piece").await.unwrap();
        }
        assert!(outgoing.send("one too many").await.is_err());
        drop(body);
        outgoing.closed().await;
    }

    #[tokio::test]
    async fn an_answer_that_breaks_off_is_not_taken_for_a_whole_one() {
        let (outgoing, body) = stream(None);
        outgoing.send("piece").await.unwrap();
        outgoing
            .break_off("it is damaged".to_owned())
            .await
            .unwrap();
        drop(outgoing);
        let broken = collect(body, 100).await;
        assert!(matches!(broken, Err(Problem::Cut(reason)) if reason == "it is damaged"));
    }

    #[tokio::test]
    async fn a_length_beyond_the_limit_is_refused_before_it_comes() {
        let (outgoing, body) = stream(Some(6));
        assert!(matches!(collect(body, 5).await, Err(Problem::TooLong(5))));
        outgoing.closed().await;
    }

    #[tokio::test]
    async fn bodies_are_bounded() {
        let whole = collect(Body::from("12345"), 5).await.unwrap();
        assert_eq!(whole, b"12345");
        assert!(matches!(
            collect(Body::from("123456"), 5).await,
            Err(Problem::TooLong(5))
        ));
    }
}
