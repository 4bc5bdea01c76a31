//! Every expression of Prometheus' own evaluation cases is read, and its canonical text
//! is read as the same tree. The cases are read where they lie; see the README there.

use crate::shape::placeless;
use metrics::promql::{Features, parse};
use std::fs;
use std::path::{Path, PathBuf};

/// Where the cases lie, from this crate.
pub(crate) const CASES: &str = "../../../shared/testdata/promql";

/// Fewer would mean that they were not found, not that they were all read.
const FEWEST: usize = 500;

#[test]
fn every_expression_of_the_cases_is_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(CASES);
    if !folder.is_dir() {
        println!("skipped: there are no cases at {}", folder.display());
        return;
    }
    let mut read = 0;
    for path in test_files(&folder) {
        let text = fs::read(&path).unwrap();
        let text = String::from_utf8_lossy(&text);
        for (number, line) in text.lines().enumerate() {
            if let Some(expression) = expression(line) {
                check(expression, &format!("{}:{}", path.display(), number + 1));
                read += 1;
            }
        }
    }
    println!("{read} expressions");
    assert!(read >= FEWEST, "only {read} expressions");
}

/// No case is about a query that cannot be read: all that fail do so when they are
/// evaluated, so all must be read.
fn check(expression: &str, place: &str) {
    let tree = parse(expression, Features::ALL);
    let tree = tree.unwrap_or_else(|error| panic!("{place}: {expression}\n{error}"));
    let text = tree.to_string();
    let again = parse(&text, Features::ALL);
    let again = again.unwrap_or_else(|error| panic!("{place}: {text}\n{error}"));
    assert_eq!(placeless(&again), placeless(&tree), "{place}: {text}");
    assert_eq!(again.to_string(), text, "{place}");
}

/// What stands behind `eval instant at <time>`, or behind
/// `eval range from <time> to <time> step <duration>`.
fn expression(line: &str) -> Option<&str> {
    let mut rest = line.trim();
    let mut word = || {
        let (word, behind) = rest.split_once(char::is_whitespace)?;
        rest = behind.trim_start();
        Some(word)
    };
    if !word()?.starts_with("eval") {
        return None;
    }
    let words = match word()? {
        "instant" => 2,
        _ => 6,
    };
    for _ in 0..words {
        word()?;
    }
    Some(rest)
}

pub(crate) fn test_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "test")
    });
    paths.sort();
    paths
}
