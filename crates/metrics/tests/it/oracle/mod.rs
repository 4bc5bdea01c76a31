//! `promql-parser` as oracle: what both parsers read is the same tree, and what one alone
//! refuses is refused for a reason that is known.
//!
//! It follows the grammar of Prometheus 3.8 and checks less than Prometheus does, so that
//! the reasons are many more in damaged texts than in sound ones.

mod theirs;

use self::theirs::{ours, theirs};
use crate::properties::{SOUP, check, tree};
use crate::shape::{placeless, rebuilt, with_durations};
use metrics::promql::{
    BinaryOperator, DurationExpr, DurationKind, Expr, ExprKind, Fault, Features, Number, Span,
    parse,
};
use promql_parser::parser;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use std::panic;
use std::sync::atomic::{AtomicU32, Ordering};

const CASES: u32 = 2_000;

/// Characters that damage takes out at most.
const TAKEN: usize = 3;

#[test]
fn sound_texts_are_read_alike() {
    let alike = AtomicU32::new(0);
    check(CASES, tree, |tree| {
        let text = familiar(&tree).to_string();
        let is_alike = compare(&text)?;
        alike.fetch_add(u32::from(is_alike), Ordering::Relaxed);
        Ok(())
    });
    let alike = alike.into_inner();
    println!("{alike} of {CASES} read alike");
    assert!(alike > CASES * 9 / 10, "{alike} of {CASES}");
}

#[test]
fn damaged_texts_are_read_alike() {
    let damage = || {
        (
            any::<Index>(),
            0..=TAKEN,
            prop_oneof![Just(""), select(SOUP)],
        )
    };
    check(
        CASES,
        || (tree(), damage()),
        |(tree, (at, taken, word))| {
            let mut text: Vec<char> = familiar(&tree).to_string().chars().collect();
            let start = at.index(text.len());
            let end = text.len().min(start + taken);
            text.splice(start..end, word.chars());
            compare(&text.iter().collect::<String>()).map(drop)
        },
    );
}

/// Whether both read it, and then alike; an error where they differ for no known reason.
fn compare(text: &str) -> Result<bool, TestCaseError> {
    let our = parse(text, Features::ALL);
    // Some durations that it should refuse make it panic.
    let their = panic::catch_unwind(|| parser::parse(text));
    let their = their.unwrap_or_else(|_| Err("it panicked".to_owned()));
    let known = match (our, their) {
        (Ok(our), Ok(_)) if holds_bytes(&our) => Ok("they take an escaped byte for a character"),
        (Ok(our), Ok(their)) => {
            prop_assert_eq!(Some(ours(&our)), theirs(&their), "{}", text);
            return Ok(true);
        }
        (Ok(our), Err(their)) => they_lack(text, &our, &their).ok_or(their),
        (Err(our), Ok(their)) => they_allow(our.fault(), &their).ok_or(our.to_string()),
        (Err(_), Err(_)) => Ok("it is no query"),
    };
    let unknown = |error| TestCaseError::fail(format!("one alone refuses {text}: {error}"));
    known.map(|_| false).map_err(unknown)
}

/// Why they refuse what we read.
fn they_lack(text: &str, our: &Expr, error: &str) -> Option<&'static str> {
    let our = placeless(our);
    [
        (familiar(&our) != our, "it is newer than their grammar"),
        (
            text.contains("anchored") || text.contains("smoothed"),
            "they take these words for no names",
        ),
        (
            text.contains(':'),
            "names of labels in a list may hold a colon since Prometheus 3",
        ),
        (
            error == "duration must be greater than 0",
            "a number may be 0 seconds since Prometheus 3",
        ),
        (
            text.split("offset").skip(1).any(has_signs),
            "they read one sign behind offset",
        ),
        (
            error.starts_with("bad number"),
            "they read no _ between digits",
        ),
        (
            error.starts_with("ParseFloatError"),
            "they take every number that begins with 0 for an octal one",
        ),
    ]
    .iter()
    .find_map(|(is_so, reason)| is_so.then_some(*reason))
}

/// Whether a text in the tree is no UTF-8.
fn holds_bytes(tree: &Expr) -> bool {
    matches!(tree.kind(), ExprKind::String(text) if text.as_str().is_none())
        || tree.children().any(holds_bytes)
}

/// Whether a text begins with two signs, or with one before a parenthesis.
fn has_signs(text: &str) -> bool {
    let rest = text.trim_start().strip_prefix(['+', '-']);
    rest.is_some_and(|rest| rest.trim_start().starts_with(['+', '-', '(']))
}

/// Why they read what we refuse.
fn they_allow(fault: &Fault, their: &parser::Expr) -> Option<&'static str> {
    match fault {
        Fault::BadGroupingLabel(_) => Some("they take any text for the name of a label"),
        Fault::BadPattern { .. } => Some("they escape a stray brace of a pattern"),
        Fault::TimestampRange(_) | Fault::Duration(_) | Fault::NumberRange(_) => {
            Some("they know no largest number and no longest time")
        }
        Fault::SignOfOther(_) => Some("they drop a plus, whatever stands behind it"),
        Fault::WrongType { .. } => Some("they do not check the k of limitk"),
        Fault::ScalarFill | Fault::SetFill => Some("they do not check what is filled"),
        _ if theirs(their).is_none() => Some("they read `or` between matchers"),
        _ => None,
    }
}

/// The tree with what their grammar lacks replaced.
fn familiar(tree: &Expr) -> Expr {
    rebuilt(tree, &|kind| {
        let kind = match kind {
            ExprKind::String(text) => {
                // They take an escaped byte for a character.
                let text = String::from_utf8_lossy(text.as_bytes()).into_owned();
                ExprKind::String(text.into())
            }
            ExprKind::Vector(mut vector) => {
                vector.boundary = None;
                ExprKind::Vector(vector)
            }
            ExprKind::Matrix(mut matrix) => {
                matrix.vector.boundary = None;
                ExprKind::Matrix(matrix)
            }
            ExprKind::Binary(mut binary) => {
                if binary.operator == BinaryOperator::TrimUpper {
                    binary.operator = BinaryOperator::Divide;
                }
                let positive = |number: Number| Number::new(number.value().abs());
                let fill = &mut binary.matching.fill;
                (fill.left, fill.right) = (fill.left.map(positive), fill.right.map(positive));
                ExprKind::Binary(binary)
            }
            other => other,
        };
        with_durations(kind, &|duration| match duration.kind() {
            DurationKind::Literal(_) => duration.clone(),
            _ => {
                let instead = DurationKind::Literal(Number::duration(90_000));
                DurationExpr::new(instead, Span::default())
            }
        })
    })
}
