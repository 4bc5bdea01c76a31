//! How serving ends: first nothing new, then nothing idle, then nothing.
//!
//! When it ends is told by a [`Stop`], which any number of loops can wait for.

use super::protocol::{Phase, Protocol};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};

/// How long the open connections of a loop that stops may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drain {
    /// For idle ones to begin a last request.
    pub grace: Duration,
    /// For all of them, in all.
    pub deadline: Duration,
}

impl Default for Drain {
    /// A client that keeps a connection busy asks again within milliseconds, so a
    /// second is long. Half a minute is what service managers give at least.
    fn default() -> Self {
        Self {
            grace: Duration::from_secs(1),
            deadline: Duration::from_secs(30),
        }
    }
}

impl Drain {
    /// Lets the connections of `protocol` end, as they are ready to until `begun`
    /// and the deadline; true if all of them did.
    pub(super) async fn run<P: Protocol>(&self, protocol: &P, begun: Instant) -> bool {
        let deadline = begun + self.deadline;
        protocol.enter(Phase::LastRequests);
        if timeout_at(deadline, timeout(self.grace, protocol.emptied()))
            .await
            .is_ok_and(|within_grace| within_grace.is_ok())
        {
            return true;
        }
        protocol.enter(Phase::Ending);
        timeout_at(deadline, protocol.emptied()).await.is_ok()
    }
}

/// Whether, and since when, a model is to stop.
#[derive(Clone, Debug)]
pub(super) struct Stop(watch::Receiver<Option<Instant>>);

/// The other end of a [`Stop`].
#[derive(Debug)]
pub(super) struct Stopper(watch::Sender<Option<Instant>>);

/// A pair.
pub(super) fn stop() -> (Stopper, Stop) {
    let (sender, receiver) = watch::channel(None);
    (Stopper(sender), Stop(receiver))
}

impl Stopper {
    /// Stops everyone; the first call counts.
    pub(super) fn stop(&self) {
        self.0.send_if_modified(|since| {
            let is_first = since.is_none();
            since.get_or_insert_with(Instant::now);
            is_first
        });
    }
}

impl Stop {
    /// Ends when it is told to, with the moment that it was. A stopper that is gone
    /// without a word has stopped as well.
    pub(super) async fn stopped(&mut self) -> Instant {
        let told = self.0.wait_for(Option::is_some).await;
        told.ok()
            .and_then(|since| *since)
            .unwrap_or_else(Instant::now)
    }

    /// Whether it was told to.
    pub(super) fn is_stopped(&self) -> bool {
        self.0.borrow().is_some() || self.0.has_changed().is_err()
    }
}
