//! What a document says at a place, when it is what is looked for there.
//!
//! `read` takes values apart with it. Whether they are what they should be is for
//! `validate` to tell.

use crate::Timestamp;
use crate::text::{Float, Integer, Mapping, Node, Scalar, Span, Value};

pub(super) fn mapping_in<'d, 'a>(value: &'d Value<'a>) -> Option<&'d Mapping<'a>> {
    match &value.node {
        Node::Mapping(mapping) => Some(mapping),
        _ => None,
    }
}

pub(super) fn text_in<'d>(value: &'d Value<'_>) -> Option<&'d str> {
    match &value.node {
        Node::Scalar(Scalar::Text(text)) => Some(text),
        _ => None,
    }
}

/// The text of a key, and where it stands.
pub(super) fn text_of<'d>(said: &'d Mapping<'_>, key: &str) -> Option<(&'d str, Span)> {
    let value = &said.get(key)?.value;
    Some((text_in(value)?, value.span))
}

/// The whole number of a key, unless it is negative.
pub(super) fn number_of(said: &Mapping<'_>, key: &str) -> Option<u64> {
    match &said.get(key)?.value.node {
        Node::Scalar(scalar) => size_in(scalar),
        _ => None,
    }
}

pub(super) fn is_true(value: &Value<'_>) -> bool {
    matches!(value.node, Node::Scalar(Scalar::Boolean(true)))
}

/// What is marked when something lacks a key: its first key, or all of it.
pub(super) fn first_key(value: &Value<'_>) -> Span {
    let first = mapping_in(value).and_then(|mapping| mapping.entries.first());
    first.map_or(value.span, |entry| entry.key.span)
}

/// A whole number that is not negative.
pub(super) fn size_in(scalar: &Scalar<'_>) -> Option<u64> {
    integer_in(scalar).and_then(Integer::to_u64)
}

pub(super) const fn integer_in(scalar: &Scalar<'_>) -> Option<Integer> {
    match scalar {
        Scalar::Integer(number) => Some(*number),
        _ => None,
    }
}

/// Any number.
pub(super) fn float_in(scalar: &Scalar<'_>) -> Option<Float> {
    match scalar {
        Scalar::Integer(number) => Some((*number).into()),
        Scalar::Float(number) => Some(*number),
        _ => None,
    }
}

pub(super) const fn timestamp_in(scalar: &Scalar<'_>) -> Option<Timestamp> {
    match scalar {
        Scalar::Timestamp(time) => Some(*time),
        _ => None,
    }
}
