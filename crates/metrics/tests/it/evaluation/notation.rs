//! How Prometheus' cases write series, values and times.

use metrics::eval::{Labels, STALE};
use metrics::promql::{METRIC_NAME, parse_selector};

/// A value in a series, or what stands for none.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Item {
    /// `_`
    Omitted,
    /// `1.5`
    Value(f64),
    /// `{{sum:1 count:2}}`, a native histogram, whatever is in it.
    Native,
}

/// A series and its values.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) labels: Labels,
    pub(super) items: Vec<Item>,
}

/// Reads `name{a="b"} 1 2+1x3 _ stale`.
pub(super) fn line(text: &str) -> Line {
    let (selector, values) = text.split_at(end_of_selector(text));
    Line {
        labels: labels(selector),
        items: words(values).into_iter().flat_map(items).collect(),
    }
}

/// Reads `1h30m`, or a number of seconds, as milliseconds.
pub(super) fn milliseconds(text: &str) -> i64 {
    if let Some(text) = text.strip_prefix('-') {
        return -milliseconds(text);
    }
    let mut rest = text;
    let mut total = 0;
    while !rest.is_empty() {
        let (digits, behind) = split(rest, |c| !c.is_ascii_digit());
        let (unit, behind) = split(behind, |c| c.is_ascii_digit());
        let length = match unit {
            "ms" => 1,
            "s" | "" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => panic!("{text} is no duration"),
        };
        total += digits.parse::<i64>().unwrap() * length;
        rest = behind;
    }
    total
}

/// Reads a number, words for numbers among them.
pub(super) fn number(text: &str) -> Option<f64> {
    let text = text.trim();
    if let Some(digits) = text.strip_prefix("0x") {
        return i64::from_str_radix(digits, 16)
            .ok()
            .map(|value| value as f64);
    }
    text.parse().ok()
}

/// Whether two results are the same for Prometheus' cases: but for a millionth.
pub(super) fn is_almost(one: f64, other: f64) -> bool {
    const SHARE: f64 = 1e-6;
    let difference = (one - other).abs();
    let size = one.abs() + other.abs();
    if one == other || (one.is_nan() && other.is_nan()) {
        true
    } else if one == 0.0 || other == 0.0 || size < f64::MIN_POSITIVE {
        difference < SHARE * f64::MIN_POSITIVE
    } else {
        difference / size.min(f64::MAX) < SHARE
    }
}

fn labels(selector: &str) -> Labels {
    let (name, inner) = selector.split_once('{').unwrap_or((selector, "}"));
    let inner = inner.trim_end().trim_end_matches('}').trim_end();
    let comma = if inner.is_empty() || inner.ends_with(',') {
        ""
    } else {
        ","
    };
    // A selector must choose something, which `{}` does not.
    let text = format!("{{{inner}{comma} some=\"label\"}}");
    let selector = parse_selector(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
    let mut pairs = vec![(METRIC_NAME.to_owned(), name.trim().to_owned())];
    for matcher in selector.matchers() {
        if matcher.name() != "some" {
            pairs.push((matcher.name().to_owned(), matcher.value().to_owned()));
        }
    }
    if pairs.len() > 1 && name.trim().is_empty() {
        pairs.remove(0);
    }
    Labels::new(pairs)
}

fn end_of_selector(text: &str) -> usize {
    let mut is_quoted = false;
    let mut is_escaped = false;
    let mut is_braced = false;
    for (index, character) in text.char_indices() {
        match character {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            _ if is_quoted => {}
            '{' => is_braced = true,
            '}' => return index + 1,
            ' ' | '\t' if !is_braced => {
                let rest = text[index..].trim_start();
                if !rest.starts_with('{') || rest.starts_with("{{") {
                    return index;
                }
            }
            _ => {}
        }
    }
    text.len()
}

/// What stands between blanks that are in no braces.
fn words(text: &str) -> Vec<&str> {
    let mut depth = 0_usize;
    let words = text.split(move |character: char| {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        depth == 0 && character.is_whitespace()
    });
    words.filter(|word| !word.is_empty()).collect()
}

/// Reads `_`, `_x5`, `stale`, `1`, `1x5`, `1+2x5` or `1-2x5`.
fn items(text: &str) -> Vec<Item> {
    let repeated = text.rsplit_once('x');
    let times = repeated.and_then(|(before, times)| Some((before, times.parse::<usize>().ok()?)));
    let (value, times) = match times {
        Some((before, times)) => (before, Some(times)),
        None => (text, None),
    };
    match value {
        "_" => vec![Item::Omitted; times.unwrap_or(1)],
        "stale" => vec![Item::Value(f64::from_bits(STALE)); times.map_or(1, |times| times + 1)],
        _ if value.starts_with("{{") => vec![Item::Native; 1 + times.unwrap_or(0)],
        _ => {
            let (start, step) = start_and_step(value);
            // Added up one by one, as the losses of floats are those of Prometheus then.
            let next = |value: &f64| Some(value + step);
            let values = std::iter::successors(Some(start), next);
            values
                .take(1 + times.unwrap_or(0))
                .map(Item::Value)
                .collect()
        }
    }
}

fn start_and_step(text: &str) -> (f64, f64) {
    if let Some(value) = number(text) {
        return (value, 0.0);
    }
    let signs = text.char_indices().skip(1);
    let mut signs = signs.filter(|(_, character)| matches!(character, '+' | '-'));
    let found = signs.find_map(|(index, _)| {
        let (start, step) = text.split_at(index);
        Some((number(start)?, number(step)?))
    });
    found.unwrap_or_else(|| panic!("{text} is no value"))
}

fn split(text: &str, ends: fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(ends).unwrap_or(text.len()))
}

#[test]
fn series_are_read() {
    let check = |text: &str, labels: &str, values: &[f64]| {
        let line = line(text);
        assert_eq!(line.labels.to_string(), labels, "{text}");
        let values: Vec<Item> = values.iter().map(|value| Item::Value(*value)).collect();
        assert_eq!(line.items, values, "{text}");
    };
    check("a 1 2", r#"{__name__="a"}"#, &[1.0, 2.0]);
    check(r#"{b="}"} 1x2"#, r#"{b="}"}"#, &[1.0, 1.0, 1.0]);
    check(
        r#"a {b="c",} -1-2x1"#,
        r#"{__name__="a", b="c"}"#,
        &[-1.0, -3.0],
    );
    check("{} 1e-2+Infx1", "{}", &[0.01, f64::INFINITY]);
    assert_eq!(milliseconds("1m30s5ms"), 90_005);
}
