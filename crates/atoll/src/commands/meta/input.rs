//! A document as it comes: from a file or the standard input, as a text or as bytes,
//! which its first byte tells apart.
//!
//! A text is held whole, because its problems are told with their lines; the binary form
//! is read as it is needed.

use crate::output::WrongUsage;
use anyhow::{Context, Result, bail};
use meta::binary::{DecodeError, Decoder, MAGIC, Step};
use meta::text::SOURCE_BYTES;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use sync::printable;

/// What stands for the standard input.
pub const STANDARD: &str = "-";

/// A document that is being read.
pub struct Input {
    /// What it is called in messages.
    pub name: String,
    pub content: Content,
}

pub enum Content {
    Text(Vec<u8>),
    Binary(Binary),
}

/// The binary form, read step by step.
pub struct Binary {
    name: String,
    reader: Box<dyn BufRead + Send>,
    decoder: Decoder,
}

/// In so many bytes at its start a text has no NUL; git tells texts by the same.
const LOOKED_AT: usize = 8000;

/// Bytes read at once.
const PIECE: usize = 128 << 10;

impl Input {
    /// Begins to read the document at `path`.
    pub fn open(path: &Path) -> Result<Self> {
        let name = name(path);
        let cannot = || format!("cannot read {name}");
        let source: Box<dyn Read + Send> = if path.as_os_str() == STANDARD {
            Box::new(io::stdin())
        } else {
            Box::new(File::open(path).with_context(cannot)?)
        };
        let mut reader = BufReader::with_capacity(PIECE, source);
        let begin = reader.fill_buf().with_context(cannot)?;
        let content = if begin.first() == Some(&MAGIC[0]) {
            Content::Binary(Binary {
                name: name.clone(),
                reader: Box::new(reader),
                decoder: Decoder::new(),
            })
        } else if begin[..begin.len().min(LOOKED_AT)].contains(&0) {
            // Neither an image nor what a device gives for ever is read to its end.
            bail!("{name} is neither a text nor the binary form of a document")
        } else {
            // One byte more tells that there is too much.
            let mut bytes = Vec::new();
            let mut bounded = reader.take(SOURCE_BYTES as u64 + 1);
            bounded.read_to_end(&mut bytes).with_context(cannot)?;
            Content::Text(bytes)
        };
        Ok(Self { name, content })
    }
}

/// What the document at `path` is called in messages.
pub fn name(path: &Path) -> String {
    if path.as_os_str() == STANDARD {
        "the standard input".to_owned()
    } else {
        printable::name(path.as_os_str().as_bytes())
    }
}

/// What is said of a file that was cut off at its start: nothing else is wrong with it.
pub fn nothing(name: &str) -> String {
    format!("{name} has no document in it")
}

/// Refuses to read the standard input twice.
pub fn expect_one_standard<'p>(paths: impl IntoIterator<Item = &'p PathBuf>) -> Result<()> {
    let paths = paths.into_iter();
    if paths.filter(|path| path.as_os_str() == STANDARD).count() > 1 {
        let why = "the standard input, `-`, can be read once only".to_owned();
        bail!(WrongUsage(why));
    }
    Ok(())
}

impl Binary {
    /// What comes next, [`Step::End`] at last; never [`Step::NeedMore`].
    pub fn step(&mut self) -> Result<Step> {
        loop {
            let damaged = || format!("{} cannot be understood", self.name);
            match self.decoder.step().with_context(damaged)? {
                Step::NeedMore => {
                    let cannot = || format!("cannot read {}", self.name);
                    let piece = self.reader.fill_buf().with_context(cannot)?;
                    let length = piece.len();
                    if length == 0 {
                        let truncated = DecodeError::Truncated("the file");
                        return Err(truncated).with_context(damaged);
                    }
                    self.decoder.feed(piece);
                    self.reader.consume(length);
                }
                Step::End => {
                    self.expect_end()?;
                    return Ok(Step::End);
                }
                step => return Ok(step),
            }
        }
    }

    /// Bytes behind the end are an error, wherever the pieces were cut.
    fn expect_end(&mut self) -> Result<()> {
        let piece = self.reader.fill_buf();
        let piece = piece.with_context(|| format!("cannot read {}", self.name))?;
        self.decoder.feed(piece);
        let decoder = std::mem::take(&mut self.decoder);
        decoder
            .finish()
            .with_context(|| format!("{} cannot be understood", self.name))
    }
}
