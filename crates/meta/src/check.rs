//! Everything that is wrong with a text: how it is written, whether its documents have
//! what their schemas say, and what they mean.
//!
//! Each of these is looked at only where the one before found nothing: what a slip of
//! the pen leaves out of the tree is no missing key.

use crate::form::{FILE_METADATA, MANIFEST, SCHEMA_VERSION, described};
use crate::schema::{Schema, embedded};
use crate::text::{Document, Entry, Fault, Problem, Problems, Source, parse, shown};

/// The root key of schemas.
const SCHEMA: &str = "schema";

/// What is wrong with a text, in its order, and how much more there was. Documents with
/// the root key that `own` describes must be as it says, all others as the schemas that
/// Atoll brings.
pub fn check(source: Source<'_>, own: Option<&Schema>) -> (Vec<Problem>, usize) {
    let parsed = parse(source);
    if !parsed.problems.is_empty() {
        return (parsed.problems, parsed.more_problems);
    }
    let mut problems = Problems::default();
    for document in &parsed.tree.documents {
        check_document(document, own, &mut problems);
    }
    problems.locate(source)
}

fn check_document(document: &Document<'_>, own: Option<&Schema>, problems: &mut Problems) {
    let Some(root) = root(document) else {
        return;
    };
    let key = &*root.key.text;
    let own = own.filter(|schema| schema.name() == key);
    let Some(schema) = own.or_else(|| embedded(key)) else {
        let unknown = Fault::UnknownKey(shown(key));
        return problems.add(unknown, root.key.span);
    };
    let mut found = Problems::default();
    schema.validate(document, &mut found);
    if found.is_empty() && own.is_none() {
        match key {
            SCHEMA => found = Schema::read(document).err().unwrap_or_default(),
            FILE_METADATA | MANIFEST => {
                described(document, &mut found);
            }
            _ => {}
        }
    }
    problems.append(found);
}

/// The entry that says what a document describes: the first that is not its version.
fn root<'t, 'a>(document: &'t Document<'a>) -> Option<&'t Entry<'a>> {
    let mut entries = document.root.entries.iter();
    let root = entries.find(|entry| entry.key.text != SCHEMA_VERSION);
    root.or(document.root.entries.first())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_text(text: &str, own: Option<&Schema>, expected: &[&str]) {
        let source = Source::new(text.as_bytes()).expect("a short text");
        let (problems, more) = check(source, own);
        let found: Vec<_> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(found, expected);
        assert_eq!(more, 0);
    }

    #[test]
    fn each_look_comes_when_the_one_before_found_nothing() {
        let slip = "2:9: text needs quotes";
        check_text("file_metadata:\n  name: a\n", None, &[slip]);
        let lacks = "1:1: the key \"version\" is missing";
        check_text(
            "file_metadata:\n  name: \"a\"\n  target: \"b\"\n",
            None,
            &[lacks],
        );
        let means = "4:11: a file has no such thing";
        let text = "file_metadata:\n  name: \"a\"\n  version: 1\n  target: \"b\"\n";
        check_text(text, None, &[means]);
        check_text(
            &text.replace("target", "hash").replace("\"b\"", &hash()),
            None,
            &[],
        );
    }

    fn hash() -> String {
        format!("\"sha256:{}\"", "0".repeat(64))
    }

    #[test]
    fn documents_are_of_a_kind_that_is_known() {
        check_text("", None, &[]);
        let unknown = "1:1: the key \"recipe\" has no meaning here";
        check_text("recipe:\n  name: \"soup\"\n", None, &[unknown]);
        let own = "schema:\n  name: \"recipe\"\n  version: 1\n  fields:\n    name:\n      type: \"text\"\n";
        check_text(own, None, &[]);
        let parsed = parse(Source::new(own.as_bytes()).expect("a short text"));
        let schema = Schema::read(&parsed.tree.documents[0]).expect("a schema");
        check_text("recipe:\n  name: \"soup\"\n", Some(&schema), &[]);
        let wrong = "2:9: text is expected here, and this is a whole number";
        check_text(
            "recipe:\n  name: 1\n---\nfile_metadata: 1\n",
            Some(&schema),
            &[
                wrong,
                "4:16: a mapping is expected here, and this is a whole number",
            ],
        );
    }
}
