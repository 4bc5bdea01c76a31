//! Settings as people write them: texts in YAML, in which what is wrong is named with
//! its line.
//!
//! What may be said in one, and what it becomes, is decided by whoever reads it:
//! [`crate::web`], for one.

use serde::de::DeserializeOwned;
use serde_saphyr::{Error, Location, MessageFormatter, UserMessageFormatter};
use std::fmt::Display;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// More than anybody writes by hand.
const MAX_BYTES: u64 = 1 << 20;

/// Why a file gives no settings.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It cannot be read.
    #[error("cannot read the configuration {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It says something that cannot be.
    #[error("{path}: {wrong}")]
    Wrong {
        /// The file.
        path: PathBuf,
        /// What is wrong, and in which line.
        wrong: Wrong,
    },
}

/// What is wrong with a text, and where.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("line {line}: {reason}")]
pub struct Wrong {
    /// From 1.
    pub line: u64,
    /// What is wrong.
    pub reason: String,
}

impl Wrong {
    /// As the error of the file at `path`, whose text it is.
    pub fn of(self, path: &Path) -> ReadError {
        ReadError::Wrong {
            path: path.to_owned(),
            wrong: self,
        }
    }
}

/// What `parse` makes of the file at `path`.
///
/// # Errors
/// The file cannot be read, or says something that cannot be.
pub fn read<T>(path: &Path, parse: impl FnOnce(&str) -> Result<T, Wrong>) -> Result<T, ReadError> {
    let text = read_text(path).map_err(|source| ReadError::Read {
        path: path.to_owned(),
        source,
    })?;
    parse(&text).map_err(|wrong| wrong.of(path))
}

/// The text of the file at `path`.
///
/// # Errors
/// It cannot be read, is longer than anybody writes, or is no UTF-8.
pub fn read_text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let file = std::fs::File::open(path)?;
    file.take(MAX_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_BYTES {
        let long = format!("it has more than {MAX_BYTES} bytes");
        return Err(io::Error::new(io::ErrorKind::InvalidData, long));
    }
    Ok(text)
}

/// What `text` says, in the shape of `T`.
///
/// # Errors
/// The first thing that has another shape, with its line.
pub fn parse<T: DeserializeOwned>(text: &str) -> Result<T, Wrong> {
    serde_saphyr::from_str(text).map_err(|error| malformed(&error))
}

/// Says where an error is.
///
/// # Errors
/// That of `result`.
pub fn at<T>(place: Location, result: Result<T, impl Display>) -> Result<T, Wrong> {
    result.map_err(|error| Wrong {
        line: place.line(),
        reason: error.to_string(),
    })
}

/// An error of the parser.
fn malformed(error: &Error) -> Wrong {
    Wrong {
        line: error.location().map_or(1, |place| place.line()),
        reason: words(error.without_snippet()),
    }
}

/// What is wrong, for whoever wrote the text: the parser's own words for the mistakes
/// that are made most are for those who program with it.
fn words(error: &Error) -> String {
    match error {
        Error::SerdeUnknownField {
            field, expected, ..
        } => {
            format!(
                "there is no key `{field}` here, only {}",
                expected.join(", ")
            )
        }
        Error::SerdeMissingField { field, .. } => format!("the key `{field}` is missing"),
        Error::SerdeUnknownVariant {
            variant, expected, ..
        } => {
            format!("{variant:?} is none of {}", expected.join(", "))
        }
        Error::SerdeInvalidType { expected, .. } | Error::SerdeInvalidValue { expected, .. } => {
            format!("expected {}", kind(expected))
        }
        Error::InvalidScalar { ty, .. } => format!("expected {}", kind(ty)),
        Error::Unexpected { expected, .. } => format!("expected {}", kind(expected)),
        Error::DuplicateMappingKey { key: Some(key), .. } => {
            format!("the key `{key}` is there twice: remove one")
        }
        Error::NullIntoString { .. } => {
            "nothing is said here: write a text, or leave the key out".to_owned()
        }
        other => UserMessageFormatter.format_message(other).into_owned(),
    }
}

/// What Rust and YAML call a kind of value, in other words.
fn kind(name: &str) -> &str {
    match name {
        "bool" | "boolean" => "true or false",
        "u16" => "a whole number from 0 to 65535",
        "u32" | "u64" | "usize" => "a whole number, not below 0",
        "string scalar" => "a single value",
        "a string" => "a text",
        "sequence" | "a sequence" | "sequence start" => "a list",
        "mapping" | "a map" | "mapping start" => "keys with values",
        name if name.starts_with("struct ") => "keys with values",
        name => name,
    }
}
