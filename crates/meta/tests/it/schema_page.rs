//! The page docs/schemas.md says what is true: its schema is one, its documents are
//! right, its problem is shown so, and it names everything that a schema can say.

use meta::schema::{Schema, embedded_text};
use meta::text::{Mapping, Node, Problems, Source, parse, print};

use crate::schema_documents::problems;

const PAGE: &str = include_str!("../../../../docs/schemas.md");

/// The text between fences that begins so.
fn block(start: &str) -> &'static str {
    let mut blocks = PAGE.split("```\n").skip(1).step_by(2);
    blocks.find(|block| block.starts_with(start)).unwrap()
}

fn example() -> Schema {
    let text = block("schema:");
    let parsed = parse(Source::new(text.as_bytes()).unwrap());
    assert_eq!(parsed.problems, []);
    let words = |text: &str| {
        text.split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(words(&print(&parsed.tree)), words(text));
    Schema::read(&parsed.tree.documents[0]).unwrap()
}

#[test]
fn its_documents_are_right() {
    let schema = example();
    for start in ["album:", "schema_version:"] {
        assert_eq!(problems(&schema, block(start)), [""; 0]);
    }
}

#[test]
fn its_problem_is_shown_so() {
    let second = "  labels:\n";
    let slip = "    - pth: \"2026/å.jpg\"\n  labels:\n";
    let text = block("album:").replace(second, slip);
    let source = Source::new(text.as_bytes()).unwrap();
    let mut problems = Problems::default();
    example().validate(&parse(source).tree.documents[0], &mut problems);
    let (problems, _) = problems.locate(source);
    let rendered = problems[0].render("lofoten.atollmeta") + "\n";
    assert_eq!(block("error:"), rendered);
}

/// The keys of a mapping in an embedded schema.
fn fields(root: &str, path: &[&str]) -> Vec<String> {
    let text = embedded_text(root).unwrap();
    let tree = parse(Source::new(text.as_bytes()).unwrap()).tree;
    let mut mapping: &Mapping<'_> = &tree.documents[0].root;
    for key in path {
        match &mapping.get(key).unwrap().value.node {
            Node::Mapping(inner) => mapping = inner,
            _ => panic!("{key} is no mapping"),
        }
    }
    let keys = mapping
        .entries
        .iter()
        .map(|entry| entry.key.text.to_string());
    keys.collect()
}

#[test]
fn it_names_everything() {
    let rows = |root, path: &[&str]| {
        for key in fields(root, path) {
            assert!(PAGE.contains(&format!("\n| `{key}` | ")), "{root}: {key}");
        }
    };
    rows("schema", &["schema", "fields"]);
    rows("file_metadata", &["schema", "fields"]);
    rows("manifest", &["schema", "fields"]);
    for key in fields("schema", &["schema", "types", "constraints", "fields"]) {
        assert!(
            PAGE.contains(&format!("`{key}`")) || PAGE.contains(&format!("`{key}:")),
            "{key}"
        );
    }
    let schemas = embedded_text("schema").unwrap();
    for format in ["hash", "hex", "name", "path"] {
        assert!(schemas.contains(&format!("- \"{format}\"\n")));
        assert!(PAGE.contains(&format!("\n| `{format}` | ")));
    }
}
