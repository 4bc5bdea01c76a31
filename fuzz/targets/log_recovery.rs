//! Recovery of the log: whatever happened to a segment file, opening it gives an
//! error or a beginning of what was written, never an entry that was not.
//!
//! The input is a list of damages to a whole log: flipped bytes and a cut.

#![no_main]

use std::path::Path;
use std::sync::{Arc, LazyLock};

use base::SeededRandom;
use libfuzzer_sys::fuzz_target;
use store::fs::{FileSystem, Open, SimulatedFileSystem};
use store::log::{Entry, Segments};

const DIRECTORY: &str = "/log";
const SEGMENT_BYTES: u64 = 4096;

/// Entries of many lengths over several segments, and the files that hold them.
struct Written {
    entries: Vec<Entry>,
    files: Vec<(String, Vec<u8>)>,
}

static WRITTEN: LazyLock<Written> = LazyLock::new(|| {
    let fs = SimulatedFileSystem::new();
    let mut log = open(&fs).expect("a new log opens");
    let entries: Vec<Entry> = (1..=40)
        .map(|index| Entry {
            index,
            term: 1 + index / 10,
            kind: Entry::COMMAND,
            bytes: vec![index as u8; (index * index) as usize % 700].into(),
        })
        .collect();
    for entry in &entries {
        log.append(std::slice::from_ref(entry))
            .expect("an empty disk takes it");
        log.sync().expect("an empty disk takes it");
    }
    drop(log);
    let files = fs
        .list(Path::new(DIRECTORY))
        .expect("the log's directory")
        .into_iter()
        .map(|listed| {
            let file = fs
                .open(&Path::new(DIRECTORY).join(&listed.name), Open::Read)
                .expect("a listed file");
            let mut bytes = vec![0; file.length().expect("a length") as usize];
            let mut read = 0;
            while read < bytes.len() {
                read += file
                    .read_at(&mut bytes[read..], read as u64)
                    .expect("its bytes");
            }
            (listed.name, bytes)
        })
        .collect();
    Written { entries, files }
});

fn open(fs: &SimulatedFileSystem) -> Result<Segments, store::log::LogError> {
    let random = SeededRandom::new(1);
    Segments::open(
        Arc::new(fs.clone()),
        Path::new(DIRECTORY),
        SEGMENT_BYTES,
        &random,
    )
}

/// The log on a new disk, damaged as `input` says.
fn damaged(input: &[u8]) -> SimulatedFileSystem {
    let fs = SimulatedFileSystem::new();
    fs.create_dir_all(Path::new(DIRECTORY))
        .expect("a directory");
    let mut files = WRITTEN.files.clone();
    for damage in input.chunks_exact(4) {
        let which = usize::from(damage[0]) % files.len();
        let bytes = &mut files[which].1;
        let at = usize::from(u16::from_le_bytes([damage[1], damage[2]]));
        match damage[0] & 0x80 {
            0 if at < bytes.len() => bytes[at] ^= damage[3],
            0 => {}
            _ => bytes.truncate(at),
        }
    }
    for (name, bytes) in &files {
        let path = Path::new(DIRECTORY).join(name);
        let file = fs.open(&path, Open::CreateNew).expect("a new file");
        file.write_all_at(bytes, 0).expect("an empty disk");
        file.sync_data().expect("an empty disk");
    }
    fs.sync_dir(Path::new(DIRECTORY)).expect("an empty disk");
    fs
}

fuzz_target!(|input: &[u8]| {
    let Ok(log) = open(&damaged(input)) else {
        return;
    };
    let reader = log.reader();
    let last = reader.last().index;
    if last == 0 {
        return;
    }
    let found = reader
        .read(reader.first(), last, usize::MAX)
        .expect("what opened can be read");
    for entry in found {
        assert_eq!(Some(&entry), WRITTEN.entries.get(entry.index as usize - 1));
    }
});
