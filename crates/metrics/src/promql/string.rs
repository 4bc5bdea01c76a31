//! Texts in quotes: what they say, and how they are quoted again.
//!
//! Escapes are those of Go in `"…"` and `'…'`; between backquotes nothing is escaped.
//! Where a text ends is found by `lexer`.

use super::ast::Span;
use super::error::{Fault, Located};
use std::fmt::Write as _;
use std::iter::Peekable;
use std::str::CharIndices;

/// A text of a query. Bytes, because `"\xff"` is a text to Prometheus, although no label
/// can have it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StringLiteral(Vec<u8>);

impl StringLiteral {
    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The text, if it is UTF-8.
    pub fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }
}

impl<T: Into<Vec<u8>>> From<T> for StringLiteral {
    fn from(bytes: T) -> Self {
        Self(bytes.into())
    }
}

/// What a text in quotes says; it stands at `span`, both quotes included.
pub(super) fn unquote(text: &str, span: Span) -> Result<StringLiteral, Located> {
    let quote = text.as_bytes()[0] as char;
    let inner = &text[1..text.len() - 1];
    if quote == '`' || !inner.contains('\\') {
        return Ok(inner.into());
    }
    let mut unquoting = Unquoting {
        characters: inner.char_indices().peekable(),
        start: span.start as usize + 1,
        end: inner.len(),
        quote,
        bytes: Vec::with_capacity(inner.len()),
    };
    unquoting.run()?;
    Ok(StringLiteral(unquoting.bytes))
}

/// Puts a text between double quotes. What shows nothing is escaped.
pub(crate) fn quote(text: &[u8]) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for chunk in text.utf8_chunks() {
        for character in chunk.valid().chars() {
            push_quoted(&mut out, character);
        }
        for byte in chunk.invalid() {
            push_escape(&mut out, "x", 2, u32::from(*byte));
        }
    }
    out.push('"');
    out
}

struct Unquoting<'a> {
    characters: Peekable<CharIndices<'a>>,
    /// Where the characters begin in the query.
    start: usize,
    /// Offset behind the last character.
    end: usize,
    quote: char,
    bytes: Vec<u8>,
}

impl Unquoting<'_> {
    fn run(&mut self) -> Result<(), Located> {
        while let Some((at, character)) = self.characters.next() {
            if character == '\\' {
                self.escape(at)?;
            } else {
                self.push(character);
            }
        }
        Ok(())
    }

    /// What follows the backslash at `backslash`.
    fn escape(&mut self, backslash: usize) -> Result<(), Located> {
        let Some((_, character)) = self.characters.next() else {
            return Err(self.fault(backslash, Fault::EscapeNotTerminated));
        };
        match character {
            'a' => self.bytes.push(0x07),
            'b' => self.bytes.push(0x08),
            'f' => self.bytes.push(0x0c),
            'n' => self.bytes.push(b'\n'),
            'r' => self.bytes.push(b'\r'),
            't' => self.bytes.push(b'\t'),
            'v' => self.bytes.push(0x0b),
            '\\' => self.bytes.push(b'\\'),
            _ if character == self.quote => self.push(character),
            '0'..='7' => self.byte(backslash, character.to_digit(8).unwrap_or(0), 2, 8)?,
            'x' => self.byte(backslash, 0, 2, 16)?,
            'u' => self.code_point(backslash, 4)?,
            'U' => self.code_point(backslash, 8)?,
            _ => return Err(self.fault(backslash, Fault::UnknownEscape(character))),
        }
        Ok(())
    }

    /// A byte of which `first` is known and `digits` digits follow.
    fn byte(&mut self, at: usize, first: u32, digits: u32, radix: u32) -> Result<(), Located> {
        let number = self.digits(at, first, digits, radix)?;
        let byte = u8::try_from(number).map_err(|_| self.fault(at, Fault::NoCharacter))?;
        self.bytes.push(byte);
        Ok(())
    }

    fn code_point(&mut self, at: usize, digits: u32) -> Result<(), Located> {
        let number = self.digits(at, 0, digits, 16)?;
        let character = char::from_u32(number);
        let character = character.ok_or_else(|| self.fault(at, Fault::NoCharacter))?;
        self.push(character);
        Ok(())
    }

    fn digits(&mut self, at: usize, first: u32, count: u32, radix: u32) -> Result<u32, Located> {
        let mut number = first;
        for _ in 0..count {
            let Some((_, character)) = self.characters.next() else {
                return Err(self.fault(at, Fault::EscapeNotTerminated));
            };
            let digit = character.to_digit(radix);
            let digit = digit.ok_or_else(|| self.fault(at, Fault::NoDigit(character)))?;
            // At most eight hexadecimal digits: 32 bits hold them.
            number = number * radix + digit;
        }
        Ok(number)
    }

    fn push(&mut self, character: char) {
        let mut buffer = [0; 4];
        let encoded = character.encode_utf8(&mut buffer);
        self.bytes.extend_from_slice(encoded.as_bytes());
    }

    /// A fault from a backslash up to where reading has come.
    fn fault(&mut self, backslash: usize, fault: Fault) -> Located {
        let end = self.characters.peek().map_or(self.end, |(at, _)| *at);
        fault.at(Span::new(self.start + backslash, self.start + end))
    }
}

fn push_quoted(out: &mut String, character: char) {
    match character {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        _ if is_shown(character) => out.push(character),
        _ if character.is_ascii() => push_escape(out, "x", 2, u32::from(character)),
        _ => push_escape(out, "u", 4, u32::from(character)),
    }
}

/// Appends `\`, a letter and a number of so many digits; what is not shown lies below
/// U+10000, so four are enough.
fn push_escape(out: &mut String, letter: &str, digits: usize, number: u32) {
    let written = write!(out, "\\{letter}{number:0digits$x}");
    debug_assert!(written.is_ok(), "a string takes every text");
}

/// Whether a character shows what it is: no control characters, no marks that hide or
/// reorder the text around them.
const fn is_shown(character: char) -> bool {
    !matches!(character,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{61c}' | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::{quote, unquote};
    use crate::promql::ast::Span;

    fn unquoted(text: &str) -> Result<Vec<u8>, String> {
        let read = unquote(text, Span::new(0, text.len()));
        let bytes = read.map(|literal| literal.as_bytes().to_vec());
        bytes.map_err(|located| located.fault.to_string())
    }

    #[test]
    fn what_quoted_texts_say() {
        let check = |text: &str, expected: &[u8]| {
            assert_eq!(unquoted(text).unwrap(), expected, "{text}");
        };
        check(r#""""#, b"");
        check(r#""a'b☺""#, "a'b☺".as_bytes());
        check(r#"'a"b'"#, b"a\"b");
        check(r#"'\''"#, b"'");
        check(r#""\a\b\f\n\r\t\v\\\"""#, b"\x07\x08\x0c\n\r\t\x0b\\\"");
        check(
            r#""\xFF\377\u1234\U00010111""#,
            b"\xff\xff\xe1\x88\xb4\xf0\x90\x84\x91",
        );
        check(r"`\a\'\x`", br"\a\'\x");
    }

    #[test]
    fn escapes_that_are_none() {
        let check = |text: &str, expected: &str| assert_eq!(unquoted(text).unwrap_err(), expected);
        check(r#""\c""#, "unknown escape sequence U+0063 'c'");
        check(r#""\'""#, "unknown escape sequence U+0027 '\\''");
        check(
            r#""\x.""#,
            "illegal character U+002E '.' in escape sequence",
        );
        check(r#""\x1""#, "escape sequence not terminated");
        check(
            r#""\400""#,
            "escape sequence is an invalid Unicode code point",
        );
        check(
            r#""\ud800""#,
            "escape sequence is an invalid Unicode code point",
        );
    }

    #[test]
    fn what_is_quoted_is_read() {
        let check = |text: &[u8], expected: &str| {
            assert_eq!(quote(text), expected);
            assert_eq!(unquoted(expected).unwrap(), text);
        };
        check(b"", r#""""#);
        check(b"a\"b\\c'd`", r#""a\"b\\c'd`""#);
        check(b"\0\n\xff", r#""\x00\n\xff""#);
        check("é\u{85}\u{202e}".as_bytes(), "\"é\\u0085\\u202e\"");
    }
}
