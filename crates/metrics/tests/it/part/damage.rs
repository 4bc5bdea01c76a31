//! A byte that is another than it was is found, whichever it is.

use super::series::{ALWAYS, PATH, open, read, some, write};
use metrics::part::PartError;
use std::path::Path;
use store::fs::{FileSystem, Open, SimulatedFileSystem};

fn bytes_of(fs: &SimulatedFileSystem) -> Vec<u8> {
    let file = fs.open(Path::new(PATH), Open::Read).unwrap();
    let mut bytes = vec![0; file.length().unwrap() as usize];
    file.read_exact_at(&mut bytes, 0).unwrap();
    bytes
}

fn put(fs: &SimulatedFileSystem, bytes: &[u8]) {
    let file = fs.open(Path::new(PATH), Open::ReadWrite).unwrap();
    file.set_len(0).unwrap();
    file.write_all_at(bytes, 0).unwrap();
}

#[test]
fn every_byte_is_checked() {
    let fs = SimulatedFileSystem::new();
    write(&fs, &some()).unwrap();
    let whole = bytes_of(&fs);
    let expected = read(&open(&fs).unwrap(), &[], ALWAYS).unwrap();
    for place in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[place] ^= 1 << (place % 8);
        put(&fs, &bytes);
        let Ok(part) = open(&fs) else { continue };
        if let Ok(found) = read(&part, &[], ALWAYS) {
            assert!(found == expected, "wrong samples of a flip at {place}");
        }
        let error = part.verify(&mut |_| true).unwrap_err();
        let PartError::Damaged { path, offset, .. } = &error else {
            panic!("{error}");
        };
        assert_eq!(path, Path::new(PATH));
        assert!(*offset <= place as u64, "a flip at {place}: {error}");
    }
}

#[test]
fn every_shorter_file_is_refused() {
    let fs = SimulatedFileSystem::new();
    write(&fs, &some()).unwrap();
    let whole = bytes_of(&fs);
    for length in 0..whole.len() {
        put(&fs, &whole[..length]);
        assert!(open(&fs).is_err(), "{length}");
    }
}

#[test]
fn other_files_are_told_apart() {
    let fs = SimulatedFileSystem::new();
    write(&fs, &some()).unwrap();
    let whole = bytes_of(&fs);
    let check = |bytes: &[u8], expected: &str| {
        put(&fs, bytes);
        let error = open(&fs).err().unwrap().to_string();
        assert!(error.contains(expected), "{error}");
    };
    check(b"", "is no part");
    check(&[b'x'; 1000], "is no part");
    let mut later = whole.clone();
    later[8] = 2;
    let crc = crc32c::crc32c(&later[..12]);
    later[12..16].copy_from_slice(&crc.to_le_bytes());
    check(&later, "has version 2");
    let mut damaged = whole;
    damaged[9] ^= 1;
    check(
        &damaged,
        "damaged at byte 0: the header's checksum is wrong",
    );
}
