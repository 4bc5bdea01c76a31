//! From the bytes of one token to its value: strings without their escapes,
//! numbers, and the choice between number and timestamp.

use std::borrow::Cow;

use super::fault::Fault;
use super::problem::Problems;
use super::time;
use super::token::Span;
use super::tree::{Float, Integer, Scalar};

/// Reads what begins as a number does.
pub(super) fn number(text: &str) -> Result<Scalar<'static>, Fault> {
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let digits = unsigned.trim_start_matches('+');
    let digits = digits.len()
        - digits
            .trim_start_matches(|c: char| c.is_ascii_digit())
            .len();
    if digits == unsigned.len() {
        if digits > 1 && unsigned.starts_with('0') {
            return Err(Fault::NotANumber);
        }
        let magnitude = unsigned.parse().map_err(|_| Fault::NumberRange)?;
        let integer = Integer::new(negative, magnitude).ok_or(Fault::NumberRange)?;
        return Ok(Scalar::Integer(integer));
    }
    if is_time(unsigned) {
        let time = time::read(text).ok_or(Fault::NotATimestamp)?;
        return Ok(Scalar::Timestamp(time));
    }
    if !is_float(unsigned) {
        return Err(Fault::NotANumber);
    }
    let float = text.parse().map_err(|_| Fault::NotANumber)?;
    Float::new(float)
        .map(Scalar::Float)
        .ok_or(Fault::NumberRange)
}

/// Whether a timestamp is meant: a dash after the first digits, or a colon.
fn is_time(text: &str) -> bool {
    let unsigned = text.trim_start_matches('+');
    let rest = unsigned.trim_start_matches(|c: char| c.is_ascii_digit());
    rest.starts_with('-') || rest.contains(':')
}

/// Digits, then decimals or an exponent or both; no needless zeros before them.
fn is_float(text: &str) -> bool {
    let (number, exponent) = match text.split_once(['e', 'E']) {
        Some((number, exponent)) => (number, Some(exponent)),
        None => (text, None),
    };
    let (whole, decimals) = match number.split_once('.') {
        Some((whole, decimals)) => (whole, Some(decimals)),
        None => (number, None),
    };
    let exponent = exponent.map(|text| text.strip_prefix(['+', '-']).unwrap_or(text));
    is_digits(whole)
        && (whole.len() == 1 || !whole.starts_with('0'))
        && decimals.is_none_or(is_digits)
        && exponent.is_none_or(is_digits)
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Undoes the escapes of what stands between two quotes, `start` bytes into the
/// text. What is wrong is reported and left out.
pub(super) fn unescape<'a>(text: &'a str, start: usize, problems: &mut Problems) -> Cow<'a, str> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c == '\\' || c.is_ascii_control()) {
        out.push_str(&rest[..at]);
        let special = &rest[at..];
        let (character, length) = match special.as_bytes()[0] {
            b'\\' => escape(special),
            control => (Err(Fault::ControlCharacter(control as char)), 1),
        };
        match character {
            Ok(character) => out.push(character),
            Err(fault) => {
                let offset = start + text.len() - special.len();
                problems.add(fault, Span::new(offset, offset + length));
            }
        }
        rest = &special[length..];
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// The character that an escape stands for, and the escape's length.
fn escape(text: &str) -> (Result<char, Fault>, usize) {
    let mut characters = text.chars();
    characters.next();
    let Some(kind) = characters.next() else {
        return (Err(Fault::UnknownEscape), 1);
    };
    let character = match kind {
        '"' | '\\' => kind,
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        '0' => '\0',
        'u' => return unicode_escape(text),
        _ => return (Err(Fault::UnknownEscape), 1 + kind.len_utf8()),
    };
    (Ok(character), 2)
}

/// `\u{…}` with one to six digits.
fn unicode_escape(text: &str) -> (Result<char, Fault>, usize) {
    let Some(digits) = text.strip_prefix(r"\u{") else {
        return (Err(Fault::UnknownEscape), 2);
    };
    let length = digits.bytes().take_while(u8::is_ascii_hexdigit).count();
    if digits.as_bytes().get(length) != Some(&b'}') {
        return (Err(Fault::NoCharacter), 3 + length);
    }
    let short = (1..=6).contains(&length);
    let number = short.then(|| u32::from_str_radix(&digits[..length], 16).ok());
    let character = number.flatten().and_then(char::from_u32);
    (character.ok_or(Fault::NoCharacter), 3 + length + 1)
}

/// Whether a key can stand without quotes.
pub(super) fn is_bare_key(text: &str) -> bool {
    let starts = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    starts && text.bytes().all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_number(text: &str, expected: &Result<Scalar<'static>, Fault>) {
        assert_eq!(&number(text), expected, "{text}");
    }

    #[test]
    fn numbers() {
        let float = |number| Ok(Scalar::Float(Float::new(number).unwrap()));
        for text in [0, 1, 42, u64::MAX] {
            check_number(&text.to_string(), &Ok(Scalar::Integer(text.into())));
        }
        for text in [-1, -42, i64::MIN] {
            check_number(&text.to_string(), &Ok(Scalar::Integer(text.into())));
        }
        check_number("-0", &Ok(Scalar::Integer(0_u64.into())));
        check_number("2.5", &float(2.5));
        check_number("-0.5", &float(-0.5));
        check_number("1e3", &float(1000.0));
        check_number("1.5E-3", &float(0.0015));
        check_number("1e-400", &float(0.0));
    }

    #[test]
    fn wrong_numbers() {
        use Fault::{NotANumber, NotATimestamp, NumberRange};
        for (text, fault) in [
            ("18446744073709551616", NumberRange),
            ("-9223372036854775809", NumberRange),
            ("1e400", NumberRange),
            ("007", NotANumber),
            ("-01", NotANumber),
            ("00.5", NotANumber),
            ("+5", NotANumber),
            ("1.", NotANumber),
            ("1.e5", NotANumber),
            ("1e", NotANumber),
            ("1_000", NotANumber),
            ("0x1F", NotANumber),
            ("3rd", NotANumber),
            ("2026-11-20", NotATimestamp),
            ("12:30", NotATimestamp),
            ("+12-1", NotATimestamp),
        ] {
            check_number(text, &Err(fault));
        }
    }

    fn check_text(text: &str, expected: &str, fault: Option<(Fault, &str)>) {
        let mut problems = Problems::default();
        assert_eq!(unescape(text, 0, &mut problems), expected, "{text}");
        let source = super::super::Source::new(text.as_bytes()).unwrap();
        let (found, beyond) = problems.locate(source);
        let found: Vec<_> = found
            .iter()
            .map(|problem| (problem.fault.clone(), source.at(problem.span)))
            .collect();
        assert_eq!(found, fault.into_iter().collect::<Vec<_>>(), "{text}");
        assert_eq!(beyond, 0);
    }

    #[test]
    fn escapes() {
        check_text(r#"a\"b\\c\n\r\t\0"#, "a\"b\\c\n\r\t\0", None);
        check_text(r"\u{e9}\u{1f600}é", "é😀é", None);
    }

    #[test]
    fn wrong_escapes() {
        use Fault::{ControlCharacter, NoCharacter, UnknownEscape};
        for (text, expected, fault, at) in [
            (r"a\xb", "ab", UnknownEscape, r"\x"),
            (r"a\éb", "ab", UnknownEscape, r"\é"),
            (r"C:\", "C:", UnknownEscape, r"\"),
            (r"\u12", "12", UnknownEscape, r"\u"),
            (r"\u{}", "", NoCharacter, r"\u{}"),
            (r"\u{d800}x", "x", NoCharacter, r"\u{d800}"),
            (r"\u{1234567}", "", NoCharacter, r"\u{1234567}"),
            (r"\u{12x", "x", NoCharacter, r"\u{12"),
            ("a\tb", "ab", ControlCharacter('\t'), "\t"),
            ("a\u{7f}b", "ab", ControlCharacter('\u{7f}'), "\u{7f}"),
        ] {
            check_text(text, expected, Some((fault, at)));
        }
    }
}
