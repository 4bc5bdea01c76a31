//! The files of parts and the list of them: opened, and changed as a whole.
//!
//! A part's file is whole and durable before the manifest names it, and a file that the
//! manifest does not name is removed at the next opening. So the replacement of the
//! manifest is the one moment at which anything happens.
//!
//! A part that cannot be opened is left where it is and out of what is read: the rest of
//! the store, and of the node, goes on without it, and says so.

use super::error::UpkeepError;
use super::live::{Live, LivePart};
use super::manifest::{Manifest, PartLine};
use crate::eval::SeriesCursor;
use crate::part::{self, Part, Summary};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use store::fs::{FileSystem, Open, make_durable_dir};

/// The name of the manifest.
pub(super) const MANIFEST: &str = "manifest";

/// The folder of the parts.
pub(super) const PARTS: &str = "parts";

/// Ends the names of parts.
const SUFFIX: &str = ".part";

/// The longest manifest that is read: a part takes some 40 bytes and a kind as many as its
/// name, of which there are bounds.
const MANIFEST_BYTES: u64 = 64 << 20;

/// The parts of one store.
pub(super) struct Keeper {
    fs: Arc<dyn FileSystem>,
    directory: PathBuf,
    manifest: Manifest,
    parts: Vec<Arc<LivePart>>,
    damaged: Vec<Damaged>,
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
        let mut keeper = Self {
            fs,
            directory: directory.to_owned(),
            manifest,
            parts: Vec::new(),
            damaged: Vec::new(),
        };
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

    pub(super) fn fs(&self) -> &dyn FileSystem {
        &*self.fs
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// What queries should read.
    pub(super) fn live(&self) -> Live {
        Live::new(self.parts.clone(), self.manifest.deletions.clone())
    }

    /// Writes a part that the manifest does not name yet.
    pub(super) fn write_part(
        &mut self,
        window: i64,
        resolution: u64,
        series: &mut dyn SeriesCursor,
    ) -> Result<Option<Arc<LivePart>>, UpkeepError> {
        let number = self.manifest.next;
        let path = self.path_of(number);
        let written: Option<Summary> = part::write(&*self.fs, &path, series)?;
        // A number is never used again, whatever becomes of the part.
        self.manifest.next += 1;
        if written.is_none() {
            return Ok(None);
        }
        let part = Part::open(&*self.fs, &path)?;
        let line = PartLine {
            number,
            window,
            resolution,
        };
        Ok(Some(Arc::new(LivePart::new(part, line))))
    }

    /// Makes a change of the parts and of the rest of the manifest what there is.
    pub(super) fn commit(
        &mut self,
        parts: Vec<Arc<LivePart>>,
        change: impl FnOnce(&mut Manifest),
    ) -> Result<(), UpkeepError> {
        let mut manifest = self.manifest.clone();
        let damaged = self.manifest.parts.iter().filter(|line| {
            !self
                .parts
                .iter()
                .any(|part| part.line().number == line.number)
        });
        let damaged: Vec<PartLine> = damaged.copied().collect();
        manifest.parts = damaged
            .into_iter()
            .chain(parts.iter().map(|part| part.line()))
            .collect();
        change(&mut manifest);
        manifest.deletions.retain(|deletion| {
            manifest
                .parts
                .iter()
                .any(|part| part.number < deletion.before)
        });
        self.sync_parts()?;
        self.write_manifest(&self.directory.join(MANIFEST), &manifest)?;
        self.manifest = manifest;
        self.parts = parts;
        Ok(())
    }

    /// Writes a manifest in one piece, durably.
    pub(super) fn write_manifest(
        &self,
        path: &Path,
        manifest: &Manifest,
    ) -> Result<(), UpkeepError> {
        write_whole(&*self.fs, path, manifest.write().as_bytes())
            .map_err(|error| UpkeepError::io("write", path, error))
    }

    /// Removes the files of parts that the manifest does not name any more. One that stays
    /// is removed at the next opening.
    pub(super) fn remove_files(&self, parts: &[Arc<LivePart>]) {
        for part in parts {
            let path = self.path_of(part.line().number);
            if let Err(error) = self.fs.remove_file(&path) {
                tracing::warn!("cannot remove {}: {error}", path.display());
            }
        }
    }

    /// The file of a part.
    pub(super) fn path_of(&self, number: u64) -> PathBuf {
        self.directory.join(PARTS).join(file_name(number))
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
                }
            }
        }
    }
}

/// The manifest of the store in `directory`, or that of one without parts.
pub(super) fn read_manifest(
    fs: &dyn FileSystem,
    directory: &Path,
) -> Result<Manifest, UpkeepError> {
    let path = directory.join(MANIFEST);
    match read_text(fs, &path)? {
        Some(text) => {
            Manifest::read(&text).map_err(|reason| UpkeepError::Manifest { path, reason })
        }
        None => Ok(Manifest {
            next: 1,
            ..Manifest::default()
        }),
    }
}

pub(super) fn file_name(number: u64) -> String {
    format!("{number:016}{SUFFIX}")
}

/// A file with these bytes, or as it was; durable.
fn write_whole(fs: &dyn FileSystem, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".new");
    let unfinished = Path::new(&unfinished);
    let file = fs.open(unfinished, Open::Create)?;
    file.set_len(0)?;
    file.write_all_at(bytes, 0)?;
    file.sync_data()?;
    fs.rename(unfinished, path)?;
    match path.parent() {
        Some(folder) => fs.sync_dir(folder),
        None => Ok(()),
    }
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
