//! What Atoll knows about a file: as types in which illegal states cannot be written
//! down, as a text that a person reads and edits, and as compact bytes. Pure: no I/O,
//! no clock.
//!
//! ```text
//! Metadata ──────────── what state and sync carry: all of it is known
//!    │
//! Record, FileMetadata ─ what a document says: only name and version must be known
//! Manifest               the records of a whole folder, each with its path
//!    │        │
//!  form     binary ───── their texts, through `text`'s trees; their bytes
//!    │
//!  text ──────────────── the language: documents, mappings, lists, scalars
//! ```
//!
//! [`schema`] says what documents must hold, in the language itself, and validates them;
//! [`check`] says all that is wrong with a text.
//! Folders are walked and compared with manifests by `sync`, which does the I/O.

mod attributes;
pub mod binary;
mod check;
mod content_hash;
mod fold;
pub mod form;
pub mod manifest;
mod metadata;
mod permissions;
mod record;
pub mod schema;
pub mod text;

pub use attributes::{AttributeError, AttributeName, Attributes};
pub use check::check;
pub use content_hash::{ContentHash, ParseContentHashError};
pub use fold::clash_key;
pub use manifest::Manifest;
pub use metadata::{Kind, Metadata, MetadataError, Mode, Target, Timestamp};
pub use permissions::{Access, ParseAccessError, Permissions};
pub use record::{
    FileMetadata, NodeName, Record, RecordError, RecordKind, Replica, Replicas, Status, SyncState,
};
