//! Looking labels up in the postings of a part.

use super::block::{Block, Kind};
use super::blocks::BlockReader;
use super::bytes::{Input, Malformed};
use super::error::PartError;
use super::postings::{END, Runs, name_and_value, take_entry, take_runs};
use super::reader::Part;
use crate::eval::{EvalError, Texts, Watch};
use std::ops::Range;

/// Reads entries of postings. Looks forward without reading a block twice.
pub(super) struct Lookup<'p> {
    part: &'p Part,
    blocks: BlockReader<'p>,
    /// Which block of postings is read, and how far.
    place: Option<usize>,
    block: Block,
    read: usize,
    label: Vec<u8>,
}

impl<'p> Lookup<'p> {
    pub(super) fn new(part: &'p Part) -> Result<Self, PartError> {
        Ok(Self {
            part,
            blocks: BlockReader::new(part)?,
            place: None,
            block: Block::default(),
            read: 0,
            label: Vec::new(),
        })
    }

    /// Adds the names of all labels.
    pub(super) fn add_names(&mut self, names: &mut Texts) -> Result<(), PartError> {
        let mut from = Vec::new();
        loop {
            let Some(_) = self.entry_from(&from)? else {
                return Ok(());
            };
            let (name, _) = self.name_and_value()?;
            // Behind all values of this name, none of which begins so.
            from = [name.as_bytes(), &[END, END]].concat();
            names.insert(name);
        }
    }

    /// Gives each value of a label, and runs of the series that have it; those of one
    /// value may come in pieces.
    ///
    /// # Errors
    /// Also [`EvalError::Canceled`], when `watch` says so.
    pub(super) fn each_value(
        &mut self,
        name: &str,
        watch: &mut Watch<'_>,
        mut each: impl FnMut(&str, &[u8]) -> Result<(), Malformed>,
    ) -> Result<(), EvalError> {
        let from = [name.as_bytes(), &[END]].concat();
        let mut found = self.entry_from(&from)?;
        while let Some(runs) = found.filter(|_| self.label.starts_with(&from)) {
            watch.look_now()?;
            let (_, value) = self.name_and_value()?;
            let told = each(value, &self.block.packed[runs]);
            told.map_err(|error| self.damaged(error))?;
            found = self.next_entry()?;
        }
        Ok(())
    }

    /// Adds the series that have a label with this value.
    pub(super) fn add_series(
        &mut self,
        name: &str,
        value: &str,
        series: &mut Runs,
    ) -> Result<(), PartError> {
        let label = [name.as_bytes(), &[END], value.as_bytes(), &[END]].concat();
        let mut found = self.entry_from(&label)?;
        while let Some(runs) = found.filter(|_| self.label == label) {
            let taken = take_runs(&self.block.packed[runs], self.part.series(), series);
            taken.map_err(|error| self.damaged(error))?;
            found = self.next_entry()?;
        }
        Ok(())
    }

    /// Goes to the first entry that is not before a label; gives where its runs are.
    fn entry_from(&mut self, label: &[u8]) -> Result<Option<Range<usize>>, PartError> {
        let place = self.part.index.postings_of(label);
        if self.place != Some(place) || *self.label >= *label {
            self.open(place)?;
        }
        loop {
            match self.next_entry()? {
                Some(_) if *self.label < *label => {}
                found => return Ok(found),
            }
        }
    }

    fn next_entry(&mut self) -> Result<Option<Range<usize>>, PartError> {
        while self.read == self.block.packed.len() {
            let next = self.place.map_or(0, |place| place + 1);
            if next >= self.part.index.postings.len() {
                return Ok(None);
            }
            self.open(next)?;
        }
        let mut input = Input(&self.block.packed[self.read..]);
        let taken = take_entry(&mut input, &mut self.label).map(<[u8]>::len);
        self.read = self.block.packed.len() - input.0.len();
        let length = taken.map_err(|error| self.damaged(error))?;
        Ok(Some(self.read - length..self.read))
    }

    fn open(&mut self, place: usize) -> Result<(), PartError> {
        self.block.packed.clear();
        self.label.clear();
        self.read = 0;
        self.place = Some(place);
        if let Some(block) = self.part.index.postings.get(place) {
            self.blocks
                .read(Kind::Postings, block.offset, &mut self.block)?;
        }
        Ok(())
    }

    fn name_and_value(&self) -> Result<(&str, &str), PartError> {
        let found = name_and_value(&self.label);
        let malformed = Malformed("a label is malformed");
        found.ok_or_else(|| self.damaged(malformed))
    }

    fn damaged(&self, what: Malformed) -> PartError {
        let block = self
            .place
            .and_then(|place| self.part.index.postings.get(place));
        self.part
            .damaged(block.map_or(0, |block| block.offset), what)
    }
}
