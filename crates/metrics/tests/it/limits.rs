//! Nothing is too much: what nests too deep or is too long is refused, and what nests as
//! deep as it may is read, printed, compared and dropped on a small stack.

use metrics::promql::{DEPTH, Features, PATTERNS, QUERY_BYTES, parse};
use std::thread;

/// Half of what threads have.
const SMALL_STACK: usize = 1024 * 1024;

/// A text that nests `levels` deep, in one of several ways.
type Nest = fn(levels: usize) -> String;

const NESTS: [(&str, Nest); 9] = [
    ("parentheses", |levels| {
        format!("{}a{}", "(".repeat(levels), ")".repeat(levels))
    }),
    ("signs", |levels| format!("{}a", "-".repeat(levels))),
    ("chain", |levels| format!("a{}", " + a".repeat(levels))),
    ("powers", |levels| format!("a{}", " ^ a".repeat(levels))),
    ("calls", |levels| {
        format!("{}a{}", "abs(".repeat(levels), ")".repeat(levels))
    }),
    ("aggregations", |levels| {
        let open = "sum by (b) (".repeat(levels);
        format!("{open}a{}", ")".repeat(levels))
    }),
    ("subqueries", |levels| {
        let levels = levels / 2;
        let open = "rate(".repeat(levels);
        format!("{open}a{}", "[1m:])".repeat(levels))
    }),
    ("durations", |levels| {
        format!(
            "a[{}1{}]",
            "-(step()-".repeat(levels / 3),
            ")".repeat(levels / 3)
        )
    }),
    ("chain of durations", |levels| {
        format!("a[1{}]", " + step()".repeat(levels - 1))
    }),
];

#[test]
fn what_nests_as_deep_as_it_may_needs_a_small_stack() {
    let body = || {
        for (name, nest) in NESTS {
            let text = nest(DEPTH - 1);
            let tree = parse(&text, Features::ALL);
            let tree = tree.unwrap_or_else(|error| panic!("{name}: {error}"));
            let again = parse(&tree.to_string(), Features::ALL).unwrap();
            assert_eq!(again.to_string(), tree.to_string(), "{name}");
            assert_eq!(again.clone(), again, "{name}");
        }
    };
    let thread = thread::Builder::new().stack_size(SMALL_STACK);
    thread.spawn(body).unwrap().join().unwrap();
}

#[test]
fn what_nests_deeper_is_refused() {
    for (name, nest) in NESTS {
        for levels in [DEPTH + 2, 2_000] {
            let error = parse(&nest(levels), Features::ALL).expect_err(name);
            let message = error.to_string();
            assert!(
                message.contains("nests deeper than 128 levels"),
                "{name}: {message}"
            );
        }
    }
}

#[test]
fn what_is_too_long_is_refused() {
    let padded = |bytes: usize| format!("a{}", " ".repeat(bytes - 1));
    assert!(parse(&padded(QUERY_BYTES), Features::ALL).is_ok());
    let error = parse(&padded(QUERY_BYTES + 1), Features::ALL).unwrap_err();
    let expected = "1:1: parse error: the query has 65537 bytes, and 65536 are read";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn what_has_too_many_patterns_is_refused() {
    let with = |patterns: usize| format!("a{{{}}}", "b=~\"c\",".repeat(patterns));
    assert!(parse(&with(PATTERNS), Features::ALL).is_ok());
    let error = parse(&with(PATTERNS + 1), Features::ALL).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("more than 256 regular expressions")
    );
}
