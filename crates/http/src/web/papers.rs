//! The files of certificates and keys as they were when a configuration was checked.
//!
//! Each is read once. A master gives its workers what it has read, so that one that
//! starts later, when a file may be half renewed, proves itself as the others do.
//!
//! What is given is, for each file: the length of its path, the path, the length of its
//! text, the text; lengths are 8 bytes, little-endian.

use crate::tls::{Pem, TlsError};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// In the first line of every key (RFC 7468 section 10).
const SECRET: &[u8] = b"PRIVATE KEY-----";

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Papers {
    known: BTreeMap<PathBuf, Pem>,
    /// A certificate of its own that is not there is drawn, and not kept.
    only_looks: bool,
}

impl Papers {
    /// Those of somebody who only looks, and leaves nothing behind.
    pub(super) fn of_onlooker() -> Self {
        Self {
            only_looks: true,
            ..Self::default()
        }
    }

    /// What the file `path` says.
    pub(super) fn read(&mut self, what: &'static str, path: &Path) -> Result<Pem, TlsError> {
        self.know(path, || Pem::read(what, path))
    }

    /// A certificate of its own with its key, which is made if it is not there.
    pub(super) fn kept(&mut self, path: &Path, names: &[String]) -> Result<Pem, TlsError> {
        let only_looks = self.only_looks;
        self.know(path, || match only_looks {
            true => Pem::kept_or_drawn(path, names),
            false => Pem::kept(path, names),
        })
    }

    fn know(
        &mut self,
        path: &Path,
        read: impl FnOnce() -> Result<Pem, TlsError>,
    ) -> Result<Pem, TlsError> {
        if let Some(pem) = self.known.get(path) {
            return Ok(pem.clone());
        }
        let pem = read()?;
        self.known.insert(path.to_owned(), pem.clone());
        Ok(pem)
    }

    /// The files that hold a key.
    pub(super) fn secrets(&self) -> impl Iterator<Item = &Path> {
        let is_secret = |pem: &&Pem| {
            let mut windows = pem.text().windows(SECRET.len());
            windows.any(|window| window == SECRET)
        };
        self.known.values().filter(is_secret).map(Pem::path)
    }

    /// All that were read, for others.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for pem in self.known.values() {
            for part in [pem.path().as_os_str().as_bytes(), pem.text()] {
                out.extend((part.len() as u64).to_le_bytes());
                out.extend(part);
            }
        }
        out
    }

    /// Those that others have read; none if these are not their bytes.
    pub(super) fn given(mut bytes: &[u8]) -> Option<Self> {
        let mut papers = Self::default();
        while !bytes.is_empty() {
            let path = PathBuf::from(OsStr::from_bytes(take(&mut bytes)?));
            let text = take(&mut bytes)?.to_vec();
            let pem = Pem::new(&path, text);
            papers.known.insert(path, pem);
        }
        Some(papers)
    }
}

/// The next part, with its length before it.
fn take<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, rest) = bytes.split_first_chunk()?;
    let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
    let (part, rest) = rest.split_at_checked(length)?;
    *bytes = rest;
    Some(part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn what_was_read_stays_whatever_the_file_says_meanwhile() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = (folder.path().join("one"), folder.path().join("two"));
        fs::write(&one, "1").unwrap();
        fs::write(&two, "").unwrap();
        let mut papers = Papers::default();
        for path in [&one, &two] {
            papers.read("the key", path).unwrap();
        }
        let bytes = papers.bytes();
        let mut given = Papers::given(&bytes).unwrap();
        fs::write(&one, "other").unwrap();
        fs::remove_file(&two).unwrap();
        for papers in [&mut papers, &mut given] {
            assert_eq!(papers.read("the key", &one).unwrap().text(), b"1");
            assert_eq!(papers.read("the key", &two).unwrap().text(), b"");
        }
        for length in 1..bytes.len() {
            // A cut between two files leaves those before it.
            let is_whole = Papers::given(&bytes[..length]).is_some();
            assert_eq!(is_whole, length == one.as_os_str().len() + 17, "{length}");
        }
    }
}
