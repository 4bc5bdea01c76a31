//! How a request's samples come in: its series are found while the gate is held, and the
//! samples are queued before it is let go, so no series leaves in between.

use super::Database;
use super::error::WriteError;
use super::queue::{Done, Request};
use super::writer::seconds;
use crate::head::{Admission, Client, SeriesId};
use crate::ingest::{Point, Times};
use std::sync::{PoisonError, RwLockReadGuard};

/// What a request's parser needs. It is to be held for as long as parsing takes, and not
/// over anything that waits.
pub struct Intake<'d> {
    database: &'d Database,
    /// The series, for the parser.
    pub series: Admission<'d>,
    /// The time of samples that come without one, in milliseconds since 1970.
    pub now: i64,
    /// Which times are taken; for [`crate::ingest::Batch::times`].
    pub times: Times,
    _gate: RwLockReadGuard<'d, ()>,
}

impl Database {
    /// Takes in samples for `client`.
    pub fn intake(&self, client: Client) -> Intake<'_> {
        let now = self.clock.now();
        let gate = self.gate.read().unwrap_or_else(PoisonError::into_inner);
        Intake {
            database: self,
            series: self.head.admission(client, seconds(&*self.clock)),
            now: i64::try_from(now).unwrap_or(i64::MAX),
            times: self.settings.times(now),
            _gate: gate,
        }
    }
}

impl Intake<'_> {
    /// Queues samples of series that [`Intake::series`] gave. `done` is called once they are
    /// durable and can be read, or could not be made so, on a thread that it must not block.
    ///
    /// # Errors
    /// [`WriteError::Full`] and [`WriteError::Closed`] at once; `done` is then not called.
    pub fn write(self, points: Vec<Point<SeriesId>>, done: Done) -> Result<(), WriteError> {
        self.database.queue.push(Request { points, done })
    }
}
