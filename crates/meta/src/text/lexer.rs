//! From a text to tokens: one pass over the bytes that copies none of them.
//!
//! 1. At the start of a line the next line with content is looked up. Blank
//!    lines are skipped; comments between here and there decide nothing.
//! 2. A deeper line opens a block (`Indent`), a shallower one closes the blocks
//!    that are deeper than it (`Dedent`). A comment stays in the deepest block
//!    that is not deeper than itself and still open, so that comments at the end
//!    of a block are told from those before the next entry.
//! 3. What follows a dash on its line opens a block at its own column.
//! 4. Within a line, tokens are runs of bytes of one class.
//!
//! It says nothing about which token may follow which; that is `parser`.

use super::fault::Fault;
use super::problem::Problems;
use super::token::{Quoting, Source, Span, Token, TokenKind};

/// What a tab counts in an indentation, after it was reported.
const TAB_COLUMNS: usize = 2;

/// Some editors put it before the first line; it says nothing.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// Gives the tokens of a text, [`TokenKind::End`] for ever after the last.
#[derive(Debug)]
pub struct Lexer<'a> {
    source: &'a [u8],
    /// Where the next token is looked for.
    position: usize,
    /// Columns of the open blocks, from 0; strictly increasing, never empty.
    levels: Vec<usize>,
    state: State,
}

/// Where in a line the lexer is.
#[derive(Debug, Clone, Copy)]
enum State {
    /// Before the first byte of a line.
    LineStart,
    /// Before a line that is blank or a comment, or at the content behind those.
    /// The line is kept, because many blocks can close before it.
    Between(Content, Line),
    /// Where a block can begin, in this column: a dash here is one of a list.
    BlockStart(usize),
    /// Behind a dash that stood in this column.
    AfterDash(usize),
    /// After the first token of a line.
    Line,
}

/// A line by its indentation.
#[derive(Debug, Clone, Copy)]
struct Line {
    /// Offset of its first byte that is no indentation.
    start: usize,
    /// How wide the indentation is.
    column: usize,
}

/// The next line that is neither blank nor a comment alone.
#[derive(Debug, Clone, Copy)]
struct Content {
    /// Offset of its first byte that is no indentation; the text's length at the end.
    start: usize,
    /// Its indentation; 0 at the end.
    column: usize,
    /// Whether it was looked at and its block was opened.
    opened: bool,
}

impl<'a> Lexer<'a> {
    /// At the start of a text, behind its byte order mark.
    pub fn new(source: Source<'a>) -> Self {
        let text = source.text();
        Self {
            source: text.as_bytes(),
            position: text.len() - text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text).len(),
            levels: vec![0],
            state: State::LineStart,
        }
    }

    /// The next token; what is wrong with the layout goes to `problems`.
    pub fn next_token(&mut self, problems: &mut Problems) -> Token {
        loop {
            let token = match self.state {
                State::LineStart => {
                    let line = self.indentation(self.position);
                    self.state = State::Between(self.find_content(line), line);
                    None
                }
                State::Between(content, line) => self.between(content, line, problems),
                State::BlockStart(column) => self.block_start(column),
                State::AfterDash(column) => self.after_dash(column),
                State::Line => Some(self.within_line(problems)),
            };
            if let Some(token) = token {
                return token;
            }
        }
    }

    /// The first line with content from `line` on; those before it are not taken.
    fn find_content(&self, mut line: Line) -> Content {
        let content = |start, column| Content {
            start,
            column,
            opened: false,
        };
        loop {
            let Line { start, column } = line;
            let next = match self.source.get(start) {
                None => return content(start, 0),
                Some(b'#') => self.after_line(start),
                Some(_) => match self.line_break(start) {
                    Some(bytes) => start + bytes,
                    None => return content(start, column),
                },
            };
            line = self.indentation(next);
        }
    }

    /// One step towards `content`: opens its block, gives a comment, closes a block.
    fn between(
        &mut self,
        mut content: Content,
        line: Line,
        problems: &mut Problems,
    ) -> Option<Token> {
        if !content.opened {
            content.opened = true;
            self.state = State::Between(content, line);
            if content.column > self.innermost() {
                self.levels.push(content.column);
                return Some(layout(TokenKind::Indent, content.start));
            }
        }
        if line.start == content.start {
            return self.reach(content, problems);
        }
        let is_comment = self.source[line.start] == b'#';
        if is_comment && self.closes(content.column) && line.column < self.innermost() {
            self.levels.pop();
            return Some(layout(TokenKind::Dedent, line.start));
        }
        let comment =
            is_comment.then(|| self.comment(line.start, TokenKind::CommentLine, problems));
        self.position = self.after_line(line.start);
        self.state = State::Between(content, self.indentation(self.position));
        comment
    }

    /// Closes the blocks that are deeper than `content`, then goes there.
    fn reach(&mut self, content: Content, problems: &mut Problems) -> Option<Token> {
        let Content { start, column, .. } = content;
        if self.closes(column) {
            self.levels.pop();
            return Some(layout(TokenKind::Dedent, start));
        }
        if start == self.source.len() {
            self.position = start;
            return Some(layout(TokenKind::End, start));
        }
        let indentation = &self.source[self.position..start];
        if let Some(tab) = indentation.iter().position(|&byte| byte == b'\t') {
            problems.add(Fault::Tab, Span::new(self.position + tab, start));
        }
        if column < self.innermost() {
            // Between two open blocks: taken for the inner one, moved there, so
            // that one slip of the space bar is one problem.
            problems.add(Fault::Misaligned, Span::new(self.position, start));
            self.levels.pop();
            self.levels.push(column);
        }
        self.position = start;
        self.state = State::BlockStart(column);
        None
    }

    /// Whether the innermost block ends before a line in this column.
    fn closes(&self, column: usize) -> bool {
        match self.levels.as_slice() {
            [.., outer, _] => *outer >= column,
            _ => false,
        }
    }

    fn innermost(&self) -> usize {
        self.levels.last().copied().unwrap_or_default()
    }

    fn block_start(&mut self, column: usize) -> Option<Token> {
        let start = self.position;
        self.state = State::Line;
        if column == 0 && self.source[start..].starts_with(b"---") && self.is_gap(start + 3) {
            return Some(self.take(TokenKind::DocumentBreak, start + 3));
        }
        if self.source[start] == b'-' && self.is_gap(start + 1) {
            self.state = State::AfterDash(column);
            return Some(self.take(TokenKind::Dash, start + 1));
        }
        None
    }

    fn after_dash(&mut self, dash: usize) -> Option<Token> {
        let start = self.skip_blanks(self.position);
        let column = dash + 1 + (start - self.position);
        self.position = start;
        self.state = State::Line;
        let empty = matches!(self.source.get(start), None | Some(b'#'));
        if empty || self.line_break(start).is_some() {
            return None;
        }
        self.levels.push(column);
        self.state = State::BlockStart(column);
        Some(layout(TokenKind::Indent, start))
    }

    fn within_line(&mut self, problems: &mut Problems) -> Token {
        let start = self.skip_blanks(self.position);
        self.position = start;
        let Some(&first) = self.source.get(start) else {
            self.state = State::LineStart;
            return layout(TokenKind::Newline, start);
        };
        if let Some(bytes) = self.line_break(start) {
            self.state = State::LineStart;
            return self.take(TokenKind::Newline, start + bytes);
        }
        let second = self.source.get(start + 1).copied();
        match (first, second) {
            (b'#', _) => self.comment(start, TokenKind::Comment, problems),
            (b'"', _) => self.quoted(),
            (b':', _) => self.take(TokenKind::Colon, start + 1),
            (b'[', Some(b']')) => self.take(TokenKind::EmptyList, start + 2),
            (b'{', Some(b'}')) => self.take(TokenKind::EmptyMapping, start + 2),
            (b'[' | b'{', _) => self.take(TokenKind::Bracket, start + 1),
            (b'0'..=b'9', _) | (b'-' | b'+', Some(b'0'..=b'9')) => self.number(),
            _ => self.bare(start + 1),
        }
    }

    /// From a quote to its partner, or to the end of the line.
    fn quoted(&mut self) -> Token {
        let start = self.position;
        let mut quoting = Quoting::Plain;
        let mut at = start + 1;
        loop {
            at += long_run(&self.source[at..], is_plain_in_quotes);
            match self.source.get(at) {
                Some(b'"') => return self.key_or(TokenKind::Text(quoting), quoting, at + 1),
                Some(b'\\') => {
                    quoting = Quoting::Escaped;
                    // A second byte beyond ASCII is only the start of a character;
                    // the rest of it is plain.
                    let ends = self.line_break(at + 1).is_some() || at + 1 == self.source.len();
                    at += if ends { 1 } else { 2 };
                }
                Some(_) if self.line_break(at).is_none() => {
                    quoting = Quoting::Escaped;
                    at += 1;
                }
                _ => return self.take(TokenKind::Text(Quoting::Unclosed), at),
            }
        }
    }

    /// Digits, and what may stand in a number or a timestamp.
    fn number(&mut self) -> Token {
        let mut at = self.position + 1;
        loop {
            at += run(&self.source[at..], is_number);
            match (self.source.get(at), self.source.get(at + 1)) {
                (Some(b':'), Some(b'0'..=b'9')) => at += 1,
                (Some(&byte), _) if is_bare(byte) => return self.bare(at),
                _ => return self.key_or(TokenKind::Number, Quoting::Bare, at),
            }
        }
    }

    /// What is none of the others, from the position on, at least up to `at`.
    fn bare(&mut self, at: usize) -> Token {
        let end = at + run(&self.source[at..], is_bare);
        self.key_or(TokenKind::Text(Quoting::Bare), Quoting::Bare, end)
    }

    /// Up to `end`: a key when a colon follows.
    fn key_or(&mut self, kind: TokenKind, quoting: Quoting, end: usize) -> Token {
        let colon = self.skip_blanks(end);
        if self.source.get(colon) != Some(&b':') {
            return self.take(kind, end);
        }
        let token = self.take(TokenKind::Key(quoting), end);
        self.position = colon + 1;
        token
    }

    /// A comment without the blanks behind it.
    fn comment(&mut self, start: usize, kind: TokenKind, problems: &mut Problems) -> Token {
        let length = run(&self.source[start..], |byte| byte != b'\n');
        let text = self.source[start..start + length].trim_ascii_end();
        let end = start + text.len();
        if let Some(at) = text.iter().position(|&byte| is_control(byte)) {
            let found = Fault::ControlCharacter(text[at] as char);
            problems.add(found, Span::new(start + at, start + at + 1));
        }
        self.position = start;
        let token = self.take(kind, end);
        self.position = start + length;
        token
    }

    /// The token from the position to `end`, which becomes the position.
    fn take(&mut self, kind: TokenKind, end: usize) -> Token {
        let span = Span::new(self.position, end);
        self.position = end;
        Token { kind, span }
    }

    /// The line that begins at `at`.
    fn indentation(&self, at: usize) -> Line {
        let spaces = run(&self.source[at..], |byte| byte == b' ');
        let mut at = at + spaces;
        let mut column = spaces;
        while let Some(byte @ (b' ' | b'\t')) = self.source.get(at) {
            column += if *byte == b' ' { 1 } else { TAB_COLUMNS };
            at += 1;
        }
        Line { start: at, column }
    }

    fn skip_blanks(&self, at: usize) -> usize {
        at + run(&self.source[at..], |byte| byte == b' ' || byte == b'\t')
    }

    /// Bytes of the line break at `at`, if there is one.
    fn line_break(&self, at: usize) -> Option<usize> {
        match (self.source.get(at), self.source.get(at + 1)) {
            (Some(b'\n'), _) => Some(1),
            (Some(b'\r'), Some(b'\n')) => Some(2),
            _ => None,
        }
    }

    /// Whether a blank, a line break or the end is at `at`.
    fn is_gap(&self, at: usize) -> bool {
        matches!(self.source.get(at), None | Some(b' ' | b'\t')) || self.line_break(at).is_some()
    }

    /// The start of the line behind the one of `at`.
    fn after_line(&self, at: usize) -> usize {
        let rest = &self.source[at..];
        (at + run(rest, |byte| byte != b'\n') + 1).min(self.source.len())
    }
}

/// A token without bytes.
const fn layout(kind: TokenKind, at: usize) -> Token {
    Token {
        kind,
        span: Span::new(at, at),
    }
}

/// How many bytes from the start on are of a class.
fn run(bytes: &[u8], class: impl Fn(u8) -> bool) -> usize {
    bytes
        .iter()
        .position(|&byte| !class(byte))
        .unwrap_or(bytes.len())
}

/// The same for runs that are long, such as hashes and paths: several bytes at a time,
/// which the compiler looks at together as long as `class` does not branch.
fn long_run(bytes: &[u8], class: impl Fn(u8) -> bool) -> usize {
    let (pieces, _) = bytes.as_chunks::<AT_ONCE>();
    let is_whole = |piece: &&[u8; AT_ONCE]| piece.iter().fold(true, |all, &byte| all & class(byte));
    let whole = pieces.iter().take_while(is_whole).count() * AT_ONCE;
    whole + run(&bytes[whole..], class)
}

/// As many as every processor that this runs on takes at once.
const AT_ONCE: usize = 16;

/// Bytes that stand in quotes for themselves.
const fn is_plain_in_quotes(byte: u8) -> bool {
    (byte != b'"') & (byte != b'\\') & (byte >= b' ') & (byte != 0x7f)
}

/// Bytes of numbers and, but for the colon, of timestamps.
const fn is_number(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'+' | b'-' | b'_')
}

/// Bytes that go on a bare text.
const fn is_bare(byte: u8) -> bool {
    byte > b' ' && byte != b':' && byte != b'"'
}

/// Bytes that a comment may not hold.
const fn is_control(byte: u8) -> bool {
    (byte < b' ' && byte != b'\t') || byte == 0x7f
}
