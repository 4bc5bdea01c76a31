//! A copy of the store as it is, in a folder beside it: parts and the list of them.
//!
//! 1. The keeper is held while everything is flushed and the parts are noted, which takes as
//!    long as a flush. Their files are open, so their bytes stay when a merge takes their
//!    names away, as they do for queries.
//! 2. They are copied, which may take minutes. Nobody waits for that: flushes and merges go
//!    on.
//! 3. The list of them is written, as it was noted, and the folder gets its name.
//!
//! A snapshot opens as a store of its own. It is complete once it has its name; what a
//! crash leaves of one is removed at the next opening, or by the next of its name.

use super::Database;
use super::error::UpkeepError;
use super::keeper::{Keeper, MANIFEST, PARTS, file_name, write_manifest};
use super::live::LivePart;
use super::manifest::Manifest;
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use store::fs::{File, FileSystem, Open, make_durable_dir};

/// The folder of snapshots.
const SNAPSHOTS: &str = "snapshots";

/// Ends the name of one that is being made.
const UNFINISHED: &str = ".new";

/// The longest name: as long as that of a space.
const NAME_BYTES: usize = 64;

/// The names of snapshots that are being made: two of one name would write the same files.
#[derive(Default)]
pub(super) struct Making(Mutex<BTreeSet<String>>);

/// A name that is taken until this is dropped.
struct Begun<'m> {
    making: &'m Making,
    name: &'m str,
}

/// A snapshot that has not got its name yet.
struct Unfinished {
    fs: Arc<dyn FileSystem>,
    /// Where it is made, and where it will be.
    folder: PathBuf,
    path: PathBuf,
}

/// What there is at a moment.
struct Noted {
    manifest: Manifest,
    /// By the numbers of their parts.
    files: Vec<(u64, Source)>,
}

/// The file of a part, which can be read whatever becomes of its name.
enum Source {
    Part(Arc<LivePart>),
    /// Of a part that cannot be read: its bytes are of no less use there than here.
    Damaged(Box<dyn File>),
}

impl Database {
    /// Flushes, and copies all parts into `snapshots/<name>`; gives its path.
    ///
    /// # Errors
    /// A name that is none or is taken, a disk that is full; then there is no such snapshot.
    pub fn snapshot(&self, name: &str) -> Result<PathBuf, UpkeepError> {
        if !is_name(name) {
            return Err(UpkeepError::SnapshotName);
        }
        let _begun = self.making.begin(name)?;
        let mut keeper = self.keeper();
        let unfinished = Unfinished::of(&keeper, name)?;
        let noted = self.note(&mut keeper)?;
        drop(keeper);
        let made = unfinished.make(noted);
        if made.is_err() {
            empty(&*unfinished.fs, &unfinished.folder);
        }
        made
    }

    fn note(&self, keeper: &mut Keeper) -> Result<Noted, UpkeepError> {
        self.flush_into(keeper)?;
        let mut files = Vec::new();
        for line in &keeper.manifest().parts {
            let mut parts = keeper.parts().iter();
            let part = parts.find(|part| part.line().number == line.number);
            let source = match part {
                Some(part) => Some(Source::Part(Arc::clone(part))),
                None => open_damaged(&*keeper.fs(), &keeper.path_of(line.number))?,
            };
            files.extend(source.map(|source| (line.number, source)));
        }
        let manifest = Manifest {
            // Its log will be another.
            flushed: (0, 0),
            ..keeper.manifest().clone()
        };
        Ok(Noted { manifest, files })
    }
}

impl Unfinished {
    fn of(keeper: &Keeper, name: &str) -> Result<Self, UpkeepError> {
        let fs = keeper.fs();
        let snapshots = keeper.directory().join(SNAPSHOTS);
        let path = snapshots.join(name);
        let exists = fs.exists(&path);
        if exists.map_err(|error| UpkeepError::io("look for", &path, error))? {
            return Err(UpkeepError::SnapshotExists(name.to_owned()));
        }
        let folder = snapshots.join(format!("{name}{UNFINISHED}"));
        Ok(Self { fs, folder, path })
    }

    fn make(&self, noted: Noted) -> Result<PathBuf, UpkeepError> {
        let fs = &*self.fs;
        // Files that this one does not write would be taken for its own.
        empty(fs, &self.folder);
        let parts = self.folder.join(PARTS);
        let made = make_durable_dir(fs, &parts);
        made.map_err(|error| UpkeepError::io("create", &parts, error))?;
        for (number, source) in noted.files {
            let path = parts.join(file_name(number));
            let copied = source.copy(fs, &path);
            copied.map_err(|error| UpkeepError::io("copy to", &path, error))?;
        }
        self.sync(&parts)?;
        write_manifest(fs, &self.folder.join(MANIFEST), &noted.manifest)?;
        let renamed = fs.rename(&self.folder, &self.path);
        renamed.map_err(|error| UpkeepError::io("rename", &self.folder, error))?;
        self.sync(self.path.parent().unwrap_or(&self.path))?;
        Ok(self.path.clone())
    }

    fn sync(&self, folder: &Path) -> Result<(), UpkeepError> {
        let synced = self.fs.sync_dir(folder);
        synced.map_err(|error| UpkeepError::io("sync", folder, error))
    }
}

impl Source {
    fn copy(&self, fs: &dyn FileSystem, to: &Path) -> io::Result<()> {
        let target = fs.open(to, Open::Create)?;
        // One that could not be removed may be longer.
        target.set_len(0)?;
        match self {
            Self::Part(part) => part.part().copy_to(&*target)?,
            Self::Damaged(file) => target.copy_from(&**file, 0, 0, file.length()?)?,
        }
        target.sync_data()
    }
}

impl Making {
    fn begin<'m>(&'m self, name: &'m str) -> Result<Begun<'m>, UpkeepError> {
        if !self.lock().insert(name.to_owned()) {
            return Err(UpkeepError::SnapshotBegun(name.to_owned()));
        }
        Ok(Begun { making: self, name })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        self.making.lock().remove(self.name);
    }
}

/// Removes what a crash left of snapshots of the store in `directory`.
pub(super) fn remove_unfinished(fs: &dyn FileSystem, directory: &Path) {
    let snapshots = directory.join(SNAPSHOTS);
    for entry in fs.list(&snapshots).unwrap_or_default() {
        if entry.name.ends_with(UNFINISHED) {
            empty(fs, &snapshots.join(&entry.name));
        }
    }
}

/// Removes the files of a snapshot that did not come to be, as far as that goes: they would
/// fill the disk.
fn empty(fs: &dyn FileSystem, unfinished: &Path) {
    for folder in [unfinished.join(PARTS), unfinished.to_owned()] {
        for entry in fs.list(&folder).unwrap_or_default() {
            if !entry.directory
                && let Err(error) = fs.remove_file(&folder.join(&entry.name))
            {
                tracing::warn!("cannot remove a file of {}: {error}", folder.display());
            }
        }
    }
}

fn open_damaged(fs: &dyn FileSystem, path: &Path) -> Result<Option<Source>, UpkeepError> {
    match fs.open(path, Open::Read) {
        Ok(file) => Ok(Some(Source::Damaged(file))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            tracing::warn!("a snapshot is without {}: it is gone", path.display());
            Ok(None)
        }
        Err(error) => Err(UpkeepError::io("open", path, error)),
    }
}

fn is_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=NAME_BYTES).contains(&name.len())
        && name.bytes().all(is_plain)
        && !name.starts_with('.')
        && !name.ends_with(UNFINISHED)
}
