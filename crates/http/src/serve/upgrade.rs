//! Leaving HTTP (RFC 9110 7.8): the offer of a request to speak another protocol,
//! and the connection once that was accepted.
//!
//! An engine that can switch puts an [`Upgrade`] into the extensions of a request
//! that offers to. A service accepts by answering [`Upgrade::accept`]: the response
//! carries what is to be said on the connection, and the engine runs that when the
//! 101 is written. So a service does not know which engine it answers through: ours
//! (`switched`), or another that does what [`Switch`] says. What a WebSocket says
//! is in [`crate::websocket`].

use http::{Extensions, HeaderMap, Response, StatusCode};
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;

/// The request offers to switch protocols, and the engine can. To be found in the
/// extensions of the request.
#[derive(Clone, Debug)]
pub struct Upgrade(());

impl Upgrade {
    /// For engines: the connection could switch.
    pub fn offered() -> Self {
        Self(())
    }

    /// The response that switches: a 101 with `fields`, which name the protocol in
    /// `Upgrade`. Then `talk` has the connection until it ends, and the connection
    /// ends with it. A client that has sent anything behind its request gets 400
    /// instead, and `talk` is dropped.
    pub fn accept<B, F>(
        self,
        fields: HeaderMap,
        talk: impl FnOnce(Upgraded) -> F + Send + 'static,
    ) -> Response<B>
    where
        B: Default,
        F: Future<Output = ()> + Send + 'static,
    {
        let talk: Talk = Box::new(|connection| Box::pin(talk(connection)));
        let mut response = Response::new(B::default());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        *response.headers_mut() = fields;
        let switch = Switch(Arc::new(Mutex::new(Some(talk))));
        response.extensions_mut().insert(switch);
        response
    }
}

/// What is said on a connection that has left HTTP.
pub type Talk = Box<dyn FnOnce(Upgraded) -> Talking + Send>;

/// It being said.
pub type Talking = Pin<Box<dyn Future<Output = ()> + Send>>;

/// For engines: what the service says once the 101 is written. It lies in the
/// extensions of a response of [`Upgrade::accept`].
#[derive(Clone)]
pub struct Switch(Arc<Mutex<Option<Talk>>>);

impl Switch {
    /// What is in the extensions of a response; the first who asks gets it.
    pub fn take(extensions: &mut Extensions) -> Option<Talk> {
        let Self(talk) = extensions.remove()?;
        talk.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Whether [`Switch::take`] could find one.
    pub(super) fn is_in(extensions: &Extensions) -> bool {
        extensions.get::<Self>().is_some()
    }
}

impl fmt::Debug for Switch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Switch")
    }
}

/// A connection that has left HTTP: bytes in both directions, from the first one
/// behind the head of the 101.
pub struct Upgraded {
    stream: Box<dyn Stream>,
    closing: Closing,
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

impl Upgraded {
    /// For engines: `stream` begins with the bytes that were read behind the head of
    /// the request, if there are any.
    pub fn new(
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        closing: Closing,
    ) -> Self {
        Self {
            stream: Box::new(stream),
            closing,
        }
    }

    /// When it must say goodbye.
    pub fn closing(&self) -> Closing {
        self.closing.clone()
    }
}

impl fmt::Debug for Upgraded {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Upgraded")
    }
}

impl AsyncRead for Upgraded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Upgraded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// Whether the server ends, or others need the place of the connection. Who is told
/// has a few seconds for its last words ([`super::Timeouts::farewell`]).
#[derive(Clone, Debug)]
pub struct Closing(watch::Receiver<bool>);

/// For engines: the other end of a [`Closing`].
#[derive(Debug)]
pub struct Closer(watch::Sender<bool>);

impl Closing {
    /// A pair.
    pub fn pair() -> (Closer, Self) {
        let (sender, receiver) = watch::channel(false);
        (Closer(sender), Self(receiver))
    }

    /// Ends when the connection is to end. An engine that is gone needs not say so.
    pub async fn told(&mut self) {
        // An error is that.
        let _ = self.0.wait_for(|is_told| *is_told).await;
    }
}

impl Closer {
    /// Tells it.
    pub fn tell(&self) {
        self.0.send_replace(true);
    }
}
