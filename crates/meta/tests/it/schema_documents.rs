//! Documents and schemas: what is wrong where. Problems are `line:column message`.

use meta::schema::Schema;
use meta::text::{
    DEPTH, Document, Entry, Item, List, Mapping, Node, PROBLEMS, Problems, Scalar, Source, parse,
};

/// Reads a schema of the documents `doc`, at version 3, from what stands under it.
pub fn schema(inside: &str) -> Schema {
    let text = format!("schema:\n  name: \"doc\"\n  version: 3\n{inside}");
    let parsed = parse(Source::new(text.as_bytes()).unwrap());
    assert_eq!(parsed.problems, [], "{text}");
    Schema::read(&parsed.tree.documents[0]).unwrap_or_else(|problems| {
        let (problems, _) = problems.locate(Source::new(text.as_bytes()).unwrap());
        panic!("{problems:#?}")
    })
}

/// The problems of a document's text.
pub fn problems(schema: &Schema, text: &str) -> Vec<String> {
    let source = Source::new(text.as_bytes()).unwrap();
    let parsed = parse(source);
    assert_eq!(parsed.problems, [], "{text}");
    let mut problems = Problems::default();
    schema.validate(&parsed.tree.documents[0], &mut problems);
    let (problems, _) = problems.locate(source);
    problems.iter().map(ToString::to_string).collect()
}

/// Checks values of the key `it`, whose type is said by lines.
fn check_value(constraints: &str, cases: &[(&str, &str)]) {
    let lines: String = constraints
        .lines()
        .map(|line| format!("      {line}\n"))
        .collect();
    let schema = schema(&format!("  fields:\n    it:\n{lines}"));
    for (value, problem) in cases {
        let text = format!("doc:\n  it: {value}\n");
        let expected: Vec<&str> = problem.lines().collect();
        assert_eq!(problems(&schema, &text), expected, "{constraints}\n{text}");
    }
}

fn check(inside: &str, text: &str, expected: &[&str]) {
    assert_eq!(problems(&schema(inside), text), expected, "{inside}{text}");
}

#[test]
fn texts() {
    check_value(
        "type: \"text\"\nmin_length: 2\nmax_length: 4",
        &[
            ("\"ab\"", ""),
            ("\"éé\"", ""),
            (
                "\"a\"",
                "2:7: the length in bytes is 1, and 2 to 4 is allowed",
            ),
            (
                "\"ééé\"",
                "2:7: the length in bytes is 6, and 2 to 4 is allowed",
            ),
            (
                "7",
                "2:7: text is expected here, and this is a whole number",
            ),
            ("[]", "2:7: text is expected here, and this is a list"),
        ],
    );
    check_value(
        "type: \"text\"\nvalues:\n  - \"a\"\n  - \"b\"",
        &[
            ("\"b\"", ""),
            ("\"B\"", "2:7: one of \"a\", \"b\" is expected here"),
        ],
    );
    check_value(
        "type: \"text\"\npattern: \"a|ab\"",
        &[
            ("\"ab\"", ""),
            ("\"abc\"", "2:7: this does not match the pattern a|ab"),
        ],
    );
    check_value(
        "type: \"text\"\nformat: \"hex\"",
        &[
            ("\"00ff\"", ""),
            (
                "\"0\"",
                "2:7: an even number of digits of 0-9 and a-f is expected here",
            ),
        ],
    );
}

#[test]
fn a_text_that_is_matched_is_bounded() {
    let long = |length| format!("\"{}\"", "a".repeat(length));
    check_value(
        "type: \"text\"\npattern: \"a*\"",
        &[
            (&long(65536), ""),
            (
                &long(65537),
                "2:7: the length in bytes is 65537, and 65536 or less is allowed",
            ),
        ],
    );
}

#[test]
fn numbers_and_times() {
    check_value(
        "type: \"integer\"\nmin: -1\nmax: 18446744073709551615",
        &[
            ("18446744073709551615", ""),
            (
                "-2",
                "2:7: this is out of range, which is -1 to 18446744073709551615",
            ),
            (
                "1.0",
                "2:7: a whole number is expected here, and this is a number with decimals",
            ),
        ],
    );
    check_value(
        "type: \"float\"\nmin: 1\nmax: 2.5",
        &[
            ("1", ""),
            ("2.5", ""),
            ("3", "2:7: this is out of range, which is 1.0 to 2.5"),
            (
                "true",
                "2:7: a number is expected here, and this is true or false",
            ),
        ],
    );
    check_value(
        "type: \"timestamp\"\nmin: 2000-01-01T00:00:00Z",
        &[
            ("2000-01-01T00:00:00Z", ""),
            (
                "1999-12-31T23:59:59.9Z",
                "2:7: this is out of range, which is 2000-01-01T00:00:00Z or more",
            ),
        ],
    );
    check_value(
        "type: \"boolean\"",
        &[
            ("false", ""),
            (
                "0",
                "2:7: true or false is expected here, and this is a whole number",
            ),
        ],
    );
    check_value("type: \"any\"", &[("0", ""), ("[]", "")]);
}

#[test]
fn alternatives() {
    check_value(
        "one_of:\n  - type: \"text\"\n    max_length: 1\n  - type: \"list\"\n    items:\n      type: \"any\"",
        &[
            ("\"a\"", ""),
            ("[]", ""),
            (
                "\"ab\"",
                "2:7: the length in bytes is 2, and 1 or less is allowed",
            ),
            (
                "1",
                "2:7: text or a list is expected here, and this is a whole number",
            ),
        ],
    );
}

#[test]
fn lists() {
    let inside = "  fields:\n    l:\n      type: \"list\"\n      min_items: 1\n      max_items: 2\n      items:\n        type: \"mapping\"\n        fields:\n          a:\n            type: \"integer\"\n            required: true\n";
    check(inside, "doc:\n  l:\n    - a: 1\n", &[]);
    check(
        inside,
        "doc:\n  l: []\n",
        &["2:3: the number of items is 0, and 1 to 2 is allowed"],
    );
    check(
        inside,
        "doc:\n  l:\n    - a: 1\n    - b: 1\n    - a: \"x\"\n    - {}\n",
        &[
            "4:7: the key \"b\" has no meaning here",
            "4:7: the key \"a\" is missing",
            "5:7: the number of items is 4, and 1 to 2 is allowed",
            "5:10: a whole number is expected here, and this is text",
            "6:7: the key \"a\" is missing",
        ],
    );
}

#[test]
fn keys() {
    let inside = "  fields:\n    name:\n      type: \"text\"\n      required: true\n    version:\n      type: \"integer\"\n      required: true\n";
    check(inside, "doc:\n  version: 1\n  name: \"x\"\n", &[]);
    check(
        inside,
        "doc:\n  vresion: 1\n  colour: 2\n",
        &[
            "1:1: the key \"name\" is missing",
            "2:3: the key \"vresion\" has no meaning here; did you mean \"version\"?",
            "3:3: the key \"colour\" has no meaning here",
        ],
    );
    check(
        inside,
        "docs: {}\n",
        &["1:1: the key \"docs\" has no meaning here; did you mean \"doc\"?"],
    );
    check(
        inside,
        "other: {}\n",
        &[
            "1:1: the key \"other\" has no meaning here",
            "1:1: the key \"doc\" is missing",
        ],
    );
    check(
        inside,
        "doc: []\n",
        &["1:6: a mapping is expected here, and this is a list"],
    );
    check(
        &format!("  open: true\n{inside}"),
        "doc:\n  name: \"x\"\n  version: 1\n  colour: 2\n",
        &[],
    );
}

#[test]
fn other_keys() {
    let inside = "  fields:\n    m:\n      type: \"mapping\"\n      max_items: 2\n      keys:\n        type: \"text\"\n        pattern: \"[a-z]+\"\n      each:\n        type: \"boolean\"\n      fields:\n        X1:\n          type: \"integer\"\n";
    check(inside, "doc:\n  m:\n    X1: 1\n    a: true\n", &[]);
    check(
        inside,
        "doc:\n  m:\n    X1: true\n    a: 1\n    X2: true\n",
        &[
            "3:9: a whole number is expected here, and this is true or false",
            "4:8: true or false is expected here, and this is a whole number",
            "5:5: the number of items is 3, and 2 or less is allowed",
            "5:5: this does not match the pattern [a-z]+",
        ],
    );
}

/// Whichever of two types is written first.
#[test]
fn types_that_are_defined_later() {
    let inside = "  fields:\n    m:\n      type: \"m\"\n  types:\n    m:\n      type: \"mapping\"\n      keys:\n        type: \"word\"\n      each:\n        one_of:\n          - type: \"word\"\n          - type: \"m\"\n    word:\n      type: \"text\"\n      max_length: 1\n";
    check(
        inside,
        "doc:\n  m:\n    a: \"b\"\n    c:\n      d: \"e\"\n",
        &[],
    );
    check(
        inside,
        "doc:\n  m:\n    aa: \"b\"\n    c:\n      d: \"ee\"\n",
        &[
            "3:5: the length in bytes is 2, and 1 or less is allowed",
            "5:10: the length in bytes is 2, and 1 or less is allowed",
        ],
    );
}

#[test]
fn versions() {
    let inside = "  fields:\n    old:\n      type: \"boolean\"\n      required: true\n      until: 1\n    new:\n      type: \"boolean\"\n      required: true\n      since: 2\n    mapping:\n      type: \"mapping\"\n      fields: {}\n";
    check(inside, "doc:\n  new: true\n", &[]);
    check(inside, "schema_version: 1\ndoc:\n  old: true\n", &[]);
    check(
        inside,
        "schema_version: 1\ndoc:\n  new: true\n",
        &[
            "2:1: the key \"old\" is missing",
            "3:3: the key \"new\" exists in version 2 or more, and this document has version 1",
        ],
    );
    check(
        inside,
        "schema_version: 2\ndoc:\n  old: true\n  other: 1\n",
        &[
            "2:1: the key \"new\" is missing",
            "3:3: the key \"old\" exists in version 1 or less, and this document has version 2",
            "4:3: the key \"other\" has no meaning here",
        ],
    );
    // Newer than the schema: what the schema knows must be right all the same.
    check(
        inside,
        "schema_version: 4\nmore: 1\ndoc:\n  new: 1\n  newer: 1\n  mapping:\n    newer: 1\n",
        &["4:8: true or false is expected here, and this is a whole number"],
    );
    check(
        inside,
        "schema_version: 0\ndoc:\n  new: true\n",
        &["1:17: this is out of range, which is 1 or more"],
    );
    check(
        inside,
        "schema_version: \"2\"\ndoc:\n  new: true\n",
        &["1:17: a whole number is expected here, and this is text"],
    );
}

/// A type that contains itself goes as deep as the document does.
#[test]
fn types_within_themselves() {
    let inside = "  fields:\n    tree:\n      type: \"tree\"\n  types:\n    tree:\n      type: \"mapping\"\n      fields:\n        in:\n          type: \"tree\"\n";
    check(inside, "doc:\n  tree:\n    in:\n      in: {}\n", &[]);
    check(
        inside,
        "doc:\n  tree:\n    in:\n      in: 1\n",
        &["4:11: a mapping is expected here, and this is a whole number"],
    );
    let mut node: Node<'_> = Mapping::default().into();
    for _ in 0..10 * DEPTH {
        let entries = vec![Entry::new("in", node)];
        node = Mapping {
            entries,
            ..Mapping::default()
        }
        .into();
    }
    let root = Mapping {
        entries: vec![Entry::new("tree", node)],
        ..Mapping::default()
    };
    let root = Mapping {
        entries: vec![Entry::new("doc", root)],
        ..Mapping::default()
    };
    let mut problems = Problems::default();
    schema(inside).validate(&Document { root }, &mut problems);
    let (problems, _) = problems.locate(Source::new(b"").unwrap());
    let messages: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(messages, ["1:1: nesting is 64 deep at most"]);
}

#[test]
fn problems_are_bounded() {
    let item = || Item {
        value: Node::from(Scalar::Boolean(true)).into(),
        notes: meta::text::Notes::default(),
    };
    let items = std::iter::repeat_with(item).take(PROBLEMS + 10).collect();
    let list = List {
        items,
        ..List::default()
    };
    let root = Mapping {
        entries: vec![Entry::new("l", list)],
        ..Mapping::default()
    };
    let root = Mapping {
        entries: vec![Entry::new("doc", root)],
        ..Mapping::default()
    };
    let schema =
        schema("  fields:\n    l:\n      type: \"list\"\n      items:\n        type: \"text\"\n");
    let mut problems = Problems::default();
    schema.validate(&Document { root }, &mut problems);
    let (problems, more) = problems.locate(Source::new(b"").unwrap());
    assert_eq!((problems.len(), more), (PROBLEMS, 10));
}
