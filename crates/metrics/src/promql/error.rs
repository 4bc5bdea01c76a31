//! What is wrong with a query, and where: messages in the words of Prometheus where
//! those are short, so that what people search for is found.
//!
//! `lexer` and `parser` find what is no query, `check` finds what means nothing.

use super::ast::{Span, ValueType};
use super::duration_expr::DurationFault;
use super::operator::BinaryOperator;
use super::parser::{DEPTH, PATTERNS, QUERY_BYTES};

/// Characters of a query that a message repeats.
const SHOWN: usize = 60;

/// Why a query is refused, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{line}:{column}: parse error: {fault}")]
pub struct ParseError {
    fault: Fault,
    span: Span,
    line: u32,
    column: u32,
}

/// What can be wrong with a query.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// More bytes than [`QUERY_BYTES`].
    #[error("the query has {0} bytes, and {QUERY_BYTES} are read")]
    TooLarge(usize),
    /// More nesting than [`DEPTH`].
    #[error("the query nests deeper than {DEPTH} levels; split it, or group its operands")]
    TooDeep,
    /// More regular expressions than [`PATTERNS`].
    #[error("the query has more than {PATTERNS} regular expressions; join some with |")]
    TooManyPatterns,
    /// Nothing but blanks and comments.
    #[error("no expression found in input")]
    NoExpression,
    /// A character that begins nothing.
    #[error("unexpected character: {0:?}")]
    UnexpectedCharacter(char),
    /// A character that begins nothing between braces.
    #[error("unexpected character inside braces: {0:?}")]
    UnexpectedInBraces(char),
    /// A character that begins nothing between brackets.
    #[error("unexpected character in duration expression: {0:?}")]
    UnexpectedInBrackets(char),
    /// The first half of an operator, without the second.
    #[error("unexpected character after {0:?}: {1:?}")]
    UnexpectedAfter(char, char),
    /// Digits and letters that are neither a number nor a duration.
    #[error("bad number or duration syntax: {0:?}")]
    BadNumber(String),
    /// A number that no float can hold.
    #[error("error parsing number: {0:?} is out of range")]
    NumberRange(String),
    /// A duration whose units are not in order.
    #[error("not a valid duration string: {0:?}")]
    BadDuration(String),
    /// A duration that is not one, or too long a one.
    #[error(transparent)]
    Duration(#[from] DurationFault),
    /// A text without its second quote on the same line.
    #[error("unterminated quoted string")]
    UnterminatedString,
    /// A text without its second backquote.
    #[error("unterminated raw string")]
    UnterminatedRawString,
    /// An escape that the text ends in.
    #[error("escape sequence not terminated")]
    EscapeNotTerminated,
    /// A character that cannot be escaped.
    #[error("unknown escape sequence U+{code:04X} {0:?}", code = u32::from(*.0))]
    UnknownEscape(char),
    /// A character where an escape needs a digit.
    #[error("illegal character U+{code:04X} {0:?} in escape sequence", code = u32::from(*.0))]
    NoDigit(char),
    /// A number that no character has.
    #[error("escape sequence is an invalid Unicode code point")]
    NoCharacter,
    /// A text that must be UTF-8.
    #[error("the text is not UTF-8")]
    NotUtf8,
    /// `(` without its partner.
    #[error("unclosed left parenthesis")]
    UnclosedParenthesis,
    /// `)` without its partner.
    #[error("unexpected right parenthesis ')'")]
    UnexpectedRightParenthesis,
    /// `{` without its partner.
    #[error("unexpected end of input inside braces")]
    UnclosedBrace,
    /// `[` without its partner.
    #[error("unexpected end of input in duration expression")]
    UnclosedBracket,
    /// Something else than the grammar has here.
    #[error("unexpected {found}{context}")]
    Unexpected {
        /// What stands here.
        found: String,
        /// Where it stands, and what could stand there.
        context: Context,
    },
    /// A comma behind the last argument.
    #[error("trailing commas not allowed in function call args")]
    TrailingComma,
    /// A function that there is not.
    #[error("unknown function with name {0:?}")]
    UnknownFunction(String),
    /// An experimental function, where those are not enabled.
    #[error("function {0:?} is not enabled")]
    FunctionNotEnabled(&'static str),
    /// An experimental aggregation, where those are not enabled.
    #[error("{0}() is experimental and not enabled")]
    AggregationNotEnabled(&'static str),
    /// `anchored` or `smoothed`, where they are not enabled.
    #[error("{0} modifier is experimental and not enabled")]
    BoundaryNotEnabled(&'static str),
    /// `fill` and its like, where they are not enabled.
    #[error("binop fill modifiers are experimental and not enabled")]
    FillNotEnabled,
    /// A label without a name behind `by` and its like.
    #[error("invalid label name for grouping: {0:?}")]
    BadGroupingLabel(String),
    /// What is no regular expression.
    #[error("error parsing regexp {pattern:?}: {reason}")]
    BadPattern {
        /// What was to be one.
        pattern: String,
        /// Why it is none.
        reason: String,
    },
    /// A name before the braces, and one between them.
    #[error("metric name must not be set twice: {0:?} or {1:?}")]
    NameTwice(String, String),
    /// A selector that may choose everything.
    #[error("vector selector must contain at least one non-empty matcher")]
    NoMatcher,
    /// `[5m]` behind something else than a selector.
    #[error("ranges only allowed for vector selectors")]
    RangeOfOther,
    /// `offset` or `@` before `[5m]`.
    #[error("no {0} modifiers allowed before range")]
    ModifierBeforeRange(&'static str),
    /// `offset` or `@` behind what has no time.
    #[error(
        "{0} modifier must be preceded by an instant vector selector or range vector selector or a subquery"
    )]
    ModifierOfOther(&'static str),
    /// `offset` or `@` a second time.
    #[error("{0} may not be set multiple times")]
    ModifierTwice(&'static str),
    /// `anchored` or `smoothed` behind something else than a selector.
    #[error("{0} modifier is only supported for vector and range selectors")]
    BoundaryOfOther(&'static str),
    /// Both of `anchored` and `smoothed`.
    #[error("anchored and smoothed modifiers cannot be used together")]
    BoundaryTwice,
    /// A time that milliseconds cannot hold.
    #[error("timestamp out of bounds for @ modifier: {0}")]
    TimestampRange(String),
    /// An aggregation of nothing.
    #[error("no arguments for aggregate expression provided")]
    NoAggregate,
    /// An aggregation of too much or too little.
    #[error(
        "wrong number of arguments for aggregate expression provided, expected {expected}, got {found}"
    )]
    AggregateArguments {
        /// How many there must be.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// A function with too much or too little.
    #[error("expected {expected} argument(s) in call to {function:?}, got {found}")]
    FunctionArguments {
        /// The function.
        function: &'static str,
        /// How many there may be.
        expected: String,
        /// How many there are.
        found: usize,
    },
    /// A value of another type than is needed.
    #[error("expected type {expected} in {place}, got {found}")]
    WrongType {
        /// The type that is needed.
        expected: ValueType,
        /// What needs it.
        place: String,
        /// The type that is there.
        found: ValueType,
    },
    /// A sign before something without a number in it.
    #[error(
        "unary expression only allowed on expressions of type scalar or instant vector, got \"{0}\""
    )]
    SignOfOther(ValueType),
    /// An operator beside something without one value for a time.
    #[error("binary expression must contain only scalar and instant vector types")]
    OperandType,
    /// A subquery of something else than an instant vector.
    #[error("subquery is only allowed on instant vector, got {0} instead")]
    SubqueryOfOther(ValueType),
    /// `bool` where nothing is compared.
    #[error("bool modifier can only be used on comparison operators")]
    StrayBool,
    /// Two numbers compared without `bool`.
    #[error("comparisons between scalars must use BOOL modifier")]
    ScalarComparison,
    /// `and`, `or` or `unless` with a number.
    #[error("set operator \"{0}\" not allowed in binary scalar expression")]
    ScalarSet(BinaryOperator),
    /// `on` or `ignoring` with a number.
    #[error("vector matching only allowed between instant vectors")]
    ScalarMatching,
    /// `fill` with a number.
    #[error("filling in missing series only allowed between instant vectors")]
    ScalarFill,
    /// `group_left` or `group_right` with `and`, `or` or `unless`.
    #[error("no grouping allowed for \"{0}\" operation")]
    SetGroup(BinaryOperator),
    /// `fill` with `and`, `or` or `unless`.
    #[error("filling in missing series not allowed for set operators")]
    SetFill,
    /// A label that is matched and brought over.
    #[error("label {0:?} must not occur in ON and GROUP clause at once")]
    LabelInOnAndGroup(String),
    /// A second argument of `info` that is more than `{…}`.
    #[error("expected label selectors only")]
    NotLabels,
    /// A second argument of `info` with a name before its braces.
    #[error("expected label selectors only, got vector selector instead")]
    NameBeforeLabels,
}

/// Where something unexpected stands, and what could stand there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Context {
    place: &'static str,
    expected: &'static str,
}

/// A fault and where it is, for the inside: lines are counted when it leaves.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Located {
    /// Boxed: a production that may fail at ten places has room for ten of these on the
    /// stack.
    pub(super) fault: Box<Fault>,
    pub(super) span: Span,
}

/// What a message repeats of a query, so that it stays one line.
pub(super) fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

impl ParseError {
    pub(super) fn new(located: Located, query: &str) -> Self {
        let start = (located.span.start as usize).min(query.len());
        let before = &query.as_bytes()[..start];
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        let begin = before.iter().rposition(|byte| *byte == b'\n');
        let column = start - begin.map_or(0, |newline| newline + 1) + 1;
        Self {
            fault: *located.fault,
            span: located.span,
            line: line as u32,
            column: column as u32,
        }
    }

    /// What is wrong.
    pub const fn fault(&self) -> &Fault {
        &self.fault
    }

    /// Where, in bytes of the query.
    pub const fn span(&self) -> Span {
        self.span
    }

    /// The line, the first being 1.
    pub const fn line(&self) -> u32 {
        self.line
    }

    /// The byte in its line, the first being 1.
    pub const fn column(&self) -> u32 {
        self.column
    }
}

impl Fault {
    pub(super) fn at(self, span: Span) -> Located {
        let fault = Box::new(self);
        Located { fault, span }
    }
}

impl Context {
    /// Where an operand or an operator could stand.
    pub(super) const EXPRESSION: Self = Self::new("", "");

    pub(super) const fn new(place: &'static str, expected: &'static str) -> Self {
        Self { place, expected }
    }
}

impl std::fmt::Display for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if !self.place.is_empty() {
            write!(f, " in {}", self.place)?;
        }
        if !self.expected.is_empty() {
            write!(f, ", expected {}", self.expected)?;
        }
        Ok(())
    }
}
