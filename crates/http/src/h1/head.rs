//! The head of a request: found, parsed once, and handed out as slices of the
//! driver's buffer.
//!
//! Parsing allocates nothing and copies nothing. What the fields *mean* for the
//! connection is decided in [`super::fields`]; how the head becomes a shared
//! [`http::Request`] is in [`RequestHead::to_parts`].

use std::mem::MaybeUninit;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode};

use super::fields::{Fields, Present};
use super::limits::{Limits, MAX_HEADERS, METHOD_BYTES};
use super::reject::Reject;
use super::room::Room;
use super::scan::{Bounds, Scan, ScanError, has_bare_line_feed};
use super::target::Target;

/// Room for the fields of one head, on the driver's stack; making one costs
/// nothing, and one is needed for each head.
#[derive(Debug)]
pub struct HeaderSlots<'b> {
    slots: [MaybeUninit<httparse::Header<'b>>; MAX_HEADERS],
}

impl HeaderSlots<'_> {
    /// Empty slots.
    #[must_use]
    #[inline]
    pub const fn new() -> Self {
        Self {
            slots: [const { MaybeUninit::uninit() }; MAX_HEADERS],
        }
    }
}

impl Default for HeaderSlots<'_> {
    fn default() -> Self {
        Self::new()
    }
}

/// The versions that this connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.0: no chunks, and a connection ends unless both sides keep it.
    Http10,
    /// HTTP/1.1.
    Http11,
}

/// How long the content of a request is. RFC 9112 6.3 knows a third way, until
/// the connection closes, for responses only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// No content follows.
    None,
    /// So many bytes follow, at least one.
    Length(u64),
    /// Chunks follow.
    Chunked,
}

/// A request head. It borrows from the buffer it was parsed from: what must live
/// longer is copied out, or shared by [`RequestHead::to_parts`].
#[derive(Debug)]
pub struct RequestHead<'h, 'b> {
    method: &'b str,
    target: Target<'b>,
    version: Version,
    headers: &'h [httparse::Header<'b>],
    fields: Fields<'b>,
    raw: &'b [u8],
    consumed: usize,
}

impl<'h, 'b> RequestHead<'h, 'b> {
    /// The method, any token; methods are case-sensitive.
    #[must_use]
    #[inline]
    pub fn method(&self) -> &'b str {
        self.method
    }

    /// The request target.
    #[must_use]
    #[inline]
    pub fn target(&self) -> &Target<'b> {
        &self.target
    }

    /// The version of the request.
    #[must_use]
    #[inline]
    pub fn version(&self) -> Version {
        self.version
    }

    /// How long the content of the request is.
    #[must_use]
    #[inline]
    pub fn framing(&self) -> Framing {
        self.fields.framing
    }

    /// Host and port that the request is for: the target's, else the Host
    /// field's. RFC 9112 3.2.2 has the target win. Empty when the client gave
    /// none.
    #[must_use]
    #[inline]
    pub fn host(&self) -> &'b str {
        match self.target.authority() {
            Some(authority) => authority,
            None => str::from_utf8(self.fields.host).unwrap_or_default(),
        }
    }

    /// Whether the client wants the connection to stay open.
    #[must_use]
    #[inline]
    pub fn keep_alive(&self) -> bool {
        self.fields.keep_alive
    }

    /// Whether the client waits for 100 Continue before it sends its content.
    #[must_use]
    #[inline]
    pub fn expects_continue(&self) -> bool {
        self.fields.expect_continue
    }

    /// The protocols the client offers to switch to, as it listed them.
    #[must_use]
    #[inline]
    pub fn upgrade(&self) -> Option<&'b [u8]> {
        self.fields.upgrade
    }

    /// Which fields that a file server looks at are there at all.
    #[must_use]
    #[inline]
    pub fn present(&self) -> Present {
        self.fields.present
    }

    /// All fields in their order: names as sent, values without surrounding white
    /// space.
    #[inline]
    pub fn fields(&self) -> impl ExactSizeIterator<Item = (&'b str, &'b [u8])> + use<'h, 'b> {
        self.headers.iter().map(|field| (field.name, field.value))
    }

    /// The values of all fields called `name`, whatever its case.
    pub fn values(&self, name: &'static str) -> impl Iterator<Item = &'b [u8]> + use<'h, 'b> {
        self.fields()
            .filter(move |(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// Its bytes, without an empty line before it.
    #[must_use]
    pub fn raw(&self) -> &'b [u8] {
        self.raw
    }

    /// How many bytes of the buffer the head took, from its start.
    #[must_use]
    #[inline]
    pub fn consumed(&self) -> usize {
        self.consumed
    }

    /// The head as the types that services share. All its bytes are copied once, into
    /// memory that names that are not standard, values and target share, and so it pins
    /// no read buffer. Where `room` has memory left from earlier ones, that is used.
    ///
    /// # Errors
    /// When [`http`] refuses a target, which no target that was accepted here is
    /// known to meet.
    pub fn to_parts(&self, room: &mut Room) -> Result<http::request::Parts, Reject> {
        let shared = Shared {
            original: self.raw,
            copy: room.copy(self.raw),
        };
        let mut headers = room.fields(self.headers.len());
        for field in self.headers {
            let name = HeaderName::from_bytes(field.name.as_bytes())
                .map_err(|_| Reject::bad("a field has no valid name"))?;
            let value = HeaderValue::from_maybe_shared(shared.part(field.value))
                .map_err(|_| Reject::bad("a field has no valid value"))?;
            headers.append(name, value);
        }
        let uri = http::Uri::from_maybe_shared(shared.part(self.target.raw().as_bytes()))
            .map_err(|_| Reject::bad("the request target is no URI"))?;
        let method = http::Method::from_bytes(self.method.as_bytes())
            .map_err(|_| Reject::bad("the method is no token"))?;
        let (mut parts, ()) = http::Request::new(()).into_parts();
        parts.method = method;
        parts.uri = uri;
        parts.version = match self.version {
            Version::Http10 => http::Version::HTTP_10,
            Version::Http11 => http::Version::HTTP_11,
        };
        parts.headers = headers;
        Ok(parts)
    }

    #[inline]
    pub(super) fn decided(&self) -> &Fields<'b> {
        &self.fields
    }
}

/// A copy of a head, and where slices of the original lie in it.
struct Shared<'b> {
    original: &'b [u8],
    copy: Bytes,
}

impl Shared<'_> {
    /// The copy of `part`, which is a slice of the original.
    fn part(&self, part: &[u8]) -> Bytes {
        let start = part.as_ptr() as usize - self.original.as_ptr() as usize;
        self.copy.slice(start..start + part.len())
    }
}

/// Finds and parses a head at the start of `buffer`; `None` when more bytes are
/// needed, and then `scan` remembers how far it looked.
///
/// A head usually arrives whole, so it is parsed first and asked later whether its
/// lines ended as they must. Only when that fails is its end searched for, and
/// from then on each byte is looked at once. Both ways decide alike.
#[inline]
pub(super) fn receive<'h, 'b>(
    buffer: &'b [u8],
    slots: &'h mut HeaderSlots<'b>,
    scan: &mut Scan,
    limits: &Limits,
) -> Result<Option<RequestHead<'h, 'b>>, Reject> {
    let Some(skipped) = leading_empty_line(buffer)? else {
        return Ok(None);
    };
    let bounds = Bounds {
        first_line: limits.request_line_bytes,
        whole: limits.head_bytes,
    };
    let section = &buffer[skipped..];
    let fresh = scan.is_fresh();
    let head = if fresh {
        &section[..section.len().min(limits.head_bytes as usize)]
    } else {
        match find_end(scan, section, bounds)? {
            Some(end) => &section[..end],
            None => return Ok(None),
        }
    };

    let room = usize::from(limits.headers).min(MAX_HEADERS);
    let mut request = httparse::Request::new(&mut []);
    let parsed = request.parse_with_uninit_headers(head, &mut slots.slots[..room]);
    match parsed {
        Ok(httparse::Status::Complete(length)) => {
            let raw = &head[..length];
            if fresh && !has_strict_lines(&request, raw, bounds) {
                find_end(scan, section, bounds)?;
                return Err(Reject::bad("a line of the head does not end with CRLF"));
            }
            decide(request, raw, skipped).map(Some)
        }
        Ok(httparse::Status::Partial) if !fresh => Err(Reject::bad("the head is malformed")),
        Ok(httparse::Status::Partial) => {
            // Without an end of the head there is none to be found, but a line may
            // already be too long or badly ended.
            find_end(scan, section, bounds)?;
            Ok(None)
        }
        Err(error) => {
            // Which fault is told must not depend on how the bytes were split, so
            // a fault waits for the end of its head.
            let end = if fresh {
                find_end(scan, section, bounds)?
            } else {
                Some(head.len())
            };
            match end {
                Some(end) => Err(refusal(error, &section[..end])),
                None => Ok(None),
            }
        }
    }
}

/// How many bytes of an empty line lie before the request line; `None` when that
/// cannot be told yet. RFC 9112 2.2: a server "SHOULD ignore at least one empty
/// line (CRLF) received prior to the request-line"; this one ignores one.
#[inline]
fn leading_empty_line(buffer: &[u8]) -> Result<Option<usize>, Reject> {
    let skipped = match buffer {
        [b'\r'] => return Ok(None),
        [b'\r', b'\n', ..] => 2,
        _ => 0,
    };
    match buffer.get(skipped) {
        None => Ok(None),
        Some(&first) if is_token(first) => Ok(Some(skipped)),
        // Told at once: what begins otherwise, such as TLS, may never send CRLF.
        Some(_) => Err(Reject::bad("a request line begins with a method")),
    }
}

fn find_end(scan: &mut Scan, section: &[u8], bounds: Bounds) -> Result<Option<usize>, Reject> {
    const URI_TOO_LONG: StatusCode = StatusCode::URI_TOO_LONG;
    scan.advance(section, bounds).map_err(|error| match error {
        ScanError::BareLineFeed => Reject::bad("a line of the head does not end with CRLF"),
        ScanError::FirstLineTooLong => Reject::new(URI_TOO_LONG, "the request line is too long"),
        ScanError::TooLong => Reject::fields_too_large("the head of the request is too large"),
    })
}

/// Whether a head that was parsed from unsearched bytes is one that the search
/// would have accepted.
#[inline]
fn has_strict_lines(request: &httparse::Request<'_, '_>, raw: &[u8], bounds: Bounds) -> bool {
    const REST_OF_LINE: usize = "  HTTP/1.1\r\n".len();
    let method = request.method.map_or(0, str::len);
    let target = request.path.map_or(0, str::len);
    method + target + REST_OF_LINE <= bounds.first_line as usize && !has_bare_line_feed(raw)
}

#[inline]
fn decide<'h, 'b>(
    request: httparse::Request<'h, 'b>,
    raw: &'b [u8],
    skipped: usize,
) -> Result<RequestHead<'h, 'b>, Reject> {
    let httparse::Request {
        method,
        path,
        version,
        headers,
    } = request;
    let method = method.unwrap_or_default();
    if method.len() > METHOD_BYTES {
        const REASON: &str = "no such method is known";
        return Err(Reject::new(StatusCode::NOT_IMPLEMENTED, REASON));
    }
    let version = match version {
        Some(0) => Version::Http10,
        _ => Version::Http11,
    };
    let target = Target::parse(method, path.unwrap_or_default())?;
    let fields = Fields::decide(version, headers)?;
    Ok(RequestHead {
        method,
        target,
        version,
        headers,
        fields,
        raw,
        consumed: skipped + raw.len(),
    })
}

/// What the fault of `head`, which is whole, is answered with.
fn refusal(error: httparse::Error, head: &[u8]) -> Reject {
    match error {
        httparse::Error::TooManyHeaders => Reject::fields_too_large("too many header fields"),
        httparse::Error::Version if names_a_version(head) => Reject::new(
            StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            "only HTTP/1.0 and HTTP/1.1 are spoken here",
        ),
        httparse::Error::HeaderName => Reject::bad("a field name is malformed or a line is folded"),
        httparse::Error::HeaderValue => Reject::bad("a field value has a forbidden byte"),
        _ => Reject::bad("the request line is malformed"),
    }
}

/// Whether the request line is well-formed but for the number of its
/// HTTP-version (RFC 9112 2.3).
fn names_a_version(head: &[u8]) -> bool {
    let line = head.split(|&byte| byte == b'\r').next().unwrap_or_default();
    let mut words = line.split(|&byte| byte == b' ').skip(2);
    let version = words.next().unwrap_or_default();
    let well_formed = matches!(version, [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
        if major.is_ascii_digit() && minor.is_ascii_digit());
    well_formed && words.next().is_none()
}

/// RFC 9110 5.6.2: `tchar`.
pub(super) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
