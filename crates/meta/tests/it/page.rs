//! The page docs/metadata.md says what is true: its texts are read as they stand,
//! and it has every problem with its message and hint.

use meta::form::{Described, described, file_metadata_document, manifest_document};
use meta::text::{Fault, Problems, Source, parse, print};

const PAGE: &str = include_str!("../../../../docs/metadata.md");

/// What stands on the page between fences, whatever a fence says of it.
fn blocks() -> Vec<&'static str> {
    let blocks = PAGE.split("```").skip(1).step_by(2);
    blocks
        .filter_map(|block| Some(block.split_once('\n')?.1))
        .collect()
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
        Fault::AlikeAlternatives,
        Fault::BesideScalar,
        Fault::ControlCharacter('\u{1b}'),
        Fault::CrossedBounds,
        Fault::DashAmongKeys,
        Fault::DuplicateKey("name".to_owned()),
        Fault::ExpectedColon,
        Fault::ExpectedKey,
        Fault::Illegal("a directory has no size".to_owned()),
        Fault::InlineCollection,
        Fault::InlineList,
        Fault::InlineMapping,
        Fault::ItemCount {
            count: 65,
            allowed: "64 or less".to_owned(),
        },
        Fault::KeyAmongItems,
        Fault::ListNotIndented,
        Fault::Misaligned,
        Fault::MissingKey("version".to_owned()),
        Fault::MissingValue,
        Fault::MisspelledKey {
            key: "vresion".to_owned(),
            meant: "version".to_owned(),
        },
        Fault::NoCharacter,
        Fault::NoMatch("[0-7]{1,4}".to_owned()),
        Fault::NotANumber,
        Fault::NotAPattern("unclosed group".to_owned()),
        Fault::NotATimestamp,
        Fault::NotOneOf(r#""file", "directory", "symlink""#.to_owned()),
        Fault::NotUtf8,
        Fault::NumberRange,
        Fault::OtherVersion {
            key: "rating".to_owned(),
            versions: "2 or more".to_owned(),
            version: 1,
        },
        Fault::OutOfRange("0 to 5".to_owned()),
        Fault::RootNotMapping,
        Fault::StrayConstraint {
            key: "pattern".to_owned(),
            of: "list".to_owned(),
        },
        Fault::Tab,
        Fault::TextLength {
            length: 300,
            allowed: "1 to 255".to_owned(),
        },
        Fault::TooDeep,
        Fault::TooLarge(5_000_000_000),
        Fault::TrailingText,
        Fault::UnclosedString,
        Fault::UnexpectedIndentation,
        Fault::UnknownEscape,
        Fault::UnknownKey("colour".to_owned()),
        Fault::UnknownType("txt".to_owned()),
        Fault::UnquotedKey,
        Fault::UnquotedText,
        Fault::WrongFormat("an even number of digits of 0-9 and a-f"),
        Fault::WrongType {
            expected: "a whole number".into(),
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
