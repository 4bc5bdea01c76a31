//! Blobs of middle size that come whole: in pieces, verified on the way, without
//! a block map, and without a trace when they break off.

use crate::blob_uploads::{Large, SlowDisk};
use crate::blobs::{
    NOW, OWNER, bytes, open_at, open_simulated, options, put, read, scrub, try_open,
};
use base::{DeviceId, Hash, limits};
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use store::blob::{Base, Begun, BlobError, BlobStore, BlockMap, IndexPlace, Mapped, Options, Run};
use store::fs::{FileSystem, RealFileSystem, SimulatedFileSystem};

const SIZE: usize = 200_000;

/// Sends `content` in pieces of 70,000 bytes.
pub fn send(store: &BlobStore, owner: DeviceId, content: &[u8]) -> Result<(), BlobError> {
    let (hash, size) = (Hash::of(content), content.len() as u64);
    let mut whole = store.begin_whole(owner, NOW, hash, size)?;
    for piece in content.chunks(70_000) {
        whole.write(piece)?;
    }
    store.finish_whole(owner, NOW, vec![whole])
}

fn staged(disk: &SimulatedFileSystem) -> usize {
    disk.list(Path::new("blobs/staging")).unwrap().len()
}

/// The bytes that a map of `hash` is to be cut from.
fn uncut(store: &BlobStore, hash: &Hash) -> Vec<u8> {
    let Some(Mapped::Uncut(reader)) = store.block_map(hash).unwrap() else {
        panic!("{hash} is not there, or has a map");
    };
    let mut bytes = Vec::new();
    reader.bytes().read_to_end(&mut bytes).unwrap();
    bytes
}

#[test]
fn a_blob_comes_whole_and_has_no_map() {
    let disk = SimulatedFileSystem::new();
    let store = open_simulated(&disk).unwrap();
    let content = bytes(1, SIZE);
    let hash = Hash::of(&content);
    send(&store, OWNER, &content).unwrap();
    let check = |store: &BlobStore| {
        assert_eq!(read(store, &hash).as_ref(), Some(&content));
        assert_eq!(uncut(store, &hash), content);
        assert_eq!(store.length(&hash).unwrap(), Some(SIZE as u64));
        let report = scrub(store);
        assert_eq!((report.blobs, report.bytes), (1, SIZE as u64));
        assert_eq!(report.damaged, []);
    };
    check(&store);
    assert!(store.has_lease(OWNER, NOW, &hash).unwrap());
    assert_eq!(staged(&disk), 0);
    drop(store);
    // Its index was in memory: the file tells all.
    check(&open_simulated(&disk).unwrap());
}

#[test]
fn what_is_stored_is_only_compared() {
    let disk = SimulatedFileSystem::new();
    let store = open_simulated(&disk).unwrap();
    let large = Large::numbered(1);
    large.upload(&store).unwrap();
    let (operations, other) = (disk.operations(), DeviceId::new(8, 0));
    let hash = Hash::of(&large.bytes);
    // A hash is no key: the bytes have to come all the same.
    let size = large.bytes.len() as u64;
    let mut claim = store.begin_whole(other, NOW, hash, size).unwrap();
    let wrong = claim.write(&bytes(2, large.bytes.len()));
    assert!(
        matches!(wrong, Err(BlobError::WrongHash { .. })),
        "{wrong:?}"
    );
    let unsent = store.begin_whole(other, NOW, hash, size).unwrap();
    let refused = store.finish_whole(other, NOW, vec![unsent]);
    assert!(matches!(refused, Err(BlobError::Incomplete { .. })));
    assert!(!store.has_lease(other, NOW, &hash).unwrap());

    send(&store, other, &large.bytes).unwrap();
    assert!(store.has_lease(other, NOW, &hash).unwrap());
    assert_eq!(disk.operations(), operations);
    // It keeps the map that it had.
    assert!(matches!(
        store.block_map(&hash).unwrap(),
        Some(Mapped::Map(_))
    ));
}

#[test]
fn what_breaks_off_or_is_wrong_leaves_nothing() {
    let disk = SimulatedFileSystem::new();
    let store = open_simulated(&disk).unwrap();
    let content = bytes(1, SIZE);
    let hash = Hash::of(&content);
    let begin = || store.begin_whole(OWNER, NOW, hash, SIZE as u64).unwrap();
    // More often than a device may have uploads: none of them is still counted.
    for round in 0..6 {
        let mut broken = begin();
        broken.write(&content[..1000]).unwrap();
        assert_eq!(staged(&disk), 1, "{round}");
        let refused = store.finish_whole(OWNER, NOW, vec![broken]);
        assert!(
            matches!(refused, Err(BlobError::Incomplete { missing, .. }) if missing == SIZE as u64 - 1000)
        );

        let mut long = begin();
        let refused = long.write(&bytes(2, SIZE + 1));
        assert!(matches!(refused, Err(BlobError::Invalid { .. })));
        let mut wrong = begin();
        let refused = wrong.write(&bytes(2, SIZE));
        assert!(matches!(refused, Err(BlobError::WrongHash { .. })));
        let mut unfinished = begin();
        unfinished.write(&content).unwrap();
        assert!(unfinished.is_complete());
        drop((long, wrong, unfinished));
        assert_eq!(staged(&disk), 0, "{round}");
    }
    assert!(!store.contains(&hash).unwrap());
    for size in [0, limits::SMALL_FILE_BYTES, limits::WHOLE_FILE_BYTES + 1] {
        let refused = store.begin_whole(OWNER, NOW, hash, size).err();
        assert!(matches!(refused, Some(BlobError::Invalid { .. })), "{size}");
    }
}

#[test]
fn a_start_removes_what_was_coming() {
    let directory = tempfile::tempdir().unwrap();
    let fs = || Arc::new(RealFileSystem);
    let store = open_at(fs(), directory.path(), IndexPlace::Memory);
    let content = bytes(1, SIZE);
    let mut whole = store
        .begin_whole(OWNER, NOW, Hash::of(&content), SIZE as u64)
        .unwrap();
    whole.write(&content).unwrap();
    // As if the node had been killed: nothing of it runs any more.
    std::mem::forget(whole);
    let files = || std::fs::read_dir(directory.path().join("staging")).unwrap();
    assert_eq!(files().count(), 1);
    let store = try_open(fs(), directory.path(), IndexPlace::Memory, NOW).unwrap();
    assert_eq!(files().count(), 0);
    assert!(!store.contains(&Hash::of(&content)).unwrap());
}

#[test]
fn one_device_has_so_many_coming_and_so_many_bytes() {
    let disk = SimulatedFileSystem::new();
    let size = SIZE as u64;
    let limited = Options {
        upload_bytes_per_owner: 3 * size,
        ..options(IndexPlace::Memory)
    };
    let random = base::SeededRandom::new(1);
    for (options, most) in [(options(IndexPlace::Memory), 4), (limited, 3)] {
        let fs = Arc::new(disk.clone());
        let store = BlobStore::open(fs, Path::new("blobs"), &options, &random, NOW).unwrap();
        let begin = |seed| store.begin_whole(OWNER, NOW, Hash::of(&bytes(seed, SIZE)), size);
        let mut coming: Vec<_> = (0..most).map(|seed| begin(seed).unwrap()).collect();
        let refused = begin(9).err();
        assert!(matches!(refused, Some(BlobError::Busy { .. })), "{most}");
        let refused = Large::numbered(8).begin(&store);
        assert!(matches!(refused, Err(BlobError::Busy { .. })), "{most}");
        drop(coming.pop());
        begin(9).unwrap();
    }
}

#[test]
fn a_disk_without_room_refuses_before_anything_is_written() {
    let disk = SimulatedFileSystem::new();
    let store = open_simulated(&disk).unwrap();
    disk.set_capacity(disk.used_bytes() + SIZE as u64 / 2);
    let operations = disk.operations();
    let refused = send(&store, OWNER, &bytes(1, SIZE)).unwrap_err();
    assert!(matches!(refused, BlobError::Reserved { .. }), "{refused}");
    assert_eq!(disk.operations(), operations);
    // Space that is taken by others while it comes is missed in time, too.
    disk.set_capacity(u64::MAX);
    let content = bytes(2, 4 << 20);
    let size = content.len() as u64;
    let mut whole = store
        .begin_whole(OWNER, NOW, Hash::of(&content), size)
        .unwrap();
    whole.write(&content[..1 << 20]).unwrap();
    disk.set_capacity(disk.used_bytes());
    let refused = whole.write(&content[1 << 20..]).unwrap_err();
    assert!(matches!(refused, BlobError::Reserved { .. }), "{refused}");
    drop(whole);
    assert_eq!(staged(&disk), 0);
}

#[test]
fn what_came_whole_serves_as_a_base() {
    let disk = SimulatedFileSystem::new();
    let store = open_simulated(&disk).unwrap();
    let base = Large::numbered(1);
    send(&store, OWNER, &base.bytes).unwrap();
    let added = bytes(2, 20_000);
    let new = Large::new([&base.bytes[..], &added].concat());
    let map = BlockMap::new(base.chunks.clone()).unwrap();
    let runs = [
        Run::Copy {
            first_chunk: 0,
            count: 5,
        },
        Run::Insert(new.chunks[5..].to_vec()),
    ];
    let size = new.bytes.len() as u64;
    let begin = |map| {
        let base = Base {
            hash: base.hash,
            map,
        };
        store.begin(OWNER, NOW, new.hash, size, Some(base), &runs)
    };
    // A map that cannot be its: nothing is copied from beyond its end.
    let beyond = BlockMap::new(new.chunks.clone()).unwrap();
    assert!(matches!(begin(beyond), Err(BlobError::NoBase { .. })));
    let end = base.bytes.len() as u64;
    let missing = end..size;
    assert_eq!(begin(map).unwrap(), Begun::Need(vec![missing]));
    store.write(OWNER, new.hash, end, &added).unwrap();
    store.finish(OWNER, NOW, &[new.hash]).unwrap();
    assert_eq!(read(&store, &new.hash), Some(new.bytes));
}

#[test]
fn scrub_finds_a_flipped_bit() {
    let directory = tempfile::tempdir().unwrap();
    let store = open_at(Arc::new(RealFileSystem), directory.path(), IndexPlace::File);
    let content = bytes(1, SIZE);
    let hash = Hash::of(&content);
    send(&store, OWNER, &content).unwrap();
    let name = hash.to_hex();
    let path = directory.path().join("large").join(&name[..1]).join(&name);
    let whole = std::fs::read(&path).unwrap();
    assert_eq!(whole.len(), SIZE + 80);
    let ends = SIZE..SIZE + 80;
    for offset in [0, 100_000, SIZE - 1].into_iter().chain(ends) {
        let mut flipped = whole.clone();
        flipped[offset] ^= 1;
        std::fs::write(&path, flipped).unwrap();
        let damaged = scrub(&store).damaged;
        let hashes: Vec<_> = damaged.iter().map(|damage| damage.hash).collect();
        assert_eq!(hashes, [Some(hash)], "byte {offset}");
    }
}

/// Forgetting old uploads takes a while: one that is begun again meanwhile stays.
#[test]
fn an_upload_begun_again_while_old_ones_expire_stays() {
    let directory = tempfile::tempdir().unwrap();
    let fs = Arc::new(SlowDisk {
        rename: 0,
        remove: 200,
    });
    let store = open_at(fs, directory.path(), IndexPlace::Memory);
    let later = NOW + limits::LEASE_MILLIS;
    let uploads: Vec<_> = (0..4).map(Large::numbered).collect();
    for round in 0..5 {
        for upload in &uploads {
            upload.begin(&store).unwrap();
            upload.write(&store, 0).unwrap();
        }
        let last = &uploads[3];
        let runs = [Run::Insert(last.chunks.clone())];
        let size = last.bytes.len() as u64;
        std::thread::scope(|scope| {
            scope.spawn(|| store.expire(later).unwrap());
            scope
                .spawn(|| {
                    store
                        .begin(OWNER, later, last.hash, size, None, &runs)
                        .unwrap();
                })
                .join()
                .unwrap();
        });
        // Whether it kept its first chunk or began anew, it can go on.
        let gone_on = last.write(&store, 1);
        assert!(gone_on.is_ok(), "round {round}: {gone_on:?}");
        store.expire(later + limits::LEASE_MILLIS).unwrap();
    }
    put(&store, &[b"works".to_vec()]).unwrap();
}
