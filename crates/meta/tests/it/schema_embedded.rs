//! The schemas that Atoll embeds: they are schemas, canonical, agree with each other,
//! and find each change of a right document that makes it wrong.

use meta::schema::{Schema, embedded, embedded_text};
use meta::text::{Mapping, Node, Source, parse, print};

use crate::schema_documents::problems;

const ROOTS: [&str; 3] = ["file_metadata", "manifest", "schema"];

const FILE: &str = "file_metadata:
  name: \"document.pdf\"
  version: 3
  kind: \"file\"
  size: 9223372036854775807
  hash: \"blake3:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"
  permissions:
    owner: \"rw\"
    group: \"r\"
    other: \"-\"
  mode: \"0640\"
  mtime: 2026-11-20T15:30:00.000000001Z
  sync_state:
    status: \"synced\"
    last_modified: 2026-11-20T15:30:01Z
    replicas:
      - node: \"server1\"
        version: 3
  attributes:
    user.comment: \"draft\"
    user.icon:
      hex: \"00ff\"
  unrecognized: \"0a01\"
";

#[test]
fn they_are_schemas_and_canonical() {
    for root in ROOTS {
        let text = embedded_text(root).unwrap();
        let parsed = parse(Source::new(text.as_bytes()).unwrap());
        assert_eq!(parsed.problems, [], "{root}");
        assert_eq!(print(&parsed.tree), text, "{root}");
        assert_eq!(problems(embedded("schema").unwrap(), text), [""; 0]);
        let schema = Schema::read(&parsed.tree.documents[0]).unwrap();
        assert_eq!((schema.name(), schema.version()), (root, 1));
        assert_eq!(embedded(root).unwrap().name(), root);
    }
    assert!(embedded("other").is_none() && embedded_text("other").is_none());
}

/// What a manifest says of a file is what a document of its own says, but for the
/// name.
#[test]
fn manifests_say_the_same_of_a_file() {
    let [file, manifest, _] = ROOTS.map(|root| {
        let text = embedded_text(root).unwrap();
        parse(Source::new(text.as_bytes()).unwrap()).tree
    });
    let at = |mapping: &Mapping<'static>, key: &str| match &mapping.get(key).unwrap().value.node {
        Node::Mapping(mapping) => mapping.clone(),
        _ => panic!("{key} is no mapping"),
    };
    let file = at(&file.documents[0].root, "schema");
    let manifest = at(&manifest.documents[0].root, "schema");
    let mut types = at(&manifest, "types");
    let entry = at(&at(&types, "entry"), "fields");
    types.entries.retain(|it| it.key.text != "entry");
    assert_eq!(types, at(&file, "types"));
    assert_eq!(entry.entries[1..], at(&file, "fields").entries[1..]);
}

/// A document that is right, or wrong in the one place that a change touched.
fn check(root: &str, text: &str, changes: &[(&str, &str, &str)]) {
    let schema = embedded(root).unwrap();
    assert_eq!(problems(schema, text), [""; 0]);
    for (from, to, expected) in changes {
        assert_eq!(text.matches(from).count(), 1, "{from}");
        let changed = text.replace(from, to);
        assert_eq!(problems(schema, &changed), [*expected], "{changed}");
    }
}

#[test]
fn a_file_and_what_is_wrong_with_it() {
    let name =
        "2:9: a file name: 1 to 255 bytes without / and NUL, and not . or .. is expected here";
    let hash = "6:9: blake3: or sha256: and 64 digits of 0-9 and a-f is expected here";
    let mode = "11:9: this does not match the pattern [0-7]{1,4}";
    let access =
        "8:12: one of \"-\", \"x\", \"w\", \"wx\", \"r\", \"rx\", \"rw\", \"rwx\" is expected here";
    check(
        "file_metadata",
        FILE,
        &[
            (
                "  version: 3\n  k",
                "  k",
                "1:1: the key \"version\" is missing",
            ),
            ("document.pdf", "", name),
            ("document.pdf", "a/b", name),
            ("document.pdf", "a\\0", name),
            (
                "3\n  kind",
                "-1\n  kind",
                "3:12: this is out of range, which is 0 or more",
            ),
            (
                "\"file\"",
                "\"pipe\"",
                "4:9: one of \"file\", \"directory\", \"symlink\" is expected here",
            ),
            (
                "9223372036854775807",
                "-9223372036854775808",
                "5:9: this is out of range, which is 0 or more",
            ),
            ("blake3:", "md5:", hash),
            ("blake3:0", "blake3:", hash),
            ("blake3:0", "blake3:A", hash),
            ("owner: \"rw\"", "owner: \"wr\"", access),
            ("owner: \"rw\"", "owner: \"\"", access),
            (
                "other: ",
                "others: ",
                "10:5: the key \"others\" has no meaning here; did you mean \"other\"?",
            ),
            ("0640", "0840", mode),
            ("0640", "00640", mode),
            (
                "synced",
                "lost",
                "14:13: one of \"synced\", \"modified\", \"pending\", \"conflict\" is expected here",
            ),
            (
                "server1",
                "",
                "17:15: the length in bytes is 0, and 1 to 128 is allowed",
            ),
            (
                "        version: 3\n",
                "",
                "17:9: the key \"version\" is missing",
            ),
            (
                "        version: 3\n",
                "        version: 0\n",
                "18:18: this is out of range, which is 1 or more",
            ),
            (
                "user.comment",
                "\"\"",
                "20:5: the length in bytes is 0, and 1 to 255 is allowed",
            ),
            (
                "\"draft\"",
                "5",
                "20:19: text or a mapping is expected here, and this is a whole number",
            ),
            (
                "00ff",
                "00f",
                "22:12: an even number of digits of 0-9 and a-f is expected here",
            ),
            (
                "      hex: \"00ff\"",
                "      {}",
                "21:5: the key \"hex\" is missing",
            ),
            (
                "0a01",
                "0A01",
                "23:17: an even number of digits of 0-9 and a-f is expected here",
            ),
            (
                "  mtime: 2026-11-20T15:30:00.000000001Z",
                "  mtime: \"now\"",
                "12:10: a timestamp is expected here, and this is text",
            ),
        ],
    );
}

/// No value of a file is a boolean.
#[test]
fn a_value_of_another_type_is_found_at_its_place() {
    let schema = embedded("file_metadata").unwrap();
    for (index, line) in FILE.lines().enumerate() {
        let Some((key, value)) = line.split_once(": ") else {
            continue;
        };
        let mut lines: Vec<&str> = FILE.lines().collect();
        let changed = format!("{key}: true");
        lines[index] = &changed;
        let found = problems(schema, &lines.join("\n"));
        let place = format!("{}:{}: ", index + 1, key.len() + 3);
        assert_eq!(found.len(), 1, "{line} {value}");
        assert!(found[0].starts_with(&place), "{}", found[0]);
        assert!(found[0].ends_with("expected here, and this is true or false"));
    }
}

#[test]
fn links() {
    let target = "5:11: the length in bytes is 0, and 1 to 4096 is allowed";
    check(
        "file_metadata",
        "file_metadata:\n  name: \"link\"\n  version: 0\n  kind: \"symlink\"\n  target: \"../é\\n\"\n",
        &[
            ("../é\\n", "", target),
            (
                "é\\n",
                "\\0",
                "5:11: this does not match the pattern [^\\x00]*",
            ),
        ],
    );
}

#[test]
fn what_is_many_is_bounded() {
    let replicas = "      - node: \"n\"\n        version: 1\n".repeat(65);
    let attributes: String = (0..257).map(|n| format!("    a{n}: \"\"\n")).collect();
    let text = format!(
        "file_metadata:\n  name: \"x\"\n  version: 1\n  sync_state:\n    status: \"synced\"\n    replicas:\n{replicas}  attributes:\n{attributes}"
    );
    assert_eq!(
        problems(embedded("file_metadata").unwrap(), &text),
        [
            "135:9: the number of items is 65, and 64 or less is allowed",
            "394:5: the number of items is 257, and 256 or less is allowed",
        ]
    );
}

#[test]
fn a_folder_and_what_is_wrong_with_it() {
    let text = "manifest:
  space: \"7-seas\"
  created: 2026-11-20T15:30:00Z
  entries:
    - path: \".\"
      version: 0
      kind: \"directory\"
    - path: \"a/b\"
      version: 1
";
    let slug = "2:10: this does not match the pattern [0-9]*[a-z-][a-z0-9-]*";
    let path = "8:13: a relative path: names of 1 to 255 bytes without NUL, none of them . or .., with / between them; or . alone is expected here";
    check(
        "manifest",
        text,
        &[
            ("7-seas", "7", slug),
            ("7-seas", "Seas", slug),
            (
                "      version: 1\n",
                "",
                "8:7: the key \"version\" is missing",
            ),
            ("a/b", "a//b", path),
            ("a/b", "a/../b", path),
            ("a/b", "/a", path),
        ],
    );
    check("manifest", "manifest:\n  entries: []\n", &[]);
}
