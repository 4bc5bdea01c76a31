//! The runtime of one event loop: all of it on the thread that has it.
//!
//! Its tasks share what is not thread-safe, so they are spawned by
//! [`tokio::task::spawn_local`]; this kind of runtime has them in its own queue, and
//! not in a second one beside it.

use std::io;
use tokio::runtime::{Builder, LocalOptions, LocalRuntime};

/// A loop for this thread.
///
/// # Errors
/// Descriptors are short.
pub(super) fn event_loop() -> io::Result<LocalRuntime> {
    Builder::new_current_thread()
        .enable_all()
        .build_local(LocalOptions::default())
}
