//! Where a document goes: the standard output, or a file that is there whole or not at
//! all.

use super::input::STANDARD;
use crate::output::WrongUsage;
use anyhow::{Context, Result, bail};
use std::fs::{self, File, Permissions};
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

    /// To a file, which keeps its mode if it is there. A link stays one: what it leads to
    /// is replaced.
    pub fn file(path: &Path) -> Result<Self> {
        let cannot = || format!("cannot write {}", path.display());
        let target = behind_links(path).with_context(cannot)?;
        let mode = match fs::metadata(&target) {
            Ok(metadata) if !metadata.is_file() => {
                bail!("cannot write {}: it is no regular file", path.display())
            }
            Ok(metadata) => Some(metadata.permissions()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error).with_context(cannot),
        };
        let temporary = tempfile::Builder::new()
            .permissions(Permissions::from_mode(NEW_FILE))
            .tempfile_in(parent(&target))
            .with_context(cannot)?;
        if let Some(mode) = mode {
            temporary
                .as_file()
                .set_permissions(mode)
                .with_context(cannot)?;
        }
        Ok(Self::File {
            writer: Box::new(BufWriter::new(temporary)),
            target,
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
                // Its new name is on the disk when its directory is.
                let directory = File::open(parent(&target)).with_context(cannot)?;
                directory.sync_all().with_context(cannot)
            }
        }
    }
}

/// Where a document that is written to `path` ends up.
///
/// # Errors
/// As the operating system says; `NotFound` of a link that leads to nothing.
pub fn behind_links(path: &Path) -> io::Result<PathBuf> {
    match path.symlink_metadata() {
        Ok(found) if found.is_symlink() => path.canonicalize(),
        _ => Ok(path.to_owned()),
    }
}

fn parent(target: &Path) -> &Path {
    let parent = target.parent().filter(|it| !it.as_os_str().is_empty());
    parent.unwrap_or(Path::new("."))
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
