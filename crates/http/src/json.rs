//! The inside of a JSON string (RFC 8259 section 7), for records and listings,
//! which are written piece by piece into a buffer that is used again.

use std::io::Write;

/// Appends `text` without the quotes around it. What is not UTF-8 becomes
/// U+FFFD, because JSON can say nothing else.
pub(crate) fn push_escaped(text: &[u8], out: &mut Vec<u8>) {
    for chunk in text.utf8_chunks() {
        push_valid(chunk.valid(), out);
        if !chunk.invalid().is_empty() {
            out.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
}

fn push_valid(text: &str, out: &mut Vec<u8>) {
    for character in text.chars() {
        match character {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            // C1 controls and line separators too: some readers take them as line ends.
            control if control.is_control() || matches!(control, '\u{2028}' | '\u{2029}') => {
                write!(out, "\\u{:04x}", u32::from(control))
                    .expect("a vector takes all that is written");
            }
            other => {
                let mut bytes = [0; 4];
                out.extend_from_slice(other.encode_utf8(&mut bytes).as_bytes());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::push_escaped;

    #[test]
    fn text_stays_within_its_quotes() {
        for (text, expected) in [
            (&b"plain \xc3\xa4"[..], "plain ä"),
            (b"\"\\/", "\\\"\\\\/"),
            (b"\n\x00\x7f", "\\u000a\\u0000\\u007f"),
            (b"a\xff\xe2\x82b", "a\u{fffd}\u{fffd}b"),
            ("\u{85}\u{2028}".as_bytes(), "\\u0085\\u2028"),
        ] {
            let mut out = Vec::new();
            push_escaped(text, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }
}
