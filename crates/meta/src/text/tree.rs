//! What a text says: documents, mappings, lists and scalars, with the comments
//! around them and, where they were read, their places.
//!
//! Trees borrow from the text that they were read from, or from whatever they
//! were made of. Two trees are equal when they say the same and have the same
//! comments, wherever they stand. `parser` makes them, `printer` writes them.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

use super::token::Span;
use crate::Timestamp;

/// All that a text holds.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Tree<'a> {
    /// The documents, none of which is an empty mapping.
    pub documents: Vec<Document<'a>>,
    /// The comments of a text that has no document; they are printed first.
    pub comments: Vec<Comment<'a>>,
}

/// What stands between two document breaks.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Document<'a> {
    /// Its entries, at least one.
    pub root: Mapping<'a>,
}

/// Keys with their values, in the order of the text.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Mapping<'a> {
    /// The entries, each with a key of its own.
    pub entries: Vec<Entry<'a>>,
    /// Comments behind the last entry; those of an empty mapping are not printed.
    pub end: Vec<Comment<'a>>,
}

/// Values in order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct List<'a> {
    /// The items.
    pub items: Vec<Item<'a>>,
    /// Comments behind the last item; those of an empty list are not printed.
    pub end: Vec<Comment<'a>>,
}

/// A key and its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry<'a> {
    /// The key.
    pub key: Key<'a>,
    /// The value.
    pub value: Value<'a>,
    /// The comments around the key.
    pub notes: Notes<'a>,
}

/// One value of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Item<'a> {
    /// The value.
    pub value: Value<'a>,
    /// The comments around the dash.
    pub notes: Notes<'a>,
}

/// The text of a key, without quotes and escapes. Places are not compared.
#[derive(Debug, Clone)]
pub struct Key<'a> {
    /// The text.
    pub text: Cow<'a, str>,
    /// Where it stands, with its quotes; empty when it was not read.
    pub span: Span,
}

/// A value at its place. Places are not compared.
#[derive(Debug, Clone)]
pub struct Value<'a> {
    /// The value.
    pub node: Node<'a>,
    /// From its first to its last byte; empty when it was not read.
    pub span: Span,
}

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub enum Node<'a> {
    /// A single value.
    Scalar(Scalar<'a>),
    /// Keys with values.
    Mapping(Mapping<'a>),
    /// Values in order.
    List(List<'a>),
}

/// A single value.
#[derive(Debug, Clone, PartialEq)]
pub enum Scalar<'a> {
    /// Text, without quotes and escapes.
    Text(Cow<'a, str>),
    /// A whole number.
    Integer(Integer),
    /// A number with decimals or an exponent.
    Float(Float),
    /// `true` or `false`.
    Boolean(bool),
    /// A moment.
    Timestamp(Timestamp),
}

/// A whole number from -2^63 to 2^64 - 1: every `i64` and every `u64`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Integer {
    magnitude: u64,
    /// Never with a magnitude of 0.
    negative: bool,
}

/// A finite number.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Float(f64);

/// A comment as it is written, from its `#` on, without blanks at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comment<'a>(Cow<'a, str>);

/// The comments of an entry or item; boxed, because most have none.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Notes<'a>(Option<Box<Around<'a>>>);

#[derive(Debug, Clone, PartialEq, Default)]
struct Around<'a> {
    before: Vec<Comment<'a>>,
    after: Option<Comment<'a>>,
}

impl<'a> Mapping<'a> {
    /// The entry of a key.
    pub fn get(&self, key: &str) -> Option<&Entry<'a>> {
        self.entries.iter().find(|entry| entry.key.text == key)
    }
}

impl<'a> Entry<'a> {
    /// An entry without comments and place.
    pub fn new(key: impl Into<Cow<'a, str>>, node: impl Into<Node<'a>>) -> Self {
        Self {
            key: Key {
                text: key.into(),
                span: Span::default(),
            },
            value: Value::from(node.into()),
            notes: Notes::default(),
        }
    }
}

impl PartialEq for Key<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl PartialEq for Value<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.node == other.node
    }
}

impl<'a> From<Node<'a>> for Value<'a> {
    fn from(node: Node<'a>) -> Self {
        Self {
            node,
            span: Span::default(),
        }
    }
}

impl<'a> From<Scalar<'a>> for Node<'a> {
    fn from(scalar: Scalar<'a>) -> Self {
        Self::Scalar(scalar)
    }
}

impl<'a> From<Mapping<'a>> for Node<'a> {
    fn from(mapping: Mapping<'a>) -> Self {
        Self::Mapping(mapping)
    }
}

impl<'a> From<List<'a>> for Node<'a> {
    fn from(list: List<'a>) -> Self {
        Self::List(list)
    }
}

impl Integer {
    /// The negative of a magnitude, or itself; `None` below -2^63.
    pub const fn new(negative: bool, magnitude: u64) -> Option<Self> {
        if negative && magnitude > i64::MIN.unsigned_abs() {
            return None;
        }
        Some(Self {
            magnitude,
            negative: negative && magnitude > 0,
        })
    }

    /// The number, unless it is negative.
    pub const fn to_u64(self) -> Option<u64> {
        if self.negative {
            None
        } else {
            Some(self.magnitude)
        }
    }

    /// The number, unless it is 2^63 or more.
    pub fn to_i64(self) -> Option<i64> {
        if self.negative {
            0_i64.checked_sub_unsigned(self.magnitude)
        } else {
            i64::try_from(self.magnitude).ok()
        }
    }
}

impl fmt::Display for Integer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.negative { "-" } else { "" };
        write!(f, "{sign}{}", self.magnitude)
    }
}

impl Ord for Integer {
    fn cmp(&self, other: &Self) -> Ordering {
        i128::from(*self).cmp(&i128::from(*other))
    }
}

impl PartialOrd for Integer {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl From<Integer> for i128 {
    fn from(integer: Integer) -> Self {
        let magnitude = Self::from(integer.magnitude);
        if integer.negative {
            -magnitude
        } else {
            magnitude
        }
    }
}

impl From<u64> for Integer {
    fn from(number: u64) -> Self {
        Self {
            magnitude: number,
            negative: false,
        }
    }
}

impl From<i64> for Integer {
    fn from(number: i64) -> Self {
        Self {
            magnitude: number.unsigned_abs(),
            negative: number < 0,
        }
    }
}

impl Float {
    /// A number, unless it is infinite or none.
    pub const fn new(number: f64) -> Option<Self> {
        if number.is_finite() {
            Some(Self(number))
        } else {
            None
        }
    }

    /// The number.
    pub const fn get(self) -> f64 {
        self.0
    }
}

/// The number nearest to it.
impl From<Integer> for Float {
    fn from(integer: Integer) -> Self {
        Self(i128::from(integer) as f64)
    }
}

/// The fewest digits that mean the same.
impl fmt::Display for Float {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl<'a> Comment<'a> {
    /// A comment from its `#` on; `None` without one, for more than one line,
    /// other control characters than tabs, or blanks at the end.
    pub fn new(text: impl Into<Cow<'a, str>>) -> Option<Self> {
        let text = text.into();
        let valid = text.starts_with('#')
            && text.trim_ascii_end().len() == text.len()
            && !text
                .bytes()
                .any(|byte| byte != b'\t' && byte.is_ascii_control());
        valid.then_some(Self(text))
    }

    /// A comment that the lexer found, which may have reported it.
    pub(super) const fn read(text: &'a str) -> Self {
        Self(Cow::Borrowed(text))
    }

    /// The text, from its `#` on.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'a> Notes<'a> {
    /// Comments on lines of their own before, and one at the end of the line.
    pub fn new(before: Vec<Comment<'a>>, after: Option<Comment<'a>>) -> Self {
        if before.is_empty() && after.is_none() {
            Self(None)
        } else {
            Self(Some(Box::new(Around { before, after })))
        }
    }

    /// The comments on lines of their own before it.
    pub fn before(&self) -> &[Comment<'a>] {
        self.0.as_deref().map_or(&[], |around| &around.before)
    }

    /// The comment at the end of its line.
    pub fn after(&self) -> Option<&Comment<'a>> {
        self.0.as_deref().and_then(|around| around.after.as_ref())
    }
}
