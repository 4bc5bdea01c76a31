//! Tests of rounds against a node in memory: what a killed process leaves to the
//! next one, and what becomes of refusals.

use crate::engine::Engine;
use crate::stand_in::{Killed, Killer, StandIn, root};
use crate::{Mode, Stop};
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
