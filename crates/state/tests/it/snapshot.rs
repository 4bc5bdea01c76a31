//! A snapshot is the state, whole and verified, or it is refused.

use crate::random::Script;
use crate::site::{LOG, Site, at, create, delete, file, link, move_to, root, update};
use state::snapshot::{SnapshotError, SnapshotInfo, export, import};
use state::{Parent, Projection};

fn bytes_of(site: &Site) -> (SnapshotInfo, Vec<u8>) {
    let mut bytes = Vec::new();
    let info = export(&site.reader, &mut bytes).unwrap();
    (info, bytes)
}

fn busy_site() -> Site {
    let mut site = Site::new();
    for entry in Script::new(3).entries(200) {
        site.projection
            .apply([(entry.0, entry.1.as_slice())])
            .unwrap();
    }
    site
}

#[test]
fn an_import_exports_the_same_bytes_and_goes_on() {
    let site = busy_site();
    let (info, bytes) = bytes_of(&site);
    assert_eq!(info.applied, site.projection.applied());
    let mut copy = Site::new();
    let path = copy.folder.path().join("copy.db");
    assert_eq!(import(&path, &mut bytes.as_slice()).unwrap(), info);
    copy.projection = Projection::open(&path, LOG).unwrap();
    copy.reader = copy.projection.reader().unwrap();
    copy.projection.verify().unwrap();
    assert_eq!(bytes_of(&copy).1, bytes);
    let mut original = site;
    for site in [&mut original, &mut copy] {
        let space = site.space("later");
        site.committed(space, create(root(space), "a", file("1")));
    }
    assert_eq!(bytes_of(&original).1, bytes_of(&copy).1);
}

/// Every kind of item, changed and deleted: what `format-1.snapshot` holds, which the
/// last program that wrote format 1 made of it.
fn small_site() -> Site {
    let mut site = Site::new();
    let space = site.space("work");
    let old = meta::Metadata::directory(meta::Mode::new(0o2700).unwrap(), at(-5));
    let directory = site.committed(space, create(root(space), "old", old));
    let parent = Parent::Item(directory.item);
    let file_id = site.committed(space, create(parent, "file", file("1")));
    site.committed(space, update(file_id, file("longer")));
    let gone = site.committed(space, create(parent, "gone", file("")));
    site.committed(space, delete(gone));
    let link_id = site.committed(space, create(root(space), "link", link("../ü")));
    site.committed(space, move_to(link_id, parent, "moved"));
    site
}

/// The log below a snapshot is gone, so every format that was ever written is read.
#[test]
fn a_snapshot_of_format_1_is_read() {
    let format_1 = include_bytes!("format-1.snapshot");
    let site = small_site();
    let path = site.folder.path().join("old.db");
    let info = import(&path, &mut format_1.as_slice()).unwrap();
    assert_eq!(info.applied, site.projection.applied());
    let old = Projection::open(&path, LOG).unwrap();
    old.verify().unwrap();
    let mut bytes = Vec::new();
    export(&old.reader().unwrap(), &mut bytes).unwrap();
    assert!(bytes == bytes_of(&site).1, "written anew, it is the same");
}

#[test]
fn a_snapshot_of_a_newer_format_is_refused() {
    let site = Site::new();
    let (_, mut bytes) = bytes_of(&site);
    // The header's frame: magic, length, checksum, and the format.
    bytes[16] = 3;
    let sum = crc32c::crc32c(&bytes[16..36]);
    bytes[12..16].copy_from_slice(&sum.to_le_bytes());
    let path = site.folder.path().join("new.db");
    let refused = import(&path, &mut bytes.as_slice());
    assert!(matches!(refused, Err(SnapshotError::Format { found: 3 })));
}

#[test]
fn every_damaged_or_missing_byte_is_noticed() {
    let mut site = Site::new();
    let space = site.space("work");
    site.committed(space, create(root(space), "a", file("1")));
    let (_, bytes) = bytes_of(&site);
    let path = site.folder.path().join("copy.db");
    let check = |bytes: &[u8], what: &str| {
        assert!(import(&path, &mut &*bytes).is_err(), "{what}");
        assert!(!path.exists(), "{what} left a file");
    };
    // Every byte of a short snapshot would take minutes of file creation.
    for position in (0..bytes.len()).step_by(7) {
        let mut damaged = bytes.clone();
        damaged[position] ^= 0x10;
        check(&damaged, &format!("flip at {position}"));
    }
    for end in (0..bytes.len()).step_by(11) {
        check(&bytes[..end], &format!("cut at {end}"));
    }
    check(b"", "nothing");
    import(&path, &mut bytes.as_slice()).unwrap();
    let taken = import(&path, &mut bytes.as_slice());
    assert!(matches!(taken, Err(SnapshotError::State(_))));
    assert!(path.exists(), "what was there before is not removed");
}
