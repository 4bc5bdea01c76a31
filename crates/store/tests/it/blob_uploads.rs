//! Large blobs: uploaded in any order, resumed, copied from a base, bounded.

use crate::blobs::{
    NOW, OWNER, block_map, bytes, open_at, open_simulated, options, put, read, scrub, try_open,
};
use base::{DeviceId, Hash, SeededRandom, limits};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use store::blob::{
    Base, Begun, BlobError, BlobStore, BlockMap, ChunkRef, IndexPlace, Options, Run,
};
use store::fs::{File, FileSystem, Listed, Open, RealFileSystem, SimulatedFileSystem};

/// A large blob with its chunks.
pub struct Large {
    pub hash: Hash,
    pub bytes: Vec<u8>,
    pub chunks: Vec<ChunkRef>,
}

pub const CHUNK: usize = 40_000;

impl Large {
    pub fn new(bytes: Vec<u8>) -> Self {
        let chunks = bytes.chunks(CHUNK).map(|chunk| ChunkRef {
            hash: Hash::of(chunk),
            len: chunk.len() as u32,
        });
        Self {
            hash: Hash::of(&bytes),
            chunks: chunks.collect(),
            bytes,
        }
    }

    /// 200,000 bytes in five chunks.
    pub fn numbered(seed: u64) -> Self {
        Self::new(bytes(seed, 5 * CHUNK))
    }

    pub fn begin(&self, store: &BlobStore) -> Result<Begun, BlobError> {
        let runs = [Run::Insert(self.chunks.clone())];
        store.begin(OWNER, NOW, self.hash, self.bytes.len() as u64, None, &runs)
    }

    pub fn write(&self, store: &BlobStore, chunk: usize) -> Result<(), BlobError> {
        let offset = chunk * CHUNK;
        let end = self.bytes.len().min(offset + CHUNK);
        store.write(OWNER, self.hash, offset as u64, &self.bytes[offset..end])
    }

    pub fn upload(&self, store: &BlobStore) -> Result<(), BlobError> {
        if self.begin(store)? == Begun::Have {
            return Ok(());
        }
        for chunk in 0..self.chunks.len() {
            self.write(store, chunk)?;
        }
        store.finish(OWNER, NOW, &[self.hash])
    }

    fn check_stored(&self, store: &BlobStore) {
        assert_eq!(read(store, &self.hash).as_ref(), Some(&self.bytes));
        let map = block_map(store, &self.hash);
        assert_eq!(map.chunks(), self.chunks);
        assert!(store.has_lease(OWNER, NOW, &self.hash).unwrap());
    }
}

fn range(chunks: std::ops::Range<usize>) -> std::ops::Range<u64> {
    (chunks.start * CHUNK) as u64..(chunks.end * CHUNK) as u64
}

#[test]
fn chunks_may_come_in_any_order_and_twice() {
    for seed in 0..10 {
        let disk = SimulatedFileSystem::new();
        let store = open_simulated(&disk).unwrap();
        let large = Large::numbered(seed);
        assert_eq!(large.begin(&store).unwrap(), Begun::Need(vec![range(0..5)]));
        let random = SeededRandom::new(seed);
        let mut order: Vec<usize> = (0..5).chain(0..5).collect();
        order.sort_by_key(|_| random.below(100));
        for chunk in order {
            large.write(&store, chunk).unwrap();
        }
        assert_eq!(large.begin(&store).unwrap(), Begun::Need(vec![]));
        store.finish(OWNER, NOW, &[large.hash, large.hash]).unwrap();
        large.check_stored(&store);
        assert_eq!(large.begin(&store).unwrap(), Begun::Have);
        store.finish(OWNER, NOW, &[large.hash]).unwrap();
        assert_eq!(scrub(&store).damaged, []);
        assert_eq!(disk.list(Path::new("blobs/staging")).unwrap(), []);
    }
}

#[test]
fn what_others_stored_cannot_be_finished() {
    let disk = SimulatedFileSystem::new();
    let store = open_simulated(&disk).unwrap();
    let large = Large::numbered(1);
    large.upload(&store).unwrap();
    let other = DeviceId::new(8, 0);
    let refused = store.finish(other, NOW, &[large.hash]);
    assert!(
        matches!(refused, Err(BlobError::NotBegun { .. })),
        "{refused:?}"
    );
    assert!(!store.has_lease(other, NOW, &large.hash).unwrap());
    store.finish(OWNER, NOW, &[large.hash]).unwrap();
    let lapsed = NOW + limits::LEASE_MILLIS;
    assert!(store.finish(OWNER, lapsed, &[large.hash]).is_err());
}

#[test]
fn two_devices_may_send_the_same_blob() {
    let disk = SimulatedFileSystem::new();
    let store = open_simulated(&disk).unwrap();
    let (large, other) = (Large::numbered(1), DeviceId::new(8, 0));
    let runs = [Run::Insert(large.chunks.clone())];
    let size = large.bytes.len() as u64;
    store
        .begin(other, NOW, large.hash, size, None, &runs)
        .unwrap();
    large.upload(&store).unwrap();
    for (number, bytes) in large.bytes.chunks(CHUNK).enumerate() {
        let offset = (number * CHUNK) as u64;
        store.write(other, large.hash, offset, bytes).unwrap();
    }
    store.finish(other, NOW, &[large.hash]).unwrap();
    assert!(store.has_lease(other, NOW, &large.hash).unwrap());
    large.check_stored(&store);
}

/// The real file system, slow to rename and to remove: what others do between a
/// decision and what comes of it, they have time to do.
#[derive(Debug, Default)]
pub struct SlowDisk {
    /// How often others go first before a rename, and before a removal.
    pub rename: u32,
    pub remove: u32,
}

impl FileSystem for SlowDisk {
    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        RealFileSystem.create_dir_all(path)
    }
    fn open(&self, path: &Path, how: Open) -> io::Result<Box<dyn File>> {
        RealFileSystem.open(path, how)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        for _ in 0..self.rename {
            std::thread::yield_now();
        }
        RealFileSystem.rename(from, to)
    }
    fn remove_file(&self, path: &Path) -> io::Result<()> {
        for _ in 0..self.remove {
            std::thread::yield_now();
        }
        RealFileSystem.remove_file(path)
    }
    fn list(&self, path: &Path) -> io::Result<Vec<Listed>> {
        RealFileSystem.list(path)
    }
    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        RealFileSystem.sync_dir(path)
    }
    fn length(&self, path: &Path) -> io::Result<Option<u64>> {
        RealFileSystem.length(path)
    }
    fn free_bytes(&self, path: &Path) -> io::Result<u64> {
        RealFileSystem.free_bytes(path)
    }
    fn total_bytes(&self, path: &Path) -> io::Result<u64> {
        RealFileSystem.total_bytes(path)
    }
}

/// A client that was killed and came back sends what its earlier process is still
/// being served: one of the two may have to begin again, none loses its file.
#[test]
fn a_device_may_send_the_same_blob_twice_at_once() {
    const ROUNDS: u64 = 60;
    let top = tempfile::tempdir().unwrap();
    let store = open_at(
        Arc::new(SlowDisk {
            rename: 1000,
            remove: 0,
        }),
        top.path(),
        IndexPlace::Memory,
    );
    for seed in 0..ROUNDS {
        let large = Large::numbered(seed);
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| match large.upload(&store) {
                    Ok(()) | Err(BlobError::NotBegun { .. } | BlobError::Incomplete { .. }) => {}
                    Err(error) => panic!("blob {seed}: {error}"),
                });
            }
        });
        large.upload(&store).unwrap();
        large.check_stored(&store);
    }
}

#[test]
fn an_upload_goes_on_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let open = || open_at(Arc::new(RealFileSystem), directory.path(), IndexPlace::File);
    let large = Large::numbered(1);
    let store = open();
    large.begin(&store).unwrap();
    large.write(&store, 1).unwrap();
    large.write(&store, 4).unwrap();
    drop(store);

    let store = open();
    assert!(matches!(
        large.write(&store, 0),
        Err(BlobError::NotBegun { .. })
    ));
    let missing = vec![range(0..1), range(2..4)];
    assert_eq!(large.begin(&store).unwrap(), Begun::Need(missing.clone()));
    store.suspend(OWNER);
    assert_eq!(large.begin(&store).unwrap(), Begun::Need(missing));
    let incomplete = store.finish(OWNER, NOW, &[large.hash]);
    assert!(matches!(
        incomplete,
        Err(BlobError::Incomplete {
            missing: 120_000,
            ..
        })
    ));
    for chunk in [0, 2, 3] {
        large.write(&store, chunk).unwrap();
    }
    store.finish(OWNER, NOW, &[large.hash]).unwrap();
    large.check_stored(&store);
    drop(store);

    std::fs::remove_file(directory.path().join("index.db")).unwrap();
    let store = open();
    assert_eq!(read(&store, &large.hash), Some(large.bytes.clone()));
    assert_eq!(large.begin(&store).unwrap(), Begun::Have);
}

/// `base`'s blob with a byte inserted in its third chunk, as runs against it.
fn edited(base: &Large) -> (Large, Vec<Run>) {
    let mut bytes = base.bytes.clone();
    bytes.insert(2 * CHUNK + 5, 7);
    let middle = &bytes[2 * CHUNK..=3 * CHUNK];
    let mut chunks = base.chunks.clone();
    chunks[2] = ChunkRef {
        hash: Hash::of(middle),
        len: middle.len() as u32,
    };
    let runs = vec![
        Run::Copy {
            first_chunk: 0,
            count: 2,
        },
        Run::Insert(vec![chunks[2]]),
        Run::Copy {
            first_chunk: 3,
            count: 2,
        },
    ];
    let hash = Hash::of(&bytes);
    (
        Large {
            hash,
            bytes,
            chunks,
        },
        runs,
    )
}

fn upload_edited(store: &BlobStore, base: &Large) -> Result<Begun, BlobError> {
    let (new, runs) = edited(base);
    let size = new.bytes.len() as u64;
    let map = BlockMap::new(base.chunks.clone()).unwrap();
    let hash = base.hash;
    store.begin(OWNER, NOW, new.hash, size, Some(Base { hash, map }), &runs)
}

#[test]
fn a_new_version_takes_over_chunks_of_its_base() {
    let directory = tempfile::tempdir().unwrap();
    let simulated: Arc<dyn FileSystem> = Arc::new(SimulatedFileSystem::new());
    let disks = [
        (simulated, Path::new("blobs"), IndexPlace::Memory),
        (Arc::new(RealFileSystem), directory.path(), IndexPlace::File),
    ];
    for (fs, path, index) in disks {
        let store = open_at(fs, path, index);
        let base = Large::numbered(3);
        let no_base = upload_edited(&store, &base);
        assert!(matches!(no_base, Err(BlobError::NoBase { .. })));
        base.upload(&store).unwrap();

        let (new, _) = edited(&base);
        let start = 2 * CHUNK as u64;
        let Begun::Need(missing) = upload_edited(&store, &base).unwrap() else {
            panic!("it is new");
        };
        assert_eq!(
            missing,
            std::slice::from_ref(&(start..start + CHUNK as u64 + 1))
        );
        let middle = &new.bytes[2 * CHUNK..=3 * CHUNK];
        store.write(OWNER, new.hash, start, middle).unwrap();
        store.finish(OWNER, NOW, &[new.hash]).unwrap();
        new.check_stored(&store);
        base.check_stored(&store);
    }
}

#[test]
fn a_damaged_base_costs_only_its_chunks() {
    let directory = tempfile::tempdir().unwrap();
    let store = open_at(Arc::new(RealFileSystem), directory.path(), IndexPlace::File);
    let base = Large::numbered(3);
    base.upload(&store).unwrap();
    let name = base.hash.to_hex();
    let path = directory.path().join("large").join(&name[..1]).join(&name);
    let file = RealFileSystem.open(&path, Open::ReadWrite).unwrap();
    file.write_all_at(b"rotten", 3 * CHUNK as u64 + 100)
        .unwrap();
    let damaged: Vec<_> = scrub(&store)
        .damaged
        .iter()
        .filter_map(|d| d.hash)
        .collect();
    assert_eq!(damaged, [base.hash]);

    let (new, _) = edited(&base);
    upload_edited(&store, &base).unwrap();
    let start = 2 * CHUNK as u64;
    let middle = &new.bytes[2 * CHUNK..=3 * CHUNK];
    store.write(OWNER, new.hash, start, middle).unwrap();
    let incomplete = store.finish(OWNER, NOW, &[new.hash]);
    assert!(matches!(incomplete, Err(BlobError::Incomplete { .. })));
    // What the base could not give is asked for.
    let from = 3 * CHUNK + 1;
    let chunk = &new.bytes[from..from + CHUNK];
    store.write(OWNER, new.hash, from as u64, chunk).unwrap();
    store.finish(OWNER, NOW, &[new.hash]).unwrap();
    new.check_stored(&store);
}

#[test]
fn wrong_chunks_and_wrong_wholes_are_refused() {
    let disk = SimulatedFileSystem::new();
    let store = open_simulated(&disk).unwrap();
    let large = Large::numbered(1);
    let size = large.bytes.len() as u64;
    large.begin(&store).unwrap();
    let write = |offset: u64, bytes: &[u8]| store.write(OWNER, large.hash, offset, bytes);
    let part = &large.bytes[..CHUNK];
    assert!(matches!(
        write(0, &part[1..]),
        Err(BlobError::Invalid { .. })
    ));
    assert!(matches!(write(1, part), Err(BlobError::Invalid { .. })));
    assert!(matches!(write(size, part), Err(BlobError::Invalid { .. })));
    let second = CHUNK as u64;
    assert!(matches!(
        write(second, part),
        Err(BlobError::WrongHash { .. })
    ));
    large.upload(&store).unwrap();

    // Chunks that are all right, of a blob that is another.
    let other = Large {
        hash: Hash::of(b"other"),
        ..Large::numbered(1)
    };
    let wrong = other.upload(&store);
    assert!(
        matches!(wrong, Err(BlobError::WrongHash { .. })),
        "{wrong:?}"
    );
    assert!(!store.contains(&other.hash).unwrap());
    assert_eq!(disk.list(Path::new("blobs/staging")).unwrap(), []);

    let begin = |size, runs: &[Run]| store.begin(OWNER, NOW, other.hash, size, None, runs);
    let chunks = Run::Insert(large.chunks.clone());
    let beyond = Run::Copy {
        first_chunk: 0,
        count: 1,
    };
    for (size, runs) in [
        (size - 1, vec![chunks.clone()]),
        (size, vec![]),
        (size, vec![beyond]),
        (100, vec![chunks.clone()]),
        (limits::FILE_BYTES + 1, vec![chunks]),
    ] {
        let refused = begin(size, &runs);
        let expected = matches!(
            refused,
            Err(BlobError::Map { .. } | BlobError::Invalid { .. })
        );
        assert!(expected, "{refused:?}");
    }
}

#[test]
fn a_disk_without_room_is_told_before_the_runs_are_read() {
    let disk = SimulatedFileSystem::new();
    let store = open_simulated(&disk).unwrap();
    let large = Large::numbered(1);
    disk.set_capacity(disk.used_bytes() + 100_000);
    let nonsense = [Run::Copy {
        first_chunk: 0,
        count: 9,
    }];
    let size = large.bytes.len() as u64;
    let refused = store.begin(OWNER, NOW, large.hash, size, None, &nonsense);
    assert!(
        matches!(refused, Err(BlobError::Reserved { .. })),
        "{refused:?}"
    );

    assert!(matches!(
        store.check_space(100_001),
        Err(BlobError::Reserved { .. })
    ));
    store.check_space(100_000).unwrap();

    // What was begun has its space, however little is left.
    disk.set_capacity(u64::MAX);
    large.begin(&store).unwrap();
    large.write(&store, 4).unwrap();
    disk.set_capacity(disk.used_bytes());
    assert_eq!(large.begin(&store).unwrap(), Begun::Need(vec![range(0..4)]));
    store.suspend(OWNER);
    assert_eq!(large.begin(&store).unwrap(), Begun::Need(vec![range(0..4)]));
}

#[test]
fn a_small_disk_keeps_a_small_reserve_and_says_so() {
    let check = |capacity: u64, free: u64, expected: Option<&str>| {
        let disk = SimulatedFileSystem::new();
        let options = Options {
            reserve_bytes: 256 << 20,
            ..options(IndexPlace::Memory)
        };
        let (fs, random) = (Arc::new(disk.clone()), SeededRandom::new(1));
        let store = BlobStore::open(fs, Path::new("blobs"), &options, &random, NOW).unwrap();
        disk.set_capacity(capacity);
        let refused = store.check_space(capacity - disk.used_bytes() - free).err();
        let told = refused.map(|error| error.to_string());
        assert_eq!(
            told.as_deref().map(|text| text.contains("would stay free")),
            expected.map(|_| true),
            "{capacity} {free}"
        );
        let told = told.unwrap_or_default();
        assert!(told.contains(expected.unwrap_or_default()), "{told}");
    };
    check(100 << 30, 256 << 20, None);
    check(100 << 30, (256 << 20) - 1, Some("less than 256 MiB"));
    check(1000 << 20, 50 << 20, None);
    check(1000 << 20, (50 << 20) - 1, Some("less than 50 MiB"));
}

#[test]
fn a_device_has_a_bounded_number_of_uploads() {
    let disk = SimulatedFileSystem::new();
    let store = open_simulated(&disk).unwrap();
    let uploads: Vec<_> = (0..6).map(Large::numbered).collect();
    for upload in &uploads[..4] {
        upload.begin(&store).unwrap();
        upload.write(&store, 0).unwrap();
    }
    assert!(matches!(
        uploads[4].begin(&store),
        Err(BlobError::Busy {
            open: 4,
            limit: 4,
            ..
        })
    ));
    let runs = [Run::Insert(uploads[4].chunks.clone())];
    let other = DeviceId::new(8, 0);
    let size = uploads[4].bytes.len() as u64;
    store
        .begin(other, NOW, uploads[4].hash, size, None, &runs)
        .unwrap();

    // Those of a client that has gone give way, the oldest first.
    store.suspend(OWNER);
    uploads[4].begin(&store).unwrap();
    assert_eq!(disk.list(Path::new("blobs/staging")).unwrap().len(), 3);
}

#[test]
fn a_device_has_a_bounded_number_of_unfinished_bytes() {
    let disk = SimulatedFileSystem::new();
    let uploads: Vec<_> = (0..4).map(Large::numbered).collect();
    let size = uploads[0].bytes.len() as u64;
    let options = Options {
        upload_bytes_per_owner: 2 * size,
        ..options(IndexPlace::Memory)
    };
    let fs = Arc::new(disk.clone());
    let random = SeededRandom::new(1);
    let store = BlobStore::open(fs, Path::new("blobs"), &options, &random, NOW).unwrap();
    for upload in &uploads[..2] {
        upload.begin(&store).unwrap();
        upload.write(&store, 0).unwrap();
    }
    let refused = uploads[2].begin(&store);
    let told = matches!(refused, Err(BlobError::Busy { bytes, .. }) if bytes == 3 * size);
    assert!(told, "{refused:?}");
    store.suspend(OWNER);
    uploads[2].begin(&store).unwrap();
    assert_eq!(disk.list(Path::new("blobs/staging")).unwrap().len(), 1);
}

#[test]
fn what_is_announced_takes_no_disk_before_it_comes() {
    let directory = tempfile::tempdir().unwrap();
    let options = Options {
        index: IndexPlace::Memory,
        reserve_bytes: 0,
        ..Options::default()
    };
    let (fs, random) = (Arc::new(RealFileSystem), SeededRandom::new(1));
    let store = BlobStore::open(fs, directory.path(), &options, &random, NOW).unwrap();
    let large = Large::new(bytes(1, 1200 * CHUNK));
    large.begin(&store).unwrap();
    let staged = || std::fs::read_dir(directory.path().join("staging")).unwrap();
    assert_eq!(staged().count(), 0);
    for chunk in 0..4 {
        large.write(&store, chunk).unwrap();
    }
    let file = staged().next().unwrap().unwrap().metadata().unwrap();
    let (length, on_disk) = (file.len(), file.blocks() * 512);
    assert!(on_disk < 18 << 20, "{on_disk} of {length}");
    assert!(on_disk < length, "{on_disk} of {length}");
    large.upload(&store).unwrap();
    large.check_stored(&store);
}

#[test]
fn the_chunks_of_unfinished_uploads_are_bounded_together() {
    let disk = SimulatedFileSystem::new();
    let store = open_simulated(&disk).unwrap();
    // The store takes 27 chunks; others than the one device have them too.
    let other = DeviceId::new(8, 0);
    for seed in 0..4 {
        Large::numbered(seed).begin(&store).unwrap();
    }
    let long = Large::new(bytes(9, 8 * CHUNK));
    let begin_long = || {
        let runs = [Run::Insert(long.chunks.clone())];
        store.begin(other, NOW, long.hash, 8 * CHUNK as u64, None, &runs)
    };
    let crowded = begin_long();
    let told = matches!(
        crowded,
        Err(BlobError::Crowded {
            count: 28,
            limit: 27,
            ..
        })
    );
    assert!(told, "{crowded:?}");
    Large::numbered(0).upload(&store).unwrap();
    begin_long().unwrap();
}

#[test]
fn uploads_that_nobody_goes_on_with_hold_nothing() {
    let disk = SimulatedFileSystem::new();
    let store = open_simulated(&disk).unwrap();
    let (left, kept) = (Large::numbered(1), Large::numbered(2));
    for upload in [&left, &kept] {
        upload.begin(&store).unwrap();
        upload.write(&store, 0).unwrap();
    }
    store.suspend_idle();
    left.write(&store, 1).unwrap();
    kept.write(&store, 1).unwrap();
    store.suspend_idle();
    kept.write(&store, 2).unwrap();
    store.suspend_idle();
    kept.write(&store, 3).unwrap();
    let gone = left.write(&store, 2);
    assert!(matches!(gone, Err(BlobError::NotBegun { .. })), "{gone:?}");
    assert_eq!(left.begin(&store).unwrap(), Begun::Need(vec![range(2..5)]));
}

/// Complete uploads that nobody finishes give way too: a device of four uploads can
/// begin a fifth once they were idle.
#[test]
fn complete_uploads_that_nobody_finishes_hold_nothing() {
    let disk = SimulatedFileSystem::new();
    let store = open_simulated(&disk).unwrap();
    let uploads: Vec<_> = (0..5).map(Large::numbered).collect();
    for upload in &uploads[..4] {
        upload.begin(&store).unwrap();
        for chunk in 0..5 {
            upload.write(&store, chunk).unwrap();
        }
    }
    // A worker may still have some of them in hand.
    while let Err(error) = uploads[4].begin(&store) {
        assert!(matches!(error, BlobError::Busy { .. }), "{error}");
        store.suspend_idle();
        std::thread::yield_now();
    }
    uploads[3].upload(&store).unwrap();
    uploads[3].check_stored(&store);
}

#[test]
fn forgotten_uploads_are_removed() {
    let disk = SimulatedFileSystem::new();
    let staged = || disk.list(Path::new("blobs/staging")).unwrap().len();
    let store = open_simulated(&disk).unwrap();
    let begin = |store: &BlobStore| {
        Large::numbered(1).begin(store).unwrap();
        Large::numbered(1).write(store, 0).unwrap();
    };
    begin(&store);
    store.expire(NOW + limits::LEASE_MILLIS - 1).unwrap();
    assert_eq!(staged(), 1);
    store.expire(NOW + limits::LEASE_MILLIS).unwrap();
    assert_eq!(staged(), 0);

    begin(&store);
    drop(store);
    let fs = Arc::new(disk.clone());
    let later = NOW + limits::LEASE_MILLIS;
    let store = try_open(fs, Path::new("blobs"), IndexPlace::Memory, later).unwrap();
    assert_eq!(staged(), 0);
    put(&store, &[b"works".to_vec()]).unwrap();
}
