//! Memory of a loop for the heads of requests that become shared types, so that most
//! requests are answered without asking the allocator for any.
//!
//! What is copied here lives as long as anybody holds a part of it; the rest is used
//! again. Which bytes are copied, and what they become, is in [`super::head`].

use bytes::{Bytes, BytesMut};
use http::HeaderMap;

/// Heads are copied into pieces of this size. Somebody who keeps one value of a head
/// for long keeps no more than this of others.
const PIECE_BYTES: usize = 4096;

/// A head of which fewer than this many fit into a piece has memory of its own.
const SHARE: usize = 4;

/// A larger map is not kept: one odd message must not cost memory for ever.
const KEPT_FIELDS: usize = 64;

/// See the module.
#[derive(Debug, Default)]
pub struct Room {
    piece: BytesMut,
    fields: Option<HeaderMap>,
}

impl Room {
    /// A copy of `bytes`.
    pub(super) fn copy(&mut self, bytes: &[u8]) -> Bytes {
        if bytes.len() > PIECE_BYTES / SHARE {
            return Bytes::copy_from_slice(bytes);
        }
        if self.piece.capacity() < bytes.len() {
            // Takes the old piece again if nobody holds any of it.
            self.piece.reserve(PIECE_BYTES);
        }
        self.piece.extend_from_slice(bytes);
        self.piece.split().freeze()
    }

    /// An empty map for `count` fields.
    pub(super) fn fields(&mut self, count: usize) -> HeaderMap {
        let kept = self.fields.take();
        kept.unwrap_or_else(|| HeaderMap::with_capacity(count))
    }

    /// Takes a map that nobody needs any more: of a response that was written, for
    /// instance.
    pub fn take_back(&mut self, mut fields: HeaderMap) {
        if self.fields.is_none() && (1..=KEPT_FIELDS).contains(&fields.capacity()) {
            fields.clear();
            self.fields = Some(fields);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use http::header::HOST;

    #[test]
    fn a_copy_stays_when_its_piece_is_used_up() {
        let mut room = Room::default();
        let first = room.copy(b"first");
        let others: Vec<Bytes> = (0..PIECE_BYTES).map(|_| room.copy(b"other")).collect();
        assert_eq!(first, "first");
        assert!(others.iter().all(|other| other == "other"));
        let long = vec![b'l'; PIECE_BYTES];
        assert_eq!(room.copy(&long), long);
    }

    #[test]
    fn a_piece_that_nobody_holds_is_used_again() {
        let mut room = Room::default();
        let first = room.copy(b"first").as_ptr();
        let mut again = (0..PIECE_BYTES).map(|_| room.copy(b"other").as_ptr());
        assert!(again.any(|place| place == first));
    }

    #[test]
    fn a_map_comes_back_empty() {
        let mut room = Room::default();
        let mut fields = room.fields(3);
        fields.append(HOST, HeaderValue::from_static("a"));
        room.take_back(fields);
        let again = room.fields(0);
        assert!(again.is_empty() && again.capacity() >= 3);

        room.take_back(HeaderMap::with_capacity(KEPT_FIELDS * 2));
        assert_eq!(room.fields(0).capacity(), 0, "it was too large");
    }
}
