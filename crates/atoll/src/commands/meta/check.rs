//! `atoll meta check`: everything that is wrong with documents.

use super::input::{Content, Input, expect_one_standard, name, nothing};
use super::problems::{Found, problems, problems_of};
use crate::output::{complain, line, told};
use anyhow::{Error, Result, bail, ensure};
use meta::binary::Step;
use meta::schema::Schema;
use meta::text::{Lexer, Problems, Source, TokenKind, parse};
use serde_json::json;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub struct Arguments {
    /// Documents, as texts or in the binary form; `-` is the standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// A schema of one's own, which documents with its root key are held to
    #[arg(long, value_name = "FILE")]
    schema: Option<PathBuf>,
    /// Print one JSON object for each problem
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    expect_one_standard(arguments.files.iter().chain(&arguments.schema))?;
    let schema = arguments.schema.as_deref().map(read_schema).transpose()?;
    let (mut found, mut wrong) = (0, 0);
    for path in &arguments.files {
        let count = match check(path, schema.as_ref()) {
            Ok(found) if arguments.json => {
                found.print_json(path)?;
                found.count()
            }
            Ok(found) => {
                found.tell(&name(path));
                found.count()
            }
            Err(error) => {
                tell(path, &error, arguments.json)?;
                1
            }
        };
        found += count;
        wrong += usize::from(count > 0);
    }
    let (found, all) = (problems(found), arguments.files.len());
    ensure!(wrong == 0, "{found} in {wrong} of {all} files");
    Ok(())
}

/// A schema, which is one document and nothing else.
fn read_schema(path: &Path) -> Result<Schema> {
    let Content::Text(bytes) = Input::open(path)?.content else {
        bail!(
            "{} is in the binary form, and schemas have none",
            name(path)
        );
    };
    let wrong = |found: Found| found.into_error(&name(path));
    let source = Source::new(&bytes).map_err(|problem| wrong(problem.into()))?;
    let found = problems_of(source, None);
    if found.count() > 0 {
        return Err(wrong(found));
    }
    let parsed = parse(source);
    let [document] = &parsed.tree.documents[..] else {
        let count = parsed.tree.documents.len();
        bail!("{} has {count} documents: a schema is one", name(path));
    };
    Schema::read(document).map_err(|problems| wrong(problems.locate(source).into()))
}

/// What is wrong with a text; what is wrong with bytes, or stands in the way of reading
/// them, is an error.
fn check(path: &Path, schema: Option<&Schema>) -> Result<Found> {
    match Input::open(path)?.content {
        Content::Text(bytes) => {
            let source = match Source::new(&bytes) {
                Ok(source) => source,
                Err(problem) => return Ok(problem.into()),
            };
            let found = problems_of(source, schema);
            ensure!(
                found.count() > 0 || has_document(source),
                nothing(&name(path))
            );
            Ok(found)
        }
        Content::Binary(mut binary) => {
            ensure!(binary.step()? != Step::End, nothing(&name(path)));
            while binary.step()? != Step::End {}
            Ok(Found::default())
        }
    }
}

fn has_document(source: Source<'_>) -> bool {
    let (mut lexer, mut ignored) = (Lexer::new(source), Problems::default());
    loop {
        match lexer.next_token(&mut ignored).kind {
            TokenKind::End => return false,
            TokenKind::Key(_) => return true,
            _ => {}
        }
    }
}

fn tell(path: &Path, error: &Error, as_json: bool) -> Result<()> {
    let message = told(error);
    if as_json {
        let object = json!({ "file": name(path), "code": "unreadable", "message": message });
        return Ok(line(format_args!("{object}"))?);
    }
    complain(format_args!("error: {message}\n"));
    Ok(())
}
