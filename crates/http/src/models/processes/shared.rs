//! Memory that the master and its workers share: rows of atomic integers in a file
//! that exists only in memory.
//!
//! Unsafe code, and nothing but that: a mapping and its end.
//! What the integers mean is told in [`super::scoreboard`].

#![allow(unsafe_code, reason = "the mapping of memory has no safe form")]

use rustix::fs::{
    MemfdFlags, SealFlags, fcntl_add_seals, fcntl_get_seals, fstat, ftruncate, memfd_create,
};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::AtomicU64;

/// Integers of one row.
pub(super) const CELLS: usize = 32;

/// One row: whole pairs of cache lines, since a processor fetches them in pairs, so
/// that writers of different rows do not slow each other.
#[repr(C, align(128))]
#[derive(Debug)]
pub(super) struct Row(pub(super) [AtomicU64; CELLS]);

const ROW_BYTES: usize = size_of::<Row>();
const _: () = assert!(ROW_BYTES == 256);

/// Its size can never change again: whoever maps it can always touch all of it.
const SEALS: SealFlags = SealFlags::SHRINK
    .union(SealFlags::GROW)
    .union(SealFlags::SEAL);

/// A file of `rows` rows, all of them 0.
///
/// # Errors
/// There is no memory or no descriptor for it.
pub(super) fn create(rows: usize) -> io::Result<OwnedFd> {
    let file = memfd_create(
        "scoreboard",
        MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING,
    )?;
    ftruncate(&file, (rows * ROW_BYTES) as u64)?;
    fcntl_add_seals(&file, SEALS)?;
    Ok(file)
}

/// The rows of such a file, mapped until it is dropped.
pub(super) struct Rows {
    start: NonNull<Row>,
    count: usize,
    file: OwnedFd,
}

impl Rows {
    /// Maps `file`.
    ///
    /// # Errors
    /// It was not made by [`create`], or cannot be mapped.
    pub(super) fn map(file: OwnedFd) -> io::Result<Self> {
        let bytes = usize::try_from(fstat(&file)?.st_size).unwrap_or(0);
        let is_sealed = fcntl_get_seals(&file)?.contains(SEALS);
        if !is_sealed || bytes == 0 || !bytes.is_multiple_of(ROW_BYTES) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "this descriptor is no scoreboard",
            ));
        }
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new mapping at an address that the kernel chooses touches no
        // memory that anything else refers to.
        let start = unsafe {
            mmap(
                std::ptr::null_mut(),
                bytes,
                protection,
                MapFlags::SHARED,
                &file,
                0,
            )
        }?;
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self {
            start,
            count: bytes / ROW_BYTES,
            file,
        })
    }

    pub(super) fn rows(&self) -> &[Row] {
        // SAFETY: the mapping has `count` rows, begins at a page and so is aligned,
        // and lives as long as `self`; the seals keep all of it accessible. Any bits
        // are valid integers, and all who share them, in this process and in others,
        // access them as atomics only.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.count) }
    }

    pub(super) fn file(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl Drop for Rows {
    fn drop(&mut self) {
        // SAFETY: this is the mapping that `map` made, whole, and no reference into
        // it outlives `self`.
        let unmapped = unsafe { munmap(self.start.as_ptr().cast(), self.count * ROW_BYTES) };
        debug_assert!(unmapped.is_ok());
    }
}

impl fmt::Debug for Rows {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.rows()).finish()
    }
}
