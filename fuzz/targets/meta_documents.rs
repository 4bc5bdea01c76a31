//! Documents of files and folders: any text gives a document or problems that can be
//! shown; a document is printed as a text that means the same, and encoded as bytes that
//! do. A manifest that is read entry by entry is the one that is read as a whole.

#![no_main]

use libfuzzer_sys::fuzz_target;
use meta::binary::{Compression, decode, encode_files, encode_manifest};
use meta::form::{Described, described, file_metadata_document, manifest_document, read_manifest, text_of};
use meta::text::{Problems, Source, parse};

fuzz_target!(|input: &[u8]| {
    let Ok(source) = Source::new(input) else {
        return;
    };
    let parsed = parse(source);
    let mut entries = Vec::new();
    let header = read_manifest(source, |entry| entries.push(entry));
    for document in &parsed.tree.documents {
        let mut problems = Problems::default();
        match described(document, &mut problems) {
            None => assert!(!problems.locate(source).0.is_empty()),
            Some(described) => {
                assert!(problems.is_empty());
                check(&described);
                let is_alone = parsed.tree.documents.len() == 1 && parsed.problems.is_empty();
                if let Described::Folder(manifest) = described
                    && is_alone
                {
                    assert_eq!(header.as_ref(), Ok(&manifest.header));
                    assert_eq!(&entries[..], manifest.entries());
                }
            }
        }
    }
});

fn check(it: &Described) {
    let (document, bytes) = match it {
        Described::File(file) => (
            file_metadata_document(file),
            encode_files([file], Compression::None),
        ),
        Described::Folder(manifest) => (
            manifest_document(manifest),
            encode_manifest(manifest, Compression::Zstd),
        ),
    };
    assert_eq!(decode(&bytes).as_ref(), Ok(&vec![it.clone()]));
    let text = text_of(document);
    let source = Source::new(text.as_bytes()).expect("what was read is far below the limit");
    let parsed = parse(source);
    assert_eq!(parsed.problems, Vec::new(), "{text}");
    let mut problems = Problems::default();
    let again = described(&parsed.tree.documents[0], &mut problems);
    assert_eq!(again.as_ref(), Some(it), "{text}");
}
