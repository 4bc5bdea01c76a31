//! Text from clients, made harmless: it can neither end a record, nor a field,
//! nor move the cursor of a terminal that shows it.

use super::time::push;
use crate::json::push_escaped;

/// The longest text of one field, in bytes before escaping; what is cut off is
/// marked by `...`. Bounds a record to some 100 KiB whatever a client sends.
pub const MAX_TEXT: usize = 4096;

const CUT: &[u8] = b"...";

/// For a field between quotes, or between spaces: what is not visible ASCII,
/// and quotes and backslashes, become `\xHH`; spaces too where they `end` the field.
pub(super) fn push_plain(text: &[u8], space_ends: bool, out: &mut Vec<u8>) {
    let (text, is_cut) = cut(text);
    for byte in text {
        match byte {
            b'"' | b'\\' => push_hex(*byte, out),
            b' ' if !space_ends => out.push(b' '),
            byte if byte.is_ascii_graphic() => out.push(*byte),
            byte => push_hex(*byte, out),
        }
    }
    if is_cut {
        out.extend_from_slice(CUT);
    }
}

/// For a line of text to be read by people: control characters become `\xHH`,
/// other characters stay.
pub(super) fn push_line(text: &str, out: &mut Vec<u8>) {
    for character in text.chars() {
        match character {
            control if control.is_control() => {
                push(out, format_args!("\\x{:02x}", u32::from(control)));
            }
            other => push(out, format_args!("{other}")),
        }
    }
}

/// A JSON string, quotes included.
pub(super) fn push_json(text: &[u8], out: &mut Vec<u8>) {
    let (text, is_cut) = cut(text);
    out.push(b'"');
    push_escaped(text, out);
    if is_cut {
        out.extend_from_slice(CUT);
    }
    out.push(b'"');
}

fn push_hex(byte: u8, out: &mut Vec<u8>) {
    push(out, format_args!("\\x{byte:02x}"));
}

fn cut(text: &[u8]) -> (&[u8], bool) {
    match text.get(..MAX_TEXT) {
        Some(start) if text.len() > MAX_TEXT => (start, true),
        _ => (text, false),
    }
}
