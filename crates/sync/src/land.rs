//! Landing: bringing received content into the folder so that neither a crash
//! nor a power cut nor a person editing at the same moment loses a byte.
//!
//! 1. The bytes are written to temporaries in the corner, with mode and time.
//! 2. The temporaries are made durable together: few by `fsync`, many by one
//!    `syncfs`.
//! 3. Just before each is placed, the target is looked at again. An absent one
//!    is filled by `RENAME_NOREPLACE`; an expected one is swapped by
//!    `RENAME_EXCHANGE`, and what came out is looked at once more. A stranger
//!    that came out was edited in the last instant: it is kept beside the new
//!    file under a conflict name.
//! 4. The directories are made durable.
//! 5. Only then does the caller note the agreement (syncthing #3711: a note
//!    that outlives its bytes turns into a deletion).

use crate::folder::{
    Directory, Folder, Observation, ObservedKind, RelativePath, Temporary, dress, observe_open,
};
use crate::leftovers::is_partial;
use base::{ItemId, Name, VersionId};
use meta::{Kind, Metadata};
use std::collections::BTreeMap;
use std::fs::File;
use std::io;

/// From how many files on one `syncfs` is cheaper than an `fsync` each.
const SYNC_ALL_FROM: usize = 8;

/// A version that shall stand in the folder.
#[derive(Debug, Clone)]
pub struct Want {
    /// The directory's item.
    pub parent: ItemId,
    /// Directory to land in, relative to the folder.
    pub directory: RelativePath,
    /// Name there.
    pub name: Name,
    /// Version to bring.
    pub version: VersionId,
    /// Its state: a file or a link.
    pub metadata: Metadata,
    /// What may be replaced; `None`: nothing may stand there.
    pub over: Option<Observation>,
    /// Under which name an unexpected occupant is kept.
    pub conflict_name: Name,
}

/// What came of one [`Want`].
#[derive(Debug)]
pub enum Landed {
    /// It stands there durably and looks so.
    Placed(Observation),
    /// Something unexpected stands there; look again.
    Raced,
    /// The node no longer gives this version; a newer one is on its way.
    Superseded,
    /// The operating system refused.
    Failed(io::Error),
}

/// Collects received temporaries and places them together.
#[derive(Debug)]
pub struct Lander<'a> {
    folder: &'a Folder,
    staged: Vec<Staged>,
}

#[derive(Debug)]
struct Staged {
    want: Want,
    /// Its name in the corner.
    temporary: String,
    /// How it looks, complete.
    complete: Observation,
    /// Open while it may be synced by itself; a large batch closes its files,
    /// or it would run into the limit of open ones.
    file: Option<File>,
}

impl<'a> Lander<'a> {
    /// An empty one.
    pub fn new(folder: &'a Folder) -> Self {
        Self {
            folder,
            staged: Vec::new(),
        }
    }

    /// Takes a temporary whose bytes are complete and verified.
    ///
    /// # Errors
    /// As the operating system says; the temporary is discarded then.
    pub fn stage(&mut self, want: Want, temporary: Temporary) -> io::Result<()> {
        let Temporary { name, file } = temporary;
        let dressed = dress(&file, want.metadata.mode, want.metadata.modified)
            .and_then(|()| observe_open(&file));
        match dressed {
            Ok(complete) => {
                self.push(want, name, complete, Some(file));
                Ok(())
            }
            Err(error) => {
                self.folder.discard(&name)?;
                Err(error)
            }
        }
    }

    /// Makes the link that `want` is.
    ///
    /// # Errors
    /// As the operating system says.
    pub fn stage_link(&mut self, want: Want) -> io::Result<()> {
        let Kind::Symlink(target) = &want.metadata.kind else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let name = self.folder.temporary_link(target)?;
        self.folder
            .set_temporary_time(&name, want.metadata.modified)?;
        let complete = self.folder.observe_temporary(&name)?;
        self.push(want, name, complete, None);
        Ok(())
    }

    fn push(&mut self, want: Want, temporary: String, complete: Observation, file: Option<File>) {
        self.staged.push(Staged {
            want,
            temporary,
            complete,
            file,
        });
        if self.is_many() {
            self.staged
                .iter_mut()
                .rev()
                .take(SYNC_ALL_FROM)
                .for_each(|staged| staged.file = None);
        }
    }

    fn is_many(&self) -> bool {
        self.staged.len() >= SYNC_ALL_FROM
    }

    /// Places everything staged; returns each with what came of it.
    ///
    /// # Errors
    /// When nothing can be made durable: then nothing was placed that the
    /// caller may rely on.
    pub fn finish(mut self) -> io::Result<Vec<(Want, Landed)>> {
        let many = self.is_many();
        if many {
            self.folder.sync_all()?;
        } else {
            let mut files = self.staged.iter().filter_map(|staged| staged.file.as_ref());
            files.try_for_each(File::sync_all)?;
        }
        let mut directories = BTreeMap::new();
        let mut landed = Vec::with_capacity(self.staged.len());
        for mut staged in std::mem::take(&mut self.staged) {
            let outcome =
                place(self.folder, &mut directories, &mut staged).unwrap_or_else(Landed::Failed);
            if !matches!(outcome, Landed::Placed(_)) {
                self.folder.discard(&staged.temporary)?;
            }
            landed.push((staged.want, outcome));
        }
        if many {
            self.folder.sync_all()?;
        } else {
            directories.values().try_for_each(Directory::sync)?;
        }
        Ok(landed)
    }
}

impl Drop for Lander<'_> {
    /// What was not placed is not left lying, but for downloads that can go on.
    fn drop(&mut self) {
        for staged in self
            .staged
            .iter()
            .filter(|staged| !is_partial(&staged.temporary))
        {
            // What cannot be removed now is at the next start.
            let _ = self.folder.discard(&staged.temporary);
        }
    }
}

fn place(
    folder: &Folder,
    directories: &mut BTreeMap<RelativePath, Directory>,
    staged: &mut Staged,
) -> io::Result<Landed> {
    let Staged {
        want,
        temporary,
        complete: before,
        ..
    } = staged;
    if !directories.contains_key(&want.directory) {
        let directory = folder.directory(&want.directory)?;
        directories.insert(want.directory.clone(), directory);
    }
    let directory = &directories[&want.directory];
    let name = want.name.as_str();
    match &want.over {
        None => match folder.place(temporary, directory, name) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(Landed::Raced),
            Err(error) => return Err(error),
        },
        Some(expected) if expected.kind == ObservedKind::Directory => {
            // Empty it is, or it stays: children are removed by their own steps.
            match directory.remove_directory(name) {
                Ok(()) => {}
                Err(error) if is_in_the_way(&error) => return Ok(Landed::Raced),
                Err(error) => return Err(error),
            }
            match folder.place(temporary, directory, name) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    return Ok(Landed::Raced);
                }
                Err(error) => return Err(error),
            }
        }
        Some(expected) => {
            if !directory
                .observe(name)?
                .is_some_and(|now| now.same_file(expected))
            {
                return Ok(Landed::Raced);
            }
            // After a crash between the swap and the look, the temporary may be
            // somebody's only copy: its name tells `crate::leftovers` so.
            *temporary = folder.mark_swapped(temporary)?;
            match folder.exchange(temporary, directory, name) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Landed::Raced),
                Err(error) => return Err(error),
            }
            let out = folder.observe_temporary(temporary)?;
            if same_bytes(&out, expected) {
                folder.discard(temporary)?;
            } else {
                keep(folder, temporary, directory, &want.conflict_name)?;
            }
        }
    }
    // The rename changed only the inode's change time; any other difference is
    // somebody's edit, and must be found as one: so remember the look before.
    let after = directory.observe(name)?;
    let seen = after
        .filter(|after| same_bytes(after, before))
        .unwrap_or(*before);
    Ok(Landed::Placed(seen))
}

/// Places what came out of an exchange unexpectedly under a name of its own.
fn keep(folder: &Folder, temporary: &str, directory: &Directory, name: &Name) -> io::Result<()> {
    for number in 1_u32.. {
        let candidate = if number == 1 {
            name.clone()
        } else {
            crate::conflict::numbered(name, number)
        };
        match folder.place(temporary, directory, candidate.as_str()) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            result => return result,
        }
    }
    Ok(())
}

/// Equal but for the inode's change time, which a rename touches.
fn same_bytes(a: &Observation, b: &Observation) -> bool {
    (a.kind, a.size, a.mode, a.modified, a.inode) == (b.kind, b.size, b.mode, b.modified, b.inode)
}

fn is_in_the_way(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::NotADirectory | io::ErrorKind::NotFound
    )
}

/// What came of a removal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removed {
    /// It is gone now.
    Done,
    /// It was gone already.
    Absent,
    /// It is not what was expected, and stands there.
    Other,
}

/// Removes the file or link `name` if it still looks as expected. Looked at
/// again after it was taken out of its place, where nobody finds it by name.
///
/// # Errors
/// As the operating system says.
pub fn remove(
    folder: &Folder,
    directory: &Directory,
    name: &Name,
    expected: &Observation,
    conflict_name: &Name,
) -> io::Result<Removed> {
    match directory.observe(name.as_str())? {
        None => return Ok(Removed::Absent),
        Some(now) if now.same_file(expected) => {}
        Some(_) => return Ok(Removed::Other),
    }
    let out = folder.take_out(directory, name.as_str())?;
    if same_bytes(&folder.observe_temporary(&out)?, expected) {
        folder.discard(&out)?;
        return Ok(Removed::Done);
    }
    match folder.place(&out, directory, name.as_str()) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            keep(folder, &out, directory, conflict_name)?;
        }
        result => result?,
    }
    Ok(Removed::Other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::Hash;
    use meta::{Mode, Timestamp};
    use std::fs;
    use std::io::Write;

    struct Scene {
        disk: tempfile::TempDir,
        folder: Folder,
    }

    impl Scene {
        fn new() -> Self {
            let disk = tempfile::tempdir().unwrap();
            let folder = Folder::open(disk.path()).unwrap();
            Self { disk, folder }
        }

        fn look(&self, name: &str) -> Option<Observation> {
            self.folder
                .directory(&RelativePath::root())
                .unwrap()
                .observe(name)
                .unwrap()
        }

        fn want(&self, name: &str, content: &str, over: Option<Observation>) -> Want {
            let time = Timestamp::new(1_000_000_000, 5).unwrap();
            let hash = Hash::of(content.as_bytes());
            Want {
                parent: ItemId::new(1, 0),
                directory: RelativePath::root(),
                name: Name::new(name).unwrap(),
                version: VersionId {
                    item: ItemId::new(1, 0),
                    counter: 1,
                },
                metadata: Metadata::file(hash, content.len() as u64, Mode::FILE, time).unwrap(),
                over,
                conflict_name: Name::new("kept").unwrap(),
            }
        }

        fn land(&self, want: Want, content: &str) -> Landed {
            let mut lander = Lander::new(&self.folder);
            let mut temporary = self.folder.temporary().unwrap();
            temporary.file.write_all(content.as_bytes()).unwrap();
            lander.stage(want, temporary).unwrap();
            let outcome = lander.finish().unwrap().pop().unwrap().1;
            assert_eq!(self.folder.temporaries().unwrap(), Vec::<String>::new());
            outcome
        }

        fn read(&self, name: &str) -> String {
            fs::read_to_string(self.disk.path().join(name)).unwrap()
        }
    }

    #[test]
    fn fills_an_absent_place_and_refuses_a_taken_one() {
        let scene = Scene::new();
        assert!(matches!(
            scene.land(scene.want("a", "new", None), "new"),
            Landed::Placed(_)
        ));
        assert!(matches!(
            scene.land(scene.want("a", "other", None), "other"),
            Landed::Raced
        ));
        assert_eq!(scene.read("a"), "new");
    }

    #[test]
    fn replaces_only_what_was_expected() {
        let scene = Scene::new();
        fs::write(scene.disk.path().join("a"), "old").unwrap();
        let expected = scene.look("a");
        assert!(matches!(
            scene.land(scene.want("a", "new", expected), "new"),
            Landed::Placed(_)
        ));
        assert_eq!(scene.read("a"), "new");
        // `expected` is stale now: the file is another one.
        assert!(matches!(
            scene.land(scene.want("a", "newer", expected), "newer"),
            Landed::Raced
        ));
        assert_eq!(scene.read("a"), "new");
    }

    #[test]
    fn the_placed_look_holds() {
        let scene = Scene::new();
        let Landed::Placed(seen) = scene.land(scene.want("a", "new", None), "new") else {
            panic!()
        };
        assert_eq!(scene.look("a"), Some(seen));
        assert_eq!(seen.modified, Timestamp::new(1_000_000_000, 5).unwrap());
    }

    #[test]
    fn removes_only_what_was_expected() {
        let scene = Scene::new();
        let (name, kept) = (Name::new("a").unwrap(), Name::new("kept").unwrap());
        fs::write(scene.disk.path().join("a"), "old").unwrap();
        let expected = scene.look("a").unwrap();
        fs::write(scene.disk.path().join("a"), "edited").unwrap();
        let root = scene.folder.directory(&RelativePath::root()).unwrap();
        let remove = |expected| remove(&scene.folder, &root, &name, expected, &kept).unwrap();
        assert_eq!(remove(&expected), Removed::Other);
        assert_eq!(scene.read("a"), "edited");
        let now = scene.look("a").unwrap();
        assert_eq!(remove(&now), Removed::Done);
        assert_eq!(scene.look("a"), None);
        assert_eq!(remove(&now), Removed::Absent);
    }
}
