//! A simulated disk of which a test hears before anything is written to a file: it may let
//! the writer wait, and have the write fail half done.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use store::fs::{File, FileSystem, Listed, Open, SimulatedFileSystem};

/// What becomes of a write.
pub enum Fate {
    Happens,
    /// So many bytes are written, then it fails.
    Fails(usize, io::ErrorKind),
}

type Tap = dyn Fn(&Path, &[u8]) -> Fate + Send + Sync;

/// The disk.
#[derive(Clone)]
pub struct Tapped {
    disk: SimulatedFileSystem,
    tap: Arc<Tap>,
}

struct TappedFile {
    file: Box<dyn File>,
    path: PathBuf,
    tap: Arc<Tap>,
}

impl Tapped {
    /// `tap` is told the file and the bytes of each write.
    pub fn new(
        disk: SimulatedFileSystem,
        tap: impl Fn(&Path, &[u8]) -> Fate + Send + Sync + 'static,
    ) -> Self {
        let tap = Arc::new(tap);
        Self { disk, tap }
    }
}

impl FileSystem for Tapped {
    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.disk.create_dir_all(path)
    }

    fn open(&self, path: &Path, how: Open) -> io::Result<Box<dyn File>> {
        Ok(Box::new(TappedFile {
            file: self.disk.open(path, how)?,
            path: path.to_owned(),
            tap: Arc::clone(&self.tap),
        }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.disk.remove_file(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Listed>> {
        self.disk.list(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.disk.sync_dir(path)
    }

    fn length(&self, path: &Path) -> io::Result<Option<u64>> {
        self.disk.length(path)
    }

    fn free_bytes(&self, path: &Path) -> io::Result<u64> {
        self.disk.free_bytes(path)
    }

    fn total_bytes(&self, path: &Path) -> io::Result<u64> {
        self.disk.total_bytes(path)
    }
}

impl File for TappedFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buffer, offset)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        match (self.tap)(&self.path, bytes) {
            Fate::Happens => self.file.write_all_at(bytes, offset),
            Fate::Fails(written, kind) => {
                self.file.write_all_at(&bytes[..written], offset)?;
                Err(kind.into())
            }
        }
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.file.set_len(length)
    }

    fn length(&self) -> io::Result<u64> {
        self.file.length()
    }

    fn preallocate(&self, length: u64) -> io::Result<()> {
        self.file.preallocate(length)
    }

    fn as_std(&self) -> Option<&Arc<std::fs::File>> {
        None
    }
}
