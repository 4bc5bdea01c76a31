//! `atoll meta check`: everything that is wrong with documents.

use super::input::{Content, Input, name};
use super::problems::{Found, problems, problems_of};
use crate::output::{line, told};
use anyhow::{Error, Result, ensure};
use meta::binary::Step;
use meta::text::Source;
use serde_json::json;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub struct Arguments {
    /// Documents, as texts or in the binary form; `-` is the standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Print one JSON object for each problem
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let (mut found, mut wrong) = (0, 0);
    for path in &arguments.files {
        let count = match check(path) {
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

/// What is wrong with a text; what is wrong with bytes, or stands in the way of reading
/// them, is an error.
fn check(path: &Path) -> Result<Found> {
    match Input::open(path)?.content {
        Content::Text(bytes) => Ok(match Source::new(&bytes) {
            Ok(source) => problems_of(source),
            Err(problem) => problem.into(),
        }),
        Content::Binary(mut binary) => {
            while binary.step()? != Step::End {}
            Ok(Found::default())
        }
    }
}

fn tell(path: &Path, error: &Error, as_json: bool) -> Result<()> {
    let message = told(error);
    if as_json {
        let object = json!({ "file": name(path), "code": "unreadable", "message": message });
        return Ok(line(format_args!("{object}"))?);
    }
    eprintln!("error: {message}\n");
    Ok(())
}
