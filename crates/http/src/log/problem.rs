//! Lines of the error log: what went wrong, where, and how badly.

use super::escape::{push_json, push_line};
use super::time::{TimeText, push};
use std::time::Duration;

/// How error records are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Shape {
    /// `1994-11-06T08:49:37.042Z error files: cannot open …`
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Worth knowing.
    Info,
    /// Something was refused or lost.
    Warn,
    /// Something does not work.
    Error,
}

/// One thing that went wrong.
#[derive(Debug, Clone, Copy)]
pub struct Problem<'a> {
    /// When, since the Unix epoch.
    pub since_epoch: Duration,
    /// How bad it is.
    pub level: Level,
    /// The part of the server that says so.
    pub part: &'a str,
    /// What went wrong, on what, and what to do.
    pub text: &'a str,
}

impl Level {
    fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

impl Problem<'_> {
    /// Appends the record, one line.
    pub fn write(&self, shape: Shape, time: &mut TimeText, out: &mut Vec<u8>) {
        let level = self.level.name();
        match shape {
            Shape::Text => {
                time.push_rfc3339(self.since_epoch, out);
                push(out, format_args!(" {level} {}: ", self.part));
                push_line(self.text, out);
            }
            Shape::Json => {
                out.extend_from_slice(b"{\"time\":\"");
                time.push_rfc3339(self.since_epoch, out);
                push(out, format_args!("\",\"level\":\"{level}\",\"part\":"));
                push_json(self.part.as_bytes(), out);
                out.extend_from_slice(b",\"text\":");
                push_json(self.text.as_bytes(), out);
                out.push(b'}');
            }
        }
        out.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    use super::{Level, Problem, Shape};
    use crate::log::TimeText;
    use std::time::Duration;

    #[test]
    fn both_shapes() {
        let problem = Problem {
            since_epoch: Duration::from_millis(784_111_777_042),
            level: Level::Error,
            part: "files",
            text: "cannot open \"ä\"\n\u{1b}[2J",
        };
        for (shape, expected) in [
            (
                Shape::Text,
                "1994-11-06T08:49:37.042Z error files: cannot open \"ä\"\\x0a\\x1b[2J\n",
            ),
            (
                Shape::Json,
                "{\"time\":\"1994-11-06T08:49:37.042Z\",\"level\":\"error\",\"part\":\"files\",\
                 \"text\":\"cannot open \\\"ä\\\"\\u000a\\u001b[2J\"}\n",
            ),
        ] {
            let mut out = Vec::new();
            problem.write(shape, &mut TimeText::default(), &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }
}
