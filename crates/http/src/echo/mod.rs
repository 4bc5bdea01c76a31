//! Echo: every byte comes back, as it came.
//!
//! The smallest [`Protocol`](crate::models::Protocol), and so the floor against
//! which the others are measured: what it costs is what the model costs. Over TCP
//! in [`tcp`], over UDP in [`udp`]; [`ping`] is the other side of both. In
//! [`websocket`] the messages of WebSockets come back. [`server`] is all of it as a
//! program.

mod answers;
pub mod ping;
mod rounds;
pub mod server;
pub mod tcp;
pub mod udp;
pub mod websocket;

pub use tcp::{Echo, Settings};
