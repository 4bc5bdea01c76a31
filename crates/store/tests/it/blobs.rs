//! A blob store for tests, and its dealings with small blobs.

use base::{DeviceId, Hash, Millis, SeededRandom};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use store::blob::{BlobError, BlobStore, BlockMap, IndexPlace, Mapped, Options, ScrubReport};
use store::fs::{FileSystem, RealFileSystem, SimulatedFileSystem};

pub const OWNER: DeviceId = DeviceId::new(5, 1);
pub const NOW: Millis = 1_700_000_000_000;

pub fn options(index: IndexPlace) -> Options {
    Options {
        index,
        segment_bytes: 8 << 10,
        uploads_per_owner: 4,
        upload_chunks: 27,
        reserve_bytes: 0,
        sync_threads: 1,
        ..Options::default()
    }
}

pub fn open_at(fs: Arc<dyn FileSystem>, directory: &Path, index: IndexPlace) -> BlobStore {
    try_open(fs, directory, index, NOW).unwrap()
}

pub fn try_open(
    fs: Arc<dyn FileSystem>,
    directory: &Path,
    index: IndexPlace,
    now: Millis,
) -> Result<BlobStore, BlobError> {
    let random = SeededRandom::new(1);
    BlobStore::open(fs, directory, &options(index), &random, now)
}

pub fn open_simulated(disk: &SimulatedFileSystem) -> Result<BlobStore, BlobError> {
    let fs = Arc::new(disk.clone());
    try_open(fs, Path::new("blobs"), IndexPlace::Memory, NOW)
}

/// Bytes that look random, the same for the same `seed`.
pub fn bytes(seed: u64, length: usize) -> Vec<u8> {
    use base::Random;
    let mut bytes = vec![0; length];
    SeededRandom::new(seed).fill(&mut bytes);
    bytes
}

pub fn read(store: &BlobStore, hash: &Hash) -> Option<Vec<u8>> {
    let reader = store.open_blob(hash).unwrap()?;
    Some(reader.read_all().unwrap())
}

pub fn block_map(store: &BlobStore, hash: &Hash) -> BlockMap {
    match store.block_map(hash).unwrap() {
        Some(Mapped::Map(map)) => map,
        Some(Mapped::Uncut(_)) => panic!("{hash} has no map"),
        None => panic!("{hash} is not stored"),
    }
}

pub fn scrub(store: &BlobStore) -> ScrubReport {
    store.scrub(&mut |_| ()).unwrap()
}

pub fn put(store: &BlobStore, blobs: &[Vec<u8>]) -> Result<(), BlobError> {
    let named: Vec<_> = blobs.iter().map(|b| (Hash::of(b), &b[..])).collect();
    store.put_small(OWNER, NOW, &named)
}

#[test]
fn small_blobs_come_back_also_after_reopening() {
    let disk = SimulatedFileSystem::new();
    let blobs: Vec<_> = (0..40).map(|n| bytes(n, n as usize * 37)).collect();
    let check = |store: &BlobStore| {
        for blob in &blobs {
            let hash = Hash::of(blob);
            assert_eq!(read(store, &hash).as_ref(), Some(blob));
            assert_eq!(store.length(&hash).unwrap(), Some(blob.len() as u64));
            let map = block_map(store, &hash);
            assert_eq!(map.total_len(), blob.len() as u64);
        }
        assert!(!store.contains(&Hash::of(b"never stored")).unwrap());
        let report = scrub(store);
        assert_eq!((report.blobs, report.damaged), (40, vec![]));
    };
    let store = open_simulated(&disk).unwrap();
    for part in blobs.chunks(7) {
        put(&store, part).unwrap();
    }
    check(&store);
    drop(store);
    check(&open_simulated(&disk).unwrap());
}

#[test]
fn the_same_blob_is_stored_once() {
    let disk = SimulatedFileSystem::new();
    let store = open_simulated(&disk).unwrap();
    let blob = bytes(1, 3000);
    put(&store, &[blob.clone(), blob.clone()]).unwrap();
    let used = disk.used_bytes();
    put(&store, &[blob.clone(), blob]).unwrap();
    assert_eq!(disk.used_bytes(), used);
    assert_eq!(scrub(&store).blobs, 1);
}

#[test]
fn wrong_blobs_are_refused_before_anything_is_stored() {
    let disk = SimulatedFileSystem::new();
    let store = open_simulated(&disk).unwrap();
    let good = bytes(1, 10);
    let long = bytes(2, 128 * 1024 + 1);
    let named = |hash, blob| [(Hash::of(&good), &good[..]), (hash, blob)];
    let wrong = store.put_small(OWNER, NOW, &named(Hash::of(b"other"), b"bytes"));
    assert!(matches!(wrong, Err(BlobError::WrongHash { .. })));
    let wrong = store.put_small(OWNER, NOW, &named(Hash::of(&long), &long));
    assert!(matches!(wrong, Err(BlobError::Invalid { .. })));
    assert!(!store.contains(&Hash::of(&good)).unwrap());
}

#[test]
fn leases_belong_to_the_uploader_and_end() {
    let disk = SimulatedFileSystem::new();
    let store = open_simulated(&disk).unwrap();
    let other = DeviceId::new(9, 0);
    put(&store, &[b"mine".to_vec()]).unwrap();
    let hash = Hash::of(b"mine");
    let day = base::limits::LEASE_MILLIS;
    let check = |owner, now, expected| {
        assert_eq!(
            store.has_lease(owner, now, &hash).unwrap(),
            expected,
            "{owner} {now}"
        );
    };
    check(OWNER, NOW + day - 1, true);
    check(OWNER, NOW + day, false);
    check(other, NOW, false);
    assert!(store.lease(other, NOW, &hash).unwrap());
    check(other, NOW, true);
    assert!(!store.lease(other, NOW, &Hash::of(b"absent")).unwrap());
    scrub(&store); // also writes the index
    check(other, NOW, true);
    store.expire(NOW + day).unwrap();
    check(other, NOW, false);
}

#[test]
fn many_threads_share_one_store() {
    let directory = tempfile::tempdir().unwrap();
    let store = open_at(Arc::new(RealFileSystem), directory.path(), IndexPlace::File);
    std::thread::scope(|scope| {
        for thread in 0..8_u64 {
            let store = &store;
            scope.spawn(move || {
                for number in 0..30 {
                    // Every blob is sent by two threads.
                    put(store, &[bytes(thread / 2 * 100 + number, 500)]).unwrap();
                }
            });
        }
    });
    assert_eq!(scrub(&store).damaged, []);
    drop(store);
    let store = open_at(Arc::new(RealFileSystem), directory.path(), IndexPlace::File);
    for seed in (0..4).flat_map(|pair| (0..30).map(move |number| pair * 100 + number)) {
        assert!(read(&store, &Hash::of(&bytes(seed, 500))).is_some());
    }
}

#[test]
fn the_store_agrees_with_a_map_through_reopening_and_index_loss() {
    let seed = SeededRandom::new(std::process::id().into()).below(u64::MAX);
    println!("seed {seed}");
    let random = SeededRandom::new(seed);
    let directory = tempfile::tempdir().unwrap();
    let open = || open_at(Arc::new(RealFileSystem), directory.path(), IndexPlace::File);
    let mut store = open();
    let mut model = BTreeMap::new();
    for _ in 0..300 {
        match random.below(20) {
            0 => {
                drop(store);
                store = open();
            }
            1 => {
                drop(store);
                remove_index(directory.path());
                store = open();
            }
            2 => {
                drop(store);
                std::fs::write(directory.path().join("index.db"), bytes(seed, 9000)).unwrap();
                store = open();
            }
            _ => {
                let blob = bytes(random.below(500), random.below(3000) as usize);
                put(&store, std::slice::from_ref(&blob)).unwrap();
                model.insert(Hash::of(&blob), blob);
            }
        }
    }
    for (hash, blob) in &model {
        assert_eq!(read(&store, hash).as_ref(), Some(blob));
    }
    assert_eq!(scrub(&store).damaged, []);
}

fn remove_index(directory: &Path) {
    for name in ["index.db", "index.db-wal", "index.db-shm"] {
        let _ = std::fs::remove_file(directory.join(name));
    }
}

/// The path of the only file below `directory`.
fn only_file(directory: PathBuf) -> PathBuf {
    let mut files = std::fs::read_dir(directory).unwrap();
    files.next().unwrap().unwrap().path()
}

#[test]
fn scrub_finds_a_flipped_bit_anywhere_in_a_segment() {
    let directory = tempfile::tempdir().unwrap();
    let store = open_at(Arc::new(RealFileSystem), directory.path(), IndexPlace::File);
    let blobs: Vec<_> = (0..3).map(|n| bytes(n, 100)).collect();
    put(&store, &blobs).unwrap();
    let path = only_file(directory.path().join("segments"));
    let whole = std::fs::read(&path).unwrap();
    for offset in 64..whole.len() {
        let (record, within) = ((offset - 64) / 144, (offset - 64) % 144);
        let mut flipped = whole.clone();
        flipped[offset] ^= 1;
        std::fs::write(&path, flipped).unwrap();
        let hashes: Vec<_> = scrub(&store)
            .damaged
            .iter()
            .filter_map(|d| d.hash)
            .collect();
        // The last four bytes are padding.
        let expected = if within < 140 {
            vec![Hash::of(&blobs[record])]
        } else {
            vec![]
        };
        assert_eq!(hashes, expected, "byte {offset}");
    }
}

#[test]
fn no_flipped_byte_of_a_segment_goes_unreported_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let open = || {
        let fs = Arc::new(RealFileSystem);
        try_open(fs, directory.path(), IndexPlace::File, NOW)
    };
    let blobs = [bytes(1, 48), bytes(2, 24)];
    put(&open().unwrap(), &blobs).unwrap();
    let path = only_file(directory.path().join("segments"));
    let whole = std::fs::read(&path).unwrap();
    for offset in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[offset] ^= 1;
        std::fs::write(&path, &flipped).unwrap();
        let store = match open() {
            Ok(store) => store,
            Err(BlobError::Damaged { .. }) if offset < 64 => continue,
            Err(error) => panic!("byte {offset}: {error}"),
        };
        let damaged = scrub(&store).damaged;
        let blob = &blobs[usize::from(offset >= 64 + 88)];
        let told = damaged.iter().any(|d| d.hash == Some(Hash::of(blob)));
        assert!(told, "byte {offset}: {damaged:?}");
        drop(store);
        let left = std::fs::read(&path).unwrap();
        assert!(left == flipped, "byte {offset}: opening destroyed evidence");
    }
}

#[test]
fn scrub_reads_the_headers_of_segments() {
    let directory = tempfile::tempdir().unwrap();
    let store = open_at(Arc::new(RealFileSystem), directory.path(), IndexPlace::File);
    for blob in 0..3 {
        put(&store, &[bytes(blob, 9000)]).unwrap();
    }
    let path = directory.path().join("segments/0000000000000001.blobs");
    let whole = std::fs::read(&path).unwrap();
    for offset in 0..64 {
        let mut flipped = whole.clone();
        flipped[offset] ^= 1;
        std::fs::write(&path, &flipped).unwrap();
        let damaged = scrub(&store).damaged;
        let places: Vec<_> = damaged.iter().map(|d| (&d.path, d.offset)).collect();
        assert_eq!(places, [(&path, 0)], "byte {offset}");
    }
}
