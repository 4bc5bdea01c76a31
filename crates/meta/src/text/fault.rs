//! Everything that can be wrong with a text, or with what it says: a code for
//! programs, a message and a hint for people.
//!
//! `lexer`, `scalar` and `parser` find what no text may have; whoever gives the keys
//! their meaning finds the rest. Where a fault lies is said by `problem`.

use super::token::SOURCE_BYTES;
use std::borrow::Cow;

/// Characters of a text that a message repeats.
const SHOWN: usize = 60;

/// What can be wrong with a text, and with what it says.
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
    /// A key that must be there and is not.
    #[error("the key {0:?} is missing")]
    MissingKey(String),
    /// A key that nothing is known of.
    #[error("the key {0:?} has no meaning here")]
    UnknownKey(String),
    /// A key that nothing is known of, and that is nearly one that would fit.
    #[error("the key {key:?} has no meaning here; did you mean {meant:?}?")]
    MisspelledKey {
        /// The key.
        key: String,
        /// The one that would fit.
        meant: String,
    },
    /// A key that other versions have than the document's.
    #[error(
        "the key {key:?} exists in version {versions}, and this document has version {version}"
    )]
    OtherVersion {
        /// The key.
        key: String,
        /// The versions that have it.
        versions: String,
        /// The document's.
        version: u64,
    },
    /// A value of another type than its key has.
    #[error("{expected} is expected here, and this is {found}")]
    WrongType {
        /// What it must be, with its article; several where it may be any of them.
        expected: Cow<'static, str>,
        /// What it is, with its article.
        found: &'static str,
    },
    /// A number or a time that is too small or too large.
    #[error("this is out of range, which is {0}")]
    OutOfRange(String),
    /// A text that is too short or too long.
    #[error("the length in bytes is {length}, and {allowed} is allowed")]
    TextLength {
        /// Its bytes.
        length: u64,
        /// How many there may be.
        allowed: String,
    },
    /// A list with too few or too many items, or a mapping with such entries.
    #[error("the number of items is {count}, and {allowed} is allowed")]
    ItemCount {
        /// How many there are.
        count: u64,
        /// How many there may be.
        allowed: String,
    },
    /// A text that is none of those that there can be.
    #[error("one of {0} is expected here")]
    NotOneOf(String),
    /// A text that is not written as it must be.
    #[error("{0} is expected here")]
    WrongFormat(&'static str),
    /// A text that a pattern does not match.
    #[error("this does not match the pattern {0}")]
    NoMatch(String),
    /// In a schema, a type that is not defined.
    #[error("there is no type {0:?}")]
    UnknownType(String),
    /// In a schema, a constraint that says nothing about its type.
    #[error("{key:?} says nothing about the type {of:?}")]
    StrayConstraint {
        /// The constraint.
        key: String,
        /// The type.
        of: String,
    },
    /// In a schema, a lower bound above the upper one.
    #[error("nothing lies between these bounds")]
    CrossedBounds,
    /// In a schema, a pattern that is no regular expression, or too large a one.
    #[error("this is no pattern: {0}")]
    NotAPattern(String),
    /// In a schema, an alternative for values that another takes too.
    #[error("this alternative cannot be told from the others")]
    AlikeAlternatives,
    /// A value that its key cannot have, or not beside the others; says why.
    #[error("{0}")]
    Illegal(String),
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
            Self::MissingKey(_) => ("missing-key", "add it, as `key: value`"),
            Self::UnknownKey(_) => ("unknown-key", "remove it, or correct its spelling"),
            Self::MisspelledKey { .. } => ("misspelled-key", "correct its spelling, or remove it"),
            Self::OtherVersion { .. } => (
                "other-version",
                "remove it, or say another version, as `schema_version: 2` beside the document's first key",
            ),
            Self::WrongType { .. } => (
                "wrong-type",
                "text stands between quotes; numbers, true, false and timestamps go without",
            ),
            Self::OutOfRange(_) => (
                "out-of-range",
                "write a value within it; both ends belong to it",
            ),
            Self::TextLength { .. } => (
                "text-length",
                "shorten or complete it; a character has one to four bytes",
            ),
            Self::ItemCount { .. } => ("item-count", "remove or add some"),
            Self::NotOneOf(_) => (
                "not-one-of",
                "write it exactly so; upper and lower case differ",
            ),
            Self::WrongFormat(_) => ("wrong-format", "write it exactly so"),
            Self::NoMatch(_) => ("no-match", "the pattern must match all of the text"),
            Self::UnknownType(_) => (
                "unknown-type",
                "types are any, boolean, float, integer, list, mapping, text, timestamp, and those under `types:`",
            ),
            Self::StrayConstraint { .. } => (
                "stray-constraint",
                "remove it, or move it to where its type is said",
            ),
            Self::CrossedBounds => ("crossed-bounds", "the lower bound is at most the upper one"),
            Self::NotAPattern(_) => (
                "not-a-pattern",
                r#"patterns are regular expressions such as "[a-z]+"; a backslash is written \\"#,
            ),
            Self::AlikeAlternatives => (
                "alike-alternatives",
                "each type of value, such as text or numbers, belongs to one alternative; `any` and `one_of` to none",
            ),
            Self::Illegal(_) => ("illegal", "correct the value, or what contradicts it"),
        }
    }
}

/// What a message repeats of a text, so that it stays one line.
pub(crate) fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
