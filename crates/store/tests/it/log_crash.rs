//! The embedded log loses power at every single operation, its disk fills up,
//! and its syncs fail. What was acknowledged is there; nothing was invented.

use base::SeededRandom;
use std::io;
use std::path::Path;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use store::fs::SimulatedFileSystem;
use store::log::{EmbeddedLog, Followed, Log, LogError, Proposed, Settings};

const DIRECTORY: &str = "node/log";

fn settings() -> Settings {
    Settings {
        segment_bytes: 2000,
        recent_bytes: 300,
        ..Settings::default()
    }
}

fn open(disk: &SimulatedFileSystem) -> Result<EmbeddedLog, LogError> {
    let fs = Arc::new(disk.clone());
    EmbeddedLog::open_with(fs, Path::new(DIRECTORY), &SeededRandom::new(1), &settings())
}

fn propose(log: &EmbeddedLog, batch: Vec<Vec<u8>>) -> Result<Proposed, LogError> {
    let (sender, receiver) = channel();
    log.propose(batch, Box::new(move |result| sender.send(result).unwrap()));
    receiver.recv().unwrap()
}

fn entries(log: &EmbeddedLog) -> Vec<(u64, Vec<u8>)> {
    let mut entries = Vec::new();
    let mut follow = log.follow(log.first() - 1).unwrap();
    while entries.len() as u64 + log.first() <= log.committed() {
        match follow.next().unwrap() {
            Followed::Entries(next) => {
                entries.extend(next.into_iter().map(|e| (e.index, e.bytes.to_vec())));
            }
            other => panic!("{other:?}"),
        }
    }
    entries
}

/// The commands of batch `number`, of lengths that cross sectors and segments.
fn batch(number: u64) -> Vec<Vec<u8>> {
    let random = SeededRandom::new(number);
    (0..1 + random.below(4))
        .map(|_| vec![number as u8; random.below(700) as usize])
        .collect()
}

/// Proposes batches until the disk refuses; returns what was proposed, one list
/// per batch, and how many batches were acknowledged.
fn work(disk: &SimulatedFileSystem, batches: u64) -> (Vec<Vec<Vec<u8>>>, usize) {
    let Ok(log) = open(disk) else {
        return (Vec::new(), 0);
    };
    let mut proposed = Vec::new();
    let mut acknowledged = 0;
    for number in 0..batches {
        proposed.push(batch(number));
        match propose(&log, batch(number)) {
            Ok(Proposed::Committed { .. }) => acknowledged += 1,
            _ => break,
        }
    }
    (proposed, acknowledged)
}

#[test]
fn entries_come_back_in_order() {
    let disk = SimulatedFileSystem::new();
    let (proposed, acknowledged) = work(&disk, 20);
    assert_eq!(acknowledged, 20);
    let log = open(&disk).unwrap();
    let expected: Vec<_> = (1..).zip(proposed.into_iter().flatten()).collect();
    assert_eq!(entries(&log), expected);
}

#[test]
fn a_power_cut_at_any_operation_loses_nothing_acknowledged() {
    let disk = SimulatedFileSystem::new();
    work(&disk, 12);
    let operations = disk.operations();
    assert!(operations > 40, "{operations}");
    for cut in 1..=operations {
        for seed in 0..3 {
            let disk = SimulatedFileSystem::new();
            disk.crash_at(cut);
            let (proposed, acknowledged) = work(&disk, 12);
            let disk = disk.after_crash(seed);
            let log =
                open(&disk).unwrap_or_else(|error| panic!("cut at {cut}, seed {seed}: {error}"));
            let found: Vec<_> = entries(&log).into_iter().map(|(_, bytes)| bytes).collect();
            let all: Vec<_> = proposed.iter().flatten().cloned().collect();
            let safe: usize = proposed[..acknowledged].iter().map(Vec::len).sum();
            assert!(found.len() >= safe, "cut at {cut}, seed {seed}: lost");
            assert_eq!(found, all[..found.len()], "cut at {cut}, seed {seed}");
            // What was shown after the restart is durable, and the log goes on.
            let shown = entries(&log);
            propose(&log, vec![b"after".to_vec()]).unwrap();
            drop(log);
            let again = open(&disk.after_crash(seed + 1)).unwrap();
            let mut expected = shown;
            expected.push((expected.len() as u64 + 1, b"after".to_vec()));
            assert_eq!(entries(&again), expected, "cut at {cut}, seed {seed}");
        }
    }
}

#[test]
fn a_second_power_cut_during_recovery_loses_nothing() {
    for seed in 0..20 {
        let disk = SimulatedFileSystem::new();
        disk.crash_at(30);
        let (_, acknowledged) = work(&disk, 12);
        let safe: usize = (0..acknowledged as u64).map(|n| batch(n).len()).sum();
        let broken = disk.after_crash(seed);
        for cut in 1..8 {
            let disk = broken.after_crash(0);
            disk.crash_at(cut);
            drop(open(&disk));
            let log = open(&disk.after_crash(seed + cut)).unwrap();
            assert!(entries(&log).len() >= safe, "seed {seed}, cut {cut}");
        }
    }
}

#[test]
fn a_full_disk_refuses_and_recovers() {
    for capacity in (600..6000).step_by(61) {
        let disk = SimulatedFileSystem::new();
        disk.set_capacity(capacity);
        let log = match open(&disk) {
            Ok(log) => log,
            Err(error) => panic!("{capacity}: {error}"),
        };
        let mut acknowledged = Vec::new();
        let mut refused = 0;
        for number in 0..12 {
            match propose(&log, batch(number)) {
                Ok(Proposed::Committed { .. }) => acknowledged.extend(batch(number)),
                Err(LogError::Write { source, .. }) => {
                    assert_eq!(source.kind(), io::ErrorKind::StorageFull);
                    refused += 1;
                }
                other => panic!("{capacity}: {other:?}"),
            }
        }
        assert!(refused > 0, "{capacity}");
        disk.set_capacity(u64::MAX);
        propose(&log, vec![b"space again".to_vec()]).unwrap();
        acknowledged.push(b"space again".to_vec());
        let check = |log: &EmbeddedLog| {
            let found: Vec<_> = entries(log).into_iter().map(|(_, bytes)| bytes).collect();
            assert_eq!(found, acknowledged, "{capacity}");
        };
        check(&log);
        drop(log);
        check(&open(&disk).unwrap());
        check(&open(&disk.after_crash(capacity)).unwrap());
    }
}

#[test]
fn after_a_failed_sync_nothing_more_is_taken() {
    let disk = SimulatedFileSystem::new();
    let log = open(&disk).unwrap();
    propose(&log, vec![b"safe".to_vec()]).unwrap();
    // The next two operations are a write and its sync.
    disk.fail_at(disk.operations() + 2, io::ErrorKind::Other);
    assert_eq!(
        propose(&log, vec![b"lost".to_vec()]).unwrap(),
        Proposed::Unknown
    );
    let error = propose(&log, vec![b"refused".to_vec()]).unwrap_err();
    assert!(matches!(error, LogError::Poisoned { .. }), "{error}");
    assert_eq!(entries(&log), [(1, b"safe".to_vec())]);
    // Followers learn it without proposing anything.
    let told = log.follow(1).unwrap().next();
    assert!(matches!(told, Err(LogError::Poisoned { .. })), "{told:?}");
    drop(log);
    // A restart sees the lost bytes in the page cache. Once shown, they stay.
    let log = open(&disk).unwrap();
    let shown = entries(&log);
    drop(log);
    assert_eq!(entries(&open(&disk.after_crash(3)).unwrap()), shown);
}

#[test]
fn a_failed_write_is_taken_back() {
    let disk = SimulatedFileSystem::new();
    let log = open(&disk).unwrap();
    let order = Arc::new(Mutex::new(Vec::new()));
    for attempt in 0..3 {
        // The first write is tried again without zeros; both fail.
        let next = disk.operations() + 1;
        disk.fail_at(next, io::ErrorKind::Other);
        disk.fail_at(next + 3, io::ErrorKind::Other);
        let error = propose(&log, vec![vec![attempt]]).unwrap_err();
        assert!(matches!(error, LogError::Write { .. }), "{error}");
        propose(&log, vec![b"kept".to_vec()]).unwrap();
        order.lock().unwrap().push(b"kept".to_vec());
    }
    let found: Vec<_> = entries(&log).into_iter().map(|(_, bytes)| bytes).collect();
    assert_eq!(found, *order.lock().unwrap());
}
