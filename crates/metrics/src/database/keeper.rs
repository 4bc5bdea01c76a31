//! The files of parts and the list of them: opened, and changed as a whole.
//!
//! A part's file is whole and durable before the manifest names it, and a file that the
//! manifest does not name is removed at the next opening. So the replacement of the
//! manifest is the one moment at which anything happens.
//!
//! A part that cannot be opened is left where it is and out of what is read: the rest of
//! the store, and of the node, goes on without it, and says so.

use super::deletion::Deletion;
use super::error::UpkeepError;
use super::live::{Live, LivePart};
use super::manifest::{Manifest, PartLine};
use super::window::range_of;
use crate::eval::SeriesCursor;
use crate::part::{self, Part};
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use store::fs::{FileSystem, Open, create_whole, make_durable_dir};

/// The name of the manifest.
pub(super) const MANIFEST: &str = "manifest";

/// The folder of the parts.
pub(super) const PARTS: &str = "parts";

/// Ends the names of parts.
const SUFFIX: &str = ".part";

/// The longest manifest that is read: a part takes some 40 bytes, kinds 30 MB at most, and
/// deletions what follows.
const MANIFEST_BYTES: u64 = 64 << 20;

/// The most bytes of selectors of deletions that parts are still to be read without: each
/// query looks through them.
const DELETIONS_BYTES: usize = 1 << 20;

/// The parts of one store.
pub(super) struct Keeper {
    fs: Arc<dyn FileSystem>,
    directory: PathBuf,
    manifest: Manifest,
    parts: Vec<Arc<LivePart>>,
    damaged: Vec<Damaged>,
    /// Windows that are not merged: a part of theirs cannot be read.
    spoiled: BTreeSet<i64>,
}

/// Writes parts, without a hold on the others.
#[derive(Clone)]
pub(super) struct PartWriter {
    fs: Arc<dyn FileSystem>,
    folder: PathBuf,
}

/// A part that cannot be read.
#[derive(Debug, Clone)]
pub struct Damaged {
    /// Its file.
    pub path: PathBuf,
    /// Why not, in words.
    pub reason: String,
}

impl Keeper {
    /// Opens what is in `directory`, or begins there.
    pub(super) fn open(fs: Arc<dyn FileSystem>, directory: &Path) -> Result<Self, UpkeepError> {
        let folder = directory.join(PARTS);
        make_durable_dir(&*fs, &folder)
            .map_err(|error| UpkeepError::io("create", &folder, error))?;
        let manifest = read_manifest(&*fs, directory)?;
        let is_new = manifest.is_none();
        let mut keeper = Self {
            fs,
            directory: directory.to_owned(),
            manifest: manifest.unwrap_or_else(|| Manifest {
                next: 1,
                ..Manifest::default()
            }),
            parts: Vec::new(),
            damaged: Vec::new(),
            spoiled: BTreeSet::new(),
        };
        if is_new {
            // Before there is any part: without a list, those that there are would be taken
            // for what a crash left.
            keeper.begin()?;
        }
        keeper.remove_strangers()?;
        keeper.open_parts();
        Ok(keeper)
    }

    pub(super) const fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    pub(super) fn parts(&self) -> &[Arc<LivePart>] {
        &self.parts
    }

    pub(super) fn damaged(&self) -> &[Damaged] {
        &self.damaged
    }

    pub(super) fn fs(&self) -> Arc<dyn FileSystem> {
        Arc::clone(&self.fs)
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// What queries should read.
    pub(super) fn live(&self) -> Live {
        Live::new(self.parts.clone(), self.manifest.deletions.clone())
    }

    /// Windows that are not merged.
    pub(super) const fn spoiled(&self) -> &BTreeSet<i64> {
        &self.spoiled
    }

    /// A window's parts cannot be read: they are left as they are.
    pub(super) fn spoil(&mut self, window: i64) {
        self.spoiled.insert(window);
    }

    /// The line of a part that is about to be written. A number is never used again, whatever
    /// becomes of the part.
    pub(super) const fn reserve(&mut self, window: i64, resolution: u64) -> PartLine {
        let number = self.manifest.next;
        self.manifest.next += 1;
        PartLine {
            number,
            window,
            resolution,
        }
    }

    /// Who writes parts here.
    pub(super) fn writer(&self) -> PartWriter {
        PartWriter {
            fs: Arc::clone(&self.fs),
            folder: self.directory.join(PARTS),
        }
    }

    /// Whether another deletion may be noted.
    pub(super) fn has_room_for(&self, deletion: &Deletion) -> bool {
        let noted = self.manifest.deletions.iter();
        let bytes: usize = noted.map(|noted| noted.deletion.selector().len()).sum();
        bytes + deletion.selector().len() <= DELETIONS_BYTES
    }

    /// Makes a change of the parts and of the rest of the manifest what there is. If it was
    /// not made, the files of `new` parts are removed: each try would leave some more on a
    /// disk that may be full.
    pub(super) fn commit(
        &mut self,
        parts: Vec<Arc<LivePart>>,
        new: &[Arc<LivePart>],
        change: impl FnOnce(&mut Manifest),
    ) -> Result<(), UpkeepError> {
        let mut manifest = self.manifest.clone();
        manifest.parts = self.lines(&parts);
        change(&mut manifest);
        let damaged = self.damaged_lines();
        manifest.deletions.retain(|noted| {
            parts.iter().any(|part| part.may_have(noted))
                || damaged.iter().any(|line| line.number < noted.before)
        });
        let path = self.directory.join(MANIFEST);
        let named = self
            .sync_parts()
            .and_then(|()| name_manifest(&*self.fs, &path, &manifest));
        if named.is_err() {
            self.remove_files(new);
        }
        named?;
        // From here on it may be the one that is found, also if this fails.
        sync_folder_of(&*self.fs, &path)?;
        self.manifest = manifest;
        self.parts = parts;
        Ok(())
    }

    /// Removes the files of parts that the manifest does not name any more. One that stays
    /// is removed at the next opening.
    pub(super) fn remove_files(&self, parts: &[Arc<LivePart>]) {
        for part in parts {
            self.remove_file(&self.path_of(part.line().number));
        }
    }

    fn remove_file(&self, path: &Path) {
        if let Err(error) = self.fs.remove_file(path) {
            tracing::warn!("cannot remove {}: {error}", path.display());
        }
    }

    /// The file of a part.
    pub(super) fn path_of(&self, number: u64) -> PathBuf {
        self.directory.join(PARTS).join(file_name(number))
    }

    /// Lets go the parts that cannot be read of windows that end before a time.
    pub(super) fn let_go_damaged(&mut self, oldest: i64) -> Result<(), UpkeepError> {
        let is_old = |line: &PartLine| range_of(line.window).end < oldest;
        let old: Vec<PartLine> = self.damaged_lines().into_iter().filter(is_old).collect();
        if old.is_empty() {
            return Ok(());
        }
        self.manifest.parts.retain(|line| !old.contains(line));
        self.commit(self.parts.clone(), &[], |_| {})?;
        for line in old {
            let path = self.path_of(line.number);
            self.damaged.retain(|damaged| damaged.path != path);
            self.remove_file(&path);
        }
        Ok(())
    }

    /// The lines of parts that cannot be read.
    fn damaged_lines(&self) -> Vec<PartLine> {
        let is_read = |line: &PartLine| {
            let mut parts = self.parts.iter();
            parts.any(|part| part.line().number == line.number)
        };
        let lines = self.manifest.parts.iter().copied();
        lines.filter(|line| !is_read(line)).collect()
    }

    /// The lines of these parts, and of those that cannot be read in their places: of their
    /// windows nothing is merged, so that all others there stay as they are.
    fn lines(&self, parts: &[Arc<LivePart>]) -> Vec<PartLine> {
        let damaged = self.damaged_lines();
        let lines: Vec<PartLine> = parts.iter().map(|part| part.line()).collect();
        let former = self.manifest.parts.iter().copied();
        let mut kept: Vec<PartLine> = former
            .filter(|line| damaged.iter().any(|other| other.window == line.window))
            .filter(|line| damaged.contains(line) || lines.contains(line))
            .collect();
        let others = lines.into_iter().filter(|line| !kept.contains(line));
        let others: Vec<PartLine> = others.collect();
        kept.extend(others);
        kept
    }

    fn begin(&self) -> Result<(), UpkeepError> {
        let folder = self.directory.join(PARTS);
        let entries = self.fs.list(&folder);
        let entries = entries.map_err(|error| UpkeepError::io("list", &folder, error))?;
        if entries.iter().any(|entry| entry.name.ends_with(SUFFIX)) {
            return Err(UpkeepError::NoManifest(self.directory.join(MANIFEST)));
        }
        write_manifest(&*self.fs, &self.directory.join(MANIFEST), &self.manifest)
    }

    fn sync_parts(&self) -> Result<(), UpkeepError> {
        let folder = self.directory.join(PARTS);
        let synced = self.fs.sync_dir(&folder);
        synced.map_err(|error| UpkeepError::io("sync", &folder, error))
    }

    fn remove_strangers(&self) -> Result<(), UpkeepError> {
        let folder = self.directory.join(PARTS);
        let entries = self.fs.list(&folder);
        let entries = entries.map_err(|error| UpkeepError::io("list", &folder, error))?;
        let named: Vec<String> = self
            .manifest
            .parts
            .iter()
            .map(|part| file_name(part.number))
            .collect();
        for entry in entries.iter().filter(|entry| !entry.directory) {
            if !named.contains(&entry.name) {
                let path = folder.join(&entry.name);
                let removed = self.fs.remove_file(&path);
                removed.map_err(|error| UpkeepError::io("remove", &path, error))?;
            }
        }
        Ok(())
    }

    fn open_parts(&mut self) {
        for line in &self.manifest.parts {
            let path = self.path_of(line.number);
            match Part::open(&*self.fs, &path) {
                Ok(part) => self.parts.push(Arc::new(LivePart::new(part, *line))),
                Err(error) => {
                    let reason = error.to_string();
                    tracing::error!("metrics go on without a part: {reason}");
                    self.damaged.push(Damaged { path, reason });
                    self.spoiled.insert(line.window);
                }
            }
        }
    }
}

impl PartWriter {
    /// Writes a part that the manifest does not name yet; `None` if it would have no sample.
    pub(super) fn write(
        &self,
        line: PartLine,
        series: &mut dyn SeriesCursor,
    ) -> Result<Option<Arc<LivePart>>, UpkeepError> {
        let path = self.folder.join(file_name(line.number));
        if part::write(&*self.fs, &path, series)?.is_none() {
            return Ok(None);
        }
        let part = Part::open(&*self.fs, &path)?;
        Ok(Some(Arc::new(LivePart::new(part, line))))
    }
}

/// The manifest of the store in `directory`, if there is one.
pub(super) fn read_manifest(
    fs: &dyn FileSystem,
    directory: &Path,
) -> Result<Option<Manifest>, UpkeepError> {
    let path = directory.join(MANIFEST);
    let Some(text) = read_text(fs, &path)? else {
        return Ok(None);
    };
    let read = Manifest::read(&text);
    let read = read.map_err(|reason| UpkeepError::Manifest { path, reason })?;
    Ok(Some(read))
}

/// Writes a manifest in one piece, durably.
pub(super) fn write_manifest(
    fs: &dyn FileSystem,
    path: &Path,
    manifest: &Manifest,
) -> Result<(), UpkeepError> {
    name_manifest(fs, path, manifest)?;
    sync_folder_of(fs, path)
}

fn name_manifest(fs: &dyn FileSystem, path: &Path, manifest: &Manifest) -> Result<(), UpkeepError> {
    let written = create_whole(fs, path, manifest.write().as_bytes());
    written
        .map(drop)
        .map_err(|error| UpkeepError::io("write", path, error))
}

fn sync_folder_of(fs: &dyn FileSystem, path: &Path) -> Result<(), UpkeepError> {
    let folder = path.parent().unwrap_or(path);
    let synced = fs.sync_dir(folder);
    synced.map_err(|error| UpkeepError::io("sync", folder, error))
}

pub(super) fn file_name(number: u64) -> String {
    format!("{number:016}{SUFFIX}")
}

fn read_text(fs: &dyn FileSystem, path: &Path) -> Result<Option<String>, UpkeepError> {
    let failed = |error| UpkeepError::io("read", path, error);
    let file = match fs.open(path, Open::Read) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(failed)?,
    };
    let length = file.length().map_err(failed)?;
    if length > MANIFEST_BYTES {
        return Err(failed(io::ErrorKind::FileTooLarge.into()));
    }
    let mut bytes = vec![0; length as usize];
    file.read_exact_at(&mut bytes, 0).map_err(failed)?;
    let text = String::from_utf8(bytes).map_err(|_| failed(io::ErrorKind::InvalidData.into()))?;
    Ok(Some(text))
}
