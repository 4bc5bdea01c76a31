//! Why a server cannot prove who it is.

use std::io;
use std::path::{Path, PathBuf};

/// Why a certificate or its key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {what} {path}: {source}")]
    Read {
        /// What was expected in it.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file has nothing of the kind.
    #[error("{path} has no {what} in PEM form: expected a line `-----BEGIN {label}-----`")]
    Missing {
        /// What was expected in it.
        what: &'static str,
        /// How that begins.
        label: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// A file has something else than it says.
    #[error("{path}: {reason}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A certificate that is not in force any more.
    #[error("{path}: the certificate expired on {date}: renew it")]
    Expired {
        /// The file.
        path: PathBuf,
        /// Its last moment.
        date: String,
    },
    /// A certificate that is not in force yet.
    #[error("{path}: the certificate is not valid before {date}: wait, or look at the clock")]
    Early {
        /// The file.
        path: PathBuf,
        /// Its first moment.
        date: String,
    },
    /// A key that is not the certificate's.
    #[error("{key} is not the key of the certificate in {certificate}: name the pair")]
    NotAPair {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
    },
    /// A certificate could not be made.
    #[error("cannot make a certificate of one's own: {0}")]
    Make(#[from] rcgen::Error),
    /// A certificate could not be kept.
    #[error("cannot keep the certificate in {path}: {source}")]
    Keep {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A key that is no secret any more, or may not be.
    #[error(
        "others may read the key in {path}, or write it: take that from them (chmod 600), or \
         remove the file so that another is made"
    )]
    Exposed {
        /// The file.
        path: PathBuf,
    },
    /// The cryptography refused to begin.
    #[error("TLS cannot begin: {0}")]
    Begin(#[from] rustls::Error),
}

impl TlsError {
    /// The file that it is about, if it is about one.
    pub(crate) fn path(&self) -> Option<&Path> {
        match self {
            Self::Read { path, .. }
            | Self::Missing { path, .. }
            | Self::Malformed { path, .. }
            | Self::Expired { path, .. }
            | Self::Early { path, .. }
            | Self::NotAPair { key: path, .. }
            | Self::Keep { path, .. }
            | Self::Exposed { path } => Some(path),
            Self::Make(_) | Self::Begin(_) => None,
        }
    }
}
