//! A snapshot is the state, whole and verified, or it is refused.

use crate::random::Script;
use crate::site::{LOG, Site, create, file, root};
use state::Projection;
use state::snapshot::{SnapshotError, SnapshotInfo, export, import};

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
