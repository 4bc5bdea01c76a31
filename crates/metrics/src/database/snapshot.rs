//! A copy of the store as it is, in a folder beside it: parts and the list of them.
//!
//! A snapshot opens as a store of its own. It is complete once it has its name.

use super::Database;
use super::error::UpkeepError;
use super::keeper::{Keeper, MANIFEST, PARTS, file_name};
use std::path::{Path, PathBuf};
use store::fs::{FileSystem, Open, make_durable_dir};

/// The folder of snapshots.
const SNAPSHOTS: &str = "snapshots";

/// Ends the name of one that is being made.
const UNFINISHED: &str = ".new";

/// The longest name: as long as that of a space.
const NAME_BYTES: usize = 64;

impl Database {
    /// Flushes, and copies all parts into `snapshots/<name>`; gives its path.
    ///
    /// # Errors
    /// A name that is none or is taken, a disk that is full; then there is no such snapshot.
    pub fn snapshot(&self, name: &str) -> Result<PathBuf, UpkeepError> {
        if !is_name(name) {
            return Err(UpkeepError::SnapshotName);
        }
        let mut keeper = self.keeper();
        let made = self.make_snapshot(name, &mut keeper);
        if made.is_err() {
            let unfinished = format!("{name}{UNFINISHED}");
            empty(
                keeper.fs(),
                &keeper.directory().join(SNAPSHOTS).join(unfinished),
            );
        }
        made
    }

    fn make_snapshot(&self, name: &str, keeper: &mut Keeper) -> Result<PathBuf, UpkeepError> {
        let folder = keeper.directory().join(SNAPSHOTS);
        let path = folder.join(name);
        let fs = keeper.fs();
        let listed = fs.list(&path);
        if listed.is_ok() {
            return Err(UpkeepError::SnapshotExists(name.to_owned()));
        }
        let unfinished = folder.join(format!("{name}{UNFINISHED}"));
        let parts = unfinished.join(PARTS);
        let made = make_durable_dir(fs, &parts);
        made.map_err(|error| UpkeepError::io("create", &parts, error))?;
        self.flush_into(keeper)?;
        let fs = keeper.fs();
        // Also those that cannot be read: they are of no less use there than here.
        for line in &keeper.manifest().parts {
            let path = keeper.path_of(line.number);
            match fs.exists(&path) {
                Ok(false) => tracing::warn!("a snapshot is without {}: it is gone", path.display()),
                _ => copy(fs, &path, &parts.join(file_name(line.number)))?,
            }
        }
        let sync = |folder: &Path| {
            let synced = fs.sync_dir(folder);
            synced.map_err(|error| UpkeepError::io("sync", folder, error))
        };
        sync(&parts)?;
        let mut manifest = keeper.manifest().clone();
        // Its log will be another.
        manifest.flushed = (0, 0);
        keeper.write_manifest(&unfinished.join(MANIFEST), &manifest)?;
        let renamed = fs.rename(&unfinished, &path);
        renamed.map_err(|error| UpkeepError::io("rename", &unfinished, error))?;
        sync(&folder)?;
        Ok(path)
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

fn is_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=NAME_BYTES).contains(&name.len())
        && name.bytes().all(is_plain)
        && !name.starts_with('.')
        && !name.ends_with(UNFINISHED)
}

fn copy(fs: &dyn FileSystem, from: &Path, to: &Path) -> Result<(), UpkeepError> {
    let source = fs.open(from, Open::Read);
    let source = source.map_err(|error| UpkeepError::io("open", from, error))?;
    let target = fs.open(to, Open::Create);
    let target = target.map_err(|error| UpkeepError::io("create", to, error))?;
    let copied = source.length().and_then(|length| {
        target.set_len(0)?;
        target.copy_from(&*source, 0, 0, length)?;
        target.sync_data()
    });
    copied.map_err(|error| UpkeepError::io("copy to", to, error))
}
