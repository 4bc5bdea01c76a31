//! Tests of rounds against a node in memory: what a killed process leaves to the
//! next one, and what becomes of refusals.

use crate::engine::Engine;
use crate::stand_in::{Killed, Killer, StandIn, root};
use crate::{Mode, Stop, Summary};
use state::{Base, Change, Outcome, Refusal};
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

const DIRECTORIES: usize = 5;
const FILES: usize = 300;

/// A space of some directories with files.
fn fill(node: &StandIn) {
    node.with(|world| {
        for directory in 0..DIRECTORIES {
            let item = world.make(root(), &format!("d{directory}"));
            for file in 0..FILES {
                world.put(
                    item,
                    &format!("f{file}"),
                    format!("{directory} {file}").as_bytes(),
                );
            }
        }
    });
}

/// Begins to sync `dir` for the first time, and is killed when `after` files have
/// come. Returns how long the journal was that it left.
fn killed_sync(node: &StandIn, dir: &Path, journal_bytes: u64, after: usize) -> u64 {
    let killer = Arc::new(Killer(AtomicUsize::new(after)));
    let settings = node.settings(dir, Some("dev_a"));
    let ended = catch_unwind(AssertUnwindSafe(|| {
        let mut engine = Engine::open(&settings, killer).unwrap();
        engine.journal_bytes = journal_bytes;
        engine.run(Mode::Once, &Stop::new()).unwrap();
    }));
    assert!(ended.unwrap_err().is::<Killed>());
    fs::metadata(dir.join(".atoll/intents")).unwrap().len()
}

/// However long a first sync is, the journal of its intents is not, and the next
/// process still knows by it what the killed one placed: what was deleted elsewhere
/// meanwhile goes, and nothing is given to the node as if it were new.
#[test]
fn a_long_first_sync_keeps_its_journal_short() {
    let limit = 60_000;
    for after in [300, 1400] {
        let node = StandIn::start();
        fill(&node);
        let folder = tempfile::tempdir().unwrap();
        let length = killed_sync(&node, folder.path(), limit, after);
        // Looked at before each name, which adds at most two records.
        assert!(length < limit + 500, "{length} bytes after {after}");
        node.with(|world| {
            for directory in 0..DIRECTORIES {
                let name = format!("d{directory}");
                let item = world.live(root(), &name).unwrap().id.item;
                (0..FILES).for_each(|file| world.delete(item, &format!("f{file}")));
                world.delete(root(), &name);
            }
        });
        node.sync(folder.path()).unwrap();
        let left: Vec<_> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(left, [".atoll"], "after {after}");
        assert_eq!(node.with(|world| world.changes), 0, "after {after}");
    }
}

/// What a person did to a directory's mode after the kill is theirs; a mode and a time
/// that the killed process left is not.
#[test]
fn a_mode_set_after_a_kill_is_kept() {
    let node = StandIn::start();
    fill(&node);
    let folder = tempfile::tempdir().unwrap();
    killed_sync(&node, folder.path(), u64::MAX, 400);
    let at = |name: &str| folder.path().join(name);
    fs::set_permissions(at("d1"), Permissions::from_mode(0o750)).unwrap();
    fs::set_permissions(at("d2"), Permissions::from_mode(0o777)).unwrap();
    node.sync(folder.path()).unwrap();
    for (name, mode) in [("d0", 0o755), ("d1", 0o750), ("d2", 0o777), ("d3", 0o755)] {
        let found = fs::metadata(at(name)).unwrap();
        assert_eq!(found.permissions().mode() & 0o7777, mode, "{name}");
        let given = node.with(|world| world.live(root(), name)).unwrap();
        let given = given.state.unwrap();
        assert_eq!(given.mode.bits(), mode, "{name}");
        assert_eq!(found.mtime(), given.modified.seconds(), "{name}");
    }
    assert_eq!(node.with(|world| world.changes), 2);
}

/// Only what was there and went is counted as removed.
#[test]
fn what_was_removed_is_counted() {
    let node = StandIn::start();
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let (kept, gone) = node.with(|world| {
        let items = (world.make(root(), "kept"), world.make(root(), "gone"));
        world.put(items.0, "f", b"1");
        world.put(items.1, "f", b"2");
        items
    });
    node.sync(folder.path()).unwrap();
    // One directory stays for what was put into it, the other file is gone already.
    fs::write(at("kept/mine"), "new").unwrap();
    fs::remove_file(at("gone/f")).unwrap();
    node.with(|world| {
        for (item, name) in [(kept, "kept"), (gone, "gone")] {
            world.delete(item, "f");
            world.delete(root(), name);
        }
    });
    let summary = node.sync(folder.path()).unwrap();
    // `kept/f` and `gone`.
    assert_eq!(summary.removed, 2, "{summary:?}");
    assert!(at("kept/mine").exists() && !at("gone").exists());
    let again = node.with(|world| world.live(root(), "kept"));
    assert!(again.is_some_and(|version| version.id.item != kept));
}

/// A folder with a new directory, a file in it, and a file beside it.
fn new_entries(node: &StandIn) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    node.sync(folder.path()).unwrap();
    fs::create_dir(folder.path().join("d")).unwrap();
    fs::write(folder.path().join("d/f"), "text").unwrap();
    fs::write(folder.path().join("g"), "text").unwrap();
    folder
}

fn expect_new_entries(node: &StandIn, folder: &Path, what: &str) {
    let summary = node.sync(folder).unwrap();
    let counts = (summary.uploaded, summary.problems);
    assert_eq!(counts, (3, 0), "{what}: {summary:?}");
    node.with(|world| {
        let directory = world.live(root(), "d").unwrap().id.item;
        assert!(world.live(directory, "f").is_some(), "{what}");
    });
}

/// A change that is refused for a passing reason is looked at again, not lost.
#[test]
fn refused_changes_are_tried_again() {
    let parent_missing = Outcome::Refused(Refusal::ParentMissing);
    let stood_elsewhere = Outcome::Conflict { current: None };
    for outcome in [parent_missing, stood_elsewhere] {
        for refused in ["d", "f", "g"] {
            let node = StandIn::start();
            let folder = new_entries(&node);
            let mut left = Some(outcome.clone());
            node.with(|world| {
                world.outcome = Box::new(move |change| match change {
                    Change::Put {
                        base: Base::Absent { name, .. },
                        ..
                    } if name.as_str() == refused => left.take(),
                    _ => None,
                });
            });
            expect_new_entries(&node, folder.path(), &format!("{refused}: {outcome:?}"));
        }
    }
}

/// Whichever request the node refuses altogether, its names are looked at again.
#[test]
fn refused_commits_are_tried_again() {
    for kind in ["upload-again", "frames"] {
        for refused in 0..4 {
            let node = StandIn::start();
            let folder = new_entries(&node);
            let mut number = 0;
            node.with(|world| {
                world.refuse = Box::new(move |asked| {
                    let upload = asked.what.starts_with("/api/file/upload");
                    number += usize::from(upload);
                    // The second answer to `upload-again` is a refusal too.
                    let refused = upload && (number == refused + 1 || number == refused + 2);
                    refused.then_some((409, kind))
                });
            });
            expect_new_entries(&node, folder.path(), &format!("{kind} {refused}"));
        }
    }
}

/// Whether what stands here was brought by a killed process, only the node knows:
/// while it does not say, nothing is decided.
#[test]
fn without_the_history_no_conflict_is_made() {
    let node = StandIn::start();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("f"), "second").unwrap();
    node.with(|world| {
        for text in ["first", "second", "third"] {
            world.put(root(), "f", text.as_bytes());
        }
        world.refuse = Box::new(|asked| {
            asked
                .what
                .contains("/history")
                .then_some((503, "unavailable"))
        });
    });
    let error = node.sync(folder.path()).unwrap_err();
    assert!(error.is_passing(), "{error}");
    assert_eq!(
        fs::read_to_string(folder.path().join("f")).unwrap(),
        "second"
    );
    node.with(|world| world.refuse = Box::new(|_| None));
    let summary = node.sync(folder.path()).unwrap();
    assert_eq!((summary.conflicts, summary.fetched), (0, 1), "{summary:?}");
    assert_eq!(
        fs::read_to_string(folder.path().join("f")).unwrap(),
        "third"
    );
    assert_eq!(node.with(|world| world.changes), 0);
}

/// What was uploaded, fetched, deleted and removed.
fn steps(summary: &Summary) -> (u64, u64, u64, u64) {
    (
        summary.uploaded,
        summary.fetched,
        summary.deleted,
        summary.removed,
    )
}

/// Who only looks changes nothing, here or there.
#[test]
fn a_dry_run_does_nothing() {
    let node = StandIn::start();
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for name in ["deleted here", "deleted there", "edited"] {
        node.with(|world| world.put(root(), name, b"old"));
    }
    node.sync(folder.path()).unwrap();
    fs::remove_file(at("deleted here")).unwrap();
    fs::write(at("edited"), "newer").unwrap();
    fs::create_dir(at("directory")).unwrap();
    fs::write(at("directory/new"), "new").unwrap();
    node.with(|world| {
        world.delete(root(), "deleted there");
        world.put(root(), "brought", b"text");
        world.asked.clear();
    });
    let state = fs::read(at(".atoll/state.db")).unwrap();
    let summary = node.sync_in(folder.path(), Mode::DryRun).unwrap();
    // A new directory stands for what is in it.
    assert_eq!(steps(&summary), (2, 1, 1, 1));
    node.with(|world| {
        let asked = world.asked.iter().map(|asked| asked.what.as_str());
        let uploads = asked.filter(|what| what.starts_with("/api/file")).count();
        assert_eq!((uploads, world.changes), (0, 0));
    });
    assert!(at("deleted there").exists() && !at("brought").exists());
    assert_eq!(fs::read(at(".atoll/state.db")).unwrap(), state);
    // What it read of the feed is not taken as known.
    let summary = node.sync(folder.path()).unwrap();
    assert_eq!(steps(&summary), (3, 1, 1, 1));
}

/// A renamed file needs no bytes, unless the node has let them go.
#[test]
fn renamed_bytes_are_not_sent_again() {
    let node = StandIn::start();
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("a"), "text").unwrap();
    node.sync(folder.path()).unwrap();
    let sent = || node.with(|world| world.blobs);
    assert_eq!(sent(), 1);
    fs::rename(at("a"), at("b")).unwrap();
    node.sync(folder.path()).unwrap();
    assert_eq!(sent(), 1);
    fs::rename(at("b"), at("c.x")).unwrap();
    let mut left = Some((409, "upload-again"));
    node.with(|world| {
        world.refuse = Box::new(move |asked| {
            let names_it = asked.body.windows(3).any(|bytes| bytes == b"c.x");
            names_it.then(|| left.take()).flatten()
        });
    });
    node.sync(folder.path()).unwrap();
    assert_eq!(sent(), 2);
    assert!(node.with(|world| world.live(root(), "c.x")).is_some());
}
