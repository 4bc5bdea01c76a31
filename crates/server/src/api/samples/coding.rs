//! Bodies that come compressed, undone within a bound.

use crate::problem::Problem;
use http::{HeaderMap, header};
use std::borrow::Cow;
use std::io::{self, Read};

/// The longest body, as it comes and when it is undone: a JSON request of a thousand items
/// with all that names may have takes as much, and a message of remote write half.
pub const BODY_BYTES: usize = 32 << 20;

/// How much memory zstd may look back in, as a power of two: 8 MiB, which it needs at its
/// highest usual level.
const WINDOW_LOG: u32 = 23;

/// How a body is coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// As it is.
    Identity,
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    Zstd,
    /// The block format of snappy, which remote write alone has.
    Snappy,
}

impl Coding {
    /// What `Content-Encoding` says.
    ///
    /// # Errors
    /// [`Problem::MediaType`] for what is not undone here.
    pub fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let value = headers.get(header::CONTENT_ENCODING);
        let text = value.map_or("", |value| value.to_str().unwrap_or("?"));
        let codings = [
            ("", Self::Identity),
            ("identity", Self::Identity),
            ("gzip", Self::Gzip),
            ("x-gzip", Self::Gzip),
            ("zstd", Self::Zstd),
            ("snappy", Self::Snappy),
        ];
        let is_it = |(name, _): &&(&str, Self)| name.eq_ignore_ascii_case(text.trim());
        let found = codings.iter().find(is_it).map(|(_, coding)| *coding);
        found.ok_or_else(|| {
            Problem::MediaType(format!(
                "a body with `Content-Encoding: {text}` is not read: send it as it is, or with \
                 gzip or zstd"
            ))
        })
    }

    /// Whether [`Coding::undo`] leaves a body as it is.
    pub const fn is_left(self) -> bool {
        matches!(self, Self::Identity | Self::Snappy)
    }

    /// The body without its coding, of `most` bytes at most. Snappy is left to who knows
    /// that it is there.
    ///
    /// # Errors
    /// [`Problem::TooLong`], or [`Problem::Malformed`] for bytes that are not so coded.
    pub fn undo(self, body: &[u8], most: usize) -> Result<Cow<'_, [u8]>, Problem> {
        let undone = match self {
            Self::Identity | Self::Snappy => return Ok(Cow::Borrowed(body)),
            Self::Gzip => read(flate2::read::MultiGzDecoder::new(body), most),
            Self::Zstd => zstd::stream::read::Decoder::with_buffer(body).and_then(|mut decoder| {
                decoder.window_log_max(WINDOW_LOG)?;
                read(decoder, most)
            }),
        };
        let undone = undone.map_err(|error| {
            Problem::Malformed(format!("the body is not {self:?} as it says: {error}"))
        })?;
        if undone.len() > most {
            return Err(Problem::TooLong(most as u64));
        }
        Ok(Cow::Owned(undone))
    }
}

/// All of it, or one byte more than it may have.
fn read(decoder: impl Read, most: usize) -> io::Result<Vec<u8>> {
    let mut undone = Vec::new();
    decoder.take(most as u64 + 1).read_to_end(&mut undone)?;
    Ok(undone)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use std::io::Write;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn codings_are_found_and_undone() {
        let of = |text| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(text));
            Coding::of(&headers)
        };
        assert_eq!(Coding::of(&HeaderMap::new()).unwrap(), Coding::Identity);
        assert_eq!(of("GZIP").unwrap(), Coding::Gzip);
        assert_eq!(of(" zstd").unwrap(), Coding::Zstd);
        assert!(of("br").is_err());
        let zstd = zstd::encode_all(&b"body"[..], 3).unwrap();
        let check = |coding: Coding, body: &[u8]| {
            assert_eq!(&*coding.undo(body, 4).unwrap(), b"body", "{coding:?}");
        };
        check(Coding::Zstd, &zstd);
        check(Coding::Gzip, &gzip(b"body"));
        check(Coding::Identity, b"body");
    }

    #[test]
    fn what_is_not_so_coded_and_what_is_too_long_is_refused() {
        for coding in [Coding::Gzip, Coding::Zstd] {
            let problem = coding.undo(b"body", BODY_BYTES).unwrap_err();
            assert!(matches!(problem, Problem::Malformed(_)), "{problem}");
        }
        let bomb = vec![0; BODY_BYTES + 1];
        let problem = Coding::Gzip.undo(&gzip(&bomb), BODY_BYTES).unwrap_err();
        assert!(matches!(problem, Problem::TooLong(_)), "{problem}");
        let bomb = zstd::encode_all(&*bomb, 1).unwrap();
        let problem = Coding::Zstd.undo(&bomb, BODY_BYTES).unwrap_err();
        assert!(matches!(problem, Problem::TooLong(_)), "{problem}");
    }
}
