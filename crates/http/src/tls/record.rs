//! Where one record of TLS ends and the next begins (RFC 8446 5.1).
//!
//! `rustls` keeps the start of a record that has not ended to itself and does not say
//! so; this counts along. What is in records is none of its business.

/// Type, version, length: so many bytes precede the content of a record.
const HEAD_BYTES: u8 = 5;

/// A place in a stream of records.
#[derive(Debug, Default)]
pub(crate) struct RecordPlace {
    /// Bytes of a head that have come, when its end has not.
    head: u8,
    /// The last two bytes of a head: at its end, the length of the content.
    length: u16,
    /// Bytes of the content that are to come.
    left: usize,
}

impl RecordPlace {
    /// Goes on behind `bytes`.
    pub(crate) fn pass(&mut self, mut bytes: &[u8]) {
        while let [first, rest @ ..] = bytes {
            if self.left > 0 {
                let content = self.left.min(bytes.len());
                self.left -= content;
                bytes = &bytes[content..];
                continue;
            }
            self.length = self.length << 8 | u16::from(*first);
            self.head += 1;
            bytes = rest;
            if self.head == HEAD_BYTES {
                self.head = 0;
                self.left = self.length.into();
            }
        }
    }

    /// Whether a record has begun and not ended.
    pub(crate) fn is_within(&self) -> bool {
        self.head > 0 || self.left > 0
    }
}

#[cfg(test)]
mod tests {
    use super::RecordPlace;

    /// Three records, one of which has no content.
    fn records() -> (Vec<u8>, [usize; 4]) {
        let mut bytes = Vec::new();
        let mut edges = [0; 4];
        for (edge, length) in edges[1..].iter_mut().zip([3_u16, 0, 300]) {
            bytes.extend([0x17, 3, 3]);
            bytes.extend(length.to_be_bytes());
            bytes.extend(std::iter::repeat_n(0x17, length.into()));
            *edge = bytes.len();
        }
        (bytes, edges)
    }

    #[test]
    fn edges_are_found_however_the_stream_is_cut() {
        let (bytes, edges) = records();
        for first in 0..=bytes.len() {
            for second in first..=bytes.len() {
                let mut place = RecordPlace::default();
                place.pass(&bytes[..first]);
                assert_eq!(place.is_within(), !edges.contains(&first), "{first}");
                place.pass(&bytes[first..second]);
                assert_eq!(place.is_within(), !edges.contains(&second), "{second}");
            }
        }
    }
}
