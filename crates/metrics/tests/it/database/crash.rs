//! Power goes at every single operation on the disk; the disk fills up; syncs fail. What was
//! acknowledged is there afterwards, and nothing that was never sent.

use super::scene::{NOW, Samples, Scene, expected, put, read};
use metrics::database::{Database, Unpaced};
use std::io;
use std::sync::Arc;
use store::fs::SimulatedFileSystem;

const T: i64 = NOW as i64;

/// What a store was asked to take, by request, and how many of them it acknowledged.
struct Sent {
    requests: Vec<Vec<(u32, i64, f64)>>,
    acknowledged: usize,
}

/// The samples of a request: some new, some late, some again.
fn request(number: u32) -> Vec<(u32, i64, f64)> {
    let near = (0..4).map(|n| (n, T - 60_000 + i64::from(number) * 1000, f64::from(number)));
    let late = (number % 5, T - 3 * 7 * 86_400_000 + i64::from(number), 0.5);
    near.chain([late]).collect()
}

/// Sends requests with flushes and merges between them until the disk refuses.
fn work(disk: &SimulatedFileSystem) -> Sent {
    let mut sent = Sent {
        requests: Vec::new(),
        acknowledged: 0,
    };
    let scene = Scene::on(disk.clone());
    let Ok(database) = scene.open() else {
        return sent;
    };
    for number in 0..16 {
        sent.requests.push(request(number));
        if put(&database, &request(number)).is_err() {
            break;
        }
        sent.acknowledged += 1;
        if number % 3 == 2 && keep_house(&database).is_err() {
            break;
        }
    }
    sent
}

fn keep_house(database: &Arc<Database>) -> Result<(), metrics::database::UpkeepError> {
    database.flush()?;
    database.keep_house(&Unpaced).map(drop)
}

/// Holds what is there to what was sent: all that was acknowledged, and beyond that at most
/// what was sent last.
#[track_caller]
fn check(disk: &SimulatedFileSystem, sent: &Sent, what: &str) {
    let scene = Scene::on(disk.clone());
    let database = match scene.open() {
        Ok(database) => database,
        Err(error) => panic!("{what}: {error}"),
    };
    let found = read(&database.view(), "m");
    let with = |count: usize| -> Samples { expected(&sent.requests[..count].concat()) };
    let acknowledged = with(sent.acknowledged);
    let all = with(sent.requests.len());
    assert!(
        found == acknowledged || found == all,
        "{what}: {found:?} is neither {acknowledged:?} nor {all:?}"
    );
    // And it goes on.
    put(&database, &[(9, T, 9.0)]).unwrap();
    keep_house(&database).unwrap();
    assert!(database.scrub(&Unpaced).unwrap().damaged.is_empty());
    assert_eq!(read(&database.view(), "m{n=\"9\"}").len(), 1);
}

#[test]
fn power_goes_at_every_operation() {
    let whole = SimulatedFileSystem::new();
    let sent = work(&whole);
    assert_eq!(sent.acknowledged, 16);
    for operation in 1..=whole.operations() {
        let disk = SimulatedFileSystem::new();
        disk.crash_at(operation);
        let sent = work(&disk);
        for seed in 0..2 {
            let what = format!("power gone at operation {operation}, seed {seed}");
            check(&disk.after_crash(seed), &sent, &what);
        }
    }
}

#[test]
fn single_operations_fail() {
    let whole = SimulatedFileSystem::new();
    work(&whole);
    for operation in 1..=whole.operations() {
        let kind = match operation % 2 {
            0 => io::ErrorKind::StorageFull,
            _ => io::ErrorKind::Other,
        };
        let disk = SimulatedFileSystem::new();
        disk.fail_at(operation, kind);
        let sent = work(&disk);
        let what = format!("operation {operation} failed with {kind:?}");
        check(&disk.after_crash(operation), &sent, &what);
    }
}

#[test]
fn a_full_disk_takes_nothing_and_loses_nothing() {
    let scene = Scene::new();
    let database = scene.open().unwrap();
    put(&database, &request(1)).unwrap();
    let used = scene.disk.used_bytes();
    scene.disk.set_capacity(used);
    // The log has room ahead; it is used up before long.
    let refused = (2..100_000).find(|number| put(&database, &request(*number)).is_err());
    assert!(refused.is_some());
    assert!(keep_house(&database).is_err());
    let found = read(&database.view(), "m");
    scene.disk.set_capacity(u64::MAX);
    put(&database, &request(50)).unwrap();
    keep_house(&database).unwrap();
    let after = read(&database.view(), "m");
    for (labels, samples) in found {
        assert!(
            samples
                .iter()
                .all(|(time, value)| after[&labels].get(time) == Some(value))
        );
    }
}
