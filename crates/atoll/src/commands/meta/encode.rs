//! `atoll meta encode`: from text to the binary form.

use super::input::{Content, Input, nothing};
use super::problems::{Found, files_of, is_manifest};
use super::sink::{Form, Sink};
use super::writer::put;
use anyhow::{Result, bail, ensure};
use meta::FileMetadata;
use meta::binary::{Compression, Encoder, encode_files};
use meta::form::{Described, read_manifest};
use meta::text::Source;
use std::path::PathBuf;

/// Comments have no place in the binary form: they are lost
#[derive(clap::Args)]
pub struct Arguments {
    /// A text; `-` is the standard input
    file: PathBuf,
    /// Where the bytes go [default: the standard output]
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Compress them
    #[arg(long)]
    zstd: bool,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let mut sink = Sink::open(arguments.output.as_deref(), Form::Binary)?;
    let input = Input::open(&arguments.file)?;
    let Content::Text(text) = &input.content else {
        bail!("{} is in the binary form already", input.name);
    };
    let compression = compression(arguments.zstd);
    let bytes = encoded(text, compression, &input.name)?;
    put(&mut sink, &bytes)?;
    sink.finish()
}

/// The compression that was asked for.
pub const fn compression(zstd: bool) -> Compression {
    if zstd {
        Compression::Zstd
    } else {
        Compression::None
    }
}

/// All bytes are held, as the text is, so that nothing is written of a text with problems.
fn encoded(text: &[u8], compression: Compression, name: &str) -> Result<Vec<u8>> {
    let failed = |found: Found| found.into_error(name);
    let source = Source::new(text).map_err(|problem| failed(problem.into()))?;
    if is_manifest(source) {
        return manifest(source, compression).map_err(failed);
    }
    let files: Option<Vec<_>> = files_of(source)
        .map_err(failed)?
        .into_iter()
        .map(file)
        .collect();
    ensure!(
        files.as_ref().is_none_or(|files| !files.is_empty()),
        nothing(name)
    );
    let Some(files) = files else {
        bail!("{name} has a manifest among other documents: give it a file of its own");
    };
    Ok(encode_files(&files, compression))
}

/// Read twice: what is said of the folder as a whole may stand behind its entries.
fn manifest(source: Source<'_>, compression: Compression) -> Result<Vec<u8>, Found> {
    let header = read_manifest(source, drop)?;
    let mut encoder = Encoder::new(&header, compression);
    read_manifest(source, |entry| {
        // Only entries in order are given.
        let pushed = encoder.push(&entry);
        debug_assert_eq!(pushed, Ok(()));
    })?;
    Ok(encoder.finish())
}

fn file(described: Described) -> Option<FileMetadata> {
    match described {
        Described::File(file) => Some(file),
        Described::Folder(_) => None,
    }
}
