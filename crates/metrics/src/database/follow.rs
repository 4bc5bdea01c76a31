//! Following the log from a position: what a cluster ships to another node, and what the
//! live copy is made from.
//!
//! A follower sees entries once they are as durable as an acknowledgement says. One that
//! begins at the start of a generation ([`super::Database::generation_start`]) is told
//! every series before its samples; one that goes on behind an entry that it saw has been
//! told before.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use store::log::{Follow, Followed, LogError, LogReader};

/// About the most bytes that are given at once.
const FOLLOW_BYTES: usize = 4 << 20;

/// How far the log may be read.
#[derive(Debug, Default)]
pub(super) struct Durable {
    state: Mutex<State>,
    news: Condvar,
}

#[derive(Debug, Default, Clone, Copy)]
struct State {
    through: u64,
    closed: bool,
}

/// A reader's place in the log; [`crate::log::decode`] reads what it is given. What lies in
/// parts may be gone from the log.
pub struct Follower {
    reader: LogReader,
    durable: Arc<Durable>,
    after: u64,
}

impl Durable {
    pub(super) fn new(through: u64) -> Self {
        let closed = false;
        Self {
            state: Mutex::new(State { through, closed }),
            news: Condvar::new(),
        }
    }

    pub(super) fn advance(&self, through: u64) {
        self.lock().through = through;
        self.news.notify_all();
    }

    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.news.notify_all();
    }

    pub(super) fn through(&self) -> u64 {
        self.lock().through
    }

    fn wait_behind(&self, after: u64) -> State {
        let is_behind = |state: &mut State| state.through <= after && !state.closed;
        let waited = self.news.wait_while(self.lock(), is_behind);
        *waited.unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Follower {
    pub(super) const fn new(reader: LogReader, durable: Arc<Durable>, after: u64) -> Self {
        Self {
            reader,
            durable,
            after,
        }
    }
}

impl Follow for Follower {
    fn next(&mut self) -> Result<Followed, LogError> {
        let State { through, closed } = self.durable.wait_behind(self.after);
        if self.after >= through && closed {
            return Ok(Followed::Closed);
        }
        let first = self.reader.first();
        if self.after + 1 < first {
            return Ok(Followed::Compacted { first });
        }
        let entries = self.reader.read(self.after + 1, through, FOLLOW_BYTES)?;
        match entries.last() {
            Some(last) => self.after = last.index,
            // It was purged between two looks.
            None => {
                let first = self.reader.first();
                return Ok(Followed::Compacted { first });
            }
        }
        Ok(Followed::Entries(entries))
    }
}
