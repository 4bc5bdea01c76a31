//! Copies of a store: each is a store, whatever happens while it is made.

use super::scene::{NOW, Scene, expected, put, read};
use super::tapped::{Fate, Tapped};
use metrics::database::{Unpaced, UpkeepError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use store::fs::{FileSystem, Open, SimulatedFileSystem};

const T: i64 = NOW as i64;
const DAY: i64 = 86_400_000;

/// Far more than a flush and a merge take, on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Parts that a copy has.
const SNAPSHOT_PARTS: &str = "node/metrics/snapshots/one/parts";

/// Where a copy is made.
const UNFINISHED: &str = "node/metrics/snapshots/one.new";

/// The store's copy `one`, opened.
fn read_copy(disk: &SimulatedFileSystem) -> super::scene::Samples {
    let mut scene = Scene::on(disk.clone());
    scene.directory = PathBuf::from("node/metrics/snapshots/one");
    read(&scene.open().unwrap().view(), "m")
}

fn files(disk: &SimulatedFileSystem, folder: &str) -> Vec<String> {
    let listed = disk.list(Path::new(folder)).unwrap_or_default();
    let files = listed.into_iter().filter(|entry| !entry.directory);
    files.map(|entry| entry.name).collect()
}

#[test]
fn a_snapshot_is_a_store() {
    let mut scene = Scene::new();
    let database = scene.open().unwrap();
    let samples = [(1, T, 1.0), (2, T - 30 * DAY, 2.0)];
    put(&database, &samples).unwrap();
    let path = database.snapshot("first").unwrap();
    assert!(matches!(
        database.snapshot("first"),
        Err(UpkeepError::SnapshotExists(_))
    ));
    for name in ["", ".hidden", "a/b", "x.new", &"x".repeat(65)] {
        let refused = database.snapshot(name);
        assert!(matches!(refused, Err(UpkeepError::SnapshotName)), "{name}");
    }
    put(&database, &[(3, T, 3.0)]).unwrap();
    scene.directory = path;
    let copy = scene.open().unwrap();
    assert_eq!(read(&copy.view(), "m"), expected(&samples));
    // It goes on, also over a start: its log is another than that of its parts.
    let more = (4, T, 4.0);
    put(&copy, &[more]).unwrap();
    copy.close();
    drop(copy);
    let copy = scene.open().unwrap();
    let all = [samples[0], samples[1], more];
    assert_eq!(read(&copy.view(), "m"), expected(&all));
}

#[test]
fn nobody_waits_while_a_snapshot_is_copied() {
    let scene = Scene::new();
    let (begin, has_begun) = channel();
    let (release, released) = channel::<()>();
    let first = Mutex::new(Some((begin, released)));
    let disk = Tapped::new(scene.disk.clone(), move |path, _| {
        if path.starts_with(UNFINISHED)
            && let Some((begin, released)) = first.lock().unwrap().take()
        {
            begin.send(()).unwrap();
            if released.recv_timeout(PATIENCE).is_err() {
                return Fate::Fails(0, io::ErrorKind::TimedOut);
            }
        }
        Fate::Happens
    });
    let database = scene.open_on(Arc::new(disk)).unwrap();
    let samples: Vec<_> = (0..4).map(|n| (n, T, f64::from(n))).collect();
    for sample in &samples {
        put(&database, &[*sample]).unwrap();
        database.flush().unwrap();
    }
    let copying = Arc::clone(&database);
    let copying = std::thread::spawn(move || copying.snapshot("one"));
    has_begun.recv().unwrap();
    // The parts that are copied are merged meanwhile, and their names are gone.
    put(&database, &[(9, T, 9.0)]).unwrap();
    database.flush().unwrap();
    assert_eq!(database.keep_house(&Unpaced).unwrap().merges, 1);
    assert_eq!(files(&scene.disk, "node/metrics/parts").len(), 1);
    let second = database.snapshot("one");
    assert!(
        matches!(second, Err(UpkeepError::SnapshotBegun(_))),
        "{second:?}"
    );
    release.send(()).unwrap();
    copying.join().unwrap().unwrap();
    assert_eq!(files(&scene.disk, SNAPSHOT_PARTS).len(), 4);
    assert_eq!(read_copy(&scene.disk), expected(&samples));
    let third = database.snapshot("one");
    assert!(
        matches!(third, Err(UpkeepError::SnapshotExists(_))),
        "{third:?}"
    );
}

#[test]
fn power_goes_at_every_operation_of_a_snapshot() {
    let samples = [(1, T, 1.0), (2, T - 30 * DAY, 2.0)];
    let begin = || {
        let scene = Scene::new();
        let database = scene.open().unwrap();
        put(&database, &samples).unwrap();
        database.flush().unwrap();
        (scene, database)
    };
    let (scene, database) = begin();
    let before = scene.disk.operations();
    database.snapshot("one").unwrap();
    for operation in before + 1..=scene.disk.operations() {
        let (scene, database) = begin();
        scene.disk.crash_at(operation);
        database.snapshot("one").unwrap_err();
        let scene = Scene::on(scene.disk.after_crash(operation));
        let database = scene.open().unwrap();
        let what = format!("power gone at operation {operation}");
        for folder in [UNFINISHED, "node/metrics/snapshots/one.new/parts"] {
            assert_eq!(files(&scene.disk, folder), [""; 0], "{what}");
        }
        match database.snapshot("one") {
            Ok(_) | Err(UpkeepError::SnapshotExists(_)) => {}
            Err(error) => panic!("{what}: {error}"),
        }
        assert_eq!(files(&scene.disk, SNAPSHOT_PARTS).len(), 2, "{what}");
        assert_eq!(read_copy(&scene.disk), expected(&samples), "{what}");
    }
}

#[test]
fn what_was_left_of_an_earlier_snapshot_is_no_part_of_the_next() {
    let scene = Scene::new();
    let database = scene.open().unwrap();
    put(&database, &[(1, T, 1.0)]).unwrap();
    database.flush().unwrap();
    let parts = Path::new(UNFINISHED).join("parts");
    scene.disk.create_dir_all(&parts).unwrap();
    for name in ["0000000000000001.part", "0000000000000077.part"] {
        let file = scene.disk.open(&parts.join(name), Open::CreateNew);
        file.unwrap().write_all_at(&[7; 9000], 0).unwrap();
    }
    database.snapshot("one").unwrap();
    assert_eq!(files(&scene.disk, SNAPSHOT_PARTS).len(), 1);
    assert_eq!(read_copy(&scene.disk), expected(&[(1, T, 1.0)]));
}

#[test]
fn a_full_disk_has_no_room_for_a_snapshot_and_keeps_none_of_it() {
    let scene = Scene::new();
    let database = scene.open().unwrap();
    put(&database, &[(1, T, 1.0), (2, T - 30 * DAY, 2.0)]).unwrap();
    database.flush().unwrap();
    let used = scene.disk.used_bytes();
    // Room for the first of the two parts at most.
    scene.disk.set_capacity(used + 300);
    let refused = database.snapshot("one").unwrap_err();
    let file = refused.no_room_for();
    assert!(
        file.is_some_and(|file| file.starts_with(UNFINISHED)),
        "{refused}"
    );
    assert_eq!(scene.disk.used_bytes(), used);
    scene.disk.set_capacity(u64::MAX);
    database.snapshot("one").unwrap();
    let samples = [(1, T, 1.0), (2, T - 30 * DAY, 2.0)];
    assert_eq!(read_copy(&scene.disk), expected(&samples));
}
