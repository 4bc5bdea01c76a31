//! Where a document goes: the standard output, or a file that is there whole or not at
//! all.

use super::input::STANDARD;
use crate::output::WrongUsage;
use anyhow::{Context, Result, bail};
use std::fs::{self, Permissions};
use std::io::{self, BufWriter, IsTerminal, Stdout, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// A document that is being written. Unless it is finished, no file has changed.
pub enum Sink {
    Standard(BufWriter<Stdout>),
    File {
        writer: Box<BufWriter<NamedTempFile>>,
        target: PathBuf,
    },
}

/// What is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Text,
    Binary,
}

/// What a new file allows, before the umask.
const NEW_FILE: u32 = 0o666;

impl Sink {
    /// To a file that was named, or else the standard output; no bytes go to a terminal,
    /// which they would steer.
    pub fn open(output: Option<&Path>, form: Form) -> Result<Self> {
        match output.filter(|output| output.as_os_str() != STANDARD) {
            Some(target) => Self::file(target),
            None if form == Form::Binary && io::stdout().is_terminal() => {
                let why = "the binary form is not for a terminal: write it to a file with \
                           --output FILE, or into a pipe";
                bail!(WrongUsage(why.to_owned()))
            }
            None => Ok(Self::standard()),
        }
    }

    pub fn standard() -> Self {
        Self::Standard(BufWriter::new(io::stdout()))
    }

    /// To a file, which keeps its mode if it is there.
    pub fn file(target: &Path) -> Result<Self> {
        let cannot = || format!("cannot write {}", target.display());
        let mode = match fs::metadata(target) {
            Ok(metadata) if !metadata.is_file() => {
                bail!("cannot write {}: it is no regular file", target.display())
            }
            Ok(metadata) => Some(metadata.permissions()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error).with_context(cannot),
        };
        let parent = target.parent().filter(|it| !it.as_os_str().is_empty());
        let temporary = tempfile::Builder::new()
            .permissions(Permissions::from_mode(NEW_FILE))
            .tempfile_in(parent.unwrap_or(Path::new(".")))
            .with_context(cannot)?;
        if let Some(mode) = mode {
            temporary
                .as_file()
                .set_permissions(mode)
                .with_context(cannot)?;
        }
        Ok(Self::File {
            writer: Box::new(BufWriter::new(temporary)),
            target: target.to_owned(),
        })
    }

    /// Writes what is left, and puts a file in its place once it is on the disk.
    pub fn finish(self) -> Result<()> {
        match self {
            Self::Standard(mut writer) => writer
                .flush()
                .context("cannot write to the standard output"),
            Self::File { writer, target } => {
                let cannot = || format!("cannot write {}", target.display());
                let temporary = writer.into_inner().map_err(io::IntoInnerError::into_error);
                let temporary = temporary.with_context(cannot)?;
                temporary.as_file().sync_all().with_context(cannot)?;
                temporary.persist(&target).with_context(cannot)?;
                Ok(())
            }
        }
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Standard(writer) => writer.write(bytes),
            Self::File { writer, .. } => writer.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Standard(writer) => writer.flush(),
            Self::File { writer, .. } => writer.flush(),
        }
    }
}
