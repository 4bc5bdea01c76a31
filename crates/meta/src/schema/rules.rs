//! What a value must be, as types: the inside of a [`Schema`](super::Schema).
//!
//! Rules refer to others by their place in the schema's list, so that a rule may
//! contain itself. Only `read` makes them; `validate` applies them to values.

use super::bounds::Bounds;
use super::format::Format;
use super::pattern::{MATCHED_BYTES, Pattern};
use crate::Timestamp;
use crate::text::{Fault, Float, Integer, shown};
use crate::text::{Shape, Shapes};

/// Most fields of one mapping: more than anyone looks through, and a bit for each
/// fits one number ([`FieldSet`]).
pub(super) const FIELDS: usize = 128;

/// Values of a text that a message repeats.
const VALUES_SHOWN: usize = 8;

/// What a value must be.
#[derive(Debug, Clone)]
pub(super) enum Rule {
    Any,
    Boolean,
    Text(TextRule),
    Integer(Bounds<Integer>),
    /// Whole numbers too.
    Float(Bounds<Float>),
    Timestamp(Bounds<Timestamp>),
    List(ListRule),
    Mapping(MappingRule),
    /// What each shape must be. No two take the same one, and none is an `OneOf`
    /// itself, so that one look at a value tells which counts.
    OneOf(Vec<RuleId>),
}

/// The place of a rule in its schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RuleId(u32);

/// What a text must be: all of it.
#[derive(Debug, Clone, Default)]
pub(super) struct TextRule {
    length: Bounds<u64>,
    /// Empty when it may be any other.
    values: Vec<Box<str>>,
    format: Option<Format>,
    pattern: Option<Pattern>,
}

/// What a list must be.
#[derive(Debug, Clone)]
pub(super) struct ListRule {
    pub(super) count: Bounds<u64>,
    pub(super) items: RuleId,
}

/// What a mapping must be.
#[derive(Debug, Clone, Default)]
pub(super) struct MappingRule {
    pub(super) count: Bounds<u64>,
    fields: Vec<Field>,
    required: FieldSet,
    /// What keys that are no fields must be; without it there are none.
    pub(super) others: Option<Others>,
}

/// A key that a mapping can have.
#[derive(Debug, Clone)]
pub(super) struct Field {
    pub(super) key: Box<str>,
    pub(super) required: bool,
    /// The versions of documents that can have it.
    pub(super) versions: Bounds<u64>,
    pub(super) value: RuleId,
}

/// Fields of one mapping, by their places.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct FieldSet(u128);

/// Keys that are no fields, and their values.
#[derive(Debug, Clone, Copy)]
pub(super) struct Others {
    /// A text's rule, or that for anything.
    pub(super) keys: RuleId,
    pub(super) each: RuleId,
}

impl Rule {
    /// What it takes at first sight.
    pub(super) const fn shapes(&self) -> Shapes {
        match self {
            Self::Any | Self::OneOf(_) => Shapes::ALL,
            Self::Boolean => Shapes::one(Shape::Boolean),
            Self::Text(_) => Shapes::one(Shape::Text),
            Self::Integer(_) => Shapes::one(Shape::Integer),
            Self::Float(_) => Shapes::one(Shape::Float).with(Shapes::one(Shape::Integer)),
            Self::Timestamp(_) => Shapes::one(Shape::Timestamp),
            Self::List(_) => Shapes::one(Shape::List),
            Self::Mapping(_) => Shapes::one(Shape::Mapping),
        }
    }

    /// With its article, for messages.
    pub(super) const fn described(&self) -> &'static str {
        match self {
            Self::Any | Self::OneOf(_) => "a value",
            Self::Boolean => Shape::Boolean.described(),
            Self::Text(_) => Shape::Text.described(),
            Self::Integer(_) => Shape::Integer.described(),
            Self::Float(_) => "a number",
            Self::Timestamp(_) => Shape::Timestamp.described(),
            Self::List(_) => Shape::List.described(),
            Self::Mapping(_) => Shape::Mapping.described(),
        }
    }
}

impl RuleId {
    /// The place `index`, of which a schema has far fewer than fit.
    pub(super) const fn new(index: usize) -> Self {
        Self(index as u32)
    }

    pub(super) const fn index(self) -> usize {
        self.0 as usize
    }
}

impl TextRule {
    /// What is said of a text; one with a pattern is never longer than
    /// [`MATCHED_BYTES`].
    pub(super) fn new(
        length: Bounds<u64>,
        values: Vec<Box<str>>,
        format: Option<Format>,
        pattern: Option<Pattern>,
    ) -> Self {
        let length = match pattern {
            Some(_) => length.at_most(MATCHED_BYTES),
            None => length,
        };
        Self {
            length,
            values,
            format,
            pattern,
        }
    }

    /// The first thing that is wrong with a text.
    pub(super) fn fault(&self, text: &str) -> Option<Fault> {
        let length = text.len() as u64;
        if !self.length.contains(&length) {
            let allowed = self.length.to_string();
            return Some(Fault::TextLength { length, allowed });
        }
        if !self.values.is_empty() && !self.values.iter().any(|value| **value == *text) {
            return Some(Fault::NotOneOf(list_of(&self.values)));
        }
        if let Some(format) = self.format.filter(|format| !format.fits(text)) {
            return Some(Fault::WrongFormat(format.described()));
        }
        let pattern = self.pattern.as_ref()?;
        (!pattern.matches(text)).then(|| Fault::NoMatch(shown(pattern.as_str())))
    }
}

impl MappingRule {
    /// A mapping with these keys, [`FIELDS`] of them at most.
    pub(super) fn new(count: Bounds<u64>, fields: Vec<Field>, others: Option<Others>) -> Self {
        let mut required = FieldSet::default();
        let places = fields.iter().enumerate();
        places
            .filter(|(_, field)| field.required)
            .for_each(|(place, _)| required.insert(place));
        Self {
            count,
            fields,
            required,
            others,
        }
    }

    /// The place of a field by its key. It is looked for from `from` on first: most
    /// documents have their keys in the order of the schema.
    pub(super) fn find(&self, key: &str, from: usize) -> Option<usize> {
        let (before, after) = self.fields.split_at(from.min(self.fields.len()));
        let is_it = |field: &Field| *field.key == *key;
        let place = after
            .iter()
            .position(is_it)
            .map(|place| before.len() + place);
        place.or_else(|| before.iter().position(is_it))
    }

    pub(super) fn field(&self, place: usize) -> &Field {
        &self.fields[place]
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().map(|field| &*field.key)
    }

    /// The required fields of a version that are not in `seen`.
    pub(super) fn missing(&self, seen: FieldSet, version: u64) -> impl Iterator<Item = &Field> {
        let missing = self.required.without(seen);
        let fields = missing.places().map(|place| &self.fields[place]);
        fields.filter(move |field| field.versions.contains(&version))
    }
}

impl FieldSet {
    pub(super) const fn insert(&mut self, place: usize) {
        self.0 |= 1 << place;
    }

    const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    fn places(mut self) -> impl Iterator<Item = usize> {
        std::iter::from_fn(move || {
            let place = self.0.trailing_zeros() as usize;
            self.0 &= self.0.wrapping_sub(1);
            (place < FIELDS).then_some(place)
        })
    }
}

/// `"file", "directory", "symlink"`, or the first of many.
fn list_of(values: &[Box<str>]) -> String {
    let mut list: Vec<String> = values
        .iter()
        .take(VALUES_SHOWN)
        .map(|value| format!("{:?}", shown(value)))
        .collect();
    if values.len() > VALUES_SHOWN {
        list.push("…".to_owned());
    }
    list.join(", ")
}
