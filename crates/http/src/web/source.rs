//! Where a configuration comes from, and how workers get the one that is in force:
//! as copies of the texts that their master read, whatever the files say meanwhile.

use super::config::Config;
use super::file::parse_file;
use super::lines::Lines;
use super::papers::Papers;
use super::server::WebError;
use crate::models::processes::Worker;
use crate::yaml::{ReadError, read_text};
use rustix::fs::{MemfdFlags, memfd_create};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

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

    /// The same, with its text for workers, so that they read the same.
    pub(super) fn read_for_workers(&self) -> Result<(Config, OwnedFd), ReadError> {
        let text = match self {
            Self::Told(_) => String::new(),
            Self::File(path) => read_text(path).map_err(|error| self.unreadable(error))?,
        };
        let config = match self {
            Self::Told(config) => (**config).clone(),
            Self::File(path) => parse_file(&text, path)?,
        };
        let copy = hold(text.as_bytes()).map_err(|error| self.unreadable(error))?;
        Ok((config, copy))
    }

    /// What the master of `worker` read, of this and of the files it names.
    pub(super) fn read_as(&self, worker: &mut Worker) -> Result<(Config, Papers), ReadError> {
        let given = worker.take_extras();
        let texts: Vec<_> = given
            .into_iter()
            .map(held)
            .collect::<io::Result<_>>()
            .map_err(|error| self.unreadable(error))?;
        let not_given = || self.unreadable(io::ErrorKind::InvalidData.into());
        let [text, papers] = texts.as_slice() else {
            return Err(not_given());
        };
        let config = match self {
            Self::Told(config) => (**config).clone(),
            Self::File(path) => {
                let text = std::str::from_utf8(text).map_err(|_| not_given())?;
                parse_file(text, path)?
            }
        };
        Ok((config, Papers::given(papers).ok_or_else(not_given)?))
    }

    /// `error` with the line of the file that names what it is about, if there is one.
    pub(super) fn placed(&self, lines: &Lines, error: WebError) -> WebError {
        let wrong = error.path().and_then(|path| lines.wrong(path, &error));
        match (self, wrong) {
            (Self::File(path), Some(wrong)) => wrong.of(path).into(),
            _ => error,
        }
    }

    fn unreadable(&self, source: io::Error) -> ReadError {
        let path = match self {
            Self::Told(_) => Path::new("of the command line"),
            Self::File(path) => path,
        };
        ReadError::Read {
            path: path.to_owned(),
            source,
        }
    }
}

/// A file without a name that has `text`.
pub(super) fn hold(text: &[u8]) -> io::Result<OwnedFd> {
    let file = memfd_create("configuration", MemfdFlags::CLOEXEC)?;
    let mut file = File::from(file);
    file.write_all(text)?;
    Ok(file.into())
}

/// The text of such a file. All who have it share its place, so none is used.
fn held(file: OwnedFd) -> io::Result<Vec<u8>> {
    let file = File::from(file);
    let length = file.metadata()?.len();
    let mut text = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
    file.read_exact_at(&mut text, 0)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::{held, hold};

    #[test]
    fn what_is_held_is_read_any_number_of_times() {
        let file = hold(b"listen: x\n").unwrap();
        for _ in 0..2 {
            assert_eq!(held(file.try_clone().unwrap()).unwrap(), b"listen: x\n");
        }
    }
}
