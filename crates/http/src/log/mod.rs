//! Access and error logs: whole records through a bounded channel.
//!
//! [`Access`] and [`Problem`] write themselves into a buffer; nothing that a
//! client sends can end a record or begin a field (`escape`). A [`Log`] owns
//! the thread that writes; each event loop has [`Lines`] of its own, which hands
//! whole records over and never waits. What is worth logging is for the caller to
//! say; times are arguments.

mod access;
mod escape;
mod problem;
mod time;
mod writer;

pub use access::{Access, Format, RequestLine};
pub use escape::MAX_TEXT;
pub use problem::{Level, Problem, Shape};
pub use time::TimeText;
pub use writer::{Lines, Log, LogError, LogStats, Target, Trouble};
