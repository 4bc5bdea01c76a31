//! The bytes of segments of small blobs, and finding the records in them.
//!
//! A record's checksum covers its place and the store's secret identity, so that
//! neither stale bytes nor any blob's content can pass for one. Who appends, and
//! when it is durable, is `small`'s business. The layout is written down in
//! `docs/formats/blobs.md`.

use crate::fs::Window;
use base::{Hash, limits};
use std::io;

pub(super) const HEADER_BYTES: usize = 64;
pub(super) const RECORD_HEADER_BYTES: usize = 40;

/// Records begin at multiples of this.
const ALIGNMENT: u64 = 8;

const MAGIC: [u8; 8] = *b"ATOLLBLB";
const VERSION: u32 = 1;

/// Set in the length of a record that is none: it covers what a power cut tore.
const VOID: u32 = 1 << 31;

/// A place in the segments. Segments are numbered from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Position {
    pub(super) segment: u64,
    pub(super) offset: u64,
}

/// What every checksum of one segment is seeded with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SegmentId {
    /// The store's identity, drawn when it was created.
    pub(super) store: u64,
    pub(super) number: u64,
}

/// A stretch of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) start: Position,
    /// Offset of its end, header and padding included.
    pub(super) end: u64,
    pub(super) what: Content,
}

/// What a stretch of a segment holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    /// A record whose header is right.
    Blob { hash: Hash, length: u64 },
    /// Bytes that are no record.
    Gap,
    /// Bytes that were found to be no record when the store was opened.
    Void,
}

/// Reads a segment record by record.
pub(super) struct Scan {
    id: SegmentId,
    window: Window,
    offset: u64,
    /// The record behind the gap that was reported last.
    held: Option<Found>,
}

impl Found {
    /// Where the bytes of the blob begin.
    pub(super) fn body(&self) -> Position {
        Position {
            offset: self.start.offset + RECORD_HEADER_BYTES as u64,
            ..self.start
        }
    }
}

impl SegmentId {
    pub(super) fn encode_header(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[0..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.store.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.number.to_le_bytes());
        let crc = crc32c::crc32c(&bytes[..60]);
        bytes[60..64].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Reads a header, or says what is wrong with it.
    pub(super) fn decode_header(bytes: &[u8; HEADER_BYTES]) -> Result<Self, String> {
        let u32_at = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four"));
        let u64_at = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight"));
        if bytes[0..8] != MAGIC || crc32c::crc32c(&bytes[..60]) != u32_at(60) {
            return Err("its header does not match its checksum".to_owned());
        }
        let version = u32_at(8);
        if version != VERSION {
            return Err(format!(
                "format version {version} is unknown to this program, which writes {VERSION}"
            ));
        }
        Ok(Self {
            store: u64_at(16),
            number: u64_at(24),
        })
    }

    /// Appends the record of a blob to `out`, to be written at `offset`.
    pub(super) fn encode(&self, hash: Hash, body: &[u8], offset: u64, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.record_header(hash, body.len() as u32, offset));
        out.extend_from_slice(body);
        out.resize(out.len().next_multiple_of(ALIGNMENT as usize), 0);
    }

    /// The header of a record that covers the bytes from `start` to `end`, which
    /// hold none.
    pub(super) fn encode_void(&self, start: u64, end: u64) -> [u8; RECORD_HEADER_BYTES] {
        let covered = end - start - RECORD_HEADER_BYTES as u64;
        let no_hash = Hash::from_bytes([0; Hash::BYTES]);
        self.record_header(no_hash, covered as u32 | VOID, start)
    }

    fn record_header(&self, hash: Hash, length: u32, offset: u64) -> [u8; RECORD_HEADER_BYTES] {
        let mut header = [0; RECORD_HEADER_BYTES];
        header[4..8].copy_from_slice(&length.to_le_bytes());
        header[8..40].copy_from_slice(hash.as_bytes());
        let crc = self.crc(&header, offset);
        header[0..4].copy_from_slice(&crc.to_le_bytes());
        header
    }

    /// The record whose header stands at `offset`, if one does.
    fn decode(&self, bytes: &[u8; RECORD_HEADER_BYTES], offset: u64) -> Option<Found> {
        let crc = u32::from_le_bytes(bytes[0..4].try_into().expect("four bytes"));
        let length = u32::from_le_bytes(bytes[4..8].try_into().expect("four bytes"));
        let is_void = length & VOID != 0;
        let length = u64::from(length & !VOID);
        // The cheap test first: gaps are searched step by step.
        if (!is_void && length > limits::SMALL_FILE_BYTES) || self.crc(bytes, offset) != crc {
            return None;
        }
        let hash = Hash::from_slice(&bytes[8..40])?;
        Some(Found {
            start: self.at(offset),
            end: (offset + RECORD_HEADER_BYTES as u64 + length).next_multiple_of(ALIGNMENT),
            what: if is_void {
                Content::Void
            } else {
                Content::Blob { hash, length }
            },
        })
    }

    fn at(&self, offset: u64) -> Position {
        Position {
            segment: self.number,
            offset,
        }
    }

    fn crc(&self, header: &[u8; RECORD_HEADER_BYTES], offset: u64) -> u32 {
        let mut seed = [0; 24];
        seed[0..8].copy_from_slice(&self.store.to_le_bytes());
        seed[8..16].copy_from_slice(&self.number.to_le_bytes());
        seed[16..24].copy_from_slice(&offset.to_le_bytes());
        crc32c::crc32c_append(crc32c::crc32c(&seed), &header[4..])
    }
}

impl Scan {
    /// Reads the segment `id` from `offset` on, or from its first record.
    pub(super) fn new(id: SegmentId, window: Window, offset: u64) -> Self {
        Self {
            id,
            window,
            offset: offset.max(HEADER_BYTES as u64),
            held: None,
        }
    }

    /// The next stretch; they follow each other without holes.
    ///
    /// # Errors
    /// As the operating system says.
    pub(super) fn next(&mut self) -> io::Result<Option<Found>> {
        if let Some(held) = self.held.take() {
            return Ok(Some(held));
        }
        let gap = self.offset;
        let record = self.find_record()?;
        self.offset = record.map_or(self.window.length(), |record| record.end);
        let end = record.map_or(self.offset, |record| record.start.offset);
        if gap < end {
            self.held = record;
            let start = self.id.at(gap);
            let what = Content::Gap;
            return Ok(Some(Found { start, end, what }));
        }
        Ok(record)
    }

    /// The first record at or behind the current offset.
    fn find_record(&mut self) -> io::Result<Option<Found>> {
        let mut offset = self.offset;
        while let Some(bytes) = self.window.bytes(offset, RECORD_HEADER_BYTES)? {
            let bytes = bytes.first_chunk().expect("as many as asked for");
            if let Some(found) = self.id.decode(bytes, offset)
                && found.end <= self.window.length()
            {
                return Ok(Some(found));
            }
            offset += ALIGNMENT;
        }
        Ok(None)
    }

    /// Whether a blob that [`Scan::next`] found last has the bytes of its hash.
    ///
    /// # Errors
    /// As the operating system says.
    pub(super) fn is_intact(&mut self, found: &Found) -> io::Result<bool> {
        let Content::Blob { hash, length } = found.what else {
            return Ok(false);
        };
        let body = self.window.bytes(found.body().offset, length as usize)?;
        Ok(body.is_some_and(|body| Hash::of(body) == hash))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::{FileSystem, Open, SimulatedFileSystem};
    use std::path::Path;
    use std::sync::Arc;

    const ID: SegmentId = SegmentId {
        store: 7,
        number: 3,
    };

    fn scan(bytes: &[u8]) -> Vec<(u64, u64, Content)> {
        let disk = SimulatedFileSystem::new();
        let file = disk.open(Path::new("segment"), Open::CreateNew).unwrap();
        file.write_all_at(bytes, 0).unwrap();
        let window = Window::new(Arc::from(file), bytes.len() as u64);
        let mut scan = Scan::new(ID, window, 0);
        let mut found = Vec::new();
        while let Some(next) = scan.next().unwrap() {
            found.push((next.start.offset, next.end, next.what));
        }
        found
    }

    #[test]
    fn records_are_found_around_damage() {
        let mut bytes = ID.encode_header().to_vec();
        let mut expected = Vec::new();
        for body in [&b"first"[..], b"", b"third and longer"] {
            let start = bytes.len() as u64;
            let hash = Hash::of(body);
            ID.encode(hash, body, start, &mut bytes);
            let length = body.len() as u64;
            expected.push((start, bytes.len() as u64, Content::Blob { hash, length }));
        }
        assert_eq!(scan(&bytes), expected);
        assert_eq!(scan(&bytes[..bytes.len() - 8])[2].2, Content::Gap);

        for (record, (start, end, _)) in expected.iter().enumerate() {
            let mut damaged = bytes.clone();
            damaged[*start as usize + 3] ^= 1;
            let mut found = expected.clone();
            found[record].2 = Content::Gap;
            assert_eq!(scan(&damaged), found);
            let void = ID.encode_void(*start, *end);
            damaged[*start as usize..][..RECORD_HEADER_BYTES].copy_from_slice(&void);
            found[record].2 = Content::Void;
            assert_eq!(scan(&damaged), found);
        }
    }

    #[test]
    fn a_record_inside_a_blob_is_not_found() {
        let other = SegmentId { store: 8, ..ID };
        let mut inner = Vec::new();
        other.encode(Hash::of(b"bait"), b"bait", 64 + 40, &mut inner);
        let mut bytes = ID.encode_header().to_vec();
        ID.encode(Hash::of(&inner), &inner, 64, &mut bytes);
        bytes[65] ^= 1;
        let end = bytes.len() as u64;
        assert_eq!(scan(&bytes), [(64, end, Content::Gap)]);
    }

    #[test]
    fn segment_headers_round_trip_and_every_flipped_bit_shows() {
        let bytes = ID.encode_header();
        assert_eq!(SegmentId::decode_header(&bytes), Ok(ID));
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(SegmentId::decode_header(&flipped).is_err(), "bit {bit}");
        }
    }
}
