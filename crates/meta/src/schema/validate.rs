//! Whether a document is what its schema says: one walk over the tree.
//!
//! 1. The version that the document says decides which fields there are. One newer
//!    than the schema may have keys that the schema does not know.
//! 2. A rule and a value go down together, and what is wrong is added at its place: a
//!    value's own, a key's, or, for what a mapping lacks, that of the mapping's key.
//! 3. An alternative is chosen by the value's first sight, so nothing is tried twice.

use std::fmt::Display;

use super::bounds::Bounds;
use super::near::nearest;
use super::rules::{FieldSet, ListRule, MappingRule, Rule, RuleId};
use super::said::{first_key, number_of};
use super::{Schema, VERSION_KEY};
use crate::text::Shape;
use crate::text::{
    DEPTH, Document, Entry, Fault, List, Mapping, Node, Problems, Scalar, Span, Value, shown,
};

/// Adds to `problems` what is wrong with a document.
pub(super) fn validate(schema: &Schema, document: &Document<'_>, problems: &mut Problems) {
    let version = version_of(document).unwrap_or(schema.version);
    let mut validator = Validator {
        rules: &schema.rules,
        version,
        is_newer: version > schema.version,
        depth: 0,
        problems,
    };
    let start = document.root.entries.first();
    let start = start.map(|entry| entry.key.span).unwrap_or_default();
    validator.mapping(&schema.document, &document.root, start);
}

/// The version that a document says it has.
pub(super) fn version_of(document: &Document<'_>) -> Option<u64> {
    number_of(&document.root, VERSION_KEY).filter(|version| *version > 0)
}

struct Validator<'s, 'p> {
    rules: &'s [Rule],
    /// The document's version.
    version: u64,
    /// Whether that is beyond the schema's.
    is_newer: bool,
    /// Lists and mappings around the value.
    depth: usize,
    problems: &'p mut Problems,
}

impl<'s> Validator<'s, '_> {
    /// A value that `owner` has: its key, or what marks the item that it is.
    fn value(&mut self, id: RuleId, value: &Value<'_>, owner: Span) {
        let rule = &self.rules[id.index()];
        match (rule, &value.node) {
            (Rule::Any, _) | (Rule::Boolean, Node::Scalar(Scalar::Boolean(_))) => {}
            (Rule::Text(rule), Node::Scalar(Scalar::Text(text))) => {
                self.expect(rule.fault(text), value.span);
            }
            (Rule::Integer(bounds), Node::Scalar(Scalar::Integer(number))) => {
                self.within(bounds.contains(number), bounds, value.span);
            }
            (Rule::Float(bounds), Node::Scalar(Scalar::Float(number))) => {
                self.within(bounds.contains(number), bounds, value.span);
            }
            (Rule::Float(bounds), Node::Scalar(Scalar::Integer(number))) => {
                self.within(bounds.contains(&(*number).into()), bounds, value.span);
            }
            (Rule::Timestamp(bounds), Node::Scalar(Scalar::Timestamp(time))) => {
                self.within(bounds.contains(time), bounds, value.span);
            }
            (Rule::List(rule), Node::List(list)) => self.list(rule, list, owner),
            (Rule::Mapping(rule), Node::Mapping(mapping)) => self.mapping(rule, mapping, owner),
            (Rule::OneOf(alternatives), node) => {
                let shape = Shape::of(node);
                let takes = |id: &&RuleId| self.rules[id.index()].shapes().has(shape);
                match alternatives.iter().find(takes) {
                    Some(alternative) => self.value(*alternative, value, owner),
                    None => self.no_alternative(alternatives, shape, value.span),
                }
            }
            (rule, node) => {
                let (expected, found) = (rule.described(), Shape::of(node).described());
                let fault = Fault::WrongType {
                    expected: expected.into(),
                    found,
                };
                self.problems.add(fault, value.span);
            }
        }
    }

    fn list(&mut self, rule: &'s ListRule, list: &List<'_>, owner: Span) {
        if !self.enter(owner) {
            return;
        }
        let spans = list.items.iter().map(|item| item.value.span);
        self.count(&rule.count, spans, owner);
        for item in &list.items {
            self.value(rule.items, &item.value, first_key(&item.value));
        }
        self.depth -= 1;
    }

    fn mapping(&mut self, rule: &'s MappingRule, mapping: &Mapping<'_>, owner: Span) {
        if !self.enter(owner) {
            return;
        }
        let keys = mapping.entries.iter().map(|entry| entry.key.span);
        self.count(&rule.count, keys, owner);
        let mut seen = FieldSet::default();
        let mut next = 0;
        for entry in &mapping.entries {
            let known = rule.find(&entry.key.text, next);
            if let Some(place) = known {
                seen.insert(place);
                next = place + 1;
                self.field(rule, place, entry);
            } else if let Some(meant) = self.other(rule, entry) {
                // One slip is one problem: what was meant is not missing.
                seen.insert(meant);
            }
        }
        for field in rule.missing(seen, self.version) {
            let fault = Fault::MissingKey(shown(&field.key));
            self.problems.add(fault, owner);
        }
        self.depth -= 1;
    }

    fn field(&mut self, rule: &'s MappingRule, place: usize, entry: &Entry<'_>) {
        let field = rule.field(place);
        if field.versions.contains(&self.version) {
            self.value(field.value, &entry.value, entry.key.span);
        } else {
            let fault = Fault::OtherVersion {
                key: shown(&field.key),
                versions: field.versions.to_string(),
                version: self.version,
            };
            self.problems.add(fault, entry.key.span);
        }
    }

    /// An entry whose key is no field; the field that was meant, if it is near one.
    fn other(&mut self, rule: &'s MappingRule, entry: &Entry<'_>) -> Option<usize> {
        let key = &*entry.key.text;
        if let Some(others) = &rule.others {
            if let Rule::Text(rule) = &self.rules[others.keys.index()] {
                self.expect(rule.fault(key), entry.key.span);
            }
            self.value(others.each, &entry.value, entry.key.span);
            return None;
        }
        if self.is_newer {
            return None;
        }
        // What is only counted needs no guess, whose work would add up.
        let is_told = !self.problems.is_full();
        let meant = is_told.then(|| nearest(key, rule.keys())).flatten();
        let fault = match meant {
            Some(meant) => Fault::MisspelledKey {
                key: shown(key),
                meant: meant.to_owned(),
            },
            None => Fault::UnknownKey(shown(key)),
        };
        self.problems.add(fault, entry.key.span);
        rule.find(meant?, 0)
    }

    /// Whether a list or mapping is looked into: no text has one too deep, but a tree
    /// that was made otherwise may.
    fn enter(&mut self, owner: Span) -> bool {
        if self.depth > DEPTH {
            self.problems.add(Fault::TooDeep, owner);
            return false;
        }
        self.depth += 1;
        true
    }

    /// Too many is said at the first that is too much, too few at the owner.
    fn count(
        &mut self,
        bounds: &Bounds<u64>,
        mut spans: impl ExactSizeIterator<Item = Span>,
        owner: Span,
    ) {
        let count = spans.len() as u64;
        if bounds.contains(&count) {
            return;
        }
        let most = bounds.max().and_then(|most| usize::try_from(most).ok());
        let beyond = most.and_then(|most| spans.nth(most));
        let allowed = bounds.to_string();
        let fault = Fault::ItemCount { count, allowed };
        self.problems.add(fault, beyond.unwrap_or(owner));
    }

    fn no_alternative(&mut self, alternatives: &[RuleId], shape: Shape, span: Span) {
        let rules = alternatives.iter().map(|id| &self.rules[id.index()]);
        let expected: Vec<&str> = rules.map(Rule::described).collect();
        let fault = Fault::WrongType {
            expected: expected.join(" or ").into(),
            found: shape.described(),
        };
        self.problems.add(fault, span);
    }

    fn within<T: Display + PartialEq>(&mut self, is_within: bool, bounds: &Bounds<T>, span: Span) {
        if !is_within {
            self.problems
                .add(Fault::OutOfRange(bounds.to_string()), span);
        }
    }

    fn expect(&mut self, fault: Option<Fault>, span: Span) {
        if let Some(fault) = fault {
            self.problems.add(fault, span);
        }
    }
}
