//! The request line of a head that was refused for what stands behind it, for whoever
//! tells what was asked. Nothing is decided by it.

use super::head::Version;
use super::limits::{Limits, METHOD_BYTES};
use super::target::Target;

/// What a request line asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestLine<'b> {
    /// The method.
    pub method: &'b str,
    /// The target as it was sent.
    pub target: &'b str,
    /// The version.
    pub version: Version,
}

impl<'b> RequestLine<'b> {
    /// The one at the start of `buffer`, if it is whole, well-formed and no longer than
    /// `limits` let it be.
    #[must_use]
    pub fn find(buffer: &'b [u8], limits: &Limits) -> Option<Self> {
        let line = buffer.strip_prefix(b"\r\n").unwrap_or(buffer);
        let line = &line[..line.len().min(limits.request_line_bytes as usize)];
        let end = line.windows(2).position(|two| two == b"\r\n")?;
        let mut request = httparse::Request::new(&mut []);
        // No field follows in what it is given, so what it has is the line.
        request.parse(&line[..end + 2]).ok()?;
        let method = request.method.filter(|name| name.len() <= METHOD_BYTES)?;
        let version = match request.version? {
            0 => Version::Http10,
            _ => Version::Http11,
        };
        let target = Target::parse(method, request.path?).ok()?.raw();
        Some(Self {
            method,
            target,
            version,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Limits, RequestLine, Version};

    #[test]
    fn a_line_is_found_only_where_it_is_whole_and_sound() {
        let limits = Limits {
            request_line_bytes: 40,
            ..Limits::default()
        };
        let find = |buffer: &'static str| RequestLine::find(buffer.as_bytes(), &limits);
        let line = |method, target, version| {
            Some(RequestLine {
                method,
                target,
                version,
            })
        };
        let expected = line("POST", "/a?b", Version::Http11);
        assert_eq!(
            find("POST /a?b HTTP/1.1\r\nContent-Length: x\r\n\r\n"),
            expected
        );
        assert_eq!(find("\r\nPOST /a?b HTTP/1.1\r\n"), expected);
        assert_eq!(
            find("GET / HTTP/1.0\r\nx"),
            line("GET", "/", Version::Http10)
        );
        for none in [
            "",
            "\r\n",
            "GET / HTTP/1.1",
            "GET / HTTP/1.1\nHost: a\r\n\r\n",
            "GET  / HTTP/1.1\r\n",
            "GET / HTTP/2.0\r\n",
            "GET a HTTP/1.1\r\n",
            "GET /\u{e9} HTTP/1.1\r\n",
            "G\0T / HTTP/1.1\r\n",
            "GET /longer-than-a-line-may-be-here HTTP/1.1\r\n",
            "AMETHODTHATISMUCHLONGERTHANANYIS / HTTP/1.1\r\n",
        ] {
            assert_eq!(find(none), None, "{none:?}");
        }
    }
}
