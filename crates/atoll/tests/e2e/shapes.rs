//! Trees that change shape in ways that once went wrong, one after another and
//! without a watcher, so that each step is seen alone.

use crate::{LIMIT, binary};
use harness::compare::expect_rsync_agrees;
use harness::site::{Folder, Node};
use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// A node and two folders that are synced when told to.
struct Pair {
    top: tempfile::TempDir,
    first: Folder,
    second: Folder,
    _node: Node,
}

impl Pair {
    fn new() -> Self {
        let top = tempfile::tempdir().unwrap();
        let at = |name: &str| top.path().join(name);
        fs::create_dir(at("a")).unwrap();
        fs::create_dir(at("b")).unwrap();
        let node = Node::start(binary(), &at("data"), &at("node.log")).unwrap();
        let space = node.create_space("shapes").unwrap();
        let first = node.folder("a", &at("a"), &space, &at("a.log"));
        let second = node.folder("b", &at("b"), &space, &at("b.log"));
        Self {
            top,
            first,
            second,
            _node: node,
        }
    }

    fn here(&self, name: &str) -> PathBuf {
        self.top.path().join("a").join(name)
    }

    /// Carries what changed in the first folder to the second; a further sync
    /// of either does nothing.
    fn carry(&self) {
        self.first.once(LIMIT).unwrap();
        self.second.once(LIMIT).unwrap();
        expect_rsync_agrees(&self.first.path, &self.second.path).unwrap();
        for folder in [&self.first, &self.second] {
            let again = folder.once_json().unwrap();
            for count in ["uploaded", "fetched", "deleted", "removed", "conflicts"] {
                assert_eq!(again[count], 0, "{count} in {again}");
            }
        }
    }
}

fn write(path: &Path, content: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

/// Large files with the same bytes but other modes and times arrive as they are:
/// they once shared one partial download.
#[test]
fn equal_large_files_keep_their_own_mode_and_time() {
    let pair = Pair::new();
    let content = vec![7; 300_000];
    for (number, mode) in [0o600, 0o644, 0o755, 0o640].into_iter().enumerate() {
        let path = pair.here(&format!("copy{number}"));
        write(&path, &content);
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 + number as u64);
        File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_modified(time)
            .unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
    }
    pair.carry();
}

/// What was a directory with directories in it becomes a link, a file, and a
/// directory again: it once came back as a conflict.
#[test]
fn a_tree_becomes_a_link_a_file_and_a_tree() {
    let pair = Pair::new();
    let place = pair.here("d");
    write(&place.join("x/y/f"), b"deep");
    pair.carry();
    fs::remove_dir_all(&place).unwrap();
    symlink("nowhere", &place).unwrap();
    pair.carry();
    fs::remove_file(&place).unwrap();
    write(&place, b"a file");
    pair.carry();
    fs::remove_file(&place).unwrap();
    write(&place.join("z/f"), b"deep again");
    pair.carry();
}

/// A directory that forbids changes is filled, and later changed, all the same.
#[test]
fn read_only_directories_are_followed() {
    let pair = Pair::new();
    let place = pair.here("sealed");
    write(&place.join("inner/f"), b"1");
    let set = |mode| fs::set_permissions(&place, Permissions::from_mode(mode)).unwrap();
    set(0o555);
    pair.carry();
    set(0o755);
    write(&place.join("g"), b"2");
    set(0o555);
    pair.carry();
    set(0o755);
}

/// More entries in one directory than a round looks at leave together.
#[test]
fn a_directory_of_many_entries_is_removed_whole() {
    let pair = Pair::new();
    let place = pair.here("many");
    for number in 0..17_000 {
        write(&place.join(number.to_string()), b"");
    }
    pair.carry();
    fs::remove_dir_all(&place).unwrap();
    pair.carry();
    assert!(!pair.second.path.join("many").exists());
}

/// What was given a moment after it was written, and is deleted on the other
/// side, goes: its look proves nothing, its bytes do.
#[test]
fn a_fresh_file_deleted_on_the_other_side_goes() {
    let pair = Pair::new();
    write(&pair.here("fresh"), b"new");
    write(&pair.here("edited"), b"new");
    pair.first.once(LIMIT).unwrap();
    pair.second.once(LIMIT).unwrap();
    for name in ["fresh", "edited"] {
        fs::remove_file(pair.second.path.join(name)).unwrap();
    }
    pair.second.once(LIMIT).unwrap();
    write(&pair.here("edited"), b"newer");
    pair.first.once(LIMIT).unwrap();
    assert!(!pair.here("fresh").exists());
    assert!(pair.here("edited").exists());
    pair.carry();
}

/// A name that nobody can be given makes the sync fail, after everything else
/// was done; a socket does not.
#[test]
fn what_cannot_be_synced_shows_in_the_exit_code() {
    use std::os::unix::ffi::OsStrExt;
    let pair = Pair::new();
    write(&pair.here("file"), b"text");
    let _socket = std::os::unix::net::UnixListener::bind(pair.here("socket")).unwrap();
    let summary = pair.first.once_json().unwrap();
    assert_eq!(
        (&summary["problems"], &summary["ignored"]),
        (&0.into(), &1.into())
    );
    let latin = pair
        .top
        .path()
        .join("a")
        .join(std::ffi::OsStr::from_bytes(b"caf\xe9"));
    write(&latin, b"text");
    write(&pair.here("other"), b"text");
    let error = pair.first.once_json().unwrap_err().to_string();
    assert!(error.contains("1 skipped, each named above"), "{error}");
    pair.second.once(LIMIT).unwrap();
    assert!(pair.second.path.join("other").exists());
}

/// A directory that was deleted and made anew before the other side looked holds
/// only what is in the new one.
#[test]
fn a_directory_made_anew_does_not_bring_its_old_entries_back() {
    let pair = Pair::new();
    write(&pair.here("d/old"), b"old");
    write(&pair.here("d/sub/old"), b"old");
    pair.carry();
    fs::remove_dir_all(pair.here("d")).unwrap();
    pair.first.once(LIMIT).unwrap();
    write(&pair.here("d/new"), b"new");
    pair.carry();
    assert!(!pair.here("d/old").exists());
    assert!(!pair.here("d/sub").exists());
}
