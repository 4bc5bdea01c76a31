//! Whom a client believes: the certificate with one fingerprint, or the authorities
//! that the web trusts.
//!
//! A certificate alone proves nothing: that the other side holds its key is what the
//! signature in the handshake shows (RFC 8446 4.4.3), which is verified in either case.

use base::Fingerprint;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring::default_provider;
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, OtherError, RootCertStore,
    SignatureScheme,
};
use std::sync::Arc;

/// The protocol that is spoken over TLS (RFC 7301).
const HTTP_1_1: &[u8] = b"http/1.1";

/// Why the other side of a connection is not believed to be the node.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// It shows another certificate.
    #[error(
        "its certificate is not the one that this device was told: expected {expected}, got \
         {found}. Either someone on the way poses as the node, or the node was set up anew. \
         Nothing was sent. If whoever runs the node confirms the new fingerprint, join again \
         with the line that `atoll invite` prints there"
    )]
    Changed {
        /// The one that is known.
        expected: Fingerprint,
        /// The one that was shown.
        found: Fingerprint,
    },
    /// Nobody who is known here vouches for it.
    #[error(
        "its certificate is not vouched for ({0}): use the whole `atoll sync …` line that \
         `atoll up` or `atoll invite` prints, which names its --fingerprint"
    )]
    Unknown(String),
    /// It shows a certificate without having its key.
    #[error(
        "it shows a certificate whose key it does not have: someone on the way poses as the node. \
         Nothing was sent"
    )]
    NotItsOwn,
    /// It speaks something else.
    #[error(
        "it does not speak TLS there: a node that was started with --plain, on a network that is \
         trusted, is reached by http://"
    )]
    Plain,
    /// The two did not agree.
    #[error("no encrypted connection can be made with it: {0}")]
    Handshake(String),
}

/// Believes the one certificate with a fingerprint, whatever names and dates it holds.
#[derive(Debug)]
struct Pinned {
    expected: Fingerprint,
    algorithms: WebPkiSupportedAlgorithms,
}

/// How a client shakes hands that believes the certificate with `fingerprint` or,
/// without one, any that the web's authorities vouch for.
pub fn config(fingerprint: Option<Fingerprint>) -> Arc<ClientConfig> {
    let provider = Arc::new(default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("ring has ciphers for every version that is safe");
    let mut config = match fingerprint {
        Some(expected) => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Pinned::new(expected, &provider)))
            .with_no_client_auth(),
        None => builder
            .with_root_certificates(RootCertStore {
                roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
            })
            .with_no_client_auth(),
    };
    config.alpn_protocols = vec![HTTP_1_1.to_vec()];
    Arc::new(config)
}

impl Pinned {
    fn new(expected: Fingerprint, provider: &CryptoProvider) -> Self {
        Self {
            expected,
            algorithms: provider.signature_verification_algorithms,
        }
    }
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _above: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let found = Fingerprint::of(certificate);
        if found == self.expected {
            return Ok(ServerCertVerified::assertion());
        }
        let expected = self.expected;
        let changed = OtherError(Arc::new(TrustError::Changed { expected, found }));
        Err(CertificateError::Other(changed).into())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl From<&rustls::Error> for TrustError {
    fn from(error: &rustls::Error) -> Self {
        match error {
            rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(reason))) => {
                match reason.downcast_ref::<Self>() {
                    Some(ours) => ours.clone(),
                    None => Self::Unknown(reason.to_string()),
                }
            }
            rustls::Error::InvalidCertificate(CertificateError::BadSignature) => Self::NotItsOwn,
            rustls::Error::InvalidCertificate(reason) => Self::Unknown(reason.to_string()),
            rustls::Error::InvalidMessage(_) => Self::Plain,
            other => Self::Handshake(other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertifiedKey, generate_simple_self_signed};
    use rustls::crypto::ring::sign::any_supported_type;
    use rustls::sign::SingleCertAndKey;
    use rustls::version::{TLS12, TLS13};
    use rustls::{
        ClientConnection, ServerConfig, ServerConnection, SupportedProtocolVersion, sign,
    };

    type Made = CertifiedKey<rcgen::KeyPair>;

    fn make() -> Made {
        generate_simple_self_signed(["reef".to_owned()]).unwrap()
    }

    fn fingerprint(certificate: &Made) -> Fingerprint {
        Fingerprint::of(certificate.cert.der())
    }

    /// A server that shows `shown` and signs by the key of `held`.
    fn server(
        shown: &Made,
        held: &Made,
        version: &'static SupportedProtocolVersion,
    ) -> ServerConnection {
        let key = held.signing_key.serialize_der().try_into().unwrap();
        let key = any_supported_type(&key).unwrap();
        let certified = sign::CertifiedKey::new(vec![shown.cert.der().clone()], key);
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
        ServerConnection::new(Arc::new(config)).unwrap()
    }

    /// Carries what both say until they agree, or the client does not.
    fn shake_hands(
        fingerprint: Option<Fingerprint>,
        mut server: ServerConnection,
    ) -> Result<(), TrustError> {
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let mut client = ClientConnection::new(config(fingerprint), name).unwrap();
        while client.is_handshaking() || server.is_handshaking() {
            let mut said = Vec::new();
            client.write_tls(&mut said).unwrap();
            server.read_tls(&mut &said[..]).unwrap();
            server.process_new_packets().unwrap();
            let mut answered = Vec::new();
            while server.wants_write() {
                server.write_tls(&mut answered).unwrap();
            }
            let mut rest = &answered[..];
            while !rest.is_empty() {
                client.read_tls(&mut rest).unwrap();
                client
                    .process_new_packets()
                    .map_err(|error| TrustError::from(&error))?;
            }
        }
        Ok(())
    }

    #[test]
    fn one_certificate_is_believed_from_who_holds_its_key() {
        let (ours, other) = (make(), make());
        let (expected, found) = (fingerprint(&ours), fingerprint(&other));
        for version in [&TLS12, &TLS13] {
            let shake = |pinned, shown, held| shake_hands(pinned, server(shown, held, version));
            assert_eq!(shake(Some(expected), &ours, &ours), Ok(()));
            let changed = Err(TrustError::Changed { expected, found });
            assert_eq!(shake(Some(expected), &other, &other), changed);
            // A certificate is public: whoever has seen it can show it.
            let posing = Err(TrustError::NotItsOwn);
            assert_eq!(shake(Some(expected), &ours, &other), posing);
            let unknown = shake(None, &ours, &ours);
            assert!(
                matches!(unknown, Err(TrustError::Unknown(_))),
                "{unknown:?}"
            );
        }
    }
}
