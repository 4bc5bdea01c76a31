//! Media types by the extension of a name.
//!
//! A compact table of what people serve, not a registry; a configuration adds
//! and overrides. Text is said to be UTF-8. Programs in source form are plain
//! text, so that browsers show them.

use std::collections::HashMap;

/// What a name without a known extension is: bytes, which browsers download.
pub const UNKNOWN: &str = "application/octet-stream";

/// Longest extension that is looked up.
const LONGEST: usize = 16;

/// Types that a configuration adds to the table, or puts before it.
#[derive(Debug, Clone, Default)]
pub struct Types {
    overrides: HashMap<String, String>,
}

impl Types {
    /// From (extension without dot, media type) pairs; later ones win.
    pub fn new(overrides: impl IntoIterator<Item = (String, String)>) -> Self {
        let lower = |(extension, kind): (String, String)| (extension.to_ascii_lowercase(), kind);
        Self {
            overrides: overrides.into_iter().map(lower).collect(),
        }
    }

    /// The media types that were added.
    pub(super) fn overrides(&self) -> impl Iterator<Item = &String> {
        self.overrides.values()
    }

    /// The media type of a file called `name`, a path or its last part.
    pub fn of(&self, name: &[u8]) -> &str {
        self.known(name).unwrap_or(UNKNOWN)
    }

    /// The same, or `None` for an extension that says nothing.
    pub fn known(&self, name: &[u8]) -> Option<&str> {
        let mut buffer = [0; LONGEST];
        let extension = lower_extension(name, &mut buffer)?;
        if let Some(kind) = self.overrides.get(extension) {
            return Some(kind);
        }
        let place = TABLE.binary_search_by(|(known, _)| (*known).cmp(extension));
        place.ok().map(|place| TABLE[place].1)
    }
}

/// What follows the last dot of the last part, in lower case. A name that only
/// starts with a dot has no extension.
fn lower_extension<'a>(name: &[u8], buffer: &'a mut [u8; LONGEST]) -> Option<&'a str> {
    let start = name
        .iter()
        .rposition(|byte| *byte == b'/')
        .map_or(0, |slash| slash + 1);
    let name = &name[start..];
    let dot = name
        .iter()
        .rposition(|byte| *byte == b'.')
        .filter(|dot| *dot > 0)?;
    let extension = &name[dot + 1..];
    let lower = buffer.get_mut(..extension.len())?;
    lower.copy_from_slice(extension);
    lower.make_ascii_lowercase();
    std::str::from_utf8(lower).ok()
}

/// (extension, media type), sorted by extension.
const TABLE: &[(&str, &str)] = &[
    ("3gp", "video/3gpp"),
    ("7z", "application/x-7z-compressed"),
    ("aac", "audio/aac"),
    ("abw", "application/x-abiword"),
    ("aif", "audio/aiff"),
    ("aiff", "audio/aiff"),
    ("apk", "application/vnd.android.package-archive"),
    ("apng", "image/apng"),
    ("arc", "application/x-freearc"),
    ("asc", "text/plain; charset=utf-8"),
    ("atom", "application/atom+xml"),
    ("avi", "video/x-msvideo"),
    ("avif", "image/avif"),
    ("azw", "application/vnd.amazon.ebook"),
    ("bib", "text/x-bibtex; charset=utf-8"),
    ("bin", "application/octet-stream"),
    ("bmp", "image/bmp"),
    ("bz", "application/x-bzip"),
    ("bz2", "application/x-bzip2"),
    ("c", "text/plain; charset=utf-8"),
    ("cc", "text/plain; charset=utf-8"),
    ("cer", "application/pkix-cert"),
    ("cfg", "text/plain; charset=utf-8"),
    ("conf", "text/plain; charset=utf-8"),
    ("cpp", "text/plain; charset=utf-8"),
    ("crl", "application/pkix-crl"),
    ("crt", "application/x-x509-ca-cert"),
    ("crx", "application/x-chrome-extension"),
    ("csh", "text/plain; charset=utf-8"),
    ("css", "text/css; charset=utf-8"),
    ("csv", "text/csv; charset=utf-8"),
    ("cue", "text/plain; charset=utf-8"),
    ("cur", "image/x-icon"),
    ("dart", "text/plain; charset=utf-8"),
    ("deb", "application/vnd.debian.binary-package"),
    ("diff", "text/plain; charset=utf-8"),
    ("djvu", "image/vnd.djvu"),
    ("dmg", "application/x-apple-diskimage"),
    ("doc", "application/msword"),
    (
        "docx",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ),
    ("dtd", "application/xml-dtd"),
    ("eml", "message/rfc822"),
    ("eot", "application/vnd.ms-fontobject"),
    ("eps", "application/postscript"),
    ("epub", "application/epub+zip"),
    ("exe", "application/vnd.microsoft.portable-executable"),
    ("flac", "audio/flac"),
    ("flv", "video/x-flv"),
    ("gbr", "application/vnd.gerber"),
    ("geojson", "application/geo+json"),
    ("gif", "image/gif"),
    ("glb", "model/gltf-binary"),
    ("gltf", "model/gltf+json"),
    ("go", "text/plain; charset=utf-8"),
    ("gpx", "application/gpx+xml"),
    ("gz", "application/gzip"),
    ("h", "text/plain; charset=utf-8"),
    ("heic", "image/heic"),
    ("heif", "image/heif"),
    ("hpp", "text/plain; charset=utf-8"),
    ("hs", "text/plain; charset=utf-8"),
    ("htm", "text/html; charset=utf-8"),
    ("html", "text/html; charset=utf-8"),
    ("ico", "image/x-icon"),
    ("ics", "text/calendar; charset=utf-8"),
    ("img", "application/octet-stream"),
    ("ini", "text/plain; charset=utf-8"),
    ("ipynb", "application/x-ipynb+json"),
    ("iso", "application/octet-stream"),
    ("jar", "application/java-archive"),
    ("java", "text/plain; charset=utf-8"),
    ("jp2", "image/jp2"),
    ("jpeg", "image/jpeg"),
    ("jpg", "image/jpeg"),
    ("js", "text/javascript; charset=utf-8"),
    ("json", "application/json"),
    ("jsonl", "application/jsonl"),
    ("jsonld", "application/ld+json"),
    ("jxl", "image/jxl"),
    ("key", "application/vnd.apple.keynote"),
    ("kml", "application/vnd.google-earth.kml+xml"),
    ("kmz", "application/vnd.google-earth.kmz"),
    ("lock", "text/plain; charset=utf-8"),
    ("log", "text/plain; charset=utf-8"),
    ("lua", "text/plain; charset=utf-8"),
    ("lz", "application/x-lzip"),
    ("m3u8", "application/vnd.apple.mpegurl"),
    ("m4a", "audio/mp4"),
    ("m4v", "video/mp4"),
    ("map", "application/json"),
    ("markdown", "text/markdown; charset=utf-8"),
    ("md", "text/markdown; charset=utf-8"),
    ("mid", "audio/midi"),
    ("midi", "audio/midi"),
    ("mjs", "text/javascript; charset=utf-8"),
    ("mkv", "video/matroska"),
    ("mov", "video/quicktime"),
    ("mp3", "audio/mpeg"),
    ("mp4", "video/mp4"),
    ("mpd", "application/dash+xml"),
    ("mpeg", "video/mpeg"),
    ("mpg", "video/mpeg"),
    ("mpkg", "application/vnd.apple.installer+xml"),
    ("msi", "application/x-msi"),
    ("nix", "text/plain; charset=utf-8"),
    ("numbers", "application/vnd.apple.numbers"),
    ("obj", "model/obj"),
    ("odg", "application/vnd.oasis.opendocument.graphics"),
    ("odp", "application/vnd.oasis.opendocument.presentation"),
    ("ods", "application/vnd.oasis.opendocument.spreadsheet"),
    ("odt", "application/vnd.oasis.opendocument.text"),
    ("oga", "audio/ogg"),
    ("ogg", "audio/ogg"),
    ("ogv", "video/ogg"),
    ("ogx", "application/ogg"),
    ("opus", "audio/ogg"),
    ("org", "text/plain; charset=utf-8"),
    ("otf", "font/otf"),
    ("p12", "application/x-pkcs12"),
    ("pages", "application/vnd.apple.pages"),
    ("parquet", "application/vnd.apache.parquet"),
    ("patch", "text/plain; charset=utf-8"),
    ("pdf", "application/pdf"),
    ("pem", "application/x-pem-file"),
    ("php", "text/plain; charset=utf-8"),
    ("pl", "text/plain; charset=utf-8"),
    ("png", "image/png"),
    ("ppt", "application/vnd.ms-powerpoint"),
    (
        "pptx",
        "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    ),
    ("properties", "text/plain; charset=utf-8"),
    ("ps", "application/postscript"),
    ("psd", "image/vnd.adobe.photoshop"),
    ("py", "text/plain; charset=utf-8"),
    ("rar", "application/vnd.rar"),
    ("rb", "text/plain; charset=utf-8"),
    ("rpm", "application/x-rpm"),
    ("rs", "text/plain; charset=utf-8"),
    ("rss", "application/rss+xml"),
    ("rst", "text/plain; charset=utf-8"),
    ("rtf", "application/rtf"),
    ("sh", "text/plain; charset=utf-8"),
    ("sql", "application/sql"),
    ("sqlite", "application/vnd.sqlite3"),
    ("srt", "text/plain; charset=utf-8"),
    ("stl", "model/stl"),
    ("svg", "image/svg+xml"),
    ("swf", "application/x-shockwave-flash"),
    ("tar", "application/x-tar"),
    ("tex", "text/x-tex; charset=utf-8"),
    ("tgz", "application/gzip"),
    ("tif", "image/tiff"),
    ("tiff", "image/tiff"),
    ("toml", "application/toml"),
    ("torrent", "application/x-bittorrent"),
    ("ts", "video/mp2t"),
    ("tsv", "text/tab-separated-values; charset=utf-8"),
    ("ttf", "font/ttf"),
    ("txt", "text/plain; charset=utf-8"),
    ("vcf", "text/vcard; charset=utf-8"),
    ("vsd", "application/vnd.visio"),
    ("vtt", "text/vtt; charset=utf-8"),
    ("wasm", "application/wasm"),
    ("wav", "audio/wav"),
    ("weba", "audio/webm"),
    ("webm", "video/webm"),
    ("webmanifest", "application/manifest+json"),
    ("webp", "image/webp"),
    ("woff", "font/woff"),
    ("woff2", "font/woff2"),
    ("xhtml", "application/xhtml+xml"),
    ("xls", "application/vnd.ms-excel"),
    (
        "xlsx",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ),
    ("xml", "application/xml"),
    ("xpi", "application/x-xpinstall"),
    ("xsl", "application/xslt+xml"),
    ("xslt", "application/xslt+xml"),
    ("xz", "application/x-xz"),
    ("yaml", "application/yaml"),
    ("yml", "application/yaml"),
    ("zip", "application/zip"),
    ("zst", "application/zstd"),
];

#[cfg(test)]
mod tests {
    use super::{LONGEST, TABLE, Types, UNKNOWN};

    #[test]
    fn the_table_can_be_searched() {
        assert!(TABLE.windows(2).all(|two| two[0].0 < two[1].0));
        assert!(TABLE.iter().all(|row| row.0.len() <= LONGEST));
    }

    #[test]
    fn names_have_types() {
        let types = Types::new([("MD".to_owned(), "text/x-mine".to_owned())]);
        for (name, expected) in [
            ("a/b/index.html", "text/html; charset=utf-8"),
            ("PHOTO.JPG", "image/jpeg"),
            ("x.tar.gz", "application/gzip"),
            ("readme.md", "text/x-mine"),
            ("a.js/file", UNKNOWN),
            (".html", UNKNOWN),
            ("file", UNKNOWN),
            ("file.", UNKNOWN),
            ("", UNKNOWN),
            ("x.averyveryverylongextension", UNKNOWN),
            ("x.wasm", "application/wasm"),
        ] {
            assert_eq!(types.of(name.as_bytes()), expected, "{name}");
        }
    }
}
