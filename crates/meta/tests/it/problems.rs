//! Wrong texts: which problems are found where, what is still understood, and
//! how a problem is shown.

use meta::text::{DEPTH, Fault, PROBLEMS, SOURCE_BYTES, Source, parse, print};

/// Reads a text; problems as `line:column code`, the rest as canonical text.
fn check(text: &str, problems: &[&str], understood: &str) {
    let parsed = parse(Source::new(text.as_bytes()).unwrap());
    let found: Vec<String> = parsed
        .problems
        .iter()
        .map(|it| format!("{}:{} {}", it.line, it.column, it.fault.code()))
        .collect();
    assert_eq!(found, problems, "{text:.200}");
    assert_eq!(print(&parsed.tree), understood, "{text:.200}");
}

#[test]
fn the_next_entry_is_read() {
    check("a: \"x\nb: 1", &["1:4 unclosed-string"], "a: \"x\"\nb: 1\n");
    check(
        "a: \"\\x\"\nb: 1",
        &["1:5 unknown-escape"],
        "a: \"\"\nb: 1\n",
    );
    check("a: \"\\u{d800}\"", &["1:5 no-character"], "a: \"\"\n");
    check("a: \"\t\"", &["1:5 control-character"], "a: \"\"\n");
    check(
        "a: x.pdf (2) # c\nb: 1",
        &["1:4 unquoted-text"],
        "a: \"x.pdf (2)\" # c\nb: 1\n",
    );
    check("a: 007\nb: 1", &["1:4 not-a-number"], "b: 1\n");
    check("a: 1e999\nb: 1", &["1:4 number-range"], "b: 1\n");
    check("a: 2026-11-20\nb: 1", &["1:4 not-a-timestamp"], "b: 1\n");
    check(
        "a:\nb: 1\nc: # x",
        &["1:1 missing-value", "3:1 missing-value"],
        "b: 1\n",
    );
    check("l:\n  -\n  - 1", &["2:3 missing-value"], "l:\n  - 1\n");
    check(
        "a: 1 2\nb: \"x\" y z",
        &["1:6 trailing-text", "2:8 trailing-text"],
        "a: 1\nb: \"x\"\n",
    );
    check("a: 1\na: 2\nb: 3", &["2:1 duplicate-key"], "a: 1\nb: 3\n");
    check(
        "größe: 1\n8: 2",
        &["1:1 unquoted-key", "2:1 unquoted-key"],
        "\"größe\": 1\n\"8\": 2\n",
    );
    check("a\nb: 1", &["1:1 expected-colon"], "b: 1\n");
    check(
        "[]\n: 1\nb: 1",
        &["1:1 expected-key", "2:1 expected-key"],
        "b: 1\n",
    );
}

#[test]
fn blocks_that_do_not_belong() {
    check(
        "a: 1\n  b: 2\nc: 3",
        &["2:3 unexpected-indentation"],
        "a: 1\nb: 2\nc: 3\n",
    );
    check(
        "  a: 1\nb: 2",
        &["1:3 unexpected-indentation"],
        "a: 1\nb: 2\n",
    );
    check(
        "a:\n    b: 1\n  c: 2",
        &["3:1 misaligned"],
        "a:\n  b: 1\n  c: 2\n",
    );
    check("a:\n\tb: 1", &["2:1 tab"], "a:\n  b: 1\n");
    check(
        "a:\n- 1\n- 2\nb: 3",
        &["2:1 list-not-indented"],
        "a:\n  - 1\n  - 2\nb: 3\n",
    );
    check(
        "a: 1\n- x: 2\n  y: 3\nb: 4",
        &["2:1 dash-among-keys"],
        "a: 1\nb: 4\n",
    );
    check(
        "l:\n  - 1\n  a: 2\n  - 3",
        &["3:3 key-among-items"],
        "l:\n  - 1\n  - 3\n",
    );
    check("a: b: 1\n  c: 2\nd: 3", &["1:4 inline-mapping"], "d: 3\n");
    check("a: http://x\nd: 3", &["1:4 inline-mapping"], "d: 3\n");
    check("a: - 1\nd: 3", &["1:4 inline-list"], "d: 3\n");
    check(
        "a: [1, 2]\nb: {c: 1}",
        &["1:4 inline-collection", "2:4 inline-collection"],
        "",
    );
    check(
        "a:\n  1\n  b: 2\nc: 3",
        &["3:3 beside-scalar"],
        "a: 1\nc: 3\n",
    );
    check("- 1\n---\na: 1", &["1:1 root-not-mapping"], "a: 1\n");
}

#[test]
fn many_keys_are_searched_too() {
    let mut text: String = (0..100).map(|n| format!("k{n}: {n}\n")).collect();
    let canonical = text.clone();
    text.push_str("\"k7\": 1\nk99: 1\n");
    check(
        &text,
        &["101:1 duplicate-key", "102:1 duplicate-key"],
        &canonical,
    );
}

#[test]
fn nesting_is_bounded() {
    let nested = |levels: usize| {
        let lines = (0..levels).map(|level| format!("{}a:\n", "  ".repeat(level)));
        lines.collect::<String>() + &"  ".repeat(levels) + "a: 1\n"
    };
    check(&nested(DEPTH), &[], &nested(DEPTH));
    check(&nested(DEPTH + 1), &["66:131 too-deep"], "");
    let items = nested(DEPTH - 1).replace(": 1", ":") + &"  ".repeat(DEPTH) + "- 1\n";
    check(&items, &[], &items);
    let flush = nested(DEPTH).replace(": 1", ":") + &"  ".repeat(DEPTH) + "- 1\nb: 1";
    check(
        &flush,
        &["66:129 list-not-indented", "66:129 too-deep"],
        "b: 1\n",
    );
    let dashes = format!("a:\n  {}1\nb: 1", "- ".repeat(1_000_000));
    check(&dashes, &["2:131 too-deep"], "b: 1\n");
}

/// A line before which many blocks close is looked at once, not for each block.
#[test]
fn closing_many_blocks_takes_no_longer_than_opening_them() {
    let dashes = "- ".repeat(1_000_000);
    let blanks = " ".repeat(1_000_000);
    let text = format!("a:\n  {dashes}1\n{blanks}# x\n{blanks}b: 1\nc: 1");
    check(&text, &["2:131 too-deep"], "c: 1\n");
}

#[test]
fn problems_are_bounded() {
    let text = "a\n".repeat(PROBLEMS + 10);
    let parsed = parse(Source::new(text.as_bytes()).unwrap());
    assert_eq!(parsed.problems.len(), PROBLEMS);
    assert_eq!(parsed.more_problems, 10);
}

#[test]
fn bytes_that_are_no_text() {
    let problem = Source::new(b"a: 1\nb: \"x\xff\"").unwrap_err();
    assert_eq!(problem.fault, Fault::NotUtf8);
    assert_eq!(problem.to_string(), "2:6: the text is not UTF-8");
    assert_eq!((problem.span.start, problem.span.end), (10, 11));
    assert!(
        Fault::TooLarge(SOURCE_BYTES + 1)
            .to_string()
            .contains("4294967296")
    );
}

fn check_rendered(text: &str, expected: &str) {
    let parsed = parse(Source::new(text.as_bytes()).unwrap());
    assert_eq!(parsed.problems[0].render("x.atollmeta"), expected);
}

#[test]
fn problems_are_shown_for_people() {
    check_rendered(
        "name: \"é\"\nsize: 12x # c",
        "error: this is no number
 --> x.atollmeta:2:7
  |
2 | size: 12x # c
  |       ^^^
  = hint: numbers look like 42, -7, 2.5 or 1e-9; put text between quotes",
    );
    check_rendered(
        &format!("{}: é\u{1b}[31m{}", "k".repeat(100), "x".repeat(100)),
        &format!(
            "error: text needs quotes
 --> x.atollmeta:1:103
  |
1 | …{}: é\u{fffd}[31m{}…
  | {}{}
  = hint: put it between two \"; only true, false, numbers and timestamps go without",
            "k".repeat(38),
            "x".repeat(29),
            " ".repeat(41),
            "^".repeat(35),
        ),
    );
}

#[test]
fn problems_are_shown_for_programs() {
    let parsed = parse(Source::new(b"a: 1\nb: x y\n").unwrap());
    let expected = serde_json::json!({
        "code": "unquoted-text",
        "message": "text needs quotes",
        "hint": "put it between two \"; only true, false, numbers and timestamps go without",
        "line": 2,
        "column": 4,
        "start": 8,
        "end": 11,
        "excerpt": "b: x y",
        "marked": [3, 6],
    });
    assert_eq!(parsed.problems[0].to_json(), expected);
}
