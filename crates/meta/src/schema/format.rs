//! Texts of a known form, checked by code: `format:` of a text.
//!
//! They are what every file of a manifest has. As a regular expression the hash alone
//! takes 3.7 µs and the path 2.9 µs, where everything else of a file takes 1.4 µs; nor
//! can one say "at most 255 bytes in each name". What is rare, or short, or of one
//! schema alone, is a `pattern`.

use base::limits;

/// A form that a text can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Name,
    Path,
    Hash,
    Hex,
}

/// Hexadecimal digits of a hash of 256 bits.
const HASH_DIGITS: usize = 64;

impl Format {
    const ALL: [(&str, Self); 4] = [
        ("hash", Self::Hash),
        ("hex", Self::Hex),
        ("name", Self::Name),
        ("path", Self::Path),
    ];

    /// The format that a schema calls so.
    pub(super) fn named(name: &str) -> Option<Self> {
        let format = Self::ALL.iter().find(|(known, _)| *known == name);
        format.map(|(_, format)| *format)
    }

    /// What a text of it is, for messages.
    pub(super) const fn described(self) -> &'static str {
        match self {
            Self::Name => "a file name: 1 to 255 bytes without / and NUL, and not . or ..",
            Self::Path => {
                "a relative path: names of 1 to 255 bytes without NUL, none of them . or .., with / between them; or . alone"
            }
            Self::Hash => "blake3: or sha256: and 64 digits of 0-9 and a-f",
            Self::Hex => "an even number of digits of 0-9 and a-f",
        }
    }

    pub(super) fn fits(self, text: &str) -> bool {
        match self {
            Self::Name => is_name(text) && !text.contains('/'),
            Self::Path => {
                text == "." || text.len() <= limits::PATH_BYTES && text.split('/').all(is_name)
            }
            Self::Hash => {
                let digits = text.strip_prefix("blake3:");
                let digits = digits.or_else(|| text.strip_prefix("sha256:"));
                digits.is_some_and(|digits| digits.len() == HASH_DIGITS && is_hex(digits))
            }
            Self::Hex => text.len().is_multiple_of(2) && is_hex(text),
        }
    }
}

/// Whether it names something, if it has no `/`.
fn is_name(text: &str) -> bool {
    let length = 1..=limits::NAME_BYTES;
    length.contains(&text.len()) && !matches!(text, "." | "..") && !text.contains('\0')
}

fn is_hex(text: &str) -> bool {
    let is_digit = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f');
    text.bytes().all(is_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(format: &str, fits: &[&str], others: &[&str]) {
        let format = Format::named(format).unwrap();
        for text in fits {
            assert!(format.fits(text), "{format:?} {text:.80}");
        }
        for text in others {
            assert!(!format.fits(text), "{format:?} {text:.80}");
        }
    }

    #[test]
    fn formats() {
        let longest = "n".repeat(255);
        let beyond = "n".repeat(256);
        check(
            "name",
            &["a", "...", "é b", &longest],
            &["", ".", "..", "a/b", "a\0", &beyond],
        );
        let path = [longest.as_str(); 16].join("/");
        let beyond = format!("{path}/n");
        check(
            "path",
            &[".", "a", "a/b.c/…", ".a/..b", &path],
            &["", "/", "/a", "a/", "a//b", "./a", "a/..", "a/\0", &beyond],
        );
        let digits = "0123456789abcdef".repeat(4);
        check(
            "hash",
            &[&format!("blake3:{digits}"), &format!("sha256:{digits}")],
            &[
                "",
                &digits,
                &format!("md5:{digits}"),
                &format!("blake3:{digits}0"),
                &format!("blake3:{}", digits.to_uppercase()),
            ],
        );
        check("hex", &["", "00", "beef"], &["0", "0g", "BE", "é"]);
        assert_eq!(Format::named("octal"), None);
    }
}
