//! `atoll meta show`: the document of a file or link, or the manifest of a directory.

use super::encode::compression;
use super::sink::{Form, Sink, behind_links};
use super::told::say_left_out;
use super::verify::open_beside;
use super::writer::{Style, Writer, write_file};
use crate::output::{WrongUsage, complain};
use anyhow::{Context, Result, bail, ensure};
use base::{Name, Slug};
use meta::FileMetadata;
use meta::manifest::{Entry, Header};
use std::path::{Path, PathBuf};
use sync::inventory::{Around, Met, Standing, StandingError, Walked, one, take};
use sync::printable::printable;
use sync::progress::Progress;

/// In a folder that Atoll syncs, each entry's version and state are what the folder's
/// client knows, and its own corner `.atoll` is left out; elsewhere the version is 0
#[derive(clap::Args)]
pub struct Arguments {
    /// A file, a link or a directory
    path: PathBuf,
    /// Where the document goes [default: the standard output]
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Write the binary form
    #[arg(long, group = "style")]
    binary: bool,
    /// Compress the binary form
    #[arg(long, requires = "binary", conflicts_with = "json")]
    zstd: bool,
    /// Write one JSON object for each entry
    #[arg(long, group = "style")]
    json: bool,
    /// Open no files: hashes are left out. Modes, times, sizes and attributes are told
    #[arg(long)]
    no_hash: bool,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let path = &arguments.path;
    let metadata = path.symlink_metadata();
    let metadata = metadata.with_context(|| format!("cannot show {}", path.display()))?;
    if metadata.is_dir() {
        folder(arguments)
    } else {
        file(arguments)
    }
}

fn file(arguments: &Arguments) -> Result<()> {
    let path = &arguments.path;
    let cannot = || format!("cannot show {}", path.display());
    let sink = sink(arguments)?;
    let progress = Progress::new(false);
    let met = match one(path, !arguments.no_hash, &progress).with_context(cannot)? {
        Walked::Entry(met) => met,
        Walked::LeftOut(left_out) => bail!("cannot show {}: {}", path.display(), left_out.reason),
    };
    let parent = path.parent().filter(|it| !it.as_os_str().is_empty());
    let (_, mut standing) = known_of(parent.unwrap_or(Path::new(".")));
    let met = with_standing(met, standing.as_mut())?;
    let name = Name::new(met.path.as_str()).with_context(cannot)?;
    let record = met.record;
    progress.end();
    write_file(style(arguments), &FileMetadata { name, record }, sink)
}

fn folder(arguments: &Arguments) -> Result<()> {
    let path = &arguments.path;
    refuse_inside(path, arguments.output.as_deref())?;
    let (space, mut standing) = known_of(path);
    let header = Header {
        space,
        ..Header::default()
    };
    let tree = open_beside(path, &header)?;
    let mut writer = Writer::new(style(arguments), &header, sink(arguments)?);
    let progress = Progress::new(false);
    let mut left_out = 0_u64;
    take(
        &tree,
        !arguments.no_hash,
        &progress,
        |walked| match walked {
            Walked::Entry(met) => {
                let met = with_standing(met, standing.as_mut())?;
                let (path, record) = (met.path, met.record);
                writer.entry(&Entry { path, record })
            }
            Walked::LeftOut(entry) => {
                left_out += 1;
                say_left_out(&progress, &entry);
                Ok(())
            }
        },
    )?;
    progress.end();
    writer.finish()?;
    let were = if left_out == 1 {
        "1 entry was"
    } else {
        &format!("{left_out} entries were")
    };
    ensure!(left_out == 0, "{were} left out, each named above");
    Ok(())
}

/// The space that a directory follows, and what is known of what it holds. Whatever there
/// is to say against the folder's own knowledge, the directory can be told of without.
fn known_of(path: &Path) -> (Option<Slug>, Option<Standing>) {
    let around = match Around::find(path) {
        Ok(Some(around)) => around,
        Ok(None) => return (None, None),
        Err(error) => {
            warn(&error);
            return (None, None);
        }
    };
    let standing = around.standing().map_err(|error| warn(&error)).ok();
    (around.space(), standing)
}

fn warn(error: &StandingError) {
    let text = format!("warning: nothing is told of versions and sync states: {error}");
    complain(format_args!("{}", printable(&text)));
}

fn with_standing(mut met: Met, standing: Option<&mut Standing>) -> Result<Met> {
    if let Some(standing) = standing {
        standing.tell(&mut met)?;
    }
    Ok(met)
}

/// A manifest in the directory that it describes would tell of itself, half written.
fn refuse_inside(path: &Path, output: Option<&Path>) -> Result<()> {
    let Some(output) = output else { return Ok(()) };
    let Ok(target) = behind_links(output) else {
        return Ok(());
    };
    let parent = target.parent().filter(|it| !it.as_os_str().is_empty());
    let (Ok(top), Ok(parent)) = (
        path.canonicalize(),
        parent.unwrap_or(Path::new(".")).canonicalize(),
    ) else {
        return Ok(());
    };
    if parent.starts_with(top) && output.as_os_str() != super::input::STANDARD {
        let why = format!(
            "{} lies in the directory that it would describe: put it elsewhere",
            output.display()
        );
        bail!(WrongUsage(why));
    }
    Ok(())
}

fn sink(arguments: &Arguments) -> Result<Sink> {
    let form = if arguments.binary {
        Form::Binary
    } else {
        Form::Text
    };
    Sink::open(arguments.output.as_deref(), form)
}

const fn style(arguments: &Arguments) -> Style {
    match arguments {
        Arguments {
            binary: true, zstd, ..
        } => Style::Binary(compression(*zstd)),
        Arguments { json: true, .. } => Style::Json,
        _ => Style::Text,
    }
}
