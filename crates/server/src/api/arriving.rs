//! Files of middle size on their way in, whole: one after the other, their bytes
//! in pieces. The reading side checks the order of frames, workers the bytes;
//! what arrived waits here until it is put in its place together.
//!
//! Small files and those in chunks are [`super::intake`]'s.

use super::Service;
use super::intake::Worked;
use crate::node::Node;
use crate::problem::Problem;
use base::{DeviceId, Hash, limits};
use bytes::Bytes;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use store::blob::Whole;
use sync::wire::LEAST_PIECE_BYTES;

/// Files that may wait to be put in their places, each with a file open: a
/// client's whole request.
const WAITING: usize = 64;

/// The files that come whole in one stream.
#[derive(Default)]
pub struct Arriving {
    /// Bytes of the last announced file that are still to come.
    left: u64,
    /// What came and no worker has yet.
    parts: Vec<Part>,
    /// Files begun since they were last put in their places.
    begun: usize,
    desk: Arc<Desk>,
}

/// What workers share: at most one of them is at it, as parts come in order.
#[derive(Default)]
pub struct Desk(Mutex<Arrived>);

#[derive(Default)]
struct Arrived {
    current: Option<Whole>,
    complete: Vec<Whole>,
}

/// A step of the stream.
pub enum Part {
    /// A file of so many bytes begins.
    Begin(Hash, u64),
    /// Its next bytes.
    Piece(Bytes),
}

impl Arriving {
    /// Takes the announcement of a file.
    ///
    /// # Errors
    /// [`Problem::Frames`] for a length that does not travel whole.
    pub fn begin(&mut self, hash: Hash, size: u64) -> Result<(), Problem> {
        let (small, limit) = (limits::SMALL_FILE_BYTES, limits::WHOLE_FILE_BYTES);
        if size <= small || size > limit {
            return Err(Problem::Frames(format!(
                "a file of {size} bytes does not travel whole: more than {small} and at most {limit} do"
            )));
        }
        self.left = size;
        self.begun += 1;
        self.parts.push(Part::Begin(hash, size));
        Ok(())
    }

    /// Takes the next bytes of the file announced last.
    ///
    /// # Errors
    /// [`Problem::Frames`] for more than were announced, and for less than a piece
    /// must have that is not the last.
    pub fn go_on(&mut self, bytes: Bytes) -> Result<(), Problem> {
        let left = self.left.checked_sub(bytes.len() as u64);
        self.left = left.ok_or_else(|| {
            Problem::Frames("more bytes of a file came than were announced".to_owned())
        })?;
        if self.left > 0 && bytes.len() < LEAST_PIECE_BYTES {
            return Err(Problem::Frames(format!(
                "a piece of {} bytes came before the last of its file: at least {LEAST_PIECE_BYTES} belong together",
                bytes.len()
            )));
        }
        self.parts.push(Part::Piece(bytes));
        Ok(())
    }

    /// Whether bytes of a file are to come next.
    pub const fn awaits_bytes(&self) -> bool {
        self.left > 0
    }

    /// Whether nothing waits for a worker.
    pub const fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// What came for the next worker, and where it puts it.
    pub fn take_parts(&mut self) -> (Vec<Part>, Arc<Desk>) {
        (std::mem::take(&mut self.parts), Arc::clone(&self.desk))
    }

    /// Whether so many files wait for their places that they must get them now.
    pub const fn is_full(&self) -> bool {
        self.begun >= WAITING && self.left == 0
    }

    /// Where the files are that wait for their places; `None` when none do.
    pub fn take_waiting(&mut self) -> Option<Arc<Desk>> {
        let is_any = std::mem::take(&mut self.begun) > 0;
        is_any.then(|| Arc::clone(&self.desk))
    }

    /// Throws away, on a worker, what was not put in its place.
    pub fn leave(&mut self, node: &Node) {
        if let Some(desk) = self.take_waiting() {
            self.desk = Arc::default();
            // Where the workers are busy it is done at once.
            let _ = node.start_storing(move || drop(desk));
        }
    }
}

impl Desk {
    /// Stores what came: a worker's task, in the order of the parts.
    ///
    /// # Errors
    /// What the blob store says.
    pub fn take(
        &self,
        service: &Service,
        device: DeviceId,
        parts: Vec<Part>,
    ) -> Result<Worked, Problem> {
        let mut arrived = self.lock();
        let (node, now) = (&service.node, service.node.now());
        for part in parts {
            match part {
                Part::Begin(hash, size) => {
                    let begin =
                        node.change_blobs(|blobs| blobs.begin_whole(device, now, hash, size))?;
                    arrived.current = Some(begin);
                }
                Part::Piece(bytes) => {
                    let Some(mut whole) = arrived.current.take() else {
                        continue;
                    };
                    node.change_blobs(|_| whole.write(&bytes))?;
                    if whole.is_complete() {
                        arrived.complete.push(whole);
                    } else {
                        arrived.current = Some(whole);
                    }
                }
            }
        }
        Ok(Worked::default())
    }

    /// Puts all that arrived in its place, durable on return: a worker's task.
    ///
    /// # Errors
    /// What the blob store says.
    pub fn place(&self, service: &Service, device: DeviceId) -> Result<Worked, Problem> {
        let complete = std::mem::take(&mut self.lock().complete);
        let stored = complete
            .iter()
            .map(|whole| (whole.hash(), whole.size()))
            .collect();
        let (node, now) = (&service.node, service.node.now());
        node.change_blobs(|blobs| blobs.finish_whole(device, now, complete))?;
        Ok(Worked {
            answer: Vec::new(),
            stored,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Arrived> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
