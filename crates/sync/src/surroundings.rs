//! Where a synced folder may lie: not in a node's data directory, and not in
//! another synced folder, whose client would take the same entries for its own.
//!
//! Judged by what stands in the directories above it, before anything is made
//! in the folder. What lies beneath it is judged by the look that finds it
//! (`round::look`), with [`Foreign`] as the reason.

use crate::folder::{CORNER, Directory, ObservedKind};
use std::convert::Infallible;
use std::io;
use std::path::{Path, PathBuf};

/// What every data directory of a node holds.
const DATA_FILE: &str = "node.yaml";
const DATA_DIRECTORIES: [&str; 2] = ["log", "blobs"];

/// A directory that a look does not enter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Foreign {
    /// It has a corner of its own.
    Synced,
    /// It is a node's data directory.
    Data,
}

impl Foreign {
    /// Why it is left alone, and what to do.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Synced => {
                "it is a synced folder of its own (it holds .atoll); move it out of this folder"
            }
            Self::Data => "it holds a node's data; move it out of the folder",
        }
    }

    /// What the opened `directory` is, if it must not be entered.
    ///
    /// # Errors
    /// As the operating system says.
    pub fn of(directory: &Directory) -> io::Result<Option<Self>> {
        let is = |name: &str, kind: ObservedKind| {
            let seen = directory.observe(name)?;
            Ok::<_, io::Error>(seen.is_some_and(|seen| seen.kind == kind))
        };
        if is(CORNER, ObservedKind::Directory)? {
            return Ok(Some(Self::Synced));
        }
        Ok(is_data(is)?.then_some(Self::Data))
    }
}

/// Whether a directory, of which `is` tells what stands in it, is a node's data.
fn is_data<E>(is: impl Fn(&str, ObservedKind) -> Result<bool, E>) -> Result<bool, E> {
    let mut is_data = is(DATA_FILE, ObservedKind::File)?;
    for name in DATA_DIRECTORIES {
        is_data = is_data && is(name, ObservedKind::Directory)?;
    }
    Ok(is_data)
}

/// A folder cannot lie where it lies.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PlaceError {
    /// In, or as, a node's data directory.
    #[error(
        "{path} lies in {data}, where a node keeps its data; a node's data is never synced, \
         choose another folder"
    )]
    Data {
        /// The folder.
        path: PathBuf,
        /// The data directory.
        data: PathBuf,
    },
    /// In another synced folder.
    #[error(
        "{path} lies in the synced folder {above}; sync that one, or choose a folder outside of it"
    )]
    Synced {
        /// The folder.
        path: PathBuf,
        /// The one above it.
        above: PathBuf,
    },
}

/// Whether a folder at `path`, which need not exist yet, may be synced.
///
/// # Errors
/// [`PlaceError`].
pub fn check(path: &Path) -> Result<(), PlaceError> {
    let path = real(path);
    for above in path.ancestors() {
        let is = |name: &str, kind| Ok::<_, Infallible>(is_at(&above.join(name), kind));
        if is_data(is) == Ok(true) {
            return Err(PlaceError::Data {
                data: above.to_owned(),
                path,
            });
        }
        if above != path && above.join(CORNER).join("marker.json").is_file() {
            return Err(PlaceError::Synced {
                above: above.to_owned(),
                path,
            });
        }
    }
    Ok(())
}

/// What cannot be looked at is no data.
fn is_at(path: &Path, kind: ObservedKind) -> bool {
    match kind {
        ObservedKind::Directory => path.is_dir(),
        _ => path.is_file(),
    }
}

/// The absolute path, with the links followed of as much of it as exists.
fn real(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    for above in path.ancestors() {
        if let (Ok(real), Ok(rest)) = (above.canonicalize(), path.strip_prefix(above)) {
            return real.join(rest);
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn folders_in_data_or_in_another_folder_are_refused() {
        let top = tempfile::tempdir().unwrap();
        let top = top.path().canonicalize().unwrap();
        for directory in ["data/log", "data/blobs/x", "f/.atoll", "f/sub", "half/log"] {
            fs::create_dir_all(top.join(directory)).unwrap();
        }
        for file in ["data/node.yaml", "half/node.yaml", "f/.atoll/marker.json"] {
            fs::write(top.join(file), "").unwrap();
        }
        std::os::unix::fs::symlink(top.join("f/sub"), top.join("link")).unwrap();
        let data = |path: &str| {
            Err(PlaceError::Data {
                path: top.join(path),
                data: top.join("data"),
            })
        };
        let synced = |path: &str| {
            Err(PlaceError::Synced {
                path: top.join(path),
                above: top.join("f"),
            })
        };
        for (path, expected) in [
            ("data", data("data")),
            ("data/blobs/x", data("data/blobs/x")),
            ("data/blobs/new/deep", data("data/blobs/new/deep")),
            ("f", Ok(())),
            ("f/sub", synced("f/sub")),
            ("link", synced("f/sub")),
            ("link/new", synced("f/sub/new")),
            ("half/new", Ok(())),
            ("new", Ok(())),
        ] {
            assert_eq!(check(&top.join(path)), expected, "{path}");
        }
    }

    #[test]
    fn an_opened_directory_tells_what_it_is() {
        let top = tempfile::tempdir().unwrap();
        let folder = crate::folder::Folder::open(top.path()).unwrap();
        let at = |name: &str| crate::folder::RelativePath::root().child(name);
        for directory in ["plain", "inner/.atoll", "data/log", "data/blobs"] {
            fs::create_dir_all(top.path().join(directory)).unwrap();
        }
        fs::write(top.path().join("data/node.yaml"), "").unwrap();
        for (name, expected) in [
            ("plain", None),
            ("inner", Some(Foreign::Synced)),
            ("data", Some(Foreign::Data)),
        ] {
            let directory = folder.directory(&at(name)).unwrap();
            assert_eq!(Foreign::of(&directory).unwrap(), expected, "{name}");
        }
    }
}
