//! One entry of a directory: what it is, and what is known of it without its content.
//!
//! What is told of a file or directory is read through its own handle, so that all of it
//! belongs to the same one, whatever takes its name meanwhile. A name that leads to
//! another kind of thing at the second look is looked at again.

use super::{Reason, attributes};
use crate::folder::{Directory, Observation, ObservedKind, is_link};
use meta::{Attributes, Mode, Record, RecordKind, Target};
use rustix::fs::{AtFlags, FileType, OFlags};
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

/// What one look at an entry saw of its inode. Two that are equal mean that nothing
/// happened in between, but for a change within one tick of the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// As syncing sees it.
    pub seen: Observation,
    /// All bits of its mode.
    pub mode: Mode,
}

/// An entry, opened.
#[derive(Debug)]
pub struct Looked {
    pub record: Record,
    pub look: Look,
    pub opened: Opened,
}

/// By what it is held.
#[derive(Debug)]
pub enum Opened {
    File(File),
    Directory(Directory),
    /// A link, or a file that was not opened.
    Nothing,
}

/// Whether files are opened, for their contents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Files {
    Opened,
    /// All else is known without, and also of a file that may not be read.
    Closed,
}

/// So often a name is looked at that is another thing each time.
const LOOKS: usize = 8;

/// Looks at the entry `name` and opens it; `None` when it is gone.
///
/// # Errors
/// [`Reason`] why it cannot be told of.
pub fn look(directory: &Directory, name: &str, files: Files) -> Result<Option<Looked>, Reason> {
    for _ in 0..LOOKS {
        let stat = match rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(Errno::NOENT) => return Ok(None),
            Err(error) => return Err(io::Error::from(error).into()),
        };
        let kind = Observation::of(&stat).kind;
        if kind == ObservedKind::Other {
            let kind = special(FileType::from_raw_mode(stat.st_mode));
            return Err(Reason::Special(kind));
        }
        if let Some(looked) = open_as(kind, directory, name, files)? {
            return Ok(Some(looked));
        }
    }
    Err(Reason::Changing)
}

/// Opens an entry as what it was a moment ago; `None` when it is that no more.
fn open_as(
    kind: ObservedKind,
    directory: &Directory,
    name: &str,
    files: Files,
) -> Result<Option<Looked>, Reason> {
    let looked = match kind {
        ObservedKind::Directory => directory
            .beneath(name)
            .map_err(Reason::from)
            .and_then(look_at_directory),
        ObservedKind::Symlink => link(directory, name),
        ObservedKind::File if files == Files::Closed => closed(directory, name),
        ObservedKind::File | ObservedKind::Other => directory
            .open(name)
            .map_err(Reason::from)
            .and_then(look_at_file),
    };
    match looked {
        Err(Reason::Unreadable(error)) if is_another(&error) => Ok(None),
        Err(reason) => Err(reason),
        Ok(looked) if looked.look.seen.kind != kind => Ok(None),
        Ok(looked) => Ok(Some(looked)),
    }
}

/// Whether opening failed because something else stands there now.
fn is_another(error: &io::Error) -> bool {
    let is = |errno: Errno| error.raw_os_error() == Some(errno.raw_os_error());
    is_link(error) || is(Errno::NOENT) || is(Errno::NOTDIR) || is(Errno::NXIO) || is(Errno::INVAL)
}

/// Looks at an open directory.
///
/// # Errors
/// [`Reason`] why it cannot be told of.
pub fn look_at_directory(directory: Directory) -> Result<Looked, Reason> {
    let look = seen(&directory)?;
    let mode = Some(look.mode);
    let attributes = attributes::read(directory.as_fd())?;
    Ok(Looked {
        record: record(RecordKind::Directory { mode }, &look, attributes),
        look,
        opened: Opened::Directory(directory),
    })
}

fn look_at_file(file: File) -> Result<Looked, Reason> {
    let (record, look) = again(&file)?;
    Ok(Looked {
        record,
        look,
        opened: Opened::File(file),
    })
}

/// What an open file is now, without a hash.
///
/// # Errors
/// [`Reason`] why it cannot be told of.
pub fn again(file: &File) -> Result<(Record, Look), Reason> {
    let look = seen(file)?;
    let attributes = attributes::read(file.as_fd())?;
    Ok((file_record(&look, attributes), look))
}

fn file_record(look: &Look, attributes: Attributes) -> Record {
    let kind = RecordKind::File {
        size: Some(look.seen.size),
        hash: None,
        mode: Some(look.mode),
    };
    record(kind, look, attributes)
}

/// A file that is not opened: through a handle that reads nothing.
fn closed(directory: &Directory, name: &str) -> Result<Looked, Reason> {
    let handle = handle(directory, name)?;
    let look = seen(&handle)?;
    if look.seen.kind != ObservedKind::File {
        return Err(io::Error::from(Errno::NOENT).into());
    }
    let Some(attributes) = attributes::read_closed(handle.as_fd())? else {
        // Without /proc only an open file tells of its attributes.
        return directory
            .open(name)
            .map_err(Reason::from)
            .and_then(look_at_file);
    };
    Ok(Looked {
        record: file_record(&look, attributes),
        look,
        opened: Opened::Nothing,
    })
}

/// A handle that opens nothing.
fn handle(directory: &Directory, name: &str) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(
        directory,
        name,
        flags,
        rustix::fs::Mode::empty(),
    )?)
}

/// A link is read through a handle too, which opens nothing. Its attributes are out of
/// reach of such a handle; none of those that are told of can be set on a link.
fn link(directory: &Directory, name: &str) -> Result<Looked, Reason> {
    let handle = handle(directory, name)?;
    let look = seen(&handle)?;
    let target = rustix::fs::readlinkat(&handle, "", Vec::new()).map_err(io::Error::from)?;
    let target = target.to_str().ok().and_then(|text| Target::new(text).ok());
    let kind = RecordKind::Symlink(target.ok_or(Reason::Target)?);
    Ok(Looked {
        record: record(kind, &look, Attributes::default()),
        look,
        opened: Opened::Nothing,
    })
}

fn seen(handle: impl AsFd) -> io::Result<Look> {
    let stat = rustix::fs::fstat(handle)?;
    Ok(Look {
        seen: Observation::of(&stat),
        mode: Mode::new(stat.st_mode & ALL_BITS).expect("masked to 7777"),
    })
}

/// All bits of a mode but those of the kind.
const ALL_BITS: u32 = 0o7777;

fn record(kind: RecordKind, look: &Look, attributes: Attributes) -> Record {
    let mut record = Record::new(0, kind);
    record.mtime = Some(look.seen.modified);
    record.attributes = attributes;
    record
}

fn special(kind: FileType) -> &'static str {
    match kind {
        FileType::Fifo => "named pipe",
        FileType::Socket => "socket",
        FileType::CharacterDevice | FileType::BlockDevice => "device",
        _ => "thing of an unknown kind",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::Path;

    /// What was listed as one thing and is another when it is opened.
    #[track_caller]
    fn check(was: ObservedKind, make: impl FnOnce(&Path)) {
        let disk = tempfile::tempdir().unwrap();
        make(&disk.path().join("entry"));
        let directory = Directory::at(disk.path()).unwrap();
        for files in [Files::Opened, Files::Closed] {
            let opened = open_as(was, &directory, "entry", files).unwrap();
            assert!(opened.is_none(), "{opened:?}");
        }
    }

    #[test]
    fn what_took_the_place_of_something_else_is_not_taken_for_it() {
        let outside = tempfile::tempdir().unwrap();
        let secret = outside.path().join("secret");
        fs::write(&secret, "elsewhere").unwrap();
        let to_secret = |path: &Path| symlink(&secret, path).unwrap();
        let to_directory = |path: &Path| symlink(outside.path(), path).unwrap();
        check(ObservedKind::File, to_secret);
        check(ObservedKind::Directory, to_directory);
        check(ObservedKind::File, |path| fs::create_dir(path).unwrap());
        check(ObservedKind::Directory, |path| fs::write(path, "").unwrap());
        check(ObservedKind::Symlink, |path| fs::write(path, "").unwrap());
        check(ObservedKind::Symlink, |path| fs::create_dir(path).unwrap());
        for was in [
            ObservedKind::File,
            ObservedKind::Directory,
            ObservedKind::Symlink,
        ] {
            check(was, |_| {});
        }
    }

    #[test]
    fn every_bit_of_a_mode_is_seen() {
        use std::os::unix::fs::PermissionsExt;
        let disk = tempfile::tempdir().unwrap();
        let path = disk.path().join("tool");
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(0o4751)).unwrap();
        let directory = Directory::at(disk.path()).unwrap();
        let looked = look(&directory, "tool", Files::Opened).unwrap().unwrap();
        assert_eq!(looked.record.mode().unwrap().bits(), 0o4751);
        assert!(look(&directory, "absent", Files::Opened).unwrap().is_none());
    }
}
