//! The replicated state machine of a site: commands in, one SQLite projection
//! and its feed out.
//!
//! `apply` is a pure function of (projection, entry): it asks no clock, draws no
//! randomness and does no I/O but the database it is given, so every node that
//! applies the same log holds the same rows. It never sees the bytes of files
//! (`store` does), sockets (`server`) or folders (`sync`).
//!
//! Read [`Command`] for what can happen, [`Reply`] for what comes of it,
//! [`Projection`] for how it is kept and [`Reader`] for how it is asked. The
//! byte formats are in `docs/formats/commands.md` and `docs/formats/snapshot.md`.

mod apply;
mod command;
mod error;
mod label;
pub mod merkle;
mod outcome;
mod projection;
mod reader;
mod rows;
mod schema;
pub mod snapshot;
mod version;
mod wire;

pub use command::{
    Base, Body, Change, Command, CommandError, Commit, InviteKind, Kept, Parent, Role, TokenHash,
};
pub use error::StateError;
pub use label::{Label, LabelError};
pub use outcome::{Denial, Outcome, Refusal, Reply};
pub use projection::{Applied, Projection};
pub use reader::{
    Clash, Conflict, Counts, Device, FeedKind, FeedPage, Membership, PastEntry, Reader, Space,
    TreeNode,
};
pub use version::Version;
pub use wire::{decode_outcomes, encode_outcomes};
