//! Bodies with samples while they arrive, in bounded memory: how many there may be at once,
//! and how much of the large ones. What is in them is read by `push`.
//!
//! A body has its place until it is parsed, not until its samples are durable, and its
//! place is as large as what came, whatever its head says: senders that compress, and those
//! that announce no length, are as any other. What comes of bodies when they are undone has
//! no place here, for that happens in the threads of the node's pool, of which there are
//! few: each has one body of [`BODY_BYTES`], and what is parsed from it.

use super::super::body::Incoming;
use super::coding::{BODY_BYTES, Coding};
use crate::problem::Problem;
use axum::body::Body;
use http_body::Body as _;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A body up to this long is small, and may be parsed where it arrives: in half a
/// millisecond at most.
pub const SMALL_BYTES: usize = 128 << 10;

/// Bodies at once: 256 MiB while all of them are small.
const BODIES: usize = 2048;

/// Pieces of [`SMALL_BYTES`] that large bodies have together beyond their first: 1 GiB, so 32
/// of the longest, or a thousand of 1 MiB. A vector that grows may have twice that.
const PIECES: usize = 8192;

/// Room for the bodies that are being read.
pub struct Room {
    bodies: Arc<Semaphore>,
    pieces: Arc<Semaphore>,
}

/// A body that was read, and its place.
pub struct Arrived {
    /// What came.
    pub bytes: Vec<u8>,
    /// How it is coded still.
    pub coding: Coding,
    _place: Place,
}

struct Place {
    _body: OwnedSemaphorePermit,
    pieces: OwnedSemaphorePermit,
}

impl Default for Room {
    fn default() -> Self {
        Self {
            bodies: Arc::new(Semaphore::new(BODIES)),
            pieces: Arc::new(Semaphore::new(PIECES)),
        }
    }
}

impl Room {
    /// Reads a body to its end.
    ///
    /// # Errors
    /// [`Problem::Busy`] when there is no room for it, or as [`Incoming::next`].
    pub async fn read(&self, body: Body, coding: Coding) -> Result<Arrived, Problem> {
        let mut place = Place {
            _body: take(&self.bodies, 1)?,
            pieces: take(&self.pieces, 0)?,
        };
        let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
        let mut whole = Vec::with_capacity(announced.min(SMALL_BYTES));
        let mut incoming = Incoming::new(body, BODY_BYTES as u64);
        while let Some(bytes) = incoming.next().await? {
            let needed = (whole.len() + bytes.len()) / SMALL_BYTES;
            let missing = needed.saturating_sub(place.pieces.num_permits());
            place.pieces.merge(take(&self.pieces, missing)?);
            whole.extend_from_slice(&bytes);
        }
        Ok(Arrived {
            bytes: whole,
            coding,
            _place: place,
        })
    }
}

impl Arrived {
    /// The same body without its coding, where it is `short` at most and `most` bytes come
    /// of it at most; otherwise as it was.
    ///
    /// # Errors
    /// [`Problem::Malformed`] for bytes that are not so coded.
    pub fn undo_short(self, short: usize, most: usize) -> Result<Self, Problem> {
        if self.coding.is_left() || self.bytes.len() > short {
            return Ok(self);
        }
        let undone = self.coding.undo(&self.bytes, most);
        match undone.map(std::borrow::Cow::into_owned) {
            Ok(bytes) => Ok(Self {
                bytes,
                coding: Coding::Identity,
                ..self
            }),
            Err(Problem::TooLong(_)) => Ok(self),
            Err(problem) => Err(problem),
        }
    }

    /// Gives the body without its coding to `parse`; then it and its place are gone, also
    /// where nobody waits for the result any more.
    ///
    /// # Errors
    /// As [`Coding::undo`], and those of `parse`.
    pub fn consume<T>(self, parse: impl FnOnce(&[u8]) -> Result<T, Problem>) -> Result<T, Problem> {
        let undone = self.coding.undo(&self.bytes, BODY_BYTES)?;
        parse(&undone)
    }
}

fn take(room: &Arc<Semaphore>, count: usize) -> Result<OwnedSemaphorePermit, Problem> {
    // All of them are fewer than that.
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    let taken = Arc::clone(room).try_acquire_many_owned(count);
    taken.map_err(|_| Problem::Busy("too many requests with samples are running"))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(room: &Room, length: usize) -> Result<Arrived, Problem> {
        room.read(Body::from(vec![b' '; length]), Coding::Identity)
            .await
    }

    #[tokio::test]
    async fn a_place_is_as_large_as_its_body() {
        let room = Room {
            bodies: Arc::new(Semaphore::new(3)),
            pieces: Arc::new(Semaphore::new(3)),
        };
        let large = read(&room, 3 * SMALL_BYTES).await.unwrap();
        let small = read(&room, SMALL_BYTES - 1).await.unwrap();
        let refused = read(&room, SMALL_BYTES).await;
        assert!(matches!(refused, Err(Problem::Busy(_))));
        let other = read(&room, 1).await.unwrap();
        assert!(matches!(read(&room, 1).await, Err(Problem::Busy(_))));
        assert_eq!(room.pieces.available_permits(), 0);
        let length = large.consume(|bytes| Ok(bytes.len())).unwrap();
        assert_eq!(length, 3 * SMALL_BYTES);
        drop((small, other));
        assert!(read(&room, 3 * SMALL_BYTES).await.is_ok());
        let longest = Room::default();
        let too_long = read(&longest, BODY_BYTES + 1).await;
        assert!(matches!(too_long, Err(Problem::TooLong(_))));
    }

    #[tokio::test]
    async fn what_is_short_and_comes_to_little_is_undone_at_once() {
        let room = Room::default();
        let check = async |length: usize, undone: bool| {
            let body = zstd::encode_all(&*vec![b' '; length], 3).unwrap();
            let arrived = room.read(Body::from(body), Coding::Zstd).await.unwrap();
            let arrived = arrived.undo_short(4096, SMALL_BYTES).unwrap();
            assert_eq!(arrived.coding == Coding::Identity, undone, "{length}");
            assert_eq!(arrived.bytes.len() == length, undone, "{length}");
        };
        check(1, true).await;
        check(SMALL_BYTES, true).await;
        check(SMALL_BYTES + 1, false).await;
        check(BODY_BYTES, false).await;
    }
}
