//! A block of series: a row for each, with its labels and where its samples are.
//!
//! ```text
//! labels       as `put_behind` writes them behind those of the row before
//! spans        varint, at least 1: so many times up to 8192 samples
//! each span:
//!   times      varint: 0 in equal steps, 1 a column, 2 + n the nth told in this block
//!     if new:  samples; first time less that of the times told before, signed; last time
//!              less the first; a column's place
//!   values     varint: 0 all the same, whose bits follow as a varint, the bytes reversed;
//!              else a column's place
//! a place      varint: 4 · length + 2 if `pco` + 1 if told; then, if told, the offset of
//!              its block of samples less that of the place before, signed, and where it
//!              begins there; else it begins where the one before of its packing ended
//! ```
//!
//! What scrapers collect together has the same times, which so take one byte a span. The
//! bytes of a small integer as a float are mostly zeros at its low end, so they are
//! reversed.

use super::bytes::{Input, Malformed, put_behind, put_number, put_signed, take_behind};
use super::integers::Packing;
use crate::eval::TimeRange;

/// The most samples of a span.
pub(super) const SPAN_SAMPLES: usize = 8192;

/// The most spans of a series, so that a row fits into a block, and its samples into half a
/// gibibyte, in which a reader holds them. They are those of a year, one every second.
pub(super) const MOST_SPANS: usize = 1 << 12;

/// The most bytes that the labels of a series take: several times what ingestion lets in.
pub(super) const MOST_LABEL_BYTES: usize = 1 << 20;

/// How many of the times told last are looked through for the same.
const LOOKED_THROUGH: usize = 32;

/// Where a column is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// The offset of its block of samples.
    pub(super) page: u64,
    pub(super) packing: Packing,
    /// Where it begins among the bytes of its sort.
    pub(super) position: usize,
    /// Never 0.
    pub(super) length: usize,
}

/// The times of a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Times {
    /// How many, from 1 to [`SPAN_SAMPLES`].
    pub(super) count: usize,
    pub(super) start: i64,
    pub(super) end: i64,
    /// `None` when they follow each other in equal steps.
    pub(super) column: Option<Place>,
}

/// The values of a span.
#[derive(Debug, Clone, Copy)]
pub(super) enum Values {
    /// Each is this one.
    Constant(f64),
    /// They are told.
    Column(Place),
}

/// Some samples of a series.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    pub(super) times: Times,
    pub(super) values: Values,
}

/// Behind which place the next one is expected.
#[derive(Debug, Clone, Copy, Default)]
struct Track {
    page: u64,
    next: [usize; 2],
}

/// Makes a block of series.
#[derive(Debug, Default)]
pub(super) struct TableWriter {
    bytes: Vec<u8>,
    rows: u32,
    labels: Vec<u8>,
    times: Vec<Times>,
    track: Track,
}

/// Reads a block of series, row by row.
#[derive(Debug, Default)]
pub(super) struct TableReader {
    bytes: Vec<u8>,
    read: usize,
    labels: Vec<u8>,
    spans: Vec<Span>,
    times: Vec<Times>,
    track: Track,
}

impl Times {
    /// Whether it may have times in a range.
    pub(super) const fn overlaps(&self, range: TimeRange) -> bool {
        self.start <= range.end && self.end >= range.start
    }
}

impl TableWriter {
    /// Begins the row of a series that has so many spans, all of which must follow.
    pub(super) fn begin(&mut self, labels: &[u8], spans: usize) {
        put_behind(&mut self.bytes, &self.labels, labels);
        put_number(&mut self.bytes, spans as u64);
        self.labels.clear();
        self.labels.extend_from_slice(labels);
        self.rows += 1;
    }

    pub(super) fn span(&mut self, span: &Span) {
        self.put_times(&span.times);
        match span.values {
            Values::Constant(value) => {
                self.bytes.push(0);
                put_number(&mut self.bytes, value.to_bits().swap_bytes());
            }
            Values::Column(place) => self.put_place(&place),
        }
    }

    fn put_times(&mut self, times: &Times) {
        let told = self.times.iter().enumerate().rev().take(LOOKED_THROUGH);
        let mut same = told.filter(|(_, told)| *told == times);
        if let Some((place, _)) = same.next() {
            put_number(&mut self.bytes, place as u64 + 2);
            return;
        }
        put_number(&mut self.bytes, u64::from(times.column.is_some()));
        put_number(&mut self.bytes, times.count as u64);
        let before = self.times.last().map_or(0, |times| times.start);
        put_signed(&mut self.bytes, times.start.wrapping_sub(before));
        put_number(&mut self.bytes, times.end.abs_diff(times.start));
        if let Some(place) = &times.column {
            self.put_place(place);
        }
        self.times.push(*times);
    }

    fn put_place(&mut self, place: &Place) {
        let told = !self.track.expects(place);
        let is_pco = place.packing == Packing::Pco;
        let length = (place.length as u64) << 2;
        put_number(
            &mut self.bytes,
            length | u64::from(is_pco) << 1 | u64::from(told),
        );
        if told {
            let page = place.page.wrapping_sub(self.track.page);
            put_signed(&mut self.bytes, page.cast_signed());
            put_number(&mut self.bytes, place.position as u64);
        }
        self.track.passes(place);
    }

    /// How many bytes the block has.
    pub(super) const fn size(&self) -> usize {
        self.bytes.len()
    }

    /// The block and how many rows it has; the next one begins empty.
    pub(super) fn finish(&mut self) -> (Vec<u8>, u32) {
        let done = std::mem::take(self);
        (done.bytes, done.rows)
    }
}

impl TableReader {
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        Self {
            bytes,
            ..Self::default()
        }
    }

    /// The memory of the block, to be used again.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Goes to the next row; tells whether there is one.
    pub(super) fn advance(&mut self) -> Result<bool, Malformed> {
        let bytes = std::mem::take(&mut self.bytes);
        let mut input = Input(&bytes[self.read..]);
        let found = self.row(&mut input);
        self.read = bytes.len() - input.0.len();
        self.bytes = bytes;
        found
    }

    /// The labels of the row, as `Labels` holds them.
    pub(super) fn labels(&self) -> &[u8] {
        &self.labels
    }

    /// The samples of the row, by time.
    pub(super) fn spans(&self) -> &[Span] {
        &self.spans
    }

    fn row(&mut self, input: &mut Input<'_>) -> Result<bool, Malformed> {
        if input.is_empty() {
            return Ok(false);
        }
        take_behind(input, &mut self.labels, MOST_LABEL_BYTES)?;
        self.spans.clear();
        let spans = input.count(MOST_SPANS)?;
        if spans == 0 {
            return Err(Malformed("a series has no samples"));
        }
        for _ in 0..spans {
            let times = self.take_times(input)?;
            let values = match input.number()? {
                0 => Values::Constant(f64::from_bits(input.number()?.swap_bytes())),
                tag => Values::Column(self.take_place(tag, input)?),
            };
            let before = self.spans.last();
            if before.is_some_and(|before| before.times.end >= times.start) {
                return Err(Malformed("the samples of a series are not ordered by time"));
            }
            self.spans.push(Span { times, values });
        }
        Ok(true)
    }

    fn take_times(&mut self, input: &mut Input<'_>) -> Result<Times, Malformed> {
        let kind = input.number()?;
        if let Some(told) = kind.checked_sub(2) {
            let told = usize::try_from(told).ok();
            let told = told.and_then(|told| self.times.get(told));
            return told.copied().ok_or(Malformed("times are those of none"));
        }
        let count = input.count(SPAN_SAMPLES)?;
        let before = self.times.last().map_or(0, |times| times.start);
        let start = before.wrapping_add(input.signed()?);
        let length = input.number()?;
        let end = start.checked_add_unsigned(length);
        let end = end.ok_or(Malformed("times end too late"))?;
        let column = match kind {
            0 => None,
            _ => {
                let tag = input.number()?;
                Some(self.take_place(tag, input)?)
            }
        };
        // So many times, each later than the one before.
        let steps = (count as u64).checked_sub(1);
        let steps = steps.filter(|steps| length >= *steps && (*steps > 0 || length == 0));
        let steps = steps.ok_or(Malformed("times are not as many as they should be"))?;
        if column.is_none() && steps > 0 && length % steps != 0 {
            return Err(Malformed("times do not follow each other in equal steps"));
        }
        let times = Times {
            count,
            start,
            end,
            column,
        };
        self.times.push(times);
        Ok(times)
    }

    fn take_place(&mut self, tag: u64, input: &mut Input<'_>) -> Result<Place, Malformed> {
        let packing = match tag & 2 {
            0 => Packing::Varints,
            _ => Packing::Pco,
        };
        let length = u32::try_from(tag >> 2).ok().filter(|length| *length > 0);
        let length = length.ok_or(Malformed("a column has no length"))? as usize;
        let (page, position) = match tag & 1 {
            0 => (self.track.page, self.track.next[packing as usize]),
            _ => {
                let page = input.signed()?.cast_unsigned();
                let page = self.track.page.wrapping_add(page);
                (page, input.count(u32::MAX as usize)?)
            }
        };
        let place = Place {
            page,
            packing,
            position,
            length,
        };
        self.track.passes(&place);
        Ok(place)
    }
}

impl Track {
    fn expects(&self, place: &Place) -> bool {
        place.page == self.page && place.position == self.next[place.packing as usize]
    }

    fn passes(&mut self, place: &Place) {
        if place.page != self.page {
            *self = Self {
                page: place.page,
                next: [0; 2],
            };
        }
        self.next[place.packing as usize] = place.position + place.length;
    }
}

#[cfg(test)]
mod tests;
