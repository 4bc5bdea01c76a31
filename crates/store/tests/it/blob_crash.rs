//! The blob store loses power at every single operation, and its disk fills up.
//! What was acknowledged is there and whole; nothing else is pretended.

use crate::blob_uploads::Large;
use crate::blob_whole;
use crate::blobs::{OWNER, bytes, open_simulated, put, read, scrub};
use base::Hash;
use std::io;
use std::path::Path;
use store::blob::{BlobError, BlobStore};
use store::fs::{FileSystem, Open, SimulatedFileSystem};

/// Stores small and large blobs until the disk refuses; returns those that were
/// acknowledged.
fn work(disk: &SimulatedFileSystem) -> Vec<Vec<u8>> {
    let mut acknowledged = Vec::new();
    let Ok(store) = open_simulated(disk) else {
        return acknowledged;
    };
    for round in 0..8 {
        let batch: Vec<_> = (0..3)
            .map(|n| bytes(round * 10 + n, 300 * (n as usize + 1)))
            .collect();
        if put(&store, &batch).is_err() {
            break;
        }
        acknowledged.extend(batch);
        if round % 3 == 2 {
            let large = Large::numbered(round);
            if large.upload(&store).is_err() {
                break;
            }
            acknowledged.push(large.bytes);
            let whole = bytes(round + 100, 150_000);
            if blob_whole::send(&store, OWNER, &whole).is_err() {
                break;
            }
            acknowledged.push(whole);
        }
    }
    acknowledged
}

fn check_all(store: &BlobStore, blobs: &[Vec<u8>], context: &str) {
    for blob in blobs {
        let found = read(store, &Hash::of(blob));
        assert_eq!(found.as_ref(), Some(blob), "{context}");
    }
    let report = scrub(store);
    assert_eq!(report.damaged, [], "{context}");
}

#[test]
fn a_power_cut_at_any_operation_loses_nothing_acknowledged() {
    let empty = SimulatedFileSystem::new();
    drop(open_simulated(&empty).unwrap());
    let disk = empty.after_crash(0);
    assert_eq!(work(&disk).len(), 28);
    let operations = disk.operations();
    assert!(operations > 40, "{operations}");
    for cut in 1..=operations {
        for seed in 0..12 {
            let context = format!("cut at {cut}, seed {seed}");
            let disk = empty.after_crash(0);
            disk.crash_at(cut);
            let mut acknowledged = work(&disk);
            let disk = disk.after_crash(seed);
            let store = open_simulated(&disk).unwrap_or_else(|e| panic!("{context}: {e}"));
            check_all(&store, &acknowledged, &context);
            // It goes on, and a second power cut changes nothing.
            let more = bytes(99, 700);
            put(&store, std::slice::from_ref(&more)).unwrap();
            acknowledged.push(more);
            drop(store);
            let store = open_simulated(&disk.after_crash(seed + 1)).unwrap();
            check_all(&store, &acknowledged, &context);
        }
    }
}

#[test]
fn a_power_cut_while_the_store_is_made_leaves_nothing_in_the_way() {
    let disk = SimulatedFileSystem::new();
    drop(open_simulated(&disk).unwrap());
    for cut in 1..=disk.operations() {
        let disk = SimulatedFileSystem::new();
        disk.crash_at(cut);
        drop(open_simulated(&disk));
        let disk = disk.after_crash(cut);
        let acknowledged = work(&disk);
        assert_eq!(acknowledged.len(), 28, "cut at {cut}");
        let store = open_simulated(&disk.after_crash(cut + 1)).unwrap();
        check_all(&store, &acknowledged, &format!("cut at {cut}"));
    }
}

#[test]
fn a_full_disk_refuses_and_recovers() {
    for capacity in (1000..250_000).step_by(2503) {
        let context = format!("capacity {capacity}");
        let disk = SimulatedFileSystem::new();
        let store = open_simulated(&disk).unwrap();
        disk.set_capacity(capacity);
        let mut acknowledged = Vec::new();
        let mut refused = 0;
        for round in 0..4 {
            let small = bytes(round, 900);
            match put(&store, std::slice::from_ref(&small)) {
                Ok(()) => acknowledged.push(small),
                Err(BlobError::Full { .. } | BlobError::Reserved { .. }) => refused += 1,
                Err(error) => panic!("{context}: {error}"),
            }
            let large = Large::numbered(round + 10);
            match large.upload(&store) {
                Ok(()) => acknowledged.push(large.bytes),
                Err(BlobError::Full { .. } | BlobError::Reserved { .. }) => refused += 1,
                Err(error) => panic!("{context}: {error}"),
            }
            let whole = bytes(round + 20, 140_000);
            match blob_whole::send(&store, OWNER, &whole) {
                Ok(()) => acknowledged.push(whole),
                Err(BlobError::Full { .. } | BlobError::Reserved { .. }) => refused += 1,
                Err(error) => panic!("{context}: {error}"),
            }
        }
        assert!(refused > 0, "{context}");
        check_all(&store, &acknowledged, &context);
        disk.set_capacity(u64::MAX);
        let large = Large::numbered(10);
        large.upload(&store).unwrap();
        acknowledged.push(large.bytes);
        put(&store, &[bytes(50, 900)]).unwrap();
        acknowledged.push(bytes(50, 900));
        drop(store);
        let disk = disk.after_crash(capacity);
        check_all(&open_simulated(&disk).unwrap(), &acknowledged, &context);
    }
}

#[test]
fn after_a_failed_sync_no_small_blob_is_taken() {
    let disk = SimulatedFileSystem::new();
    let store = open_simulated(&disk).unwrap();
    let safe = bytes(1, 100);
    put(&store, std::slice::from_ref(&safe)).unwrap();
    // The next operations are a write and its sync.
    disk.fail_at(disk.operations() + 2, io::ErrorKind::Other);
    for blob in 2..4 {
        let error = put(&store, &[bytes(blob, 100)]).unwrap_err();
        assert!(matches!(error, BlobError::Poisoned { .. }), "{error}");
    }
    check_all(&store, std::slice::from_ref(&safe), "before restart");
    drop(store);
    let store = open_simulated(&disk).unwrap();
    check_all(&store, &[safe], "after restart");
    assert!(!store.contains(&Hash::of(&bytes(2, 100))).unwrap());
}

/// What an upload of [`Large::numbered`] does that can fail to be durable: it is
/// created, preallocated, gets its footer and five chunks, is synced, renamed,
/// and its shelf is synced.
const LARGE_SYNC: u64 = 9;
const SHELF_SYNC: u64 = 11;

#[test]
fn after_a_failed_sync_of_a_large_blob_nothing_is_taken() {
    for failing in [LARGE_SYNC, SHELF_SYNC] {
        let disk = SimulatedFileSystem::new();
        let store = open_simulated(&disk).unwrap();
        let (safe, under_way) = (Large::numbered(1), Large::numbered(2));
        safe.upload(&store).unwrap();
        under_way.begin(&store).unwrap();
        let large = Large::numbered(3);
        disk.fail_at(disk.operations() + failing, io::ErrorKind::Other);
        let poisoned = |result: Result<(), BlobError>| {
            let error = result.unwrap_err();
            assert!(matches!(error, BlobError::Poisoned { .. }), "{error}");
        };
        poisoned(large.upload(&store));
        poisoned(large.upload(&store));
        poisoned(put(&store, &[bytes(4, 100)]));
        poisoned(under_way.write(&store, 0));
        assert!(!store.contains(&large.hash).unwrap());
        check_all(&store, std::slice::from_ref(&safe.bytes), "before restart");
        drop(store);
        let store = open_simulated(&disk).unwrap();
        large.upload(&store).unwrap();
        drop(store);
        let store = open_simulated(&disk.after_crash(1)).unwrap();
        check_all(&store, &[safe.bytes, large.bytes], "after restart");
    }
}

/// What a blob does that comes whole in three pieces: it is created, gets them and
/// its trailer, is synced, renamed, and its shelf is synced.
const WHOLE_SYNC: u64 = 6;
const WHOLE_SHELF_SYNC: u64 = 8;

#[test]
fn after_a_failed_sync_of_a_whole_blob_nothing_is_taken() {
    for failing in [WHOLE_SYNC, WHOLE_SHELF_SYNC] {
        let disk = SimulatedFileSystem::new();
        let store = open_simulated(&disk).unwrap();
        let (safe, lost) = (bytes(1, 200_000), bytes(2, 200_000));
        let send = |content: &[u8]| blob_whole::send(&store, OWNER, content);
        send(&safe).unwrap();
        disk.fail_at(disk.operations() + failing, io::ErrorKind::Other);
        for _ in 0..2 {
            let error = send(&lost).unwrap_err();
            assert!(matches!(error, BlobError::Poisoned { .. }), "{error}");
        }
        let error = put(&store, &[bytes(4, 100)]).unwrap_err();
        assert!(matches!(error, BlobError::Poisoned { .. }), "{error}");
        assert!(!store.contains(&Hash::of(&lost)).unwrap());
        check_all(&store, std::slice::from_ref(&safe), "before restart");
        drop(store);
        let store = open_simulated(&disk).unwrap();
        blob_whole::send(&store, OWNER, &lost).unwrap();
        drop(store);
        let store = open_simulated(&disk.after_crash(1)).unwrap();
        check_all(&store, &[safe, lost], "after restart");
    }
}

#[test]
fn bytes_that_a_failed_sync_left_readable_are_not_taken_up_again() {
    let disk = SimulatedFileSystem::new();
    let store = open_simulated(&disk).unwrap();
    let large = Large::numbered(1);
    disk.fail_at(disk.operations() + LARGE_SYNC, io::ErrorKind::Other);
    let begun = large.begin(&store).unwrap();
    for chunk in 0..5 {
        large.write(&store, chunk).unwrap();
    }
    // The node ends before anyone asked what became of it.
    drop(store);
    let store = open_simulated(&disk).unwrap();
    assert_eq!(large.begin(&store).unwrap(), begun, "all is needed again");
    large.upload(&store).unwrap();
    drop(store);
    let store = open_simulated(&disk.after_crash(1)).unwrap();
    check_all(&store, &[large.bytes], "after the power cut");
}

#[test]
fn what_is_found_at_opening_is_durable_afterwards() {
    let disk = SimulatedFileSystem::new();
    let mut blobs: Vec<_> = (0..5).map(|n| bytes(n, 900)).collect();
    put(&open_simulated(&disk).unwrap(), &blobs).unwrap();
    // As if the node had been killed before it could sync.
    let path = Path::new("blobs/segments/0000000000000001.blobs");
    let file = disk.open(path, Open::ReadWrite).unwrap();
    let mut records = vec![0; file.length().unwrap() as usize - 64];
    file.read_exact_at(&mut records, 64).unwrap();
    file.set_len(64).unwrap();
    file.sync_data().unwrap();
    file.write_all_at(&records, 64).unwrap();
    let large = Large::numbered(7);
    large.upload(&open_simulated(&disk).unwrap()).unwrap();
    let name = large.hash.to_hex();
    let shelf = Path::new("blobs/large").join(&name[..1]);
    let (there, away) = (shelf.join(&name), Path::new("away"));
    disk.rename(&there, away).unwrap();
    disk.sync_dir(&shelf).unwrap();
    disk.rename(away, &there).unwrap();
    blobs.push(large.bytes);

    check_all(&open_simulated(&disk).unwrap(), &blobs, "after the restart");
    for seed in 0..8 {
        let disk = disk.after_crash(seed);
        check_all(
            &open_simulated(&disk).unwrap(),
            &blobs,
            "after the power cut",
        );
    }
}
