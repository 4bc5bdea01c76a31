//! A place in a JSON text that moves forward: tokens, strings, and values that nobody
//! reads (RFC 8259).
//!
//! It is strict, because what two parsers could read differently has no business here:
//! no comments, no trailing commas, no byte order mark, and no half of a surrogate pair,
//! which section 8.2 calls unpredictable. It knows nothing of metrics; `item` and `jsonl`
//! read what they want by it.

use crate::ingest::number::{Decimal, Grammar};
use std::ops::Range;

/// How deep arrays and objects may lie in each other where they are skipped. Their depth
/// is the depth of our recursion; no agent needs more than a few.
pub const SKIPPED_DEPTH: usize = 64;

/// What is no JSON, or more of it than is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no valid JSON at byte {offset}: {problem}")]
pub struct Malformed {
    /// Where, counted from 0.
    pub offset: usize,
    /// What stands there.
    pub problem: Problem,
}

/// What a JSON text does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Bytes that are no text.
    #[error("the bytes are not UTF-8")]
    NotUtf8,
    /// The text ends too early, or something else stands there.
    #[error("expected {0}")]
    Expected(&'static str),
    /// A string that its line or the text ends.
    #[error("the string has no end")]
    OpenString,
    /// A control character in a string, which must be escaped.
    #[error("a control character in a string must be escaped")]
    Control,
    /// A backslash and nothing known behind it.
    #[error("an unknown escape")]
    Escape,
    /// Half of a surrogate pair.
    #[error("half of a surrogate pair")]
    Surrogate,
    /// Too many arrays and objects in each other.
    #[error("arrays and objects lie more than {SKIPPED_DEPTH} deep in each other")]
    TooDeep,
    /// Something behind the end.
    #[error("something follows the end of the value")]
    Trailing,
}

/// A place in a text.
#[derive(Debug)]
pub(in crate::ingest) struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

/// A string in a text, without its quotes.
#[derive(Debug, Clone)]
pub(in crate::ingest) struct Raw {
    pub(in crate::ingest) span: Range<usize>,
    has_escapes: bool,
}

impl<'a> Cursor<'a> {
    /// At the start of a text. Its UTF-8 is checked here, once for all.
    pub(in crate::ingest) fn new(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let text = std::str::from_utf8(bytes).map_err(|error| Malformed {
            offset: error.valid_up_to(),
            problem: Problem::NotUtf8,
        })?;
        Ok(Self { text, at: 0 })
    }

    /// Another one in the same text.
    pub(in crate::ingest) const fn at(&self, at: usize) -> Self {
        Self {
            text: self.text,
            at,
        }
    }

    /// The bytes before it.
    pub(in crate::ingest) const fn offset(&self) -> usize {
        self.at
    }

    /// Some of the text, as it is written.
    pub(in crate::ingest) fn slice(&self, span: &Range<usize>) -> &'a str {
        &self.text[span.clone()]
    }

    /// The byte that the next token begins with; passes what stands between tokens.
    #[inline]
    pub(in crate::ingest) fn peek(&mut self) -> Option<u8> {
        loop {
            match self.byte() {
                Some(b' ' | b'\t' | b'\n' | b'\r') => self.at += 1,
                byte => return byte,
            }
        }
    }

    /// Passes a sign of one byte.
    #[inline]
    pub(in crate::ingest) fn expect(
        &mut self,
        sign: u8,
        name: &'static str,
    ) -> Result<(), Malformed> {
        if self.peek() != Some(sign) {
            return Err(self.malformed(Problem::Expected(name)));
        }
        self.at += 1;
        Ok(())
    }

    /// Holds that nothing but space follows.
    pub(in crate::ingest) fn expect_end(&mut self) -> Result<(), Malformed> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.malformed(Problem::Trailing)),
        }
    }

    /// The key of the next member, its colon passed; `None` at the end of the object. The
    /// bracket that opens it was passed, and is `first` until a member was read.
    #[inline]
    pub(in crate::ingest) fn next_key(
        &mut self,
        first: &mut bool,
    ) -> Result<Option<Raw>, Malformed> {
        if !self.next_in(b'}', "`,` or `}`", first)? {
            return Ok(None);
        }
        if self.peek() != Some(b'"') {
            return Err(self.malformed(Problem::Expected("a key in quotes")));
        }
        let key = self.string()?;
        self.expect(b':', "`:`")?;
        Ok(Some(key))
    }

    /// Passes a key and its colon if they stand here as most writers put them, which
    /// `find` tells with how many bytes they take; nothing is passed otherwise, and
    /// [`Cursor::next_key`] is to be asked.
    #[inline]
    pub(in crate::ingest) fn plain_key<T>(
        &mut self,
        first: &mut bool,
        find: impl Fn(&[u8]) -> Option<(T, usize)>,
    ) -> Option<T> {
        let bytes = &self.text.as_bytes()[self.at..];
        let at_key = if *first {
            bytes
        } else {
            let behind = bytes.strip_prefix(b",")?;
            // As Python writes it, unless told otherwise.
            behind.strip_prefix(b" ").unwrap_or(behind)
        };
        let (key, length) = find(at_key)?;
        self.at += bytes.len() - at_key.len() + length;
        *first = false;
        Some(key)
    }

    /// Whether another element follows; passes the bracket if none does. The opening one
    /// was passed, and is `first` until an element was read.
    #[inline]
    pub(in crate::ingest) fn next_element(&mut self, first: &mut bool) -> Result<bool, Malformed> {
        self.next_in(b']', "`,` or `]`", first)
    }

    /// The string that begins here.
    #[inline]
    pub(in crate::ingest) fn string(&mut self) -> Result<Raw, Malformed> {
        let start = self.at + 1;
        self.at = start;
        let mut has_escapes = false;
        loop {
            self.at += plain_length(&self.text.as_bytes()[self.at..]);
            match self.byte() {
                Some(b'"') => break,
                Some(b'\\') => self.pass_escape()?,
                Some(_) => return Err(self.malformed(Problem::Control)),
                None => return Err(self.malformed(Problem::OpenString)),
            }
            has_escapes = true;
        }
        self.at += 1;
        Ok(Raw {
            span: start..self.at - 1,
            has_escapes,
        })
    }

    /// What a string says; `buffer` holds it where it has escapes.
    #[inline]
    pub(in crate::ingest) fn unescape<'b>(&self, raw: &Raw, buffer: &'b mut String) -> &'b str
    where
        'a: 'b,
    {
        if !raw.has_escapes {
            return self.slice(&raw.span);
        }
        buffer.clear();
        let mut rest = self.slice(&raw.span);
        while let Some(backslash) = rest.find('\\') {
            buffer.push_str(&rest[..backslash]);
            // The escapes were checked when the string was read.
            let Some((character, length)) = escape(&rest.as_bytes()[backslash..]).ok() else {
                break;
            };
            buffer.push(character);
            rest = &rest[backslash + length..];
        }
        buffer.push_str(rest);
        buffer
    }

    /// The number that begins here, if one does.
    #[inline]
    pub(in crate::ingest) fn number(&mut self) -> Option<Decimal<'a>> {
        let number = Decimal::read(&self.text.as_bytes()[self.at..], Grammar::Json)?;
        self.at += number.len();
        Some(number)
    }

    /// Passes `word` if it stands here.
    #[inline]
    pub(in crate::ingest) fn word(&mut self, word: &str) -> bool {
        let found = self.text.as_bytes()[self.at..].starts_with(word.as_bytes());
        if found {
            self.at += word.len();
        }
        found
    }

    /// Passes any value, and holds it to the grammar.
    pub(in crate::ingest) fn skip_value(&mut self) -> Result<(), Malformed> {
        self.skip_nested(SKIPPED_DEPTH)
    }

    /// Passes an object that has no others in it, and looks at nothing but quotes: the
    /// end is right if the object is valid. `false` where it cannot be, and nothing is
    /// passed.
    #[inline]
    pub(in crate::ingest) fn pass_flat_object(&mut self) -> bool {
        let end = flat_object_end(self.text.as_bytes(), self.at);
        if let Some(end) = end {
            self.at = end;
        }
        end.is_some()
    }

    pub(in crate::ingest) const fn malformed(&self, problem: Problem) -> Malformed {
        Malformed {
            offset: self.at,
            problem,
        }
    }

    #[inline]
    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    #[inline]
    fn next_in(
        &mut self,
        close: u8,
        expected: &'static str,
        first: &mut bool,
    ) -> Result<bool, Malformed> {
        let byte = self.peek();
        let was_first = std::mem::replace(first, false);
        if byte == Some(close) {
            self.at += 1;
            return Ok(false);
        }
        if !was_first {
            self.expect(b',', expected)?;
        }
        Ok(true)
    }

    fn pass_escape(&mut self) -> Result<(), Malformed> {
        match escape(&self.text.as_bytes()[self.at..]) {
            Ok((_, length)) => self.at += length,
            Err(problem) => return Err(self.malformed(problem)),
        }
        Ok(())
    }

    fn skip_nested(&mut self, depth: usize) -> Result<(), Malformed> {
        let passed = match self.peek() {
            Some(b'"') => self.string().map(|_| true)?,
            Some(b'{') => self.skip_object(depth).map(|()| true)?,
            Some(b'[') => self.skip_array(depth).map(|()| true)?,
            Some(b't') => self.word("true"),
            Some(b'f') => self.word("false"),
            Some(b'n') => self.word("null"),
            _ => self.number().is_some(),
        };
        if passed {
            return Ok(());
        }
        Err(self.malformed(Problem::Expected("a value")))
    }

    fn skip_object(&mut self, depth: usize) -> Result<(), Malformed> {
        let inner = self.open(depth)?;
        let mut first = true;
        while self.next_key(&mut first)?.is_some() {
            self.skip_nested(inner)?;
        }
        Ok(())
    }

    fn skip_array(&mut self, depth: usize) -> Result<(), Malformed> {
        let inner = self.open(depth)?;
        let mut first = true;
        while self.next_element(&mut first)? {
            self.skip_nested(inner)?;
        }
        Ok(())
    }

    /// Passes a bracket; the depth that is left behind it.
    fn open(&mut self, depth: usize) -> Result<usize, Malformed> {
        let left = depth.checked_sub(1);
        let left = left.ok_or_else(|| self.malformed(Problem::TooDeep))?;
        self.at += 1;
        Ok(left)
    }
}

/// The character of the escape that begins here, and its length in bytes.
fn escape(text: &[u8]) -> Result<(char, usize), Problem> {
    let character = match text.get(1) {
        Some(byte @ (b'"' | b'\\' | b'/')) => char::from(*byte),
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(b'u') => return unicode_escape(text),
        _ => return Err(Problem::Escape),
    };
    Ok((character, 2))
}

/// `\uXXXX`, or two of them for what UTF-16 needs two for.
fn unicode_escape(text: &[u8]) -> Result<(char, usize), Problem> {
    let high = code_unit(text).ok_or(Problem::Escape)?;
    if let Some(character) = char::from_u32(high) {
        return Ok((character, 6));
    }
    let low = code_unit(&text[6..]).filter(|low| (0xdc00..0xe000).contains(low));
    match low {
        Some(low) if high < 0xdc00 => {
            let code = 0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00);
            let character = char::from_u32(code).ok_or(Problem::Surrogate)?;
            Ok((character, 12))
        }
        _ => Err(Problem::Surrogate),
    }
}

fn code_unit(text: &[u8]) -> Option<u32> {
    let digits = text.strip_prefix(b"\\u")?.get(..4)?;
    digits.iter().try_fold(0, |unit, byte| {
        Some((unit << 4) | char::from(*byte).to_digit(16)?)
    })
}

const ONES: u64 = u64::from_le_bytes([1; 8]);

/// How many bytes stand before the first that means something in a string: a quote, a
/// backslash or a control character.
#[inline]
fn plain_length(bytes: &[u8]) -> usize {
    let (words, rest) = bytes.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let found = equal_to(word, b'"') | equal_to(word, b'\\') | below(word, b' ');
        if found != 0 {
            return index * 8 + found.trailing_zeros() as usize / 8;
        }
    }
    let is_special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..b' ');
    let in_rest = rest.iter().position(is_special);
    words.len() * 8 + in_rest.unwrap_or(rest.len())
}

/// The high bit of each byte that is `wanted`; bits above the lowest may be wrong.
const fn equal_to(word: u64, wanted: u8) -> u64 {
    below(word ^ (ONES * wanted as u64), 1)
}

/// The high bit of each byte that is `wanted`, and no others.
const fn each_equal_to(word: u64, wanted: u8) -> u64 {
    let low = ONES * 0x7f;
    let different = word ^ (ONES * wanted as u64);
    !(((different & low) + low) | different | low)
}

/// The high bit of each byte that is less than `limit`, which is at most 128; bits above
/// the lowest may be wrong.
const fn below(word: u64, limit: u8) -> u64 {
    word.wrapping_sub(ONES * limit as u64) & !word & (ONES << 7)
}

/// The offset behind the object that begins at `start`, if it has no other brackets
/// outside strings.
fn flat_object_end(bytes: &[u8], start: usize) -> Option<usize> {
    plain_object_end(bytes, start).or_else(|| any_object_end(bytes, start))
}

/// The same where there are no backslashes and brackets in strings either, by words of
/// eight bytes: the object ends at the first `}` with an even number of quotes before it.
fn plain_object_end(bytes: &[u8], start: usize) -> Option<usize> {
    let inner = bytes.get(start + 1..)?;
    // Bits whose number is even if that of the quotes is.
    let mut quotes_before = 0;
    for (index, word) in inner.as_chunks::<8>().0.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        // `[` is `{` but for the bit of small letters.
        let opened = equal_to(word | (ONES * 0x20), b'{');
        if opened | equal_to(word, b'\\') != 0 {
            return None;
        }
        let quotes = each_equal_to(word, b'"');
        let closed = each_equal_to(word, b'}');
        if closed != 0 {
            let before = quotes & (closed & closed.wrapping_neg()).wrapping_sub(1);
            let is_outside = (quotes_before ^ before).count_ones().is_multiple_of(2);
            let offset = index * 8 + closed.trailing_zeros() as usize / 8;
            return is_outside.then_some(start + 1 + offset + 1);
        }
        quotes_before ^= quotes;
    }
    None
}

/// The same string by string.
fn any_object_end(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    loop {
        match bytes.get(at)? {
            b'}' => return Some(at + 1),
            b'{' | b'[' => return None,
            b'"' => at = flat_string_end(bytes, at)?,
            _ => at += 1,
        }
    }
}

/// The offset behind the string that begins at `start`.
fn flat_string_end(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    loop {
        at += plain_length(bytes.get(at..)?);
        match bytes.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_skip(text: &str, expected: Result<usize, (usize, Problem)>) {
        let mut cursor = Cursor::new(text.as_bytes()).unwrap();
        let skipped = cursor.skip_value().map(|()| cursor.offset());
        let skipped = skipped.map_err(|e| (e.offset, e.problem));
        assert_eq!(skipped, expected, "{text}");
    }

    #[test]
    fn values_are_held_to_the_grammar() {
        let value = Problem::Expected("a value");
        for (text, expected) in [
            (" null,", Ok(5)),
            ("true", Ok(4)),
            ("false ", Ok(5)),
            ("-1.5e3]", Ok(6)),
            (r#""a\"b" "#, Ok(6)),
            ("[]", Ok(2)),
            (r#"[ 1 , "x", {"a" : [ ] } ]"#, Ok(25)),
            ("{}", Ok(2)),
            ("", Err((0, value))),
            ("nul", Err((0, value))),
            ("nan", Err((0, value))),
            ("01", Err((0, value))),
            ("[1,]", Err((3, value))),
            ("[1 2]", Err((3, Problem::Expected("`,` or `]`")))),
            ("[", Err((1, value))),
            ("{\"a\" 1}", Err((5, Problem::Expected("`:`")))),
            ("{\"a\":1,}", Err((7, Problem::Expected("a key in quotes")))),
            ("{a:1}", Err((1, Problem::Expected("a key in quotes")))),
            ("{\"a\":1 \"b\"", Err((7, Problem::Expected("`,` or `}`")))),
            ("\"abc", Err((4, Problem::OpenString))),
            ("\"a\nb\"", Err((2, Problem::Control))),
            ("\"a\\x\"", Err((2, Problem::Escape))),
            ("\"\\u12g4\"", Err((1, Problem::Escape))),
            ("\"\\u123", Err((1, Problem::Escape))),
            ("\"\\ud800\"", Err((1, Problem::Surrogate))),
            ("\"\\udc00\\ud800\"", Err((1, Problem::Surrogate))),
            ("\"\\ud800\\n\"", Err((1, Problem::Surrogate))),
            ("\"\\", Err((1, Problem::Escape))),
            ("// no", Err((0, value))),
        ] {
            check_skip(text, expected);
        }
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        check_skip(&nested(SKIPPED_DEPTH), Ok(2 * SKIPPED_DEPTH));
        let too_deep = Err((SKIPPED_DEPTH, Problem::TooDeep));
        check_skip(&nested(SKIPPED_DEPTH + 1), too_deep);
        check_skip(
            &"{\"a\":".repeat(100_000),
            Err((5 * SKIPPED_DEPTH, Problem::TooDeep)),
        );
    }

    #[test]
    fn escapes_are_undone() {
        for (text, expected) in [
            (r#""plain""#, "plain"),
            (r#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{c}\n\r\t"),
            (r#""a\u0041\u00e9z""#, "aAéz"),
            (r#""\ud83d\ude00!""#, "😀!"),
            (r#""\u0000""#, "\0"),
            ("\"é\u{7f}\"", "é\u{7f}"),
        ] {
            let mut cursor = Cursor::new(text.as_bytes()).unwrap();
            let raw = cursor.string().unwrap();
            let mut buffer = String::new();
            assert_eq!(cursor.unescape(&raw, &mut buffer), expected, "{text}");
        }
    }

    /// Every byte in every place of a word, with others around it.
    #[test]
    fn strings_are_scanned_by_words_as_by_bytes() {
        for byte in 0..=u8::MAX {
            for place in 0..20 {
                for around in [b'a', 0xff, 0x80] {
                    let mut bytes = [around; 20];
                    bytes[place] = byte;
                    let is_special = matches!(byte, b'"' | b'\\' | 0..b' ');
                    let expected = if is_special { place } else { 20 };
                    assert_eq!(plain_length(&bytes), expected, "{byte} at {place}");
                }
            }
        }
    }

    #[test]
    fn the_end_of_an_object_is_found_by_words_as_by_bytes() {
        let around = "{\"key\" : \"value\", \"b\":\"\"} ,}\"";
        // Where there is none, as with control characters, what is found is no matter: it
        // is held to the grammar.
        let check = |bytes: &[u8]| {
            if let Some(end) = any_object_end(bytes, 0) {
                assert_eq!(flat_object_end(bytes, 0), Some(end), "{bytes:?}");
            }
        };
        for place in 1..around.len() {
            for byte in 0..=u8::MAX {
                let mut bytes = around.as_bytes().to_vec();
                bytes[place] = byte;
                check(&bytes);
                bytes.insert(place, byte);
                check(&bytes);
                bytes.truncate(place);
                check(&bytes);
            }
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_told_where() {
        let error = Cursor::new(b"{\"a\":\"\xff\"}").unwrap_err();
        assert_eq!(
            error.to_string(),
            "no valid JSON at byte 6: the bytes are not UTF-8"
        );
    }
}
