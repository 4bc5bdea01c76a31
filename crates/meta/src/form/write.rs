//! From documents to trees, and to text as a folder's entries come.
//!
//! A document of one file shows its permissions in words, as people set them; an entry of
//! a manifest has its mode in one line, because there are a million of them.

use super::{ENTRIES, FILE_METADATA, MANIFEST};
use crate::attributes::Attributes;
use crate::manifest::{Entry, Header, Manifest};
use crate::metadata::Mode;
use crate::permissions::Permissions;
use crate::record::{FileMetadata, Record, RecordKind, SyncState};
use crate::text::{
    Document, Entry as Line, Integer, Item, List, Mapping, Node, Notes, Scalar, Tree, Value, print,
    print_item,
};
use base::hex;
use std::borrow::Cow;

/// How deep a manifest's entries stand in its text.
const ENTRY_LEVEL: usize = 2;

/// The document of one file.
pub fn file_metadata_document(file: &FileMetadata) -> Document<'_> {
    let mut lines = vec![text("name", file.name.as_str())];
    add_record(&mut lines, &file.record, Modes::AsPermissions);
    document(FILE_METADATA, lines)
}

/// The document of a folder.
pub fn manifest_document(manifest: &Manifest) -> Document<'_> {
    let items = manifest.entries().iter().map(item).collect();
    let mut lines = header_lines(&manifest.header);
    lines.push(list(ENTRIES, items));
    document(MANIFEST, lines)
}

/// The text of one document.
pub fn text_of(document: Document<'_>) -> String {
    print(&Tree {
        documents: vec![document],
        comments: Vec::new(),
    })
}

/// The text of a manifest up to where its entries begin.
pub fn begin_manifest(header: &Header) -> String {
    let document = document(MANIFEST, header_lines(header));
    let mut out = match document.root.entries.first().map(|root| &root.value.node) {
        Some(Node::Mapping(mapping)) if mapping.entries.is_empty() => format!("{MANIFEST}:\n"),
        _ => text_of(document),
    };
    out.push_str("  ");
    out.push_str(ENTRIES);
    out.push(':');
    out
}

/// Appends the next entry to the text of a manifest.
pub fn write_entry(out: &mut String, entry: &Entry, is_first: bool) {
    if is_first {
        out.push('\n');
    }
    print_item(out, &item(entry), ENTRY_LEVEL);
}

/// Ends the text of a manifest.
pub fn end_manifest(out: &mut String, is_empty: bool) {
    if is_empty {
        out.push_str(" []\n");
    }
}

fn document<'a>(key: &'static str, entries: Vec<Line<'a>>) -> Document<'a> {
    Document {
        root: mapping(vec![Line::new(key, mapping(entries))]),
    }
}

const fn mapping(entries: Vec<Line<'_>>) -> Mapping<'_> {
    Mapping {
        entries,
        end: Vec::new(),
    }
}

fn header_lines(header: &Header) -> Vec<Line<'_>> {
    let mut lines = Vec::new();
    if let Some(space) = &header.space {
        lines.push(text("space", space.as_str()));
    }
    if let Some(created) = header.created {
        lines.push(Line::new("created", Node::from(Scalar::Timestamp(created))));
    }
    add_unrecognized(&mut lines, &header.unrecognized);
    lines
}

fn item(entry: &Entry) -> Item<'_> {
    let mut lines = Vec::with_capacity(7);
    lines.push(text("path", entry.path.as_str()));
    add_record(&mut lines, &entry.record, Modes::AsDigits);
    Item {
        value: Value::from(Node::Mapping(mapping(lines))),
        notes: Notes::default(),
    }
}

/// How permission bits are shown.
#[derive(Clone, Copy, PartialEq)]
enum Modes {
    AsPermissions,
    AsDigits,
}

fn add_record<'a>(lines: &mut Vec<Line<'a>>, record: &'a Record, modes: Modes) {
    lines.push(number("version", record.version));
    match &record.kind {
        RecordKind::File { size, hash, .. } => {
            lines.extend(size.map(|size| number("size", size)));
            lines.extend(hash.map(|hash| text("hash", hash.to_string())));
        }
        RecordKind::Directory { .. } => lines.push(text("kind", record.kind.as_str())),
        RecordKind::Symlink(target) => {
            lines.push(text("kind", record.kind.as_str()));
            lines.push(text("target", target.as_str()));
        }
    }
    if let Some(mode) = record.mode() {
        add_mode(lines, mode, modes);
    }
    if let Some(mtime) = record.mtime {
        lines.push(Line::new("mtime", Node::from(Scalar::Timestamp(mtime))));
    }
    lines.extend(record.sync_state.as_ref().map(sync_state));
    if !record.attributes.is_empty() {
        lines.push(attributes(&record.attributes));
    }
    add_unrecognized(lines, &record.unrecognized);
}

fn add_mode(lines: &mut Vec<Line<'_>>, mode: Mode, modes: Modes) {
    let permissions = Permissions::from(mode);
    if modes == Modes::AsPermissions {
        let of = [
            ("owner", permissions.owner),
            ("group", permissions.group),
            ("other", permissions.other),
        ];
        let of = of.map(|(who, access)| text(who, access.as_str()));
        lines.push(Line::new("permissions", mapping(of.into())));
    }
    if modes == Modes::AsDigits || permissions.bits() != mode.bits() {
        lines.push(text("mode", format!("{:04o}", mode.bits())));
    }
}

fn sync_state(state: &SyncState) -> Line<'_> {
    let mut lines = vec![text("status", state.status.as_str())];
    if let Some(time) = state.last_modified {
        lines.push(Line::new(
            "last_modified",
            Node::from(Scalar::Timestamp(time)),
        ));
    }
    let replicas = state.replicas.iter().map(|replica| {
        let lines = vec![
            text("node", replica.node.as_str()),
            number("version", replica.version.get()),
        ];
        Item {
            value: Value::from(Node::Mapping(mapping(lines))),
            notes: Notes::default(),
        }
    });
    if replicas.len() > 0 {
        lines.push(list("replicas", replicas.collect()));
    }
    Line::new("sync_state", mapping(lines))
}

/// Bytes that are text are shown as such.
fn attributes(attributes: &Attributes) -> Line<'_> {
    let of = attributes.iter().map(|(name, value)| {
        let node = match std::str::from_utf8(value) {
            Ok(value) => Node::from(Scalar::Text(value.into())),
            Err(_) => mapping(vec![text("hex", hex(value))]).into(),
        };
        Line::new(name, node)
    });
    Line::new("attributes", mapping(of.collect()))
}

fn add_unrecognized(lines: &mut Vec<Line<'_>>, bytes: &[u8]) {
    if !bytes.is_empty() {
        lines.push(text("unrecognized", hex(bytes)));
    }
}

fn text<'a>(key: &'a str, value: impl Into<Cow<'a, str>>) -> Line<'a> {
    Line::new(key, Node::from(Scalar::Text(value.into())))
}

fn number(key: &'static str, value: u64) -> Line<'static> {
    Line::new(key, Node::from(Scalar::Integer(Integer::from(value))))
}

fn list<'a>(key: &'static str, items: Vec<Item<'a>>) -> Line<'a> {
    let end = Vec::new();
    Line::new(key, List { items, end })
}
