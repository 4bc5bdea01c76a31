//! Metadata as a real folder has it, made from a fixed seed, so that every run reads the
//! same bytes.

use base::{Hash, Random, SeededRandom};
use meta::manifest::{Entry, EntryPath, Header, Manifest};
use meta::{Mode, Record, RecordKind, Target, Timestamp};

/// Seed of all of it.
const SEED: u64 = 4;

/// Files in a directory: what the median directory of a source tree has.
const FILES_PER_DIRECTORY: usize = 12;

/// Autumn of 2026, in seconds.
const NOW: u64 = 1_795_000_000;

/// A folder of so many entries.
pub fn manifest(entries: usize) -> Manifest {
    let mut random = SeededRandom::new(SEED);
    let mut made = Vec::with_capacity(entries);
    for number in 0..entries {
        let directory = number / FILES_PER_DIRECTORY;
        let place = format!("drivers-{:05}", directory);
        if number % FILES_PER_DIRECTORY == 0 {
            let mode = Some(Mode::DIRECTORY);
            made.push(entry(&place, RecordKind::Directory { mode }, &mut random));
            continue;
        }
        let path = format!("{place}/component-{number:07}.c");
        let kind = match number % 50 {
            49 => RecordKind::Symlink(Target::new("../include/common.h").expect("a target")),
            _ => RecordKind::File {
                size: Some(random.next_u64() % 100_000),
                hash: Some(Hash::of(path.as_bytes()).into()),
                mode: Some(Mode::FILE),
            },
        };
        made.push(entry(&path, kind, &mut random));
    }
    Manifest::with(Header::default(), made).expect("entries are made in order")
}

fn entry(path: &str, kind: RecordKind, random: &mut SeededRandom) -> Entry {
    let mut record = Record::new(1 + random.next_u64() % 3, kind);
    let seconds = NOW - random.next_u64() % 100_000_000;
    let nanoseconds = random.next_u64() % 1_000_000_000;
    record.mtime = Timestamp::new(seconds.cast_signed(), nanoseconds as u32).ok();
    Entry {
        path: EntryPath::new(path).expect("a path"),
        record,
    }
}
