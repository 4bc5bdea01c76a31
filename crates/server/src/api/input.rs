//! Reading requests: queries, JSON bodies and the texts inside them, each
//! bounded and each refused with a problem that names what is wrong.

use crate::api::body;
use crate::problem::Problem;
use axum::extract::{FromRequest, FromRequestParts, Request};
use base::{Cursor, Name, limits};
use http::header;
use http::request::Parts;
use serde::de::DeserializeOwned;

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
        axum::extract::Query::try_from_uri(&parts.uri)
            .map(|axum::extract::Query(query)| Self(query))
            .map_err(|rejection| Problem::Malformed(rejection.body_text()))
    }
}

impl<S: Send + Sync, T: DeserializeOwned, const LIMIT: usize> FromRequest<S> for Json<T, LIMIT> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        if !says_json(&request) {
            return Err(Problem::MediaType(
                "send JSON with `Content-Type: application/json`".to_owned(),
            ));
        }
        let bytes = body::collect(request.into_body(), LIMIT).await?;
        serde_json::from_slice(&bytes)
            .map(Self)
            .map_err(|error| Problem::Malformed(format!("the JSON body is wrong: {error}")))
    }
}

fn says_json(request: &Request) -> bool {
    let media_type = request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|v| v.to_str().ok());
    media_type.is_some_and(|text| {
        text.split(';')
            .next()
            .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
    })
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

/// A parameter in text form.
///
/// # Errors
/// [`Problem::Malformed`] with the type's own message.
pub fn parse<T: std::str::FromStr<Err: std::fmt::Display>>(
    what: &str,
    text: &str,
) -> Result<T, Problem> {
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
