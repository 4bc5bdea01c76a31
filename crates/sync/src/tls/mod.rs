//! TLS to a node: whom a client believes, and what carries its requests.
//!
//! `trust` decides: the node whose certificate has the fingerprint that the join
//! line names or, where none is named, one that the authorities of the web vouch for.
//! `connector` opens and seals what [`crate::remote`]'s agents send; how a server
//! gets its certificate is not known here.

mod connector;
mod trust;

pub use connector::Secured;
pub use trust::{TrustError, config};
