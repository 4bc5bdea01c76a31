//! What is wrong with a text: each fault with its place, an excerpt and a hint,
//! for people in a terminal and for programs as JSON.
//!
//! It decides nothing: `lexer`, `scalar` and `parser` find the faults.

use std::fmt;
use std::ops::Range;
use std::str::Utf8Error;

use super::printer::is_shown;
use super::token::{SOURCE_BYTES, Source, Span};
use serde_json::json;

/// Most problems kept of one text; more are counted. Nobody reads further, and
/// a hostile text could bring one with every byte.
pub const PROBLEMS: usize = 64;

/// Characters of a line shown before a fault, and in all: a terminal's width.
const EXCERPT_BEFORE: usize = 40;
const EXCERPT: usize = 76;

/// A fault at its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong.
    pub fault: Fault,
    /// The bytes that are wrong.
    pub span: Span,
    /// The line of its start, counted from 1.
    pub line: usize,
    /// The character of its start in that line, counted from 1.
    pub column: usize,
    /// The line, or the part of it around the fault, without its line break;
    /// characters that would not show, or mislead, stand as U+FFFD.
    pub excerpt: String,
    /// The characters of the excerpt that are wrong.
    pub marked: Range<usize>,
}

/// What can be wrong with a text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Bytes that are no UTF-8.
    #[error("the text is not UTF-8")]
    NotUtf8,
    /// More bytes than [`SOURCE_BYTES`].
    #[error("the text has {0} bytes, and {SOURCE_BYTES} can be read")]
    TooLarge(usize),
    /// A tab in an indentation.
    #[error("a tab cannot indent")]
    Tab,
    /// An indentation between those of two open blocks.
    #[error("this indentation is that of no line above")]
    Misaligned,
    /// A deeper line where no block can begin.
    #[error("nothing above opens a block for this line")]
    UnexpectedIndentation,
    /// More nesting than [`DEPTH`](super::DEPTH).
    #[error("nesting is {limit} deep at most", limit = super::DEPTH)]
    TooDeep,
    /// A control character that stands for itself.
    #[error("U+{:04X} is a control character", u32::from(*.0))]
    ControlCharacter(char),
    /// A string that its line ends.
    #[error("the closing quote is missing")]
    UnclosedString,
    /// A backslash before something that it does not escape.
    #[error("there is no such escape")]
    UnknownEscape,
    /// A number in `\u{…}` that no character has.
    #[error("no character has this number")]
    NoCharacter,
    /// An entry that does not begin with a key.
    #[error("a key is expected here")]
    ExpectedKey,
    /// A key that no colon follows.
    #[error("a colon is expected after this key")]
    ExpectedColon,
    /// A bare key of other characters than a bare key may have.
    #[error("this key needs quotes")]
    UnquotedKey,
    /// A key that its mapping has already.
    #[error("the key {0:?} is given twice")]
    DuplicateKey(String),
    /// A key or a dash that nothing follows.
    #[error("a value is missing here")]
    MissingValue,
    /// Text that is no keyword and has no quotes.
    #[error("text needs quotes")]
    UnquotedText,
    /// A number that is not written as numbers are.
    #[error("this is no number")]
    NotANumber,
    /// A number that no value can hold.
    #[error("this number is out of range")]
    NumberRange,
    /// A timestamp that is not written as timestamps are, or that never was.
    #[error("this is no timestamp")]
    NotATimestamp,
    /// A second key on a line.
    #[error("a mapping cannot begin behind a key")]
    InlineMapping,
    /// An item on the line of its list's key.
    #[error("a list cannot begin behind a key")]
    InlineList,
    /// `[…]` or `{…}` with something in it.
    #[error("lists and mappings are written in lines, not in brackets")]
    InlineCollection,
    /// Something behind a value.
    #[error("this does not belong to the value before it")]
    TrailingText,
    /// A line in the block of a value that is complete.
    #[error("this does not belong to the value above")]
    BesideScalar,
    /// A list as far left as its key.
    #[error("a list lies deeper than its key")]
    ListNotIndented,
    /// A dash where keys are.
    #[error("an item of a list stands among keys")]
    DashAmongKeys,
    /// A key where dashes are.
    #[error("a line without a dash stands in a list")]
    KeyAmongItems,
    /// A document that begins with a dash.
    #[error("a document is a mapping, not a list")]
    RootNotMapping,
}

impl Fault {
    /// A name that does not change, for programs.
    pub const fn code(&self) -> &'static str {
        self.explained().0
    }

    /// What to do about it.
    pub const fn hint(&self) -> &'static str {
        self.explained().1
    }

    const fn explained(&self) -> (&'static str, &'static str) {
        match self {
            Self::NotUtf8 => ("not-utf8", "save the file as UTF-8"),
            Self::TooLarge(_) => ("too-large", "write it as several files"),
            Self::Tab => ("tab", "indent with two spaces for each level"),
            Self::Misaligned => (
                "misaligned",
                "indent it exactly as the other lines of its block",
            ),
            Self::UnexpectedIndentation => (
                "unexpected-indentation",
                "indent it as the line above, or end that line with a key and a colon",
            ),
            Self::TooDeep => ("too-deep", "move the inner part to a document of its own"),
            Self::ControlCharacter(_) => (
                "control-character",
                r"remove it, or write it as an escape such as \t, \n or \u{7f} in a quoted text",
            ),
            Self::UnclosedString => (
                "unclosed-string",
                r#"end the text with " on the same line; a line break in it is written \n"#,
            ),
            Self::UnknownEscape => (
                "unknown-escape",
                r#"the escapes are \" \\ \n \r \t \0 and \u{1f600}; a backslash itself is \\"#,
            ),
            Self::NoCharacter => (
                "no-character",
                r"\u{…} takes one to six hexadecimal digits, up to 10ffff without d800 to dfff",
            ),
            Self::ExpectedKey => ("expected-key", "begin the line with a key and a colon"),
            Self::ExpectedColon => ("expected-colon", "write it as `key: value`"),
            Self::UnquotedKey => (
                "unquoted-key",
                "without quotes a key has ASCII letters, digits, `_`, `.` and `-` and begins with a letter or `_`",
            ),
            Self::DuplicateKey(_) => ("duplicate-key", "remove or rename one; the first counts"),
            Self::MissingValue => (
                "missing-value",
                r#"write a value behind it, or its lines deeper below; empty values are "", [] and {}"#,
            ),
            Self::UnquotedText => (
                "unquoted-text",
                r#"put it between two "; only true, false, numbers and timestamps go without"#,
            ),
            Self::NotANumber => (
                "not-a-number",
                "numbers look like 42, -7, 2.5 or 1e-9; put text between quotes",
            ),
            Self::NumberRange => (
                "number-range",
                "integers go from -9223372036854775808 to 18446744073709551615, others to about 1.8e308",
            ),
            Self::NotATimestamp => (
                "not-a-timestamp",
                "timestamps look like 2026-11-20T15:30:00Z, with up to nine decimals and Z or an offset such as +01:00",
            ),
            Self::InlineMapping => (
                "inline-mapping",
                "put the inner key on the next line, deeper; if it is text, put it between quotes",
            ),
            Self::InlineList => (
                "inline-list",
                "put the dash on the next line, deeper; if it is text, put it between quotes",
            ),
            Self::InlineCollection => (
                "inline-collection",
                "write each item on a line of its own, as `- item` or `key: value`",
            ),
            Self::TrailingText => (
                "trailing-text",
                "remove it, put all of the text between quotes, or make it a comment with #",
            ),
            Self::BesideScalar => (
                "beside-scalar",
                "remove it, or give every line of the block a key or a dash",
            ),
            Self::ListNotIndented => ("list-not-indented", "indent the dashes by two spaces"),
            Self::DashAmongKeys => ("dash-among-keys", "write a key, or indent the list deeper"),
            Self::KeyAmongItems => (
                "key-among-items",
                "begin the line with a dash, or indent it as the keys of the item above",
            ),
            Self::RootNotMapping => (
                "root-not-mapping",
                "write a key such as `items:` above the list and indent the list",
            ),
        }
    }
}

impl Problem {
    /// A fault of a text as a whole.
    pub(super) const fn at_start(fault: Fault) -> Self {
        Self {
            fault,
            span: Span { start: 0, end: 0 },
            line: 1,
            column: 1,
            excerpt: String::new(),
            marked: 0..0,
        }
    }

    /// The first byte that is not UTF-8, shown as U+FFFD behind what is.
    pub(super) fn not_utf8(bytes: &[u8], error: Utf8Error) -> Self {
        let start = error.valid_up_to();
        let end = start + error.error_len().unwrap_or(bytes.len() - start);
        let (valid, _) = bytes.split_at(start);
        let valid = String::from_utf8_lossy(valid);
        let mut problem = Place::default().find(&valid, Fault::NotUtf8, Span::new(start, start));
        problem.span = Span::new(start, end);
        problem.excerpt.push(char::REPLACEMENT_CHARACTER);
        problem
    }

    /// Lines for a terminal; `name` is the file's. The last has no line break.
    pub fn render(&self, name: &str) -> String {
        let Self { line, column, .. } = self;
        let margin = " ".repeat(line.to_string().len());
        let before = " ".repeat(self.marked.start);
        let marks = "^".repeat(self.marked.len().max(1));
        format!(
            "error: {fault}\n{margin}--> {name}:{line}:{column}\n{margin} |\n\
             {line} | {excerpt}\n{margin} | {before}{marks}\n{margin} = hint: {hint}",
            fault = self.fault,
            excerpt = self.excerpt,
            hint = self.fault.hint(),
        )
    }

    /// An object with `code`, `message`, `hint`, `line`, `column`, `start` and
    /// `end` (byte offsets), `excerpt`, and `marked` (from, to in its characters).
    pub fn to_json(&self) -> serde_json::Value {
        json!({
            "code": self.fault.code(),
            "message": self.fault.to_string(),
            "hint": self.fault.hint(),
            "line": self.line,
            "column": self.column,
            "start": self.span.start,
            "end": self.span.end,
            "excerpt": self.excerpt,
            "marked": [self.marked.start, self.marked.end],
        })
    }
}

/// One line, without excerpt: `3:9: the closing quote is missing`.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.fault)
    }
}

/// The faults of a text while it is read.
#[derive(Debug, Default)]
pub struct Problems {
    found: Vec<(Fault, Span)>,
    /// How many were found beyond [`PROBLEMS`].
    beyond: usize,
}

impl Problems {
    /// Keeps a fault, or counts it when there are enough.
    pub(super) fn add(&mut self, fault: Fault, span: Span) {
        if self.found.len() < PROBLEMS {
            self.found.push((fault, span));
        } else {
            self.beyond += 1;
        }
    }

    /// The problems in the order of the text, and how many more there were.
    pub fn locate(mut self, source: Source<'_>) -> (Vec<Problem>, usize) {
        self.found.sort_by_key(|(_, span)| span.start);
        let mut place = Place::default();
        let located = self
            .found
            .into_iter()
            .map(|(fault, span)| place.find(source.text(), fault, span))
            .collect();
        (located, self.beyond)
    }
}

/// A line of a text, from which later ones are counted.
#[derive(Debug, Default)]
struct Place {
    /// Lines before it.
    lines: usize,
    /// Offset of its first byte.
    start: usize,
}

impl Place {
    /// Goes on to the line of `span`, which lies at or behind this one.
    fn find(&mut self, text: &str, fault: Fault, span: Span) -> Problem {
        let (start, end) = (span.start as usize, span.end as usize);
        let between = &text[self.start..start];
        self.lines += between.bytes().filter(|&byte| byte == b'\n').count();
        self.start += between.rfind('\n').map_or(0, |at| at + 1);
        let (excerpt, marked) = excerpt(&text[self.start..start], &text[start..], end - start);
        Problem {
            fault,
            span,
            line: self.lines + 1,
            column: text[self.start..start].chars().count() + 1,
            excerpt,
            marked,
        }
    }
}

/// What to show of a line, given as what is before a fault and all from there on,
/// and the characters in it that the fault's `length` bytes are.
fn excerpt(before: &str, from: &str, length: usize) -> (String, Range<usize>) {
    let cut = before.char_indices().rev().nth(EXCERPT_BEFORE - 1);
    let shown = cut.map_or(before, |(at, _)| &before[at..]);
    let mut line = String::new();
    if shown.len() < before.len() {
        line.push('…');
    }
    line.extend(shown.chars().map(visible));
    let start = line.chars().count();
    let mut end = start;
    for (at, character) in from.char_indices() {
        if character == '\n' || from[at..].starts_with("\r\n") {
            break;
        }
        if line.chars().count() == EXCERPT {
            line.push('…');
            break;
        }
        line.push(visible(character));
        end += usize::from(at < length);
    }
    (line, start..end)
}

fn visible(character: char) -> char {
    if is_shown(character) {
        character
    } else {
        char::REPLACEMENT_CHARACTER
    }
}
