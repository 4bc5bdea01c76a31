//! Prometheus' case files as commands: series to load, and queries with what they must
//! be answered with.

use super::notation::{Item, Line, line, milliseconds, number};

/// A line of a file that does something, with what belongs to it.
#[derive(Debug)]
pub(super) enum Command {
    /// All series are forgotten.
    Clear,
    /// Series, with their samples so many milliseconds apart, the first at 0.
    Load(i64, Vec<Line>),
    /// A query.
    Eval(Box<Case>),
}

/// A query and what is expected of it.
#[derive(Debug)]
pub(super) struct Case {
    /// Its line in the file.
    pub(super) line: usize,
    pub(super) query: String,
    pub(super) times: Times,
    pub(super) expected: Expected,
}

/// When a query is asked, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(super) enum Times {
    Instant(i64),
    Range { start: i64, end: i64, step: i64 },
}

/// What a query must be answered with.
#[derive(Debug, Default)]
pub(super) struct Expected {
    pub(super) is_ordered: bool,
    pub(super) failure: Option<Message>,
    pub(super) warnings: Vec<Message>,
    pub(super) infos: Vec<Message>,
    pub(super) no_warnings: bool,
    pub(super) no_infos: bool,
    pub(super) scalar: Option<f64>,
    pub(super) text: Option<String>,
    /// The times of the values, where those are not the query's.
    pub(super) range: Option<(i64, i64)>,
    pub(super) series: Vec<Line>,
}

/// What a message must say.
#[derive(Debug)]
pub(super) enum Message {
    Any,
    Exactly(String),
    /// What a regular expression finds itself in.
    Pattern(String),
}

impl Message {
    pub(super) fn matches(&self, message: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exactly(expected) => expected == message,
            Self::Pattern(pattern) => regex_lite::Regex::new(pattern).unwrap().is_match(message),
        }
    }
}

/// Reads a file.
pub(super) fn commands(text: &str) -> Vec<Command> {
    let lines = text.lines().map(|line| match line.trim() {
        comment if comment.starts_with('#') => "",
        line => line,
    });
    let mut lines = lines.enumerate().peekable();
    let mut commands = Vec::new();
    while let Some((index, line)) = lines.next() {
        if line.is_empty() {
            continue;
        }
        let is_single = line == "clear";
        let mut block = Vec::new();
        while let Some((_, next)) = lines.next_if(|(_, next)| !is_single && !next.is_empty()) {
            block.push(next);
        }
        commands.push(command(index + 1, line, &block));
    }
    commands
}

fn command(number: usize, line: &str, block: &[&str]) -> Command {
    if line == "clear" {
        Command::Clear
    } else if let Some(step) = line.strip_prefix("load ") {
        let series = block.iter().map(|text| self::line(text)).collect();
        Command::Load(milliseconds(step.trim()), series)
    } else {
        Command::Eval(Box::new(case(number, line, block)))
    }
}

fn case(line: usize, text: &str, block: &[&str]) -> Case {
    let mut rest = text;
    let kind = word(&mut rest);
    let times = match word(&mut rest) {
        "instant" => {
            assert_eq!(word(&mut rest), "at", "{text}");
            Times::Instant(milliseconds(word(&mut rest)))
        }
        _ => {
            let mut time = |name| {
                assert_eq!(word(&mut rest), name, "{text}");
                milliseconds(word(&mut rest))
            };
            Times::Range {
                start: time("from"),
                end: time("to"),
                step: time("step"),
            }
        }
    };
    let mut expected = Expected {
        is_ordered: kind == "eval_ordered",
        failure: (kind == "eval_fail").then_some(Message::Any),
        ..Expected::default()
    };
    for text in block {
        expected.read(text);
    }
    Case {
        line,
        query: rest.to_owned(),
        times,
        expected,
    }
}

impl Expected {
    fn read(&mut self, text: &str) {
        let Some(rest) = text.strip_prefix("expect ") else {
            match number(text) {
                Some(value) => self.scalar = Some(value),
                None => self.series.push(line(text)),
            }
            return;
        };
        let mut rest = rest.trim();
        let kind = word(&mut rest);
        match kind {
            "ordered" => self.is_ordered = true,
            "fail" => self.failure = Some(message(rest)),
            "warn" => self.warnings.push(message(rest)),
            "info" => self.infos.push(message(rest)),
            "no_warn" => self.no_warnings = true,
            "no_info" => self.no_infos = true,
            "string" => self.text = Some(rest[1..rest.len() - 1].to_owned()),
            "range" => self.range = Some(range(rest)),
            _ => panic!("expect {kind}"),
        }
    }

    /// The time of each expected value.
    pub(super) fn points(&self, items: &[Item], times: Times) -> Vec<(i64, f64)> {
        let (start, step) = match (self.range, times) {
            (Some(range), _) => range,
            (None, Times::Instant(time)) => (time, 1),
            (None, Times::Range { start, step, .. }) => (start, step),
        };
        let times = (0_i64..).map(|index| start + step * index);
        let points = times.zip(items).filter_map(|(time, item)| match item {
            Item::Value(value) => Some((time, *value)),
            Item::Omitted | Item::Native => None,
        });
        points.collect()
    }
}

/// `msg: …` or `regex: …`
fn message(text: &str) -> Message {
    if let Some(text) = text.strip_prefix("msg:") {
        Message::Exactly(text.trim().to_owned())
    } else if let Some(pattern) = text.strip_prefix("regex:") {
        Message::Pattern(pattern.trim().to_owned())
    } else {
        Message::Any
    }
}

/// `vector from 10s to 1m step 10s`
fn range(text: &str) -> (i64, i64) {
    let words: Vec<&str> = text.split_whitespace().collect();
    (milliseconds(words[2]), milliseconds(words[6]))
}

fn word<'a>(rest: &mut &'a str) -> &'a str {
    let (word, behind) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    *rest = behind.trim_start();
    word
}
