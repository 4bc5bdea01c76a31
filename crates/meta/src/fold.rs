//! The key under which two names clash on systems that ignore case or
//! normalise Unicode (macOS, Windows): it only flags, it never names.

use unicode_normalization::UnicodeNormalization;

/// NFC of the lower-cased name. Equal keys mean that some file system cannot
/// hold both names; unequal keys promise nothing.
pub fn clash_key(name: &str) -> String {
    if name.is_ascii() {
        return name.to_ascii_lowercase();
    }
    name.nfc().flat_map(char::to_lowercase).nfc().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clashes() {
        for (a, b, clash) in [
            ("README", "readme", true),
            ("e\u{301}", "\u{e9}", true),
            ("E\u{301}", "\u{e9}", true),
            ("a", "b", false),
        ] {
            assert_eq!(clash_key(a) == clash_key(b), clash, "{a} {b}");
        }
    }
}
