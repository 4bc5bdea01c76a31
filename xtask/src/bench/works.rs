//! The works on whole data sets: first sync, nothing changed, one byte inserted.
//!
//! Atoll: a node, a second folder that already watches it, and then
//! `atoll sync A --once`, which ends when the node has everything durably; the
//! second folder is complete when every directory lists as many entries as its
//! original. rsync: one push into its daemon. Whether the copies are equal, down
//! to bytes and times, is checked by rsync after the clock has stopped.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use harness::compare::expect_rsync_agrees;
use harness::process::Process;
use harness::site::{Folder, Node};
use harness::tree;

use super::counter::{Counter, Passed};
use super::report::{Row, median, megabytes, seconds};
use super::rsync::{Daemon, Push};
use super::{Bench, SEED, fresh, settle};

/// No work here takes Atoll longer.
const LIMIT: Duration = Duration::from_secs(1800);

/// Between two looks at the second folder.
const LOOK: Duration = Duration::from_millis(2);

/// What the issue allows on the wire for one inserted byte.
const DELTA_BAR: u64 = 300 * 1024;

/// What the issue allows in memory at 100,000 files.
const MEMORY_BAR: u64 = 150_000_000;

/// The name of every space here.
pub const SPACE: &str = "bench";

/// A node with a second folder that watches it, and the folder to be synced.
struct Stage {
    node: Node,
    first: Folder,
    second: Folder,
    watcher: Process,
}

/// What a first sync took, and the one after it.
#[derive(Clone, Copy)]
struct First {
    /// With no second folder attached: the same work that rsync does.
    alone: Duration,
    alone_cpu: Duration,
    /// With the second folder following meanwhile, as the rest.
    until_node: Duration,
    until_second: Duration,
    cpu: Duration,
    node_peak: u64,
    client_peak: u64,
    unchanged: Duration,
}

/// One round of a rival.
#[derive(Clone, Copy)]
struct Rival {
    durable: Push,
    plain: Push,
    unchanged: Push,
}

/// 1000 files of 1 MiB.
///
/// # Errors
/// When a program fails or the copies differ.
pub fn large(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    let files = bench.scale.large_files;
    let source = fresh(&bench.folder.join("large"))?;
    tree::flat(&source, files, 1 << 20, 100, SEED)?;
    let (atoll, rival) = rounds(bench, &source)?;
    fs::remove_dir_all(&source)?;
    Ok(first_rows(
        &format!("{files} × 1 MiB, first sync"),
        &atoll,
        &rival,
        Some(1.0),
        2.2,
    ))
}

/// 100,000 files of 4 KiB: first sync, nothing changed, memory.
///
/// # Errors
/// When a program fails or the copies differ.
pub fn small(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    let files = bench.scale.small_files;
    let source = fresh(&bench.folder.join("small"))?;
    tree::flat(&source, files, 4096, 100, SEED)?;
    let (atoll, rival) = rounds(bench, &source)?;
    fs::remove_dir_all(&source)?;

    let mut rows = first_rows(
        &format!("{files} × 4 KiB, first sync"),
        &atoll,
        &rival,
        None,
        0.5,
    );
    let unchanged: Vec<_> = rival.iter().map(|round| round.unchanged.wall).collect();
    let again: Vec<_> = atoll.iter().map(|first| first.unchanged).collect();
    rows.push(Row::ratio(
        &format!("nothing changed, {files} files"),
        &again,
        ("rsync", &unchanged),
        Some(1.0),
    ));
    for (who, of) in [
        ("node", (|first| first.node_peak) as fn(&First) -> u64),
        ("client", |first| first.client_peak),
    ] {
        let peak = atoll.iter().map(of).max().unwrap_or_default();
        rows.push(Row::figure(
            &format!("peak memory of the {who}, {files} files"),
            megabytes(peak),
            String::new(),
            "< 150 MB".to_owned(),
            peak < MEMORY_BAR,
        ));
    }
    Ok(rows)
}

/// One byte inserted at the front of 1 GiB. The bytes on the wire do not vary,
/// so there is one round.
///
/// # Errors
/// When a program fails or the copies differ.
pub fn delta(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    let top = fresh(&bench.folder.join("delta"))?;
    let source = fresh(&top.join("a"))?;
    let file = source.join("big.bin");
    tree::fill(
        &file,
        bench.scale.delta_bytes,
        &base::SeededRandom::new(SEED),
    )?;

    let copy = fresh(&top.join("b"))?;
    let node = Node::start(&bench.binary, &top.join("data"), &top.join("node.log"))?;
    let space = node.create_space(SPACE)?;
    let (up, down) = (
        Counter::start(node.address())?,
        Counter::start(node.address())?,
    );
    let first = node.folder_through(up.address(), "a", &source, &space, &top.join("a.log"));
    let second = node.folder_through(down.address(), "b", &copy, &space, &top.join("b.log"));
    let module = fresh(&top.join("module"))?;
    let daemon = Daemon::start(&top, &module)?;
    let rival = Counter::start(&format!("127.0.0.1:{}", daemon.port()))?;

    eprintln!("delta: first copies");
    first.once(LIMIT)?;
    second.once(LIMIT)?;
    daemon.push_through(rival.port(), &source, &[])?;
    insert_at_front(&file)?;
    for counter in [&up, &down, &rival] {
        counter.take();
    }

    eprintln!("delta: one byte inserted");
    settle();
    let uploaded = first.once(LIMIT)?.wall;
    settle();
    let downloaded = second.once(LIMIT)?.wall;
    settle();
    let pushed = daemon.push_through(rival.port(), &source, &[])?.wall;
    expect_rsync_agrees(&source, &copy)?;
    expect_rsync_agrees(&source, &module)?;
    let rows = delta_rows(
        bench.scale.delta_bytes >> 20,
        [(up.take(), uploaded), (down.take(), downloaded)],
        (rival.take(), pushed),
    );
    node.stop()?;
    fs::remove_dir_all(&top)?;
    Ok(rows)
}

/// Runs Atoll and the rival in alternating order on the same bytes.
fn rounds(bench: &Bench, source: &Path) -> anyhow::Result<(Vec<First>, Vec<Rival>)> {
    let (mut atoll, mut rival) = (Vec::new(), Vec::new());
    for round in 0..bench.rounds {
        eprintln!("{}: round {}", source.display(), round + 1);
        if round % 2 == 0 {
            atoll.push(atoll_round(bench, source)?);
            rival.push(rsync_round(bench, source)?);
        } else {
            rival.push(rsync_round(bench, source)?);
            atoll.push(atoll_round(bench, source)?);
        }
    }
    Ok((atoll, rival))
}

fn atoll_round(bench: &Bench, source: &Path) -> anyhow::Result<First> {
    let top = fresh(&bench.folder.join("atoll"))?;
    let (alone, alone_cpu) = alone(bench, &top, source)?;
    let top = fresh(&top)?;
    let stage = Stage::set(bench, &top, source)?;
    settle();
    let first = First {
        alone,
        alone_cpu,
        ..stage.first_sync()?
    };
    eprintln!(
        "  atoll: node alone {}, node {}, second folder {}, again {}",
        seconds(alone),
        seconds(first.until_node),
        seconds(first.until_second),
        seconds(first.unchanged)
    );
    expect_rsync_agrees(source, &stage.second.path)?;
    drop(stage);
    fs::remove_dir_all(&top)?;
    fs::remove_dir_all(source.join(".atoll"))?;
    Ok(first)
}

/// The first sync into a node that no other folder follows.
fn alone(bench: &Bench, top: &Path, source: &Path) -> anyhow::Result<(Duration, Duration)> {
    let node = Node::start(&bench.binary, &top.join("data"), &top.join("node.log"))?;
    let space = node.create_space(SPACE)?;
    let folder = node.folder("a", source, &space, &top.join("a.log"));
    settle();
    let before = node.process.usage()?.cpu;
    let client = folder.once(LIMIT)?;
    let cpu = (node.process.usage()?.cpu + client.usage.cpu).saturating_sub(before);
    node.stop()?;
    fs::remove_dir_all(source.join(".atoll"))?;
    Ok((client.wall, cpu))
}

fn rsync_round(bench: &Bench, source: &Path) -> anyhow::Result<Rival> {
    let top = fresh(&bench.folder.join("rsync"))?;
    let push = |name: &str, options: &[&str]| {
        let module = fresh(&top.join(name))?;
        let daemon = Daemon::start(&top, &module)?;
        settle();
        let first = daemon.push(source, options)?;
        settle();
        let again = daemon.push(source, &[])?;
        expect_rsync_agrees(source, &module)?;
        anyhow::Ok((first, again))
    };
    let (durable, unchanged) = push("durable", &["--fsync"])?;
    let (plain, _) = push("plain", &[])?;
    eprintln!(
        "  rsync: --fsync {}, plain {}, again {}",
        seconds(durable.wall),
        seconds(plain.wall),
        seconds(unchanged.wall)
    );
    fs::remove_dir_all(&top)?;
    Ok(Rival {
        durable,
        plain,
        unchanged,
    })
}

impl Stage {
    fn set(bench: &Bench, top: &Path, source: &Path) -> anyhow::Result<Self> {
        let node = Node::start(&bench.binary, &top.join("data"), &top.join("node.log"))?;
        let space = node.create_space(SPACE)?;
        let copy = fresh(&top.join("b"))?;
        let first = node.folder("a", source, &space, &top.join("a.log"));
        let second = node.folder("b", &copy, &space, &top.join("b.log"));
        let mut watcher = second.watch()?;
        await_client(&mut watcher, &second)?;
        Ok(Self {
            node,
            first,
            second,
            watcher,
        })
    }

    fn first_sync(&self) -> anyhow::Result<First> {
        let expected = directories(&self.first.path)?;
        let before = self.node.process.usage()?.cpu + self.watcher.usage()?.cpu;
        let start = Instant::now();
        let client = self.first.start_once()?;
        let (client, until_second) = std::thread::scope(|scope| {
            let arrival = scope.spawn(|| {
                await_copies(&expected, &self.second.path, start).map(|()| start.elapsed())
            });
            (
                client.succeed(LIMIT),
                arrival.join().expect("counting entries does not panic"),
            )
        });
        let client = client?;
        let until_second = until_second
            .with_context(|| format!("{}\n{}", self.node.process.tail(), self.watcher.tail()))?;
        let (node, watcher) = (self.node.process.usage()?, self.watcher.usage()?);
        settle();
        Ok(First {
            alone: Duration::ZERO,
            alone_cpu: Duration::ZERO,
            unchanged: self.first.once(LIMIT)?.wall,
            until_node: client.wall,
            until_second,
            cpu: (node.cpu + watcher.cpu + client.usage.cpu).saturating_sub(before),
            node_peak: node.peak_bytes,
            client_peak: client.usage.peak_bytes.max(watcher.peak_bytes),
        })
    }
}

/// Waits until a watching client has taken its folder: it made `.atoll`.
///
/// # Errors
/// When it has ended instead.
pub fn await_client(client: &mut Process, folder: &Folder) -> anyhow::Result<()> {
    let corner = folder.path.join(".atoll");
    while !corner.exists() {
        ensure!(
            client.is_running(),
            "{} has ended; {}",
            client.name(),
            client.tail()
        );
        std::thread::sleep(LOOK);
    }
    Ok(())
}

/// Every directory beneath `top` that holds files, with its number of entries,
/// relative to `top`.
fn directories(top: &Path) -> anyhow::Result<Vec<(PathBuf, usize)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(top)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() && entry.file_name() != ".atoll" {
            found.push((
                PathBuf::from(entry.file_name()),
                fs::read_dir(entry.path())?.count(),
            ));
        }
    }
    Ok(found)
}

/// Waits until each directory of the copy has its entries. Each is listed until
/// it is complete and never again, so that looking costs next to nothing.
fn await_copies(expected: &[(PathBuf, usize)], copy: &Path, start: Instant) -> anyhow::Result<()> {
    for (directory, entries) in expected {
        let path = copy.join(directory);
        while fs::read_dir(&path).map_or(0, Iterator::count) < *entries {
            ensure!(
                start.elapsed() < LIMIT,
                "{} is not complete",
                path.display()
            );
            std::thread::sleep(LOOK);
        }
    }
    Ok(())
}

/// As an editor does it: a new file beside, renamed over the old.
fn insert_at_front(file: &Path) -> anyhow::Result<()> {
    let beside = file.with_extension("new");
    let mut new = File::create(&beside)?;
    std::io::Write::write_all(&mut new, b"!")?;
    std::io::copy(&mut File::open(file)?, &mut new)?;
    fs::rename(beside, file)?;
    Ok(())
}

fn first_rows(
    work: &str,
    atoll: &[First],
    rival: &[Rival],
    node_bar: Option<f64>,
    second_bar: f64,
) -> Vec<Row> {
    let ours = |of: fn(&First) -> Duration| atoll.iter().map(of).collect::<Vec<_>>();
    let theirs = |of: fn(&Rival) -> Duration| rival.iter().map(of).collect::<Vec<_>>();
    let (durable, plain) = (
        theirs(|rival| rival.durable.wall),
        theirs(|rival| rival.plain.wall),
    );
    let (durable, plain) = (("rsync --fsync", &durable[..]), ("rsync", &plain[..]));
    let alone = ours(|first| first.alone);
    let second = ours(|first| first.until_second);
    vec![
        Row::ratio(
            &format!("{work}, until the node has it, no second folder yet"),
            &alone,
            durable,
            node_bar,
        ),
        Row::ratio(
            &format!("{work}, until the node has it, the second folder following meanwhile"),
            &ours(|first| first.until_node),
            durable,
            node_bar,
        ),
        Row::ratio(
            &format!("{work}, until the second folder has it"),
            &second,
            durable,
            Some(second_bar),
        ),
        Row::ratio(
            &format!("{work}, until the node has it, no second folder yet"),
            &alone,
            plain,
            None,
        ),
        Row::ratio(
            &format!("{work}, until the second folder has it"),
            &second,
            plain,
            None,
        ),
        Row::note(
            &format!("{work}, CPU of all processes"),
            format!(
                "{} (one copy), {} (two copies)",
                seconds(median(&ours(|first| first.alone_cpu))),
                seconds(median(&ours(|first| first.cpu)))
            ),
            format!(
                "rsync --fsync {} (one copy)",
                seconds(median(&theirs(|rival| rival.durable.cpu)))
            ),
        ),
    ]
}

fn delta_rows(
    mebibytes: usize,
    atoll: [(Passed, Duration); 2],
    rival: (Passed, Duration),
) -> Vec<Row> {
    let work = format!("1 byte inserted at the front of {mebibytes} MiB");
    let kibibytes = |passed: Passed| format!("{:.1} KiB", passed.total() as f64 / 1024.0);
    let mut rows: Vec<Row> = ["uploaded", "downloaded"]
        .into_iter()
        .zip(atoll)
        .map(|(direction, (passed, _))| {
            Row::figure(
                &format!("{work}, {direction}, both ways on the wire"),
                format!(
                    "{} ({} to the node, {} from it)",
                    kibibytes(passed),
                    passed.up,
                    passed.down
                ),
                format!("rsync {}", kibibytes(rival.0)),
                "< 300 KiB".to_owned(),
                passed.total() < DELTA_BAR,
            )
        })
        .collect();
    rows.push(Row::note(
        &format!("{work}, time"),
        format!("up {}, down {}", seconds(atoll[0].1), seconds(atoll[1].1)),
        format!("rsync {}", seconds(rival.1)),
    ));
    rows
}
