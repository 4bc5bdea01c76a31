//! Schemas that are none: what is wrong where. Problems are `line:column message`.

use std::fmt::Write;

use meta::schema::Schema;
use meta::text::{Source, parse};

/// Checks what stands under `schema:` behind its name and version, so that its first
/// line is the fourth.
fn check(inside: &str, expected: &[&str]) {
    check_text(
        &format!("schema:\n  name: \"doc\"\n  version: 2\n{inside}"),
        expected,
    );
}

fn check_text(text: &str, expected: &[&str]) {
    let source = Source::new(text.as_bytes()).unwrap();
    let parsed = parse(source);
    assert_eq!(parsed.problems, [], "{text}");
    let found = match Schema::read(&parsed.tree.documents[0]) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.locate(source).0,
    };
    let found: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(found, expected, "{text:.2000}");
}

/// Checks a type, said by lines from the sixth on, at column 7.
fn check_type(constraints: &str, expected: &[&str]) {
    let lines = constraints.lines().map(|line| format!("      {line}\n"));
    check(
        &format!("  fields:\n    it:\n{}", lines.collect::<String>()),
        expected,
    );
}

#[test]
fn what_does_not_look_like_a_schema() {
    check_text(
        "file_metadata: {}\n",
        &[
            "1:1: the key \"file_metadata\" has no meaning here",
            "1:1: the key \"schema\" is missing",
        ],
    );
    check_text(
        "schema:\n  name: \"Doc\"\n  version: 0\n  feilds: []\n",
        &[
            "2:9: this does not match the pattern [a-z][a-z0-9_]*",
            "3:12: this is out of range, which is 1 to 9223372036854775807",
            "4:3: the key \"feilds\" has no meaning here; did you mean \"fields\"?",
        ],
    );
    check_type(
        "type: \"text\"\nmax_lenght: 3\nmin_length: -1\nformat: \"octal\"\nvalues: []",
        &[
            "7:7: the key \"max_lenght\" has no meaning here; did you mean \"max_length\"?",
            "8:19: this is out of range, which is 0 to 9223372036854775807",
            "9:15: one of \"hash\", \"hex\", \"name\", \"path\" is expected here",
            "10:7: the number of items is 0, and 1 to 256 is allowed",
        ],
    );
    check_text(
        "schema_version: 2\nschema:\n  name: \"doc\"\n  version: 1\n  fields: {}\n  newer: true\n",
        &["1:17: schemas of version 2 are not known here, only up to 1"],
    );
    check_text(
        "schema:\n  name: \"schema_version\"\n  version: 1\n  fields: {}\n",
        &["2:9: a schema cannot be called \"schema_version\""],
    );
}

#[test]
fn types_that_are_none() {
    check_type("type: \"txt\"", &["6:13: there is no type \"txt\""]);
    check_type("required: true", &["5:5: the key \"type\" is missing"]);
    check_type("type: \"list\"", &["5:5: the key \"items\" is missing"]);
    check_type("type: \"mapping\"", &["5:5: the key \"fields\" is missing"]);
    check_type(
        "type: \"mapping\"\nopen: true\neach:\n  type: \"any\"",
        &["7:7: a mapping is open, or says what its keys are"],
    );
    check_type(
        "type: \"mapping\"\nkeys:\n  type: \"integer\"",
        &["7:7: keys are of the type \"text\""],
    );
}

#[test]
fn constraints_of_other_types() {
    check_type(
        "type: \"integer\"\nmin: 1\nmax_length: 2\none_of:\n  - type: \"text\"",
        &[
            "8:7: \"max_length\" says nothing about the type \"integer\"",
            "9:7: \"one_of\" says nothing about the type \"integer\"",
        ],
    );
    check_type(
        "type: \"list\"\nitems:\n  type: \"any\"\n  required: true",
        &["9:9: \"required\" says nothing about the type \"any\""],
    );
    check(
        "  fields:\n    it:\n      type: \"size\"\n      max: 3\n  types:\n    size:\n      type: \"integer\"\n      since: 1\n",
        &[
            "7:7: \"max\" says nothing about the type \"size\"",
            "11:7: \"since\" says nothing about the type \"integer\"",
        ],
    );
}

#[test]
fn bounds_that_nothing_lies_between() {
    let crossed = &["8:12: nothing lies between these bounds"];
    check_type("type: \"integer\"\nmin: 2\nmax: 1", crossed);
    check_type("type: \"float\"\nmin: 2\nmax: 1.5", crossed);
    check_type(
        "type: \"timestamp\"\nmin: 2001-01-01T00:00:00Z\nmax: 2000-01-01T00:00:00Z",
        crossed,
    );
    check_type(
        "type: \"text\"\nmin_length: 2\nmax_length: 1",
        &["8:19: nothing lies between these bounds"],
    );
    check_type(
        "type: \"any\"\nsince: 2\nuntil: 1",
        &["8:14: nothing lies between these bounds"],
    );
    check_type(
        "type: \"any\"\nsince: 3",
        &["7:14: version 3 is beyond the schema's, which is 2"],
    );
    check_type(
        "type: \"integer\"\nmin: 1.5",
        &["7:12: a whole number is expected here, and this is a number with decimals"],
    );
    check_type(
        "type: \"timestamp\"\nmin: 1",
        &["7:12: a timestamp is expected here, and this is a whole number"],
    );
}

#[test]
fn patterns_that_are_none() {
    check_type(
        "type: \"text\"\npattern: \"(\"",
        &["7:16: this is no pattern: found open group without closing ')'"],
    );
    check_type(
        "type: \"text\"\npattern: \"(a{1000}){1000}\"",
        &["7:16: this is no pattern: compiled regex exceeded size limit"],
    );
}

#[test]
fn alternatives_that_are_alike() {
    let alike = "this alternative cannot be told from the others";
    check_type(
        "one_of:\n  - type: \"text\"\n  - type: \"text\"\n    max_length: 1\n  - type: \"any\"",
        &[&format!("8:11: {alike}"), &format!("10:11: {alike}")],
    );
    check_type(
        "one_of:\n  - type: \"integer\"\n  - type: \"float\"",
        &[&format!("8:11: {alike}")],
    );
    check(
        "  fields:\n    it:\n      type: \"a\"\n  types:\n    a:\n      one_of:\n        - type: \"a\"\n",
        &[&format!("10:11: {alike}")],
    );
}

#[test]
fn names_of_types() {
    check(
        "  fields: {}\n  types:\n    a:\n      type: \"b\"\n    b:\n      type: \"a\"\n    text:\n      type: \"any\"\n",
        &[
            "7:13: \"b\" is only another name; say one of the language's types",
            "9:13: \"a\" is only another name; say one of the language's types",
            "10:5: the language has the type \"text\" itself",
        ],
    );
}

#[test]
fn sizes_are_bounded() {
    let fields = |count: usize, start: usize| {
        let mut text = String::new();
        for number in start..start + count {
            writeln!(text, "    f{number}:\n      type: \"any\"").unwrap();
        }
        text
    };
    check(&format!("  fields:\n{}", fields(128, 0)), &[]);
    check(
        &format!("  fields:\n{}", fields(129, 0)),
        &["261:5: the number of items is 129, and 128 or less is allowed"],
    );
    // Two of the 1024 are the root's rule and that of whatever nothing is said about,
    // and one is that of `schema_version`.
    check(
        &format!("  fields: {{}}\n  types:\n{}", fields(1021, 0)),
        &[],
    );
    check(
        &format!("  fields: {{}}\n  types:\n{}", fields(1024, 0)),
        &[
            "1:1: a schema has 1024 types at most, inner ones too",
            "2:9: a schema has 1024 types at most, inner ones too",
            "2052:5: a schema has 1024 types at most, inner ones too",
        ],
    );
}
