//! How differences are told: a line for each path, or a JSON object.

use crate::output::{complain, line};
use anyhow::Result;
use meta::manifest::{Aspect, EntryPath};
use meta::text::quoted;
use meta::{Record, SyncState};
use serde_json::{Value, json};
use std::borrow::Cow;
use std::fmt::Display;
use sync::inventory::LeftOut;
use sync::printable::printable;
use sync::progress::Progress;

/// Tells differences on the standard output while a bar may stand on the other.
pub struct Teller<'p> {
    pub as_json: bool,
    pub progress: &'p Progress,
}

/// In what two records of one path differ.
pub struct Change {
    /// For people: `mode 0644 -> 0600`.
    text: String,
    object: Value,
}

impl Change {
    fn new(aspect: &str, from: impl Display, to: impl Display) -> Self {
        Self {
            text: format!("{aspect} {from} -> {to}"),
            object: json!({ "aspect": aspect, "from": from.to_string(), "to": to.to_string() }),
        }
    }
}

impl From<Aspect> for Change {
    fn from(aspect: Aspect) -> Self {
        let text = aspect.to_string();
        let name = aspect.name();
        let between = |from: String, to: String| Self {
            text: text.clone(),
            object: json!({ "aspect": name, "from": from, "to": to }),
        };
        match aspect {
            Aspect::Kind(from, to) => between(from.to_owned(), to.to_owned()),
            Aspect::Size(from, to) => between(from.to_string(), to.to_string()),
            Aspect::Hash(from, to) => between(from.to_string(), to.to_string()),
            Aspect::Algorithm(from, to) => between(from.to_owned(), to.to_owned()),
            Aspect::Target(from, to) => between(from, to),
            Aspect::Mode(from, to) => {
                between(format!("{:04o}", from.bits()), format!("{:04o}", to.bits()))
            }
            Aspect::Mtime(from, to) => between(from.to_string(), to.to_string()),
            Aspect::Attribute(which) => Self {
                text,
                object: json!({ "aspect": name, "name": which }),
            },
        }
    }
}

/// In what versions and sync states differ, which are no part of what a file is.
pub fn standing(one: &Record, other: &Record) -> Vec<Change> {
    let mut changes = Vec::new();
    if one.version != other.version {
        changes.push(Change::new("version", one.version, other.version));
    }
    if one.sync_state != other.sync_state {
        let (from, to) = (
            in_words(one.sync_state.as_ref()),
            in_words(other.sync_state.as_ref()),
        );
        changes.push(Change::new("sync_state", from, to));
    }
    changes
}

/// A sync state in some words: `synced (reef 3, shoal 2)`.
fn in_words(state: Option<&SyncState>) -> String {
    let Some(state) = state else {
        return "unknown".to_owned();
    };
    let replicas = state.replicas.iter();
    let replicas: Vec<_> = replicas
        .map(|it| format!("{} {}", it.node, it.version))
        .collect();
    let mut words = vec![state.status.as_str().to_owned()];
    words.extend(state.last_modified.map(|time| format!("since {time}")));
    if !replicas.is_empty() {
        words.push(format!("({})", replicas.join(", ")));
    }
    words.join(" ")
}

/// A path as people read it: in the quotes of a text where it could be taken for another,
/// or for more than a path.
fn shown(path: &EntryPath) -> Cow<'_, str> {
    let path = path.as_str();
    let in_quotes = quoted(path);
    let has_escapes = in_quotes.len() > path.len() + 2;
    let has_marks = path.starts_with("- ") || path.starts_with("+ ") || path.contains(": ");
    if has_escapes || has_marks || path.trim() != path {
        Cow::Owned(in_quotes)
    } else {
        Cow::Borrowed(path)
    }
}

impl Teller<'_> {
    pub fn missing(&self, path: &EntryPath) -> Result<()> {
        self.tell(
            format!("- {}", shown(path)),
            || json!({ "path": path.as_str(), "change": "missing" }),
        )
    }

    pub fn extra(&self, path: &EntryPath) -> Result<()> {
        self.tell(
            format!("+ {}", shown(path)),
            || json!({ "path": path.as_str(), "change": "extra" }),
        )
    }

    pub fn changed(&self, path: &EntryPath, changes: &[Change]) -> Result<()> {
        let texts: Vec<_> = changes.iter().map(|change| change.text.as_str()).collect();
        let object = || {
            let aspects: Vec<_> = changes.iter().map(|change| &change.object).collect();
            json!({ "path": path.as_str(), "change": "changed", "aspects": aspects })
        };
        self.tell(format!("{}: {}", shown(path), texts.join(", ")), object)
    }

    pub fn unread(&self, left_out: &LeftOut) -> Result<()> {
        if !self.as_json {
            self.left_out(left_out);
            return Ok(());
        }
        let reason = left_out.reason.to_string();
        let object = json!({ "path": left_out.path, "change": "unread", "reason": reason });
        self.tell(String::new(), || object)
    }

    fn tell(&self, text: String, object: impl FnOnce() -> Value) -> Result<()> {
        let text = if self.as_json {
            object().to_string()
        } else {
            text
        };
        self.progress.aside(|| line(format_args!("{text}")))?;
        Ok(())
    }

    /// Says what could not be read.
    pub fn left_out(&self, left_out: &LeftOut) {
        say_left_out(self.progress, left_out);
    }
}

/// Says on the standard error output what could not be read.
pub fn say_left_out(progress: &Progress, left_out: &LeftOut) {
    let text = format!("left out {}: {}", left_out.path, left_out.reason);
    progress.aside(|| complain(format_args!("{}", printable(&text))));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_path_is_taken_for_another() {
        for (path, expected) in [
            ("a/b c", "a/b c"),
            ("漢/ü.txt", "漢/ü.txt"),
            ("a:b", "a:b"),
            ("+ a", "\"+ a\""),
            ("- a", "\"- a\""),
            ("-a", "-a"),
            ("a\u{3000}", "\"a\u{3000}\""),
            (" a", "\" a\""),
            ("a ", "\"a \""),
            ("a: size 1 -> 2", "\"a: size 1 -> 2\""),
            ("a\nb", "\"a\\nb\""),
            ("a\\nb", "\"a\\\\nb\""),
            ("\"a\"", "\"\\\"a\\\"\""),
        ] {
            assert_eq!(shown(&EntryPath::new(path).unwrap()), expected);
        }
    }
}
