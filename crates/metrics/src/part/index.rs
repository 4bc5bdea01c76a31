//! The index of a part, which is held in memory while it is open: where its blocks of
//! series and of postings are. It is sparse, an entry for some hundred series.
//!
//! ```text
//! blocks of series     varint; each: offset less that of the one before, series
//! blocks of postings   varint; each: offset less that of the one before, first label
//! ```
//!
//! All numbers are varints. A label is written as in `postings`.

use super::bytes::{Input, Malformed, put_behind, put_number, take_behind};
use super::rows::MOST_LABEL_BYTES;
use std::ops::Range;

/// Where the blocks are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Index {
    /// By the order of their series.
    pub(super) tables: Vec<TableBlock>,
    /// By the order of their labels.
    pub(super) postings: Vec<PostingsBlock>,
}

/// A block of series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TableBlock {
    pub(super) offset: u64,
    /// The numbers of its series.
    pub(super) series: Range<u32>,
}

/// A block of postings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PostingsBlock {
    pub(super) offset: u64,
    /// The first label in it.
    pub(super) first: Box<[u8]>,
}

impl Index {
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        put_number(&mut bytes, self.tables.len() as u64);
        let mut before = 0;
        for block in &self.tables {
            put_number(&mut bytes, block.offset - before);
            put_number(&mut bytes, block.series.len() as u64);
            before = block.offset;
        }
        put_number(&mut bytes, self.postings.len() as u64);
        let (mut before, mut label): (_, &[u8]) = (0, &[]);
        for block in &self.postings {
            put_number(&mut bytes, block.offset - before);
            put_behind(&mut bytes, label, &block.first);
            (before, label) = (block.offset, &block.first);
        }
        bytes
    }

    /// Reads the index of a part of `series` series.
    pub(super) fn of(bytes: &[u8], series: u32) -> Result<Self, Malformed> {
        let mut input = Input(bytes);
        let mut index = Self::default();
        let (mut offset, mut next) = (0_u64, 0_u32);
        // No entry takes less than a byte, so no length asks for much memory.
        for _ in 0..input.count(bytes.len())? {
            offset = offset.wrapping_add(input.number()?);
            let begin = next;
            next += input.count((series - begin) as usize)? as u32;
            let series = begin..next;
            index.tables.push(TableBlock { offset, series });
        }
        if next != series {
            return Err(Malformed("the index does not have all series"));
        }
        offset = 0;
        let mut label = Vec::new();
        for _ in 0..input.count(bytes.len())? {
            offset = offset.wrapping_add(input.number()?);
            take_behind(&mut input, &mut label, MOST_LABEL_BYTES)?;
            let first = label.as_slice().into();
            index.postings.push(PostingsBlock { offset, first });
        }
        if !input.is_empty() {
            return Err(Malformed("there is more than an index"));
        }
        Ok(index)
    }

    /// The block of series that has this one.
    pub(super) fn table_of(&self, series: u32) -> Option<&TableBlock> {
        let place = self
            .tables
            .partition_point(|block| block.series.end <= series);
        self.tables.get(place)
    }

    /// The first block of postings that may have this label or one behind it.
    pub(super) fn postings_of(&self, label: &[u8]) -> usize {
        // A label may begin in the block before the one that begins with it.
        let before = self.postings.partition_point(|block| *block.first < *label);
        before.saturating_sub(1)
    }
}
