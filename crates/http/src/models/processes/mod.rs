//! Processes: a master, and workers that each run one event loop.
//!
//! What a worker does wrong stays within it: it is replaced, and the others serve
//! on. The master owns all listeners and never closes one, so that a connection
//! which waits in a slot's queue is accepted by whoever has the slot next; it
//! serves nothing itself.
//!
//! The program starts itself again for each worker ([`role`] tells which of them it
//! is). What master and workers need of each other goes over one socket, the
//! worker's standard input (`channel`): listeners and the [`Scoreboard`] at the
//! start, slots and orders later, "ready" back. Which workers there should be is
//! decided in `pool`, without any of that; `master` does what it says. A program of
//! another model hears the same signals and is replaced in the same way ([`Alone`]).
//!
//! | signal to the master | |
//! |---|---|
//! | TERM, INT | connections end as [`Drain`](super::Drain) says, then everything |
//! | HUP | new workers, one by one, if the configuration is good |
//! | USR1 | logs are opened again |
//! | USR2 | the program as it lies on the disk now takes over, if it can serve |

mod alone;
mod assign;
mod channel;
mod master;
mod orders;
mod policy;
mod pool;
#[cfg(test)]
mod pool_tests;
mod program;
mod scoreboard;
mod shared;
mod successor;
mod worker;

pub use alone::{Alone, Service};
pub use master::Master;
pub use policy::{Load, MAX_SLOTS, Policy, Recycle};
pub use program::Program;
pub use scoreboard::{Scoreboard, Sums, WorkerState, WorkerStatus};
pub use worker::Worker;

use channel::Channel;
use std::io;

/// Tells a process that a master started what it is.
const ROLE_VARIABLE: &str = "HTTPD_ROLE";

/// Values of [`ROLE_VARIABLE`].
const WORKER: &str = "worker";
const SUCCESSOR: &str = "successor";

/// What this process is.
#[derive(Debug)]
pub enum Role {
    /// It starts workers.
    Master(Master),
    /// It serves.
    Worker(Worker),
}

/// What this process is: a master, unless a master started it.
///
/// # Errors
/// A master is said to have started it, and does not answer.
pub fn role() -> io::Result<Role> {
    let role = std::env::var(ROLE_VARIABLE).unwrap_or_default();
    let channel = || Channel::from_standard_input();
    match role.as_str() {
        "" => Ok(Role::Master(Master::first())),
        WORKER => Worker::begin(channel()?).map(Role::Worker),
        SUCCESSOR => Master::successor(channel()?).map(Role::Master),
        other => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("{ROLE_VARIABLE} is {other:?}, which no master says; unset it"),
        )),
    }
    .map_err(|error| match role.as_str() {
        "" => error,
        _ => io::Error::new(
            error.kind(),
            format!(
                "no master answers at the standard input, though {ROLE_VARIABLE} is set: {error}"
            ),
        ),
    })
}
