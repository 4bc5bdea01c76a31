//! The power fails while a part is written, or the disk is full.

use super::series::{ALWAYS, PATH, naive, open, read, some, write};
use metrics::part::PartError;
use std::io;
use std::path::Path;
use store::fs::{FileSystem, SimulatedFileSystem, make_durable_dir};

fn disk() -> SimulatedFileSystem {
    let disk = SimulatedFileSystem::new();
    make_durable_dir(&disk, Path::new("parts")).unwrap();
    disk
}

/// Writes a part and makes its name durable, as the store does.
fn work(disk: &SimulatedFileSystem) -> Result<(), PartError> {
    write(disk, &some())?;
    let _ = disk.sync_dir(Path::new("parts"));
    Ok(())
}

#[test]
fn a_power_cut_leaves_a_whole_part_or_none() {
    let all = disk();
    let begun = all.operations();
    work(&all).unwrap();
    let expected = naive(&some(), &[], ALWAYS);
    let mut whole = 0;
    for cut in begun + 1..=all.operations() + 1 {
        for seed in 0..20 {
            let context = format!("cut at {cut}, seed {seed}");
            let disk = disk();
            disk.crash_at(cut);
            let _ = work(&disk);
            let disk = disk.after_crash(seed);
            if disk.exists(Path::new(PATH)).unwrap() {
                let part = open(&disk).unwrap();
                assert!(part.verify(&mut |_| true).unwrap(), "{context}");
                assert!(read(&part, &[], ALWAYS).unwrap() == expected, "{context}");
                whole += 1;
            }
            // What is left of it is in nobody's way.
            work(&disk).unwrap();
            assert!(open(&disk).is_ok(), "{context}");
        }
    }
    assert!(whole >= 20, "{whole}");
}

#[test]
fn an_error_removes_what_was_begun() {
    let all = disk();
    let begun = all.operations();
    work(&all).unwrap();
    // The last one is the sync of the directory.
    for failing in begun + 1..all.operations() {
        let disk = disk();
        disk.fail_at(failing, io::ErrorKind::Other);
        let error = work(&disk).unwrap_err();
        assert!(matches!(error, PartError::Write { .. }), "{error}");
        assert_eq!(disk.list(Path::new("parts")).unwrap(), [], "{failing}");
    }
}

#[test]
fn a_full_disk_is_told() {
    let disk = disk();
    disk.set_capacity(1000);
    let error = write(&disk, &some()).unwrap_err();
    assert!(matches!(error, PartError::Full(_)), "{error}");
    assert!(
        error
            .to_string()
            .starts_with("no space is left for parts/1.part.new")
    );
    assert_eq!(disk.list(Path::new("parts")).unwrap(), []);
    disk.set_capacity(u64::MAX);
    work(&disk).unwrap();
}
