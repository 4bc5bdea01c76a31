//! Extended attributes of an open file: those that people and their programs set
//! (`user.*`), and those that decide what a file may do and who may use it.
//!
//! What else there is belongs to one machine and its policy (`security.selinux`,
//! `trusted.*`) and differs between equal copies.

use super::Reason;
use meta::{AttributeName, Attributes};
use rustix::fs::{fgetxattr, flistxattr, flistxattr_query, getxattr, listxattr, listxattr_query};
use rustix::io::Errno;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// What attributes that are told of begin with.
const TOLD: [&str; 3] = ["user.", "security.capability", "system.posix_acl_"];

/// The most that Linux lists, and the largest value (`XATTR_LIST_MAX`, `XATTR_SIZE_MAX`).
const MOST_BYTES: usize = 64 << 10;

/// Reads the attributes of an open file or directory.
///
/// # Errors
/// [`Reason`] why they cannot be told of.
pub fn read(file: BorrowedFd<'_>) -> Result<Attributes, Reason> {
    collect(
        flistxattr_query(file),
        |list| flistxattr(file, list),
        |name, value| fgetxattr(file, name, value),
    )
}

/// Reads the attributes behind a handle that opened nothing, by its name in /proc, since
/// the calls for open files refuse it; `None` where there is no /proc. Whose content may
/// not be read, whose `user.*` may not either.
///
/// # Errors
/// [`Reason`] why they cannot be told of.
pub fn read_closed(handle: BorrowedFd<'_>) -> Result<Option<Attributes>, Reason> {
    let path = format!("/proc/self/fd/{}", handle.as_raw_fd());
    let attributes = collect(
        listxattr_query(&path),
        |list| listxattr(&path, list),
        |name, value| getxattr(&path, name, value),
    );
    match attributes {
        Err(Reason::Unreadable(error)) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        attributes => attributes.map(Some),
    }
}

/// Reads what there is, of which the list has `size` bytes.
fn collect(
    size: Result<usize, Errno>,
    list: impl Fn(&mut [u8]) -> Result<usize, Errno>,
    get: impl Fn(&str, &mut [u8]) -> Result<usize, Errno>,
) -> Result<Attributes, Reason> {
    let mut attributes = Attributes::default();
    match size {
        // Most files have none, and some file systems cannot have any.
        Ok(0) | Err(Errno::NOTSUP) => return Ok(attributes),
        Ok(_) => {}
        Err(error) => return Err(io::Error::from(error).into()),
    }
    let mut names = vec![0; MOST_BYTES];
    let length = list(&mut names).map_err(io::Error::from)?;
    let mut value = Vec::new();
    for name in names[..length].split(|byte| *byte == 0) {
        if !TOLD.iter().any(|start| name.starts_with(start.as_bytes())) {
            continue;
        }
        let name = std::str::from_utf8(name).map_err(|_| Reason::AttributeName)?;
        value.resize(MOST_BYTES, 0);
        match get(name, &mut value) {
            Ok(length) => attributes.add(AttributeName::new(name)?, &value[..length])?,
            // Removed since it was listed.
            Err(Errno::NODATA) => {}
            Err(error) => return Err(io::Error::from(error).into()),
        }
    }
    Ok(attributes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{XattrFlags, fsetxattr};
    use std::fs::File;
    use std::os::fd::AsFd;

    #[test]
    fn what_people_set_is_told() {
        let file: File = tempfile::tempfile_in(".").unwrap();
        assert!(read(file.as_fd()).unwrap().is_empty());
        for (name, value) in [("user.b", &b"\xff"[..]), ("user.a", b"")] {
            fsetxattr(&file, name, value, XattrFlags::empty()).unwrap();
        }
        // Only root may; whoever may sees that it is not told.
        let _ = fsetxattr(&file, "trusted.x", b"1", XattrFlags::empty());
        let found = read(file.as_fd()).unwrap();
        let found: Vec<_> = found.iter().collect();
        assert_eq!(found, [("user.a", &b""[..]), ("user.b", b"\xff")]);
        let closed = read_closed(file.as_fd()).unwrap().unwrap();
        assert!(closed.iter().eq(found));
    }
}
