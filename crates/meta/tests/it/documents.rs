//! Documents of files and folders, made at random: their texts and bytes are read as the
//! same, and the bytes are fewer.

use base::{Hash, Name, Slug};
use meta::binary::{Compression, decode, encode_files, encode_manifest};
use meta::form::{
    Described, begin_manifest, described, end_manifest, file_metadata_document, manifest_document,
    read_manifest, text_of, write_entry,
};
use meta::manifest::{Entry, EntryPath, Header, Manifest};
use meta::text::{Problems, Source, parse};
use meta::{
    AttributeName, Attributes, ContentHash, FileMetadata, Mode, NodeName, Record, RecordKind,
    Replica, Replicas, Status, SyncState, Target, Timestamp,
};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use std::num::NonZeroU64;

pub fn name() -> impl Strategy<Value = Name> {
    let texts = prop_oneof!["[a-z]{1,8}", "\\PC{1,20}", Just("\u{202e}\"\\".to_owned())];
    texts.prop_filter_map("no name", |text| Name::new(&text).ok())
}

fn mode() -> impl Strategy<Value = Option<Mode>> {
    option::of((0..=0o7777_u32).prop_map(|bits| Mode::new(bits).unwrap()))
}

fn timestamp() -> impl Strategy<Value = Timestamp> {
    let seconds = prop_oneof![any::<i64>(), 0..4_000_000_000_i64];
    let nanoseconds = prop_oneof![Just(0), 0..1_000_000_000_u32];
    (seconds, nanoseconds)
        .prop_map(|(seconds, nanoseconds)| Timestamp::new(seconds, nanoseconds).unwrap())
}

fn hash() -> impl Strategy<Value = ContentHash> {
    any::<([u8; 32], bool)>().prop_map(|(bytes, is_blake3)| match is_blake3 {
        true => ContentHash::Blake3(Hash::from_bytes(bytes)),
        false => ContentHash::Sha256(bytes),
    })
}

fn kind() -> impl Strategy<Value = RecordKind> {
    let file = (option::of(any::<u64>()), option::of(hash()), mode());
    prop_oneof![
        3 => file.prop_map(|(size, hash, mode)| RecordKind::File { size, hash, mode }),
        1 => mode().prop_map(|mode| RecordKind::Directory { mode }),
        1 => "[^\0]{1,30}".prop_map(|text| RecordKind::Symlink(Target::new(&text).unwrap())),
    ]
}

fn sync_state() -> impl Strategy<Value = SyncState> {
    let replicas = btree_map("\\PC{1,12}", 1..u64::MAX, 0..4);
    let status = proptest::sample::select(Status::ALL.to_vec());
    (status, option::of(timestamp()), replicas).prop_map(|(status, last_modified, named)| {
        let mut replicas = Replicas::default();
        for (node, version) in named {
            let (node, version) = (NodeName::new(&node), NonZeroU64::new(version));
            if let (Ok(node), Some(version)) = (node, version) {
                replicas.add(Replica { node, version }).unwrap();
            }
        }
        SyncState {
            status,
            last_modified,
            replicas,
        }
    })
}

fn attributes() -> impl Strategy<Value = Attributes> {
    let value = prop_oneof![
        vec(any::<u8>(), 0..20),
        "\\PC{0,9}".prop_map(String::into_bytes)
    ];
    btree_map("[a-z.]{1,9}", value, 0..3).prop_map(|named| {
        let mut attributes = Attributes::default();
        for (name, value) in named {
            let name = AttributeName::new(&name).unwrap();
            attributes.add(name, &value).unwrap();
        }
        attributes
    })
}

pub fn record() -> impl Strategy<Value = Record> {
    let rest = (
        option::of(timestamp()),
        option::weighted(0.2, sync_state()),
        attributes(),
        // Field 99, of each wire type.
        proptest::sample::select(vec![
            &b""[..],
            b"\x98\x06\x05",
            b"\x9a\x06\x01x\x9d\x06abcd",
        ]),
    );
    let version = prop_oneof![0..9_u64, any::<u64>()];
    (version, kind(), rest).prop_map(|(version, kind, rest)| {
        let mut record = Record::new(version, kind);
        (record.mtime, record.sync_state, record.attributes) = (rest.0, rest.1, rest.2);
        record.unrecognized = rest.3.into();
        record
    })
}

pub fn file() -> impl Strategy<Value = FileMetadata> {
    (name(), record()).prop_map(|(name, record)| FileMetadata { name, record })
}

/// A folder: each entry lies in one of the directories before it.
pub fn manifest() -> impl Strategy<Value = Manifest> {
    let header = (option::of("[a-z]{1,9}"), option::of(timestamp()));
    let entries = vec((any::<proptest::sample::Index>(), name(), record()), 0..20);
    (header, entries).prop_map(|((space, created), made)| {
        let mut entries: std::collections::BTreeMap<EntryPath, Record> = Default::default();
        for (index, name, record) in made {
            let mut directories = vec![EntryPath::root()];
            let known = entries.iter().filter(|(_, record)| record.is_directory());
            directories.extend(known.map(|(path, _)| path.clone()));
            let path = index.get(&directories).join(&name).unwrap();
            entries.entry(path).or_insert(record);
        }
        let header = Header {
            space: space.map(|text| Slug::new(&text).unwrap()),
            created,
            unrecognized: Box::default(),
        };
        let entries = entries.into_iter();
        let entries = entries.map(|(path, record)| Entry { path, record });
        Manifest::with(header, entries.collect()).unwrap()
    })
}

#[track_caller]
fn read(text: &str) -> Vec<Described> {
    let source = Source::new(text.as_bytes()).unwrap();
    let parsed = parse(source);
    assert_eq!(parsed.problems, [], "{text}");
    let mut problems = Problems::default();
    let documents = parsed.tree.documents.iter();
    let read = documents.map(|document| described(document, &mut problems));
    let read: Option<Vec<_>> = read.collect();
    let (problems, _) = problems.locate(source);
    read.unwrap_or_else(|| panic!("{problems:?}\n{text}"))
}

proptest! {
    #[test]
    fn a_file_is_the_same_as_text_and_as_bytes(file in file()) {
        let text = text_of(file_metadata_document(&file));
        let bytes = encode_files([&file], Compression::None);
        prop_assert!(bytes.len() < text.len(), "{} bytes for\n{text}", bytes.len());
        let expected = vec![Described::File(file)];
        prop_assert_eq!(&read(&text), &expected);
        prop_assert_eq!(decode(&bytes), Ok(expected));
    }

    #[test]
    fn a_folder_is_the_same_as_text_and_as_bytes(manifest in manifest()) {
        let text = text_of(manifest_document(&manifest));
        let mut streamed = begin_manifest(&manifest.header);
        for (index, entry) in manifest.entries().iter().enumerate() {
            write_entry(&mut streamed, entry, index == 0);
        }
        end_manifest(&mut streamed, manifest.entries().is_empty());
        prop_assert_eq!(&streamed, &text);
        let bytes = encode_manifest(&manifest, Compression::None);
        prop_assert!(bytes.len() < text.len(), "{} bytes for\n{text}", bytes.len());
        let packed = encode_manifest(&manifest, Compression::Zstd);
        prop_assert!(packed.len() <= bytes.len() + 4);
        let mut entries = Vec::new();
        let source = Source::new(text.as_bytes()).unwrap();
        let header = read_manifest(source, |entry| entries.push(entry));
        prop_assert_eq!(header.as_ref(), Ok(&manifest.header));
        prop_assert_eq!(&entries[..], manifest.entries());
        let expected = vec![Described::Folder(manifest)];
        prop_assert_eq!(&read(&text), &expected);
        prop_assert_eq!(decode(&bytes), Ok(expected.clone()));
        prop_assert_eq!(decode(&packed), Ok(expected));
    }
}

/// What is wrong with what a document says, as `line:column: message`.
#[track_caller]
fn check(text: &str, expected: &[&str]) {
    let source = Source::new(text.as_bytes()).unwrap();
    let parsed = parse(source);
    assert_eq!(parsed.problems, []);
    let mut problems = Problems::default();
    for document in &parsed.tree.documents {
        assert_eq!(described(document, &mut problems), None);
    }
    let found = problems.locate(source).0;
    let found: Vec<_> = found.iter().map(ToString::to_string).collect();
    assert_eq!(found, expected);
}

#[test]
fn what_is_missing_or_unknown_is_said() {
    check(
        "file_metadata:\n  vresion: 1\n",
        &[
            "2:3: the key \"vresion\" has no meaning here",
            "2:3: the key \"name\" is missing",
            "2:3: the key \"version\" is missing",
        ],
    );
    check(
        "other: 1\n",
        &["1:1: the key \"other\" has no meaning here"],
    );
    check(
        "schema_version: 1\n",
        &["1:1: the key \"file_metadata\" is missing"],
    );
    check(
        "manifest:\n  created: 2026-11-20T15:30:00Z\n",
        &["2:3: the key \"entries\" is missing"],
    );
}

#[test]
fn what_contradicts_itself_is_said() {
    let head = "file_metadata:\n  name: \"a\"\n  version: 1\n";
    for (rest, expected) in [
        ("  target: \"b\"\n", "4:11: a file has no such thing"),
        (
            "  kind: \"directory\"\n  size: 1\n",
            "5:9: a directory has no such thing",
        ),
        (
            "  kind: \"symlink\"\n",
            "2:3: the key \"target\" is missing",
        ),
        (
            "  kind: \"symlink\"\n  target: \"b\"\n  mode: \"0777\"\n",
            "6:9: a symlink has no such thing",
        ),
        (
            "  kind: \"socket\"\n",
            "4:9: a kind is \"file\", \"directory\" or \"symlink\"",
        ),
        (
            "  mode: \"4755\"\n  permissions:\n    owner: \"rw\"\n",
            "4:9: the mode 4755 contradicts the permissions rw, - and -",
        ),
        (
            "  mode: \"07777\"\n",
            "4:9: a mode has one to four digits from 0 to 7",
        ),
        (
            "  mode: 644\n",
            "4:9: text is expected here, and this is a whole number",
        ),
        ("  size: -1\n", "4:9: this number is at least 0"),
        (
            "  hash: \"md5:0\"\n",
            "4:9: \"md5:0\" is no hash: expected `blake3:` or `sha256:` and 64 digits of 0-9 and a-f",
        ),
        (
            "  sync_state:\n    status: \"synced\"\n    replicas:\n      - node: \"n\"\n        version: 0\n",
            "8:18: a node has version 1 or later, or none",
        ),
        (
            "  attributes:\n    user.a:\n      hex: \"0g\"\n",
            "6:12: expected an even number of digits, each 0-9 or a-f",
        ),
        (
            "  unrecognized: \"0801\"\n",
            "4:17: field 1 is out of order",
        ),
    ] {
        check(&format!("{head}{rest}"), &[expected]);
    }
}

#[test]
fn entries_stand_in_their_order() {
    let entry = |path: &str| format!("    - path: \"{path}\"\n      version: 1\n");
    let text = format!(
        "manifest:\n  entries:\n{}{}{}",
        entry("b"),
        entry("a"),
        entry("c/d")
    );
    let expected = [
        "5:7: a stands behind b, and belongs before it",
        "7:7: c/d does not stand behind an entry of its directory",
    ];
    check(&text, &expected);
    let source = Source::new(text.as_bytes()).unwrap();
    let mut given = Vec::new();
    let (problems, more) = read_manifest(source, |entry| given.push(entry.path)).unwrap_err();
    let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
    assert_eq!((&problems[..], more), (&expected.map(str::to_owned)[..], 0));
    assert_eq!(given, [EntryPath::new("b").unwrap()]);
}

/// A slip in the entry of a directory is one problem, and not one of each of its children.
#[test]
fn what_lies_in_a_directory_is_read_when_its_entry_is_wrong() {
    let text = "manifest:\n  entries:\n    - path: \"d\"\n      kind: \"directory\"\n    \
        - path: \"d/a\"\n      version: 1\n";
    check(text, &["3:7: the key \"version\" is missing"]);
}

/// A manifest is held to its schema by being read: both ways refuse the same.
#[test]
fn reading_refuses_what_the_schema_does() {
    let entry = "    - path: \"a\"\n      version: 1\n";
    let many: String = (0..257)
        .map(|n| format!("        user.{n}: \"\"\n"))
        .collect();
    for text in [
        format!("schema_version: 0\nmanifest:\n  entries:\n{entry}"),
        format!("manifest:\n  entries:\n{entry}      attributes:\n{many}"),
        format!("manifest:\n  entries:\n{entry}      attributes:\n        user.x: {{}}\n"),
        format!("manifest:\n  entries:\n{entry}      sync_state:\n        replicas: []\n"),
        format!("manifest:\n  entries:\n{entry}      kind: \"pipe\"\n"),
        format!("manifest:\n  space: \"A\"\n  entries:\n{entry}"),
        "manifest:\n  entries:\n    - version: 1\n".to_owned(),
        "manifest: {}\n".to_owned(),
    ] {
        let source = Source::new(text.as_bytes()).unwrap();
        assert_eq!(parse(source).problems, [], "{text}");
        assert!(read_manifest(source, drop).is_err(), "{text}");
        let parsed = parse(source);
        let mut problems = Problems::default();
        let schema = meta::schema::embedded("manifest").unwrap();
        schema.validate(&parsed.tree.documents[0], &mut problems);
        assert!(!problems.is_empty(), "{text}");
    }
}

#[test]
fn a_manifest_is_alone_in_its_file() {
    for text in [
        "",
        "manifest:\n  entries: []\n---\nmanifest:\n  entries: []\n",
        "file_metadata:\n  name: \"a\"\n  version: 1\n",
        "manifest:\n  entries: {}\n",
    ] {
        let source = Source::new(text.as_bytes()).unwrap();
        assert!(read_manifest(source, |_| {}).is_err(), "{text}");
    }
    let source = Source::new(b"manifest:\n  entries: []\n").unwrap();
    assert_eq!(read_manifest(source, |_| {}), Ok(Header::default()));
}
