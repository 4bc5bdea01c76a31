//! Folders made and edited from a seed: the same seed gives the same bytes.
//!
//! [`flat`] makes the benchmarks' data sets; [`Gardener`] grows a small tree of
//! everything a folder may hold and goes on editing it as programs do.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use anyhow::Context;
use base::{Random, SeededRandom};

/// Bytes written at a time, so that a large file costs no memory.
const PIECE: usize = 1 << 20;

/// Makes `files` files of `bytes` bytes each that cannot be compressed, in
/// folders of `per_folder`.
///
/// # Errors
/// When they cannot be written.
pub fn flat(
    folder: &Path,
    files: usize,
    bytes: usize,
    per_folder: usize,
    seed: u64,
) -> anyhow::Result<()> {
    let random = SeededRandom::new(seed);
    for number in 0..files {
        let parent = folder.join(format!("folder-{:05}", number / per_folder));
        if number % per_folder == 0 {
            fs::create_dir_all(&parent)
                .with_context(|| format!("cannot create {}", parent.display()))?;
        }
        fill(
            &parent.join(format!("file-{number:06}.bin")),
            bytes,
            &random,
        )?;
    }
    Ok(())
}

/// Writes one file of `bytes` random bytes.
///
/// # Errors
/// When it cannot be written.
pub fn fill(path: &Path, bytes: usize, random: &SeededRandom) -> anyhow::Result<()> {
    let mut file =
        File::create(path).with_context(|| format!("cannot create {}", path.display()))?;
    let mut piece = vec![0; bytes.min(PIECE)];
    let mut left = bytes;
    while left > 0 {
        let length = left.min(PIECE);
        random.fill(&mut piece[..length]);
        file.write_all(&piece[..length])?;
        left -= length;
    }
    Ok(())
}

/// Edits a folder as its users would, one change at a time.
#[derive(Debug)]
pub struct Gardener {
    folder: PathBuf,
    random: SeededRandom,
    files: Vec<PathBuf>,
    folders: Vec<PathBuf>,
    next: u64,
}

/// Names that have broken synchronisers: spaces, other scripts, leading dots,
/// characters that shells and other systems mind, names alike but for case.
const NAMES: [&str; 12] = [
    "plain",
    "with space",
    ".hidden",
    "-dash",
    "überall",
    "日本語",
    "emoji 🏝",
    "Case",
    "case",
    "tilde~",
    "semi;colon'quote\"",
    "back\\slash",
];

impl Gardener {
    /// Starts in an empty `folder`, which is created.
    ///
    /// # Errors
    /// When it cannot be created.
    pub fn new(folder: &Path, seed: u64) -> anyhow::Result<Self> {
        fs::create_dir_all(folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
        Ok(Self {
            folder: folder.to_owned(),
            random: SeededRandom::new(seed),
            files: Vec::new(),
            folders: vec![PathBuf::new()],
            next: 0,
        })
    }

    /// Makes `changes` random changes.
    ///
    /// # Errors
    /// When the file system refuses one.
    pub fn work(&mut self, changes: usize) -> anyhow::Result<()> {
        for _ in 0..changes {
            self.change()?;
        }
        Ok(())
    }

    fn change(&mut self) -> anyhow::Result<()> {
        match self.random.below(100) {
            0..30 => self.create(),
            30..38 => self.create_folder(),
            38..42 => self.link(),
            42..54 => self.rewrite(),
            54..64 => self.replace(),
            64..72 => self.append(),
            72..78 => self.overwrite_middle(),
            78..84 => self.rename(),
            84..87 => self.rename_folder(),
            87..91 => self.change_mode(),
            91..98 => self.remove(),
            _ => self.remove_folder(),
        }
    }

    fn create(&mut self) -> anyhow::Result<()> {
        let path = self.new_path();
        let bytes = self.size();
        fill(&self.folder.join(&path), bytes, &self.random)?;
        self.files.push(path);
        Ok(())
    }

    fn create_folder(&mut self) -> anyhow::Result<()> {
        let path = self.new_path();
        fs::create_dir(self.folder.join(&path))?;
        self.folders.push(path);
        Ok(())
    }

    fn link(&mut self) -> anyhow::Result<()> {
        let path = self.new_path();
        let target = self.any_file().unwrap_or_else(|| PathBuf::from("nowhere"));
        symlink(target, self.folder.join(path))?;
        Ok(())
    }

    /// In place, as a careless program does.
    fn rewrite(&mut self) -> anyhow::Result<()> {
        let Some(path) = self.any_file() else {
            return self.create();
        };
        fill(&self.folder.join(path), self.size(), &self.random)
    }

    /// By a new file renamed over the old, as an editor does.
    fn replace(&mut self) -> anyhow::Result<()> {
        let Some(path) = self.any_file() else {
            return self.create();
        };
        let path = self.folder.join(path);
        let beside = path.with_extension("swap");
        fill(&beside, self.size(), &self.random)?;
        fs::rename(beside, path)?;
        Ok(())
    }

    fn append(&mut self) -> anyhow::Result<()> {
        let Some(path) = self.any_file() else {
            return self.create();
        };
        let mut file = OpenOptions::new()
            .append(true)
            .open(self.folder.join(path))?;
        writeln!(file, "one more line {}", self.random.next_u64())?;
        Ok(())
    }

    fn overwrite_middle(&mut self) -> anyhow::Result<()> {
        let Some(path) = self.any_file() else {
            return self.create();
        };
        let file = OpenOptions::new()
            .write(true)
            .open(self.folder.join(path))?;
        let length = file.metadata()?.len();
        let offset = self.random.below(length + 1);
        file.write_all_at(&self.random.next_u64().to_le_bytes(), offset)?;
        Ok(())
    }

    fn rename(&mut self) -> anyhow::Result<()> {
        if self.files.is_empty() {
            return self.create();
        }
        let old = self.files.swap_remove(self.below(self.files.len()));
        let new = self.new_path();
        fs::rename(self.folder.join(old), self.folder.join(&new))?;
        self.files.push(new);
        Ok(())
    }

    /// Only into the root: so never beneath itself.
    fn rename_folder(&mut self) -> anyhow::Result<()> {
        if self.folders.len() < 2 {
            return self.create_folder();
        }
        let old = self.folders[1 + self.below(self.folders.len() - 1)].clone();
        let new = self.new_name();
        fs::rename(self.folder.join(&old), self.folder.join(&new))?;
        for path in self.files.iter_mut().chain(&mut self.folders) {
            if let Ok(rest) = path.strip_prefix(&old) {
                // Joining an empty rest would append a slash.
                *path = if rest.as_os_str().is_empty() {
                    new.clone()
                } else {
                    new.join(rest)
                };
            }
        }
        Ok(())
    }

    fn change_mode(&mut self) -> anyhow::Result<()> {
        let Some(path) = self.any_file() else {
            return self.create();
        };
        let modes = [0o644, 0o755, 0o600, 0o640];
        let mode = modes[self.below(modes.len())];
        fs::set_permissions(self.folder.join(path), Permissions::from_mode(mode))?;
        Ok(())
    }

    fn remove(&mut self) -> anyhow::Result<()> {
        if self.files.is_empty() {
            return self.create();
        }
        let path = self.files.swap_remove(self.below(self.files.len()));
        fs::remove_file(self.folder.join(path))?;
        Ok(())
    }

    fn remove_folder(&mut self) -> anyhow::Result<()> {
        if self.folders.len() < 2 {
            return self.create_folder();
        }
        let gone = self.folders[1 + self.below(self.folders.len() - 1)].clone();
        fs::remove_dir_all(self.folder.join(&gone))?;
        self.files.retain(|path| !path.starts_with(&gone));
        self.folders.retain(|path| !path.starts_with(&gone));
        Ok(())
    }

    fn any_file(&self) -> Option<PathBuf> {
        match self.files.len() {
            0 => None,
            length => Some(self.files[self.below(length)].clone()),
        }
    }

    fn new_path(&mut self) -> PathBuf {
        let parent = self.folders[self.below(self.folders.len())].clone();
        parent.join(self.new_name())
    }

    /// Never given before, so that no change meets an older one by accident.
    fn new_name(&mut self) -> PathBuf {
        self.next += 1;
        PathBuf::from(format!("{} {}", NAMES[self.below(NAMES.len())], self.next))
    }

    /// Mostly small, sometimes empty, sometimes beyond what counts as small.
    fn size(&self) -> usize {
        match self.random.below(20) {
            0 => 0,
            1..16 => self.below(8 * 1024),
            16..19 => self.below(200 * 1024),
            _ => self.below(2 << 20),
        }
    }

    fn below(&self, bound: usize) -> usize {
        usize::try_from(self.random.below(bound as u64)).expect("below a usize")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::{Depth, Snapshot};

    #[test]
    fn a_seed_gives_one_tree() {
        let top = tempfile::tempdir().unwrap();
        let grow = |name: &str, seed: u64| {
            let folder = top.path().join(name);
            Gardener::new(&folder, seed).unwrap().work(300).unwrap();
            let snapshot = Snapshot::take(&folder, Depth::Content).unwrap();
            snapshot.paths().map(Path::to_owned).collect::<Vec<_>>()
        };
        let first = grow("first", 1);
        assert!(first.len() > 20, "{first:?}");
        assert_eq!(first, grow("second", 1));
        assert_ne!(first, grow("third", 2));
    }

    #[test]
    fn a_flat_tree_has_the_promised_shape() {
        let top = tempfile::tempdir().unwrap();
        flat(top.path(), 25, 100, 10, 7).unwrap();
        let snapshot = Snapshot::take(top.path(), Depth::Content).unwrap();
        assert_eq!(snapshot.len(), 28);
    }
}
