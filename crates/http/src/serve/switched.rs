//! A connection that has left HTTP, in the loop that accepted it: what the service
//! says on it is run here, and bounded.
//!
//! Whatever it says, it ends when nothing has moved for too long, and soon after
//! the server, or a model that needs the place, has asked for an end.

use super::handler::Handler;
use super::turn::Turn;
use super::upgrade::{Closer, Closing, Talk, Upgraded};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::sleep;

/// The place of a connection among those that are open.
pub(super) struct Place<H: Handler>(pub(super) Rc<Turn<H>>);

/// However it ends.
impl<H: Handler> Drop for Place<H> {
    fn drop(&mut self) {
        self.0.leave();
    }
}

/// Lets `talk` have `stream`, which is out of HTTP.
pub(super) async fn run<H: Handler>(
    place: Place<H>,
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    talk: Talk,
) {
    let (closer, closing) = Closing::pair();
    let moved = Arc::new(AtomicU64::new(0));
    let counted = Counted {
        stream,
        moved: Arc::clone(&moved),
    };
    let timeouts = &place.0.settings.timeouts;
    tokio::select! {
        biased;
        () = talk(Upgraded::new(counted, closing)) => {}
        () = end_asked(&place.0, &closer) => {}
        () = fall_silent(&moved, timeouts.silence) => {}
    }
}

/// Ends when the connection was asked to, and did not.
async fn end_asked<H: Handler>(turn: &Turn<H>, closer: &Closer) {
    turn.last_requests().await;
    closer.tell();
    sleep(turn.settings.timeouts.farewell).await;
}

/// Ends when nothing has moved for `patience`, or for twice as long.
async fn fall_silent(moved: &AtomicU64, patience: Duration) {
    let mut before = None;
    loop {
        let now = moved.load(Ordering::Relaxed);
        if before.replace(now) == Some(now) {
            return;
        }
        sleep(patience).await;
    }
}

/// A stream that counts what moves over it, in either direction.
struct Counted<S> {
    stream: S,
    moved: Arc<AtomicU64>,
}

impl<S> Counted<S> {
    fn count(&self, bytes: usize) {
        self.moved.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        self.count(buffer.filled().len() - before);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(context, bytes))?;
        self.count(written);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
