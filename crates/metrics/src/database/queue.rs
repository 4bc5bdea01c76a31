//! What waits for the thread that writes the log: a bounded queue of which everything is
//! taken at once, so that one sync serves all who wait.

use super::error::WriteError;
use crate::head::SeriesId;
use crate::ingest::Point;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Called once with what became of a request's samples, on the writing thread: it must
/// not block.
pub type Done = Box<dyn FnOnce(Result<(), WriteError>) + Send>;

/// The samples of a request.
pub(super) struct Request {
    pub(super) points: Vec<Point<SeriesId>>,
    pub(super) done: Done,
}

/// What waits, and who waits for it.
pub(super) struct Queue<C> {
    waiting: Mutex<Waiting<C>>,
    work: Condvar,
    /// The most samples that may wait.
    most: usize,
}

struct Waiting<C> {
    requests: Vec<Request>,
    points: usize,
    /// Each comes after the requests that were there before it.
    commands: Vec<(usize, C)>,
    closed: bool,
}

/// What was waiting.
pub(super) struct Work<C> {
    /// In the order in which they came.
    pub(super) requests: Vec<Request>,
    /// Each with how many of the requests come before it.
    pub(super) commands: Vec<(usize, C)>,
    /// Whether nothing will come any more.
    pub(super) closed: bool,
}

impl<C> Queue<C> {
    /// Of at most so many samples.
    pub(super) fn new(most: usize) -> Self {
        Self {
            waiting: Mutex::new(Waiting {
                requests: Vec::new(),
                points: 0,
                commands: Vec::new(),
                closed: false,
            }),
            work: Condvar::new(),
            most,
        }
    }

    /// Takes a request's samples, or gives back why not; `done` is then not called. A
    /// request is taken whole whenever there is any room, so that none is too large.
    pub(super) fn push(&self, request: Request) -> Result<(), WriteError> {
        let mut waiting = self.lock();
        if waiting.closed {
            return Err(WriteError::Closed);
        }
        if waiting.points >= self.most {
            let waiting = waiting.points;
            return Err(WriteError::Full { waiting });
        }
        waiting.points += request.points.len();
        waiting.requests.push(request);
        if waiting.requests.len() == 1 {
            self.work.notify_one();
        }
        Ok(())
    }

    /// Has the writing thread do something, after all requests that wait.
    pub(super) fn command(&self, command: C) -> Result<(), WriteError> {
        let mut waiting = self.lock();
        if waiting.closed {
            return Err(WriteError::Closed);
        }
        let before = waiting.requests.len();
        waiting.commands.push((before, command));
        self.work.notify_one();
        Ok(())
    }

    /// Takes nothing more.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.work.notify_one();
    }

    /// Everything that waits; waits for it no longer than `patience`.
    pub(super) fn take(&self, patience: Duration) -> Work<C> {
        let is_idle = |waiting: &mut Waiting<C>| {
            waiting.requests.is_empty() && waiting.commands.is_empty() && !waiting.closed
        };
        let waited = self.work.wait_timeout_while(self.lock(), patience, is_idle);
        let mut waiting = waited.unwrap_or_else(PoisonError::into_inner).0;
        waiting.points = 0;
        let room = waiting.requests.len();
        Work {
            requests: std::mem::replace(&mut waiting.requests, Vec::with_capacity(room)),
            commands: std::mem::take(&mut waiting.commands),
            closed: waiting.closed,
        }
    }

    /// Calls `each` with the series of each sample that waits.
    pub(super) fn for_each_series(&self, mut each: impl FnMut(SeriesId)) {
        let waiting = self.lock();
        let points = waiting.requests.iter().flat_map(|request| &request.points);
        points.for_each(|point| each(point.series));
    }

    /// Samples that wait.
    pub(super) fn waiting(&self) -> usize {
        self.lock().points
    }

    /// Nothing that is done under the lock can leave it half done.
    fn lock(&self) -> MutexGuard<'_, Waiting<C>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
