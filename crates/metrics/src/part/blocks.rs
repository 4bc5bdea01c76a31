//! Reads blocks of a part, and columns of its samples.

use super::block::{Block, HEADER_BYTES, Header, Kind};
use super::bytes::Malformed;
use super::error::PartError;
use super::integers::{self, Packing};
use super::reader::Part;
use super::rows::{Place, Span, TableReader, Times, Values};
use super::values;
use crate::chunk::Sample;
use std::collections::VecDeque;
use zstd::bulk::Decompressor;

/// How many columns of times are kept decoded: those that the series at hand and their
/// neighbours share.
const KEPT_TIMES: usize = 4;

/// Reads blocks; holds the memory for it, and what was read last.
pub(super) struct BlockReader<'p> {
    part: &'p Part,
    decompressor: Decompressor<'static>,
    bytes: Vec<u8>,
    /// The block of samples that was read last, and where it is.
    page: Option<u64>,
    columns: Block,
    times: VecDeque<(Place, Vec<i64>)>,
    integers: Vec<i64>,
    values: Vec<f64>,
}

impl<'p> BlockReader<'p> {
    pub(super) fn new(part: &'p Part) -> Result<Self, PartError> {
        let decompressor = Decompressor::new();
        Ok(Self {
            part,
            decompressor: decompressor.map_err(|error| part.unreadable(error))?,
            bytes: Vec::new(),
            page: None,
            columns: Block::default(),
            times: VecDeque::new(),
            integers: Vec::new(),
            values: Vec::new(),
        })
    }

    /// Reads the block at an offset, of whatever kind; gives its kind and how long it is.
    pub(super) fn read_any(
        &mut self,
        offset: u64,
        block: &mut Block,
    ) -> Result<(Kind, u64), PartError> {
        let damaged = |error| self.part.damaged(offset, error);
        let mut header = [0; HEADER_BYTES];
        self.part.read(offset, &mut header)?;
        let found = Header::of(header).map_err(damaged)?;
        let length = HEADER_BYTES + found.body_bytes();
        self.part.check_inside(offset, length as u64)?;
        self.bytes.resize(length, 0);
        self.bytes[..HEADER_BYTES].copy_from_slice(&header);
        let body = offset + HEADER_BYTES as u64;
        self.part.read(body, &mut self.bytes[HEADER_BYTES..])?;
        let opened = found.open(offset, &self.bytes, &mut self.decompressor, block);
        opened.map_err(damaged)?;
        Ok((found.kind, length as u64))
    }

    /// Reads the block at an offset, which must be of this kind.
    pub(super) fn read(
        &mut self,
        kind: Kind,
        offset: u64,
        block: &mut Block,
    ) -> Result<(), PartError> {
        let (found, _) = self.read_any(offset, block)?;
        if found != kind {
            let what = Malformed("a block is of another kind than was told");
            return Err(self.part.damaged(offset, what));
        }
        Ok(())
    }

    /// A block of series.
    pub(super) fn table(&mut self, offset: u64, memory: Vec<u8>) -> Result<TableReader, PartError> {
        let mut block = Block {
            packed: memory,
            plain: Vec::new(),
        };
        self.read(Kind::Series, offset, &mut block)?;
        Ok(TableReader::new(block.packed))
    }

    /// Appends the samples of a span.
    pub(super) fn samples(
        &mut self,
        span: &Span,
        samples: &mut Vec<Sample>,
    ) -> Result<(), PartError> {
        let count = span.times.count;
        match span.values {
            Values::Constant(value) => {
                self.values.clear();
                self.values.resize(count, value);
            }
            Values::Column(place) => self.take_values(&place, count)?,
        }
        let values = self.values.iter().copied();
        match span.times.column {
            None => samples.extend(equal_steps(&span.times).zip(values).map(sample)),
            Some(place) => {
                // Read before they are looked at, so that nothing is borrowed twice.
                let values = std::mem::take(&mut self.values);
                let times = self.take_times(&place, &span.times)?;
                let times = times.iter().copied();
                samples.extend(times.zip(values.iter().copied()).map(sample));
                self.values = values;
            }
        }
        Ok(())
    }

    fn take_values(&mut self, place: &Place, count: usize) -> Result<(), PartError> {
        self.read_page(place.page)?;
        let column = column(&self.columns, place);
        let decoded = column.and_then(|column| {
            values::decode(
                place.packing,
                column,
                count,
                &mut self.integers,
                &mut self.values,
            )
        });
        decoded.map_err(|error| self.part.damaged(place.page, error))
    }

    fn take_times(&mut self, place: &Place, told: &Times) -> Result<&[i64], PartError> {
        let damaged = |error| self.part.damaged(place.page, error);
        let kept = self.times.iter().position(|(kept, _)| kept == place);
        let kept = match kept {
            Some(kept) => kept,
            None => {
                self.read_page(place.page)?;
                let mut times = if self.times.len() == KEPT_TIMES {
                    self.times.pop_back().map_or(Vec::new(), |(_, times)| times)
                } else {
                    Vec::new()
                };
                times.clear();
                let column = column(&self.columns, place).map_err(damaged)?;
                let decoded = integers::decode(place.packing, column, told.count, &mut times);
                decoded.map_err(damaged)?;
                self.times.push_front((*place, times));
                0
            }
        };
        let times = &self.times[kept].1;
        let ends = (times.first(), times.last());
        let are_told = times.len() == told.count && ends == (Some(&told.start), Some(&told.end));
        if !are_told || times.windows(2).any(|pair| pair[0] >= pair[1]) {
            let what = Malformed("times are not those that were told");
            return Err(damaged(what));
        }
        Ok(times)
    }

    fn read_page(&mut self, page: u64) -> Result<(), PartError> {
        if self.page == Some(page) {
            return Ok(());
        }
        self.page = None;
        let mut columns = std::mem::take(&mut self.columns);
        let read = self.read(Kind::Samples, page, &mut columns);
        self.columns = columns;
        read?;
        self.page = Some(page);
        Ok(())
    }
}

/// The bytes of a column.
fn column<'a>(columns: &'a Block, place: &Place) -> Result<&'a [u8], Malformed> {
    let bytes = match place.packing {
        Packing::Varints => &columns.packed,
        Packing::Pco => &columns.plain,
    };
    let column = bytes.get(place.position..place.position + place.length);
    column.ok_or(Malformed("a column is not where it should be"))
}

/// The times of a span that has no column for them.
fn equal_steps(times: &Times) -> impl Iterator<Item = i64> {
    let step = match times.count {
        0 | 1 => 0,
        count => times.end.abs_diff(times.start) / (count as u64 - 1),
    };
    let start = times.start;
    (0..times.count as u64).map(move |n| start.wrapping_add_unsigned(n * step))
}

const fn sample((time, value): (i64, f64)) -> Sample {
    Sample { time, value }
}
