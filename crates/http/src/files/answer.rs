//! The answer to a request for a file: status, header lines, and where the
//! bytes of the body lie.
//!
//! The lines are one block that goes on the wire as it is. The status line, `Date`
//! and what frames the message (`Content-Length`, `Connection`) belong to the
//! connection and are not in it.
//! Who decides about all this is [`super::plan`].

use super::range::Span;
use bytes::Bytes;
use http::StatusCode;
use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// An answer, ready to be written.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// All header lines that depend on the file.
    pub fields: Fields,
    /// What `Content-Length` says, where the status has one: the length of what
    /// GET is sent, also when HEAD asked.
    pub length: u64,
    /// The body; [`Body::Empty`] for HEAD.
    pub body: Body,
    /// What the server's log should say, when something is wrong on this side.
    pub fault: Option<Box<FileError>>,
}

/// Where the bytes of a body are.
#[derive(Debug, Clone)]
pub enum Body {
    /// None are sent.
    Empty,
    /// Here.
    Bytes(Bytes),
    /// In a file; meant for `sendfile`.
    File(FileRange),
    /// One after another: a `multipart/byteranges`.
    Parts(Vec<Part>),
}

/// A run of bytes in an open file.
///
/// The file may be cut shorter while it is sent: a sender that meets its end
/// early must close the connection, as it can no longer keep its
/// `Content-Length`.
#[derive(Debug, Clone)]
pub struct FileRange {
    /// The file; its position is not used.
    pub file: Arc<File>,
    /// Which bytes.
    pub span: Span,
    /// Who counts those that are sent, if anybody does. It is let go when no more will
    /// be: what it holds, it holds for as long as the file is sent.
    pub tally: Option<Arc<dyn Tally>>,
}

/// Counts what of a file is sent, be it all or what a client took before it went.
pub trait Tally: fmt::Debug + Send + Sync {
    /// So many bytes more were given to the client's connection.
    fn add(&self, bytes: u64);
}

/// A piece of a body that has several.
#[derive(Debug, Clone)]
pub enum Part {
    /// Bytes in memory.
    Bytes(Bytes),
    /// Bytes in a file.
    File(FileRange),
}

/// Header lines as they go on the wire: `name: value\r\n` each, names in lower
/// case. None of them is one that a [`FieldBlock`](crate::h1::FieldBlock) may not hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fields(pub(super) Bytes);

/// Something on this side went wrong with a file.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what} {path:?} beneath the served directory: {source}")]
pub struct FileError {
    /// What was tried, a verb.
    pub what: &'static str,
    /// Relative to the served directory.
    pub path: String,
    /// Why it failed.
    pub source: io::Error,
}

impl Answer {
    /// An answer to GET.
    pub(super) fn new(status: StatusCode, lines: impl Into<Bytes>, body: Body) -> Self {
        Self {
            status,
            fields: Fields(lines.into()),
            length: body.length(),
            body,
            fault: None,
        }
    }

    /// A short answer in plain text, for what is not a file.
    pub(crate) fn plain(status: StatusCode, extra: &[(&str, &[u8])]) -> Self {
        let mut lines = Vec::with_capacity(128);
        for (name, value) in extra {
            push_field(&mut lines, name, value);
        }
        let text = format!("{}\n", status.canonical_reason().unwrap_or("Error"));
        push_field(&mut lines, "content-type", b"text/plain; charset=utf-8");
        Self::new(status, lines, Body::Bytes(Bytes::from(text)))
    }

    /// The same with more header lines, which were checked when they were written.
    pub(crate) fn with_lines(self, mut lines: Vec<u8>) -> Self {
        lines.extend_from_slice(self.fields.as_bytes());
        Self {
            fields: Fields(lines.into()),
            ..self
        }
    }

    /// A text that is made for the occasion.
    pub(crate) fn text(media_type: &str, text: String) -> Self {
        let mut lines = Vec::with_capacity(128);
        push_field(&mut lines, "content-type", media_type.as_bytes());
        push_field(&mut lines, "cache-control", b"no-store");
        Self::new(StatusCode::OK, lines, Body::Bytes(Bytes::from(text)))
    }

    /// An answer without content, for a status that has none.
    pub(crate) fn empty(status: StatusCode) -> Self {
        Self::new(status, Vec::new(), Body::Empty)
    }

    /// The same head with nothing after it: what HEAD is answered.
    pub(super) fn without_body(self) -> Self {
        Self {
            body: Body::Empty,
            ..self
        }
    }
}

impl FileRange {
    /// Reads its first bytes into `buffer`, for whoever cannot hand the file itself to
    /// a socket; 0 when the file ends there.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(crate) fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.span.length.min(buffer.len() as u64) as usize;
        self.file.read_at(&mut buffer[..length], self.span.offset)
    }

    /// Takes off its first bytes, which were sent.
    pub(crate) fn advance(&mut self, sent: u64) {
        self.span.offset += sent;
        self.span.length -= sent;
        if let Some(tally) = &self.tally {
            tally.add(sent);
        }
    }
}

impl Body {
    /// How many bytes it has.
    pub fn length(&self) -> u64 {
        match self {
            Self::Empty => 0,
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File(range) => range.span.length,
            Self::Parts(parts) => parts.iter().map(Part::length).sum(),
        }
    }
}

impl Part {
    /// How many bytes it has.
    pub fn length(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File(range) => range.span.length,
        }
    }
}

impl Fields {
    /// The block, every line with its end.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The block, to keep.
    pub fn into_bytes(self) -> Bytes {
        self.0
    }

    /// (name, value) of each line.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let lines = self.0.split(|byte| *byte == b'\n');
        lines.filter_map(|line| {
            let line = line.strip_suffix(b"\r")?;
            let colon = line.iter().position(|byte| *byte == b':')?;
            Some((&line[..colon], line[colon + 1..].trim_ascii()))
        })
    }

    /// The value of the first line called `name`, compared without case.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.iter()
            .find(|(found, _)| found.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| value)
    }
}

/// Appends one line. The value must be free of line ends, which holds for all
/// that are made here; those of a configuration are checked when it is read.
pub(crate) fn push_field(lines: &mut Vec<u8>, name: &str, value: &[u8]) {
    debug_assert!(is_field_value(value), "a line end in the value of {name}");
    lines.extend(name.bytes().map(|byte| byte.to_ascii_lowercase()));
    lines.extend_from_slice(b": ");
    lines.extend_from_slice(value);
    lines.extend_from_slice(b"\r\n");
}

/// Whether `value` may stand in a header line (RFC 9110 section 5.5).
pub(super) fn is_field_value(value: &[u8]) -> bool {
    value
        .iter()
        .all(|byte| *byte == b'\t' || (*byte >= 0x20 && *byte != 0x7f))
}

/// Whether `text` is visible ASCII only, as a URL is.
pub(super) fn is_visible_ascii(text: &[u8]) -> bool {
    text.iter().all(u8::is_ascii_graphic)
}
