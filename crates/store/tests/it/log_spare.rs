//! Segments that begin in a file of zeros which was made ready before.

use base::SeededRandom;
use std::path::Path;
use std::sync::Arc;
use store::fs::{FileSystem, Open, SimulatedFileSystem};
use store::log::{Entry, Segments};

const SEGMENT_BYTES: u64 = 8 << 20;

/// Bytes of a record with an entry of [`append`].
const RECORD_BYTES: u64 = 40 + 10_000;

fn open(disk: &SimulatedFileSystem) -> Segments {
    let fs = Arc::new(disk.clone());
    Segments::open(fs, Path::new("log"), SEGMENT_BYTES, &SeededRandom::new(1)).unwrap()
}

fn append(log: &mut Segments) {
    let index = log.last().index + 1;
    let entry = Entry {
        index,
        term: 1,
        kind: 0,
        bytes: vec![index as u8; 10_000].into(),
    };
    log.append(&[entry]).unwrap();
    log.sync().unwrap();
}

/// Appends until zeros are due.
fn append_until_due(log: &mut Segments) -> store::log::Zeros {
    loop {
        append(log);
        if let Some(zeros) = log.zeros_due() {
            return zeros;
        }
    }
}

fn segments(disk: &SimulatedFileSystem) -> Vec<(String, u64)> {
    let listed = disk.list(Path::new("log")).unwrap().into_iter();
    listed
        .map(|entry| {
            let length = disk.length(&Path::new("log").join(&entry.name));
            (entry.name, length.unwrap().unwrap())
        })
        .collect()
}

fn is_whole(log: &Segments, count: u64) {
    let (mut next, reader) = (1, log.reader());
    assert_eq!(log.last().index, count);
    while next <= count {
        for entry in reader.read(next, u64::MAX, 1 << 20).unwrap() {
            assert_eq!(entry.index, next);
            assert_eq!(*entry.bytes, *vec![next as u8; 10_000]);
            next += 1;
        }
    }
}

#[test]
fn a_log_goes_on_in_zeros_that_are_there() {
    let disk = SimulatedFileSystem::new();
    let mut log = open(&disk);
    for length in [2 << 20, 4 << 20, 8 << 20, 8 << 20] {
        let mut zeros = append_until_due(&mut log);
        assert!(log.zeros_due().is_none(), "one at a time");
        let count = segments(&disk).len();
        assert!(zeros.write_some());
        // What is not ready is not used: the segment gets longer than it need be.
        for _ in 0..(length / 2).min(SEGMENT_BYTES / 4) / RECORD_BYTES {
            append(&mut log);
        }
        assert_eq!(segments(&disk).len(), count);
        while zeros.write_some() {}
        while segments(&disk).len() == count && segments(&disk)[count - 1].0 == "spare.new" {
            append(&mut log);
        }
        let last = segments(&disk).pop().unwrap();
        assert_eq!(last, (format!("{count:016}.log"), length));
        append(&mut log);
        assert_eq!(segments(&disk).pop().unwrap().1, length);
    }
    let count = log.last().index;
    is_whole(&log, count);
    drop(log);
    let log = open(&disk.after_crash(3));
    is_whole(&log, count);
}

#[test]
fn what_is_written_in_large_pieces_needs_no_zeros() {
    let disk = SimulatedFileSystem::new();
    let mut log = open(&disk);
    for index in 1..100 {
        let entry = Entry {
            index,
            term: 1,
            kind: 0,
            bytes: vec![1; 100_000].into(),
        };
        log.append(&[entry]).unwrap();
        assert!(log.zeros_due().is_none());
    }
}

#[test]
fn zeros_that_nobody_wants_any_more_are_harmless() {
    let disk = SimulatedFileSystem::new();
    let mut log = open(&disk);
    let mut zeros = append_until_due(&mut log);
    assert!(zeros.write_some());
    let count = log.last().index;
    drop(log);
    assert!(!zeros.write_some());
    let mut log = open(&disk);
    assert_eq!(segments(&disk).len(), 1, "what was begun is gone");
    is_whole(&log, count);
    let mut others = append_until_due(&mut log);
    assert!(!zeros.write_some());
    while others.write_some() {}
    while segments(&disk).pop().unwrap().0 == "spare.new" {
        append(&mut log);
    }
    let count = log.last().index;
    drop(log);
    is_whole(&open(&disk), count);
}

#[test]
fn the_last_room_on_a_disk_is_for_entries() {
    let disk = SimulatedFileSystem::new();
    disk.set_capacity(3 << 20);
    let mut log = open(&disk);
    let mut zeros = append_until_due(&mut log);
    while zeros.write_some() {}
    let spare = disk.open(Path::new("log/spare.new"), Open::Read);
    assert!(spare.is_ok(), "there is room for it at first");
    drop(spare);
    // A record that goes into the active segment is the one for which there is no room.
    let room = disk.open(Path::new("other"), Open::Create).unwrap();
    let free = (3 << 20) - disk.used_bytes();
    room.write_all_at(&vec![1; free as usize], 0).unwrap();
    let before = log.last().index;
    while log.last().index < before + (1 << 20) / RECORD_BYTES {
        append(&mut log);
        assert!(log.zeros_due().is_none());
    }
    let count = log.last().index;
    drop(log);
    is_whole(&open(&disk), count);
}

#[test]
fn another_file_in_its_place_is_not_taken_for_it() {
    let path = Path::new("log/spare.new");
    let tampered: [fn(&SimulatedFileSystem, &Path); 3] = [
        |_, _| (),
        |disk, path| {
            let file = disk.open(path, Open::CreateNew).unwrap();
            file.write_all_at(&[7; 5000], 0).unwrap();
        },
        |disk, path| disk.create_dir_all(path).unwrap(),
    ];
    for tamper in tampered {
        let disk = SimulatedFileSystem::new();
        let mut log = open(&disk);
        let mut zeros = append_until_due(&mut log);
        while zeros.write_some() {}
        disk.remove_file(path).unwrap();
        tamper(&disk, path);
        while !segments(&disk)
            .iter()
            .any(|(name, _)| name.ends_with("2.log"))
        {
            append(&mut log);
        }
        append(&mut log);
        let count = log.last().index;
        drop(log);
        is_whole(&open(&disk), count);
    }
}

#[test]
fn zeros_that_nobody_writes_are_begun_anew() {
    let disk = SimulatedFileSystem::new();
    let mut log = open(&disk);
    let zeros = append_until_due(&mut log);
    drop(zeros);
    assert!(log.zeros_due().is_none(), "not at once");
    assert_eq!(segments(&disk).len(), 1, "its room is free");
    while segments(&disk).len() < 2 {
        append(&mut log);
    }
    let mut zeros = append_until_due(&mut log);
    assert!(zeros.write_some());
}
