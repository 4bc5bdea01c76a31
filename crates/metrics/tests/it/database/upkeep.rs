//! What is done in the background: merges, what becomes coarser, what goes.

use super::scene::{NOW, Samples, Scene, expected, put, read};
use base::Clock;
use metrics::database::{Database, Downsampling, Retention, Unpaced, scrub_folder};
use metrics::head::Client;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use store::fs::{FileSystem, Open};

const T: i64 = NOW as i64;
const DAY: i64 = 86_400_000;

fn keep_house(database: &Database) {
    database.flush().unwrap();
    database.keep_house(&Unpaced).unwrap();
}

fn later(scene: &Scene, time: i64) {
    scene.clock.set(scene.clock.now() + time.unsigned_abs());
}

#[test]
fn parts_of_a_window_become_few() {
    let scene = Scene::new();
    let database = scene.open().unwrap();
    let mut all = Vec::new();
    for number in 0..20 {
        let samples = [(1, T + number * 1000, number as f64), (2, T + number, 1.0)];
        put(&database, &samples).unwrap();
        all.extend(samples);
        keep_house(&database);
    }
    let parts = database.statistics().parts;
    assert!((1..10).contains(&parts), "{parts}");
    assert_eq!(read(&database.view(), "m"), expected(&all));
    // The week is over.
    later(&scene, 8 * DAY);
    put(&database, &[(1, T + 8 * DAY, 5.0)]).unwrap();
    keep_house(&database);
    assert_eq!(database.statistics().parts, 2);
}

#[test]
fn labels_alone_make_no_flush_due() {
    let mut scene = Scene::new();
    // Labels and samples are more, either alone is less.
    scene.settings.flush_bytes = 20_000;
    let samples = |time: i64| (0..1000).map(move |n| (n, T + time, 1.0));
    let is_flushed = |database: &Database| database.keep_house(&Unpaced).unwrap().flushed;
    let database = scene.open().unwrap();
    put(&database, &samples(0).collect::<Vec<_>>()).unwrap();
    assert!(!is_flushed(&database));
    drop(database);
    let database = scene.open().unwrap();
    assert!(!is_flushed(&database), "labels that were replayed count");
    put(&database, &samples(1).collect::<Vec<_>>()).unwrap();
    assert!(is_flushed(&database));
    put(&database, &samples(2).collect::<Vec<_>>()).unwrap();
    assert!(!is_flushed(&database));
}

#[test]
fn what_is_too_old_goes_and_is_not_taken() {
    let mut scene = Scene::new();
    scene.settings.retention = Retention {
        age: (10 * DAY).unsigned_abs(),
        bytes: None,
    };
    let database = scene.open().unwrap();
    put(&database, &[(1, T - 9 * DAY, 1.0), (1, T, 2.0)]).unwrap();
    keep_house(&database);
    assert_eq!(database.statistics().parts, 2);
    later(&scene, 9 * DAY);
    keep_house(&database);
    let left = expected(&[(1, T, 2.0)]);
    assert_eq!(read(&database.view(), "m"), left);
    assert_eq!(database.statistics().parts, 1);
    let refused = super::scene::refused(&database, 1, T - 9 * DAY);
    assert!(refused.contains("is too old"), "{refused}");
    let refused = super::scene::refused(&database, 1, T + 30 * DAY);
    assert!(refused.contains("is in the future"), "{refused}");
}

#[test]
fn the_oldest_go_when_there_is_too_much() {
    let mut scene = Scene::new();
    scene.settings.retention.bytes = Some(1);
    let database = scene.open().unwrap();
    put(&database, &[(1, T - 20 * DAY, 1.0), (1, T, 2.0)]).unwrap();
    keep_house(&database);
    // The week that is written stays whatever its size.
    assert_eq!(read(&database.view(), "m"), expected(&[(1, T, 2.0)]));
}

#[test]
fn old_samples_become_coarser() {
    let mut scene = Scene::new();
    let minutes = |count: u64| count * 60_000;
    scene.settings.downsampling = vec![Downsampling {
        after: (7 * DAY).unsigned_abs(),
        every: minutes(5),
    }];
    let database = scene.open().unwrap();
    let start = T.div_euclid(300_000) * 300_000;
    let samples: Vec<_> = (0..20)
        .map(|minute| (1, start + minute * 60_000, minute as f64))
        .collect();
    put(&database, &samples).unwrap();
    keep_house(&database);
    assert_eq!(read(&database.view(), "m"), expected(&samples));
    later(&scene, 20 * DAY);
    keep_house(&database);
    let lasts: Vec<_> = samples.iter().copied().skip(4).step_by(5).collect();
    assert_eq!(read(&database.view(), "m"), expected(&lasts));
    let before = scene.disk.operations();
    keep_house(&database);
    assert_eq!(scene.disk.operations(), before, "it is coarse already");
}

#[test]
fn a_damaged_part_is_left_out_and_told() {
    let scene = Scene::new();
    let database = scene.open().unwrap();
    put(&database, &[(1, T - 30 * DAY, 1.0), (1, T, 2.0)]).unwrap();
    keep_house(&database);
    database.close();
    drop(database);
    // The first part is that of the oldest week.
    let parts = Path::new("node/metrics/parts");
    let name = &scene.disk.list(parts).unwrap()[0].name;
    let file = scene.disk.open(&parts.join(name), Open::ReadWrite).unwrap();
    let length = file.length().unwrap();
    file.write_all_at(b"damage", length - 20).unwrap();
    let scrubbed = scrub_folder(&scene.disk, Path::new("node/metrics"), &Unpaced).unwrap();
    assert_eq!(scrubbed.damaged.len(), 1);
    let database = scene.open().unwrap();
    assert_eq!(read(&database.view(), "m"), expected(&[(1, T, 2.0)]));
    let damaged = database.damaged();
    assert_eq!(damaged.len(), 1);
    assert!(damaged[0].path.ends_with(name), "{damaged:?}");
    // It is still named, and so is not removed.
    put(&database, &[(2, T, 2.0)]).unwrap();
    keep_house(&database);
    database.close();
    drop(database);
    let database = scene.open().unwrap();
    assert_eq!(database.damaged().len(), 1);
    assert_eq!(database.scrub(&Unpaced).unwrap().damaged.len(), 1);
}

#[test]
fn parts_without_a_list_are_not_taken_for_rubbish() {
    let scene = Scene::new();
    let database = scene.open().unwrap();
    put(&database, &[(1, T, 1.0)]).unwrap();
    keep_house(&database);
    database.close();
    drop(database);
    let manifest = Path::new("node/metrics/manifest");
    scene.disk.remove_file(manifest).unwrap();
    let error = scene.open().err().unwrap().to_string();
    assert!(error.contains("manifest is missing"), "{error}");
}

#[test]
fn a_sample_that_comes_while_its_series_is_to_leave_is_kept() {
    let mut scene = Scene::new();
    scene.settings.idle_seconds = 60;
    let database = scene.open().unwrap();
    let mut all = Vec::new();
    for turn in 0..30 {
        let sample = (1, T + turn * 120_000, turn as f64);
        put(&database, &[sample]).unwrap();
        all.push(sample);
        later(&scene, 120_000);
        // The next is on its way while it is flushed and the series is idle.
        let next = (1, T + turn * 120_000 + 1, turn as f64);
        let sent = super::scene::send(&database, &[next]).unwrap();
        database.flush().unwrap();
        sent.recv().unwrap().unwrap();
        all.push(next);
    }
    assert_eq!(read(&database.view(), "m"), expected(&all));
}

#[test]
fn series_without_samples_leave_and_come_back() {
    let mut scene = Scene::new();
    scene.settings.series.total = 3;
    scene.settings.idle_seconds = 60;
    let database = scene.open().unwrap();
    put(&database, &[(1, T, 1.0), (2, T, 1.0), (3, T, 1.0)]).unwrap();
    let refused = super::scene::refused(&database, 4, T);
    assert!(refused.contains("already has 3 series"), "{refused}");
    later(&scene, 120_000);
    put(&database, &[(3, T + 120_000, 2.0)]).unwrap();
    database.flush().unwrap();
    assert_eq!(database.statistics().series, 1);
    let more = [(1, T + 120_000, 3.0), (5, T + 120_000, 3.0)];
    put(&database, &more).unwrap();
    let all = [(1, T, 1.0), (2, T, 1.0), (3, T, 1.0), (3, T + 120_000, 2.0)];
    let all: Samples = expected(&[&all[..], &more[..]].concat());
    assert_eq!(read(&database.view(), "m"), all);
    let database: Arc<Database> = database;
    database.close();
    drop(database);
    assert_eq!(read(&scene.open().unwrap().view(), "m"), all);
}

#[test]
fn series_that_could_not_leave_are_asked_for_again() {
    let mut scene = Scene::new();
    scene.settings.idle_seconds = 60;
    let database = scene.open().unwrap();
    put(&database, &[(1, T, 1.0)]).unwrap();
    later(&scene, 120_000);
    // Somebody looks for series, so none may leave.
    let intake = database.intake(Client(1));
    database.flush().unwrap();
    database.keep_house(&Unpaced).unwrap();
    assert_eq!(database.statistics().series, 1);
    drop(intake);
    database.keep_house(&Unpaced).unwrap();
    assert_eq!(database.statistics().series, 0);
}

#[test]
fn parts_that_did_not_come_to_be_leave_nothing() {
    let parts = |scene: &Scene| {
        let listed = scene.disk.list(&scene.directory.join("parts")).unwrap();
        listed.len()
    };
    let scene = Scene::new();
    let database = scene.open().unwrap();
    put(&database, &[(1, T, 1.0)]).unwrap();
    let before = scene.disk.operations();
    database.flush().unwrap();
    let operations = scene.disk.operations() - before;
    assert_eq!(parts(&scene), 1);
    let mut left = 0;
    for failing in 1..operations {
        let scene = Scene::new();
        let database = scene.open().unwrap();
        put(&database, &[(1, T, 1.0)]).unwrap();
        scene
            .disk
            .fail_at(scene.disk.operations() + failing, ErrorKind::StorageFull);
        let failed = database.flush().is_err();
        left += usize::from(failed && parts(&scene) > 0);
        assert_eq!(read(&database.view(), "m"), expected(&[(1, T, 1.0)]));
    } // The list may be there, where only its name is not known to be durable.
    assert!(left <= 1, "{left}");
}
