//! Schemas of the metadata language: a NUL splits the input into the text of a schema
//! and that of documents. Whatever is read as a schema is one by the schema of schemas;
//! it and the embedded ones answer any document with problems that lie in its text.

#![no_main]

use libfuzzer_sys::fuzz_target;
use meta::schema::{Schema, embedded};
use meta::text::{Document, Problems, Source, parse};

fuzz_target!(|input: &[u8]| {
    let (schema, document) = match input.iter().position(|&byte| byte == 0) {
        Some(at) => (&input[..at], &input[at + 1..]),
        None => (input, input),
    };
    let (Ok(schema_source), Ok(source)) = (Source::new(schema), Source::new(document)) else {
        return;
    };
    let schemas = parse(schema_source).tree.documents;
    let documents = parse(source).tree.documents;
    for document in &documents {
        for root in ["file_metadata", "manifest", "schema"] {
            let schema = embedded(root).expect("it is embedded");
            validate(schema, document, source);
        }
    }
    for said in &schemas {
        match Schema::read(said) {
            Ok(schema) => {
                let schema_of_schemas = embedded("schema").expect("it is embedded");
                assert!(validate(schema_of_schemas, said, schema_source));
                for document in &documents {
                    validate(&schema, document, source);
                }
            }
            Err(problems) => {
                assert!(!problems.is_empty());
                check_places(problems, schema_source);
            }
        }
    }
});

/// Whether a document is right.
fn validate(schema: &Schema, document: &Document<'_>, source: Source<'_>) -> bool {
    let mut problems = Problems::default();
    schema.validate(document, &mut problems);
    let valid = problems.is_empty();
    check_places(problems, source);
    valid
}

fn check_places(problems: Problems, source: Source<'_>) {
    for problem in problems.locate(source).0 {
        let (start, end) = (problem.span.start as usize, problem.span.end as usize);
        assert!(source.text().get(start..end).is_some(), "{problem:?}");
        problem.render("input");
        problem.to_json();
    }
}
