//! Bytes of the log that changed after they were durable: refused by name and
//! place, never skipped; and readers while the log is written and compacted.

use base::SeededRandom;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::channel;
use store::fs::{FileSystem, Open, SimulatedFileSystem};
use store::log::{EmbeddedLog, Entry, Followed, Log, LogError, Proposed, Segments, Settings};

fn open(disk: &SimulatedFileSystem) -> Result<EmbeddedLog, LogError> {
    let settings = Settings {
        segment_bytes: 1000,
        recent_bytes: 500,
        ..Settings::default()
    };
    let fs = Arc::new(disk.clone());
    EmbeddedLog::open_with(fs, Path::new("log"), &SeededRandom::new(1), &settings)
}

fn propose(log: &EmbeddedLog, length: usize) {
    let (sender, receiver) = channel();
    log.propose(
        vec![vec![7; length]],
        Box::new(move |r| sender.send(r).unwrap()),
    );
    receiver.recv().unwrap().unwrap();
}

/// A log of 20 entries in several segments, closed.
fn filled() -> SimulatedFileSystem {
    let disk = SimulatedFileSystem::new();
    let log = open(&disk).unwrap();
    for _ in 0..20 {
        propose(&log, 200);
    }
    disk
}

fn segments(disk: &SimulatedFileSystem) -> Vec<PathBuf> {
    let listed = disk.list(Path::new("log")).unwrap();
    listed
        .iter()
        .map(|entry| Path::new("log").join(&entry.name))
        .collect()
}

fn flip(disk: &SimulatedFileSystem, path: &Path, offset: u64) {
    let file = disk.open(path, Open::ReadWrite).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, offset).unwrap();
    file.write_all_at(&[byte[0] ^ 1], offset).unwrap();
}

#[test]
fn damage_anywhere_before_the_last_record_is_refused() {
    let whole = filled();
    let paths = segments(&whole);
    assert!(paths.len() >= 4);
    for (number, path) in paths.iter().enumerate() {
        // A segment: a header, a hard state of 48 bytes, four records of 240.
        let is_last = number + 1 == paths.len();
        let end = if is_last {
            64 + 48 + 3 * 240
        } else {
            64 + 48 + 4 * 240
        };
        for offset in (0..end).step_by(3) {
            let disk = whole.after_crash(0);
            flip(&disk, path, offset);
            match open(&disk) {
                Err(LogError::Damaged {
                    path: found,
                    offset: place,
                    ..
                }) => {
                    assert_eq!(&found, path);
                    assert!(place <= offset, "{place} {offset}");
                }
                Err(error) => panic!("byte {offset} of {path:?}: {error}"),
                Ok(_) => panic!("byte {offset} of {path:?} went unnoticed"),
            }
        }
    }
}

#[test]
fn a_missing_segment_is_refused() {
    let whole = filled();
    for path in &segments(&whole)[1..segments(&whole).len() - 1] {
        let disk = whole.after_crash(0);
        disk.remove_file(path).unwrap();
        let error = open(&disk).err().unwrap();
        assert!(matches!(error, LogError::Damaged { .. }), "{error}");
        assert!(error.to_string().contains("missing"), "{error}");
    }
}

#[test]
fn a_segment_that_cannot_be_removed_leaves_no_gap() {
    for failing in 1..=3 {
        let disk = filled();
        let log = open(&disk).unwrap();
        disk.fail_at(disk.operations() + failing, std::io::ErrorKind::Other);
        let failed = log.compact(12);
        assert!(matches!(failed, Err(LogError::Io { .. })), "{failed:?}");
        log.compact(16).unwrap();
        let first = log.first();
        drop(log);
        let log = open(&disk).unwrap();
        assert_eq!((log.first(), log.committed()), (first, 20));
    }
}

#[test]
fn a_segment_of_another_log_is_refused() {
    let (disk, other) = (filled(), SimulatedFileSystem::new());
    let fs = Arc::new(other.clone());
    let log = Segments::open(fs, Path::new("log"), 1000, &SeededRandom::new(2)).unwrap();
    assert_ne!(Some(log.id()), open(&disk).ok().map(|log| log.id()));
    let file = other.open(&segments(&other)[0], Open::Read).unwrap();
    let mut header = [0; 64];
    file.read_exact_at(&mut header, 0).unwrap();
    let target = disk.open(&segments(&disk)[0], Open::ReadWrite).unwrap();
    target.write_all_at(&header, 0).unwrap();
    assert!(matches!(open(&disk), Err(LogError::Damaged { .. })));
}

#[test]
fn a_reader_notices_damage_that_came_after_opening() {
    let disk = filled();
    let log = open(&disk).unwrap();
    flip(&disk, &segments(&disk)[0], 64 + 48 + 240 + 100);
    let error = log.follow(0).unwrap().next().unwrap_err();
    assert!(
        matches!(error, LogError::Damaged { offset: 400, .. }),
        "{error}"
    );
}

#[test]
fn nothing_behind_a_torn_record_comes_back() {
    let disk = SimulatedFileSystem::new();
    let open = || {
        let fs = Arc::new(disk.clone());
        Segments::open(fs, Path::new("log"), 1 << 20, &SeededRandom::new(1)).unwrap()
    };
    let entry = |index, byte| Entry {
        index,
        term: 1,
        kind: 0,
        // Longer than what is written with zeros behind it.
        bytes: vec![byte; 70_000].into(),
    };
    let mut log = open();
    log.append(&[entry(1, b'a'), entry(2, b'b')]).unwrap();
    drop(log);
    // Of that write, the second record reached the disk and the first did not.
    flip(&disk, &segments(&disk)[0], 64 + 48 + 40);
    let mut log = open();
    assert_eq!(log.last().index, 0);
    log.append(&[entry(1, b'c')]).unwrap();
    log.sync().unwrap();
    drop(log);
    let log = open();
    assert_eq!(log.reader().read(1, 9, 1 << 20).unwrap(), [entry(1, b'c')]);
}

#[test]
fn compaction_tells_followers_where_to_go_on() {
    let disk = filled();
    let log = open(&disk).unwrap();
    let mut early = log.follow(0).unwrap();
    assert!(matches!(log.compact(21), Err(LogError::Ahead { .. })));
    log.compact(10).unwrap();
    let first = log.first();
    assert!(first > 1 && first <= 11, "{first}");
    assert_eq!(early.next().unwrap(), Followed::Compacted { first });
    let mut late = log.follow(first - 1).unwrap();
    match late.next().unwrap() {
        Followed::Entries(entries) => assert_eq!(entries[0].index, first),
        other => panic!("{other:?}"),
    }
    assert!(matches!(log.follow(21), Err(LogError::Ahead { .. })));
    drop(log);
    assert_eq!(open(&disk).unwrap().first(), first);
}

#[test]
fn followers_see_every_entry_once_after_its_proposer_was_told() {
    let disk = SimulatedFileSystem::new();
    let log = open(&disk).unwrap();
    let told = std::sync::Mutex::new(std::collections::BTreeSet::new());
    let told = Arc::new(told);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            let mut follow = log.follow(0).unwrap();
            let told = Arc::clone(&told);
            scope.spawn(move || {
                let mut next = 1;
                while let Followed::Entries(entries) = follow.next().unwrap() {
                    for Entry { index, .. } in entries {
                        assert_eq!(index, next);
                        assert!(told.lock().unwrap().contains(&index));
                        next += 1;
                    }
                }
                assert_eq!(next, 201);
            });
        }
        let log = &log;
        std::thread::scope(|scope| {
            for _ in 0..4 {
                let told = Arc::clone(&told);
                scope.spawn(move || {
                    for length in 0..50 {
                        let told = Arc::clone(&told);
                        let done = move |result| match result {
                            Ok(Proposed::Committed { indexes }) => {
                                told.lock().unwrap().extend(indexes);
                            }
                            other => panic!("{other:?}"),
                        };
                        log.propose(vec![vec![1; length * 10]], Box::new(done));
                    }
                });
            }
        });
        // Everything taken before is answered and shown before the end.
        log.shutdown();
    });
    let (sender, receiver) = channel();
    log.propose(vec![vec![]], Box::new(move |r| sender.send(r).unwrap()));
    assert!(matches!(receiver.recv().unwrap(), Err(LogError::Closed)));
}

#[test]
fn too_much_and_too_long_are_refused() {
    let disk = SimulatedFileSystem::new();
    let settings = Settings {
        queue_bytes: 10,
        ..Settings::default()
    };
    let fs = Arc::new(disk);
    let log =
        EmbeddedLog::open_with(fs, Path::new("log"), &SeededRandom::new(1), &settings).unwrap();
    let (sender, receiver) = channel();
    let (go, wait) = channel::<()>();
    let answer = sender.clone();
    // The writer's thread stands still in this callback while the queue fills.
    log.propose(
        vec![vec![0; 4]],
        Box::new(move |r| {
            answer.send(r.map(|_| 1)).unwrap();
            wait.recv().unwrap();
        }),
    );
    assert_eq!(receiver.recv().unwrap().unwrap(), 1);
    let propose = |length: usize, number: usize| {
        let answer = sender.clone();
        let done = move |r: Result<Proposed, _>| answer.send(r.map(|_| number)).unwrap();
        log.propose(vec![vec![0; length]], Box::new(done));
    };
    propose(8, 2);
    propose(8, 3);
    assert!(matches!(
        receiver.recv().unwrap(),
        Err(LogError::Full { waiting: 8 })
    ));
    propose(base::limits::COMMAND_BYTES + 1, 4);
    assert!(matches!(
        receiver.recv().unwrap(),
        Err(LogError::TooLong { .. })
    ));
    go.send(()).unwrap();
    assert_eq!(receiver.recv().unwrap().unwrap(), 2);
}
