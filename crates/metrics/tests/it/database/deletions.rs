//! What is deleted goes from the parts that have it; the others stay as they are.

use super::scene::{NOW, Scene, expected, put, read};
use metrics::database::{Database, Deletion, Unpaced};
use metrics::eval::TimeRange;
use std::path::Path;
use store::fs::{FileSystem, Open, SimulatedFileSystem};

const T: i64 = NOW as i64;
const DAY: i64 = 86_400_000;

/// Bytes of a part's footer, which begins with the place of the index.
const FOOTER_BYTES: u64 = 56;

fn delete(database: &Database, selector: &str, start: i64, end: i64) {
    let deletion = Deletion::new(selector, TimeRange { start, end });
    database.delete(deletion.unwrap()).unwrap();
}

/// The files of the parts.
fn parts(disk: &SimulatedFileSystem) -> Vec<String> {
    let listed = disk.list(Path::new("node/metrics/parts")).unwrap();
    listed.into_iter().map(|entry| entry.name).collect()
}

/// Whether the manifest has something that is still to be deleted.
fn is_noted(disk: &SimulatedFileSystem) -> bool {
    let manifest = disk.open(Path::new("node/metrics/manifest"), Open::Read);
    let manifest = manifest.unwrap();
    let mut text = vec![0; manifest.length().unwrap() as usize];
    manifest.read_exact_at(&mut text, 0).unwrap();
    String::from_utf8(text).unwrap().contains("\ndeletion ")
}

/// Deletes from three parts: of `n="1"` at `T - 30 days` and ten seconds later, of
/// `n="1"` and `n="2"` at `T - 15 days`, of `n="2"` at `T`. So many are written anew.
#[track_caller]
fn check(selector: &str, start: i64, end: i64, written: usize) {
    let (old, middle) = (T - 30 * DAY, T - 15 * DAY);
    let samples = [
        (1, old, 1.0),
        (1, old + 10_000, 2.0),
        (1, middle, 3.0),
        (2, middle, 4.0),
        (2, T, 5.0),
    ];
    let scene = Scene::new();
    let database = scene.open().unwrap();
    put(&database, &samples).unwrap();
    database.flush().unwrap();
    let before = parts(&scene.disk);
    assert_eq!(before.len(), 3);
    delete(&database, selector, start, end);
    let deleted = read(&database.view(), selector)
        .into_values()
        .flatten()
        .any(|(time, _)| (start..=end).contains(&time));
    assert!(!deleted, "{selector}");
    let left = read(&database.view(), "m");
    let upkept = database.keep_house(&Unpaced).unwrap();
    assert_eq!(upkept.merges, written, "{selector}");
    let after = parts(&scene.disk);
    let stayed = before.iter().filter(|part| after.contains(part)).count();
    assert_eq!(stayed, 3 - written, "{selector}");
    assert!(!is_noted(&scene.disk), "{selector}");
    assert_eq!(read(&database.view(), "m"), left, "{selector}");
    // Neither is there anything to do again after a start.
    database.close();
    drop(database);
    let database = scene.open().unwrap();
    assert_eq!(database.keep_house(&Unpaced).unwrap().merges, 0);
    assert_eq!(read(&database.view(), "m"), left, "{selector}");
}

#[test]
fn parts_that_have_nothing_of_it_stay() {
    let old = T - 30 * DAY;
    check("m{n=\"3\"}", 0, T, 0);
    check("m{n=\"1\"}", 0, T, 2);
    check("m{n=\"2\"}", 0, T, 2);
    check("m{n=~\"[12]\"}", 0, T, 3);
    check("m", 0, old + 1, 1);
    // The part has times on both sides of it.
    check("m", old + 1, old + 9_999, 0);
    check("m", old + 1, old + 10_000, 1);
}

#[test]
fn a_part_that_was_passed_over_is_looked_at_for_the_next() {
    let scene = Scene::new();
    let database = scene.open().unwrap();
    put(&database, &[(1, T, 1.0), (2, T, 2.0)]).unwrap();
    database.flush().unwrap();
    for (n, merges) in [(3, 0), (1, 1), (2, 1)] {
        delete(&database, &format!("m{{n=\"{n}\"}}"), 0, T);
        assert_eq!(database.keep_house(&Unpaced).unwrap().merges, merges);
        assert!(!is_noted(&scene.disk));
    }
    assert_eq!(parts(&scene.disk), [""; 0]);
}

#[test]
fn a_part_whose_postings_cannot_be_read_is_written_anew() {
    let scene = Scene::new();
    let database = scene.open().unwrap();
    put(&database, &[(1, T, 1.0), (2, T, 2.0)]).unwrap();
    database.flush().unwrap();
    let before = parts(&scene.disk);
    let path = Path::new("node/metrics/parts").join(&before[0]);
    let file = scene.disk.open(&path, Open::ReadWrite).unwrap();
    let mut index = [0; 8];
    let footer = file.length().unwrap() - FOOTER_BYTES;
    file.read_exact_at(&mut index, footer).unwrap();
    // The postings are before the index.
    file.write_all_at(b"?", u64::from_le_bytes(index) - 1)
        .unwrap();
    delete(&database, "m{n=\"3\"}", 0, T);
    assert_eq!(database.keep_house(&Unpaced).unwrap().merges, 1);
    assert_ne!(parts(&scene.disk), before);
    assert!(!is_noted(&scene.disk));
    let all = expected(&[(1, T, 1.0), (2, T, 2.0)]);
    assert_eq!(read(&database.view(), "m{n=~\"1|2\"}"), all);
}
