//! The bytes themselves: what was written once is read for ever, what is newer is kept,
//! and what is damaged is noticed.

use crate::documents;
use base::{Hash, Name};
use meta::binary::{
    Compression, DecodeError, Decoder, Step, decode, decode_metadata, encode_files,
    encode_manifest, encode_metadata,
};
use meta::form::Described;
use meta::manifest::{Entry, EntryPath, Header, Manifest};
use meta::{
    AttributeName, FileMetadata, Metadata, Mode, NodeName, Record, RecordKind, Replica, Replicas,
    Status, SyncState, Target, Timestamp,
};
use proptest::prelude::*;
use std::num::NonZeroU64;

/// The example of docs/metadata.md, whole.
fn example() -> FileMetadata {
    let mut record = Record::new(
        3,
        RecordKind::File {
            size: Some(1_048_576),
            hash: Some(Hash::of(b"abc").into()),
            mode: Some(Mode::FILE),
        },
    );
    record.mtime = Some(Timestamp::new(1_763_652_600, 1).unwrap());
    let mut replicas = Replicas::default();
    for (node, version) in [("server1", 3), ("server2", 2)] {
        let node = NodeName::new(node).unwrap();
        let version = NonZeroU64::new(version).unwrap();
        replicas.add(Replica { node, version }).unwrap();
    }
    record.sync_state = Some(SyncState {
        status: Status::Synced,
        last_modified: Some(Timestamp::new(1_763_652_601, 0).unwrap()),
        replicas,
    });
    let comment = AttributeName::new("user.comment").unwrap();
    record.attributes.add(comment, b"last draft").unwrap();
    FileMetadata {
        name: Name::new("document.pdf").unwrap(),
        record,
    }
}

fn folder() -> Manifest {
    let entry = |path, kind| Entry {
        path: EntryPath::new(path).unwrap(),
        record: Record::new(0, kind),
    };
    let hash = Some(meta::ContentHash::Sha256([7; 32]));
    let (size, mode) = (Some(1), Some(Mode::FILE));
    let entries = vec![
        entry(
            ".",
            RecordKind::Directory {
                mode: Some(Mode::DIRECTORY),
            },
        ),
        entry("documents", RecordKind::Directory { mode: None }),
        entry("documents/a", RecordKind::File { size, hash, mode }),
        entry(
            "documents/b",
            RecordKind::Symlink(Target::new("a").unwrap()),
        ),
    ];
    Manifest::with(Header::default(), entries).unwrap()
}

/// Enough to be compressed.
fn many() -> Manifest {
    let entries = (0..100).map(|number| Entry {
        path: EntryPath::new(&format!("file-{number:03}")).unwrap(),
        record: example().record,
    });
    Manifest::with(Header::default(), entries.collect()).unwrap()
}

/// Files of every version that was ever released. Never change one; add one.
#[test]
fn every_version_is_read() {
    let files = vec![Described::File(example())];
    let folders = vec![Described::Folder(folder())];
    let many = vec![Described::Folder(many())];
    for (bytes, expected) in [
        (&include_bytes!("../golden/1-file.bin")[..], &files),
        (include_bytes!("../golden/1-folder.bin"), &folders),
        (include_bytes!("../golden/1-many-zstd.bin"), &many),
    ] {
        assert_eq!(decode(bytes).as_ref(), Ok(expected));
    }
}

/// The current version is written as it was: other programs may compare bytes.
#[test]
fn what_is_written_stays_the_same() {
    let file = encode_files([&example()], Compression::None);
    assert_eq!(file, include_bytes!("../golden/1-file.bin"));
    let folder = encode_manifest(&folder(), Compression::None);
    assert_eq!(folder, include_bytes!("../golden/1-folder.bin"));
}

#[test]
fn what_is_newer_is_kept() {
    let mut file = example();
    // Field 15 twice, and field 99 of another type.
    file.record.unrecognized = (*b"\x7a\x01x\x7a\x00\x98\x06\x05").into();
    let bytes = encode_files([&file], Compression::None);
    let expected = vec![Described::File(file)];
    assert_eq!(decode(&bytes), Ok(expected));
}

/// The largest record that there can be is read again.
#[test]
fn the_bounds_of_a_record_fit_into_a_block() {
    let mut file = example();
    file.name = Name::new(&"n".repeat(255)).unwrap();
    file.record.attributes = Default::default();
    let value = vec![0xff; (128 << 10) / 256 - 255];
    for number in 0..256 {
        let name = AttributeName::new(&format!("{number:0255}")).unwrap();
        file.record.attributes.add(name, &value).unwrap();
    }
    let mut replicas = Replicas::default();
    for number in 0..Replicas::MOST {
        let node = NodeName::new(&format!("{number:0128}")).unwrap();
        let version = NonZeroU64::MAX;
        replicas.add(Replica { node, version }).unwrap();
    }
    file.record.sync_state.as_mut().unwrap().replicas = replicas;
    let mut unrecognized = vec![0x7a, 0xfc, 0xff, 0x03];
    unrecognized.resize(64 << 10, 0);
    file.record.unrecognized = unrecognized.into();
    let bytes = encode_files([&file, &file], Compression::None);
    let expected = Described::File(file);
    assert_eq!(decode(&bytes), Ok(vec![expected.clone(), expected]));
}

#[test]
fn any_damage_is_noticed() {
    for compression in [Compression::None, Compression::Zstd] {
        let bytes = encode_manifest(&folder(), compression);
        for at in 0..bytes.len() {
            let cut = decode(&bytes[..at]);
            assert!(cut.is_err(), "cut at {at}");
            for bit in 0..8 {
                let mut damaged = bytes.clone();
                damaged[at] ^= 1 << bit;
                assert!(decode(&damaged).is_err(), "bit {bit} of byte {at}");
            }
        }
        let more = [&bytes[..], b"\0"].concat();
        assert_eq!(decode(&more), Err(DecodeError::Trailing));
    }
}

#[test]
fn what_it_is_not_is_said() {
    for (bytes, expected) in [
        (&b""[..], DecodeError::Truncated("the file")),
        (b"file_metadata:\n", DecodeError::Magic),
        (b"\x89ATM\0\x01", DecodeError::Magic),
        (b"\x89ATM\x02\x01", DecodeError::Version(2)),
        (
            b"\x89ATM\x01\x09",
            DecodeError::Unknown {
                what: "contents",
                number: 9,
            },
        ),
        (
            b"\x89ATM\x01\x01\x01\x01\xff\xff\xff\x7f",
            DecodeError::TooLong {
                what: "a block",
                found: 0x0fff_ffff,
                limit: 524_298,
            },
        ),
    ] {
        assert_eq!(decode(bytes), Err(expected));
    }
}

/// The engine's metadata, byte by byte as the log of the first version has it.
#[test]
fn metadata_of_commands() {
    let time = Timestamp::new(-2, 7).unwrap();
    let hash = Hash::from_bytes([0xab; 32]);
    let file = Metadata::file(hash, 300, Mode::FILE, time).unwrap();
    let empty = Metadata::file(hash, 0, Mode::new(0).unwrap(), Timestamp::default()).unwrap();
    let link = Metadata::symlink(Target::new("a/b").unwrap(), time);
    for (metadata, expected) in [
        (
            &file,
            format!("080110a403180325070000002a20{}30ac02", "ab".repeat(32)),
        ),
        (&empty, format!("08012a20{}", "ab".repeat(32))),
        (
            &Metadata::directory(Mode::DIRECTORY, time),
            "080210ed0318032507000000".to_owned(),
        ),
        (&link, "080310ff03180325070000003a03612f62".to_owned()),
    ] {
        let mut bytes = Vec::new();
        encode_metadata(metadata, &mut bytes);
        assert_eq!(base::hex(&bytes), expected);
        assert_eq!(decode_metadata(&bytes).as_ref(), Ok(metadata));
        // What is not known might mean something else to another node.
        bytes.extend_from_slice(b"\x98\x06\x05");
        let unknown = DecodeError::UnknownField(99);
        assert_eq!(decode_metadata(&bytes), Err(unknown));
    }
}

proptest! {
    #[test]
    fn pieces_are_read_as_the_whole(
        manifest in documents::manifest(),
        cuts in proptest::collection::vec(any::<proptest::sample::Index>(), 0..8),
        packed in any::<bool>(),
    ) {
        let compression = if packed { Compression::Zstd } else { Compression::None };
        let bytes = encode_manifest(&manifest, compression);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len())).collect();
        cuts.push(bytes.len());
        cuts.sort_unstable();
        let mut decoder = Decoder::new();
        let (mut at, mut entries, mut header) = (0, Vec::new(), None);
        for cut in cuts {
            decoder.feed(&bytes[at..cut]);
            at = cut;
            loop {
                match decoder.step().unwrap() {
                    Step::Entry(entry) => entries.push(*entry),
                    Step::Header(it) => prop_assert_eq!(header.replace(it), None),
                    Step::File(_) => prop_assert!(false),
                    Step::NeedMore | Step::End => break,
                }
            }
        }
        decoder.finish().unwrap();
        prop_assert_eq!(header.as_ref(), Some(&manifest.header));
        prop_assert_eq!(&entries[..], manifest.entries());
    }

    #[test]
    fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode(&bytes);
        let _ = decode_metadata(&bytes);
        let begun = [&b"\x89ATM\x01\x02\x01"[..], &bytes].concat();
        let _ = decode(&begun);
    }
}
