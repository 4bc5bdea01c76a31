//! Both file systems do the same, and the simulated one loses at a power cut
//! what was not synced, and only that.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use store::fs::{File, FileSystem, Open, RealFileSystem, SimulatedFileSystem, make_durable_dir};

fn on_both(test: impl Fn(&dyn FileSystem, PathBuf)) {
    let directory = tempfile::tempdir().unwrap();
    test(&RealFileSystem, directory.path().to_owned());
    test(&SimulatedFileSystem::new(), PathBuf::from("/"));
}

fn content(file: &dyn File) -> Vec<u8> {
    let mut bytes = vec![0; file.length().unwrap() as usize];
    file.read_exact_at(&mut bytes, 0).unwrap();
    bytes
}

fn read(fs: &dyn FileSystem, path: &Path) -> Option<Vec<u8>> {
    match fs.open(path, Open::Read) {
        Ok(file) => Some(content(&*file)),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn files_are_read_and_written_alike() {
    on_both(|fs, root| {
        let path = root.join("file");
        let kind = |how| fs.open(&path, how).err().map(|error| error.kind());
        assert_eq!(kind(Open::Read), Some(ErrorKind::NotFound));
        assert_eq!(kind(Open::ReadWrite), Some(ErrorKind::NotFound));
        let file = fs.open(&path, Open::CreateNew).unwrap();
        assert_eq!(kind(Open::CreateNew), Some(ErrorKind::AlreadyExists));
        file.write_all_at(b"hello", 3).unwrap();
        assert_eq!(content(&*file), b"\0\0\0hello");
        file.set_len(5).unwrap();
        file.preallocate(4).unwrap();
        file.preallocate(7).unwrap();
        assert_eq!(content(&*file), b"\0\0\0he\0\0");
        assert_eq!(file.read_at(&mut [0; 4], 7).unwrap(), 0);
        let short = file.read_exact_at(&mut [0; 4], 5).unwrap_err();
        assert_eq!(short.kind(), ErrorKind::UnexpectedEof);

        let copy = fs.open(&root.join("copy"), Open::Create).unwrap();
        copy.copy_from(&*file, 3, 1, 2).unwrap();
        assert_eq!(content(&*copy), b"\0he");
        let short = copy.copy_from(&*file, 5, 0, 3).unwrap_err();
        assert_eq!(short.kind(), ErrorKind::UnexpectedEof);
        let read_only = fs.open(&path, Open::Read).unwrap();
        assert!(read_only.write_all_at(b"x", 0).is_err());
        assert_eq!(fs.length(&path).unwrap(), Some(7));
    });
}

#[test]
fn names_are_handled_alike() {
    on_both(|fs, root| {
        make_durable_dir(fs, &root.join("a/b")).unwrap();
        let (old, new) = (root.join("a/old"), root.join("a/b/new"));
        fs.open(&old, Open::Create).unwrap();
        assert!(fs.exists(&old).unwrap());
        fs.open(&new, Open::Create)
            .unwrap()
            .write_all_at(b"gone", 0)
            .unwrap();
        fs.rename(&old, &new).unwrap();
        assert_eq!(read(fs, &new), Some(vec![]));
        let missing = fs.rename(&old, &new).unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::NotFound);
        let listed = |path: PathBuf| {
            let entries = fs.list(&path).unwrap().into_iter();
            entries
                .map(|entry| (entry.name, entry.directory))
                .collect::<Vec<_>>()
        };
        assert_eq!(listed(root.join("a")), [("b".to_owned(), true)]);
        assert_eq!(listed(root.join("a/b")), [("new".to_owned(), false)]);
        fs.remove_file(&new).unwrap();
        assert_eq!(
            fs.remove_file(&new).unwrap_err().kind(),
            ErrorKind::NotFound
        );
        assert_eq!(fs.list(&old).unwrap_err().kind(), ErrorKind::NotFound);
        fs.sync_dir(&root).unwrap();
        assert!(fs.free_bytes(&root).unwrap() > 0);
    });
}

/// What `look` finds after power cuts with many seeds, each behind `work`.
fn outcomes<T: Ord>(
    work: impl Fn(&SimulatedFileSystem),
    look: impl Fn(&dyn FileSystem) -> T,
) -> BTreeSet<T> {
    let after = |seed| {
        let disk = SimulatedFileSystem::new();
        work(&disk);
        look(&disk.after_crash(seed))
    };
    (0..200).map(after).collect()
}

#[test]
fn unsynced_bytes_survive_by_sectors_synced_ones_always() {
    let path = Path::new("file");
    let work = |disk: &SimulatedFileSystem| {
        let file = disk.open(path, Open::Create).unwrap();
        file.write_all_at(&[1; 1024], 0).unwrap();
        file.sync_data().unwrap();
        disk.sync_dir(Path::new("")).unwrap();
        file.write_all_at(&[2; 1024], 0).unwrap();
    };
    let found = outcomes(work, |disk| read(disk, path).unwrap());
    let halves = |a, b| [[a; 512], [b; 512]].concat();
    let expected = [halves(1, 1), halves(1, 2), halves(2, 1), halves(2, 2)];
    assert_eq!(found, BTreeSet::from(expected));
}

#[test]
fn a_name_is_durable_only_with_its_directory() {
    let path = Path::new("file");
    for (synced, expected) in [(false, &[false, true][..]), (true, &[true])] {
        let work = |disk: &SimulatedFileSystem| {
            disk.open(path, Open::Create).unwrap().sync_data().unwrap();
            if synced {
                disk.sync_dir(Path::new("/")).unwrap();
            }
        };
        let found = outcomes(work, |disk| disk.exists(path).unwrap());
        assert!(found.iter().eq(expected), "{found:?}");
    }
}

#[test]
fn a_move_between_directories_never_loses_the_file() {
    let (from, to) = (Path::new("a/x"), Path::new("b/x"));
    let unsynced = [[false, true], [true, false], [true, true]];
    let cases = [(None, &unsynced[..]), (Some("a"), &[[false, true]])];
    for (synced, expected) in cases {
        let work = |disk: &SimulatedFileSystem| {
            for path in [from, to] {
                make_durable_dir(disk, path.parent().unwrap()).unwrap();
            }
            disk.open(from, Open::Create).unwrap();
            disk.sync_dir(Path::new("a")).unwrap();
            disk.rename(from, to).unwrap();
            if let Some(directory) = synced {
                disk.sync_dir(Path::new(directory)).unwrap();
            }
        };
        let look = |disk: &dyn FileSystem| [from, to].map(|path| disk.exists(path).unwrap());
        let found = outcomes(work, look);
        assert!(found.iter().eq(expected), "{found:?}");
    }
}

#[test]
fn after_a_failed_sync_only_what_is_written_again_is_durable() {
    let path = Path::new("file");
    for written_again in [false, true] {
        let work = |disk: &SimulatedFileSystem| {
            let file = disk.open(path, Open::Create).unwrap();
            disk.sync_dir(Path::new("/")).unwrap();
            file.write_all_at(b"bytes", 0).unwrap();
            disk.fail_at(disk.operations() + 1, ErrorKind::Other);
            assert!(file.sync_data().is_err());
            if written_again {
                file.write_all_at(b"bytes", 0).unwrap();
            }
            file.sync_data().unwrap();
            assert_eq!(content(&*file), b"bytes");
        };
        let found = outcomes(work, |disk| read(disk, path).unwrap() == b"bytes");
        assert_eq!(found, BTreeSet::from([written_again]));
    }
}

#[test]
fn a_full_disk_takes_what_fits() {
    let disk = SimulatedFileSystem::new();
    disk.set_capacity(1000);
    let path = Path::new("file");
    let file = disk.open(path, Open::Create).unwrap();
    file.preallocate(600).unwrap();
    let full = file.preallocate(1001).unwrap_err();
    assert_eq!(full.kind(), ErrorKind::StorageFull);
    file.write_all_at(&[1; 900], 0).unwrap();
    let full = file.write_all_at(&[2; 200], 900).unwrap_err();
    assert_eq!(full.kind(), ErrorKind::StorageFull);
    assert_eq!(
        (file.length().unwrap(), disk.free_bytes(path).unwrap()),
        (1000, 0)
    );
    file.set_len(100).unwrap();
    assert_eq!(disk.free_bytes(path).unwrap(), 900);
    disk.remove_file(path).unwrap();
    assert_eq!(disk.free_bytes(path).unwrap(), 1000);
}

#[test]
fn without_power_everything_fails() {
    let disk = SimulatedFileSystem::new();
    let file = disk.open(Path::new("file"), Open::Create).unwrap();
    disk.crash_at(disk.operations() + 2);
    file.write_all_at(b"first", 0).unwrap();
    assert!(file.write_all_at(b"second", 0).is_err());
    assert!(!disk.is_powered());
    assert!(file.read_at(&mut [0], 0).is_err());
    assert!(disk.list(Path::new("/")).is_err());
    assert!(disk.after_crash(1).list(Path::new("/")).is_ok());
}
