//! A certificate with its key, from files in PEM form.
//!
//! Certificates that nobody else has signed are made and kept in [`super::kept`].

use super::error::TlsError;
use super::fingerprint::Fingerprint;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

/// More than any chain or key has.
const MAX_BYTES: u64 = 1 << 20;

/// Who a server is.
#[derive(Debug, Clone)]
pub struct Identity {
    pub(super) certified: Arc<CertifiedKey>,
    fingerprint: Fingerprint,
}

impl Identity {
    /// From the file of a certificate, with those above it behind it, and the file of
    /// its key; it may be one file.
    ///
    /// # Errors
    /// A file cannot be read or has no such thing, or the two are no pair.
    pub fn read(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let chain = read_chain(certificate)?;
        let first = chain.first().ok_or_else(|| TlsError::Missing {
            what: "certificate",
            label: "CERTIFICATE",
            path: certificate.to_owned(),
        })?;
        let fingerprint = Fingerprint::of(first);
        let private = read_key(key)?;
        let malformed = |path: &Path, error: rustls::Error| TlsError::Malformed {
            path: path.to_owned(),
            reason: error.to_string(),
        };
        let signing = any_supported_type(&private).map_err(|error| malformed(key, error))?;
        let certified = CertifiedKey::new(chain, signing);
        certified.keys_match().map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => TlsError::NotAPair {
                certificate: certificate.to_owned(),
                key: key.to_owned(),
            },
            error => malformed(certificate, error),
        })?;
        Ok(Self {
            certified: Arc::new(certified),
            fingerprint,
        })
    }

    /// Of its certificate.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }
}

fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = read_file("the certificate", path)?;
    CertificateDer::pem_slice_iter(&text)
        .collect::<Result<_, _>>()
        .map_err(|error| TlsError::Malformed {
            path: path.to_owned(),
            reason: error.to_string(),
        })
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let text = read_file("the key", path)?;
    PrivateKeyDer::from_pem_slice(&text).map_err(|error| match error {
        pem::Error::NoItemsFound if is_locked(&text) => TlsError::Malformed {
            path: path.to_owned(),
            reason: "the key is encrypted: take the passphrase off it".to_owned(),
        },
        pem::Error::NoItemsFound => TlsError::Missing {
            what: "private key",
            label: "PRIVATE KEY",
            path: path.to_owned(),
        },
        error => TlsError::Malformed {
            path: path.to_owned(),
            reason: error.to_string(),
        },
    })
}

/// A key that only a passphrase opens (RFC 7468 11); nobody is here to type it.
fn is_locked(text: &[u8]) -> bool {
    const LABEL: &[u8] = b"-----BEGIN ENCRYPTED PRIVATE KEY-----";
    text.windows(LABEL.len()).any(|window| window == LABEL)
}

fn read_file(what: &'static str, path: &Path) -> Result<Vec<u8>, TlsError> {
    let mut text = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(MAX_BYTES).read_to_end(&mut text))
        .map_err(|source| TlsError::Read {
            what,
            path: path.to_owned(),
            source,
        })?;
    Ok(text)
}
