//! What can be wrong with a part, or with writing one.

use super::bytes::Malformed;
use crate::eval::{EvalError, Labels};
use std::io;
use std::path::{Path, PathBuf};

/// What can be wrong with a part, or with writing one.
#[derive(Debug, thiserror::Error)]
pub enum PartError {
    /// The disk is full.
    #[error("no space is left for {}; free some or give the metrics less time to keep", .0.display())]
    Full(PathBuf),
    /// The operating system does not write.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The unfinished file.
        path: PathBuf,
        /// What it says.
        source: io::Error,
    },
    /// The operating system does not read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The part.
        path: PathBuf,
        /// What it says.
        source: io::Error,
    },
    /// The file is of another kind.
    #[error("{} is no part of a metrics store", .0.display())]
    Foreign(PathBuf),
    /// Written by a version that is not known here.
    #[error("{} has version {version} of the format; this program reads version {known}", path.display())]
    Version {
        /// The part.
        path: PathBuf,
        /// What it has.
        version: u32,
        /// What is known here.
        known: u32,
    },
    /// The bytes are not what was written.
    #[error("{} is damaged at byte {offset}: {what}; restore the part from a copy, or delete it to go on without its samples", path.display())]
    Damaged {
        /// The part.
        path: PathBuf,
        /// Where the block begins that is damaged.
        offset: u64,
        /// What is wrong there.
        what: &'static str,
    },
    /// A series came that is not behind the one before it.
    #[error("the series {0} is not behind the one before it")]
    SeriesOrder(Labels),
    /// A sample came that is not behind the one before it.
    #[error("the series {labels} has a sample of {time} ms that is not behind the one before it")]
    SampleOrder {
        /// The series.
        labels: Labels,
        /// Of the sample, in milliseconds since 1970.
        time: i64,
    },
    /// The labels of a series are longer than a part holds.
    #[error("a series has labels of {bytes} bytes; a part holds at most {most}")]
    LabelsTooLong {
        /// How many they take.
        bytes: usize,
        /// How many they may.
        most: usize,
    },
    /// There is more of something than one part holds.
    #[error("one part holds at most {most} {what}; write several")]
    TooMuch {
        /// Of what.
        what: &'static str,
        /// How many it holds.
        most: u64,
    },
    /// The series that were to be written could not be read.
    #[error("cannot read what is to be written: {0}")]
    Source(#[from] EvalError),
}

impl From<PartError> for EvalError {
    fn from(error: PartError) -> Self {
        match error {
            PartError::Source(error) => error,
            other => Self::source(other),
        }
    }
}

impl PartError {
    pub(super) fn write(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full(path),
            _ => Self::Write { path, source },
        }
    }

    pub(super) fn damaged(path: &Path, offset: u64, Malformed(what): Malformed) -> Self {
        let path = path.to_owned();
        Self::Damaged { path, offset, what }
    }
}
