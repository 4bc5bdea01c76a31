//! The file of the segment to come, filled with zeros before it is needed.
//!
//! Bytes that replace zeros are synced in half the time that a growing file takes
//! (`segments`), but somebody has to write the zeros. If that is the log, whoever waits for
//! it waits for them too, some times in a second. So they are written by another thread,
//! into a file that is no segment yet. Which thread that is, and how fast it goes, is left
//! to whoever has the log; without one the log writes its zeros itself.
//!
//! The zeros are worth nothing to a reader: a segment that begins in them is made durable
//! before it gets its name, as any other.

use crate::fs::{File, FileSystem, Open, UNFINISHED_SUFFIX, name_whole};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// Zeros that are written and synced at once: they are on a disk in a fraction of a
/// millisecond, and hold up others for as long.
const STEP_BYTES: u64 = 256 << 10;

/// A file for the next segment, whole or not yet.
pub(super) struct Spare {
    path: PathBuf,
    file: Arc<dyn File>,
    length: u64,
    progress: Arc<Mutex<Progress>>,
}

/// The zeros of a segment to come.
#[must_use = "they are written by whoever has them"]
pub struct Zeros {
    file: Arc<dyn File>,
    length: u64,
    written: u64,
    /// Gone when nobody wants them any more.
    progress: Weak<Mutex<Progress>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    Filling,
    Ready,
    /// The disk is full, or failed.
    Failed,
}

impl Spare {
    /// One of `length` bytes in `directory`, and the zeros that it waits for.
    pub(super) fn begin(
        fs: &dyn FileSystem,
        directory: &Path,
        length: u64,
    ) -> io::Result<(Self, Zeros)> {
        let path = directory.join(format!("spare{UNFINISHED_SUFFIX}"));
        // Another that has this name was let go; its zeros go into a file without a name.
        match fs.remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file: Arc<dyn File> = Arc::from(fs.open(&path, Open::CreateNew)?);
        let progress = Arc::new(Mutex::new(Progress::Filling));
        let zeros = Zeros {
            file: Arc::clone(&file),
            length,
            written: 0,
            progress: Arc::downgrade(&progress),
        };
        let spare = Self {
            path,
            file,
            length,
            progress,
        };
        Ok((spare, zeros))
    }

    pub(super) fn progress(&self) -> Progress {
        *self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) const fn length(&self) -> u64 {
        self.length
    }

    /// Begins it with `bytes` and names it `path`, as [`crate::fs::create_whole`] does. It
    /// must be ready: zeros that come later would replace what is written.
    ///
    /// # Errors
    /// As the operating system says, or when another file has its name; it is then gone.
    pub(super) fn become_segment(
        self,
        fs: &dyn FileSystem,
        path: &Path,
        bytes: &[u8],
    ) -> io::Result<Arc<dyn File>> {
        let named = self.file.write_all_at(bytes, 0).and_then(|()| {
            self.check_name(fs, bytes)?;
            name_whole(fs, &*self.file, &self.path, bytes, path)
        });
        match named {
            Ok(()) => Ok(self.file),
            Err(error) => {
                self.remove(fs);
                Err(error)
            }
        }
    }

    /// Whoever tidies up may have removed it, or put another in its place, which would get
    /// the segment's name while the segment is written to a file without one.
    fn check_name(&self, fs: &dyn FileSystem, bytes: &[u8]) -> io::Result<()> {
        let mut found = vec![0; bytes.len()];
        let file = fs.open(&self.path, Open::Read)?;
        file.read_exact_at(&mut found, 0)?;
        match found == bytes && file.length()? == self.length {
            true => Ok(()),
            false => Err(io::Error::other("another file has its name")),
        }
    }

    /// Gives its room back, also if somebody still writes zeros into it. One that cannot be
    /// removed is at the next start.
    pub(super) fn remove(self, fs: &dyn FileSystem) {
        let _ = self.file.set_len(0);
        let _ = fs.remove_file(&self.path);
    }
}

/// Who has not written all of them leaves none.
impl Drop for Zeros {
    fn drop(&mut self) {
        if let Some(progress) = self.progress.upgrade() {
            let mut progress = progress.lock().unwrap_or_else(PoisonError::into_inner);
            if *progress == Progress::Filling {
                *progress = Progress::Failed;
            }
        }
    }
}

impl Zeros {
    /// Writes some of them and syncs them; tells whether there are more to write. If the
    /// disk takes no more, there are none: the log does without.
    pub fn write_some(&mut self) -> bool {
        let Some(progress) = self.progress.upgrade() else {
            return false;
        };
        let count = (self.length - self.written).min(STEP_BYTES);
        let zeros = vec![0; count as usize];
        let written = self.file.write_all_at(&zeros, self.written);
        let synced = written.and_then(|()| self.file.sync_data());
        if synced.is_ok() {
            self.written += count;
        }
        let now = match synced {
            Ok(()) if self.written < self.length => Progress::Filling,
            Ok(()) => Progress::Ready,
            Err(_) => Progress::Failed,
        };
        *progress.lock().unwrap_or_else(PoisonError::into_inner) = now;
        now == Progress::Filling
    }
}
