//! Schemas: what the documents of one root key must hold, as a text in the metadata
//! language itself, and whether a document does. The page is docs/schemas.md.
//!
//! ```text
//! schema text ─parse─▶ tree ─read─▶ Schema ─validate─▶ problems
//!                                      ▲
//!                               a document's tree
//! ```
//!
//! A schema looks at each value alone. What values must be beside each other (a
//! target only for links) is said by the types that documents are converted to. Read
//! `rules` first, then `validate`; `read` makes the rules, `embedded` has our own.

mod bounds;
mod embedded;
mod format;
mod near;
mod pattern;
mod read;
mod rules;
mod said;
mod validate;

pub use embedded::{embedded, embedded_text};

use rules::{MappingRule, Rule};

use crate::text::{Document, Problems};

/// Beside a document's root key: the version of the schema that it was written for.
const VERSION_KEY: &str = "schema_version";

/// What documents of one root key must hold.
#[derive(Debug, Clone)]
pub struct Schema {
    name: Box<str>,
    version: u64,
    /// What lies at the top of a document: the root key, and maybe its version.
    document: MappingRule,
    /// All rules that others refer to by their place here.
    rules: Vec<Rule>,
}

impl Schema {
    /// Reads a schema from a document whose root key is `schema`.
    ///
    /// # Errors
    /// What is wrong with it, to be located in the text that it was read from. When
    /// it does not look like a schema, only that is said, not what it means.
    pub fn read(document: &Document<'_>) -> Result<Self, Problems> {
        read::read(document)
    }

    /// The root key of the documents that it describes.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its version, at least 1; documents are of this one unless they say another.
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// Adds to `problems` all that a document has and must not, or lacks and must
    /// have. It takes time in proportion to the document. A tree lacks what its parser
    /// left out with a problem, so that those problems come first.
    pub fn validate(&self, document: &Document<'_>, problems: &mut Problems) {
        validate::validate(self, document, problems);
    }
}
