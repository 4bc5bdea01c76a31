//! From a request target to a path beneath the root, decided on bytes alone.
//!
//! Decoded once, segment by segment. What no client sends in good faith is
//! refused rather than repaired:
//!
//! | in the path | answer | why |
//! |---|---|---|
//! | not starting with `/`, a broken `%`, a control character | 400 | not a path (RFC 3986 section 3.3) |
//! | `.` or `..`, encoded or not | 400 | clients remove them (RFC 3986 section 5.2.4); what is left probes |
//! | `%00` | 400 | no file system can name it |
//! | `%2F` | 404 | no name contains a slash, and two spellings of one path would slip past rules for either |
//! | a name that starts with a dot | 404 | hidden, unless allowed; `.well-known` is public (RFC 8615) |
//! | empty segments (`//`) | redirect | to the path without them |
//!
//! The kernel decides again whether the path stays beneath the root
//! ([`super::root`]); this is not the only lock on that door.

use super::answer::is_visible_ascii;
use std::borrow::Cow;

/// A decoded request target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target<'a> {
    /// Decoded, without the first slash; empty for the root. Ends with a slash
    /// where the target's path does, except for the root.
    pub path: Cow<'a, [u8]>,
    /// What followed `?`, as it was sent.
    pub query: Option<&'a [u8]>,
    /// Empty segments were left out; the client should ask for the path as it is here.
    pub was_doubled: bool,
}

/// Why a target names nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// 400: no client sends this in good faith.
    Malformed,
    /// 404: well-formed, but never the name of anything.
    Nothing,
}

/// What one pass over a path, without its first slash, finds in it.
#[derive(Debug, Default)]
struct Marks {
    is_malformed: bool,
    is_coded: bool,
    /// A segment is empty that is not the last.
    is_doubled: bool,
    /// A segment starts with a dot.
    is_dotted: bool,
}

/// Longest path, decoded: Linux `PATH_MAX` less its NUL.
pub const MAX_PATH: usize = 4095;

/// The only hidden name that is public anyway.
const WELL_KNOWN: &[u8] = b".well-known";

/// Parses a target in origin form (RFC 9112 section 3.2.1).
pub fn parse(target: &[u8], show_dotfiles: bool) -> Result<Target<'_>, Refusal> {
    let (path, query) = match target.iter().position(|byte| *byte == b'?') {
        Some(mark) => (&target[..mark], Some(&target[mark + 1..])),
        None => (target, None),
    };
    let path = path.strip_prefix(b"/").ok_or(Refusal::Malformed)?;
    let marks = Marks::of(path);
    if marks.is_malformed {
        return Err(Refusal::Malformed);
    }
    let (path, was_doubled) = if marks.is_coded || marks.is_doubled {
        let (path, was_doubled) = decode(path)?;
        (Cow::Owned(path), was_doubled)
    } else {
        (Cow::Borrowed(path), false)
    };
    if marks.is_dotted || marks.is_coded {
        for name in path.split(|byte| *byte == b'/') {
            check_name(name, show_dotfiles)?;
        }
    }
    if path.len() > MAX_PATH {
        return Err(Refusal::Nothing);
    }
    Ok(Target {
        path,
        query,
        was_doubled,
    })
}

/// The part of a URL that names `path`: encoded so that it is decoded to the
/// same bytes, and never starting with `//`, which would name another host.
pub fn encode(path: &[u8], out: &mut Vec<u8>) {
    for byte in path {
        // RFC 3986: unreserved, sub-delims, ":" and "@" may stand in a segment.
        if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/".contains(byte) {
            out.push(*byte);
        } else {
            const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
            out.extend([
                b'%',
                DIGITS[usize::from(byte >> 4)],
                DIGITS[usize::from(byte & 15)],
            ]);
        }
    }
}

/// The value of a `Location` that leads to `path` beneath `prefix`, with the
/// query of the request if it is harmless in a header.
pub fn location(prefix: &str, path: &[u8], query: Option<&[u8]>) -> Vec<u8> {
    let mut location = prefix.as_bytes().to_vec();
    location.push(b'/');
    encode(path, &mut location);
    if let Some(query) = query.filter(|query| is_visible_ascii(query)) {
        location.push(b'?');
        location.extend_from_slice(query);
    }
    location
}

impl Marks {
    fn of(path: &[u8]) -> Self {
        let mut marks = Self::default();
        let mut previous = b'/';
        for byte in path {
            match byte {
                0..0x20 | 0x7f | b'#' => marks.is_malformed = true,
                b'%' => marks.is_coded = true,
                b'/' => marks.is_doubled |= previous == b'/',
                b'.' => marks.is_dotted |= previous == b'/',
                _ => {}
            }
            previous = *byte;
        }
        marks
    }
}

/// Decodes and leaves out empty segments, and says whether there were any.
fn decode(path: &[u8]) -> Result<(Vec<u8>, bool), Refusal> {
    let mut decoded = Vec::with_capacity(path.len());
    let mut was_doubled = false;
    let mut rest = path.iter();
    while let Some(byte) = rest.next() {
        let byte = match byte {
            b'/' if decoded.last().is_none_or(|last| *last == b'/') => {
                was_doubled = true;
                continue;
            }
            b'%' => match (rest.next().and_then(hex), rest.next().and_then(hex)) {
                (Some(high), Some(low)) => match high << 4 | low {
                    0 => return Err(Refusal::Malformed),
                    b'/' => return Err(Refusal::Nothing),
                    byte => byte,
                },
                _ => return Err(Refusal::Malformed),
            },
            byte => *byte,
        };
        decoded.push(byte);
    }
    Ok((decoded, was_doubled))
}

fn check_name(name: &[u8], show_dotfiles: bool) -> Result<(), Refusal> {
    match name {
        b"." | b".." => Err(Refusal::Malformed),
        [b'.', ..] if !show_dotfiles && name != WELL_KNOWN => Err(Refusal::Nothing),
        _ => Ok(()),
    }
}

fn hex(digit: &u8) -> Option<u8> {
    char::from(*digit).to_digit(16).map(|value| value as u8)
}

#[cfg(test)]
mod tests {
    use super::{Refusal, location, parse};
    use proptest::prelude::*;

    #[test]
    fn targets() {
        let check = |target: &str, expected: Result<&str, Refusal>| {
            let path = parse(target.as_bytes(), false).map(|target| target.path.into_owned());
            assert_eq!(
                path,
                expected.map(|path| path.as_bytes().to_vec()),
                "{target}"
            );
        };
        let (malformed, nothing) = (Err(Refusal::Malformed), Err(Refusal::Nothing));
        check("/", Ok(""));
        check("/a/b.html", Ok("a/b.html"));
        check("/a/", Ok("a/"));
        check("/a%20b", Ok("a b"));
        check("/%e2%9C%93", Ok("✓"));
        check("/a%2520b", Ok("a%20b"));
        check("/a?b/../c", Ok("a"));
        check("//a///b//", Ok("a/b/"));
        check("//", Ok(""));
        check("/..", malformed);
        check("/a/../b", malformed);
        check("/a/%2e%2E/b", malformed);
        check("/.%2e", malformed);
        check("/a/./b", malformed);
        check("/a%00b", malformed);
        check("/a%", malformed);
        check("/a%4", malformed);
        check("/a%zz", malformed);
        check("/a%+1", malformed);
        check("/a\tb", malformed);
        check("/a#b", malformed);
        check("a", malformed);
        check("", malformed);
        check("*", malformed);
        check("http://host/", malformed);
        check("/a%2fb", nothing);
        check("/.git/config", nothing);
        check("/%2egit", nothing);
        check("/a/.hidden", nothing);
        check("/.well-known/acme", Ok(".well-known/acme"));
        check("/...", nothing);
        check("/a..b", Ok("a..b"));
        check(&format!("/{}", "x".repeat(4096)), nothing);
        assert!(parse(b"/.git", true).is_ok());
        assert!(parse(b"/..", true).is_err());
    }

    #[test]
    fn redirects_stay_on_this_host_and_in_this_header() {
        let check = |prefix: &str, path: &[u8], query: Option<&[u8]>, expected: &str| {
            let location = location(prefix, path, query);
            assert_eq!(String::from_utf8(location).unwrap(), expected);
        };
        check("", b"docs/", None, "/docs/");
        check("/s/x", b"docs/", Some(b"a=1"), "/s/x/docs/?a=1");
        check("", b"a\r\nb?#%/", None, "/a%0D%0Ab%3F%23%25/");
        check("", b"d/", Some(b"a\r\nSet-Cookie: b"), "/d/");
        // "//evil.example/" is collapsed before it comes here.
        let target = parse(b"//evil.example//x", false).unwrap();
        assert!(target.was_doubled);
        check("", &target.path, target.query, "/evil.example/x");
    }

    proptest! {
        /// What is encoded is decoded to the same, and no target escapes.
        #[test]
        fn encoding_round_trips(names in proptest::collection::vec("[^/\0\\x01-\\x1f]{1,8}", 1..4)) {
            let path = names.join("/").into_bytes();
            let url = location("", &path, None);
            match parse(&url, true) {
                Ok(target) => prop_assert_eq!(target.path.as_ref(), path.as_slice()),
                Err(_) => prop_assert!(names.iter().any(|name| name == "." || name == "..")),
            }
        }

        #[test]
        fn no_bytes_escape(target in proptest::collection::vec(any::<u8>(), 0..40)) {
            let mut target = target;
            target.insert(0, b'/');
            if let Ok(target) = parse(&target, true) {
                prop_assert!(!target.path.starts_with(b"/"));
                prop_assert!(!target.path.contains(&0));
                prop_assert!(target.path.split(|b| *b == b'/').all(|name| name != b".." && name != b"."));
            }
        }
    }
}
