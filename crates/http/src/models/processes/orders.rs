//! The signals that a master hears, as orders.

use std::io;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Somebody wants something.
#[derive(Clone, Copy, Debug)]
pub(super) enum Order {
    Stop,
    Reload,
    ReopenLogs,
    Upgrade,
}

/// The signals that are orders.
pub(super) struct Orders {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
    user_1: Signal,
    user_2: Signal,
}

impl Orders {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
            user_1: signal(SignalKind::user_defined1())?,
            user_2: signal(SignalKind::user_defined2())?,
        })
    }

    /// Waits for the next.
    pub(super) async fn next(&mut self) -> Order {
        tokio::select! {
            _ = self.terminate.recv() => Order::Stop,
            _ = self.interrupt.recv() => Order::Stop,
            _ = self.hang_up.recv() => Order::Reload,
            _ = self.user_1.recv() => Order::ReopenLogs,
            _ = self.user_2.recv() => Order::Upgrade,
        }
    }
}
