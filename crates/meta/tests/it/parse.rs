//! Texts, the trees that are read from them, and their canonical form.

use meta::text::{Node, Scalar, Source, Tree, parse, print};

/// Reads a text without problems and compares the canonical form.
fn check(text: &str, canonical: &str) {
    let parsed = parse(Source::new(text.as_bytes()).unwrap());
    let problems: Vec<String> = parsed.problems.iter().map(|it| it.render("text")).collect();
    assert!(problems.is_empty(), "{text}\n{}", problems.join("\n"));
    assert_eq!(print(&parsed.tree), canonical, "{text}");
}

fn check_same(text: &str) {
    check(text, text);
}

#[test]
fn the_example_is_canonical() {
    check_same(
        r#"file_metadata:
  name: "document.pdf"
  version: 3
  hash: "blake3:00"
  modified: 2026-11-20T15:30:00.000000001Z
  permissions:
    owner: "rw"
  sync_state:
    replicas:
      - node: "server1"
        version: 3
      - node: "server2"
        version: 2
"#,
    );
}

#[test]
fn values() {
    check(
        "a: 1\nb: -0\nc: 1E3\nd: true\ne: false",
        "a: 1\nb: 0\nc: 1000.0\nd: true\ne: false\n",
    );
    check("a:  [] \nb: {}\t", "a: []\nb: {}\n");
    check(
        "t: 2026-11-20T15:30:00.50+01:00",
        "t: 2026-11-20T14:30:00.5Z\n",
    );
    check(
        r#"a: "\u{41}\u{7}\"\\é\u{202e}""#,
        "a: \"A\\u{7}\\\"\\\\é\\u{202e}\"\n",
    );
    check(
        "\"a\": 1\n\"a b\": 2\n\"\": 3",
        "a: 1\n\"a b\": 2\n\"\": 3\n",
    );
}

#[test]
fn layouts() {
    check(
        "a:\n        b: 1\n        c:\n         d: 2\n",
        "a:\n  b: 1\n  c:\n    d: 2\n",
    );
    check("a:\r\n  - 1\r\n  -    2\r\n", "a:\n  - 1\n  - 2\n");
    check(
        "a:\n  \"text\"\nb:\n  -\n    1\n",
        "a: \"text\"\nb:\n  - 1\n",
    );
    check(
        "a:\n  -\n    - 1\n    - 2\n  - - - 3\n",
        "a:\n  - - 1\n    - 2\n  - - - 3\n",
    );
    check("a:\n  -\n    b: 1\n    c: 2", "a:\n  - b: 1\n    c: 2\n");
    check("---\na: 1\n---\n---\nb: 2\n---\n", "a: 1\n---\nb: 2\n");
    check("", "");
    check("---\n---", "");
}

#[test]
fn comments_survive() {
    check_same("# alone\n");
    check_same("# 1\na: 1 # 2\n# 3\nb: # 4\n  # 5\n  c: 2 # 6\n  # 7\n# 8\n");
    check_same("a:\n  # 1\n  - # 2\n    # 3\n    b: 1\n    # 4\n  -\n    # 5\n    c: 2\n  # 6\n");
    check_same("a: 1\n# end\n---\n# start\nb: 2\n");
    check(
        "a: # 1\n  # 2\n  3 # 4\n  # 5\n",
        "# 1\n# 2\na: 3 # 4\n# 5\n",
    );
    check("a: 1\n--- # 1\n---\n# 2\n", "a: 1\n# 1\n# 2\n");
    check("  # 1\n\n   #2\t \na: 1", "# 1\n#2\na: 1\n");
}

#[test]
fn values_are_what_they_say() {
    let text = "n: 18446744073709551615\ns: \"x\"\nl:\n  - true\n";
    let source = Source::new(text.as_bytes()).unwrap();
    let Tree { documents, .. } = parse(source).tree;
    let root = &documents[0].root;
    let node = |key| &root.get(key).unwrap().value.node;
    assert!(matches!(node("n"), Node::Scalar(Scalar::Integer(n)) if n.to_u64() == Some(u64::MAX)));
    assert!(matches!(node("s"), Node::Scalar(Scalar::Text(text)) if text == "x"));
    assert!(matches!(node("l"), Node::List(list) if list.items.len() == 1));
    assert!(root.get("x").is_none());
    let span = root.get("l").unwrap().value.span;
    assert_eq!(&text[span.start as usize..span.end as usize], "- true");
}
