//! Who runs on which core.

use anyhow::Context;
use rustix::thread::{CpuSet, sched_setaffinity};

/// The core of servers, and that of whoever asks them.
const SERVER_CORE: usize = 0;
const LOAD_CORE: usize = 1;

/// Keeps this process, which asks, off the core of servers.
///
/// # Errors
/// When it may not choose.
pub fn stay_off_the_server() -> anyhow::Result<()> {
    pin(LOAD_CORE)
}

/// What `start` starts inherits the core that this thread has meanwhile.
///
/// # Errors
/// When it fails, or this process may not choose.
pub fn on_server_core<T>(start: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
    pin(SERVER_CORE)?;
    let started = start();
    pin(LOAD_CORE)?;
    started
}

fn pin(core: usize) -> anyhow::Result<()> {
    let mut cores = CpuSet::new();
    cores.set(core);
    sched_setaffinity(None, &cores).context("cannot choose a core")
}
