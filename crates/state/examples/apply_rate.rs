//! How fast one core applies commits of new files, and in how much memory.
//! The bars: 60,000 files a second in batches of 256, 60 MB at 100,000 items.
//!
//! `cargo run --release -p state --example apply_rate -- [FILES] [BATCH]`

use base::{DeviceId, Hash, ItemId, LogId, Name, Slug, SpaceId};
use meta::{Metadata, Mode, Timestamp};
use state::{Base, Body, Change, Command, Commit, FeedKind, Parent, Projection};
use std::error::Error;
use std::time::Instant;

/// Files of one directory.
const DIRECTORY_FILES: usize = 1000;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default: usize| {
        let text = arguments.next();
        text.map_or(Ok(default), |text| text.parse())
    };
    let (files, batch) = (number(100_000)?, number(256)?);
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("state.db");
    let mut projection = Projection::create(&path, LogId::from_u64(1))?;
    let space = SpaceId::new(1, 0);
    let modified = Timestamp::new(1_700_000_000, 123_456_789)?;
    let root = Body::CreateSpace {
        slug: Slug::new("work")?,
        root: Metadata::directory(Mode::DIRECTORY, modified),
    };
    projection.apply([(1, entry(1, root)?.as_slice())])?;

    let mut index = 1;
    let mut directory = ItemId::root_of(space);
    let mut entries = Vec::new();
    let mut made = 0;
    while made < files {
        let mut changes = Vec::with_capacity(batch);
        while changes.len() < batch && made < files {
            if made % DIRECTORY_FILES == 0 {
                index += 1;
                directory = ItemId::new(index, 0);
                let name = Name::new(&format!("directory {made}"))?;
                let parent = Parent::Item(ItemId::root_of(space));
                let metadata = Metadata::directory(Mode::DIRECTORY, modified);
                entries.push((
                    index,
                    commit(index, space, vec![put(parent, name, metadata)])?,
                ));
            }
            let hash = Hash::of(&made.to_le_bytes());
            let metadata = Metadata::file(hash, 4096, Mode::FILE, modified)?;
            let name = Name::new(&format!("file number {made}.txt"))?;
            changes.push(put(Parent::Item(directory), name, metadata));
            made += 1;
        }
        index += 1;
        entries.push((index, commit(index, space, changes)?));
    }

    let bytes: usize = entries.iter().map(|(_, bytes)| bytes.len()).sum();
    let (start, busy) = (Instant::now(), processor_seconds()?);
    for (index, bytes) in &entries {
        projection.apply([(*index, bytes.as_slice())])?;
    }
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{files} files in {seconds:.2} s: {:.0} a second, {:.0} a processor second; {} bytes of log for each",
        files as f64 / seconds,
        files as f64 / (processor_seconds()? - busy),
        bytes / files,
    );
    drop(entries);

    let reader = projection.reader()?;
    let start = Instant::now();
    let (mut after, mut read) = ((0, 0), 0);
    loop {
        let page = reader.feed(space, after, 1000, FeedKind::Latest)?;
        (after, read) = (page.next, read + page.versions.len());
        if !page.more {
            break;
        }
    }
    println!(
        "feed: {read} versions in {:.2} s",
        start.elapsed().as_secs_f64()
    );
    let start = Instant::now();
    let mut snapshot = Vec::new();
    state::snapshot::export(&reader, &mut snapshot)?;
    println!(
        "snapshot: {} bytes in {:.2} s",
        snapshot.len(),
        start.elapsed().as_secs_f64()
    );
    let start = Instant::now();
    state::snapshot::import(&folder.path().join("copy.db"), &mut snapshot.as_slice())?;
    println!("import: {:.2} s", start.elapsed().as_secs_f64());
    println!("database: {} bytes", std::fs::metadata(&path)?.len());
    let status = std::fs::read_to_string("/proc/self/status")?;
    for line in status.lines().filter(|line| line.starts_with("VmHWM")) {
        println!(
            "peak memory, with the log and the snapshot in it: {}",
            line["VmHWM:".len()..].trim()
        );
    }
    Ok(())
}

/// Time that this thread, the only one, has had a processor: unlike the wall
/// clock it does not count the neighbours of a busy machine, nor the disk.
fn processor_seconds() -> Result<f64, Box<dyn Error>> {
    let text = std::fs::read_to_string("/proc/self/schedstat")?;
    let nanoseconds = text.split(' ').next().ok_or("schedstat is empty")?;
    Ok(nanoseconds.parse::<f64>()? / 1e9)
}

fn put(parent: Parent, name: Name, metadata: Metadata) -> Change {
    Change::Put {
        base: Base::Absent { parent, name },
        metadata,
        conflict_of: None,
    }
}

fn commit(index: u64, space: SpaceId, changes: Vec<Change>) -> Result<Vec<u8>, Box<dyn Error>> {
    entry(index, Body::Commit(Commit { space, changes }))
}

fn entry(sequence: u64, body: Body) -> Result<Vec<u8>, Box<dyn Error>> {
    let command = Command {
        device: DeviceId::ADMIN,
        stream: 1,
        sequence,
        time: 1_700_000_000_000 + sequence,
        body,
    };
    Ok(command.encode()?)
}
