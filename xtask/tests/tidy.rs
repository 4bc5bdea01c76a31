//! House rules as tests: what a reviewer should not have to look for.
//!
//! They read the files of the repository and run no code of it. The rules
//! themselves are explained in CONTRIBUTING.md.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A file beyond this is several files. A ratchet: it only ever goes down.
const FILE_LINES: usize = 900;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the root")
        .to_owned()
}

/// All files with one of the `extensions`, relative to the root, without build
/// outputs.
fn files(extensions: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    collect(&root(), extensions, &mut found);
    found.sort();
    assert!(
        !found.is_empty(),
        "no {extensions:?} file found: the walk is wrong"
    );
    found
}

fn collect(directory: &Path, extensions: &[&str], found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).expect("a folder of the repository") {
        let path = entry.expect("an entry of a folder").path();
        let name = path
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        let is_output = ["target", "corpus", "artifacts", "node_modules"].contains(&name.as_str());
        let extension = path.extension().and_then(|extension| extension.to_str());
        if path.is_dir() && !is_output && (!name.starts_with('.') || name == ".github") {
            collect(&path, extensions, found);
        } else if path.is_file() && extension.is_some_and(|one| extensions.contains(&one)) {
            found.push(
                path.strip_prefix(root())
                    .expect("beneath the root")
                    .to_owned(),
            );
        }
    }
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Fails with every complaint at once.
fn expect_none(rule: &str, complaints: &[String]) {
    assert!(
        complaints.is_empty(),
        "{rule}:\n  {}",
        complaints.join("\n  ")
    );
}

#[test]
fn every_source_file_says_its_job() {
    let silent: Vec<String> = files(&["rs"])
        .iter()
        .filter(|path| !read(path).starts_with("//! "))
        .map(|path| path.display().to_string())
        .collect();
    expect_none("a file opens with `//!` and its one job", &silent);
}

#[test]
fn no_file_is_a_book() {
    let long: Vec<String> = files(&["rs"])
        .iter()
        .map(|path| (path, read(path).lines().count()))
        .filter(|(_, lines)| *lines > FILE_LINES)
        .map(|(path, lines)| format!("{}: {lines} lines", path.display()))
        .collect();
    expect_none("a file has at most 900 lines", &long);
}

#[test]
fn nothing_is_left_for_later_or_tied_to_a_machine() {
    // Spelled in pieces so that this file passes its own rule.
    let forbidden = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("to", "do!("),
        concat!("unimple", "mented!("),
        concat!("db", "g!("),
        concat!("/ro", "ot/"),
        concat!("/wo", "rk/"),
        concat!("/Use", "rs/"),
    ];
    let mut complaints = Vec::new();
    for path in files(&["rs", "toml", "yml", "js", "css", "html"]) {
        let text = read(&path);
        for (index, line) in text.lines().enumerate() {
            for word in forbidden.iter().filter(|word| line.contains(**word)) {
                complaints.push(format!("{}:{}: {word}", path.display(), index + 1));
            }
        }
    }
    expect_none(
        "no unfinished work, debug output or absolute home path",
        &complaints,
    );
}

#[test]
fn the_map_shows_every_crate() {
    let map = read(Path::new("ARCHITECTURE.md"));
    let mut real = BTreeSet::new();
    for entry in std::fs::read_dir(root().join("crates")).unwrap() {
        let entry = entry.unwrap();
        if entry.path().join("Cargo.toml").is_file() {
            real.insert(entry.file_name().to_string_lossy().into_owned());
        }
    }
    let shown: BTreeSet<String> = map
        .split("`crates/")
        .skip(1)
        .filter_map(|rest| rest.split(['`', '/']).next())
        .map(str::to_owned)
        .collect();
    assert_eq!(
        shown, real,
        "ARCHITECTURE.md names other crates than there are"
    );
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut broken = Vec::new();
    for path in files(&["md"]) {
        let text = read(&path);
        let folder = path.parent().unwrap().to_owned();
        for target in text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            let file = target.split('#').next().unwrap();
            let is_elsewhere = target.contains("://") || target.starts_with("mailto:");
            if !is_elsewhere && !file.is_empty() && !root().join(&folder).join(file).exists() {
                broken.push(format!("{}: {target}", path.display()));
            }
        }
    }
    expect_none("a link in a document leads to a file", &broken);
}
