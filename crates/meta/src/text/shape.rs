//! What a value is at first sight: for messages, and to tell alternatives apart.

use super::tree::{Node, Scalar};

/// A kind of node; the number is its bit in [`Shapes`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Text,
    Integer,
    Float,
    Boolean,
    Timestamp,
    List,
    Mapping,
}

/// A set of shapes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Shapes(u8);

impl Shape {
    pub(crate) const fn of(node: &Node<'_>) -> Self {
        match node {
            Node::Scalar(Scalar::Text(_)) => Self::Text,
            Node::Scalar(Scalar::Integer(_)) => Self::Integer,
            Node::Scalar(Scalar::Float(_)) => Self::Float,
            Node::Scalar(Scalar::Boolean(_)) => Self::Boolean,
            Node::Scalar(Scalar::Timestamp(_)) => Self::Timestamp,
            Node::List(_) => Self::List,
            Node::Mapping(_) => Self::Mapping,
        }
    }

    /// With its article, for messages.
    pub(crate) const fn described(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Integer => "a whole number",
            Self::Float => "a number with decimals",
            Self::Boolean => "true or false",
            Self::Timestamp => "a timestamp",
            Self::List => "a list",
            Self::Mapping => "a mapping",
        }
    }
}

impl Shapes {
    pub(crate) const ALL: Self = Self(u8::MAX);

    pub(crate) const fn one(shape: Shape) -> Self {
        Self(1 << shape as u8)
    }

    pub(crate) const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) const fn has(self, shape: Shape) -> bool {
        self.0 & Self::one(shape).0 != 0
    }

    pub(crate) const fn overlaps(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}
