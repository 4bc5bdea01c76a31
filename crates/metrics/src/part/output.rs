//! The file of a part while it is written: whole under its own name, or not at all.

use super::error::PartError;
use std::path::{Path, PathBuf};
use store::fs::{File, FileSystem, Open};

/// Ends the name of a file that is still being written.
const UNFINISHED_SUFFIX: &str = ".new";

/// Bytes that are written at a time.
const BUFFER_BYTES: usize = 256 << 10;

/// A file that gets its name when it is finished; it is removed when it is not.
pub(super) struct Output<'f> {
    fs: &'f dyn FileSystem,
    /// Its name until it is finished; `None` behind that.
    unfinished: Option<PathBuf>,
    path: &'f Path,
    file: Box<dyn File>,
    /// How many bytes are written.
    written: u64,
    /// What follows them.
    buffer: Vec<u8>,
}

impl<'f> Output<'f> {
    /// Begins the file; one that is left of a crash gives way.
    pub(super) fn create(fs: &'f dyn FileSystem, path: &'f Path) -> Result<Self, PartError> {
        let mut unfinished = path.as_os_str().to_owned();
        unfinished.push(UNFINISHED_SUFFIX);
        let unfinished = PathBuf::from(unfinished);
        let failed = |source| PartError::write(&unfinished, source);
        let file = fs.open(&unfinished, Open::Create).map_err(failed)?;
        let output = Self {
            fs,
            unfinished: Some(unfinished),
            path,
            file,
            written: 0,
            buffer: Vec::new(),
        };
        output
            .file
            .set_len(0)
            .map_err(|error| output.failed(error))?;
        Ok(output)
    }

    /// How many bytes it has.
    pub(super) const fn length(&self) -> u64 {
        self.written + self.buffer.len() as u64
    }

    pub(super) fn put(&mut self, bytes: &[u8]) -> Result<(), PartError> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= BUFFER_BYTES {
            self.flush()?;
        }
        Ok(())
    }

    /// Makes the bytes durable and gives the file its name.
    pub(super) fn finish(mut self) -> Result<(), PartError> {
        self.flush()?;
        self.file.sync_data().map_err(|error| self.failed(error))?;
        if let Some(unfinished) = &self.unfinished {
            let renamed = self.fs.rename(unfinished, self.path);
            renamed.map_err(|error| self.failed(error))?;
        }
        self.unfinished = None;
        Ok(())
    }

    pub(super) fn failed(&self, source: std::io::Error) -> PartError {
        PartError::write(self.unfinished.as_deref().unwrap_or(self.path), source)
    }

    fn flush(&mut self) -> Result<(), PartError> {
        let written = self.file.write_all_at(&self.buffer, self.written);
        written.map_err(|error| self.failed(error))?;
        self.file
            .start_writeback(self.written, self.buffer.len() as u64);
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }
}

impl Drop for Output<'_> {
    fn drop(&mut self) {
        if let Some(unfinished) = &self.unfinished {
            // If it stays, the next one that is written there replaces it.
            let _ = self.fs.remove_file(unfinished);
        }
    }
}
