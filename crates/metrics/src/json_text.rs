//! JSON as it is written: texts and lists, for exports and for answers alike.
//!
//! Numbers are not here: each format has its own rules for them.

use std::fmt::Write as _;

/// Appends a text in quotes. RFC 8259, section 7: quotes, backslashes and control
/// characters must be escaped.
pub(crate) fn push_text(out: &mut String, text: &str) {
    out.push('"');
    let mut rest = text;
    // What is escaped is ASCII, so that a text can be cut there.
    while let Some(at) = rest.bytes().position(is_escaped) {
        out.push_str(&rest[..at]);
        push_escape(out, rest.as_bytes()[at]);
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
    out.push('"');
}

/// Appends items with commas between them.
pub(crate) fn push_list<T>(
    out: &mut String,
    items: impl IntoIterator<Item = T>,
    push: impl Fn(&mut String, T),
) {
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        push(out, item);
    }
}

/// Appends an object of texts, such as the labels of a series.
pub(crate) fn push_object<'a>(
    out: &mut String,
    pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
) {
    out.push('{');
    push_list(out, pairs, |out, (name, value)| {
        push_text(out, name);
        out.push(':');
        push_text(out, value);
    });
    out.push('}');
}

/// Appends something as it shows itself.
pub(crate) fn push_display(out: &mut String, shown: impl std::fmt::Display) {
    // A String takes all that is written to it.
    let _ = write!(out, "{shown}");
}

const fn is_escaped(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\' | 0..b' ')
}

fn push_escape(out: &mut String, byte: u8) {
    match byte {
        b'"' => out.push_str("\\\""),
        b'\\' => out.push_str("\\\\"),
        b'\n' => out.push_str("\\n"),
        b'\r' => out.push_str("\\r"),
        b'\t' => out.push_str("\\t"),
        _ => push_display(out, format_args!("\\u{byte:04x}")),
    }
}

#[cfg(test)]
mod tests {
    use super::push_text;

    #[test]
    fn texts_are_escaped() {
        let check = |text: &str, expected: &str| {
            let mut out = String::new();
            push_text(&mut out, text);
            assert_eq!(out, expected);
            assert_eq!(serde_json::from_str::<String>(&out).unwrap(), text);
        };
        check("", r#""""#);
        check("up", r#""up""#);
        check("a\"b\\", r#""a\"b\\""#);
        check("\n\r\t\0\x1f\x7f", "\"\\n\\r\\t\\u0000\\u001f\x7f\"");
        check("<a&b> é\u{2028}🜨\"", "\"<a&b> é\u{2028}🜨\\\"\"");
    }
}
