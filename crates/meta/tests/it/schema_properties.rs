//! What holds for every text that is taken for a schema, and every document: texts are
//! made of the lines of real ones, so that many of them are nearly right.

use meta::schema::{Schema, embedded, embedded_text};
use meta::text::{Document, Problems, Source, parse};
use proptest::collection::vec;
use proptest::prelude::*;

/// A real text in which some lines are others, or come twice, or are left out.
fn mutated(text: &'static str) -> impl Strategy<Value = String> {
    let lines: Vec<&'static str> = text.lines().collect();
    let piece = prop_oneof![
        4 => prop::sample::select(lines.clone()).prop_map(str::to_owned),
        1 => prop::sample::select(vec![
            "      type: \"entry\"", "      type: \"constraints\"", "      one_of: []",
            "      type: \"mapping\"", "      min: -1.5", "      max: 2026-11-20T15:30:00Z",
            "      open: true", "      pattern: \"(a*)*|[\"", "      since: 1", "    x: []",
            "schema_version: 2", "schema_version: -1", "", "---",
        ]).prop_map(str::to_owned),
        1 => any::<String>(),
    ];
    let changes = vec((0..lines.len(), 0..3_usize, piece), 0..6);
    changes.prop_map(move |changes| {
        let mut lines: Vec<String> = lines.iter().map(|&line| line.to_owned()).collect();
        for (at, kept, piece) in changes {
            let end = (at + kept).min(lines.len());
            lines.splice(at.min(end)..end, [piece]);
        }
        lines.join("\n")
    })
}

fn text() -> impl Strategy<Value = String> {
    let real = ["file_metadata", "manifest", "schema"].map(|root| embedded_text(root).unwrap());
    prop_oneof![
        mutated(real[0]),
        mutated(real[1]),
        mutated(real[2]),
        mutated(
            "schema_version: 1\nfile_metadata:\n  name: \"x\"\n  version: 1\n  attributes:\n    a:\n      hex: \"00\"\n"
        ),
    ]
}

/// Every problem lies in the text that it was found in.
fn check_places(problems: Problems, source: Source<'_>) {
    for problem in problems.locate(source).0 {
        let (start, end) = (problem.span.start as usize, problem.span.end as usize);
        assert!(source.text().get(start..end).is_some());
        assert!(problem.line > 1 || problem.column > 1 || start == 0);
    }
}

fn validate(schema: &Schema, document: &Document<'_>, source: Source<'_>) -> bool {
    let mut problems = Problems::default();
    schema.validate(document, &mut problems);
    let valid = problems.is_empty();
    check_places(problems, source);
    valid
}

proptest! {
    #[test]
    fn what_is_read_is_a_schema_and_validates_anything(schema in text(), document in text()) {
        let [schema_source, source] = [&schema, &document].map(|it| Source::new(it.as_bytes()).unwrap());
        let documents = parse(source).tree.documents;
        for document in &documents {
            for root in ["file_metadata", "manifest", "schema"] {
                validate(embedded(root).unwrap(), document, source);
            }
        }
        for said in &parse(schema_source).tree.documents {
            match Schema::read(said) {
                Ok(schema) => {
                    prop_assert!(validate(embedded("schema").unwrap(), said, schema_source));
                    for document in &documents {
                        validate(&schema, document, source);
                    }
                }
                Err(problems) => {
                    prop_assert!(!problems.is_empty());
                    check_places(problems, schema_source);
                }
            }
        }
    }
}
