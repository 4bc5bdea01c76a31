//! What is wrong with a text and where: each fault with its place and an excerpt,
//! for people in a terminal and for programs as JSON.
//!
//! It decides nothing: whoever reads a text or a tree finds the faults, all of which
//! are listed in `fault`.

use std::fmt;
use std::ops::Range;
use std::str::Utf8Error;

use super::fault::Fault;
use super::printer::is_shown;
use super::token::{Source, Span};
use serde_json::json;
use unicode_width::UnicodeWidthChar;

/// Most problems kept of one text; more are counted. Nobody reads further, and
/// a hostile text could bring one with every byte.
pub const PROBLEMS: usize = 64;

/// Characters of a line shown before a fault, and in all: a terminal's width.
const EXCERPT_BEFORE: usize = 40;
const EXCERPT: usize = 76;

/// A tab in an excerpt, where one of many columns would move the marks below it.
const TAB: char = '→';

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
    /// a tab stands as `→`, and characters that would not show, or mislead, as U+FFFD.
    pub excerpt: String,
    /// The characters of the excerpt that are wrong.
    pub marked: Range<usize>,
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
        let (before, marks) = self.underline();
        format!(
            "error: {fault}\n{margin}--> {name}:{line}:{column}\n{margin} |\n\
             {line} | {excerpt}\n{margin} | {before}{marks}\n{margin} = hint: {hint}",
            fault = self.fault,
            excerpt = self.excerpt,
            hint = self.fault.hint(),
        )
    }

    /// What stands below the excerpt: blanks up to the fault, and a mark for each column
    /// that it takes in a terminal.
    fn underline(&self) -> (String, String) {
        let Range { start, end } = self.marked;
        let width = |characters: Range<usize>| -> usize {
            let shown = self.excerpt.chars().skip(characters.start);
            let shown = shown.take(characters.len());
            shown.filter_map(UnicodeWidthChar::width).sum()
        };
        let marks = width(start..end).max(1);
        (" ".repeat(width(0..start)), "^".repeat(marks))
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
    pub fn add(&mut self, fault: Fault, span: Span) {
        if self.found.len() < PROBLEMS {
            self.found.push((fault, span));
        } else {
            self.beyond += 1;
        }
    }

    /// Keeps those of a part as well.
    pub fn append(&mut self, part: Self) {
        self.beyond += part.beyond;
        for (fault, span) in part.found {
            self.add(fault, span);
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Whether further ones are only counted, so that nothing need be said of them.
    pub(crate) fn is_full(&self) -> bool {
        self.found.len() == PROBLEMS
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
    match character {
        '\t' => TAB,
        _ if is_shown(character) => character,
        _ => char::REPLACEMENT_CHARACTER,
    }
}
