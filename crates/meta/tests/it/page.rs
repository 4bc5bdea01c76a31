//! The page docs/metadata.md says what is true: its texts are read as they stand,
//! and it has every problem with its message and hint.

use meta::form::{Described, described, file_metadata_document, manifest_document};
use meta::text::{Fault, Problems, Source, parse, print};

const PAGE: &str = include_str!("../../../../docs/metadata.md");

/// What stands on the page between fences.
fn blocks() -> Vec<&'static str> {
    PAGE.split("```\n").skip(1).step_by(2).collect()
}

fn words(text: &str) -> Vec<&str> {
    text.split_whitespace().collect()
}

/// But for blanks, which set comments apart there.
#[test]
fn its_texts_are_read_and_canonical_but_for_blanks() {
    for start in ["# A comment", "replicas:"] {
        let text = blocks()
            .into_iter()
            .find(|block| block.starts_with(start))
            .unwrap();
        let parsed = parse(Source::new(text.as_bytes()).unwrap());
        assert_eq!(parsed.problems, []);
        assert_eq!(words(&print(&parsed.tree)), words(text));
    }
}

/// Its documents are canonical, and mean something.
#[test]
fn its_documents_are_read_and_printed_as_they_stand() {
    for start in [
        "file_metadata:\n  name: \"document.pdf\"\n  version: 3\n  size",
        "manifest:",
    ] {
        let text = blocks()
            .into_iter()
            .find(|block| block.starts_with(start))
            .unwrap();
        let source = Source::new(text.as_bytes()).unwrap();
        let parsed = parse(source);
        let mut problems = Problems::default();
        let read = described(&parsed.tree.documents[0], &mut problems);
        let document = match read.as_ref().unwrap() {
            Described::File(file) => file_metadata_document(file),
            Described::Folder(manifest) => manifest_document(manifest),
        };
        assert_eq!(document, parsed.tree.documents[0]);
        assert_eq!(print(&parsed.tree), text);
    }
}

#[test]
fn its_problem_is_rendered_so() {
    let text = "file_metadata:\n  name: photo.jpg\n";
    let parsed = parse(Source::new(text.as_bytes()).unwrap());
    let rendered = parsed.problems[0].render("photo.atollmeta") + "\n";
    assert!(blocks().contains(&rendered.as_str()), "{rendered}");
}

#[test]
fn it_has_every_problem() {
    let faults = [
        Fault::BesideScalar,
        Fault::ControlCharacter('\u{1b}'),
        Fault::DashAmongKeys,
        Fault::DuplicateKey("name".to_owned()),
        Fault::ExpectedColon,
        Fault::ExpectedKey,
        Fault::Illegal("a directory has no size".to_owned()),
        Fault::InlineCollection,
        Fault::InlineList,
        Fault::InlineMapping,
        Fault::KeyAmongItems,
        Fault::ListNotIndented,
        Fault::Misaligned,
        Fault::MissingKey("version".to_owned()),
        Fault::MissingValue,
        Fault::NoCharacter,
        Fault::NotANumber,
        Fault::NotATimestamp,
        Fault::NotUtf8,
        Fault::NumberRange,
        Fault::RootNotMapping,
        Fault::Tab,
        Fault::TooDeep,
        Fault::TooLarge(5_000_000_000),
        Fault::TrailingText,
        Fault::UnclosedString,
        Fault::UnexpectedIndentation,
        Fault::UnknownEscape,
        Fault::UnknownKey("vresion".to_owned()),
        Fault::UnquotedKey,
        Fault::UnquotedText,
        Fault::WrongType {
            expected: "a whole number",
            found: "text",
        },
    ];
    assert!(faults.is_sorted_by_key(|fault| fault.code()));
    let entries = faults.iter().map(|fault| {
        let (code, hint) = (fault.code(), fault.hint());
        format!("{code}\n  {fault}\n  hint: {hint}\n")
    });
    let expected: String = entries.collect();
    let found = blocks().pop().unwrap();
    assert!(found == expected, "the page should end with\n{expected}");
}
