//! Documents of files and of folders, from and to the trees of their texts: which keys
//! they have and what those mean. docs/metadata.md lists them.
//!
//! The rules that one value follows alone are in the types; what contradicts another
//! value (the size of a directory, a mode beside other permissions) is found here, at its
//! place in the text. [`crate::text`] reads and prints the trees.

mod fields;
mod read;
mod write;

pub use read::{Described, described, read_manifest};
pub use write::{
    begin_manifest, end_manifest, file_metadata_document, manifest_document, text_of, write_entry,
};

/// The root key of a file's document.
pub const FILE_METADATA: &str = "file_metadata";

/// The root key of a folder's document.
pub const MANIFEST: &str = "manifest";

/// The key of a folder's entries, beneath its root key.
pub const ENTRIES: &str = "entries";

/// The key beside a root key that names the version of the schema which it follows.
pub const SCHEMA_VERSION: &str = "schema_version";
