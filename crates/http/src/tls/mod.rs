//! TLS: who this server is, and what it agrees on with a client.
//!
//! [`Identity`] is a certificate with its key, from files or made here once and kept;
//! [`Acceptor`] chooses among several by the name that a client asks for, and can be
//! given others while it serves. Records are opened and sealed by `rustls`, whose
//! sockets are in [`crate::serve`]; nothing here waits for anybody.

mod acceptor;
pub(crate) mod clear;
mod error;
mod identity;
mod kept;
mod record;
mod validity;

pub(crate) use acceptor::HTTP_2;
pub use acceptor::{Acceptor, Certificates};
pub use base::Fingerprint;
pub use error::TlsError;
pub use identity::{Identity, Pem};
pub(crate) use record::RecordPlace;
