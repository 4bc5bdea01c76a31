//! Nothing a user wrote is lost: conflicts, old versions, a lost projection, and
//! damage that is found.

use crate::{LIMIT, binary, printed, refused};
use harness::scene::expect_idle;
use harness::site::{Folder, Node};
use std::fs;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// A node and two folders, none of them watched.
struct Pair {
    node: Node,
    first: Folder,
    second: Folder,
}

impl Pair {
    fn start(top: &Path) -> Self {
        let node = Node::start(binary(), &top.join("data"), &top.join("node.log")).unwrap();
        let space = node.create_space("kept").unwrap();
        let folder = |name: &str| {
            let path = top.join(name);
            fs::create_dir(&path).unwrap();
            node.folder(name, &path, &space, &top.join(format!("{name}.log")))
        };
        Self {
            first: folder("first"),
            second: folder("second"),
            node,
        }
    }

    /// First to second and back, until both have everything.
    fn sync(&self) {
        for folder in [&self.first, &self.second, &self.first] {
            folder.once(LIMIT).unwrap();
        }
    }
}

fn texts(folder: &Path) -> Vec<String> {
    let mut found: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    found.sort();
    found
}

#[test]
fn both_sides_of_a_conflict_are_kept() {
    let top = tempfile::tempdir().unwrap();
    let pair = Pair::start(top.path());
    fs::write(pair.first.path.join("plan.txt"), "as agreed").unwrap();
    pair.sync();
    fs::write(pair.first.path.join("plan.txt"), "what the first wants").unwrap();
    fs::write(
        pair.second.path.join("plan.txt"),
        "what the second wants, more",
    )
    .unwrap();
    pair.sync();
    let expected = ["what the first wants", "what the second wants, more"];
    assert_eq!(texts(&pair.first.path), expected);
    assert_eq!(texts(&pair.second.path), expected);
    assert_eq!(
        fs::read_to_string(pair.first.path.join("plan.txt")).unwrap(),
        fs::read_to_string(pair.second.path.join("plan.txt")).unwrap(),
    );
    expect_idle(&pair.first).unwrap();
    expect_idle(&pair.second).unwrap();
}

#[test]
fn an_edit_outlives_a_deletion_on_the_other_side() {
    let top = tempfile::tempdir().unwrap();
    let pair = Pair::start(top.path());
    fs::write(pair.first.path.join("note"), "old").unwrap();
    pair.sync();
    fs::remove_file(pair.first.path.join("note")).unwrap();
    fs::write(pair.second.path.join("note"), "new and dear").unwrap();
    pair.sync();
    assert_eq!(texts(&pair.first.path), ["new and dear"]);
    assert_eq!(texts(&pair.second.path), ["new and dear"]);
}

#[test]
fn old_versions_and_deleted_files_come_back() {
    let top = tempfile::tempdir().unwrap();
    let pair = Pair::start(top.path());
    let file = pair.first.path.join("book.txt");
    for text in ["first edition", "second edition"] {
        fs::write(&file, text).unwrap();
        pair.sync();
    }
    fs::remove_file(&file).unwrap();
    pair.sync();
    assert_eq!(texts(&pair.second.path), [""; 0]);

    let file = file.to_str().unwrap();
    let history: serde_json::Value =
        serde_json::from_str(&printed(&["history", file, "--json"])).unwrap();
    let versions: Vec<&str> = history["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|version| version["size"] == "first edition".len())
        .filter_map(|version| version["version"].as_str())
        .collect();
    assert_eq!(versions.len(), 1, "{history}");
    printed(&["restore", file, "--version", versions[0]]);
    pair.sync();
    assert_eq!(texts(&pair.first.path), ["first edition"]);
    assert_eq!(texts(&pair.second.path), ["first edition"]);
}

/// `state.db` is a projection: without it, the node builds it again.
#[test]
fn a_lost_projection_is_rebuilt() {
    let top = tempfile::tempdir().unwrap();
    let pair = Pair::start(top.path());
    fs::write(pair.first.path.join("file"), "text").unwrap();
    pair.sync();
    let Pair {
        node,
        first,
        second,
    } = pair;
    let ended = node.stop().unwrap();
    for name in ["state.db", "state.db-wal", "state.db-shm"] {
        match fs::remove_file(ended.data().join(name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => panic!("{error}"),
            _ => {}
        }
    }
    let node = ended.restart().unwrap();
    expect_idle(&first).unwrap();
    fs::write(first.path.join("file"), "text, continued").unwrap();
    let pair = Pair {
        node,
        first,
        second,
    };
    pair.sync();
    assert_eq!(texts(&pair.second.path), ["text, continued"]);
}

#[test]
fn scrub_finds_one_flipped_bit() {
    let top = tempfile::tempdir().unwrap();
    let pair = Pair::start(top.path());
    for (name, byte) in [("file", b'x'), ("later", b'y')] {
        fs::write(pair.first.path.join(name), [byte; 20_000]).unwrap();
        pair.sync();
    }
    let ended = pair.node.stop().unwrap();
    ended.scrub(LIMIT).unwrap();
    let data = ended.data().to_str().unwrap();
    flip_a_bit_of(&[b'x'; 20_000], &ended.data().join("blobs"));
    refused(&["scrub", "--data", data], 1, "damaged");
}

/// Finds `content` in a file beneath `folder` and flips one bit in its middle.
fn flip_a_bit_of(content: &[u8], folder: &Path) {
    for path in files(folder) {
        let mut file = fs::File::options()
            .read(true)
            .write(true)
            .open(&path)
            .unwrap();
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).unwrap();
        let found = bytes
            .windows(content.len())
            .position(|window| window == content);
        if let Some(at) = found {
            let middle = at + content.len() / 2;
            file.seek(SeekFrom::Start(middle as u64)).unwrap();
            file.write_all(&[bytes[middle] ^ 1]).unwrap();
            return;
        }
    }
    panic!("the content is nowhere in {}", folder.display());
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}
