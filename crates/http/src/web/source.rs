//! Where a configuration comes from, and how workers get the one that is in force:
//! as a copy of the text that their master read, whatever the file says meanwhile.

use super::config::Config;
use super::file::{ReadError, parse_file, read_text};
use crate::models::processes::Worker;
use rustix::fs::{MemfdFlags, memfd_create};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

/// See the module.
#[derive(Debug, Clone)]
pub enum Source {
    /// It is what the program was told, and never changes.
    Told(Box<Config>),
    /// A YAML file, which is read anew when it is asked for.
    File(PathBuf),
}

impl Source {
    /// What it says now.
    ///
    /// # Errors
    /// The file cannot be read, or says something that cannot be.
    pub fn read(&self) -> Result<Config, ReadError> {
        match self {
            Self::Told(config) => Ok((**config).clone()),
            Self::File(path) => super::file::read(path),
        }
    }

    /// The same, with what workers are given so that they read the same.
    pub(super) fn read_for_workers(&self) -> Result<(Config, Vec<OwnedFd>), ReadError> {
        let Self::File(path) = self else {
            return Ok((self.read()?, Vec::new()));
        };
        let fails = |source| ReadError::Read {
            path: path.clone(),
            source,
        };
        let text = read_text(path).map_err(fails)?;
        let config = parse_file(&text, path)?;
        let copy = hold(&text).map_err(fails)?;
        Ok((config, vec![copy]))
    }

    /// What the master of `worker` read.
    pub(super) fn read_as(&self, worker: &mut Worker) -> Result<Config, ReadError> {
        let copy = worker.take_extras().pop();
        match (self, copy) {
            (Self::File(path), Some(copy)) => {
                let text = held(copy).map_err(|source| ReadError::Read {
                    path: path.clone(),
                    source,
                })?;
                parse_file(&text, path)
            }
            _ => self.read(),
        }
    }
}

/// A file without a name that has `text`.
fn hold(text: &str) -> io::Result<OwnedFd> {
    let file = memfd_create("configuration", MemfdFlags::CLOEXEC)?;
    let mut file = File::from(file);
    file.write_all(text.as_bytes())?;
    Ok(file.into())
}

/// The text of such a file. All who have it share its place, so none is used.
fn held(file: OwnedFd) -> io::Result<String> {
    let file = File::from(file);
    let length = file.metadata()?.len();
    let mut text = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
    file.read_exact_at(&mut text, 0)?;
    String::from_utf8(text).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::{held, hold};

    #[test]
    fn what_is_held_is_read_any_number_of_times() {
        let file = hold("listen: x\n").unwrap();
        for _ in 0..2 {
            assert_eq!(held(file.try_clone().unwrap()).unwrap(), "listen: x\n");
        }
    }
}
