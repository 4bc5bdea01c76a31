//! TLS for the agents of `ureq`, which has none that believes a fingerprint: its
//! connections, wrapped by `rustls` where the address says `https`.

use super::trust::{self, TrustError};
use base::Fingerprint;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use std::fmt;
use std::io::{self, Read, Write};
use std::sync::Arc;
use ureq::http::Uri;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, Either, LazyBuffers, NextTimeout, Transport,
    TransportAdapter,
};

/// Wraps the connections of one agent.
#[derive(Debug)]
pub struct Secured {
    config: Arc<ClientConfig>,
}

/// A connection that is wrapped.
pub struct Sealed {
    buffers: LazyBuffers,
    stream: StreamOwned<ClientConnection, TransportAdapter>,
}

impl Secured {
    /// Believes the certificate with `fingerprint` or, without one, any that the web's
    /// authorities vouch for.
    pub fn new(fingerprint: Option<Fingerprint>) -> Self {
        Self {
            config: trust::config(fingerprint),
        }
    }
}

impl<In: Transport> Connector<In> for Secured {
    type Out = Either<In, Sealed>;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, ureq::Error> {
        let Some(transport) = chained else {
            return Ok(None);
        };
        if !details.needs_tls() {
            return Ok(Some(Either::A(transport)));
        }
        let name = server_name(details.uri)?;
        let mut connection = ClientConnection::new(Arc::clone(&self.config), name)
            .map_err(|error| distrusted(&error))?;
        let mut socket =
            TransportAdapter::new(transport.boxed(), Arc::clone(&details.current_time));
        socket.set_timeout(details.timeout);
        connection.complete_io(&mut socket).map_err(failed)?;
        let buffers = LazyBuffers::new(
            details.config.input_buffer_size(),
            details.config.output_buffer_size(),
        );
        Ok(Some(Either::B(Sealed {
            buffers,
            stream: StreamOwned::new(connection, socket),
        })))
    }
}

/// The host, to be asked for by name if it has one (RFC 6066 3).
fn server_name(uri: &Uri) -> Result<ServerName<'static>, ureq::Error> {
    let host = uri.host().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    ServerName::try_from(bare.to_owned()).map_err(|_| ureq::Error::BadUri(uri.to_string()))
}

/// Why a handshake failed: because of who is there, or of the connection.
fn failed(error: io::Error) -> ureq::Error {
    let cause = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match cause {
        Some(cause) => distrusted(cause),
        None => error.into(),
    }
}

fn distrusted(error: &rustls::Error) -> ureq::Error {
    ureq::Error::Other(Box::new(TrustError::from(error)))
}

impl Transport for Sealed {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        self.stream.sock.set_timeout(timeout);
        let output = &self.buffers.output()[..amount];
        self.stream.write_all(output)?;
        Ok(self.stream.flush()?)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        self.stream.sock.set_timeout(timeout);
        let input = self.buffers.input_append_buf();
        let read = self.stream.read(input)?;
        self.buffers.input_appended(read);
        Ok(read > 0)
    }

    fn is_open(&mut self) -> bool {
        self.stream.sock.get_mut().is_open()
    }

    fn is_tls(&self) -> bool {
        true
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the keys.
        out.debug_tuple("Sealed")
            .field(&self.stream.sock.get_ref())
            .finish()
    }
}
