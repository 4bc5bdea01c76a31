//! Which part of a file a request asks for: one byte range (RFC 9110 section
//! 14), guarded by `If-Range`, and `If-None-Match`. Several ranges at once are
//! answered with the whole file, as the standard allows.

use crate::problem::Problem;
use http::{HeaderMap, header};

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// The whole file.
    All,
    /// From the first number up to, not including, the second.
    Part(u64, u64),
}

/// Reads `Range` and `If-Range` for content of `length` bytes.
///
/// # Errors
/// [`Problem::Range`] when the range lies outside.
pub fn asked(headers: &HeaderMap, etag: &str, length: u64) -> Result<Asked, Problem> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    if text(header::IF_RANGE).is_some_and(|known| known != etag) {
        return Ok(Asked::All);
    }
    let Some(range) = text(header::RANGE).and_then(|range| range.strip_prefix("bytes=")) else {
        return Ok(Asked::All);
    };
    let Some((first, last)) = range.trim().split_once('-') else {
        return Ok(Asked::All);
    };
    let part = match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(first), Ok(last)) if first <= last => (first, last.saturating_add(1).min(length)),
        (Ok(first), Err(_)) if last.is_empty() => (first, length),
        (Err(_), Ok(suffix)) if first.is_empty() => (length.saturating_sub(suffix), length),
        _ => return Ok(Asked::All),
    };
    if part.0 < part.1 {
        Ok(Asked::Part(part.0, part.1))
    } else {
        Err(Problem::Range(length))
    }
}

/// Whether `If-None-Match` names this content.
pub fn matches_etag(headers: &HeaderMap, etag: &str) -> bool {
    headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|known| known.trim().trim_start_matches("W/"))
        .any(|known| known == etag || known == "*")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        let check = |range: &'static str, expected: Option<Asked>| {
            let headers = HeaderMap::from_iter([(header::RANGE, range.parse().unwrap())]);
            assert_eq!(asked(&headers, "\"e\"", 10).ok(), expected, "{range}");
        };
        check("bytes=0-0", Some(Asked::Part(0, 1)));
        check("bytes=2-", Some(Asked::Part(2, 10)));
        check("bytes=-3", Some(Asked::Part(7, 10)));
        check("bytes=-99", Some(Asked::Part(0, 10)));
        check("bytes=5-99", Some(Asked::Part(5, 10)));
        check("bytes=5-18446744073709551615", Some(Asked::Part(5, 10)));
        check("bytes=10-", None);
        check("bytes=-0", None);
        check("bytes=3-2", Some(Asked::All));
        check("bytes=0-1,3-4", Some(Asked::All));
        check("lines=0-1", Some(Asked::All));
    }

    #[test]
    fn a_changed_file_is_sent_whole() {
        let headers = HeaderMap::from_iter([
            (header::RANGE, "bytes=1-2".parse().unwrap()),
            (header::IF_RANGE, "\"old\"".parse().unwrap()),
        ]);
        assert_eq!(asked(&headers, "\"new\"", 10).unwrap(), Asked::All);
    }
}
