//! Compression of small texts that have no compressed file beside them.
//!
//! Done once per change of a file, when it is loaded, and kept: the answers cost
//! nothing more. Files made beforehand compress better, and so take precedence.

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write;

/// Below this the header of gzip and a second packet that is saved nowhere
/// outweigh what is saved.
pub(super) const SMALLEST: u64 = 1 << 10;

/// Above this an event loop would stand still for more than some 5 ms, at the
/// 40 MiB/s that the compressor reaches. Larger texts are worth a file beside them.
pub(super) const LARGEST: u64 = 256 << 10;

/// `content` as gzip (RFC 1952), always the same for the same content; `None`
/// when that saves less than a tenth.
pub(super) fn gzip(content: &[u8]) -> Option<Bytes> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(content.len() / 3), Compression::new(6));
    encoder.write_all(content).ok()?;
    let packed = encoder.finish().ok()?;
    (packed.len() < content.len() / 10 * 9).then(|| Bytes::from(packed))
}

/// Whether files of a media type are worth trying.
pub(super) fn is_text(media_type: &str) -> bool {
    let essence = media_type
        .split(';')
        .next()
        .unwrap_or(media_type)
        .trim_end();
    let is_other_text = [
        "application/json",
        "application/jsonl",
        "application/sql",
        "application/toml",
        "application/wasm",
        "application/xml",
        "application/xml-dtd",
        "application/yaml",
        "image/bmp",
        "image/x-icon",
        "font/otf",
        "font/ttf",
    ]
    .contains(&essence);
    is_other_text
        || essence.starts_with("text/")
        || essence.ends_with("+json")
        || essence.ends_with("+xml")
}

#[cfg(test)]
mod tests {
    use super::{gzip, is_text};
    use flate2::read::GzDecoder;
    use std::io::Read;

    #[test]
    fn what_is_packed_is_unpacked() {
        let content = "to be or not to be, ".repeat(100);
        let packed = gzip(content.as_bytes()).unwrap();
        let mut unpacked = String::new();
        GzDecoder::new(&packed[..])
            .read_to_string(&mut unpacked)
            .unwrap();
        assert_eq!(unpacked, content);
        assert_eq!(gzip(content.as_bytes()).unwrap(), packed);
        assert_eq!(gzip(&packed), None, "what is packed is not packed again");
    }

    #[test]
    fn texts_are_told_from_the_rest() {
        for (media_type, expected) in [
            ("text/html; charset=utf-8", true),
            ("application/json", true),
            ("image/svg+xml", true),
            ("application/ld+json", true),
            ("image/png", false),
            ("application/zip", false),
            ("application/octet-stream", false),
        ] {
            assert_eq!(is_text(media_type), expected, "{media_type}");
        }
    }
}
