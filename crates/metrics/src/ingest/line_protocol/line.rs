//! One line: where its parts lie, and the values of its fields.
//!
//! Tags are only passed: they are read when the series is not known by their bytes.

use crate::ingest::labels::shortened;
use crate::ingest::number::{Decimal, Grammar};

/// The parts of a line as they are written, and the values of its fields.
#[derive(Debug, Default)]
pub(super) struct Line<'a> {
    head: &'a [u8],
    fields: Vec<Field<'a>>,
    time: Option<i64>,
}

/// One field.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field<'a> {
    pub(super) key: &'a [u8],
    pub(super) value: Value,
}

/// The value of a field.
#[derive(Debug, Clone, Copy)]
pub(super) enum Value {
    Number(f64),
    Text,
}

/// Which characters a backslash escapes; before any other it is itself (the reference,
/// "Special characters").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Escapes {
    /// Comma and space.
    Measurement,
    /// Comma, space and equals sign: of keys, and of values of tags.
    Key,
}

/// Why a line was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LineFault {
    /// A name that is no text.
    #[error("a name or a tag is not UTF-8")]
    NotUtf8,
    /// Nothing before the first comma or space.
    #[error("the measurement is missing")]
    NoMeasurement,
    /// A tag without `=`, or with two, or without a key or value.
    #[error("a tag must be key=value, with neither empty")]
    Tag,
    /// Nothing behind measurement and tags.
    #[error("the fields are missing")]
    NoFields,
    /// A field without `=`, or without a key.
    #[error("a field must be key=value, with neither empty")]
    Field,
    /// A value that is none.
    #[error("the value of the field {0:?} is no number, boolean or text in quotes")]
    Value(String),
    /// An integer that is none, or too large.
    #[error("the value of the field {0:?} is no integer of 64 bits")]
    Integer(String),
    /// A number beyond all floats.
    #[error("the value of the field {0:?} must be finite")]
    NotFinite(String),
    /// A text without end.
    #[error("the text of the field {0:?} has no closing quote")]
    OpenText(String),
    /// Something else than a comma, a space or the end behind a value.
    #[error("something follows the value of the field {0:?}")]
    BehindValue(String),
    /// A time that is no whole number of 64 bits.
    #[error("the timestamp must be a whole number of 64 bits")]
    Timestamp,
}

impl<'a> Line<'a> {
    /// Reads the line that `text` begins with, and says how many bytes it takes, its
    /// newline among them. One without fields and without a fault is empty or a comment.
    pub(super) fn read(&mut self, text: &'a [u8]) -> (Result<(), LineFault>, usize) {
        self.head = &[];
        self.fields.clear();
        self.time = None;
        let mut scan = Scan { text, at: 0 };
        let read = self.read_parts(&mut scan);
        // Behind a fault the line goes on to the next newline.
        let rest = &text[scan.at..];
        let newline = rest.iter().position(|byte| *byte == b'\n');
        (read, newline.map_or(text.len(), |at| scan.at + at + 1))
    }

    /// Measurement and tags.
    pub(super) const fn head(&self) -> &'a [u8] {
        self.head
    }

    pub(super) fn measurement(&self) -> &'a [u8] {
        &self.head[..Scan::over(self.head).end(b",")]
    }

    /// Keys and values, with their escapes.
    pub(super) fn tags(
        &self,
    ) -> impl Iterator<Item = Result<(&'a [u8], &'a [u8]), LineFault>> + use<'a> {
        let mut rest = &self.head[self.measurement().len()..];
        std::iter::from_fn(move || {
            let tag = rest.strip_prefix(b",")?;
            let (tag, behind) = tag.split_at(Scan::over(tag).end(b","));
            rest = behind;
            Some(split_tag(tag))
        })
    }

    pub(super) fn fields(&self) -> &[Field<'a>] {
        &self.fields
    }

    /// In the precision of the request.
    pub(super) const fn time(&self) -> Option<i64> {
        self.time
    }

    fn read_parts(&mut self, scan: &mut Scan<'a>) -> Result<(), LineFault> {
        scan.pass_spaces();
        if scan.is_at_end() || scan.peek() == Some(b'#') {
            return Ok(());
        }
        self.head = scan.take_until(b" \n");
        if matches!(self.head.first(), None | Some(b',')) {
            return Err(LineFault::NoMeasurement);
        }
        scan.pass_spaces();
        if scan.is_at_end() {
            return Err(LineFault::NoFields);
        }
        loop {
            self.fields.push(scan.field()?);
            if scan.peek() != Some(b',') {
                break;
            }
            scan.at += 1;
        }
        scan.pass_spaces();
        if !scan.is_at_end() {
            self.time = Some(scan.time()?);
        }
        Ok(())
    }
}

impl Escapes {
    /// A name without its escapes.
    pub(super) fn undo(self, name: &[u8]) -> Result<String, LineFault> {
        let mut rest = std::str::from_utf8(name).map_err(|_| LineFault::NotUtf8)?;
        let mut undone = String::with_capacity(rest.len());
        while let Some(backslash) = rest.find('\\') {
            undone.push_str(&rest[..backslash]);
            let behind = &rest[backslash + 1..];
            if !self.has(behind.bytes().next()) {
                undone.push('\\');
            } else if let Some(escaped) = behind.chars().next() {
                undone.push(escaped);
                rest = &behind[1..];
                continue;
            }
            rest = behind;
        }
        undone.push_str(rest);
        Ok(undone)
    }

    const fn has(self, escaped: Option<u8>) -> bool {
        match escaped {
            Some(b',' | b' ') => true,
            Some(b'=') => matches!(self, Self::Key),
            _ => false,
        }
    }
}

/// A place in a text.
struct Scan<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Scan<'a> {
    const fn over(text: &'a [u8]) -> Self {
        Self { text, at: 0 }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    /// Whether the line ends here, with or without a carriage return.
    fn is_at_end(&self) -> bool {
        matches!(
            &self.text[self.at..],
            [] | [b'\n', ..] | [b'\r'] | [b'\r', b'\n', ..]
        )
    }

    fn pass_spaces(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t')) {
            self.at += 1;
        }
    }

    /// The offset of the first of these signs that is not escaped, or of the end.
    fn end<const N: usize>(&self, signs: &[u8; N]) -> usize {
        let mut at = self.at;
        while let Some(byte) = self.text.get(at) {
            if *byte == b'\\' && Escapes::Key.has(self.text.get(at + 1).copied()) {
                at += 2;
            } else if signs.contains(byte) {
                return at;
            } else {
                at += 1;
            }
        }
        self.text.len()
    }

    fn take_until<const N: usize>(&mut self, signs: &[u8; N]) -> &'a [u8] {
        let start = self.at;
        self.at = self.end(signs);
        &self.text[start..self.at]
    }

    fn field(&mut self) -> Result<Field<'a>, LineFault> {
        let key = self.take_until(b"=, \n");
        if key.is_empty() || self.peek() != Some(b'=') {
            return Err(LineFault::Field);
        }
        self.at += 1;
        let value = self.value(key)?;
        if !self.is_at_end() && !matches!(self.peek(), Some(b',' | b' ')) {
            return Err(LineFault::BehindValue(shown(key)));
        }
        Ok(Field { key, value })
    }

    fn value(&mut self, key: &[u8]) -> Result<Value, LineFault> {
        match self.peek() {
            Some(b'"') => self.pass_text(key),
            Some(b'0'..=b'9' | b'+' | b'-' | b'.') => self.number(key),
            Some(b'a'..=b'z' | b'A'..=b'Z') => self.boolean(key),
            None | Some(b',' | b' ' | b'\r' | b'\n') => Err(LineFault::Field),
            Some(_) => Err(LineFault::Value(shown(key))),
        }
    }

    /// Passes a text in quotes, in which a backslash escapes quotes and itself.
    fn pass_text(&mut self, key: &[u8]) -> Result<Value, LineFault> {
        let mut at = self.at + 1;
        loop {
            match self.text.get(at) {
                Some(b'"') => break,
                Some(b'\\') => at += 2,
                Some(_) => at += 1,
                None => return Err(LineFault::OpenText(shown(key))),
            }
        }
        self.at = at + 1;
        Ok(Value::Text)
    }

    fn number(&mut self, key: &[u8]) -> Result<Value, LineFault> {
        let number = Decimal::read(&self.text[self.at..], Grammar::Line);
        let number = number.ok_or_else(|| LineFault::Value(shown(key)))?;
        self.at += number.len();
        let integer = match self.peek() {
            Some(b'i') => number.whole().map(|integer| integer as f64),
            Some(b'u') => number.unsigned().map(|integer| integer as f64),
            _ => {
                let value = number.value();
                let is_finite = value.is_finite();
                let fault = || LineFault::NotFinite(shown(key));
                return is_finite.then_some(Value::Number(value)).ok_or_else(fault);
            }
        };
        self.at += 1;
        let integer = integer.ok_or_else(|| LineFault::Integer(shown(key)))?;
        Ok(Value::Number(integer))
    }

    fn boolean(&mut self, key: &[u8]) -> Result<Value, LineFault> {
        let rest = &self.text[self.at..];
        let is_letter = |byte: &&u8| byte.is_ascii_alphabetic();
        let word = &rest[..rest.iter().take_while(is_letter).count()];
        let value = match word {
            b"t" | b"T" | b"true" | b"True" | b"TRUE" => 1.0,
            b"f" | b"F" | b"false" | b"False" | b"FALSE" => 0.0,
            _ => return Err(LineFault::Value(shown(key))),
        };
        self.at += word.len();
        Ok(Value::Number(value))
    }

    /// A whole number, and nothing but spaces behind it.
    fn time(&mut self) -> Result<i64, LineFault> {
        let number = Decimal::read(&self.text[self.at..], Grammar::Line);
        let number = number.ok_or(LineFault::Timestamp)?;
        self.at += number.len();
        self.pass_spaces();
        let time = number.whole().filter(|_| self.is_at_end());
        time.ok_or(LineFault::Timestamp)
    }
}

fn split_tag(tag: &[u8]) -> Result<(&[u8], &[u8]), LineFault> {
    let (key, value) = tag.split_at(Scan::over(tag).end(b"="));
    let value = value.strip_prefix(b"=").unwrap_or_default();
    let has_second = Scan::over(value).end(b"=") < value.len();
    if key.is_empty() || value.is_empty() || has_second {
        return Err(LineFault::Tag);
    }
    Ok((key, value))
}

/// The key of a field as a message repeats it.
fn shown(key: &[u8]) -> String {
    shortened(&String::from_utf8_lossy(key))
}
