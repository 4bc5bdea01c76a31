//! The words between lexer and parser: tokens, and where they lie in the text.
//!
//! Tokens own nothing; what they say is read from the source by their span.
//! How they are found is in `lexer`.

use super::fault::Fault;
use super::problem::Problem;

/// A text that can be read: UTF-8, with every offset in 32 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source<'a>(&'a str);

/// Longest text in bytes: spans hold 32-bit offsets, which keeps tokens and
/// trees small. A manifest of a million files has a tenth of that.
pub const SOURCE_BYTES: usize = u32::MAX as usize;

impl<'a> Source<'a> {
    /// Looks at bytes as a text.
    ///
    /// # Errors
    /// The first place that is not UTF-8, or more than [`SOURCE_BYTES`].
    pub fn new(bytes: &'a [u8]) -> Result<Self, Box<Problem>> {
        if bytes.len() > SOURCE_BYTES {
            return Err(Box::new(Problem::at_start(Fault::TooLarge(bytes.len()))));
        }
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Self(text)),
            Err(error) => Err(Box::new(Problem::not_utf8(bytes, error))),
        }
    }

    /// The text.
    pub const fn text(self) -> &'a str {
        self.0
    }

    /// What lies at a span of this text.
    pub(super) fn at(self, span: Span) -> &'a str {
        &self.0[span.start as usize..span.end as usize]
    }
}

/// Bytes of a text, from `start` up to, but without, `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// Offset of the first byte.
    pub start: u32,
    /// Offset behind the last byte, at least `start`.
    pub end: u32,
}

impl Span {
    /// Offsets of a [`Source`], which fit 32 bits by its limit.
    pub(super) const fn new(start: usize, end: usize) -> Self {
        Self {
            start: start as u32,
            end: end as u32,
        }
    }

    /// From the start of this to the end of `other`.
    pub(super) const fn to(self, other: Self) -> Self {
        Self {
            start: self.start,
            end: other.end,
        }
    }
}

/// One token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: TokenKind,
    /// Where it lies; empty for what has no bytes, such as a dedent.
    pub span: Span,
}

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// The lines from here on lie deeper; also what follows a dash on its line.
    Indent,
    /// The innermost indentation has ended.
    Dedent,
    /// The end of a line that has something on it.
    Newline,
    /// The dash before an item of a list.
    Dash,
    /// What stands before a colon. The span has the quotes, not the colon.
    Key(Quoting),
    /// Any other text, bare or with its quotes.
    Text(Quoting),
    /// What begins as a number or a timestamp does.
    Number,
    /// `[]`
    EmptyList,
    /// `{}`
    EmptyMapping,
    /// A `[` or `{` that its partner does not follow.
    Bracket,
    /// A colon that nothing stands before.
    Colon,
    /// A comment behind something else on its line.
    Comment,
    /// A comment that has its line to itself; no newline token follows.
    CommentLine,
    /// `---` on a line of its own.
    DocumentBreak,
    /// Nothing follows.
    End,
}

/// How a text stands in the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quoting {
    /// Without quotes.
    Bare,
    /// In quotes that hold the text as it is.
    Plain,
    /// In quotes, with escapes to undo or characters that are not allowed.
    Escaped,
    /// From a quote to the end of the line.
    Unclosed,
}
