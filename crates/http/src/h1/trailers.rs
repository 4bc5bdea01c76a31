//! Trailer sections: checked when they arrive, made into a map when asked for.
//!
//! RFC 9110 6.5.1 forbids in a trailer what is needed before the content is read;
//! framing there is refused, the rest of what is forbidden is dropped.

use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::reject::Reject;

/// Trailer fields of one body at most; beyond it 431.
const MAX_TRAILERS: usize = 32;

/// Fields that a trailer may not hold beside those of framing: they choose the
/// service, the user, or how the content is read (RFC 9110 6.5.1).
const FORBIDDEN: [HeaderName; 20] = [
    header::AUTHORIZATION,
    header::CACHE_CONTROL,
    header::CONNECTION,
    header::CONTENT_ENCODING,
    header::CONTENT_RANGE,
    header::CONTENT_TYPE,
    header::COOKIE,
    header::EXPECT,
    header::IF_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_NONE_MATCH,
    header::IF_RANGE,
    header::IF_UNMODIFIED_SINCE,
    header::MAX_FORWARDS,
    header::PROXY_AUTHORIZATION,
    header::RANGE,
    header::SET_COOKIE,
    header::TE,
    header::TRAILER,
    header::UPGRADE,
];

/// The fields of a trailer section that [`super::Connection::receive_body`] gave.
/// Those that a trailer may not hold are not among them.
#[must_use]
pub fn trailer_fields(section: &[u8]) -> HeaderMap {
    let mut slots = [httparse::EMPTY_HEADER; MAX_TRAILERS];
    let mut fields = HeaderMap::new();
    let Ok(httparse::Status::Complete((_, trailers))) =
        httparse::parse_headers(section, &mut slots)
    else {
        return fields;
    };
    for trailer in trailers {
        let name = HeaderName::from_bytes(trailer.name.as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(trailer.value))
            && !FORBIDDEN.contains(&name)
        {
            fields.append(name, value);
        }
    }
    fields
}

/// Refuses a section that is no list of fields, or that speaks of framing.
pub(super) fn check(section: &[u8]) -> Result<(), Reject> {
    if section == b"\r\n" {
        return Ok(());
    }
    let mut slots = [httparse::EMPTY_HEADER; MAX_TRAILERS];
    match httparse::parse_headers(section, &mut slots) {
        Ok(httparse::Status::Complete((_, trailers))) => {
            if trailers.iter().any(|trailer| is_framing(trailer.name)) {
                return Err(Reject::bad("a trailer speaks of framing"));
            }
            Ok(())
        }
        Err(httparse::Error::TooManyHeaders) => {
            Err(Reject::fields_too_large("there are too many trailers"))
        }
        _ => Err(Reject::bad("the trailers are malformed")),
    }
}

fn is_framing(name: &str) -> bool {
    ["content-length", "transfer-encoding", "host"]
        .iter()
        .any(|framing| name.eq_ignore_ascii_case(framing))
}
