//! Threads that do the same work and end together.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use tokio::sync::Notify;

/// The threads.
#[derive(Debug)]
pub(super) struct Team {
    members: Vec<JoinHandle<()>>,
    outcome: Arc<Outcome>,
}

/// What the first of them to fail failed with.
#[derive(Debug, Default)]
struct Outcome {
    error: Mutex<Option<io::Error>>,
    failed: Notify,
}

impl Team {
    /// A thread for each of `work`, called `NAME-INDEX`.
    ///
    /// # Errors
    /// A thread cannot begin. Those that did begin go on, and are to be stopped by
    /// what stops the others.
    pub(super) fn start(
        name: &str,
        work: impl Iterator<Item = impl FnOnce() -> io::Result<()> + Send + 'static>,
    ) -> io::Result<Self> {
        let outcome = Arc::new(Outcome::default());
        let mut members = Vec::new();
        for (index, work) in work.enumerate() {
            let outcome = Arc::clone(&outcome);
            let member = std::thread::Builder::new()
                .name(format!("{name}-{index}"))
                .spawn(move || {
                    // Nothing that a panic left half done is looked at again.
                    let done = catch_unwind(AssertUnwindSafe(work));
                    let panicked = || Err(io::Error::other("a worker panicked"));
                    if let Err(error) = done.unwrap_or_else(|_| panicked()) {
                        outcome.fail(error);
                    }
                })?;
            members.push(member);
        }
        Ok(Self { members, outcome })
    }

    /// Ends when one of them has failed.
    pub(super) async fn failed(&self) {
        self.outcome.failed.notified().await;
    }

    /// Waits for all of them.
    ///
    /// # Errors
    /// What the first one failed with.
    pub(super) fn join(self) -> io::Result<()> {
        for member in self.members {
            // A panic has been reported as a failure.
            let _ = member.join();
        }
        let mut error = self.outcome.error.lock();
        let error = error.as_mut().unwrap_or_else(PoisonError::get_mut).take();
        error.map_or(Ok(()), Err)
    }
}

impl Outcome {
    fn fail(&self, error: io::Error) {
        self.error
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert(error);
        self.failed.notify_one();
    }
}
