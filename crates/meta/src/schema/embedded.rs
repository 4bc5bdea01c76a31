//! The schemas of Atoll's own documents, which lie beside the code as texts.

use std::sync::LazyLock;

use super::Schema;
use super::read::build;
use crate::text::{Problems, Source, parse};

const FILE_METADATA_TEXT: &str = include_str!("../../schemas/file_metadata.atollmeta");
const MANIFEST_TEXT: &str = include_str!("../../schemas/manifest.atollmeta");
const SCHEMA_TEXT: &str = include_str!("../../schemas/schema.atollmeta");

static FILE_METADATA: LazyLock<Schema> = LazyLock::new(|| made_of(FILE_METADATA_TEXT));
static MANIFEST: LazyLock<Schema> = LazyLock::new(|| made_of(MANIFEST_TEXT));
static SCHEMA: LazyLock<Schema> = LazyLock::new(|| made_of(SCHEMA_TEXT));

/// The schema of the documents with this root key: `file_metadata`, `manifest`, and
/// `schema`, which is that of schemas.
pub fn embedded(root_key: &str) -> Option<&'static Schema> {
    match root_key {
        "file_metadata" => Some(&FILE_METADATA),
        "manifest" => Some(&MANIFEST),
        "schema" => Some(&SCHEMA),
        _ => None,
    }
}

/// The text of [`embedded`].
pub fn embedded_text(root_key: &str) -> Option<&'static str> {
    match root_key {
        "file_metadata" => Some(FILE_METADATA_TEXT),
        "manifest" => Some(MANIFEST_TEXT),
        "schema" => Some(SCHEMA_TEXT),
        _ => None,
    }
}

/// That of schemas, which says what is read as one.
pub(super) fn schema_of_schemas() -> &'static Schema {
    &SCHEMA
}

/// A schema that this file embeds. A test reads each as any other is read.
fn made_of(text: &str) -> Schema {
    let source = Source::new(text.as_bytes()).expect("an embedded schema is short");
    let parsed = parse(source);
    let document = parsed.tree.documents.first();
    let mut problems = Problems::default();
    let schema = document.and_then(|document| build(document, &mut problems));
    schema.expect("an embedded schema says its name and version")
}
