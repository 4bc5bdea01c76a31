//! An open part: what it holds, and where.
//!
//! Opening reads the footer and the index, whatever the part's size. How it is selected
//! from is in `select`, how it is checked in `verify`.

use super::block::{Block, Kind};
use super::blocks::BlockReader;
use super::bytes::Malformed;
use super::error::PartError;
use super::footer::{Beginning, FOOTER_BYTES, Footer, HEADER_BYTES, Summary, VERSION, beginning};
use super::index::Index;
use std::io;
use std::path::{Path, PathBuf};
use store::fs::{File, FileSystem, Open};

/// A part that can be read, by several threads at once.
pub struct Part {
    path: PathBuf,
    file: Box<dyn File>,
    footer: Footer,
    pub(super) index: Index,
}

impl Part {
    /// Opens a part: reads and checks its footer and its index, which take some bytes for
    /// a hundred series. The rest is read and checked as it is needed.
    ///
    /// # Errors
    /// A file that cannot be read, is no part, or is damaged.
    pub fn open(fs: &dyn FileSystem, path: &Path) -> Result<Self, PartError> {
        let failed = |source| PartError::Read {
            path: path.to_owned(),
            source,
        };
        let file = fs.open(path, Open::Read).map_err(failed)?;
        let length = file.length().map_err(failed)?;
        let mut part = Self {
            path: path.to_owned(),
            file,
            footer: Footer {
                index: 0,
                summary: Summary {
                    bytes: length,
                    ..Summary::default()
                },
            },
            index: Index::default(),
        };
        part.read_header()?;
        part.read_footer()?;
        part.read_index()?;
        Ok(part)
    }

    /// What it holds.
    pub const fn summary(&self) -> &Summary {
        &self.footer.summary
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Copies its file to the beginning of another, also when it has no name any more.
    pub(crate) fn copy_to(&self, target: &dyn File) -> io::Result<()> {
        target.copy_from(&*self.file, 0, 0, self.summary().bytes)
    }

    /// How many series it has.
    pub(super) const fn series(&self) -> u32 {
        self.footer.summary.series as u32
    }

    /// Where its blocks begin.
    pub(super) const fn blocks_begin() -> u64 {
        HEADER_BYTES as u64
    }

    /// Where its blocks end.
    pub(super) const fn blocks_end(&self) -> u64 {
        self.footer.summary.bytes - FOOTER_BYTES as u64
    }

    /// Reads bytes of a block.
    pub(super) fn read(&self, offset: u64, bytes: &mut [u8]) -> Result<(), PartError> {
        self.check_inside(offset, bytes.len() as u64)?;
        let read = self.file.read_exact_at(bytes, offset);
        read.map_err(|error| self.unreadable(error))
    }

    /// Checks that bytes are among those of the blocks.
    pub(super) fn check_inside(&self, offset: u64, length: u64) -> Result<(), PartError> {
        let end = offset.checked_add(length);
        if end.is_none_or(|end| end > self.blocks_end()) {
            let what = Malformed("a block does not end before the footer");
            return Err(self.damaged(offset, what));
        }
        Ok(())
    }

    pub(super) fn unreadable(&self, source: io::Error) -> PartError {
        let path = self.path.clone();
        PartError::Read { path, source }
    }

    pub(super) fn damaged(&self, offset: u64, what: Malformed) -> PartError {
        PartError::damaged(&self.path, offset, what)
    }

    fn read_header(&self) -> Result<(), PartError> {
        if self.summary().bytes < (HEADER_BYTES + FOOTER_BYTES) as u64 {
            return Err(PartError::Foreign(self.path.clone()));
        }
        let mut header = [0; HEADER_BYTES];
        self.read(0, &mut header)?;
        match beginning(header) {
            Beginning::OfPart => Ok(()),
            Beginning::OfVersion(version) => Err(PartError::Version {
                path: self.path.clone(),
                version,
                known: VERSION,
            }),
            Beginning::Foreign => Err(PartError::Foreign(self.path.clone())),
            Beginning::Damaged => {
                let what = Malformed("the header's checksum is wrong");
                Err(self.damaged(0, what))
            }
        }
    }

    fn read_footer(&mut self) -> Result<(), PartError> {
        let mut footer = [0; FOOTER_BYTES];
        let offset = self.blocks_end();
        let read = self.file.read_exact_at(&mut footer, offset);
        read.map_err(|error| self.unreadable(error))?;
        let footer = Footer::of(footer, self.summary().bytes);
        self.footer = footer.map_err(|error| self.damaged(offset, error))?;
        Ok(())
    }

    fn read_index(&mut self) -> Result<(), PartError> {
        let offset = self.footer.index;
        let mut block = Block::default();
        BlockReader::new(self)?.read(Kind::Index, offset, &mut block)?;
        let index = Index::of(&block.packed, self.series());
        self.index = index.map_err(|error| self.damaged(offset, error))?;
        Ok(())
    }
}
