//! Reading requests: queries, JSON bodies and the texts inside them, each
//! bounded and each refused with a problem that names what is wrong.

use crate::api::body;
use crate::problem::Problem;
use axum::extract::{FromRequest, FromRequestParts, Request};
use base::{Cursor, Name, limits};
use http::request::Parts;
use http::{HeaderMap, header};
use serde::de::DeserializeOwned;
use std::error::Error as _;
use std::fmt::Display;
use std::str::FromStr;
use sync::folder::CORNER;

/// Longest JSON body, in bytes: a path and a few words. Some are read before
/// anyone has signed in.
pub const JSON_BYTES: usize = 64 << 10;

/// A query that deserializes into `T`.
pub struct Query<T>(pub T);

/// A JSON body of at most `LIMIT` bytes that deserializes into `T`.
pub struct Json<T, const LIMIT: usize = JSON_BYTES>(pub T);

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        check_utf8(parts.uri.query().unwrap_or_default())?;
        axum::extract::Query::try_from_uri(&parts.uri)
            .map(|axum::extract::Query(query)| Self(query))
            .map_err(|rejection| {
                // The outer text names types of ours.
                let reason = rejection
                    .source()
                    .map_or_else(|| rejection.body_text(), ToString::to_string);
                Problem::Malformed(format!("the query is wrong: {reason}"))
            })
    }
}

/// Refuses a query whose percent-encoded bytes are no UTF-8: the parser would
/// put U+FFFD in their place, and the name of another file come out.
fn check_utf8(query: &str) -> Result<(), Problem> {
    let mut bytes = Vec::with_capacity(query.len());
    let mut rest = query.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let escaped = after.get(..2).filter(|_| byte == b'%').and_then(from_hex);
        match escaped {
            Some(value) => {
                bytes.push(value);
                rest = &after[2..];
            }
            None => {
                bytes.push(byte);
                rest = after;
            }
        }
    }
    std::str::from_utf8(&bytes).map(drop).map_err(|_| {
        Problem::Malformed("the query is wrong: percent-encoded bytes are not UTF-8".to_owned())
    })
}

fn from_hex(digits: &[u8]) -> Option<u8> {
    let text = std::str::from_utf8(digits).ok()?;
    let is_hex = text.bytes().all(|digit| digit.is_ascii_hexdigit());
    is_hex.then(|| u8::from_str_radix(text, 16).ok()).flatten()
}

impl<S: Send + Sync, T: DeserializeOwned, const LIMIT: usize> FromRequest<S> for Json<T, LIMIT> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        if !media_type(request.headers()).eq_ignore_ascii_case("application/json") {
            return Err(Problem::MediaType(
                "send JSON with `Content-Type: application/json`".to_owned(),
            ));
        }
        let bytes = body::collect(request.into_body(), LIMIT).await?;
        from_json(&bytes).map(Self)
    }
}

/// An object at the top; `serde` would take an array for one, by the order in which our
/// types happen to have their fields.
fn from_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let wrong =
        |reason: &dyn Display| Problem::Malformed(format!("the JSON body is wrong: {reason}"));
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        return Err(wrong(&"expected an object, `{\"…\": …}`"));
    }
    serde_json::from_slice(bytes).map_err(|error| wrong(&error))
}

/// The media type of a body without its parameters; empty when none is said.
pub fn media_type(headers: &HeaderMap) -> &str {
    content_type(headers).next().unwrap_or_default()
}

/// The `charset` of a body, if one is said.
pub fn charset(headers: &HeaderMap) -> Option<&str> {
    content_type(headers).skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let is_charset = name.eq_ignore_ascii_case("charset");
        is_charset.then(|| value.trim_matches('"'))
    })
}

/// The media type and each of its parameters.
fn content_type(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let value = headers.get(header::CONTENT_TYPE);
    let text = value.and_then(|value| value.to_str().ok());
    text.unwrap_or_default().split(';').map(str::trim)
}

/// The names along a path inside a space; a leading `/` is tolerated, the root
/// is the empty path.
///
/// # Errors
/// [`Problem::Path`] for names that no item can have: `..` above all.
pub fn path(text: &str) -> Result<Vec<Name>, Problem> {
    let text = text.strip_prefix('/').unwrap_or(text);
    let text = text.strip_suffix('/').unwrap_or(text);
    if text.is_empty() {
        return Ok(Vec::new());
    }
    if text.len() > limits::PATH_BYTES {
        return Err(Problem::Path(format!(
            "a path of {} bytes is beyond the limit of {}",
            text.len(),
            limits::PATH_BYTES
        )));
    }
    text.split('/')
        .map(|name| {
            Name::new(name).map_err(|error| Problem::Path(format!("path {text:?}: {error}")))
        })
        .collect()
}

/// A flag: `1`, `true` or nothing for yes, `0` or `false` for no.
///
/// # Errors
/// [`Problem::Malformed`] for anything else.
pub fn flag(what: &str, text: Option<&str>) -> Result<bool, Problem> {
    match text {
        None | Some("0" | "false") => Ok(false),
        Some("1" | "true" | "") => Ok(true),
        Some(other) => Err(Problem::Malformed(format!(
            "{what}: `{other}` is neither 1 nor 0"
        ))),
    }
}

/// Refuses the name of what a synced folder keeps for itself: no folder could hold
/// such an item.
///
/// # Errors
/// [`Problem::Path`].
pub fn check_not_reserved<'a>(names: impl IntoIterator<Item = &'a Name>) -> Result<(), Problem> {
    if names.into_iter().any(|name| name.as_str() == CORNER) {
        return Err(Problem::Path(format!(
            "`{CORNER}` is what a folder keeps for itself: choose another name"
        )));
    }
    Ok(())
}

/// A parameter in text form.
///
/// # Errors
/// [`Problem::Malformed`] with the type's own message.
pub fn parse<T: FromStr<Err: Display>>(what: &str, text: &str) -> Result<T, Problem> {
    text.parse()
        .map_err(|error| Problem::Malformed(format!("{what}: {error}")))
}

/// A cursor, or the start of `log` when none is given.
///
/// # Errors
/// [`Problem::Malformed`].
pub fn cursor(text: Option<&str>, start: Cursor) -> Result<Cursor, Problem> {
    text.filter(|text| !text.is_empty())
        .map_or(Ok(start), |text| parse("cursor", text))
}

/// How many items a page may have: what is asked for, within the limit.
pub fn page_limit(asked: Option<usize>) -> usize {
    asked
        .unwrap_or(limits::PAGE_ITEMS)
        .clamp(1, limits::PAGE_ITEMS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_utf8() {
        for (query, good) in [
            ("path=a", true),
            ("path=%C3%BC&x=%2f", true),
            ("path=100%", true),
            ("path=%zz", true),
            ("path=%ff", false),
            ("path=%C3", false),
            ("path=a%80b", false),
        ] {
            assert_eq!(check_utf8(query).is_ok(), good, "{query}");
        }
    }

    #[test]
    fn a_body_is_an_object() {
        #[derive(Debug, PartialEq, serde::Deserialize)]
        struct Body {
            one: u8,
        }
        for (text, expected) in [
            ("{\"one\": 1}", Some(1)),
            (" \r\n\t{\"one\": 1} ", Some(1)),
            ("[1]", None),
            ("1", None),
            ("null", None),
            ("", None),
            ("{\"one\": 1", None),
            ("{\"one\": 1} x", None),
        ] {
            let read = from_json::<Body>(text.as_bytes());
            assert_eq!(read.ok(), expected.map(|one| Body { one }), "{text:?}");
        }
    }

    #[test]
    fn content_types() {
        for (text, media, charset_of) in [
            ("text/x", "text/x", None),
            ("text/x; charset=utf-8", "text/x", Some("utf-8")),
            ("text/x ;a=b;Charset=\"UTF-8\"", "text/x", Some("UTF-8")),
            ("text/x; charset", "text/x", None),
            ("", "", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, text.parse().unwrap());
            assert_eq!(media_type(&headers), media, "{text}");
            assert_eq!(charset(&headers), charset_of, "{text}");
        }
        assert_eq!(media_type(&HeaderMap::new()), "");
    }

    #[test]
    fn flags() {
        for (text, expected) in [
            (None, Some(false)),
            (Some("0"), Some(false)),
            (Some(""), Some(true)),
            (Some("1"), Some(true)),
            (Some("maybe"), None),
        ] {
            assert_eq!(flag("parents", text).ok(), expected, "{text:?}");
        }
    }

    #[test]
    fn paths() {
        let check = |text: &str, expected: Option<&[&str]>| {
            let names = path(text).ok();
            let names: Option<Vec<&str>> = names
                .as_ref()
                .map(|names| names.iter().map(Name::as_str).collect());
            assert_eq!(names.as_deref(), expected, "{text:?}");
        };
        check("", Some(&[]));
        check("/", Some(&[]));
        check("a", Some(&["a"]));
        check("/a/b/", Some(&["a", "b"]));
        check("../a", None);
        check("a/../../b", None);
        check("a//b", None);
        check("a/\0", None);
        check(&"x".repeat(256), None);
        check(&"x/".repeat(3000), None);
    }
}
