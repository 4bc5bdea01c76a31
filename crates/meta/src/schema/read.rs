//! From a document to a schema: the second half of reading one.
//!
//! 1. The document is validated against the schema of schemas. What does not look
//!    like a schema is not looked at further, so that here every key is known and
//!    every value has its type and its bounds.
//! 2. The names under `types:` get places first, so that a type can name one below
//!    it, or itself within a list or a mapping.
//! 3. Rules are made, and what contradicts itself is a problem: see docs/schemas.md.
//!
//! The schema of schemas itself takes the second and third step alone ([`build`]).

use std::collections::HashMap;

use super::bounds::Bounds;
use super::format::Format;
use super::pattern::Pattern;
use super::rules::{FIELDS, Field, ListRule, MappingRule, Others, Rule, RuleId, TextRule};
use super::said::{
    first_key, float_in, integer_in, is_true, mapping_in, number_of, size_in, text_in, text_of,
    timestamp_in,
};
use super::validate::version_of;
use super::{Schema, VERSION_KEY, embedded};
use crate::text::{
    Document, Entry, Fault, Integer, Mapping, Node, Problems, Scalar, Span, Value, shown,
};
use crate::text::{Shape, Shapes};

/// Most rules of one schema, inner ones too: each may hold a compiled pattern, and
/// all of them stay in memory.
const RULES: usize = 1024;

/// The root key of schemas.
const ROOT: &str = "schema";

/// The types of the language, each with the constraints that say something about it.
const TYPES: [(&str, &[&str]); 8] = [
    ("any", &[]),
    ("boolean", &[]),
    ("float", &["min", "max"]),
    ("integer", &["min", "max"]),
    ("list", &["items", "min_items", "max_items"]),
    (
        "mapping",
        &["fields", "open", "keys", "each", "min_items", "max_items"],
    ),
    (
        "text",
        &["min_length", "max_length", "values", "format", "pattern"],
    ),
    ("timestamp", &["min", "max"]),
];

/// What can be said of every type, and of a field besides.
const OF_TYPES: [&str; 2] = ["type", "description"];
const OF_FIELDS: [&str; 3] = ["required", "since", "until"];

/// The rule for whatever nothing is said about; every schema has it there.
const ANY: RuleId = RuleId::new(0);

/// As [`Schema::read`].
pub(super) fn read(document: &Document<'_>) -> Result<Schema, Problems> {
    let mut problems = Problems::default();
    let schema_of_schemas = embedded::schema_of_schemas();
    schema_of_schemas.validate(document, &mut problems);
    refuse_newer(document, schema_of_schemas.version, &mut problems);
    if !problems.is_empty() {
        return Err(problems);
    }
    let schema = build(document, &mut problems);
    match schema {
        Some(schema) if problems.is_empty() => Ok(schema),
        _ => Err(problems),
    }
}

/// What a later language demands would not be checked.
fn refuse_newer(document: &Document<'_>, newest: u64, problems: &mut Problems) {
    let version = version_of(document).filter(|version| *version > newest);
    if let (Some(version), Some(entry)) = (version, document.root.get(VERSION_KEY)) {
        let why = format!("schemas of version {version} are not known here, only up to {newest}");
        problems.add(Fault::Illegal(why), entry.value.span);
    }
}

/// Makes a schema of a document that looks like one; `None` if it does not.
pub(super) fn build(document: &Document<'_>, problems: &mut Problems) -> Option<Schema> {
    let root = document.root.get(ROOT)?;
    let said = mapping_in(&root.value)?;
    let (name, name_span) = text_of(said, "name")?;
    let version = number_of(said, "version")?;
    let mut builder = Builder {
        version,
        names: HashMap::new(),
        rules: vec![Rule::Any],
        alternatives: Vec::new(),
        keys: Vec::new(),
        problems,
    };
    if name == VERSION_KEY {
        builder.illegal(format!("a schema cannot be called {name:?}"), name_span);
    }
    builder.types(said);
    let root = builder.mapping(said, root.key.span);
    let root = builder.add(Rule::Mapping(root), name_span);
    let document = builder.document(name, root);
    builder.check_alternatives();
    builder.check_keys();
    Some(Schema {
        name: name.into(),
        version,
        document,
        rules: builder.rules,
    })
}

struct Builder<'d, 'p> {
    /// The version of the schema that is made.
    version: u64,
    /// The types under `types:`.
    names: HashMap<&'d str, RuleId>,
    rules: Vec<Rule>,
    /// Each alternative of an `one_of`, to be told apart when all rules are known.
    alternatives: Vec<Vec<(RuleId, Span)>>,
    /// What is said of keys that are no fields, to be looked at as late.
    keys: Vec<(RuleId, Span)>,
    problems: &'p mut Problems,
}

impl<'d> Builder<'d, '_> {
    /// All that is under `types:`.
    fn types(&mut self, said: &'d Mapping<'_>) {
        let Some(types) = said.get("types").and_then(|types| mapping_in(&types.value)) else {
            return;
        };
        let mut defined = Vec::new();
        for entry in &types.entries {
            let (name, span) = (&*entry.key.text, entry.key.span);
            if constraints_of(name).is_some() {
                self.illegal(format!("the language has the type {name:?} itself"), span);
            } else if self.names.contains_key(name) {
                self.problems.add(Fault::DuplicateKey(shown(name)), span);
            } else {
                let id = self.add(Rule::Any, span);
                self.names.insert(name, id);
                defined.push((entry, id));
            }
        }
        for (entry, id) in defined {
            let rule = self.definition(entry);
            self.rules[id.index()] = rule;
        }
    }

    /// A type of its own: another name for one would say nothing, and could go round.
    fn definition(&mut self, entry: &Entry<'_>) -> Rule {
        let Some(said) = mapping_in(&entry.value) else {
            return Rule::Any;
        };
        match text_of(said, "type") {
            Some((name, span)) if self.names.contains_key(name) => {
                let why = format!("{name:?} is only another name; say one of the language's types");
                self.illegal(why, span);
                Rule::Any
            }
            _ => self.rule(said, entry.key.span, &[]),
        }
    }

    /// The rule that a mapping with `type:` or `one_of:` says. `also` are keys that
    /// may stand beside what says it.
    fn id(&mut self, value: &Value<'_>, owner: Span, also: &[&str]) -> RuleId {
        let Some(said) = mapping_in(value) else {
            return ANY;
        };
        let named =
            text_of(said, "type").and_then(|(name, _)| Some((name, *self.names.get(name)?)));
        if let Some((name, id)) = named {
            self.check_constraints(said, name, &[], also);
            return id;
        }
        let rule = self.rule(said, owner, also);
        self.add(rule, owner)
    }

    /// As [`Builder::id`], of the language's own types.
    fn rule(&mut self, said: &Mapping<'_>, owner: Span, also: &[&str]) -> Rule {
        let Some((name, span)) = text_of(said, "type") else {
            return self.one_of(said, owner, also);
        };
        let Some(constraints) = constraints_of(name) else {
            self.problems.add(Fault::UnknownType(shown(name)), span);
            return Rule::Any;
        };
        self.check_constraints(said, name, constraints, also);
        match name {
            "boolean" => Rule::Boolean,
            "float" => Rule::Float(self.bounds(said, ["min", "max"], float_in, "a number")),
            "integer" => {
                Rule::Integer(self.bounds(said, ["min", "max"], integer_in, "a whole number"))
            }
            "list" => Rule::List(self.list(said, owner)),
            "mapping" => Rule::Mapping(self.mapping(said, owner)),
            "text" => Rule::Text(self.text(said)),
            "timestamp" => {
                Rule::Timestamp(self.bounds(said, ["min", "max"], timestamp_in, "a timestamp"))
            }
            _ => Rule::Any,
        }
    }

    fn one_of(&mut self, said: &Mapping<'_>, owner: Span, also: &[&str]) -> Rule {
        let Some(entry) = said.get("one_of") else {
            self.problems
                .add(Fault::MissingKey("type".to_owned()), owner);
            return Rule::Any;
        };
        self.check_constraints(said, "one_of", &["one_of"], also);
        let Node::List(list) = &entry.value.node else {
            return Rule::Any;
        };
        let mut alternatives = Vec::new();
        for item in &list.items {
            let span = first_key(&item.value);
            alternatives.push((self.id(&item.value, span, &[]), span));
        }
        let ids = alternatives.iter().map(|(id, _)| *id).collect();
        self.alternatives.push(alternatives);
        Rule::OneOf(ids)
    }

    fn list(&mut self, said: &Mapping<'_>, owner: Span) -> ListRule {
        let items = match said.get("items") {
            Some(entry) => self.id(&entry.value, entry.key.span, &[]),
            None => {
                self.problems
                    .add(Fault::MissingKey("items".to_owned()), owner);
                ANY
            }
        };
        let count = self.sizes(said, ["min_items", "max_items"]);
        ListRule { count, items }
    }

    /// Also what the schema says of its root, which is a mapping.
    fn mapping(&mut self, said: &Mapping<'_>, owner: Span) -> MappingRule {
        let count = self.sizes(said, ["min_items", "max_items"]);
        let fields = said
            .get("fields")
            .and_then(|fields| mapping_in(&fields.value));
        let others = self.others(said);
        if fields.is_none() && others.is_none() {
            self.problems
                .add(Fault::MissingKey("fields".to_owned()), owner);
        }
        let entries = fields.map_or(&[][..], |fields| &fields.entries);
        let fields = entries
            .iter()
            .take(FIELDS)
            .map(|entry| self.field(entry))
            .collect();
        MappingRule::new(count, fields, others)
    }

    fn others(&mut self, said: &Mapping<'_>) -> Option<Others> {
        let [keys, each] = ["keys", "each"].map(|key| {
            let entry = said.get(key)?;
            Some((self.id(&entry.value, entry.key.span, &[]), entry.key.span))
        });
        let open = said.get("open").filter(|entry| is_true(&entry.value));
        match open {
            Some(open) if keys.is_some() || each.is_some() => {
                let why = "a mapping is open, or says what its keys are".to_owned();
                self.illegal(why, open.key.span);
            }
            None if keys.is_none() && each.is_none() => return None,
            _ => {}
        }
        self.keys.extend(keys);
        let [keys, each] = [keys, each].map(|said| said.map_or(ANY, |(id, _)| id));
        Some(Others { keys, each })
    }

    fn field(&mut self, entry: &Entry<'_>) -> Field {
        let value = self.id(&entry.value, entry.key.span, &OF_FIELDS);
        let said = mapping_in(&entry.value);
        let versions = said.map(|said| {
            for key in ["since", "until"] {
                self.check_version(said, key);
            }
            self.sizes(said, ["since", "until"])
        });
        let required = said.and_then(|said| said.get("required"));
        Field {
            key: entry.key.text.as_ref().into(),
            required: required.is_some_and(|entry| is_true(&entry.value)),
            versions: versions.unwrap_or_default(),
            value,
        }
    }

    /// A field cannot begin or end with a version that is not written yet.
    fn check_version(&mut self, said: &Mapping<'_>, key: &str) {
        let version = self.version;
        let beyond = number_of(said, key).filter(|number| *number > version);
        if let (Some(number), Some(entry)) = (beyond, said.get(key)) {
            let why = format!("version {number} is beyond the schema's, which is {version}");
            self.illegal(why, entry.value.span);
        }
    }

    fn text(&mut self, said: &Mapping<'_>) -> TextRule {
        let values = match said.get("values").map(|entry| &entry.value.node) {
            Some(Node::List(list)) => {
                let texts = list.items.iter().filter_map(|item| text_in(&item.value));
                texts.map(Into::into).collect()
            }
            _ => Vec::new(),
        };
        let format = text_of(said, "format").and_then(|(name, span)| {
            let format = Format::named(name);
            if format.is_none() {
                self.illegal(format!("there is no format {name:?}"), span);
            }
            format
        });
        let pattern = text_of(said, "pattern").and_then(|(pattern, span)| {
            let made = Pattern::new(pattern);
            made.map_err(|why| self.problems.add(Fault::NotAPattern(why), span))
                .ok()
        });
        let length = self.sizes(said, ["min_length", "max_length"]);
        TextRule::new(length, values, format, pattern)
    }

    fn sizes(&mut self, said: &Mapping<'_>, keys: [&str; 2]) -> Bounds<u64> {
        self.bounds(said, keys, size_in, "a whole number")
    }

    /// What two keys say of the least and the most.
    fn bounds<T: PartialOrd>(
        &mut self,
        said: &Mapping<'_>,
        [min, max]: [&str; 2],
        read: fn(&Scalar<'_>) -> Option<T>,
        expected: &'static str,
    ) -> Bounds<T> {
        let [min, max] = [min, max].map(|key| {
            let value = &said.get(key)?.value;
            let bound = match &value.node {
                Node::Scalar(scalar) => read(scalar),
                _ => None,
            };
            if bound.is_none() {
                let found = Shape::of(&value.node).described();
                let fault = Fault::WrongType {
                    expected: expected.into(),
                    found,
                };
                self.problems.add(fault, value.span);
            }
            bound.map(|bound| (bound, value.span))
        });
        let place = max.as_ref().map(|(_, span)| *span).unwrap_or_default();
        let bounds = Bounds::new(min.map(|(min, _)| min), max.map(|(max, _)| max));
        bounds.unwrap_or_else(|| {
            self.problems.add(Fault::CrossedBounds, place);
            Bounds::default()
        })
    }

    /// Keys that say nothing about a type are mistakes about what it is.
    fn check_constraints(&mut self, said: &Mapping<'_>, of: &str, own: &[&str], also: &[&str]) {
        for entry in &said.entries {
            let key = &*entry.key.text;
            if ![own, &OF_TYPES, also]
                .iter()
                .any(|keys| keys.contains(&key))
            {
                let (key, of) = (shown(key), shown(of));
                let fault = Fault::StrayConstraint { key, of };
                self.problems.add(fault, entry.key.span);
            }
        }
    }

    /// Alternatives take different shapes; none takes all of them.
    fn check_alternatives(&mut self) {
        for alternatives in std::mem::take(&mut self.alternatives) {
            let mut taken = Shapes::default();
            for (id, span) in alternatives {
                let shapes = self.rules[id.index()].shapes();
                if shapes == Shapes::ALL || taken.overlaps(shapes) {
                    self.problems.add(Fault::AlikeAlternatives, span);
                }
                taken = taken.with(shapes);
            }
        }
    }

    /// Keys are texts.
    fn check_keys(&mut self) {
        for (id, span) in std::mem::take(&mut self.keys) {
            if !matches!(self.rules[id.index()], Rule::Text(_)) {
                self.illegal("keys are of the type \"text\"".to_owned(), span);
            }
        }
    }

    /// What lies at the top of the documents.
    fn document(&mut self, name: &str, root: RuleId) -> MappingRule {
        let from_one = Bounds::new(Some(Integer::from(1_u64)), None).unwrap_or_default();
        let version = self.add(Rule::Integer(from_one), Span::default());
        let field = |key: &str, required, value| Field {
            key: key.into(),
            required,
            versions: Bounds::default(),
            value,
        };
        let fields = vec![field(name, true, root), field(VERSION_KEY, false, version)];
        MappingRule::new(Bounds::default(), fields, None)
    }

    fn add(&mut self, rule: Rule, span: Span) -> RuleId {
        if self.rules.len() == RULES {
            self.illegal(
                format!("a schema has {RULES} types at most, inner ones too"),
                span,
            );
            return ANY;
        }
        self.rules.push(rule);
        RuleId::new(self.rules.len() - 1)
    }

    fn illegal(&mut self, why: String, span: Span) {
        self.problems.add(Fault::Illegal(why), span);
    }
}

/// The constraints of a type of the language.
fn constraints_of(name: &str) -> Option<&'static [&'static str]> {
    let found = TYPES.iter().find(|(known, _)| *known == name);
    found.map(|(_, constraints)| *constraints)
}
