//! Request targets and hosts: which forms are accepted (RFC 9112 3.2), and what
//! their bytes may be.
//!
//! It decodes nothing: a path is given as it was sent, percent signs included.
//! Read on in [`super::head`].

use http::StatusCode;

use super::reject::Reject;

/// The target of a request, taken apart but not decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target<'b> {
    raw: &'b str,
    authority: Option<&'b str>,
    path: &'b str,
    query: Option<&'b str>,
}

impl<'b> Target<'b> {
    /// The target as it was sent.
    #[must_use]
    pub fn raw(&self) -> &'b str {
        self.raw
    }

    /// Host and port, when the target was sent in absolute form.
    #[must_use]
    pub fn authority(&self) -> Option<&'b str> {
        self.authority
    }

    /// The path, still percent-encoded; it begins with `/`, or is `*` for
    /// `OPTIONS *`.
    #[must_use]
    pub fn path(&self) -> &'b str {
        self.path
    }

    /// What follows the first `?`, still percent-encoded.
    #[must_use]
    pub fn query(&self) -> Option<&'b str> {
        self.query
    }

    /// Takes `raw` apart as the target of `method`.
    pub(super) fn parse(method: &str, raw: &'b str) -> Result<Self, Reject> {
        if method == "CONNECT" {
            // Its target is an authority (RFC 9112 3.2.3), its success a tunnel.
            const REASON: &str = "CONNECT is for proxies";
            return Err(Reject::new(StatusCode::NOT_IMPLEMENTED, REASON));
        }
        match raw.as_bytes() {
            [b'/', ..] => Self::with_path(raw, None, raw),
            b"*" if method == "OPTIONS" => Ok(Self {
                raw,
                authority: None,
                path: raw,
                query: None,
            }),
            b"*" => Err(Reject::bad("only OPTIONS has the target *")),
            _ => Self::parse_absolute(raw),
        }
    }

    /// RFC 9112 3.2.2: "A server MUST accept the absolute-form in requests".
    fn parse_absolute(raw: &'b str) -> Result<Self, Reject> {
        let Some(rest) = ["http://", "https://"].iter().find_map(|scheme| {
            let start = raw.get(..scheme.len())?;
            (start.eq_ignore_ascii_case(scheme)).then(|| &raw[scheme.len()..])
        }) else {
            return Err(Reject::bad("the request target is no path and no http URI"));
        };
        let end = rest
            .bytes()
            .position(|byte| matches!(byte, b'/' | b'?'))
            .unwrap_or(rest.len());
        let (authority, rest) = rest.split_at(end);
        // RFC 9110 4.2.1: a recipient MUST reject an empty host as invalid.
        if !is_host(authority.as_bytes()) || matches!(authority.as_bytes(), [] | [b':', ..]) {
            return Err(Reject::bad("the request target names no valid host"));
        }
        Self::with_path(raw, Some(authority), rest)
    }

    fn with_path(raw: &'b str, authority: Option<&'b str>, rest: &'b str) -> Result<Self, Reject> {
        const REASON: &str = "the request target has a byte that must be percent-encoded";
        let bytes = rest.as_bytes();
        let path_end = bytes
            .iter()
            .position(|&byte| CHARACTERS[byte as usize] & IN_PATH == 0)
            .unwrap_or(bytes.len());
        let (path, query) = match bytes.get(path_end) {
            None => (rest, None),
            Some(b'?') => (&rest[..path_end], Some(&rest[path_end + 1..])),
            Some(_) => return Err(Reject::bad(REASON)),
        };
        if let Some(query) = query
            && !query
                .bytes()
                .all(|byte| CHARACTERS[byte as usize] & IN_QUERY != 0)
        {
            return Err(Reject::bad(REASON));
        }
        Ok(Self {
            raw,
            authority,
            path: if path.is_empty() { "/" } else { path },
            query,
        })
    }
}

/// Whether `host` is what a Host field may hold: RFC 9110 7.2,
/// `uri-host [ ":" port ]`, which may be empty. Percent-encoded names are refused,
/// as nothing could resolve to them, and so are address forms of the future.
pub(super) fn is_host(host: &[u8]) -> bool {
    let name_end = match host {
        [b'[', ..] => match literal_end(host) {
            Some(end) => end,
            None => return false,
        },
        _ => host
            .iter()
            .position(|&byte| CHARACTERS[byte as usize] & IN_HOST == 0)
            .unwrap_or(host.len()),
    };
    match &host[name_end..] {
        [] => true,
        [b':', port @ ..] => is_port(port),
        _ => false,
    }
}

/// The length of a bracketed IPv6 address with its brackets.
fn literal_end(host: &[u8]) -> Option<usize> {
    let close = host.iter().position(|&byte| byte == b']')?;
    let address = str::from_utf8(&host[1..close]).ok()?;
    address.parse::<std::net::Ipv6Addr>().ok()?;
    Some(close + 1)
}

fn is_port(port: &[u8]) -> bool {
    let number = port.iter().try_fold(0u16, |number, &digit| {
        let digit = digit.is_ascii_digit().then(|| u16::from(digit - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    });
    port.len() <= 5 && number.is_some()
}

const IN_PATH: u8 = 1;
const IN_QUERY: u8 = 2;
const IN_HOST: u8 = 4;

/// What each byte may be part of. A path and a query hold what RFC 3986 3.3 and
/// 3.4 allow, and the few bytes more that the URL Standard of browsers leaves
/// unescaped. A fragment sign is neither's, so `#` is refused everywhere.
static CHARACTERS: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 128 {
        let character = byte as u8;
        if character.is_ascii_alphanumeric() {
            table[byte] = IN_PATH | IN_QUERY | IN_HOST;
        }
        byte += 1;
    }
    allow(&mut table, b"-._~!$&'()*+,;=", IN_PATH | IN_QUERY | IN_HOST);
    allow(&mut table, b":@/%[]|", IN_PATH | IN_QUERY);
    allow(&mut table, b"?`{}^\\", IN_QUERY);
    table
};

const fn allow(table: &mut [u8; 256], characters: &[u8], places: u8) {
    let mut at = 0;
    while at < characters.len() {
        table[characters[at] as usize] |= places;
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(method: &str, raw: &str, expected: Result<(Option<&str>, &str, Option<&str>), u16>) {
        let parsed = Target::parse(method, raw)
            .map(|target| (target.authority, target.path, target.query))
            .map_err(|reject| reject.status.as_u16());
        assert_eq!(parsed, expected, "{method} {raw}");
        if expected.is_ok() {
            raw.parse::<http::Uri>().expect("what is accepted is a URI");
        }
    }

    #[test]
    fn targets() {
        check("GET", "/", Ok((None, "/", None)));
        check("GET", "/a%20b?c=d?e", Ok((None, "/a%20b", Some("c=d?e"))));
        check("GET", "/?", Ok((None, "/", Some(""))));
        check("GET", "//double", Ok((None, "//double", None)));
        check(
            "GET",
            "/a[0]|b?x={y}^`\\",
            Ok((None, "/a[0]|b", Some("x={y}^`\\"))),
        );
        check("OPTIONS", "*", Ok((None, "*", None)));
        check("GET", "http://h", Ok((Some("h"), "/", None)));
        check("GET", "HTTP://h:8/p?q", Ok((Some("h:8"), "/p", Some("q"))));
        check(
            "GET",
            "https://[::1]:8?q",
            Ok((Some("[::1]:8"), "/", Some("q"))),
        );
        check("GET", "*", Err(400));
        check("GET", "h:80", Err(400));
        check("GET", "path", Err(400));
        check("GET", "ftp://h/", Err(400));
        check("GET", "http://", Err(400));
        check("GET", "http:///p", Err(400));
        check("GET", "http://:80/", Err(400));
        check("GET", "http://user@h/", Err(400));
        check("GET", "http://h#f", Err(400));
        check("GET", "/#fragment", Err(400));
        check("GET", "/?a#fragment", Err(400));
        check("GET", "/<", Err(400));
        check("GET", "/\"", Err(400));
        check("GET", "/é", Err(400));
        check("GET", "/a{b}", Err(400));
        check("CONNECT", "h:80", Err(501));
        check("CONNECT", "/", Err(501));
    }

    #[test]
    fn hosts() {
        for host in [
            "",
            "a",
            "a.b-c_d",
            "a:",
            "a:80",
            "127.0.0.1:65535",
            "[::1]",
            "[::1]:0",
            ":80",
            "xn--a",
        ] {
            assert!(is_host(host.as_bytes()), "{host} is a host");
        }
        for host in [
            "a b", "a/b", "user@a", "a:b", "a:65536", "a:000080", "a:80:80", "::1", "[::1", "[]",
            "[::1]80", "a%20", "a?", "a#", "é", "a\\b", "[v1.x]",
        ] {
            assert!(!is_host(host.as_bytes()), "{host} is no host");
        }
    }
}
