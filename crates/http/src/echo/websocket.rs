//! Echo over WebSockets: every message comes back, whatever the path.
//!
//! An HTTP handler like any other, so that it runs on every model, and the test
//! server for judges of the protocol. What a WebSocket is, is [`crate::websocket`]'s.

use crate::files::{Answer, Moment};
use crate::h1::RequestHead;
use crate::serve::{Answering, Handler, Incoming};
use crate::websocket::{self, Refusal, Settings};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use std::future::ready;
use std::net::SocketAddr;

/// The longest message that comes back. A connection may hold two of them.
pub const MESSAGE_BYTES: usize = 16 << 20;

/// See the module.
#[derive(Clone, Copy, Debug, Default)]
pub struct Messages;

impl Handler for Messages {
    fn file(&self, _: &RequestHead<'_, '_>, _: Moment) -> Option<Answer> {
        None
    }

    fn call(&self, _: SocketAddr, request: Request<Incoming>) -> Answering {
        let response = answer(request).unwrap_or_else(Refusal::response);
        let body = |text: String| Full::new(Bytes::from(text));
        let response =
            response.map(|text| body(text).map_err(|never| match never {}).boxed_unsync());
        Box::pin(ready(response))
    }
}

fn answer(request: Request<Incoming>) -> Result<Response<String>, Refusal> {
    let (request, _) = request.into_parts();
    let handshake = websocket::handshake(&request, &[], |_, _| true)?;
    let settings = Settings {
        message_bytes: MESSAGE_BYTES,
        ..Settings::default()
    };
    websocket::accept(&request, handshake, settings, websocket::echo)
}
