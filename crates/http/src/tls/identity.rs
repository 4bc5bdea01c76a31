//! A certificate with its key, from files in PEM form.
//!
//! Certificates that nobody else has signed are made and kept in [`super::kept`].

use super::error::TlsError;
use base::Fingerprint;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// More than any chain or key has.
const MAX_BYTES: u64 = 1 << 20;

/// Who a server is.
#[derive(Debug, Clone)]
pub struct Identity {
    pub(super) certified: Arc<CertifiedKey>,
    fingerprint: Fingerprint,
}

/// What a file in PEM form said when it was read.
#[derive(Clone)]
pub struct Pem {
    path: PathBuf,
    text: Vec<u8>,
}

impl Pem {
    /// The `text` that the file `path` had.
    pub fn new(path: &Path, text: Vec<u8>) -> Self {
        let path = path.to_owned();
        Self { path, text }
    }

    /// What `path` says now. An error calls it `what`.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn read(what: &'static str, path: &Path) -> Result<Self, TlsError> {
        let mut text = Vec::new();
        std::fs::File::open(path)
            .and_then(|file| file.take(MAX_BYTES).read_to_end(&mut text))
            .map_err(|source| TlsError::Read {
                what,
                path: path.to_owned(),
                source,
            })?;
        Ok(Self::new(path, text))
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The certificates in it, of which there is one.
    pub(super) fn chain(&self) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        parse_chain(self).map(|(chain, _)| chain)
    }

    /// What it said.
    pub fn text(&self) -> &[u8] {
        &self.text
    }
}

impl fmt::Debug for Pem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the text, which may be a key.
        out.debug_tuple("Pem").field(&self.path).finish()
    }
}

impl Identity {
    /// From the file of a certificate, with those above it behind it, and the file of
    /// its key; it may be one file.
    ///
    /// # Errors
    /// A file cannot be read or has no such thing, or the two are no pair.
    pub fn read(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let certificate = Pem::read("the certificate", certificate)?;
        Self::expect_certificate(&certificate)?;
        Self::new(&certificate, &Pem::read("the key", key)?)
    }

    /// Refuses what is no certificate: that is told before its key is looked for.
    ///
    /// # Errors
    /// The file has none, or something else.
    pub(crate) fn expect_certificate(certificate: &Pem) -> Result<(), TlsError> {
        parse_chain(certificate).map(drop)
    }

    /// The same from files that have been read.
    ///
    /// # Errors
    /// A file has no such thing, or the two are no pair.
    pub fn new(certificate: &Pem, key: &Pem) -> Result<Self, TlsError> {
        let (chain, fingerprint) = parse_chain(certificate)?;
        let private = parse_key(key)?;
        let malformed = |pem: &Pem, error: rustls::Error| TlsError::Malformed {
            path: pem.path.clone(),
            reason: error.to_string(),
        };
        let signing = any_supported_type(&private).map_err(|error| malformed(key, error))?;
        let certified = CertifiedKey::new(chain, signing);
        certified.keys_match().map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => TlsError::NotAPair {
                certificate: certificate.path.clone(),
                key: key.path.clone(),
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

/// The certificates, of which there is one, and the fingerprint of the first.
fn parse_chain(pem: &Pem) -> Result<(Vec<CertificateDer<'static>>, Fingerprint), TlsError> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&pem.text)
        .collect::<Result<_, _>>()
        .map_err(|error| TlsError::Malformed {
            path: pem.path.clone(),
            reason: error.to_string(),
        })?;
    let first = chain.first().ok_or_else(|| TlsError::Missing {
        what: "certificate",
        label: "CERTIFICATE",
        path: pem.path.clone(),
    })?;
    let fingerprint = Fingerprint::of(first);
    Ok((chain, fingerprint))
}

fn parse_key(pem: &Pem) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(&pem.text).map_err(|error| match error {
        pem::Error::NoItemsFound if is_locked(&pem.text) => TlsError::Malformed {
            path: pem.path.clone(),
            reason: "the key is encrypted: take the passphrase off it".to_owned(),
        },
        pem::Error::NoItemsFound => TlsError::Missing {
            what: "private key",
            label: "PRIVATE KEY",
            path: pem.path.clone(),
        },
        error => TlsError::Malformed {
            path: pem.path.clone(),
            reason: error.to_string(),
        },
    })
}

/// A key that only a passphrase opens (RFC 7468 11); nobody is here to type it.
fn is_locked(text: &[u8]) -> bool {
    const LABEL: &[u8] = b"-----BEGIN ENCRYPTED PRIVATE KEY-----";
    text.windows(LABEL.len()).any(|window| window == LABEL)
}
