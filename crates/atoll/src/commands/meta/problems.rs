//! What is wrong with a text, found and told.

use super::input::name;
use crate::output::{complain, line};
use anyhow::{Error, Result, anyhow};
use meta::form::{self, Described, described, read_manifest};
use meta::schema::Schema;
use meta::text::{Lexer, Parsed, Problem, Problems, Source, TokenKind, parse};
use serde_json::json;
use std::path::Path;
use sync::printable::printable;

/// What is wrong with one text; nothing, if there are none.
#[derive(Debug, Default)]
pub struct Found {
    pub problems: Vec<Problem>,
    /// How many more there are.
    pub more: usize,
}

/// All that is wrong with a text and with what it says; `own` is a schema that its
/// documents are held to beside those that Atoll brings.
///
/// A manifest is read entry by entry, which finds all that its schema would, and makes no
/// tree of a million of them.
pub fn problems_of(source: Source<'_>, own: Option<&Schema>) -> Found {
    if own.is_none() && is_manifest(source) {
        let read = read_manifest(source, drop);
        return read.err().map(Found::from).unwrap_or_default();
    }
    meta::check(source, own).into()
}

/// What the documents of a text describe, all of it at once.
///
/// # Errors
/// What is wrong.
pub fn files_of(source: Source<'_>) -> Result<Vec<Described>, Found> {
    let Parsed {
        tree,
        problems,
        more_problems: more,
    } = parse(source);
    if !problems.is_empty() {
        return Err(Found { problems, more });
    }
    let mut problems = Problems::default();
    let documents = tree.documents.iter();
    let documents = documents.filter(|document| !document.root.entries.is_empty());
    let described = documents.filter_map(|document| described(document, &mut problems));
    let described = described.collect();
    if problems.is_empty() {
        Ok(described)
    } else {
        Err(problems.locate(source).into())
    }
}

/// Whether a text's first document is a manifest, by its root keys: a manifest is read
/// entry by entry, anything else as a tree.
pub fn is_manifest(source: Source<'_>) -> bool {
    let (mut lexer, mut depth) = (Lexer::new(source), 0_usize);
    let mut ignored = Problems::default();
    loop {
        let token = lexer.next_token(&mut ignored);
        match token.kind {
            TokenKind::End | TokenKind::DocumentBreak => return false,
            TokenKind::Indent => depth += 1,
            TokenKind::Dedent => depth = depth.saturating_sub(1),
            TokenKind::Key(_) if depth == 0 => {
                let (start, end) = (token.span.start as usize, token.span.end as usize);
                match source.text()[start..end].trim_matches('"') {
                    form::MANIFEST => return true,
                    form::FILE_METADATA => return false,
                    _ => {}
                }
            }
            _ => {}
        }
    }
}

impl From<(Vec<Problem>, usize)> for Found {
    fn from((problems, more): (Vec<Problem>, usize)) -> Self {
        Self { problems, more }
    }
}

impl From<Box<Problem>> for Found {
    fn from(problem: Box<Problem>) -> Self {
        let problems = vec![*problem];
        Self { problems, more: 0 }
    }
}

impl Found {
    /// How many there are.
    pub const fn count(&self) -> usize {
        self.problems.len() + self.more
    }

    /// Tells each on the standard error output.
    pub fn tell(&self, name: &str) {
        let name = printable(name);
        for problem in &self.problems {
            for line in problem.render(&name).lines() {
                complain(format_args!("{}", printable(line)));
            }
            complain(format_args!(""));
        }
        if self.more > 0 {
            complain(format_args!("{} more are not shown\n", self.more));
        }
    }

    /// Tells each, for a command that cannot go on.
    pub fn into_error(self, name: &str) -> Error {
        self.tell(name);
        anyhow!("{name} has {}", problems(self.count()))
    }

    /// Writes an object for each on the standard output.
    pub fn print_json(&self, path: &Path) -> Result<()> {
        for problem in &self.problems {
            let mut object = problem.to_json();
            object["file"] = json!(name(path));
            line(format_args!("{object}"))?;
        }
        Ok(())
    }
}

/// How many there are, in words.
pub fn problems(count: usize) -> String {
    match count {
        1 => "1 problem".to_owned(),
        count => format!("{count} problems"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, manifest: bool, codes: &[&str]) {
        let source = Source::new(text.as_bytes()).unwrap();
        assert_eq!(is_manifest(source), manifest);
        let found = problems_of(source, None);
        let found: Vec<_> = found.problems.iter().map(|it| it.fault.code()).collect();
        assert_eq!(found, codes);
    }

    #[test]
    fn texts_are_told_apart_and_read_by_what_they_are() {
        let file = "file_metadata:\n  name: \"a\"\n  version: 1\n";
        let manifest = "schema_version: 1\nmanifest:\n  entries: []\n";
        check("", false, &[]);
        check("\"manifest\":\n  entries: []\n", true, &[]);
        check(&format!("{file}---\n{manifest}"), false, &[]);
        check(file, false, &[]);
        check(&format!("{file}---\n{file}"), false, &[]);
        check(manifest, true, &[]);
        check("x: 1\n", false, &["unknown-key"]);
        check("x:\n  manifest: 1\n", false, &["unknown-key"]);
        check("manifest:\n  entries: 1\n", true, &["wrong-type"]);
        check(&format!("{manifest}---\n{file}"), true, &["illegal"]);
        check("file_metadata:\n  name: a\n", false, &["unquoted-text"]);
    }
}
