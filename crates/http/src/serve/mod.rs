//! Serving connections: the shell that joins the HTTP/1.1 core to sockets, files
//! and services.
//!
//! One [`Turn`] belongs to one event loop: its clock, its buffers, its handler and
//! the connections it watches. [`connection::serve`] drives one connection in
//! turns: whatever one read brought is answered in one write. What needs no waiting
//! (a file, or a `tower` service that has its answer at once) is answered within the
//! turn; everything else becomes an exchange, in which a service may take the
//! connection out of HTTP ([`Upgrade`]).
//! Which loop gets which connection is decided in
//! [`crate::models`]; the rules of the protocol are [`crate::h1`]'s.

mod begun;
mod connection;
mod exchange;
mod fault;
mod handler;
mod http2;
mod incoming;
mod protocol;
mod record;
mod sealed;
mod socket;
mod switched;
mod turn;
mod upgrade;
mod wire;

pub use begun::Begun;
pub use connection::serve;
pub(crate) use handler::plain;
pub use handler::{Answering, BoxBody, Files, Handler, Layered, Tower};
pub use incoming::{BodyError, Incoming};
pub use record::{Asked, Record};
pub use turn::{Settings, Timeouts, Turn};
pub use upgrade::{Closer, Closing, Switch, Talk, Talking, Upgrade, Upgraded};
