//! Manifests: a whole folder as one document, each file with its path and what is
//! known of it, in the order in which a walk meets them.
//!
//! A million entries are no reason to hold a million: [`Order`] checks them one at a
//! time, [`join`] lays two of them, or one and a folder, side by side. Their texts are
//! [`crate::form`]'s, their bytes [`crate::binary`]'s; who walks the folder is `sync`.

mod compare;
mod join;
mod order;
mod path;

pub use compare::{Aspect, Aspects, differences};
pub use join::{Pair, Placed, join};
pub use order::{Order, OrderError};
pub use path::{EntryPath, PathError};

use crate::metadata::Timestamp;
use crate::record::Record;
use base::Slug;

/// A folder.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Manifest {
    /// What is said of it as a whole.
    pub header: Header,
    /// What it holds, each directory before what is in it.
    entries: Vec<Entry>,
}

/// What a manifest says of its folder as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Header {
    /// The space that the folder follows, if it does.
    pub space: Option<Slug>,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// As [`Record::unrecognized`].
    pub unrecognized: Box<[u8]>,
}

/// One file of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it stands.
    pub path: EntryPath,
    /// What is known of it.
    pub record: Record,
}

impl Manifest {
    /// A folder of which no entry is known yet.
    pub const fn new(header: Header) -> Self {
        Self {
            header,
            entries: Vec::new(),
        }
    }

    /// A whole folder.
    ///
    /// # Errors
    /// [`OrderError`] of the first entry that is out of order.
    pub fn with(header: Header, entries: Vec<Entry>) -> Result<Self, OrderError> {
        let mut order = Order::default();
        for entry in &entries {
            order.next(&entry.path, entry.record.is_directory())?;
        }
        Ok(Self { header, entries })
    }

    /// What it holds.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// What it holds, to keep.
    pub fn into_entries(self) -> Vec<Entry> {
        self.entries
    }
}
