//! A synced folder as a held directory handle: every access resolves beneath it.
//!
//! Paths that arrive from a node are never joined as strings to a place on the
//! disk: each is opened with `openat2(RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS)`,
//! so neither `..` nor a link swapped in by another process leads out
//! (DESIGN.md, "What must always hold", 6). This file observes and changes
//! single entries; what to do is decided in [`crate::plan`], and the order that
//! makes changes survive a power cut is kept in [`crate::land`].

use base::{Name, limits};
use meta::{Mode, Target, Timestamp};
use rustix::fs::{
    AtFlags, FileType, OFlags, RenameFlags, ResolveFlags, Stat, StatVfsMountFlags, Timespec,
    Timestamps,
};
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// The folder's own corner, never synced: client state and the marker.
pub const CORNER: &str = ".atoll";

/// The path of an item relative to its folder; the root's is empty.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct RelativePath(String);

/// A directory to be synced, opened once.
#[derive(Debug)]
pub struct Folder {
    root: OwnedFd,
    path: PathBuf,
    temporary: OwnedFd,
    next_temporary: AtomicU64,
}

/// An opened directory beneath the folder.
#[derive(Debug)]
pub struct Directory(OwnedFd);

/// What one look at an entry saw. Two equal observations of one place mean that
/// nothing happened in between, save within one tick of the clock (see
/// [`Observation::is_racy`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Observation {
    /// What it is.
    pub kind: ObservedKind,
    /// Size in bytes; 0 unless a file.
    pub size: u64,
    /// Permission bits.
    pub mode: Mode,
    /// Last modification of the content.
    pub modified: Timestamp,
    /// Last change of the inode, which no program can set at will.
    pub changed: Timestamp,
    /// Inode number.
    pub inode: u64,
}

/// The kinds of entries a folder may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObservedKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A socket, pipe or device: reported and left alone.
    Other,
}

/// A temporary file in the corner, on the same file system as its destination.
#[derive(Debug)]
pub struct Temporary {
    /// Its name in the corner.
    pub name: String,
    /// Open for reading and writing.
    pub file: File,
}

/// The mode bits that travel: permissions and the sticky bit. Set-user-id and
/// set-group-id are rights on one machine, which no other hands out: they are
/// neither seen nor set, and stay as they are where they are.
const TRAVELS: u32 = 0o1777;

/// What a new directory allows its owner until its entries are in it.
pub const MADE_WITH: u32 = 0o700;

/// Timestamps this close to the moment of reading cannot prove that nothing
/// changed after it: kernels before 6.13 stamp with the timer tick, at most
/// 10 ms, and network file systems are coarser.
const RACY_NANOSECONDS: i128 = 20_000_000;

impl RelativePath {
    /// The folder itself.
    pub fn root() -> Self {
        Self::default()
    }

    /// The entry `name` in this directory.
    pub fn child(&self, name: &str) -> Self {
        let mut path = String::with_capacity(self.0.len() + 1 + name.len());
        path.push_str(&self.0);
        if !path.is_empty() {
            path.push('/');
        }
        path.push_str(name);
        Self(path)
    }

    /// The directory it is in and its name; `None` for the root.
    pub fn split(&self) -> Option<(Self, &str)> {
        match self.0.rsplit_once('/') {
            Some((parent, name)) => Some((Self(parent.to_owned()), name)),
            None if self.0.is_empty() => None,
            None => Some((Self::root(), &self.0)),
        }
    }

    /// Its names from the folder down.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.split('/').filter(|name| !name.is_empty())
    }

    /// How deep it lies; the root 0.
    pub fn depth(&self) -> usize {
        self.names().count()
    }

    /// The text, empty for the root.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// From a path relative to the folder, `None` unless each part is a name.
    pub fn from_path(path: &Path) -> Option<Self> {
        let mut relative = Self::root();
        for part in path.components() {
            let std::path::Component::Normal(name) = part else {
                return None;
            };
            relative = relative.child(Name::new(name.to_str()?).ok()?.as_str());
        }
        (relative.0.len() <= limits::PATH_BYTES).then_some(relative)
    }
}

impl std::fmt::Display for RelativePath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_empty() { "." } else { &self.0 })
    }
}

impl Observation {
    pub(crate) fn of(stat: &Stat) -> Self {
        let kind = match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => ObservedKind::File,
            FileType::Directory => ObservedKind::Directory,
            FileType::Symlink => ObservedKind::Symlink,
            _ => ObservedKind::Other,
        };
        let mode = match kind {
            ObservedKind::Symlink => Mode::LINK,
            _ => Mode::new(stat.st_mode & TRAVELS).expect("masked to less than 7777"),
        };
        Self {
            kind,
            size: if kind == ObservedKind::File {
                stat.st_size as u64
            } else {
                0
            },
            mode,
            modified: timestamp(stat.st_mtime, stat.st_mtime_nsec),
            changed: timestamp(stat.st_ctime, stat.st_ctime_nsec),
            inode: stat.st_ino,
        }
    }

    /// Whether a change right after a reading that began at `read` (of the same
    /// clock) could have left these very timestamps: git's "racily clean".
    pub fn is_racy(&self, read: Timestamp) -> bool {
        let latest = nanoseconds(self.modified.max(self.changed));
        nanoseconds(read) - latest < RACY_NANOSECONDS
    }

    /// Whether `other` shows the same bytes: as equality, but for directories
    /// and links the inode's own change time means nothing.
    pub fn same_file(&self, other: &Self) -> bool {
        match self.kind {
            ObservedKind::File => self == other,
            ObservedKind::Directory => {
                (self.kind, self.mode, self.modified) == (other.kind, other.mode, other.modified)
            }
            ObservedKind::Symlink | ObservedKind::Other => {
                (self.kind, self.modified, self.inode) == (other.kind, other.modified, other.inode)
            }
        }
    }
}

fn timestamp(seconds: i64, nanoseconds: u64) -> Timestamp {
    // The kernel never reports a second or more; a damaged inode reads as 0.
    Timestamp::new(seconds, nanoseconds as u32).unwrap_or_default()
}

fn nanoseconds(time: Timestamp) -> i128 {
    i128::from(time.seconds()) * 1_000_000_000 + i128::from(time.nanoseconds())
}

const BENEATH: ResolveFlags = ResolveFlags::BENEATH
    .union(ResolveFlags::NO_SYMLINKS)
    .union(ResolveFlags::NO_MAGICLINKS);

impl Folder {
    /// Opens `path`, which must exist, and its corner, which is made.
    ///
    /// # Errors
    /// As the operating system says; also when it is mounted read-only.
    pub fn open(path: &Path) -> io::Result<Self> {
        let root = rustix::fs::open(
            path,
            OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
            rustix::fs::Mode::empty(),
        )?;
        if rustix::fs::fstatvfs(&root)?
            .f_flag
            .contains(StatVfsMountFlags::RDONLY)
        {
            return Err(io::Error::from(Errno::ROFS));
        }
        let private = rustix::fs::Mode::from_raw_mode(0o700);
        for directory in [CORNER.to_owned(), format!("{CORNER}/tmp")] {
            match rustix::fs::mkdirat(&root, directory.as_str(), private) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let temporary = open_directory(root.as_fd(), &format!("{CORNER}/tmp"))?;
        let path = path.canonicalize()?;
        Ok(Self {
            root,
            path,
            temporary,
            next_temporary: AtomicU64::new(0),
        })
    }

    /// Its absolute path, for messages and the watcher alone.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of `name` in the corner.
    pub fn corner(&self, name: &str) -> PathBuf {
        self.path.join(CORNER).join(name)
    }

    /// Opens the directory at `path`.
    ///
    /// # Errors
    /// `NotFound`, `NotADirectory`, or `ELOOP` when a link lies on the way.
    pub fn directory(&self, path: &RelativePath) -> io::Result<Directory> {
        let text = if path.as_str().is_empty() {
            "."
        } else {
            path.as_str()
        };
        Ok(Directory(open_directory(self.root.as_fd(), text)?))
    }

    /// Creates an empty temporary file, private until it gets its mode.
    ///
    /// # Errors
    /// As the operating system says.
    pub fn temporary(&self) -> io::Result<Temporary> {
        loop {
            let number = self.next_temporary.fetch_add(1, Ordering::Relaxed);
            let name = format!("{:x}-{number:x}", std::process::id());
            match self.create_temporary(&name) {
                Ok(file) => return Ok(Temporary { name, file }),
                Err(Errno::EXIST) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn create_temporary(&self, name: &str) -> Result<File, Errno> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let private = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::openat(&self.temporary, name, flags, private).map(File::from)
    }

    /// Opens or creates the partial download `name`, whose bytes survive restarts.
    ///
    /// # Errors
    /// As the operating system says.
    pub fn partial(&self, name: &str) -> io::Result<Temporary> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let private = rustix::fs::Mode::from_raw_mode(0o600);
        let file = rustix::fs::openat(&self.temporary, name, flags, private)?;
        Ok(Temporary {
            name: name.to_owned(),
            file: file.into(),
        })
    }

    /// Makes a symbolic link as a temporary.
    ///
    /// # Errors
    /// As the operating system says.
    pub fn temporary_link(&self, target: &Target) -> io::Result<String> {
        let number = self.next_temporary.fetch_add(1, Ordering::Relaxed);
        let name = format!("{:x}-{number:x}-link", std::process::id());
        rustix::fs::symlinkat(target.as_str(), &self.temporary, name.as_str())?;
        Ok(name)
    }

    /// Removes a temporary; one that is gone is no error.
    ///
    /// # Errors
    /// As the operating system says.
    pub fn discard(&self, temporary: &str) -> io::Result<()> {
        match rustix::fs::unlinkat(&self.temporary, temporary, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Names of everything in the temporary corner.
    ///
    /// # Errors
    /// As the operating system says.
    pub fn temporaries(&self) -> io::Result<Vec<String>> {
        Ok(Directory(self.temporary.try_clone()?)
            .names()?
            .into_iter()
            .filter_map(|name| String::from_utf8(name).ok())
            .collect())
    }

    /// Sets the time of a temporary link or file by name.
    ///
    /// # Errors
    /// As the operating system says.
    pub fn set_temporary_time(&self, name: &str, modified: Timestamp) -> io::Result<()> {
        set_time(self.temporary.as_fd(), name, modified)
    }

    /// Moves a temporary to `name`, which must not exist.
    ///
    /// # Errors
    /// `AlreadyExists` when something is there now.
    pub fn place(&self, temporary: &str, directory: &Directory, name: &str) -> io::Result<()> {
        Ok(rustix::fs::renameat_with(
            &self.temporary,
            temporary,
            &directory.0,
            name,
            RenameFlags::NOREPLACE,
        )?)
    }

    /// Swaps a temporary with the entry `name`: what stood there is then the
    /// temporary, and can be looked at before it is let go.
    ///
    /// # Errors
    /// `NotFound` when nothing stands there any more.
    pub fn exchange(&self, temporary: &str, directory: &Directory, name: &str) -> io::Result<()> {
        Ok(rustix::fs::renameat_with(
            &self.temporary,
            temporary,
            &directory.0,
            name,
            RenameFlags::EXCHANGE,
        )?)
    }

    /// Renames a temporary that is about to be swapped with an entry; see
    /// [`holds_an_entry`].
    ///
    /// # Errors
    /// As the operating system says.
    pub fn mark_swapped(&self, temporary: &str) -> io::Result<String> {
        let marked = format!("{temporary}{TAKEN_OUT}");
        rustix::fs::renameat(&self.temporary, temporary, &self.temporary, marked.as_str())?;
        Ok(marked)
    }

    /// Opens a temporary for reading.
    ///
    /// # Errors
    /// As the operating system says.
    pub fn open_temporary(&self, name: &str) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        Ok(rustix::fs::openat(&self.temporary, name, flags, rustix::fs::Mode::empty())?.into())
    }

    /// Looks at a temporary.
    ///
    /// # Errors
    /// As the operating system says.
    pub fn observe_temporary(&self, name: &str) -> io::Result<Observation> {
        let stat = rustix::fs::statat(&self.temporary, name, AtFlags::SYMLINK_NOFOLLOW)?;
        Ok(Observation::of(&stat))
    }

    /// Moves the entry `name` out into the temporary corner.
    ///
    /// # Errors
    /// As the operating system says.
    pub fn take_out(&self, directory: &Directory, name: &str) -> io::Result<String> {
        let number = self.next_temporary.fetch_add(1, Ordering::Relaxed);
        let temporary = format!("{:x}-{number:x}{TAKEN_OUT}", std::process::id());
        rustix::fs::renameat_with(
            &directory.0,
            name,
            &self.temporary,
            temporary.as_str(),
            RenameFlags::NOREPLACE,
        )?;
        Ok(temporary)
    }

    /// Writes everything of this file system to the disk.
    ///
    /// # Errors
    /// `ENOSPC` or `EIO` of any delayed write since the folder was opened.
    pub fn sync_all(&self) -> io::Result<()> {
        Ok(rustix::fs::syncfs(&self.root)?)
    }
}

/// Marks a temporary that may be an entry taken out of its place.
const TAKEN_OUT: &str = "-out";

/// Whether the temporary `name` may hold an entry that stood in the folder, and
/// so perhaps the only copy of somebody's edit.
pub fn holds_an_entry(name: &str) -> bool {
    name.ends_with(TAKEN_OUT)
}

/// The longest path that one call resolves: `PATH_MAX` counts the final zero.
const RESOLVED_AT_ONCE: usize = 4095;

fn open_directory(beneath: BorrowedFd<'_>, path: &str) -> Result<OwnedFd, Errno> {
    let slash = |bytes: &[u8]| bytes.iter().rposition(|byte| *byte == b'/');
    if path.len() > RESOLVED_AT_ONCE
        && let Some(at) = slash(&path.as_bytes()[..RESOLVED_AT_ONCE])
    {
        let above = open_directory(beneath, &path[..at])?;
        return open_directory(above.as_fd(), &path[at + 1..]);
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    loop {
        // EAGAIN: a rename somewhere raced the resolution (openat2(2)).
        match rustix::fs::openat2(beneath, path, flags, rustix::fs::Mode::empty(), BENEATH) {
            Err(Errno::AGAIN | Errno::INTR) => {}
            result => return result,
        }
    }
}

fn set_time(directory: BorrowedFd<'_>, name: &str, modified: Timestamp) -> io::Result<()> {
    let times = times(modified);
    Ok(rustix::fs::utimensat(
        directory,
        name,
        &times,
        AtFlags::SYMLINK_NOFOLLOW,
    )?)
}

fn times(modified: Timestamp) -> Timestamps {
    let time = Timespec {
        tv_sec: modified.seconds(),
        tv_nsec: modified.nanoseconds().into(),
    };
    Timestamps {
        last_access: time,
        last_modification: time,
    }
}

/// Sets mode and time of an open file.
///
/// # Errors
/// As the operating system says.
pub fn dress(file: &File, mode: Mode, modified: Timestamp) -> io::Result<()> {
    change_mode(file.as_fd(), mode)?;
    Ok(rustix::fs::futimens(file, &times(modified))?)
}

/// Sets the bits that travel and leaves the others.
fn change_mode(file: BorrowedFd<'_>, mode: Mode) -> io::Result<()> {
    let stays = rustix::fs::fstat(file)?.st_mode & 0o7777 & !TRAVELS;
    let bits = mode.bits() & TRAVELS | stays;
    Ok(rustix::fs::fchmod(
        file,
        rustix::fs::Mode::from_raw_mode(bits),
    )?)
}

/// A mode as it stands here, once it came from a node.
pub fn landed_mode(mode: Mode) -> Mode {
    Mode::new(mode.bits() & TRAVELS).expect("masked to less than 7777")
}

/// Looks at an open file.
///
/// # Errors
/// As the operating system says.
pub fn observe_open(file: &File) -> io::Result<Observation> {
    Ok(Observation::of(&rustix::fs::fstat(file)?))
}

impl AsFd for Directory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Directory {
    /// Opens the directory at `path`, wherever links lead on the way.
    ///
    /// # Errors
    /// As the operating system says.
    pub fn at(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self(rustix::fs::open(
            path,
            flags,
            rustix::fs::Mode::empty(),
        )?))
    }

    /// Opens the directory at `path` beneath this one.
    ///
    /// # Errors
    /// `NotFound`, `NotADirectory`, or `ELOOP` when a link lies on the way.
    pub fn beneath(&self, path: &str) -> io::Result<Self> {
        Ok(Self(open_directory(self.as_fd(), path)?))
    }

    /// Names of all entries as the file system has them, unsorted, without `.`
    /// and `..`.
    ///
    /// # Errors
    /// As the operating system says.
    pub fn names(&self) -> io::Result<Vec<Vec<u8>>> {
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(&self.0)? {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if name != b"." && name != b".." {
                names.push(name.to_vec());
            }
        }
        Ok(names)
    }

    /// Looks at the entry `name`; `None` when there is none.
    ///
    /// # Errors
    /// As the operating system says.
    pub fn observe(&self, name: &str) -> io::Result<Option<Observation>> {
        match rustix::fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(Observation::of(&stat))),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Looks at the directory itself.
    ///
    /// # Errors
    /// As the operating system says.
    pub fn observe_self(&self) -> io::Result<Observation> {
        Ok(Observation::of(&rustix::fs::fstat(&self.0)?))
    }

    /// Opens the file `name` for reading; never follows a link, never blocks on
    /// a pipe.
    ///
    /// # Errors
    /// As the operating system says.
    pub fn open(&self, name: &str) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        Ok(rustix::fs::openat(&self.0, name, flags, rustix::fs::Mode::empty())?.into())
    }

    /// Reads the link `name`.
    ///
    /// # Errors
    /// `InvalidData` when its target is not a [`Target`].
    pub fn read_link(&self, name: &str) -> io::Result<Target> {
        let target = rustix::fs::readlinkat(&self.0, name, Vec::new())?;
        target
            .to_str()
            .ok()
            .and_then(|text| Target::new(text).ok())
            .ok_or_else(|| {
                io::Error::new(io::ErrorKind::InvalidData, "the link's target is not UTF-8")
            })
    }

    /// Makes the directory `name` with `mode` and [`MADE_WITH`].
    ///
    /// # Errors
    /// `AlreadyExists`, or as the operating system says.
    pub fn make(&self, name: &str, mode: Mode) -> io::Result<()> {
        // Made writable first: children must be placed in it. The wanted mode
        // comes with its time, after them.
        let mode = mode.with(MADE_WITH);
        let bits = rustix::fs::Mode::from_raw_mode(mode.bits() & TRAVELS);
        rustix::fs::mkdirat(&self.0, name, bits)?;
        // Whatever the umask: what is found there later tells whose it is.
        change_mode(open_directory(self.0.as_fd(), name)?.as_fd(), mode)
    }

    /// Sets mode and time of the directory itself.
    ///
    /// # Errors
    /// As the operating system says.
    pub fn dress(&self, mode: Mode, modified: Timestamp) -> io::Result<()> {
        change_mode(self.0.as_fd(), mode)?;
        Ok(rustix::fs::futimens(&self.0, &times(modified))?)
    }

    /// Sets only the time of the link `name`.
    ///
    /// # Errors
    /// As the operating system says.
    pub fn set_time(&self, name: &str, modified: Timestamp) -> io::Result<()> {
        set_time(self.0.as_fd(), name, modified)
    }

    /// Removes the empty directory `name`.
    ///
    /// # Errors
    /// `DirectoryNotEmpty`, or as the operating system says.
    pub fn remove_directory(&self, name: &str) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.0, name, AtFlags::REMOVEDIR)?)
    }

    /// Renames `name` to `new` in `directory`, which must not exist there.
    ///
    /// # Errors
    /// `AlreadyExists`, or as the operating system says.
    pub fn rename(&self, name: &str, directory: &Self, new: &str) -> io::Result<()> {
        Ok(rustix::fs::renameat_with(
            &self.0,
            name,
            &directory.0,
            new,
            RenameFlags::NOREPLACE,
        )?)
    }

    /// Makes its entries durable.
    ///
    /// # Errors
    /// As the operating system says.
    pub fn sync(&self) -> io::Result<()> {
        Ok(rustix::fs::fsync(&self.0)?)
    }
}

/// Whether opening failed because a link stands there, or on the way.
pub fn is_link(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::LOOP.raw_os_error())
}

/// The file system's clock as far as user space can read it.
pub fn now() -> Timestamp {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
    Timestamp::new(time.tv_sec, time.tv_nsec as u32).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        let path = RelativePath::root().child("a").child("b");
        assert_eq!(path.as_str(), "a/b");
        assert_eq!(path.split(), Some((RelativePath::root().child("a"), "b")));
        assert_eq!(RelativePath::root().split(), None);
        assert_eq!(path.depth(), 2);
        assert_eq!(RelativePath::from_path(Path::new("a/b")), Some(path));
        for outside in ["../x", "/x", "a/../../b"] {
            assert_eq!(
                RelativePath::from_path(Path::new(outside)),
                None,
                "{outside}"
            );
        }
    }

    #[test]
    fn bits_that_are_rights_stay_where_they_are() {
        use std::os::unix::fs::PermissionsExt;
        let disk = tempfile::tempdir().unwrap();
        let path = disk.path().join("f");
        std::fs::write(&path, "").unwrap();
        let mode = |bits| std::fs::set_permissions(&path, PermissionsExt::from_mode(bits)).unwrap();
        let file = File::open(&path).unwrap();
        for (stands, wanted, seen, then) in [
            (0o4711, 0o6755, 0o711, 0o4755),
            (0o711, 0o7755, 0o711, 0o1755),
            (0o2770, 0o600, 0o770, 0o2600),
        ] {
            mode(stands);
            assert_eq!(observe_open(&file).unwrap().mode.bits(), seen);
            dress(&file, Mode::new(wanted).unwrap(), Timestamp::default()).unwrap();
            let bits = file.metadata().unwrap().permissions().mode() & 0o7777;
            assert_eq!(bits, then, "{stands:o} {wanted:o}");
        }
    }

    #[test]
    fn the_deepest_directory_opens() {
        let disk = tempfile::tempdir().unwrap();
        let folder = Folder::open(disk.path()).unwrap();
        let mut path = RelativePath::root();
        for length in std::iter::repeat_n(255, 15).chain([250, 5]) {
            let directory = folder.directory(&path).unwrap();
            let name = "d".repeat(length);
            directory.make(&name, Mode::DIRECTORY).unwrap();
            path = path.child(&name);
        }
        assert_eq!(path.as_str().len(), limits::PATH_BYTES);
        folder.directory(&path).unwrap();
        assert!(folder.directory(&path.child("absent")).is_err());
    }

    #[test]
    fn nothing_leads_out() {
        let outside = tempfile::tempdir().unwrap();
        std::fs::create_dir(outside.path().join("d")).unwrap();
        let inside = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(outside.path(), inside.path().join("link")).unwrap();
        let folder = Folder::open(inside.path()).unwrap();
        for path in ["link", "link/d"] {
            let path = RelativePath::from_path(Path::new(path)).unwrap();
            assert!(folder.directory(&path).is_err(), "{path}");
        }
        // A path that skipped the check still does not lead out.
        assert!(folder.directory(&RelativePath("..".to_owned())).is_err());
    }
}
