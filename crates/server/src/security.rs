//! Whether a listener encrypts, and with which certificate.
//!
//! On loopback nobody else listens; beyond it the node shows a certificate of its
//! own, made at the first such start, which clients know by its fingerprint. How a
//! handshake is held is `httpd`'s, how a client believes it `sync`'s business.

use crate::address::reachable_ip;
use httpd::tls::{Identity, TlsError};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Where the node's own certificate lies in its data directory, with its key, mode
/// 0600.
const KEPT: &str = "tls.pem";

/// What keeps a conversation between the node and its client.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Security {
    /// The machine on loopback, beyond it TLS with a certificate of the node's own.
    #[default]
    Fitting,
    /// Nothing: the network is trusted.
    Plain,
    /// TLS with a certificate from files in PEM form, on loopback too.
    Certificate {
        /// The certificate, with those above it behind it.
        certificate: PathBuf,
        /// Its key.
        key: PathBuf,
    },
}

impl Security {
    /// Who a listener at `address` proves to be, if it has to; what is made is kept
    /// in the directory `data`.
    ///
    /// # Errors
    /// The certificate or its key cannot be read, made or kept.
    pub fn identity(&self, address: SocketAddr, data: &Path) -> Result<Option<Identity>, TlsError> {
        match self {
            Self::Fitting if !address.ip().is_loopback() => {
                let names = [reachable_ip(address).to_string(), "localhost".to_owned()];
                Identity::kept(&data.join(KEPT), &names).map(Some)
            }
            Self::Fitting | Self::Plain => Ok(None),
            Self::Certificate { certificate, key } => Identity::read(certificate, key).map(Some),
        }
    }

    /// The same of a listener that serves already: nothing is made in place of a file
    /// that is not there any more, for clients know its certificate.
    ///
    /// # Errors
    /// The certificate or its key cannot be read.
    pub fn identity_now(
        &self,
        address: SocketAddr,
        data: &Path,
    ) -> Result<Option<Identity>, TlsError> {
        match self {
            Self::Fitting if !address.ip().is_loopback() => {
                Identity::found(&data.join(KEPT)).map(Some)
            }
            _ => self.identity(address, data),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn what_leaves_the_machine_is_encrypted_unless_said() {
        let data = tempfile::tempdir().unwrap();
        let kept = data.path().join(KEPT);
        let identity = |security: &Security, address: &str| {
            let address = address.parse().unwrap();
            security.identity(address, data.path()).unwrap()
        };
        for loopback in ["127.0.0.1:1", "[::1]:1"] {
            assert!(
                identity(&Security::Fitting, loopback).is_none(),
                "{loopback}"
            );
        }
        assert!(identity(&Security::Plain, "0.0.0.0:1").is_none());
        assert!(!kept.exists(), "nothing is made that is not needed");

        let made = identity(&Security::Fitting, "0.0.0.0:1").unwrap();
        let mode = kept.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        for beyond in ["0.0.0.0:1", "[::]:1", "192.0.2.1:1"] {
            let again = identity(&Security::Fitting, beyond).unwrap();
            assert_eq!(again.fingerprint(), made.fingerprint(), "{beyond}");
        }
        let files = Security::Certificate {
            certificate: kept.clone(),
            key: kept,
        };
        let read = identity(&files, "127.0.0.1:1").unwrap();
        assert_eq!(read.fingerprint(), made.fingerprint());
    }

    #[test]
    fn nothing_is_made_for_clients_that_know_another() {
        let data = tempfile::tempdir().unwrap();
        let beyond = "0.0.0.0:1".parse().unwrap();
        let now = || Security::Fitting.identity_now(beyond, data.path());
        assert!(matches!(now(), Err(TlsError::Read { .. })));
        assert!(!data.path().join(KEPT).exists());
        let made = Security::Fitting.identity(beyond, data.path());
        let made = made.unwrap().unwrap().fingerprint();
        assert_eq!(now().unwrap().unwrap().fingerprint(), made);
    }
}
