//! Responses, written straight into the driver's buffer.
//!
//! The caller gives status, fields and the size of the content; this decides the
//! framing (RFC 9112 6.1, 6.2), the connection options and what is left out for
//! HEAD, 204 and 304. It never lets a content be longer or shorter than announced:
//! the connection ends instead. Read on in [`super::connection`].

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::connection::{Connection, Writing};
use super::field_block::FieldBlock;
use super::head::Version;

/// How long the content of a response is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodySize {
    /// So many bytes. For HEAD it is what a GET would have had.
    Known(u64),
    /// Unknown until its end: chunks, or for HTTP/1.0 until the close.
    Streaming,
}

/// What the driver does after the head of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum BodyPlan {
    /// Nothing: the response is complete, whatever content there is.
    Nothing,
    /// Send the content, then call [`Connection::end_body`].
    Send,
}

/// Why a response could not be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RespondError {
    /// Nothing was written.
    #[error("no response is due at this point of the connection")]
    NotDue,
    /// Nothing was written.
    #[error(
        "an informational status does not fit here: use respond for final ones, inform or switch_protocols for others"
    )]
    Informational,
    /// Nothing was written; another response can be sent.
    #[error("the content-length field differs from the size of the content")]
    LengthConflict,
    /// The connection ends.
    #[error("the content is longer than its head announced")]
    TooLong,
    /// The connection ends.
    #[error("the content is shorter than its head announced: {missing} bytes are missing")]
    TooShort {
        /// How many bytes are missing.
        missing: u64,
    },
    /// Nothing was written; another response can be sent.
    #[error("the request offered no upgrade, or the response names no protocol")]
    NoUpgrade,
    /// Nothing was written; another response can be sent, and ends the connection.
    #[error("bytes came before the switch of protocols: answer with 400")]
    EarlyBytes,
}

/// Writes the content of a response.
#[derive(Clone, Copy, Debug)]
pub(super) enum BodyWriter {
    Length { left: u64 },
    Chunked,
    UntilClose,
}

/// The head of a response in the making. Dropped before it is finished, it leaves
/// nothing behind, and another response can be begun.
#[derive(Debug)]
#[must_use = "a response is sent only when it is finished"]
pub struct ResponseHead<'c> {
    connection: &'c mut Connection,
    out: &'c mut Vec<u8>,
    date: &'c [u8; 29],
    status: StatusCode,
    start: usize,
    length: Option<u64>,
    has_date: bool,
    close: bool,
    upgrade: bool,
    conflict: bool,
}

impl<'c> ResponseHead<'c> {
    #[inline]
    pub(super) fn begin(
        connection: &'c mut Connection,
        out: &'c mut Vec<u8>,
        status: StatusCode,
        date: &'c [u8; 29],
    ) -> Self {
        let start = out.len();
        write_status_line(out, status);
        Self {
            connection,
            out,
            date,
            status,
            start,
            length: None,
            has_date: false,
            close: false,
            upgrade: false,
            conflict: false,
        }
    }

    /// Adds a field. Those that frame the message or steer the connection are
    /// understood instead of copied: Content-Length announces, `close` and `upgrade`
    /// of Connection are honoured, other hop-by-hop fields are left out.
    pub fn field(mut self, name: &HeaderName, value: &HeaderValue) -> Self {
        match name.as_str() {
            "content-length" => self.announce(value),
            "connection" => self.note_connection(value),
            "transfer-encoding" | "keep-alive" | "proxy-connection" => {}
            other => {
                self.has_date |= other == "date";
                write_field(self.out, other.as_bytes(), value.as_bytes());
            }
        }
        self
    }

    /// Adds all fields of `fields`, as [`ResponseHead::field`] does.
    pub fn fields(self, fields: &HeaderMap) -> Self {
        fields
            .iter()
            .fold(self, |head, (name, value)| head.field(name, value))
    }

    /// Adds a field that the program itself knows.
    ///
    /// # Panics
    /// In debug builds, when the field is not one that a [`FieldBlock`] may hold.
    pub fn static_field(self, name: &'static str, value: &'static str) -> Self {
        debug_assert!(
            FieldBlock::may_hold(&HeaderName::from_static(name))
                && HeaderValue::from_str(value).is_ok(),
            "{name} can be written as it is"
        );
        write_field(self.out, name.as_bytes(), value.as_bytes());
        self
    }

    /// Adds fields that were written once and for all.
    #[inline]
    pub fn block(self, block: &FieldBlock) -> Self {
        self.out.extend_from_slice(block.as_bytes());
        self
    }

    /// Adds lines that were checked when they were written, as those of a file are.
    #[inline]
    pub(crate) fn lines(self, lines: &[u8]) -> Self {
        self.out.extend_from_slice(lines);
        self
    }

    /// Ends the head. What follows is said by the plan; when nothing does, the
    /// response is complete.
    ///
    /// # Errors
    /// When a Content-Length field contradicts `size`; nothing is written then.
    #[inline]
    pub fn finish(mut self, size: BodySize) -> Result<BodyPlan, RespondError> {
        let (body, keep_alive) = self.end_head(size)?;
        self.start = self.out.len();
        self.connection.response_begun(body, keep_alive);
        Ok(match body {
            Some(_) => BodyPlan::Send,
            None => BodyPlan::Nothing,
        })
    }

    /// Ends the head and writes all of the content behind it, if the response has one:
    /// those to HEAD have none, nor those with 204 and 304. Gives how much was written.
    ///
    /// # Errors
    /// As [`ResponseHead::finish`].
    #[inline]
    pub fn finish_with(mut self, content: &[u8]) -> Result<u64, RespondError> {
        let (body, keep_alive) = self.end_head(BodySize::Known(content.len() as u64))?;
        let sent = if body.is_some() { content } else { &[] };
        self.out.extend_from_slice(sent);
        self.start = self.out.len();
        self.connection.response_begun(None, keep_alive);
        Ok(sent.len() as u64)
    }

    /// Writes the last fields and the empty line; gives what content follows, and
    /// whether the connection goes on after it.
    #[inline]
    fn end_head(&mut self, size: BodySize) -> Result<(Option<BodyWriter>, bool), RespondError> {
        let body = self.write_framing(size)?;
        let keep_alive = self.connection.can_persist()
            && !self.close
            && !matches!(body, Some(BodyWriter::UntilClose));
        self.write_connection(keep_alive);
        if !self.has_date {
            write_field(self.out, b"date", self.date);
        }
        self.out.extend_from_slice(b"\r\n");
        Ok((body, keep_alive))
    }

    /// Writes how the content is delimited. `None` when there is none to send.
    #[inline]
    fn write_framing(&mut self, size: BodySize) -> Result<Option<BodyWriter>, RespondError> {
        let known = match size {
            BodySize::Known(length) => Some(length),
            BodySize::Streaming => None,
        };
        let (announced, sends) = match self.status {
            // RFC 9110 8.6: "MUST NOT send a Content-Length header field in any
            // response with a status code of 1xx (Informational) or 204".
            StatusCode::NO_CONTENT => (None, false),
            // There it is the length that the content would have had, so only who
            // wrote the fields can know it.
            StatusCode::NOT_MODIFIED => (self.length, false),
            _ if self.connection.exchange().head_only => (self.length.or(known), false),
            _ => {
                let conflict = self.length.is_some() && known.is_some() && self.length != known;
                self.conflict |= conflict;
                (self.length.or(known), true)
            }
        };
        if self.conflict {
            return Err(RespondError::LengthConflict);
        }
        if let Some(length) = announced {
            write_length(self.out, length);
        }
        if !sends {
            return Ok(None);
        }
        Ok(match (announced, self.connection.exchange().version) {
            (Some(0), _) => None,
            (Some(left), _) => Some(BodyWriter::Length { left }),
            (None, Version::Http11) => {
                self.out
                    .extend_from_slice(b"transfer-encoding: chunked\r\n");
                Some(BodyWriter::Chunked)
            }
            // RFC 9112 6.1: no transfer coding in a response to HTTP/1.0.
            (None, Version::Http10) => Some(BodyWriter::UntilClose),
        })
    }

    /// RFC 9112 9.3, 9.6: what the recipient cannot know from its version is said.
    #[inline]
    fn write_connection(&mut self, keep_alive: bool) {
        let line: &[u8] = match (keep_alive, self.upgrade) {
            (true, true) => b"connection: upgrade\r\n",
            (false, true) => b"connection: close, upgrade\r\n",
            (false, false) => b"connection: close\r\n",
            (true, false) if self.connection.exchange().version == Version::Http10 => {
                b"connection: keep-alive\r\n"
            }
            (true, false) => b"",
        };
        self.out.extend_from_slice(line);
    }

    fn announce(&mut self, value: &HeaderValue) {
        let length = value.to_str().ok().and_then(|text| text.parse().ok());
        self.conflict |= length.is_none() || self.length.is_some_and(|other| Some(other) != length);
        self.length = length;
    }

    fn note_connection(&mut self, value: &HeaderValue) {
        for option in value.as_bytes().split(|&byte| byte == b',') {
            let option = option.trim_ascii();
            self.close |= option.eq_ignore_ascii_case(b"close");
            self.upgrade |= option.eq_ignore_ascii_case(b"upgrade");
        }
    }
}

impl Drop for ResponseHead<'_> {
    fn drop(&mut self) {
        // Once finished, `start` is the end.
        self.out.truncate(self.start);
    }
}

impl Connection {
    /// Writes `content` as the next piece of the response's content.
    ///
    /// # Errors
    /// When the content is longer than announced; the connection ends.
    pub fn send_body(&mut self, out: &mut Vec<u8>, content: &[u8]) -> Result<(), RespondError> {
        if content.is_empty() {
            return Ok(());
        }
        let suffix = self.announce_body(out, content.len() as u64)?;
        out.extend_from_slice(content);
        out.extend_from_slice(suffix);
        Ok(())
    }

    /// Writes what must precede the next `length` bytes of content, which the
    /// driver then sends from elsewhere, and gives what it must send behind them.
    ///
    /// # Errors
    /// As [`Connection::send_body`].
    pub fn announce_body(
        &mut self,
        out: &mut Vec<u8>,
        length: u64,
    ) -> Result<&'static [u8], RespondError> {
        if !self.is_open() {
            return Err(RespondError::NotDue);
        }
        match self.writing() {
            Writing::Body(BodyWriter::Length { left }) => match left.checked_sub(length) {
                Some(rest) => {
                    *left = rest;
                    Ok(b"")
                }
                None => {
                    self.abort();
                    Err(RespondError::TooLong)
                }
            },
            // A chunk of size 0 would end the content.
            Writing::Body(BodyWriter::Chunked) if length > 0 => {
                write_hexadecimal(out, length);
                out.extend_from_slice(b"\r\n");
                Ok(b"\r\n")
            }
            Writing::Body(BodyWriter::Chunked | BodyWriter::UntilClose) => Ok(b""),
            _ => Err(RespondError::NotDue),
        }
    }

    /// Ends the content of the response, and with it the response. Trailers are
    /// sent to clients that said that they take them.
    ///
    /// # Errors
    /// When the content is shorter than announced; the connection ends.
    pub fn end_body(
        &mut self,
        out: &mut Vec<u8>,
        trailers: Option<&HeaderMap>,
    ) -> Result<(), RespondError> {
        if !self.is_open() {
            return Err(RespondError::NotDue);
        }
        let trailers = trailers.filter(|_| self.exchange().accepts_trailers);
        match *self.writing() {
            Writing::Body(BodyWriter::Length { left: 0 } | BodyWriter::UntilClose) => {}
            Writing::Body(BodyWriter::Length { left: missing }) => {
                self.abort();
                return Err(RespondError::TooShort { missing });
            }
            Writing::Body(BodyWriter::Chunked) => write_last_chunk(out, trailers),
            _ => return Err(RespondError::NotDue),
        }
        self.response_ended();
        Ok(())
    }
}

/// Writes a 101 with `fields`.
pub(super) fn write_switch(out: &mut Vec<u8>, fields: &HeaderMap) {
    write_status_line(out, StatusCode::SWITCHING_PROTOCOLS);
    out.extend_from_slice(b"connection: upgrade\r\n");
    write_fields(out, fields);
    out.extend_from_slice(b"\r\n");
}

/// Writes an interim response.
pub(super) fn write_interim(out: &mut Vec<u8>, status: StatusCode, fields: &HeaderMap) {
    write_status_line(out, status);
    write_fields(out, fields);
    out.extend_from_slice(b"\r\n");
}

fn write_last_chunk(out: &mut Vec<u8>, trailers: Option<&HeaderMap>) {
    out.extend_from_slice(b"0\r\n");
    if let Some(trailers) = trailers {
        write_fields(out, trailers);
    }
    out.extend_from_slice(b"\r\n");
}

/// Writes fields of messages without content: none that frame or steer.
fn write_fields(out: &mut Vec<u8>, fields: &HeaderMap) {
    for (name, value) in fields.iter().filter(|(name, _)| FieldBlock::may_hold(name)) {
        write_field(out, name.as_str().as_bytes(), value.as_bytes());
    }
}

#[inline]
pub(super) fn write_field(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.reserve(name.len() + value.len() + 4);
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Lines that were written once for the statuses that are sent all the time.
#[inline]
fn write_status_line(out: &mut Vec<u8>, status: StatusCode) {
    let line: &[u8] = match status {
        StatusCode::OK => b"HTTP/1.1 200 OK\r\n",
        StatusCode::PARTIAL_CONTENT => b"HTTP/1.1 206 Partial Content\r\n",
        StatusCode::NOT_MODIFIED => b"HTTP/1.1 304 Not Modified\r\n",
        StatusCode::NOT_FOUND => b"HTTP/1.1 404 Not Found\r\n",
        _ => return write_rare_status_line(out, status),
    };
    out.extend_from_slice(line);
}

#[cold]
fn write_rare_status_line(out: &mut Vec<u8>, status: StatusCode) {
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(status.as_str().as_bytes());
    // RFC 9112 4: the space is sent even when there is no reason behind it.
    out.push(b' ');
    out.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
    out.extend_from_slice(b"\r\n");
}

#[inline]
fn write_length(out: &mut Vec<u8>, length: u64) {
    out.extend_from_slice(b"content-length: ");
    write_number::<10>(out, length);
    out.extend_from_slice(b"\r\n");
}

fn write_hexadecimal(out: &mut Vec<u8>, number: u64) {
    write_number::<16>(out, number);
}

#[inline]
fn write_number<const BASE: u64>(out: &mut Vec<u8>, mut number: u64) {
    const MOST_DIGITS: usize = 20;
    let mut digits = [0; MOST_DIGITS];
    let mut at = MOST_DIGITS;
    loop {
        at -= 1;
        digits[at] = b"0123456789abcdef"[(number % BASE) as usize];
        number /= BASE;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}
