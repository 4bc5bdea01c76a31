//! Reading a file forwards through a buffer that moves along.
//!
//! For replaying segments: small pieces, mostly in order, of files too long to
//! hold in memory. It does not see bytes appended after it was made.

use super::File;
use std::io;
use std::sync::Arc;

/// Bytes read at a time.
const WINDOW_BYTES: u64 = 1 << 20;

/// A file read through a moving buffer.
pub(crate) struct Window {
    file: Arc<dyn File>,
    length: u64,
    buffer: Vec<u8>,
    start: u64,
}

impl Window {
    /// A window on the first `length` bytes of `file`.
    pub(crate) fn new(file: Arc<dyn File>, length: u64) -> Self {
        Self {
            file,
            length,
            buffer: Vec::new(),
            start: 0,
        }
    }

    /// How far it can read.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// `count` bytes at `offset`; `None` when the end comes first.
    pub(crate) fn bytes(&mut self, offset: u64, count: usize) -> io::Result<Option<&[u8]>> {
        let rest = self.length.saturating_sub(offset);
        if rest < count as u64 {
            return Ok(None);
        }
        let end = self.start + self.buffer.len() as u64;
        if offset < self.start || offset + count as u64 > end {
            let filled = rest.min(WINDOW_BYTES).max(count as u64);
            self.buffer.resize(filled as usize, 0);
            self.start = offset;
            if let Err(error) = self.file.read_exact_at(&mut self.buffer, offset) {
                self.buffer.clear();
                return Err(error);
            }
        }
        let start = (offset - self.start) as usize;
        Ok(Some(&self.buffer[start..start + count]))
    }

    /// Whether there are only zeros from `offset` to the end.
    pub(crate) fn is_zero_from(&mut self, mut offset: u64) -> io::Result<bool> {
        while offset < self.length {
            let count = (self.length - offset).min(WINDOW_BYTES);
            let part = self.bytes(offset, count as usize)?;
            if part.is_some_and(|part| part.iter().any(|byte| *byte != 0)) {
                return Ok(false);
            }
            offset += count;
        }
        Ok(true)
    }
}
