//! Checks a part from its first byte to its last: for scrubs.

use super::block::{Block, Kind};
use super::blocks::BlockReader;
use super::bytes::{Input, Malformed};
use super::error::PartError;
use super::postings::{Runs, each_label, take_entry, take_runs};
use super::reader::Part;
use super::rows::TableReader;
use crate::eval::Labels;

impl Part {
    /// Reads all of it, and checks each checksum and that everything decodes and is as many
    /// as it should be. `go_on` is told the bytes of each block that was read, may wait, and
    /// says whether to go on. Whether it did to the end is told.
    ///
    /// # Errors
    /// The first damage.
    pub fn verify(&self, go_on: &mut dyn FnMut(u64) -> bool) -> Result<bool, PartError> {
        let mut check = Check {
            part: self,
            blocks: BlockReader::new(self)?,
            last: None,
            found: Found::default(),
        };
        let mut offset = Self::blocks_begin();
        let mut block = Block::default();
        while offset < self.blocks_end() {
            let (kind, length) = check.blocks.read_any(offset, &mut block)?;
            check.block(kind, offset, &mut block)?;
            offset += length;
            if !go_on(length) {
                return Ok(false);
            }
        }
        check.is_complete()?;
        Ok(true)
    }
}

/// A part that is being checked, as far as it was.
struct Check<'p> {
    part: &'p Part,
    blocks: BlockReader<'p>,
    last: Option<Labels>,
    found: Found,
}

/// What was found so far.
#[derive(Default)]
struct Found {
    tables: usize,
    postings: usize,
    series: u64,
    samples: u64,
    /// Labels of all series, by the rows and by the postings.
    labels: u64,
    posted: u64,
}

impl Check<'_> {
    fn block(&mut self, kind: Kind, offset: u64, block: &mut Block) -> Result<(), PartError> {
        match kind {
            // Read again by the series to which they belong.
            Kind::Samples => Ok(()),
            Kind::Series => {
                let known = self.part.index.tables.get(self.found.tables);
                self.is_known(known.map(|block| block.offset), offset)?;
                self.found.tables += 1;
                self.table(offset, TableReader::new(std::mem::take(&mut block.packed)))
            }
            Kind::Postings => {
                let known = self.part.index.postings.get(self.found.postings);
                self.is_known(known.map(|block| block.offset), offset)?;
                self.found.postings += 1;
                let checked = self.postings(&block.packed);
                checked.map_err(|error| self.part.damaged(offset, error))
            }
            Kind::Index => Ok(()),
        }
    }

    fn is_known(&self, known: Option<u64>, offset: u64) -> Result<(), PartError> {
        if known != Some(offset) {
            let what = Malformed("the index does not know this block");
            return Err(self.part.damaged(offset, what));
        }
        Ok(())
    }

    fn table(&mut self, offset: u64, mut table: TableReader) -> Result<(), PartError> {
        let damaged = |error| self.part.damaged(offset, error);
        let mut samples = Vec::new();
        while table.advance().map_err(damaged)? {
            let labels = Labels::from_bytes(table.labels());
            let labels =
                labels.filter(|labels| self.last.as_ref().is_none_or(|last| last < labels));
            let unordered = Malformed("its series are malformed, or not in their order");
            self.last = Some(labels.ok_or_else(|| damaged(unordered))?);
            self.found.labels += each_label(table.labels()).count() as u64;
            for span in table.spans() {
                samples.clear();
                self.blocks.samples(span, &mut samples)?;
                self.found.samples += samples.len() as u64;
            }
            self.found.series += 1;
        }
        Ok(())
    }

    fn postings(&mut self, entries: &[u8]) -> Result<(), Malformed> {
        let mut input = Input(entries);
        let (mut label, mut runs) = (Vec::new(), Runs::new());
        while !input.is_empty() {
            let told = take_entry(&mut input, &mut label)?;
            runs.clear();
            take_runs(told, self.part.series(), &mut runs)?;
            let series = runs.iter().map(|run| run.len() as u64);
            self.found.posted += series.sum::<u64>();
        }
        Ok(())
    }

    fn is_complete(&self) -> Result<(), PartError> {
        let (found, told) = (&self.found, self.part.summary());
        let index = &self.part.index;
        let is_complete = found.series == told.series
            && found.samples == told.samples
            && found.tables == index.tables.len()
            && found.postings == index.postings.len()
            && found.labels == found.posted;
        if !is_complete {
            let what = Malformed("it does not hold what it says");
            return Err(self.part.damaged(self.part.blocks_end(), what));
        }
        Ok(())
    }
}
