//! The machine's own file system, through `std` and `rustix`.
//!
//! It adds no caching and no policy. For what the operations promise, see
//! [`FileSystem`] and [`File`].

use super::{File, FileSystem, Listed, Open, copy_through_memory};
use rustix::fs::{Advice, FallocateFlags};
use rustix::io::Errno;
use std::fs::OpenOptions;
use std::io;
use std::num::NonZeroU64;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

/// The machine's file system.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealFileSystem;

struct RealFile(Arc<std::fs::File>);

impl FileSystem for RealFileSystem {
    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        std::fs::create_dir_all(path)
    }

    fn open(&self, path: &Path, how: Open) -> io::Result<Box<dyn File>> {
        let mut options = OpenOptions::new();
        options.read(true).write(how != Open::Read);
        match how {
            Open::Read | Open::ReadWrite => {}
            Open::CreateNew => {
                options.create_new(true);
            }
            Open::Create => {
                options.create(true).truncate(false);
            }
        }
        Ok(Box::new(RealFile(Arc::new(options.open(path)?))))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Listed>> {
        let mut entries = Vec::new();
        for entry in std::fs::read_dir(path)? {
            let entry = entry?;
            if let Ok(name) = entry.file_name().into_string() {
                let directory = entry.file_type()?.is_dir();
                entries.push(Listed { name, directory });
            }
        }
        entries.sort();
        Ok(entries)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        std::fs::File::open(path)?.sync_all()
    }

    fn length(&self, path: &Path) -> io::Result<Option<u64>> {
        match std::fs::metadata(path) {
            Ok(metadata) => Ok(Some(metadata.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn free_bytes(&self, path: &Path) -> io::Result<u64> {
        let space = rustix::fs::statvfs(path)?;
        Ok(space.f_bavail.saturating_mul(space.f_frsize))
    }

    fn total_bytes(&self, path: &Path) -> io::Result<u64> {
        let space = rustix::fs::statvfs(path)?;
        Ok(space.f_blocks.saturating_mul(space.f_frsize))
    }
}

impl File for RealFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(buffer, offset)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.0.set_len(length)
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn preallocate(&self, length: u64) -> io::Result<()> {
        // From the beginning, so that holes get their space too.
        match rustix::fs::fallocate(&*self.0, FallocateFlags::empty(), 0, length) {
            Ok(()) => Ok(()),
            Err(Errno::OPNOTSUPP | Errno::NOSYS) if length > self.length()? => {
                self.0.set_len(length)
            }
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn copy_from(
        &self,
        source: &dyn File,
        source_offset: u64,
        offset: u64,
        length: u64,
    ) -> io::Result<()> {
        let copied = match source.as_std() {
            Some(source) => copy_in_kernel(source, &self.0, source_offset, offset, length)?,
            None => 0,
        };
        copy_through_memory(
            self,
            source,
            source_offset + copied,
            offset + copied,
            length - copied,
        )
    }

    /// `POSIX_FADV_DONTNEED` starts write-back of the dirty pages of a range
    /// without waiting, and cannot drop them before they are clean.
    fn start_writeback(&self, offset: u64, length: u64) {
        if let Some(length) = NonZeroU64::new(length) {
            // Advice: when it is not taken, the sync later does the work.
            let _ = rustix::fs::fadvise(&*self.0, offset, Some(length), Advice::DontNeed);
        }
    }

    fn as_std(&self) -> Option<&Arc<std::fs::File>> {
        Some(&self.0)
    }
}

/// Copies until done or until the kernel cannot (another file system, an old
/// kernel, the end of `source`); returns how many bytes it did copy.
fn copy_in_kernel(
    source: &std::fs::File,
    target: &std::fs::File,
    source_offset: u64,
    offset: u64,
    length: u64,
) -> io::Result<u64> {
    let (mut from, mut to) = (source_offset, offset);
    while from - source_offset < length {
        let missing = length - (from - source_offset);
        let part = usize::try_from(missing).unwrap_or(usize::MAX);
        match rustix::fs::copy_file_range(source, Some(&mut from), target, Some(&mut to), part) {
            Ok(0) => break,
            Ok(_) | Err(Errno::INTR) => {}
            Err(Errno::XDEV | Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => break,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(from - source_offset)
}
