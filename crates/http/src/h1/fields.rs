//! What the fields of a request mean for its connection, decided in one pass.
//!
//! Where RFC 9112 leaves a server the choice between repair and refusal, this
//! refuses: a request that two parsers could frame differently is 400. Fields that
//! concern only the service are noted as [`Present`] and left alone.

use http::StatusCode;

use super::head::{Framing, Version, is_token};
use super::reject::Reject;
use super::target::is_host;

/// Which fields that a file server looks at a request has, so that it searches
/// only for those that are there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Present(u8);

impl Present {
    const RANGE: u8 = 1;
    const CONDITION: u8 = 2;
    const ACCEPT_ENCODING: u8 = 4;

    /// Whether there is a Range field.
    #[must_use]
    #[inline]
    pub fn range(self) -> bool {
        self.0 & Self::RANGE != 0
    }

    /// Whether there is any of If-Match, If-None-Match, If-Modified-Since,
    /// If-Unmodified-Since and If-Range.
    #[must_use]
    #[inline]
    pub fn condition(self) -> bool {
        self.0 & Self::CONDITION != 0
    }

    /// Whether there is an Accept-Encoding field.
    #[must_use]
    #[inline]
    pub fn accept_encoding(self) -> bool {
        self.0 & Self::ACCEPT_ENCODING != 0
    }
}

/// The decisions.
#[derive(Debug)]
pub(super) struct Fields<'b> {
    pub(super) framing: Framing,
    /// Of ASCII characters only.
    pub(super) host: &'b [u8],
    pub(super) keep_alive: bool,
    pub(super) expect_continue: bool,
    pub(super) upgrade: Option<&'b [u8]>,
    pub(super) accepts_trailers: bool,
    pub(super) present: Present,
}

impl<'b> Fields<'b> {
    #[inline]
    pub(super) fn decide(
        version: Version,
        headers: &[httparse::Header<'b>],
    ) -> Result<Self, Reject> {
        let mut seen = Seen::default();
        for header in headers {
            seen.note(header.name, header.value)?;
        }
        seen.conclude(version)
    }
}

/// What was noted while going over the fields.
#[derive(Default)]
struct Seen<'b> {
    host: Option<&'b [u8]>,
    content_length: Option<u64>,
    chunked: bool,
    close: bool,
    keep_alive: bool,
    connection_upgrade: bool,
    expect_continue: bool,
    upgrade: Option<&'b [u8]>,
    accepts_trailers: bool,
    present: Present,
}

impl<'b> Seen<'b> {
    /// The length of a name tells most of them apart, so that a field costs one
    /// comparison at most.
    #[inline]
    fn note(&mut self, name: &str, value: &'b [u8]) -> Result<(), Reject> {
        let name = name.as_bytes();
        match name.len() {
            2 if is(name, b"te") => self.note_te(value),
            4 if is(name, b"host") => self.note_host(value)?,
            5 if is(name, b"range") => self.present.0 |= Present::RANGE,
            6 if is(name, b"expect") => self.note_expect(value)?,
            7 if is(name, b"upgrade") => self.upgrade = Some(self.upgrade.unwrap_or(value)),
            8 if is(name, b"if-match") || is(name, b"if-range") => self.note_condition(),
            10 if is(name, b"connection") => self.note_connection(value),
            13 if is(name, b"if-none-match") => self.note_condition(),
            14 if is(name, b"content-length") => self.note_content_length(value)?,
            15 if is(name, b"accept-encoding") => self.present.0 |= Present::ACCEPT_ENCODING,
            17 if is(name, b"transfer-encoding") => self.note_transfer_encoding(value)?,
            17 if is(name, b"if-modified-since") => self.note_condition(),
            19 if is(name, b"if-unmodified-since") => self.note_condition(),
            _ => {}
        }
        Ok(())
    }

    /// RFC 9112 3.2: a server MUST respond with 400 to a request "that contains
    /// more than one Host header field line or a Host header field with an invalid
    /// field value".
    fn note_host(&mut self, value: &'b [u8]) -> Result<(), Reject> {
        if self.host.replace(value).is_some() {
            return Err(Reject::bad("there is more than one Host field"));
        }
        if !is_host(value) {
            return Err(Reject::bad("the Host field names no valid host"));
        }
        Ok(())
    }

    /// RFC 9110 10.1.1: a server that receives another expectation "MAY respond
    /// with a 417"; silence would leave the client waiting for it.
    fn note_expect(&mut self, value: &[u8]) -> Result<(), Reject> {
        if !value.eq_ignore_ascii_case(b"100-continue") {
            const REASON: &str = "only 100-continue can be expected";
            return Err(Reject::new(StatusCode::EXPECTATION_FAILED, REASON));
        }
        self.expect_continue = true;
        Ok(())
    }

    fn note_te(&mut self, value: &[u8]) {
        self.accepts_trailers |= value
            .split(|&byte| byte == b',')
            .any(|coding| coding.trim_ascii().eq_ignore_ascii_case(b"trailers"));
    }

    fn note_condition(&mut self) {
        self.present.0 |= Present::CONDITION;
    }

    fn note_connection(&mut self, value: &[u8]) {
        if value == b"keep-alive" {
            self.keep_alive = true;
            return;
        }
        for option in value.split(|&byte| byte == b',') {
            let option = option.trim_ascii();
            match option.len() {
                5 => self.close |= option.eq_ignore_ascii_case(b"close"),
                7 => self.connection_upgrade |= option.eq_ignore_ascii_case(b"upgrade"),
                10 => self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive"),
                _ => {}
            }
        }
    }

    /// RFC 9110 8.6: `1*DIGIT`. RFC 9112 6.3 lets a recipient accept a list of
    /// equal values; a second one is refused here, and so is a leading zero, which
    /// some read as octal.
    fn note_content_length(&mut self, value: &[u8]) -> Result<(), Reject> {
        if self.content_length.is_some() {
            return Err(Reject::bad("there is more than one Content-Length"));
        }
        self.content_length = Some(parse_length(value)?);
        Ok(())
    }

    /// RFC 9112 6.1: of all codings only `chunked` is understood, and only alone.
    fn note_transfer_encoding(&mut self, value: &[u8]) -> Result<(), Reject> {
        if self.chunked {
            return Err(Reject::bad("there is more than one Transfer-Encoding"));
        }
        if !value.eq_ignore_ascii_case(b"chunked") {
            return Err(unknown_coding(value));
        }
        self.chunked = true;
        Ok(())
    }

    #[inline]
    fn conclude(self, version: Version) -> Result<Fields<'b>, Reject> {
        let framing = self.framing(version)?;
        let host = match (self.host, version) {
            (Some(host), _) => host,
            (None, Version::Http10) => b"",
            (None, Version::Http11) => return Err(Reject::bad("the Host field is missing")),
        };
        let modern = version == Version::Http11;
        Ok(Fields {
            framing,
            host,
            // RFC 9112 9.3, in its order.
            keep_alive: !self.close && (modern || self.keep_alive),
            // RFC 9110 10.1.1: ignored in a request of HTTP/1.0, and in one
            // without content.
            expect_continue: self.expect_continue && modern && framing != Framing::None,
            // RFC 9110 7.8: ignored in a request of HTTP/1.0, and meant only with
            // the connection option.
            upgrade: self.upgrade.filter(|_| self.connection_upgrade && modern),
            accepts_trailers: self.accepts_trailers,
            present: self.present,
        })
    }

    fn framing(&self, version: Version) -> Result<Framing, Reject> {
        match (self.chunked, self.content_length) {
            // RFC 9112 6.3: such a message "might indicate an attempt to perform
            // request smuggling" and "ought to be handled as an error".
            (true, Some(_)) => Err(Reject::bad(
                "there is a Content-Length beside a Transfer-Encoding",
            )),
            // RFC 9112 6.1: "MUST treat the message as if the framing is faulty".
            (true, None) if version == Version::Http10 => {
                Err(Reject::bad("HTTP/1.0 has no Transfer-Encoding"))
            }
            (true, None) => Ok(Framing::Chunked),
            (false, None | Some(0)) => Ok(Framing::None),
            (false, Some(length)) => Ok(Framing::Length(length)),
        }
    }
}

/// Whether a field name is `lower`, whatever its case. Among the bytes of a token,
/// setting this bit turns letters, and nothing else, into lower-case letters; and a
/// comparison without branches is a few instructions.
#[inline]
fn is<const N: usize>(name: &[u8], lower: &[u8; N]) -> bool {
    const LOWER_CASE: u8 = 0x20;
    <&[u8; N]>::try_from(name).is_ok_and(|name| {
        let pairs = name.iter().zip(lower);
        pairs.fold(0, |differences, (&byte, &lower)| {
            differences | ((byte | LOWER_CASE) ^ lower)
        }) == 0
    })
}

fn parse_length(value: &[u8]) -> Result<u64, Reject> {
    const MALFORMED: Reject = Reject::bad("the Content-Length is no plain number");
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) || matches!(value, [b'0', _, ..]) {
        return Err(MALFORMED);
    }
    value
        .iter()
        .try_fold(0u64, |length, &digit| {
            length.checked_mul(10)?.checked_add(u64::from(digit - b'0'))
        })
        .ok_or(Reject::too_large("the content is too large"))
}

/// RFC 9112 6.1: a coding that is not understood is 501. RFC 9112 6.3: a request
/// whose last coding is not `chunked`, or which has that coding twice, is 400.
fn unknown_coding(value: &[u8]) -> Reject {
    const REASON: &str = "only the transfer coding chunked is understood";
    let mut codings = value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii);
    let last_is_chunked = codings
        .next_back()
        .is_some_and(|last| last.eq_ignore_ascii_case(b"chunked"));
    let others_are_unknown = codings.all(|coding| {
        !coding.is_empty()
            && coding.iter().all(|&byte| is_token(byte))
            && !coding.eq_ignore_ascii_case(b"chunked")
            && !coding.eq_ignore_ascii_case(b"identity")
    });
    if last_is_chunked && others_are_unknown {
        Reject::new(StatusCode::NOT_IMPLEMENTED, REASON)
    } else {
        Reject::bad("the Transfer-Encoding does not end with one chunked")
    }
}
