//! What every handshake of a server is held with: versions, protocols, and the
//! certificate for the name that the client asks for.

use super::error::TlsError;
use super::identity::Identity;
use rustls::crypto::ring::{Ticketer, default_provider};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, ServerConnection};
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

/// The protocols over TLS, the better one first (RFC 7301).
pub(crate) const HTTP_2: &[u8] = b"h2";
const HTTP_1_1: &[u8] = b"http/1.1";

/// What was encrypted and not sent yet, of one connection. Beyond it a connection
/// takes no more, so that a client that does not read holds no more memory.
const SEALED_BYTES: usize = 64 * 1024;

/// Which identity is for whom.
#[derive(Debug, Clone)]
pub struct Certificates {
    default: Identity,
    /// Hosts in lower case, and theirs.
    named: Vec<(String, Identity)>,
}

/// Holds handshakes; shared by all loops of a server.
#[derive(Clone)]
pub struct Acceptor {
    config: Arc<ServerConfig>,
    current: Arc<Current>,
}

/// The certificates that are in force.
#[derive(Debug)]
struct Current(RwLock<Arc<Certificates>>);

impl Certificates {
    /// One for everybody.
    pub fn new(default: Identity) -> Self {
        Self {
            default,
            named: Vec::new(),
        }
    }

    /// The same, with another for clients that ask for `host`.
    #[must_use]
    pub fn with(mut self, host: &str, identity: Identity) -> Self {
        self.named.push((host.to_ascii_lowercase(), identity));
        self
    }

    /// For clients that ask for no other.
    pub fn default_identity(&self) -> &Identity {
        &self.default
    }

    fn choose(&self, name: Option<&str>) -> &Identity {
        // The name comes in lower case (RFC 6066 3 leaves it to us).
        let find = |name: &str| self.named.iter().find(|(host, _)| host == name);
        name.and_then(find)
            .map_or(&self.default, |(_, identity)| identity)
    }
}

impl Acceptor {
    /// Who serves with `certificates`. TLS 1.2 and 1.3 with ciphers that
    /// authenticate what they encrypt, and no others.
    ///
    /// # Errors
    /// The system gives no randomness.
    pub fn new(certificates: Certificates) -> Result<Self, TlsError> {
        let current = Arc::new(Current(RwLock::new(Arc::new(certificates))));
        let resolver: Arc<Current> = Arc::clone(&current);
        let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(resolver);
        config.alpn_protocols = vec![HTTP_2.to_vec(), HTTP_1_1.to_vec()];
        // A client that comes back to another loop is known there as well.
        config.ticketer = Ticketer::new()?;
        Ok(Self {
            config: Arc::new(config),
            current,
        })
    }

    /// Other certificates for every handshake from now on.
    pub fn replace(&self, certificates: Certificates) {
        *self
            .current
            .0
            .write()
            .unwrap_or_else(PoisonError::into_inner) = Arc::new(certificates);
    }

    /// A connection whose handshake is to begin.
    pub(crate) fn begin(&self) -> ServerConnection {
        let mut connection = ServerConnection::new(Arc::clone(&self.config))
            .expect("only a size of fragments that is out of range is refused, and none is set");
        connection.set_buffer_limit(Some(SEALED_BYTES));
        connection
    }
}

impl fmt::Debug for Acceptor {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the keys of tickets.
        out.debug_struct("Acceptor").finish_non_exhaustive()
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let certificates = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let identity = certificates.choose(hello.server_name());
        Some(Arc::clone(&identity.certified))
    }
}
