//! How what stands in a synced folder relates to what its client knows: which version was
//! agreed upon, what was changed here since, and what the node has.
//!
//! It reads what the client wrote ([`crate::trees`]), of one moment, also while that
//! client runs; it asks no node and changes nothing.

use super::Met;
use crate::folder::CORNER;
use crate::marker::{self, Marker};
use crate::plan::Remote;
use crate::trees::{SyncedRow, Trees, TreesError};
use base::{ItemId, Slug};
use meta::manifest::{Aspects, EntryPath, differences};
use meta::{Metadata, NodeName, Record, RecordKind, Replica, Replicas, Status, SyncState};
use std::ffi::OsStr;
use std::io;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};

/// A synced folder, around a directory or that directory itself.
#[derive(Debug)]
pub struct Around {
    folder: PathBuf,
    marker: Marker,
    /// Where in it the directory is.
    inside: PathBuf,
}

/// What the client of a synced folder knows of a directory in it.
#[derive(Debug)]
pub struct Standing {
    trees: Trees,
    node: Option<NodeName>,
    /// The directory, if the client knows it.
    top: Option<ItemId>,
    /// Directories around what was told of last.
    around: Vec<(EntryPath, Option<ItemId>)>,
}

/// What the client of a synced folder knows cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum StandingError {
    /// The directory.
    #[error("cannot tell where {path} is: {source}")]
    Place {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The marker of the folder.
    #[error("cannot read {folder}/.atoll/marker.json: {source}")]
    Marker {
        /// Which.
        folder: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is no state, or one of another version of Atoll.
    #[error(
        "{0}/.atoll/state.db is missing, or was written by another version of atoll: sync the \
         folder once with this one"
    )]
    NoState(PathBuf),
    /// The state.
    #[error(transparent)]
    Trees(#[from] TreesError),
}

impl Around {
    /// The synced folder that the directory at `path` lies in, `None` when it lies in none.
    /// Of the folders on the way up, nobody chose any: see [`marker::read_own`].
    ///
    /// # Errors
    /// [`StandingError`].
    pub fn find(path: &Path) -> Result<Option<Self>, StandingError> {
        let place = |source| StandingError::Place {
            path: path.to_owned(),
            source,
        };
        let path = path.canonicalize().map_err(place)?;
        for folder in path.ancestors() {
            let marker = marker::read_own(folder).map_err(|source| StandingError::Marker {
                folder: folder.to_owned(),
                source,
            })?;
            let Some(marker) = marker else { continue };
            let inside = path.strip_prefix(folder).unwrap_or(Path::new(""));
            if inside.starts_with(CORNER) {
                return Ok(None);
            }
            return Ok(Some(Self {
                folder: folder.to_owned(),
                marker,
                inside: inside.to_owned(),
            }));
        }
        Ok(None)
    }

    /// The space that the directory follows: if it is the folder itself. One inside has no
    /// corner, and what is called like one in it is like any other.
    pub fn space(&self) -> Option<Slug> {
        let is_folder = self.inside.as_os_str().is_empty();
        is_folder
            .then(|| Slug::new(&self.marker.slug).ok())
            .flatten()
    }

    /// What the folder's client knows of the directory.
    ///
    /// # Errors
    /// [`StandingError`].
    pub fn standing(&self) -> Result<Standing, StandingError> {
        let state = self.folder.join(CORNER).join("state.db");
        let trees = Trees::open_to_read(&state)?;
        let trees = trees.ok_or_else(|| StandingError::NoState(self.folder.clone()))?;
        // As the node itself says it; a folder joined long ago may know its address alone.
        let known = [self.marker.node.as_str(), self.marker.server.as_str()];
        Ok(Standing {
            top: descend(&trees, &self.inside)?,
            trees,
            node: known.iter().find_map(|name| NodeName::new(name).ok()),
            around: Vec::new(),
        })
    }
}

impl Standing {
    /// Notes in an entry's record what is known of it. Entries come in the order of a
    /// walk.
    ///
    /// # Errors
    /// [`TreesError`].
    pub fn tell(&mut self, met: &mut Met) -> Result<(), TreesError> {
        let (row, remote) = if met.path.is_root() {
            self.own()?
        } else {
            self.child(&met.path)?
        };
        if met.record.is_directory() {
            let item = row.as_ref().map(|row| row.synced.version.item);
            let item = item.or_else(|| remote.as_ref().map(|remote| remote.version.item));
            self.around.push((met.path.clone(), item));
        }
        met.record.version = row.as_ref().map_or(0, |row| row.synced.version.counter);
        met.record.sync_state = Some(SyncState {
            status: status(met, row.as_ref(), remote.as_ref()),
            last_modified: None,
            replicas: self.replicas(remote.as_ref()),
        });
        Ok(())
    }

    /// What is known of the directory itself.
    fn own(&self) -> Result<(Option<SyncedRow>, Option<Remote>), TreesError> {
        let Some(item) = self.top else {
            return Ok((None, None));
        };
        let row = self.trees.synced_item(item)?;
        let news: Vec<_> = self.trees.news_of(item)?.into_iter().collect();
        let remote = self.trees.overlay(row.as_ref(), &news)?;
        Ok((row, remote))
    }

    fn child(
        &mut self,
        path: &EntryPath,
    ) -> Result<(Option<SyncedRow>, Option<Remote>), TreesError> {
        let (Some(parent), Some(name)) = (self.parent(path), path.names().last()) else {
            return Ok((None, None));
        };
        let row = self.trees.synced_child(parent, name)?;
        let remote = self.trees.remote_child(parent, name, row.as_ref())?;
        Ok((row, remote))
    }

    fn parent(&mut self, path: &EntryPath) -> Option<ItemId> {
        let Some(parent) = path.parent() else {
            return self.top;
        };
        while self
            .around
            .last()
            .is_some_and(|(at, _)| at.as_str() != parent)
        {
            self.around.pop();
        }
        self.around.last().and_then(|(_, item)| *item)
    }

    fn replicas(&self, remote: Option<&Remote>) -> Replicas {
        let mut replicas = Replicas::default();
        let version = remote.and_then(|remote| NonZeroU64::new(remote.version.counter));
        if let (Some(node), Some(version)) = (&self.node, version) {
            let node = node.clone();
            // The first of them always finds room.
            let _ = replicas.add(Replica { node, version });
        }
        replicas
    }
}

/// The item of the directory `inside` a folder, if the client knows one there.
fn descend(trees: &Trees, inside: &Path) -> Result<Option<ItemId>, TreesError> {
    let Some(place) = trees.place()? else {
        return Ok(None);
    };
    let mut item = ItemId::root_of(place.space);
    for name in inside.iter().map(OsStr::to_str) {
        let Some(name) = name else { return Ok(None) };
        let row = trees.synced_child(item, name)?;
        let remote = trees.remote_child(item, name, row.as_ref())?;
        let known = row.map(|row| row.synced.version.item);
        let Some(below) = known.or(remote.map(|remote| remote.version.item)) else {
            return Ok(None);
        };
        item = below;
    }
    Ok(Some(item))
}

fn status(met: &Met, row: Option<&SyncedRow>, remote: Option<&Remote>) -> Status {
    let is_newer = match (row, remote) {
        (Some(row), Some(remote)) => row.synced.version != remote.version,
        (None, None) => false,
        // The node has it no more, or has what is not here yet.
        (Some(_), None) | (None, Some(_)) => true,
    };
    let agreed = row.map(|row| (row.synced.version.counter, &row.synced.metadata));
    let known = agreed.or(remote.map(|remote| (remote.version.counter, &remote.metadata)));
    let is_changed = known.is_none_or(|(counter, metadata)| differs(met, counter, metadata));
    match (is_changed, is_newer) {
        (false, false) => Status::Synced,
        (true, false) => Status::Modified,
        (false, true) => Status::Pending,
        (true, true) => Status::Conflict,
    }
}

/// Whether what stands here is not what was agreed upon, as far as syncing carries it.
fn differs(met: &Met, counter: u64, agreed: &Metadata) -> bool {
    let mut here = met.record.clone();
    if let RecordKind::File { mode, .. } | RecordKind::Directory { mode } = &mut here.kind {
        *mode = Some(met.look.seen.mode);
    }
    // Of counter 0 only the content is agreed upon.
    let dressed = counter > 0;
    let aspects = Aspects {
        mode: dressed,
        mtime: dressed,
        attributes: false,
    };
    !differences(&Record::of(counter, agreed), &here, aspects).is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Silent;
    use crate::folder::Observation;
    use crate::inventory::{Tree, Walked, look, take};
    use crate::plan::Synced;
    use crate::trees::Place;
    use base::{Cursor, DeviceId, Hash, LogId, Name, SpaceId, VersionId};
    use state::Version;
    use std::fs;

    const SPACE: u64 = 1 << 16;

    /// A folder whose client knows what `learn` tells it.
    fn folder(learn: impl FnOnce(&Path, &Trees, ItemId)) -> tempfile::TempDir {
        let disk = tempfile::tempdir().unwrap();
        fs::create_dir(disk.path().join(CORNER)).unwrap();
        let marker = r#"{"site":"1","space":"1","slug":"docs","server":"https://reef:1"}"#;
        fs::write(disk.path().join(".atoll/marker.json"), marker).unwrap();
        let trees = Trees::open(&disk.path().join(".atoll/state.db")).unwrap();
        let space = SpaceId::from_u64(SPACE).unwrap();
        let cursor = Cursor {
            log: LogId::from_u64(1),
            index: 1,
            ordinal: 0,
        };
        trees.restart(Place { space, cursor }).unwrap();
        learn(disk.path(), &trees, ItemId::root_of(space));
        trees.commit().unwrap();
        disk
    }

    fn id(number: u64, counter: u64) -> VersionId {
        let item = ItemId::new(number, 0);
        VersionId { item, counter }
    }

    /// Writes a file that was agreed upon as it stands.
    fn agree(folder: &Path, trees: &Trees, parent: ItemId, name: &str, version: VersionId) {
        fs::write(folder.join(name), name).unwrap();
        let file = fs::File::open(folder.join(name)).unwrap();
        let (_, look) = look::again(&file).unwrap();
        let Observation { mode, modified, .. } = look.seen;
        let hash = Hash::of(name.as_bytes());
        let metadata = Metadata::file(hash, name.len() as u64, mode, modified).unwrap();
        let synced = Synced {
            version,
            metadata,
            seen: look.seen,
            racy: false,
        };
        let (parent, name) = (Some(parent), name.to_owned());
        trees
            .agree(&SyncedRow {
                parent,
                name,
                synced,
            })
            .unwrap();
    }

    fn newer(parent: ItemId, name: &str, id: VersionId, state: Option<Metadata>) -> Version {
        Version {
            id,
            parent,
            name: Name::new(name).unwrap(),
            state,
            device: DeviceId::ADMIN,
            time: 0,
            index: 5,
            ordinal: 0,
        }
    }

    fn told(folder: &Path) -> Vec<String> {
        let around = Around::find(folder).unwrap().unwrap();
        let mut standing = around.standing().unwrap();
        let mut told = Vec::new();
        let tree = Tree::open(folder).unwrap().without_corner();
        take::<TreesError>(&tree, true, &Silent, |walked| {
            let Walked::Entry(mut met) = walked else {
                panic!("{walked:?}");
            };
            standing.tell(&mut met)?;
            let state = met.record.sync_state.unwrap();
            let replicas = state.replicas.iter();
            let replicas = replicas.map(|it| format!(" {}={}", it.node, it.version));
            let (path, version) = (met.path, met.record.version);
            let status = state.status.as_str();
            told.push(format!(
                "{path} {version} {status}{}",
                replicas.collect::<String>()
            ));
            Ok(())
        })
        .unwrap();
        told
    }

    #[test]
    fn every_state_is_told() {
        let disk = folder(|folder, trees, root| {
            for (number, name) in ["both", "changed", "gone", "newer", "same"]
                .into_iter()
                .enumerate()
            {
                agree(folder, trees, root, name, id(number as u64 + 2, 3));
            }
            let time = meta::Timestamp::default();
            let state = Metadata::file(Hash::of(b"far"), 3, meta::Mode::FILE, time).unwrap();
            for (number, name, state) in [
                (2, "both", Some(&state)),
                (4, "gone", None),
                (5, "newer", Some(&state)),
            ] {
                let version = newer(root, name, id(number, 4), state.cloned());
                assert!(trees.learn(&version).unwrap());
            }
            fs::write(folder.join("both"), "edited").unwrap();
            fs::write(folder.join("changed"), "edited").unwrap();
            fs::write(folder.join("new"), "never seen").unwrap();
        });
        let expected = [
            ". 0 modified",
            "both 3 conflict https://reef:1=4",
            "changed 3 modified https://reef:1=3",
            "gone 3 pending",
            "new 0 modified",
            "newer 3 pending https://reef:1=4",
            "same 3 synced https://reef:1=3",
        ];
        assert_eq!(told(disk.path()), expected);
    }

    #[test]
    fn directories_are_followed_and_may_be_the_top() {
        let disk = folder(|folder, trees, root| {
            // Another one stands between it and its file.
            fs::create_dir_all(folder.join("d/a")).unwrap();
            let directory = id(2, 1);
            let time = meta::Timestamp::default();
            let state = Metadata::directory(meta::Mode::DIRECTORY, time);
            let version = newer(root, "d", directory, Some(state));
            assert!(trees.learn(&version).unwrap());
            agree(folder, trees, directory.item, "d/f", id(3, 2));
            // Filed under its name alone.
            let row = trees.synced_item(id(3, 2).item).unwrap().unwrap();
            let name = "f".to_owned();
            trees.agree(&SyncedRow { name, ..row }).unwrap();
            fs::write(folder.join("e"), "").unwrap();
        });
        let file = "f 2 synced https://reef:1=2";
        let whole = told(disk.path());
        assert_eq!(whole[3], format!("d/{file}"));
        assert_eq!(whole[4], "e 0 modified");
        assert_eq!(told(&disk.path().join("d"))[2], file);
        let space = |path: &Path| Around::find(path).unwrap().unwrap().space();
        assert_eq!(space(disk.path()).unwrap().as_str(), "docs");
        assert_eq!(space(&disk.path().join("d")), None);
        assert!(Around::find(&disk.path().join(CORNER)).unwrap().is_none());
    }

    #[test]
    fn a_state_that_cannot_be_read_is_named_and_kept() {
        let disk = folder(|_, _, _| {});
        let state = disk.path().join(".atoll/state.db");
        fs::remove_file(&state).unwrap();
        let around = Around::find(disk.path()).unwrap().unwrap();
        let error = around.standing().unwrap_err();
        assert!(matches!(error, StandingError::NoState(_)), "{error}");
        fs::write(&state, "no database at all").unwrap();
        assert!(around.standing().is_err());
        assert_eq!(fs::read(&state).unwrap(), b"no database at all");
        let nowhere = tempfile::tempdir().unwrap();
        assert!(Around::find(nowhere.path()).unwrap().is_none());
    }
}
