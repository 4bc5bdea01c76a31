//! From trees to documents.

use super::fields::Reader;
use super::{ENTRIES, FILE_METADATA, MANIFEST, SCHEMA_VERSION};
use crate::attributes::{AttributeName, Attributes};
use crate::binary;
use crate::manifest::{Entry, EntryPath, Header, Manifest, Order};
use crate::metadata::{Mode, Target};
use crate::permissions::Permissions;
use crate::record::{FileMetadata, NodeName, Record, RecordKind, Replica, Replicas, SyncState};
use crate::text::{
    Document, Item, ItemPlace, Mapping, Node, Problem, Problems, Scalar, Source, Span, Tree, Value,
    parse_items,
};
use base::{Name, Slug};
use std::num::NonZeroU64;

/// What a document describes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Described {
    /// One file.
    File(FileMetadata),
    /// A folder.
    Folder(Manifest),
}

/// What a document describes; `None` when `problems` say why not.
pub fn described(document: &Document<'_>, problems: &mut Problems) -> Option<Described> {
    let mut reader = Reader::new(problems);
    let (key, value) = root(&mut reader, document)?;
    let mapping = reader.mapping(value)?;
    match key {
        FILE_METADATA => file_metadata(&mut reader, mapping, value.span).map(Described::File),
        _ => manifest(&mut reader, mapping, value.span).map(Described::Folder),
    }
}

/// Reads the text of a manifest, and gives each entry as it comes; nothing of them is
/// kept. An entry with something wrong is left out, and the next is read.
///
/// # Errors
/// What is wrong, and how much more: then what was given is not the whole manifest.
pub fn read_manifest(
    source: Source<'_>,
    mut each: impl FnMut(Entry),
) -> Result<Header, (Vec<Problem>, usize)> {
    let place = ItemPlace {
        root: MANIFEST,
        key: ENTRIES,
    };
    let mut order = Order::default();
    let parsed = parse_items(source, place, |item, problems| {
        if let Some(entry) = next_entry(&item, &mut order, problems) {
            each(entry);
        }
    });
    if !parsed.problems.is_empty() {
        return Err((parsed.problems, parsed.more_problems));
    }
    let mut problems = Problems::default();
    let header = one_header(&parsed.tree, &mut problems);
    header.ok_or_else(|| problems.locate(source))
}

/// The header of a text that is one manifest and nothing else.
fn one_header(tree: &Tree<'_>, problems: &mut Problems) -> Option<Header> {
    let mut reader = Reader::new(problems);
    let [document] = &tree.documents[..] else {
        let second = tree.documents.get(1).and_then(|it| it.root.entries.first());
        let span = second.map_or(Span::default(), |entry| entry.key.span);
        reader.illegal(
            "a manifest is one document, and the only one of its file",
            span,
        );
        return None;
    };
    let (key, value) = root(&mut reader, document)?;
    if key != MANIFEST {
        reader.unknown_key(key, value.span);
        return None;
    }
    let mapping = reader.mapping(value)?;
    let (header, entries) = manifest_fields(&mut reader, mapping)?;
    let entries = reader.required(ENTRIES, entries, value.span)?;
    reader.list(entries).map(|_| header)
}

/// The next entry, if nothing is wrong with it or its place.
fn next_entry(item: &Item<'_>, order: &mut Order, problems: &mut Problems) -> Option<Entry> {
    let mut reader = Reader::new(problems);
    let Some(entry) = read_entry(&mut reader, &item.value) else {
        pass(item, order);
        return None;
    };
    match order.next(&entry.path, entry.record.is_directory()) {
        Ok(()) => Some(entry),
        Err(error) => {
            reader.illegal(error, item.value.span);
            None
        }
    }
}

/// The root key and its value, beside which only the version of a schema may stand.
fn root<'t, 'a>(
    reader: &mut Reader<'_>,
    document: &'t Document<'a>,
) -> Option<(&'t str, &'t Value<'a>)> {
    let mut found = None;
    let mut last = Span::default();
    for entry in &document.root.entries {
        last = entry.key.span;
        match &*entry.key.text {
            SCHEMA_VERSION => {
                if reader.natural(&entry.value) == Some(0) {
                    reader.illegal("versions begin at 1", entry.value.span);
                }
            }
            key @ (FILE_METADATA | MANIFEST) if found.is_none() => {
                found = Some((key, &entry.value));
            }
            key => reader.unknown_key(key, entry.key.span),
        }
    }
    if found.is_none() && reader.is_fine() {
        reader.required(FILE_METADATA, None, last);
    }
    found.filter(|_| reader.is_fine())
}

fn file_metadata(
    reader: &mut Reader<'_>,
    mapping: &Mapping<'_>,
    span: Span,
) -> Option<FileMetadata> {
    let given = Given::of(reader, mapping, "name");
    let name = reader.required("name", given.place, span);
    let name = name.and_then(|value| reader.checked(value, Name::new));
    let record = given.record(reader, span);
    let (name, record) = (name?, record?);
    reader.is_fine().then_some(FileMetadata { name, record })
}

fn read_entry(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<Entry> {
    let mapping = reader.mapping(value)?;
    let given = Given::of(reader, mapping, "path");
    let path = reader.required("path", given.place, value.span);
    let path = path.and_then(|value| reader.checked(value, EntryPath::new));
    let record = given.record(reader, value.span);
    let (path, record) = (path?, record?);
    reader.is_fine().then_some(Entry { path, record })
}

fn manifest(reader: &mut Reader<'_>, mapping: &Mapping<'_>, span: Span) -> Option<Manifest> {
    let (header, entries) = manifest_fields(reader, mapping)?;
    let entries = reader.required(ENTRIES, entries, span)?;
    let items = &reader.list(entries)?.items;
    let mut order = Order::default();
    let mut read = Vec::with_capacity(items.len());
    for item in items {
        read.push(next_entry(item, &mut order, reader.problems()));
    }
    let read: Option<Vec<_>> = read.into_iter().collect();
    // They were checked above, each at its place.
    Manifest::with(header, read?).ok()
}

/// Counts the place of an entry that has something wrong as taken, so that what lies in
/// its directory is not wrong as well.
fn pass(item: &Item<'_>, order: &mut Order) {
    let Node::Mapping(mapping) = &item.value.node else {
        return;
    };
    let text = |key| match &mapping.get(key)?.value.node {
        Node::Scalar(Scalar::Text(text)) => Some(&**text),
        _ => None,
    };
    if let Some(path) = text("path").and_then(|path| EntryPath::new(path).ok()) {
        // Its place may be wrong too; what is wrong with it has been told.
        let _ = order.next(&path, text("kind") == Some("directory"));
    }
}

/// The keys of a manifest: what is said of the folder as a whole, and its entries.
fn manifest_fields<'t, 'a>(
    reader: &mut Reader<'_>,
    mapping: &'t Mapping<'a>,
) -> Option<(Header, Option<&'t Value<'a>>)> {
    let mut header = Header::default();
    let mut entries = None;
    for entry in &mapping.entries {
        let value = &entry.value;
        match &*entry.key.text {
            "space" => header.space = reader.checked(value, Slug::new),
            "created" => header.created = reader.timestamp(value),
            "unrecognized" => {
                let check = binary::check_unrecognized_of_header;
                header.unrecognized = unrecognized(reader, value, check);
            }
            ENTRIES => entries = Some(value),
            key => reader.unknown_key(key, entry.key.span),
        }
    }
    reader.is_fine().then_some((header, entries))
}

/// The keys of a record, as they were given.
#[derive(Default)]
struct Given<'t, 'a> {
    /// Name or path.
    place: Option<&'t Value<'a>>,
    version: Option<&'t Value<'a>>,
    kind: Option<&'t Value<'a>>,
    size: Option<&'t Value<'a>>,
    hash: Option<&'t Value<'a>>,
    target: Option<&'t Value<'a>>,
    permissions: Option<&'t Value<'a>>,
    mode: Option<&'t Value<'a>>,
    mtime: Option<&'t Value<'a>>,
    sync_state: Option<&'t Value<'a>>,
    attributes: Option<&'t Value<'a>>,
    unrecognized: Option<&'t Value<'a>>,
}

impl<'t, 'a> Given<'t, 'a> {
    fn of(reader: &mut Reader<'_>, mapping: &'t Mapping<'a>, place: &str) -> Self {
        let mut given = Self::default();
        for entry in &mapping.entries {
            let slot = match &*entry.key.text {
                key if key == place => &mut given.place,
                "version" => &mut given.version,
                "kind" => &mut given.kind,
                "size" => &mut given.size,
                "hash" => &mut given.hash,
                "target" => &mut given.target,
                "permissions" => &mut given.permissions,
                "mode" => &mut given.mode,
                "mtime" => &mut given.mtime,
                "sync_state" => &mut given.sync_state,
                "attributes" => &mut given.attributes,
                "unrecognized" => &mut given.unrecognized,
                key => {
                    reader.unknown_key(key, entry.key.span);
                    continue;
                }
            };
            *slot = Some(&entry.value);
        }
        given
    }

    fn record(&self, reader: &mut Reader<'_>, span: Span) -> Option<Record> {
        let version = reader.required("version", self.version, span);
        let version = version.and_then(|value| reader.natural(value));
        let kind = self.record_kind(reader, span);
        let mtime = self.mtime.and_then(|value| reader.timestamp(value));
        let sync_state = self.sync_state.and_then(|value| sync_state(reader, value));
        let attributes = self.attributes.map(|value| attributes(reader, value));
        let check = binary::check_unrecognized;
        let unrecognized = self
            .unrecognized
            .map(|value| unrecognized(reader, value, check));
        let mut record = Record::new(version?, kind?);
        record.mtime = mtime;
        record.sync_state = sync_state;
        record.attributes = attributes.unwrap_or_default();
        record.unrecognized = unrecognized.unwrap_or_default();
        Some(record)
    }

    /// The kind, and that nothing is given which files of this kind do not have.
    fn record_kind(&self, reader: &mut Reader<'_>, span: Span) -> Option<RecordKind> {
        let kind = match self.kind {
            Some(value) => reader.text(value)?,
            None => "file",
        };
        match kind {
            "file" => {
                self.refuse(reader, "a file", &[self.target]);
                Some(RecordKind::File {
                    size: self.size.and_then(|value| reader.natural(value)),
                    hash: self.hash.and_then(|value| reader.parse(value)),
                    mode: self.mode(reader),
                })
            }
            "directory" => {
                self.refuse(reader, "a directory", &[self.size, self.hash, self.target]);
                let mode = self.mode(reader);
                Some(RecordKind::Directory { mode })
            }
            "symlink" => {
                let not_its_own = [self.size, self.hash, self.mode, self.permissions];
                self.refuse(reader, "a symlink", &not_its_own);
                let target = reader.required("target", self.target, span)?;
                reader.checked(target, Target::new).map(RecordKind::Symlink)
            }
            _ => {
                let value = self.kind?;
                let why = "a kind is \"file\", \"directory\" or \"symlink\"";
                reader.illegal(why, value.span);
                None
            }
        }
    }

    fn refuse(&self, reader: &mut Reader<'_>, what: &str, values: &[Option<&Value<'_>>]) {
        for value in values.iter().flatten() {
            reader.illegal(format_args!("{what} has no such thing"), value.span);
        }
    }

    /// The mode that is given, or the one that the permissions make.
    fn mode(&self, reader: &mut Reader<'_>) -> Option<Mode> {
        let mode = self.mode.and_then(|value| reader.checked(value, octal));
        let permissions = self
            .permissions
            .and_then(|value| permissions(reader, value));
        let Some(permissions) = permissions else {
            return mode;
        };
        let Some(mode) = mode else {
            return Mode::new(permissions.bits()).ok();
        };
        if Permissions::from(mode) != permissions
            && let Some(value) = self.mode
        {
            let Permissions {
                owner,
                group,
                other,
            } = permissions;
            let why = format!(
                "the mode {:04o} contradicts the permissions {owner}, {group} and {other}",
                mode.bits()
            );
            reader.illegal(why, value.span);
        }
        Some(mode)
    }
}

fn octal(text: &str) -> Result<Mode, &'static str> {
    let why = "a mode has one to four digits from 0 to 7";
    let valid = (1..=4).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    let bits = u32::from_str_radix(text, 8).ok().filter(|_| valid);
    Mode::new(bits.ok_or(why)?).map_err(|_| why)
}

fn permissions(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<Permissions> {
    let mut permissions = Permissions::default();
    for entry in &reader.mapping(value)?.entries {
        let access = match &*entry.key.text {
            "owner" => &mut permissions.owner,
            "group" => &mut permissions.group,
            "other" => &mut permissions.other,
            key => {
                reader.unknown_key(key, entry.key.span);
                continue;
            }
        };
        *access = reader.parse(&entry.value).unwrap_or_default();
    }
    Some(permissions)
}

fn sync_state(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<SyncState> {
    let mapping = reader.mapping(value)?;
    let (mut status, mut last_modified, mut replicas) = (None, None, Replicas::default());
    for entry in &mapping.entries {
        let value = &entry.value;
        match &*entry.key.text {
            "status" => status = Some(value),
            "last_modified" => last_modified = reader.timestamp(value),
            "replicas" => read_replicas(reader, value, &mut replicas),
            key => reader.unknown_key(key, entry.key.span),
        }
    }
    let status = reader.required("status", status, value.span)?;
    Some(SyncState {
        status: reader.parse(status)?,
        last_modified,
        replicas,
    })
}

fn read_replicas(reader: &mut Reader<'_>, value: &Value<'_>, replicas: &mut Replicas) {
    let Some(list) = reader.list(value) else {
        return;
    };
    for item in &list.items {
        if let Some(replica) = replica(reader, &item.value)
            && let Err(error) = replicas.add(replica)
        {
            reader.illegal(error, item.value.span);
        }
    }
}

fn replica(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<Replica> {
    let (mut node, mut version) = (None, None);
    for entry in &reader.mapping(value)?.entries {
        match &*entry.key.text {
            "node" => node = Some(&entry.value),
            "version" => version = Some(&entry.value),
            key => reader.unknown_key(key, entry.key.span),
        }
    }
    let node = reader.required("node", node, value.span);
    let node = node.and_then(|value| reader.checked(value, NodeName::new));
    let version = reader.required("version", version, value.span)?;
    let number = NonZeroU64::new(reader.natural(version)?);
    if number.is_none() {
        reader.illegal("a node has version 1 or later, or none", version.span);
    }
    Some(Replica {
        node: node?,
        version: number?,
    })
}

fn attributes(reader: &mut Reader<'_>, value: &Value<'_>) -> Attributes {
    let mut attributes = Attributes::default();
    let Some(mapping) = reader.mapping(value) else {
        return attributes;
    };
    for entry in &mapping.entries {
        let added = AttributeName::new(&entry.key.text).and_then(|name| {
            let value = attribute(reader, &entry.value).unwrap_or_default();
            attributes.add(name, &value)
        });
        if let Err(error) = added {
            reader.illegal(error, entry.key.span);
        }
    }
    attributes
}

/// A text, or bytes that are none as `hex:` beneath the name.
fn attribute(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<Vec<u8>> {
    match &value.node {
        Node::Scalar(Scalar::Text(text)) => Some(text.as_bytes().to_vec()),
        Node::Mapping(mapping) => {
            let mut digits = None;
            for entry in &mapping.entries {
                match &*entry.key.text {
                    "hex" => digits = Some(&entry.value),
                    key => reader.unknown_key(key, entry.key.span),
                }
            }
            let digits = reader.required("hex", digits, value.span)?;
            reader.hex(digits)
        }
        _ => reader.wrong_type("text, or a mapping with the key `hex`,", value),
    }
}

/// Fields of a newer binary form.
fn unrecognized(
    reader: &mut Reader<'_>,
    value: &Value<'_>,
    check: fn(&[u8]) -> Result<(), binary::DecodeError>,
) -> Box<[u8]> {
    let Some(bytes) = reader.hex(value) else {
        return Box::default();
    };
    match check(&bytes) {
        Ok(()) => bytes.into(),
        Err(error) => {
            reader.illegal(error, value.span);
            Box::default()
        }
    }
}
