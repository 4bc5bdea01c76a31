//! The opening handshake (RFC 6455 4.2): what a request must say, and the fields of
//! the answer. Pure: who accepts, and what then moves, is in [`super`].

use http::header::{
    ALLOW, CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN,
    SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION,
    TRANSFER_ENCODING, UPGRADE,
};
use http::request::Parts;
use http::{Method, Response, StatusCode, Version};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// The only version that there is (RFC 6455 4.1).
const VERSION: HeaderValue = HeaderValue::from_static("13");

/// How the protocol is called in `Upgrade`.
const NAME: HeaderValue = HeaderValue::from_static("websocket");

/// A key is 16 bytes in base64: so many characters, of which the last two are `=`.
const KEY_BYTES: usize = 24;

/// A request that opens a WebSocket, and its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handshake {
    /// The fields of the 101.
    pub fields: HeaderMap,
    /// The subprotocol, if the client offers one of those that the server speaks.
    pub protocol: Option<&'static str>,
}

/// Why a request opens no WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// 405
    #[error("a WebSocket is opened with GET")]
    Method,
    /// 400
    #[error("a request that opens a WebSocket has no content")]
    Content,
    /// 426
    #[error(
        "this is a WebSocket: ask over HTTP/1.1, with `Connection: Upgrade` and `Upgrade: websocket`"
    )]
    NotOffered,
    /// 426
    #[error("only version 13 of the WebSocket protocol is spoken here")]
    Version,
    /// 400
    #[error("Sec-WebSocket-Key must be there once, with 16 bytes in base64")]
    Key,
    /// 403
    #[error("pages of that origin may not open this WebSocket")]
    Origin,
}

/// Judges a request. `protocols` are the subprotocols that the server speaks, its
/// favourite first; a client that offers none of them gets none, and decides. Whether
/// pages of an origin may open it is asked of `allows`, with the Origin field (none
/// from what is no browser) and the Host field: a browser sends cookies whoever made
/// the page, so a service that knows its clients by cookies wants [`same_origin`].
///
/// # Errors
/// See [`Refusal`]; [`Refusal::response`] is its answer.
pub fn handshake(
    request: &Parts,
    protocols: &[&'static str],
    allows: impl FnOnce(Option<&[u8]>, &[u8]) -> bool,
) -> Result<Handshake, Refusal> {
    let fields = &request.headers;
    if request.method != Method::GET {
        return Err(Refusal::Method);
    }
    let offers = lists(fields, &CONNECTION, b"upgrade") && lists(fields, &UPGRADE, b"websocket");
    if request.version != Version::HTTP_11 || !offers {
        return Err(Refusal::NotOffered);
    }
    let is_empty = |length: &HeaderValue| length == HeaderValue::from_static("0");
    if fields.contains_key(TRANSFER_ENCODING) || !fields.get(CONTENT_LENGTH).is_none_or(is_empty) {
        return Err(Refusal::Content);
    }
    if only(fields, &SEC_WEBSOCKET_VERSION) != Some(VERSION.as_bytes()) {
        return Err(Refusal::Version);
    }
    let key = only(fields, &SEC_WEBSOCKET_KEY).filter(|key| is_key(key));
    let key = key.ok_or(Refusal::Key)?;
    let host = fields.get(HOST).map_or(&b""[..], HeaderValue::as_bytes);
    if !allows(fields.get(ORIGIN).map(HeaderValue::as_bytes), host) {
        return Err(Refusal::Origin);
    }
    let protocol = protocols.iter().copied().find(|protocol| {
        // RFC 6455 4.1: names of subprotocols are compared as they are.
        elements(fields, &SEC_WEBSOCKET_PROTOCOL).any(|offered| offered == protocol.as_bytes())
    });
    Ok(Handshake {
        fields: answer(key, protocol),
        protocol,
    })
}

/// Whether a page of `origin` comes from `host`, or no page asks at all. The scheme
/// is not compared: TLS may end before this server.
pub fn same_origin(origin: Option<&[u8]>, host: &[u8]) -> bool {
    let Some(origin) = origin else {
        return true;
    };
    let authority = ["http://", "https://"]
        .iter()
        .find_map(|scheme| origin.strip_prefix(scheme.as_bytes()));
    authority.is_some_and(|authority| !host.is_empty() && authority.eq_ignore_ascii_case(host))
}

impl Refusal {
    /// The status of the answer.
    pub fn status(self) -> StatusCode {
        match self {
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Content | Self::Key => StatusCode::BAD_REQUEST,
            Self::NotOffered | Self::Version => StatusCode::UPGRADE_REQUIRED,
            Self::Origin => StatusCode::FORBIDDEN,
        }
    }

    /// The answer, which says in words what is wrong.
    pub fn response<B: From<String>>(self) -> Response<B> {
        let mut response = Response::new(B::from(format!("{self}\n")));
        *response.status_mut() = self.status();
        let fields = response.headers_mut();
        match self {
            // RFC 9110 15.5.6, 15.5.22: these MUST be said; RFC 6455 4.4: the version.
            Self::Method => {
                fields.insert(ALLOW, HeaderValue::from_static("GET"));
            }
            Self::NotOffered | Self::Version => {
                fields.insert(UPGRADE, NAME);
                fields.insert(CONNECTION, HeaderValue::from_static("upgrade"));
                fields.insert(SEC_WEBSOCKET_VERSION, VERSION);
            }
            Self::Content | Self::Key | Self::Origin => {}
        }
        response
    }
}

fn answer(key: &[u8], protocol: Option<&'static str>) -> HeaderMap {
    let mut fields = HeaderMap::new();
    fields.insert(UPGRADE, NAME);
    fields.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    // Base64 is of visible characters.
    if let Ok(accept) = HeaderValue::from_str(&derive_accept_key(key)) {
        fields.insert(SEC_WEBSOCKET_ACCEPT, accept);
    }
    if let Some(protocol) = protocol {
        fields.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(protocol));
    }
    fields
}

fn is_key(key: &[u8]) -> bool {
    let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    let Some(digits) = key.strip_suffix(b"==") else {
        return false;
    };
    // 128 bits are 21 characters and two bits, so of the last one four are 0.
    key.len() == KEY_BYTES
        && digits.iter().all(is_base64)
        && matches!(digits.last(), Some(b'A' | b'Q' | b'g' | b'w'))
}

/// The value of a field that is there once.
fn only<'a>(fields: &'a HeaderMap, name: &HeaderName) -> Option<&'a [u8]> {
    let mut values = fields.get_all(name).iter();
    let value = values.next()?;
    values.next().is_none().then_some(value.as_bytes())
}

fn lists(fields: &HeaderMap, name: &HeaderName, element: &[u8]) -> bool {
    elements(fields, name).any(|found| found.eq_ignore_ascii_case(element))
}

/// The elements of a list, over all of its fields (RFC 9110 5.6.1).
fn elements<'a>(fields: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a [u8]> {
    let values = fields.get_all(name).iter();
    values.flat_map(|value| {
        value
            .as_bytes()
            .split(|&byte| byte == b',')
            .map(<[u8]>::trim_ascii)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    /// The example of RFC 6455 1.3, with `changes`: `NAME: VALUE` puts a field, or
    /// another one beside it, `-NAME` takes it away.
    fn request(changes: &[&str]) -> Parts {
        let mut fields = vec![
            ("host", "server.example.com"),
            ("upgrade", "websocket"),
            ("connection", "Upgrade"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("origin", "http://example.com"),
            ("sec-websocket-protocol", "chat, superchat"),
            ("sec-websocket-version", "13"),
        ];
        for change in changes {
            match (change.strip_prefix('-'), change.split_once(": ")) {
                (Some(name), _) => fields.retain(|(found, _)| *found != name),
                (None, Some(field)) => fields.push(field),
                (None, None) => panic!("{change:?} is no change"),
            }
        }
        let request = fields
            .into_iter()
            .fold(Request::builder(), |request, (name, value)| {
                request.header(name, value)
            });
        request.body(()).unwrap().into_parts().0
    }

    fn anyone(_: Option<&[u8]>, _: &[u8]) -> bool {
        true
    }

    #[track_caller]
    fn check(changes: &[&str], expected: Result<(), Refusal>) {
        let found = handshake(&request(changes), &[], anyone);
        assert_eq!(found.map(drop), expected, "{changes:?}");
    }

    #[test]
    fn the_example_of_the_rfc_is_answered_as_there() {
        let found = handshake(&request(&[]), &["superchat", "chat"], anyone).unwrap();
        assert_eq!(found.protocol, Some("superchat"));
        let expected = [
            ("upgrade", "websocket"),
            ("connection", "upgrade"),
            ("sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
            ("sec-websocket-protocol", "superchat"),
        ];
        assert_eq!(found.fields.len(), expected.len());
        for (name, value) in expected {
            assert_eq!(found.fields[name], value);
        }
    }

    #[test]
    fn what_is_not_as_the_rfc_has_it_is_refused() {
        check(&[], Ok(()));
        check(&["-upgrade", "upgrade: h2c, WebSocket"], Ok(()));
        check(&["-upgrade", "upgrade: h2c", "upgrade: websocket"], Ok(()));
        check(&["-connection", "connection: keep-alive, upgrade"], Ok(()));
        check(&["content-length: 0"], Ok(()));
        check(&["-origin"], Ok(()));

        check(&["-upgrade"], Err(Refusal::NotOffered));
        check(&["-upgrade", "upgrade: h2c"], Err(Refusal::NotOffered));
        check(&["-connection"], Err(Refusal::NotOffered));
        check(
            &["-connection", "connection: close"],
            Err(Refusal::NotOffered),
        );
        check(&["content-length: 3"], Err(Refusal::Content));
        check(&["transfer-encoding: chunked"], Err(Refusal::Content));
        check(&["-sec-websocket-version"], Err(Refusal::Version));
        check(&["sec-websocket-version: 8"], Err(Refusal::Version));
        let other = ["-sec-websocket-version", "sec-websocket-version: 8"];
        check(&other, Err(Refusal::Version));
    }

    #[test]
    fn a_key_is_sixteen_bytes_in_base64() {
        check(&["-sec-websocket-key"], Err(Refusal::Key));
        let twice = "sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==";
        check(&[twice], Err(Refusal::Key));
        for (key, is_good) in [
            ("AAAAAAAAAAAAAAAAAAAAAA==", true),
            ("+/+/+/+/+/+/+/+/+/+/+w==", true),
            ("AAAAAAAAAAAAAAAAAAAAAB==", false),
            ("AAAAAAAAAAAAAAAAAAAAA===", false),
            ("AAAAAAAAAAAAAAAAAAAAAAAA", false),
            ("AAAAAAAAAAAAAAAAAAAA-A==", false),
            ("AAAA", false),
            ("", false),
        ] {
            let key = format!("sec-websocket-key: {key}");
            let expected = if is_good { Ok(()) } else { Err(Refusal::Key) };
            check(&["-sec-websocket-key", &key], expected);
        }
    }

    #[test]
    fn the_version_and_the_method_are_told_apart() {
        let mut old = request(&[]);
        old.version = Version::HTTP_10;
        assert_eq!(handshake(&old, &[], anyone), Err(Refusal::NotOffered));
        let mut post = request(&[]);
        post.method = Method::POST;
        assert_eq!(handshake(&post, &[], anyone), Err(Refusal::Method));
    }

    #[test]
    fn a_subprotocol_is_the_first_of_ours_that_is_offered() {
        for (offered, expected) in [
            (&[][..], Some("chat")),
            (&["-sec-websocket-protocol"][..], None),
            (
                &["-sec-websocket-protocol", "sec-websocket-protocol: Chat"],
                None,
            ),
            (
                &[
                    "-sec-websocket-protocol",
                    "sec-websocket-protocol: other",
                    "sec-websocket-protocol: x,chat,v2",
                ],
                Some("v2"),
            ),
        ] {
            let found = handshake(&request(offered), &["v2", "chat"], anyone).unwrap();
            assert_eq!(found.protocol, expected, "{offered:?}");
            assert_eq!(
                found.fields.contains_key(SEC_WEBSOCKET_PROTOCOL),
                expected.is_some()
            );
        }
    }

    #[test]
    fn a_page_from_elsewhere_is_kept_out() {
        let refused = handshake(&request(&[]), &[], same_origin);
        assert_eq!(refused, Err(Refusal::Origin));
        for (origin, host, expected) in [
            (None, "a:1", true),
            (Some("http://a:1"), "a:1", true),
            (Some("https://A:1"), "a:1", true),
            (Some("https://a"), "a", true),
            (Some("http://a:2"), "a:1", false),
            (Some("http://a:1.example"), "a:1", false),
            (Some("http://b@a:1"), "a:1", false),
            (Some("file://a:1"), "a:1", false),
            (Some("null"), "a:1", false),
            (Some("null"), "null", false),
            (Some("http://"), "", false),
        ] {
            let found = same_origin(origin.map(str::as_bytes), host.as_bytes());
            assert_eq!(found, expected, "{origin:?} at {host}");
        }
    }

    #[test]
    fn a_refusal_says_what_would_do() {
        let refused: Response<String> = Refusal::Version.response();
        assert_eq!(refused.status(), StatusCode::UPGRADE_REQUIRED);
        assert_eq!(refused.headers()[SEC_WEBSOCKET_VERSION], "13");
        assert_eq!(refused.headers()[UPGRADE], "websocket");
        let refused: Response<String> = Refusal::Method.response();
        assert_eq!(refused.headers()[ALLOW], "GET");
    }
}
