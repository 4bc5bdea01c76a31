//! HTTP as a protocol that the concurrency models can serve.
//!
//! Only the joint: [`super::connection`] drives a connection, [`super::turn`] knows
//! which are open.

use super::connection::serve;
use super::handler::Handler;
use super::turn::Turn;
use crate::models::{Counts, Figures, Phase, Protocol};
use crate::tls::clear;
use std::future::Future;
use std::net::{SocketAddr, TcpStream};
use std::rc::Rc;

/// Without a Date, which a 5xx may lack (RFC 9110 6.6.1).
const BUSY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\n\
    retry-after: 1\r\n\
    connection: close\r\n\
    content-type: text/plain; charset=utf-8\r\n\
    content-length: 20\r\n\
    \r\n\
    Service Unavailable\n";

impl<H: Handler> Protocol for Turn<H> {
    fn serve(
        self: Rc<Self>,
        stream: TcpStream,
        peer: SocketAddr,
    ) -> impl Future<Output = ()> + 'static {
        serve(self, stream, peer)
    }

    async fn watch(self: Rc<Self>) {
        Turn::watch(&self).await;
    }

    fn enter(&self, phase: Phase) {
        self.enter_phase(phase);
    }

    async fn emptied(&self) {
        Turn::emptied(self).await;
    }

    fn busy(&self) -> &'static [u8] {
        match self.is_secured() {
            true => clear::BUSY,
            false => BUSY,
        }
    }

    fn counts(&self) -> Counts {
        Turn::counts(self)
    }

    fn figures(&self) -> Figures {
        self.handler().figures()
    }
}
