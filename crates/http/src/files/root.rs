//! A directory held open, and names resolved beneath it by the kernel.
//!
//! Every look is one `openat2(2)` with `RESOLVE_BENEATH`, so neither `..` nor a
//! link that leads out, nor one swapped in at the wrong moment, leaves the
//! directory. A kernel without `openat2` (before 5.6) is refused at the start
//! rather than served with less. What a path becomes is decided in
//! [`super::load`]; nothing is kept here.

use super::facts::{Facts, Time};
use super::listing::{Entry, Listing, MAX_ENTRIES};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// A directory to serve from.
#[derive(Debug)]
pub struct Root {
    handle: OwnedFd,
    links: Links,
}

/// What symbolic links may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Links {
    /// Lead to what is beneath the root; one that leads out, or that is
    /// absolute, is 404.
    #[default]
    Inside,
    /// Nothing: every link is 404.
    Refused,
    /// Lead anywhere that the process may read.
    Anywhere,
}

/// Something that was opened.
#[derive(Debug)]
pub enum Opened {
    /// A regular file, for reading.
    File(File, Facts),
    /// A directory, for listing.
    Directory(OwnedFd),
}

/// Why nothing was opened.
#[derive(Debug)]
pub enum Miss {
    /// There is nothing that may be served: 404.
    Absent,
    /// The process may not read it: 403.
    Denied,
    /// The process is out of descriptors or memory: 503.
    Exhausted(io::Error),
    /// The disk failed: 500.
    Failed(io::Error),
}

/// Why a directory cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum RootError {
    /// The directory cannot be opened.
    #[error("cannot open the directory to serve, {path}: {source}")]
    Open {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The kernel cannot resolve beneath a directory.
    #[error(
        "cannot serve {path}: this kernel has no openat2, without which links could lead out \
         of it; Linux 5.6 or newer is needed, and no sandbox that forbids the call"
    )]
    Unsupported {
        /// The directory.
        path: PathBuf,
    },
}

/// How often a resolution is tried again that a rename elsewhere disturbed
/// (`EAGAIN` in openat2(2)).
const ATTEMPTS: usize = 16;

/// The most names of a directory that are looked at for a listing of the first of them:
/// nobody else of a loop has a turn meanwhile.
const MAX_NAMES: usize = 100_000;

impl Root {
    /// Opens `path` and makes sure that names can be resolved beneath it.
    pub fn open(path: &Path, links: Links) -> Result<Self, RootError> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let open_error = |source: io::Error| RootError::Open {
            path: path.to_owned(),
            source,
        };
        let handle = rustix::fs::open(path, flags, Mode::empty())
            .map_err(|errno| open_error(errno.into()))?;
        let root = Self { handle, links };
        match root.resolve(b"", flags) {
            Ok(_) => Ok(root),
            Err(Errno::NOSYS | Errno::PERM) => Err(RootError::Unsupported {
                path: path.to_owned(),
            }),
            Err(errno) => Err(open_error(errno.into())),
        }
    }

    /// Opens what is at `path`, relative to the root and empty for the root itself.
    pub fn open_beneath(&self, path: &[u8]) -> Result<Opened, Miss> {
        // Not blocking, because a named pipe without a writer would wait for one.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let handle = self.resolve(path, flags)?;
        let stat = rustix::fs::fstat(&handle)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Ok(Opened::File(File::from(handle), Facts::from(&stat))),
            FileType::Directory => Ok(Opened::Directory(handle)),
            _ => Err(Miss::Absent),
        }
    }

    /// The facts of the regular file at `path`, without opening it.
    pub fn look(&self, path: &[u8]) -> Result<Facts, Miss> {
        let handle = self.resolve(path, OFlags::PATH | OFlags::CLOEXEC)?;
        let stat = rustix::fs::fstat(&handle)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Ok(Facts::from(&stat)),
            _ => Err(Miss::Absent),
        }
    }

    /// What is in an opened directory, which is at `path`: files and
    /// directories, and links that lead to one of them where links may.
    pub fn list(
        &self,
        path: &[u8],
        directory: &OwnedFd,
        show_dotfiles: bool,
    ) -> Result<Listing, Miss> {
        let mut names = First::new(MAX_ENTRIES);
        for (place, entry) in rustix::fs::Dir::read_from(directory)?.enumerate() {
            if place == MAX_NAMES {
                names.is_truncated = true;
                break;
            }
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if matches!(name, b"." | b"..") || (name.starts_with(b".") && !show_dotfiles) {
                continue;
            }
            names.add(name);
        }
        let is_truncated = names.is_truncated;
        let names = names.kept.into_iter();
        let entries = names.filter_map(|name| self.entry(path, directory, &name));
        Ok(Listing::new(entries.collect(), is_truncated))
    }

    /// `None` for what could not be opened either, or has just gone.
    fn entry(&self, path: &[u8], directory: &OwnedFd, name: &[u8]) -> Option<Entry> {
        let mut stat = rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
        if FileType::from_raw_mode(stat.st_mode) == FileType::Symlink {
            let whole = [path, name].concat();
            let target = self.resolve(&whole, OFlags::PATH | OFlags::CLOEXEC).ok()?;
            stat = rustix::fs::fstat(&target).ok()?;
        }
        let is_directory = match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => true,
            FileType::RegularFile => false,
            _ => return None,
        };
        let facts = Facts::from(&stat);
        Some(Entry {
            name: name.to_vec(),
            is_directory,
            size: facts.size,
            modified: facts.modified,
        })
    }

    fn resolve(&self, path: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
        let path = if path.is_empty() {
            b".".as_slice()
        } else {
            path
        };
        let mut result = Err(Errno::AGAIN);
        for _ in 0..ATTEMPTS {
            result = rustix::fs::openat2(&self.handle, path, flags, Mode::empty(), self.rules());
            if !matches!(result, Err(Errno::AGAIN | Errno::INTR)) {
                break;
            }
        }
        result
    }

    fn rules(&self) -> ResolveFlags {
        let never = ResolveFlags::NO_MAGICLINKS;
        match self.links {
            Links::Inside => never | ResolveFlags::BENEATH,
            Links::Refused => never | ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS,
            Links::Anywhere => never,
        }
    }
}

/// The first by name of any number, in the memory of those it keeps.
struct First {
    /// The last of them is on top.
    kept: BinaryHeap<Vec<u8>>,
    most: usize,
    is_truncated: bool,
}

impl First {
    fn new(most: usize) -> Self {
        Self {
            kept: BinaryHeap::new(),
            most,
            is_truncated: false,
        }
    }

    fn add(&mut self, name: &[u8]) {
        if self.kept.len() < self.most {
            self.kept.push(name.to_vec());
            return;
        }
        self.is_truncated = true;
        if let Some(mut last) = self.kept.peek_mut()
            && name < last.as_slice()
        {
            *last = name.to_vec();
        }
    }
}

impl From<Errno> for Miss {
    fn from(errno: Errno) -> Self {
        match errno {
            // XDEV: a link leads out. LOOP: a link where none may be. NXIO, NODEV:
            // a socket, or a device without a driver.
            Errno::NOENT
            | Errno::NOTDIR
            | Errno::NAMETOOLONG
            | Errno::LOOP
            | Errno::XDEV
            | Errno::NXIO
            | Errno::NODEV
            | Errno::INVAL => Self::Absent,
            Errno::ACCESS | Errno::PERM => Self::Denied,
            Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::AGAIN => {
                Self::Exhausted(errno.into())
            }
            _ => Self::Failed(errno.into()),
        }
    }
}

impl From<&Stat> for Facts {
    fn from(stat: &Stat) -> Self {
        Self {
            size: stat.st_size.unsigned_abs(),
            modified: Time::new(stat.st_mtime, stat.st_mtime_nsec as u32),
            changed: Time::new(stat.st_ctime, stat.st_ctime_nsec as u32),
            inode: stat.st_ino,
            device: stat.st_dev,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::First;

    #[test]
    fn the_first_by_name_stay_in_whatever_order_they_come() {
        let check = |names: &[&str], expected: &[&str], is_truncated| {
            let mut first = First::new(2);
            names.iter().for_each(|name| first.add(name.as_bytes()));
            let kept = first.kept.into_sorted_vec();
            let expected: Vec<Vec<u8>> = expected
                .iter()
                .map(|name| name.as_bytes().to_vec())
                .collect();
            assert_eq!((kept, first.is_truncated), (expected, is_truncated));
        };
        check(&[], &[], false);
        check(&["b", "a"], &["a", "b"], false);
        check(&["a", "b", "c"], &["a", "b"], true);
        check(&["c", "b", "a"], &["a", "b"], true);
        check(&["b", "d", "a", "c"], &["a", "b"], true);
    }
}
