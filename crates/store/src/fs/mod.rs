//! The file system as a trait: exactly the operations whose order and
//! durability the rest of the crate reasons about, and nothing more.
//!
//! It does not hide that names and bytes become durable separately: a file's
//! bytes by [`File::sync_data`], its name by [`FileSystem::sync_dir`] of its
//! folder. [`RealFileSystem`] is the machine's; [`simulated`] forgets at a power
//! cut whatever was not synced.

mod real;
pub mod simulated;
mod window;

use std::io;
use std::path::Path;
use std::sync::Arc;

pub use real::RealFileSystem;
pub use simulated::SimulatedFileSystem;
pub(crate) use window::Window;

/// How [`FileSystem::open`] opens a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Open {
    /// It must exist; reading only.
    Read,
    /// It must exist; reading and writing.
    ReadWrite,
    /// It must not exist; reading and writing.
    CreateNew,
    /// Reading and writing; made, empty, if it does not exist.
    Create,
}

/// An entry of [`FileSystem::list`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// Whether it is a directory.
    pub directory: bool,
}

/// Directories and names. Paths are the node's own, never a peer's.
///
/// Every method's error is the operating system's; callers add the path.
pub trait FileSystem: Send + Sync + 'static {
    /// Creates `path` and its missing parents. Durable only once each parent
    /// that got a new name is synced; [`make_durable_dir`] does that.
    ///
    /// # Errors
    /// As the operating system says.
    fn create_dir_all(&self, path: &Path) -> io::Result<()>;

    /// Opens a file.
    ///
    /// # Errors
    /// `NotFound`, `AlreadyExists`, or as the operating system says.
    fn open(&self, path: &Path, how: Open) -> io::Result<Box<dyn File>>;

    /// Renames a file or directory, replacing a file that is in the way.
    ///
    /// # Errors
    /// As the operating system says; then nothing has changed.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes the name of a file.
    ///
    /// # Errors
    /// `NotFound`, or as the operating system says.
    fn remove_file(&self, path: &Path) -> io::Result<()>;

    /// The entries of a directory, ordered by name. Names that are not UTF-8
    /// are skipped: nothing here makes such names.
    ///
    /// # Errors
    /// `NotFound`, or as the operating system says.
    fn list(&self, path: &Path) -> io::Result<Vec<Listed>>;

    /// Makes the names in a directory durable.
    ///
    /// # Errors
    /// As the operating system says; then nothing is known to be durable.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;

    /// Length of a file in bytes; `None` when there is no such name.
    ///
    /// # Errors
    /// As the operating system says.
    fn length(&self, path: &Path) -> io::Result<Option<u64>>;

    /// Bytes that may still be written on the file system that holds `path`.
    ///
    /// # Errors
    /// As the operating system says.
    fn free_bytes(&self, path: &Path) -> io::Result<u64>;

    /// Bytes that the file system which holds `path` has, free or not.
    ///
    /// # Errors
    /// As the operating system says.
    fn total_bytes(&self, path: &Path) -> io::Result<u64>;

    /// Whether `path` exists.
    ///
    /// # Errors
    /// As the operating system says.
    fn exists(&self, path: &Path) -> io::Result<bool> {
        self.length(path).map(|length| length.is_some())
    }
}

/// An open file. Positioned access only, so that threads can share it.
pub trait File: Send + Sync {
    /// Reads up to `buffer.len()` bytes; 0 at the end of the file.
    ///
    /// # Errors
    /// As the operating system says.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes all of `bytes`; after an error any part of them may be written.
    ///
    /// # Errors
    /// `StorageFull`, or as the operating system says.
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Makes the bytes and the length durable. After an error they must be
    /// taken for lost, however often a later call succeeds.
    ///
    /// # Errors
    /// As the operating system says.
    fn sync_data(&self) -> io::Result<()>;

    /// Cuts the file, or extends it with zeros.
    ///
    /// # Errors
    /// As the operating system says.
    fn set_len(&self, length: u64) -> io::Result<()>;

    /// Length in bytes.
    ///
    /// # Errors
    /// As the operating system says.
    fn length(&self) -> io::Result<u64>;

    /// Sets space aside for the first `length` bytes, where the file system can,
    /// and extends the file to as many where it is shorter; what is there stays.
    ///
    /// # Errors
    /// `StorageFull` when there is no room for it.
    fn preallocate(&self, length: u64) -> io::Result<()>;

    /// Copies `length` bytes from `source`, inside the kernel where possible.
    ///
    /// # Errors
    /// `UnexpectedEof` when `source` is shorter, or as the operating system says.
    fn copy_from(
        &self,
        source: &dyn File,
        source_offset: u64,
        offset: u64,
        length: u64,
    ) -> io::Result<()> {
        copy_through_memory(self, source, source_offset, offset, length)
    }

    /// Asks the kernel to begin writing a range to disk. Promises nothing: it
    /// only spreads the work of a later [`File::sync_data`].
    fn start_writeback(&self, _offset: u64, _length: u64) {}

    /// The file beneath, when it is the operating system's: for `sendfile`.
    fn as_std(&self) -> Option<&Arc<std::fs::File>>;

    /// Fills `buffer`.
    ///
    /// # Errors
    /// `UnexpectedEof` when the file ends first, or as the operating system says.
    fn read_exact_at(&self, mut buffer: &mut [u8], mut offset: u64) -> io::Result<()> {
        while !buffer.is_empty() {
            match self.read_at(buffer, offset) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => {
                    buffer = &mut buffer[read..];
                    offset += read as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Creates `path` with its missing parents and makes all their names durable.
///
/// # Errors
/// As the operating system says.
pub fn make_durable_dir(fs: &dyn FileSystem, path: &Path) -> io::Result<()> {
    let mut made = Vec::new();
    for directory in path.ancestors().filter(|d| !d.as_os_str().is_empty()) {
        if fs.exists(directory)? {
            break;
        }
        made.push(directory);
    }
    fs.create_dir_all(path)?;
    for directory in made {
        match directory.parent() {
            Some(parent) if parent.as_os_str().is_empty() => fs.sync_dir(Path::new("."))?,
            Some(parent) => fs.sync_dir(parent)?,
            None => {}
        }
    }
    Ok(())
}

/// Ends the names of files that are still being made.
pub(crate) const UNFINISHED_SUFFIX: &str = ".new";

/// Creates the file `path` with `bytes` in it, both or neither: it gets its name
/// when the bytes are durable, in place of whatever had it. The name becomes durable with its
/// directory.
///
/// # Errors
/// As the operating system says; a file `path.new` may be left.
pub fn create_whole(fs: &dyn FileSystem, path: &Path, bytes: &[u8]) -> io::Result<Box<dyn File>> {
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(UNFINISHED_SUFFIX);
    let unfinished = Path::new(&unfinished);
    let file = fs.open(unfinished, Open::Create)?;
    file.set_len(0)?;
    name_whole(fs, &*file, unfinished, bytes, path)?;
    Ok(file)
}

/// Writes `bytes` to the start of `file`, which is at `unfinished`, and names it `path` when
/// they are durable.
pub(crate) fn name_whole(
    fs: &dyn FileSystem,
    file: &dyn File,
    unfinished: &Path,
    bytes: &[u8],
    path: &Path,
) -> io::Result<()> {
    file.write_all_at(bytes, 0)?;
    file.sync_data()?;
    fs.rename(unfinished, path)
}

/// Bytes moved at a time where the kernel cannot copy by itself.
const COPY_BUFFER_BYTES: u64 = 1 << 20;

fn copy_through_memory<F: File + ?Sized>(
    target: &F,
    source: &dyn File,
    mut source_offset: u64,
    mut offset: u64,
    mut length: u64,
) -> io::Result<()> {
    let mut buffer = vec![0; length.min(COPY_BUFFER_BYTES) as usize];
    while length > 0 {
        let part = &mut buffer[..length.min(COPY_BUFFER_BYTES) as usize];
        source.read_exact_at(part, source_offset)?;
        target.write_all_at(part, offset)?;
        let copied = part.len() as u64;
        source_offset += copied;
        offset += copied;
        length -= copied;
    }
    Ok(())
}
