//! Where a document goes: the standard output, or a file that is there whole or not at
//! all.

use super::input::STANDARD;
use crate::output::WrongUsage;
use anyhow::{Context, Result, bail};
use std::fs::{self, File, Metadata, Permissions};
use std::io::{self, BufWriter, IsTerminal, Stdout, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use tempfile::TempPath;

/// A document that is being written. Unless it is finished, no file has changed.
pub enum Sink {
    Standard(BufWriter<Stdout>),
    File {
        writer: BufWriter<File>,
        /// What it is called until it is finished.
        temporary: TempPath,
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

    /// To a file, which keeps its mode, and its owner as far as that can be, if it is there.
    /// A link stays one: what it leads to is replaced. Other names of the file, hard links,
    /// keep what they have.
    pub fn file(path: &Path) -> Result<Self> {
        let cannot = || format!("cannot write {}", path.display());
        let target = behind_links(path).with_context(cannot)?;
        let replaced = match fs::metadata(&target) {
            Ok(metadata) if !metadata.is_file() => {
                bail!("cannot write {}: it is no regular file", path.display())
            }
            Ok(metadata) => Some(metadata),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error).with_context(cannot),
        };
        let temporary = tempfile::Builder::new()
            .permissions(Permissions::from_mode(NEW_FILE))
            .tempfile_in(parent(&target))
            .map_err(|error| without_path(&error))
            .with_context(cannot)?;
        let (file, temporary) = temporary.into_parts();
        if let Some(replaced) = replaced {
            keep_owner(&file, &replaced);
            let mode = replaced.permissions();
            file.set_permissions(mode).with_context(cannot)?;
        }
        Ok(Self::File {
            writer: BufWriter::new(file),
            temporary,
            target,
        })
    }

    /// What it is called in messages.
    pub fn name(&self) -> String {
        match self {
            Self::Standard(_) => "to the standard output".to_owned(),
            Self::File { target, .. } => target.display().to_string(),
        }
    }

    /// Writes what is left, and puts a file in its place once it is on the disk.
    pub fn finish(self) -> Result<()> {
        match self {
            Self::Standard(mut writer) => writer
                .flush()
                .context("cannot write to the standard output"),
            Self::File {
                writer,
                temporary,
                target,
            } => {
                let cannot = || format!("cannot write {}", target.display());
                let file = writer.into_inner().map_err(io::IntoInnerError::into_error);
                file.and_then(|file| file.sync_all()).with_context(cannot)?;
                let persisted = temporary.persist(&target);
                persisted
                    .map_err(|error| error.error)
                    .with_context(cannot)?;
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

/// The same without the name of the temporary file, which is nobody's concern.
fn without_path(error: &io::Error) -> io::Error {
    let text = error.to_string();
    let reason = match error.kind() {
        io::ErrorKind::NotFound => "its directory does not exist",
        _ => text.split(" at path ").next().unwrap_or(&text),
    };
    io::Error::new(error.kind(), reason.to_owned())
}

/// Gives a new file to whoever has the one that it replaces, as far as the user may: root
/// all of it, others a group of theirs.
fn keep_owner(file: &File, replaced: &Metadata) {
    let (owner, group) = (Some(replaced.uid()), Some(replaced.gid()));
    if fchown(file, owner, group).is_err() {
        // It is as with any other program then that writes a file anew.
        let _ = fchown(file, None, group);
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
