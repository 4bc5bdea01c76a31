//! The bytes of log segments: their header, and records whose checksums cover
//! the log's id, the segment's number and the record's own place, so that stale
//! bytes never pass for a record, wherever they come from.
//!
//! Pure encoding and decoding; which records follow each other is decided in
//! `segments`. The layout is written down in `docs/formats/log.md`.

use super::Entry;
use base::LogId;

pub(super) const SEGMENT_HEADER_BYTES: usize = 64;
pub(super) const RECORD_HEADER_BYTES: usize = 40;

/// Records begin at multiples of this, so that looking for one behind damage
/// need not try every byte.
pub(super) const RECORD_ALIGNMENT: usize = 8;

const MAGIC: [u8; 8] = *b"ATOLLLOG";
const VERSION: u32 = 1;

/// What raft must not forget besides entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HardState {
    /// Latest term seen.
    pub term: u64,
    /// Who got this node's vote in that term; 0 for nobody.
    pub vote: u64,
    /// An index known to be committed; may lag behind.
    pub commit: u64,
}

/// An index and the term of its entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Position {
    /// The index; 0 before the first entry.
    pub index: u64,
    /// The term.
    pub term: u64,
}

/// What every checksum of one segment is seeded with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SegmentId {
    pub(super) log: LogId,
    pub(super) sequence: u64,
}

/// The first bytes of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SegmentHeader {
    pub(super) id: SegmentId,
    /// Where the log ended when the segment was begun.
    pub(super) base: Position,
}

/// What a record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Record<'a> {
    Entry {
        at: Position,
        kind: u8,
        bytes: &'a [u8],
    },
    HardState(HardState),
    /// Entries after this position are void; where there is no such position,
    /// all entries are. The log goes on behind it.
    Cut(Position),
}

/// A record's header whose checksum is right.
#[derive(Debug, Clone, Copy)]
pub(super) struct RecordHeader {
    kind: u8,
    entry_kind: u8,
    payload_crc: u32,
    payload_length: u32,
    at: Position,
    /// How much of the segment was durable when the record was written. Damage
    /// before that point cannot be a write that a power cut tore.
    pub(super) durable: u64,
}

const ENTRY: u8 = 1;
const HARD_STATE: u8 = 2;
const CUT: u8 = 3;

impl SegmentHeader {
    pub(super) fn encode(&self) -> [u8; SEGMENT_HEADER_BYTES] {
        let mut bytes = [0; SEGMENT_HEADER_BYTES];
        bytes[0..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.id.log.to_u64().to_le_bytes());
        bytes[24..32].copy_from_slice(&self.id.sequence.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.base.index.to_le_bytes());
        bytes[40..48].copy_from_slice(&self.base.term.to_le_bytes());
        let crc = crc32c::crc32c(&bytes[..60]);
        bytes[60..64].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Reads a header, or says what is wrong with it.
    pub(super) fn decode(bytes: &[u8; SEGMENT_HEADER_BYTES]) -> Result<Self, String> {
        if bytes[0..8] != MAGIC {
            return Err("this is no log segment".to_owned());
        }
        if crc32c::crc32c(&bytes[..60]) != u32_at(bytes, 60) {
            return Err("the segment's header does not match its checksum".to_owned());
        }
        let version = u32_at(bytes, 8);
        if version != VERSION {
            return Err(format!(
                "format version {version} is unknown to this program, which writes {VERSION}"
            ));
        }
        Ok(Self {
            id: SegmentId {
                log: LogId::from_u64(u64_at(bytes, 16)),
                sequence: u64_at(bytes, 24),
            },
            base: Position {
                index: u64_at(bytes, 32),
                term: u64_at(bytes, 40),
            },
        })
    }
}

impl Record<'_> {
    /// Bytes of the whole record with its padding.
    pub(super) fn encoded_bytes(self) -> u64 {
        let payload = match self {
            Self::Entry { bytes, .. } => bytes.len(),
            Self::HardState(_) => size_of::<u64>(),
            Self::Cut(_) => 0,
        };
        (RECORD_HEADER_BYTES + payload).next_multiple_of(RECORD_ALIGNMENT) as u64
    }
}

impl<'a> From<&'a Entry> for Record<'a> {
    fn from(entry: &'a Entry) -> Self {
        Self::Entry {
            at: Position {
                index: entry.index,
                term: entry.term,
            },
            kind: entry.kind,
            bytes: &entry.bytes,
        }
    }
}

impl SegmentId {
    /// Appends `record` to `out`, to be written at `offset`.
    pub(super) fn encode(&self, record: Record<'_>, offset: u64, durable: u64, out: &mut Vec<u8>) {
        let vote;
        let (kind, entry_kind, at, payload) = match record {
            Record::Entry { at, kind, bytes } => (ENTRY, kind, at, bytes),
            Record::HardState(state) => {
                vote = state.vote.to_le_bytes();
                let at = Position {
                    index: state.commit,
                    term: state.term,
                };
                (HARD_STATE, 0, at, &vote[..])
            }
            Record::Cut(at) => (CUT, 0, at, &[][..]),
        };
        let mut header = [0; RECORD_HEADER_BYTES];
        header[4..8].copy_from_slice(&crc32c::crc32c(payload).to_le_bytes());
        header[8..12].copy_from_slice(&(payload.len() as u32).to_le_bytes());
        header[12] = kind;
        header[13] = entry_kind;
        header[16..24].copy_from_slice(&at.index.to_le_bytes());
        header[24..32].copy_from_slice(&at.term.to_le_bytes());
        header[32..40].copy_from_slice(&durable.to_le_bytes());
        let crc = self.header_crc(&header, offset);
        header[0..4].copy_from_slice(&crc.to_le_bytes());
        out.extend_from_slice(&header);
        out.extend_from_slice(payload);
        out.resize(out.len().next_multiple_of(RECORD_ALIGNMENT), 0);
    }

    /// Reads a header that stands at `offset`; `None` when none stands there.
    pub(super) fn decode_header(
        &self,
        bytes: &[u8; RECORD_HEADER_BYTES],
        offset: u64,
    ) -> Option<RecordHeader> {
        // Cheap tests first: damage is searched byte by byte.
        let (kind, entry_kind) = (bytes[12], bytes[13]);
        if !matches!(kind, ENTRY | HARD_STATE | CUT) || bytes[14..16] != [0, 0] {
            return None;
        }
        if self.header_crc(bytes, offset) != u32_at(bytes, 0) {
            return None;
        }
        Some(RecordHeader {
            kind,
            entry_kind,
            payload_crc: u32_at(bytes, 4),
            payload_length: u32_at(bytes, 8),
            at: Position {
                index: u64_at(bytes, 16),
                term: u64_at(bytes, 24),
            },
            durable: u64_at(bytes, 32),
        })
    }

    fn header_crc(&self, header: &[u8; RECORD_HEADER_BYTES], offset: u64) -> u32 {
        let mut seed = [0; 24];
        seed[0..8].copy_from_slice(&self.log.to_u64().to_le_bytes());
        seed[8..16].copy_from_slice(&self.sequence.to_le_bytes());
        seed[16..24].copy_from_slice(&offset.to_le_bytes());
        crc32c::crc32c_append(crc32c::crc32c(&seed), &header[4..])
    }
}

impl RecordHeader {
    pub(super) fn payload_bytes(&self) -> usize {
        self.payload_length as usize
    }

    /// Bytes of the whole record with its padding.
    pub(super) fn record_bytes(&self) -> u64 {
        (RECORD_HEADER_BYTES + self.payload_bytes()).next_multiple_of(RECORD_ALIGNMENT) as u64
    }

    /// The record, if `payload` is what was written.
    pub(super) fn record<'a>(&self, payload: &'a [u8]) -> Option<Record<'a>> {
        if crc32c::crc32c(payload) != self.payload_crc {
            return None;
        }
        match self.kind {
            ENTRY => Some(Record::Entry {
                at: self.at,
                kind: self.entry_kind,
                bytes: payload,
            }),
            HARD_STATE => Some(Record::HardState(HardState {
                term: self.at.term,
                vote: u64::from_le_bytes(payload.try_into().ok()?),
                commit: self.at.index,
            })),
            _ => payload.is_empty().then_some(Record::Cut(self.at)),
        }
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: SegmentId = SegmentId {
        log: LogId::from_u64(7),
        sequence: 3,
    };

    fn check(record: Record<'_>) {
        let mut bytes = Vec::new();
        ID.encode(record, 64, 12, &mut bytes);
        let decode = |id: SegmentId, bytes: &[u8], offset| {
            let header = id.decode_header(bytes.first_chunk()?, offset)?;
            let end = RECORD_HEADER_BYTES + header.payload_bytes();
            header
                .record(bytes.get(RECORD_HEADER_BYTES..end)?)
                .map(|_| header)
        };
        let header = decode(ID, &bytes, 64).expect("it reads what it wrote");
        assert_eq!(header.durable, 12);
        assert_eq!(header.record_bytes(), bytes.len() as u64);
        assert_eq!(record.encoded_bytes(), bytes.len() as u64);
        let end = RECORD_HEADER_BYTES + header.payload_bytes();
        assert_eq!(
            header.record(&bytes[RECORD_HEADER_BYTES..end]),
            Some(record)
        );

        assert!(decode(ID, &bytes, 72).is_none(), "another place");
        let other = SegmentId { sequence: 4, ..ID };
        assert!(decode(other, &bytes, 64).is_none(), "another segment");
        for bit in 0..end * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(decode(ID, &flipped, 64).is_none(), "bit {bit} flipped");
        }
    }

    #[test]
    fn records_round_trip_and_every_flipped_bit_shows() {
        let at = Position { index: 9, term: 2 };
        for bytes in [&b""[..], b"x", b"eight888", &[0; 100]] {
            check(Record::Entry { at, kind: 5, bytes });
        }
        check(Record::HardState(HardState {
            term: 1,
            vote: 2,
            commit: 3,
        }));
        check(Record::Cut(at));
    }

    #[test]
    fn segment_headers_round_trip_and_every_flipped_bit_shows() {
        let header = SegmentHeader {
            id: ID,
            base: Position { index: 4, term: 5 },
        };
        let bytes = header.encode();
        assert_eq!(SegmentHeader::decode(&bytes), Ok(header));
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(SegmentHeader::decode(&flipped).is_err(), "bit {bit}");
        }
    }
}
