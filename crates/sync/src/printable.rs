//! Text that comes from names and from other machines, made fit for a terminal:
//! a name with an escape sequence in it must not steer who reads of it.

use std::borrow::Cow;
use std::fmt::Write;

/// `text` with every control character, and every character that hides or turns the
/// direction of what is around it, as `\u001b`: also what JSON would make of it.
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.chars().any(steers) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if steers(character) {
            // All of them lie below 10000.
            shown.push_str(&format!("\\u{:04x}", u32::from(character)));
        } else {
            shown.push(character);
        }
    }
    Cow::Owned(shown)
}

/// A name that may be no text: in one that is none, bytes that are none stand as `\xff`,
/// and a backslash as two of them.
pub fn name(bytes: &[u8]) -> String {
    if let Ok(text) = str::from_utf8(bytes) {
        return text.to_owned();
    }
    let mut shown = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        shown.push_str(&chunk.valid().replace('\\', r"\\"));
        for byte in chunk.invalid() {
            // To a string, it cannot fail.
            let _ = write!(shown, "\\x{byte:02x}");
        }
    }
    shown
}

fn steers(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_shown_and_everything_else_is_left() {
        for (text, shown) in [
            ("plain ü 漢 🐚 \\u", "plain ü 漢 🐚 \\u"),
            ("a\x1b[2Jb", "a\\u001b[2Jb"),
            (
                "two\nlines\t\u{7f}\u{9b}",
                "two\\u000alines\\u0009\\u007f\\u009b",
            ),
            ("txt\u{202e}exe", "txt\\u202eexe"),
            ("a\u{200b}b\u{feff}", "a\\u200bb\\ufeff"),
        ] {
            assert_eq!(printable(text), shown);
        }
        let json = serde_json::to_string("a\x1b\u{9b}").unwrap();
        let read: String = serde_json::from_str(&printable(&json)).unwrap();
        assert_eq!(read, "a\x1b\u{9b}");
    }

    #[test]
    fn bytes_that_are_no_text_are_shown() {
        for (bytes, shown) in [
            (&b"caf\xe9.txt"[..], "caf\\xe9.txt"),
            (b"\xff\xfe", "\\xff\\xfe"),
            (b"\\xff\xff", "\\\\xff\\xff"),
            (b"\xe6\xbc", "\\xe6\\xbc"),
            ("\u{6f22}\\".as_bytes(), "\u{6f22}\\"),
        ] {
            assert_eq!(name(bytes), shown);
        }
    }
}
