//! Values of single keys, checked: each reader gives what it read, or says at its place
//! what is wrong with it.

use crate::metadata::Timestamp;
use crate::text::{Fault, List, Mapping, Node, Problems, Scalar, Shape, Span, Value, shown};
use std::fmt::Display;
use std::str::FromStr;

/// What is wrong, as it is found. A value that is wrong is none, so whoever assembles
/// several values asks for all of them before giving up.
pub(super) struct Reader<'p> {
    problems: &'p mut Problems,
    /// Something was wrong since it was last asked.
    failed: bool,
}

impl<'p> Reader<'p> {
    pub(super) fn new(problems: &'p mut Problems) -> Self {
        Self {
            problems,
            failed: false,
        }
    }

    /// Whether nothing was wrong.
    pub(super) const fn is_fine(&self) -> bool {
        !self.failed
    }

    /// For a part that may be wrong alone.
    pub(super) const fn problems(&mut self) -> &mut Problems {
        self.problems
    }

    pub(super) fn fault(&mut self, fault: Fault, span: Span) {
        self.failed = true;
        self.problems.add(fault, span);
    }

    pub(super) fn illegal(&mut self, why: impl Display, span: Span) {
        self.fault(Fault::Illegal(why.to_string()), span);
    }

    pub(super) fn unknown_key(&mut self, key: &str, span: Span) {
        self.fault(Fault::UnknownKey(shown(key)), span);
    }

    /// A value that must be there; `owner` is what lacks it.
    pub(super) fn required<'t, 'a>(
        &mut self,
        key: &str,
        value: Option<&'t Value<'a>>,
        owner: Span,
    ) -> Option<&'t Value<'a>> {
        if value.is_none() {
            self.fault(Fault::MissingKey(key.to_owned()), owner);
        }
        value
    }

    pub(super) fn text<'t>(&mut self, value: &'t Value<'_>) -> Option<&'t str> {
        match &value.node {
            Node::Scalar(Scalar::Text(text)) => Some(text),
            _ => self.wrong_type("text", value),
        }
    }

    /// A text that means something to `T`.
    pub(super) fn parse<T: FromStr<Err: Display>>(&mut self, value: &Value<'_>) -> Option<T> {
        self.checked(value, T::from_str)
    }

    /// A text that `check` makes something of.
    pub(super) fn checked<T, E: Display>(
        &mut self,
        value: &Value<'_>,
        check: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        match check(self.text(value)?) {
            Ok(it) => Some(it),
            Err(error) => {
                self.illegal(error, value.span);
                None
            }
        }
    }

    /// A whole number that is not negative.
    pub(super) fn natural(&mut self, value: &Value<'_>) -> Option<u64> {
        let Node::Scalar(Scalar::Integer(integer)) = &value.node else {
            return self.wrong_type("a whole number", value);
        };
        let number = integer.to_u64();
        if number.is_none() {
            self.illegal("this number is at least 0", value.span);
        }
        number
    }

    pub(super) fn timestamp(&mut self, value: &Value<'_>) -> Option<Timestamp> {
        match &value.node {
            Node::Scalar(Scalar::Timestamp(time)) => Some(*time),
            _ => self.wrong_type("a timestamp", value),
        }
    }

    pub(super) fn mapping<'t, 'a>(&mut self, value: &'t Value<'a>) -> Option<&'t Mapping<'a>> {
        match &value.node {
            Node::Mapping(mapping) => Some(mapping),
            _ => self.wrong_type("a mapping", value),
        }
    }

    pub(super) fn list<'t, 'a>(&mut self, value: &'t Value<'a>) -> Option<&'t List<'a>> {
        match &value.node {
            Node::List(list) => Some(list),
            _ => self.wrong_type("a list", value),
        }
    }

    /// Bytes as an even number of lower-case hexadecimal digits.
    pub(super) fn hex(&mut self, value: &Value<'_>) -> Option<Vec<u8>> {
        self.checked(value, |text| {
            let mut bytes = vec![0; text.len() / 2];
            let read = base::unhex(text, &mut bytes);
            read.map(|()| bytes)
                .ok_or("expected an even number of digits, each 0-9 or a-f")
        })
    }

    pub(super) fn wrong_type<T>(&mut self, expected: &'static str, value: &Value<'_>) -> Option<T> {
        let found = Shape::of(&value.node).described();
        let expected = expected.into();
        self.fault(Fault::WrongType { expected, found }, value.span);
        None
    }
}
