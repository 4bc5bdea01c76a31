//! The walk: a directory before what it holds, its children by the bytes of their names,
//! through no link.
//!
//! The names of one directory on each level are held, and handles of the first levels;
//! deeper ones are opened again from the top when the walk comes back to them, so that
//! no depth uses up the files that a process may have open.

use super::look::{Files, Looked, Opened, look, look_at_directory};
use super::{LeftOut, Met, Reason, Walked};
use crate::folder::{CORNER, Directory, ObservedKind};
use crate::printable;
use base::Name;
use meta::manifest::EntryPath;
use std::io;
use std::path::Path;
use std::vec;

/// A directory, opened to be walked.
#[derive(Debug)]
pub struct Tree {
    root: Directory,
    leaves_out_corner: bool,
}

/// What stands in a directory, as it is met.
#[derive(Debug)]
pub struct Walk<'t> {
    tree: &'t Tree,
    files: Files,
    begun: bool,
    levels: Vec<Level>,
}

/// A directory that the walk is in.
#[derive(Debug)]
struct Level {
    path: EntryPath,
    inode: u64,
    /// Unless it lies deeper than handles are held and the walk is below it.
    directory: Option<Directory>,
    /// Those to come.
    names: vec::IntoIter<Vec<u8>>,
}

/// Levels whose handles are held: deeper than most trees are, and a fraction of what a
/// process may open.
const HELD: usize = 64;

impl Tree {
    /// Opens the directory at `path`, to which a link may lead.
    ///
    /// # Errors
    /// As the operating system says.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self {
            root: Directory::at(path)?,
            leaves_out_corner: false,
        })
    }

    /// Without the corner of a folder that Atoll syncs: there it keeps what it knows, which
    /// is no part of the folder. Only a directory at the top is one.
    ///
    /// Whether it is such a folder is for the caller to know, and not to be asked of what
    /// stands there: whoever can write into a directory could hide something from a
    /// comparison in a corner that he made.
    #[must_use]
    pub fn without_corner(self) -> Self {
        let leaves_out_corner = true;
        Self {
            leaves_out_corner,
            ..self
        }
    }

    /// All that stands in it, itself first.
    pub const fn walk(&self) -> Walk<'_> {
        self.walk_with(Files::Opened)
    }

    /// The same, for whoever wants no contents: files are not opened.
    pub(super) const fn walk_closed(&self) -> Walk<'_> {
        self.walk_with(Files::Closed)
    }

    const fn walk_with(&self, files: Files) -> Walk<'_> {
        Walk {
            tree: self,
            files,
            begun: false,
            levels: Vec::new(),
        }
    }
}

/// The entry at `path` alone, by its name.
///
/// # Errors
/// As the operating system says of the directory that it stands in; `NotFound`.
pub fn one(path: &Path, contents: bool) -> io::Result<Walked> {
    let not_found = || io::Error::from(io::ErrorKind::NotFound);
    let name = path.file_name().ok_or_else(not_found)?;
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let directory = Directory::at(parent.unwrap_or(Path::new(".")))?;
    let name = name.as_encoded_bytes();
    let files = if contents {
        Files::Opened
    } else {
        Files::Closed
    };
    let found = walked(&directory, &EntryPath::root(), name, files);
    Ok(found.ok_or_else(not_found)?.0)
}

impl Iterator for Walk<'_> {
    type Item = Walked;

    fn next(&mut self) -> Option<Walked> {
        if !self.begun {
            self.begun = true;
            return Some(self.begin());
        }
        loop {
            let level = self.levels.last_mut()?;
            let Some(name) = level.names.next() else {
                self.levels.pop();
                continue;
            };
            match level.meet(self.tree, &name, self.files) {
                Ok(Some((walked, entered))) => {
                    self.levels.extend(entered);
                    self.let_go();
                    return Some(walked);
                }
                Ok(None) => {}
                Err(reason) => {
                    let path = level.path.to_string();
                    self.levels.pop();
                    // Its entry was given before: this is no second one.
                    let place = None;
                    return Some(Walked::LeftOut(LeftOut {
                        path,
                        place,
                        reason,
                    }));
                }
            }
        }
    }
}

impl Walk<'_> {
    fn begin(&mut self) -> Walked {
        let path = EntryPath::root();
        let root = self.tree.root.beneath(path.as_str());
        let looked = root.map_err(Reason::from).and_then(look_at_directory);
        let (walked, entered) = told(path, looked);
        self.levels.extend(entered);
        walked
    }

    /// Closes the handle above the directory that was just entered, if it lies deep.
    fn let_go(&mut self) {
        if self.levels.len() > HELD + 1 {
            let above = self.levels.len() - 2;
            self.levels[above].directory = None;
        }
    }
}

impl Level {
    /// What stands at `name` in it.
    fn meet(&mut self, tree: &Tree, name: &[u8], files: Files) -> Result<Option<Told>, Reason> {
        let directory = match &mut self.directory {
            Some(directory) => directory,
            none => none.insert(reopen(tree, &self.path, self.inode)?),
        };
        let may_be_corner = tree.leaves_out_corner && self.path.is_root();
        if may_be_corner && name == CORNER.as_bytes() && is_directory(directory, CORNER) {
            return Ok(None);
        }
        Ok(walked(directory, &self.path, name, files))
    }
}

fn is_directory(directory: &Directory, name: &str) -> bool {
    let seen = directory.observe(name).ok().flatten();
    seen.is_some_and(|seen| seen.kind == ObservedKind::Directory)
}

/// Another directory that took the place of the one that was listed is not that one.
fn reopen(tree: &Tree, path: &EntryPath, inode: u64) -> Result<Directory, Reason> {
    let directory = tree.root.beneath(path.as_str())?;
    if directory.observe_self()?.inode == inode {
        Ok(directory)
    } else {
        Err(Reason::Changing)
    }
}

/// What stands somewhere, and the level below if it is a directory.
type Told = (Walked, Option<Level>);

/// What stands at `name`; `None` when it is gone.
fn walked(directory: &Directory, parent: &EntryPath, name: &[u8], files: Files) -> Option<Told> {
    let unnamed = |reason| {
        let name = printable::name(name);
        let path = if parent.is_root() {
            name
        } else {
            format!("{parent}/{name}")
        };
        let place = None;
        Some((
            Walked::LeftOut(LeftOut {
                path,
                place,
                reason,
            }),
            None,
        ))
    };
    let Ok(text) = std::str::from_utf8(name) else {
        return unnamed(Reason::NotUnicode);
    };
    let name = match Name::new(text) {
        Ok(name) => name,
        Err(error) => return unnamed(error.into()),
    };
    let Ok(path) = parent.join(&name) else {
        return unnamed(Reason::PathTooLong);
    };
    let looked = look(directory, name.as_str(), files).transpose()?;
    Some(told(path, looked))
}

fn told(path: EntryPath, looked: Result<Looked, Reason>) -> Told {
    let entered = looked.and_then(|looked| enter(&path, looked));
    match entered {
        Ok((met, level)) => (Walked::Entry(met), level),
        Err(reason) => {
            let left_out = LeftOut {
                path: path.to_string(),
                place: Some(path),
                reason,
            };
            (Walked::LeftOut(left_out), None)
        }
    }
}

/// Lists a directory before it is told of: one that cannot be listed is left out whole.
fn enter(path: &EntryPath, looked: Looked) -> Result<(Met, Option<Level>), Reason> {
    let (content, level) = match looked.opened {
        Opened::Nothing => (None, None),
        Opened::File(file) => (Some(file), None),
        Opened::Directory(directory) => {
            let mut names = directory.names()?;
            names.sort_unstable();
            let level = Level {
                path: path.clone(),
                inode: looked.look.seen.inode,
                directory: Some(directory),
                names: names.into_iter(),
            };
            (None, Some(level))
        }
    };
    let met = Met {
        path: path.clone(),
        record: looked.record,
        look: looked.look,
        content,
    };
    Ok((met, level))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &[u8], expected: &str) {
        let disk = tempfile::tempdir().unwrap();
        let directory = Directory::at(disk.path()).unwrap();
        let found = walked(&directory, &EntryPath::root(), name, Files::Opened);
        let Some((Walked::LeftOut(left_out), None)) = found else {
            panic!("{found:?}");
        };
        assert_eq!(left_out.reason.to_string(), expected);
    }

    /// Some file systems count characters.
    #[test]
    fn what_is_wrong_with_a_name_is_said() {
        check(b"\xff", "its name is not UTF-8");
        let long = [b'd'; 300];
        let start = "d".repeat(40);
        let expected = format!("its name `{start}…` has 300 bytes; the limit is 255");
        check(&long, &expected);
    }
}
