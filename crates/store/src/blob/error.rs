//! Why a blob could not be stored or read.

use super::MapError;
use base::{DeviceId, Hash};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why the store could not do something.
#[derive(Debug, Clone, thiserror::Error)]
pub enum BlobError {
    /// Bytes that do not have the hash they were sent under: the sender's fault.
    #[error("the bytes sent as {expected} have the hash {actual}; send them again")]
    WrongHash {
        /// What was promised.
        expected: Hash,
        /// What came.
        actual: Hash,
    },
    /// A length or place that does not fit: the sender's fault.
    #[error("{hash}: {what}")]
    Invalid {
        /// The blob.
        hash: Hash,
        /// What is wrong.
        what: String,
    },
    /// A block map that makes no sense: the sender's fault.
    #[error("{hash}: bad block map: {source}")]
    Map {
        /// The blob.
        hash: Hash,
        /// What is wrong.
        source: MapError,
    },
    /// The base of a delta is not stored, or has no block map: send it whole.
    #[error("{base} is not stored with a block map; send the blob whole")]
    NoBase {
        /// The base.
        base: Hash,
    },
    /// No such upload: begin it (again).
    #[error("{hash} is not being uploaded by device {owner}; begin the upload again")]
    NotBegun {
        /// The blob.
        hash: Hash,
        /// Who sent for it.
        owner: DeviceId,
    },
    /// An upload finished before all its bytes came.
    #[error("{hash}: {missing} bytes have not been sent yet")]
    Incomplete {
        /// The blob.
        hash: Hash,
        /// Bytes missing.
        missing: u64,
    },
    /// Too many uploads of one device, or too large ones; it must finish some.
    #[error(
        "this device has {open} unfinished uploads (limit {limit}), and with this one they would have {bytes} bytes (limit {byte_limit}); finish some first"
    )]
    Busy {
        /// Its unfinished uploads.
        open: usize,
        /// How many it may have.
        limit: usize,
        /// Their bytes, those of the refused one included.
        bytes: u64,
        /// How many they may have.
        byte_limit: u64,
    },
    /// Too many uploads of all devices at once, or too many chunks of them.
    #[error(
        "the unfinished uploads of all devices are {count} {of}, the limit is {limit}; try again"
    )]
    Crowded {
        /// How many there would be.
        count: usize,
        /// What is counted.
        of: &'static str,
        /// How many are allowed.
        limit: usize,
    },
    /// No space. Nothing that was stored is harmed.
    #[error("the disk that holds {path} is full; free some space and try again")]
    Full {
        /// The store.
        path: PathBuf,
    },
    /// Too little space would be left for the log and the database. Nothing that
    /// was stored is harmed.
    #[error(
        "less than {kept} MiB would stay free on the disk that holds {path} ({free} MiB free): free some space and try again",
        kept = mebibytes(*kept),
        free = mebibytes(*free)
    )]
    Reserved {
        /// The store.
        path: PathBuf,
        /// Bytes that must stay free.
        kept: u64,
        /// Bytes that are free.
        free: u64,
    },
    /// Bytes could not be made durable. Nothing more is taken until a restart,
    /// because what the disk holds is not known.
    #[error(
        "{path}: the blob store stopped taking blobs because the disk failed ({source}); check the disk, then restart the node"
    )]
    Poisoned {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: Arc<io::Error>,
    },
    /// A file of the store holds something that was never written so.
    #[error(
        "{path}: damaged: {what}; restore this file from a backup, and keep the damaged one until then"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// Any other operation of the file system failed.
    #[error("{path}: cannot {what}: {source}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// The operating system's reason.
        source: Arc<io::Error>,
    },
    /// The index failed. It holds nothing that the blobs do not.
    #[error(
        "{path}: the blob index failed ({message}); stop the node, delete this file and start again: it is rebuilt"
    )]
    Index {
        /// The index.
        path: PathBuf,
        /// SQLite's reason.
        message: String,
    },
}

impl BlobError {
    /// The error of one operation on one path, told apart by its kind.
    pub(super) fn io(what: &'static str, path: &Path, error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full {
                path: path.to_owned(),
            },
            _ => Self::Io {
                what,
                path: path.to_owned(),
                source: Arc::new(error),
            },
        }
    }
}

fn mebibytes(bytes: u64) -> String {
    match bytes >> 20 {
        0 => format!("{:.1}", bytes as f64 / f64::from(1 << 20)),
        whole => whole.to_string(),
    }
}
