//! WebSockets (RFC 6455): how one is opened ([`handshake`]), and messages over it
//! ([`WebSocket`]).
//!
//! Frames are `tungstenite`'s business. This adds what a server owes its clients
//! and itself: bounds, pings that find out who has gone, an end that both sides
//! know of. How a connection leaves HTTP is [`crate::serve::Upgrade`]'s.

mod handshake;
mod session;

pub use handshake::{Handshake, Refusal, handshake, same_origin};
pub use session::{Message, Settings, WebSocket, WebSocketError};
pub use tokio_tungstenite::tungstenite::Utf8Bytes;
pub use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use crate::serve::Upgrade;
use http::Response;
use http::request::Parts;
use std::future::Future;

/// The response that opens a WebSocket, on which `talk` then speaks: for handlers
/// that find nothing wrong with [`handshake`].
///
/// # Errors
/// The connection cannot switch: it is HTTP/2, or the engine does not.
pub fn accept<B, F>(
    request: &Parts,
    handshake: Handshake,
    settings: Settings,
    talk: impl FnOnce(WebSocket) -> F + Send + 'static,
) -> Result<Response<B>, Refusal>
where
    B: Default,
    F: Future<Output = ()> + Send + 'static,
{
    let upgrade = request.extensions.get::<Upgrade>();
    let upgrade = upgrade.cloned().ok_or(Refusal::NotOffered)?;
    Ok(
        upgrade.accept(handshake.fields, move |connection| async move {
            talk(WebSocket::new(connection, settings).await).await;
        }),
    )
}

/// Sends back every message, until the client has said goodbye.
pub async fn echo(mut socket: WebSocket) {
    loop {
        match socket.receive().await {
            Ok(Some(message)) => {
                if socket.send(message).await.is_err() {
                    return;
                }
            }
            Ok(None) => return,
            Err(error) => {
                tracing::info!("a WebSocket broke off: {error}");
                return;
            }
        }
    }
}
