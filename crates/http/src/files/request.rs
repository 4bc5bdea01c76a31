//! What of a request decides about a file: method, target, eight header fields.
//!
//! Nothing is copied: a driver fills [`Wanted`] in the one pass it makes over
//! the header lines anyway. What the fields mean is in [`super::conditions`],
//! [`super::range`] and [`super::negotiate`].

use std::time::Duration;

/// A request for something beneath a [`Site`](super::Site).
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// What is to be done.
    pub method: Method,
    /// The request target in origin form, as it was sent, query and all.
    pub target: &'a [u8],
    /// The header fields that matter.
    pub wanted: Wanted<'a>,
    /// When it came.
    pub now: Moment,
}

/// The methods that files know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// The content.
    Get,
    /// What GET would say, without the content.
    Head,
    /// What may be done.
    Options,
    /// Anything else: 405.
    Other,
}

/// A point in time, on the two clocks that an answer needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Since any fixed point; never runs backwards. Bounds the age of what is cached.
    pub elapsed: Duration,
    /// Since the Unix epoch. Compared with the times of files and with dates in headers.
    pub since_epoch: Duration,
}

/// The header fields that decide about a file's answer; a field that was not
/// sent is `None`.
///
/// A field sent on several lines: of those that are lists the first line counts
/// (at worst an answer is larger than necessary, or 412); those that are a single
/// value are void, as a combined value would be (RFC 9110 section 5.3).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wanted<'a> {
    /// `Range`
    pub range: Option<&'a [u8]>,
    /// `If-Range`
    pub if_range: Option<&'a [u8]>,
    /// `If-Match`
    pub if_match: Option<&'a [u8]>,
    /// `If-None-Match`
    pub if_none_match: Option<&'a [u8]>,
    /// `If-Modified-Since`
    pub if_modified_since: Option<&'a [u8]>,
    /// `If-Unmodified-Since`
    pub if_unmodified_since: Option<&'a [u8]>,
    /// `Accept-Encoding`
    pub accept_encoding: Option<&'a [u8]>,
    /// `Accept`
    pub accept: Option<&'a [u8]>,
}

/// What a repeated single-valued field counts as: no valid range, date or tag.
const VOID: &[u8] = b",";

impl Method {
    /// From the token of a request line; methods are case-sensitive.
    pub fn from_bytes(token: &[u8]) -> Self {
        match token {
            b"GET" => Self::Get,
            b"HEAD" => Self::Head,
            b"OPTIONS" => Self::Options,
            _ => Self::Other,
        }
    }
}

impl From<&http::Method> for Method {
    fn from(method: &http::Method) -> Self {
        Self::from_bytes(method.as_str().as_bytes())
    }
}

impl Moment {
    /// Whole seconds since the Unix epoch.
    pub fn unix_seconds(&self) -> i64 {
        i64::try_from(self.since_epoch.as_secs()).unwrap_or(i64::MAX)
    }
}

impl<'a> Wanted<'a> {
    /// Collects from (name, value) pairs.
    pub fn from_fields(fields: impl IntoIterator<Item = (&'a [u8], &'a [u8])>) -> Self {
        let mut wanted = Self::default();
        for (name, value) in fields {
            wanted.note(name, value);
        }
        wanted
    }

    /// Takes note of one header line, if it matters; names are compared without case.
    pub fn note(&mut self, name: &[u8], value: &'a [u8]) {
        // The length sorts out nearly every other field for one comparison.
        let (place, is_list) = match name.len() {
            5 if name.eq_ignore_ascii_case(b"range") => (&mut self.range, false),
            6 if name.eq_ignore_ascii_case(b"accept") => (&mut self.accept, true),
            8 if name.eq_ignore_ascii_case(b"if-range") => (&mut self.if_range, false),
            8 if name.eq_ignore_ascii_case(b"if-match") => (&mut self.if_match, true),
            13 if name.eq_ignore_ascii_case(b"if-none-match") => (&mut self.if_none_match, true),
            15 if name.eq_ignore_ascii_case(b"accept-encoding") => {
                (&mut self.accept_encoding, true)
            }
            17 if name.eq_ignore_ascii_case(b"if-modified-since") => {
                (&mut self.if_modified_since, false)
            }
            19 if name.eq_ignore_ascii_case(b"if-unmodified-since") => {
                (&mut self.if_unmodified_since, false)
            }
            _ => return,
        };
        match place {
            None => *place = Some(value),
            Some(_) if !is_list => *place = Some(VOID),
            Some(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{VOID, Wanted};

    #[test]
    fn lines_are_noted_once() {
        let fields: [(&[u8], &[u8]); 6] = [
            (b"RANGE", b"bytes=0-1"),
            (b"Accept-Encoding", b"br"),
            (b"accept-encoding", b"gzip"),
            (b"Host", b"x"),
            (b"If-Modified-Since", b"a"),
            (b"If-Modified-Since", b"b"),
        ];
        let expected = Wanted {
            range: Some(b"bytes=0-1"),
            accept_encoding: Some(b"br"),
            if_modified_since: Some(VOID),
            ..Wanted::default()
        };
        assert_eq!(Wanted::from_fields(fields), expected);
    }
}
