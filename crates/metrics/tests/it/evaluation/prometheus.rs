//! Prometheus' own evaluation cases are answered as they say, but those that need native
//! histograms. The cases are read where they lie; see the README there.
//!
//! As in Prometheus' runner, an instant query is also asked as the middle of a range
//! query, and at other times with its own time behind `@`.

use super::memory::Memory;
use super::notation::{Item, is_almost};
use super::pinned::pinned;
use super::script::{Case, Command, Expected, Message, Times, commands};
use crate::cases::{CASES, test_files};
use metrics::chunk::Sample;
use metrics::eval::{Answer, Element, Engine, EvalError, Labels, QueryValue, ValueSeries};
use metrics::promql::{Expr, Features, parse};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Fewer would mean that they were not found, not that they all pass.
const FEWEST: usize = 500;

/// Cases that do not pass, by file and line, and why.
const KNOWN: &[(&str, usize, &str)] = &[];

/// How a case ended.
enum Outcome {
    Passed,
    /// It reads native histograms.
    Skipped,
    Failed(String),
}

#[test]
fn cases_of_prometheus_are_answered_as_they_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(CASES);
    if !folder.is_dir() {
        println!("skipped: there are no cases at {}", folder.display());
        return;
    }
    let (mut passed, mut skipped, mut failed) = (0, 0, Vec::new());
    for path in test_files(&folder) {
        let text = fs::read(&path).unwrap();
        let name = path.file_name().unwrap().to_string_lossy();
        for (line, outcome) in outcomes(&String::from_utf8_lossy(&text)) {
            match outcome {
                Outcome::Passed => passed += 1,
                Outcome::Skipped => skipped += 1,
                Outcome::Failed(reason) => failed.push((name.to_string(), line, reason)),
            }
        }
    }
    println!(
        "{passed} passed, {} failed, {skipped} skipped, which read native histograms",
        failed.len()
    );
    let is_known = |file: &str, line: usize| {
        let mut known = KNOWN.iter();
        known.any(|(known_file, known_line, _)| *known_file == file && *known_line == line)
    };
    let (known, new): (Vec<_>, Vec<_>) = failed
        .iter()
        .partition(|(file, line, _)| is_known(file, *line));
    for (file, line, reason) in &new {
        println!("{file}:{line}: {reason}");
    }
    assert!(new.is_empty(), "{} new failures", new.len());
    assert_eq!(known.len(), KNOWN.len(), "some of the known failures pass");
    assert!(passed >= FEWEST, "only {passed} cases");
}

#[test]
fn cases_of_our_own_are_answered_as_they_say() {
    let outcomes = outcomes(include_str!("own.test"));
    let failed = outcomes.iter().filter_map(|(line, outcome)| match outcome {
        Outcome::Passed => None,
        Outcome::Skipped => Some(format!("own.test:{line}: skipped")),
        Outcome::Failed(reason) => Some(format!("own.test:{line}: {reason}")),
    });
    let failed: Vec<_> = failed.collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

fn outcomes(text: &str) -> Vec<(usize, Outcome)> {
    let mut memory = Memory::default();
    let mut outcomes = Vec::new();
    for command in commands(text) {
        match command {
            Command::Clear => memory = Memory::default(),
            Command::Load(step, series) => {
                for line in &series {
                    load(&mut memory, step, &line.labels, &line.items);
                }
            }
            Command::Eval(case) => outcomes.push((case.line, outcome(&memory, &case))),
        }
    }
    outcomes
}

fn load(memory: &mut Memory, step: i64, labels: &Labels, items: &[Item]) {
    for (index, item) in items.iter().enumerate() {
        let time = step * index as i64;
        match item {
            Item::Omitted => {}
            Item::Value(value) => memory.insert(labels, time, *value),
            Item::Native => memory.insert_native(labels, time),
        }
    }
}

fn outcome(memory: &Memory, case: &Case) -> Outcome {
    let query = match parse(&case.query, Features::ALL) {
        Ok(query) => query,
        Err(error) => return failure_outcome(&case.expected, &error.to_string()),
    };
    let engine = Engine::new(memory);
    let answer = match case.times {
        Times::Instant(time) => engine.instant(&query, time),
        Times::Range { start, end, step } => engine.range(&query, start, end, step),
    };
    let answer = match answer {
        Ok(answer) => answer,
        Err(EvalError::Source(_)) => return Outcome::Skipped,
        Err(error) => return failure_outcome(&case.expected, &error.to_string()),
    };
    let result = check(case, &answer).and_then(|()| match case.times {
        Times::Instant(time) => check_elsewhere(&engine, &query, case, time),
        Times::Range { .. } => Ok(()),
    });
    match result {
        Ok(()) => Outcome::Passed,
        Err(reason) => Outcome::Failed(format!("{}: {reason}", case.query)),
    }
}

/// Asks the same as a range query, and fixed to its time at other times.
fn check_elsewhere(
    engine: &Engine<'_>,
    query: &Expr,
    case: &Case,
    time: i64,
) -> Result<(), String> {
    if is_same_in_range(case) {
        check_in_range(engine, query, case, time)?;
    }
    let Some(pinned) = pinned(query, time) else {
        return Ok(());
    };
    for asked in [-10 * time - 1_000, 0, time / 5, time, 10 * time + 1_000] {
        let reason = |reason| format!("{pinned} at {asked}: {reason}");
        let answer = engine.instant(&pinned, asked);
        let answer = answer.map_err(|error| reason(error.to_string()))?;
        check_values(case, &at_time(answer.value, time)).map_err(reason)?;
    }
    Ok(())
}

fn check_in_range(engine: &Engine<'_>, query: &Expr, case: &Case, time: i64) -> Result<(), String> {
    match engine.range(query, time - 60_000, time + 60_000, 60_000) {
        Ok(range) => check_values(case, &middle(range, case, time)),
        // It reaches further, where native histograms may lie.
        Err(EvalError::Source(_)) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
    .map_err(|reason| format!("as a range: {reason}"))
}

/// An answer as if it had been asked for at another time.
fn at_time(value: QueryValue, time: i64) -> QueryValue {
    match value {
        QueryValue::Scalar(sample) => QueryValue::Scalar(Sample { time, ..sample }),
        QueryValue::Vector(mut elements) => {
            for element in &mut elements {
                element.sample.time = time;
            }
            QueryValue::Vector(elements)
        }
        other => other,
    }
}

fn failure_outcome(expected: &Expected, error: &str) -> Outcome {
    match &expected.failure {
        Some(message) if message.matches(error) => Outcome::Passed,
        Some(message) => Outcome::Failed(format!("{message:?}, found {error}")),
        None => Outcome::Failed(error.to_owned()),
    }
}

fn check(case: &Case, answer: &Answer) -> Result<(), String> {
    let expected = &case.expected;
    if expected.failure.is_some() {
        return Err("it should fail".to_owned());
    }
    let notes = |is_warning: bool| {
        let notes = answer.notes.iter();
        let notes = notes.filter(move |note| note.remark.is_warning() == is_warning);
        notes
            .map(|note| note.in_query(&case.query))
            .collect::<Vec<_>>()
    };
    check_notes(&expected.warnings, expected.no_warnings, &notes(true))?;
    check_notes(&expected.infos, expected.no_infos, &notes(false))?;
    check_values(case, &answer.value)
}

fn check_notes(expected: &[Message], none: bool, notes: &[String]) -> Result<(), String> {
    if none && !notes.is_empty() {
        return Err(format!("unexpected {notes:?}"));
    }
    if expected.is_empty() {
        return Ok(());
    }
    let is_found = |message: &Message| notes.iter().any(|note| message.matches(note));
    let is_expected = |note: &String| expected.iter().any(|message| message.matches(note));
    match expected.iter().all(is_found) && notes.iter().all(is_expected) {
        true => Ok(()),
        false => Err(format!("expected {expected:?}, found {notes:?}")),
    }
}

fn check_values(case: &Case, value: &QueryValue) -> Result<(), String> {
    let expected = &case.expected;
    match (value, &expected.text, expected.scalar) {
        (QueryValue::Text(found), Some(text), _) if found.as_str() == Some(text) => Ok(()),
        (QueryValue::Scalar(found), None, Some(scalar)) if is_almost(found.value, scalar) => Ok(()),
        (QueryValue::Vector(elements), None, None) => {
            if expected.is_ordered {
                check_order(expected, elements)?;
            }
            let series = elements.iter();
            check_series(
                case,
                series.map(|element| (&element.labels, vec![element.sample])),
            )
        }
        (QueryValue::Matrix(series), None, None) => {
            if !series.is_sorted_by(|one, other| one.labels < other.labels) {
                return Err("not sorted".to_owned());
            }
            let series = series.iter();
            check_series(
                case,
                series.map(|series| (&series.labels, series.samples.clone())),
            )
        }
        _ => Err(format!("found {value:?}")),
    }
}

fn check_order(expected: &Expected, elements: &[Element]) -> Result<(), String> {
    let found = elements.iter().map(|element| &element.labels);
    let expected = expected.series.iter().map(|line| &line.labels);
    match found.clone().eq(expected) {
        true => Ok(()),
        false => Err(format!("order is {:?}", found.collect::<Vec<_>>())),
    }
}

fn check_series<'a>(
    case: &Case,
    found: impl Iterator<Item = (&'a Labels, Vec<Sample>)>,
) -> Result<(), String> {
    let mut missing = BTreeMap::new();
    for line in &case.expected.series {
        let points = case.expected.points(&line.items, case.times);
        missing.insert(line.labels.clone(), points);
    }
    for (labels, samples) in found {
        let Some(points) = missing.remove(labels) else {
            return Err(format!("unexpected {labels} {samples:?}"));
        };
        let is_equal = points.len() == samples.len()
            && points.iter().zip(&samples).all(|((time, value), sample)| {
                *time == sample.time && is_almost(*value, sample.value)
            });
        if !is_equal {
            return Err(format!("{labels}: expected {points:?}, found {samples:?}"));
        }
    }
    match missing.first_key_value() {
        Some((labels, points)) => Err(format!("missing {labels} {points:?}")),
        None => Ok(()),
    }
}

/// Whether a range query with the query's time in its middle says the same there.
fn is_same_in_range(case: &Case) -> bool {
    let expected = &case.expected;
    let names = ["start(", "end(", "step(", "range("];
    let is_about_query = names.iter().any(|name| case.query.contains(name));
    !is_about_query && !expected.is_ordered && expected.text.is_none() && expected.range.is_none()
}

/// What a range query says of a time, as the answer of an instant query.
fn middle(range: Answer, case: &Case, time: i64) -> QueryValue {
    let QueryValue::Matrix(series) = range.value else {
        panic!("a range query has a matrix");
    };
    let element = |series: ValueSeries| {
        let mut samples = series.samples.into_iter();
        let sample = samples.find(|sample| sample.time == time)?;
        let labels = series.labels;
        Some(Element { labels, sample })
    };
    let mut elements = series.into_iter().filter_map(element);
    match case.expected.scalar {
        Some(_) => QueryValue::Scalar(elements.next().unwrap().sample),
        None => QueryValue::Vector(elements.collect()),
    }
}
