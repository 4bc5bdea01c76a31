//! How two folders differ: names, kinds, permissions, times, links and bytes.
//!
//! The folder's own corner `.atoll` is left out. What `rsync -aHnic` would
//! itemise is reported, in words; owners and extended attributes are not looked
//! at, because Atoll does not carry them.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail, ensure};

/// A folder's client state, which is nobody else's business.
const CORNER: &str = ".atoll";

/// A folder as it was at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot(BTreeMap<PathBuf, Entry>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    mode: u32,
    modified: (i64, i64),
    content: Content,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Content {
    Directory,
    Link(PathBuf),
    File {
        size: u64,
        hash: blake3::Hash,
    },
    /// A file whose bytes were not read.
    Unread {
        size: u64,
    },
    Other,
}

/// Whether a comparison reads the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Sizes and times stand for the bytes.
    Metadata,
    /// Every byte is read.
    Content,
}

impl Snapshot {
    /// Takes a snapshot of `folder`. Entries that vanish meanwhile are left out.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn take(folder: &Path, depth: Depth) -> anyhow::Result<Self> {
        let mut snapshot = Self::default();
        let metadata = std::fs::symlink_metadata(folder)
            .with_context(|| format!("cannot look at {}", folder.display()))?;
        snapshot
            .0
            .insert(PathBuf::from("."), Entry::of(folder, &metadata, depth)?);
        snapshot.walk(folder, Path::new(""), depth)?;
        Ok(snapshot)
    }

    /// The same without the folder's own mode and time, which joining a space
    /// sets.
    pub fn without_root(mut self) -> Self {
        self.0.remove(Path::new("."));
        self
    }

    /// How many entries it has, the folder itself not counted.
    pub fn len(&self) -> usize {
        self.paths().count()
    }

    /// Whether the folder is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The paths of its entries, in order.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.0
            .keys()
            .map(PathBuf::as_path)
            .filter(|path| *path != Path::new("."))
    }

    /// One line for each entry in which `other` differs.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let mut found = Vec::new();
        for (path, entry) in &self.0 {
            match other.0.get(path) {
                None => found.push(format!("{}: only in the first", path.display())),
                Some(theirs) if theirs != entry => {
                    found.push(format!("{}: {entry:?} is not {theirs:?}", path.display()));
                }
                Some(_) => {}
            }
        }
        for path in other.0.keys().filter(|path| !self.0.contains_key(*path)) {
            found.push(format!("{}: only in the second", path.display()));
        }
        found
    }

    fn walk(&mut self, folder: &Path, beneath: &Path, depth: Depth) -> anyhow::Result<()> {
        let directory = folder.join(beneath);
        let entries = match std::fs::read_dir(&directory) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            entries => entries.with_context(|| format!("cannot list {}", directory.display()))?,
        };
        for entry in entries {
            let entry = entry?;
            let relative = beneath.join(entry.file_name());
            if relative == Path::new(CORNER) {
                continue;
            }
            let found = entry
                .metadata()
                .map_err(anyhow::Error::from)
                .and_then(|metadata| {
                    Ok((
                        Entry::of(&entry.path(), &metadata, depth)?,
                        metadata.is_dir(),
                    ))
                });
            // Gone between listing and looking: then it is not there.
            let Ok((found, is_directory)) = found else {
                continue;
            };
            self.0.insert(relative.clone(), found);
            if is_directory {
                self.walk(folder, &relative, depth)?;
            }
        }
        Ok(())
    }
}

impl Entry {
    fn of(path: &Path, metadata: &Metadata, depth: Depth) -> anyhow::Result<Self> {
        let content = if metadata.is_dir() {
            Content::Directory
        } else if metadata.is_symlink() {
            Content::Link(std::fs::read_link(path)?)
        } else if !metadata.is_file() {
            Content::Other
        } else if depth == Depth::Metadata {
            Content::Unread {
                size: metadata.len(),
            }
        } else {
            let mut hasher = blake3::Hasher::new();
            let size = std::io::copy(&mut std::fs::File::open(path)?, &mut hasher)?;
            Content::File {
                size,
                hash: hasher.finalize(),
            }
        };
        Ok(Self {
            mode: metadata.mode(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            content,
        })
    }
}

/// How the folders `a` and `b` differ, at most `LINES` lines of it; empty when
/// they are equal.
///
/// # Errors
/// When one cannot be read.
pub fn differences(a: &Path, b: &Path, depth: Depth) -> anyhow::Result<Vec<String>> {
    const LINES: usize = 20;
    let mut found = Snapshot::take(a, depth)?.differences(&Snapshot::take(b, depth)?);
    if found.len() > LINES {
        let more = found.len() - LINES;
        found.truncate(LINES);
        found.push(format!("and {more} more"));
    }
    Ok(found)
}

/// Expects that rsync, an independent judge, finds no difference between two
/// folders: bytes, times, permissions, links and hard links.
///
/// # Errors
/// When rsync itemises any, with the first lines of it, or does not run.
pub fn expect_rsync_agrees(a: &Path, b: &Path) -> anyhow::Result<()> {
    let output = Command::new("rsync")
        .args(["-aHnic", "--delete", "--exclude=/.atoll"])
        .arg(format!("{}/", a.display()))
        .arg(format!("{}/", b.display()))
        .output()
        .context("rsync does not run")?;
    let found = String::from_utf8_lossy(&output.stdout);
    ensure!(
        output.status.success(),
        "rsync: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    if !found.is_empty() {
        let lines = found.lines().take(20).collect::<Vec<_>>().join("\n");
        bail!(
            "{} and {} differ, says rsync:\n{lines}",
            a.display(),
            b.display()
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{AtFlags, CWD, Timespec, Timestamps};
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn age(path: &Path) {
        let past = Timespec {
            tv_sec: 1_000_000,
            tv_nsec: 5,
        };
        let times = Timestamps {
            last_access: past,
            last_modification: past,
        };
        // A path that a check removed has no age.
        let _ = rustix::fs::utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW);
    }

    /// Two equal folders, one of them changed by `change`, and what differs.
    fn check(change: impl FnOnce(&Path), expected: &[&str]) {
        let top = tempfile::tempdir().unwrap();
        let (a, b) = (top.path().join("a"), top.path().join("b"));
        for folder in [&a, &b] {
            fs::create_dir_all(folder.join("sub")).unwrap();
            fs::create_dir(folder.join(CORNER)).unwrap();
            fs::write(folder.join("sub/file"), "text").unwrap();
            symlink("file", folder.join("sub/link")).unwrap();
        }
        fs::write(b.join(CORNER).join("marker"), "").unwrap();
        change(&b);
        for path in ["sub/file", "sub/link", "sub", ""] {
            age(&a.join(path));
            age(&b.join(path));
        }
        let found = differences(&a, &b, Depth::Content).unwrap();
        let paths: Vec<&str> = found
            .iter()
            .filter_map(|line| line.split(':').next())
            .collect();
        assert_eq!(paths, expected);
    }

    #[test]
    fn every_kind_of_difference_shows() {
        check(|_| {}, &[]);
        check(
            |b| fs::write(b.join("sub/file"), "tExt").unwrap(),
            &["sub/file"],
        );
        check(|b| fs::write(b.join("sub/new"), "").unwrap(), &["sub/new"]);
        check(
            |b| fs::remove_file(b.join("sub/file")).unwrap(),
            &["sub/file"],
        );
        check(
            |b| fs::set_permissions(b.join("sub"), fs::Permissions::from_mode(0o700)).unwrap(),
            &["sub"],
        );
        check(
            |b| {
                fs::remove_file(b.join("sub/link")).unwrap();
                symlink("elsewhere", b.join("sub/link")).unwrap();
            },
            &["sub/link"],
        );
        check(
            |b| fs::File::open(b.join("sub/file")).map(|_| ()).unwrap(),
            &[],
        );
    }
}
