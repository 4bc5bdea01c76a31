//! Snapshots: any bytes are refused, and so is a whole snapshot with any damage.

#![no_main]

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use base::{DeviceId, LogId, Slug};
use libfuzzer_sys::fuzz_target;
use meta::{Metadata, Mode, Timestamp};
use state::{Body, Command, Projection, snapshot};

/// A snapshot of a site with a few spaces.
static WHOLE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let path = place("source");
    Projection::remove(&path).expect("nothing is there");
    let mut projection = Projection::create(&path, LogId::from_u64(7)).expect("a new database");
    let entries: Vec<Vec<u8>> = (1..=5).map(|number| create_space(number)).collect();
    let entries = entries
        .iter()
        .enumerate()
        .map(|(at, bytes)| (at as u64 + 1, bytes.as_slice()));
    projection.apply(entries).expect("valid commands");
    let mut bytes = Vec::new();
    let reader = projection.reader().expect("a reader");
    snapshot::export(&reader, &mut bytes).expect("memory takes it");
    bytes
});

fn create_space(number: u64) -> Vec<u8> {
    let body = Body::CreateSpace {
        slug: Slug::new(&format!("space-{number}")).expect("a slug"),
        root: Metadata::directory(Mode::DIRECTORY, Timestamp::default()),
    };
    let command = Command {
        device: DeviceId::ADMIN,
        stream: 1,
        sequence: number,
        time: number,
        body,
    };
    command.encode().expect("a small command")
}

/// In memory where there is such a place; each process has its own.
fn place(name: &str) -> PathBuf {
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() {
        memory.to_owned()
    } else {
        std::env::temp_dir()
    };
    folder.join(format!("atoll-fuzz-{}-{name}", std::process::id()))
}

fn import(mut bytes: &[u8]) -> bool {
    let path = place("target");
    let imported = snapshot::import(&path, &mut bytes).is_ok();
    Projection::remove(&path).expect("the file goes");
    imported
}

fuzz_target!(|input: &[u8]| {
    let Some((&kind, damages)) = input.split_first() else {
        return;
    };
    if kind % 2 == 0 {
        assert!(!import(damages), "random bytes passed for a snapshot");
        return;
    }
    let mut bytes = WHOLE.clone();
    for damage in damages.chunks_exact(3) {
        let at = usize::from(u16::from_le_bytes([damage[0], damage[1]])) % bytes.len();
        bytes[at] ^= damage[2];
    }
    assert_eq!(import(&bytes), bytes == *WHOLE);
});
