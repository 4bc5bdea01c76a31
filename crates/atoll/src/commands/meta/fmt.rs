//! `atoll meta fmt`: the canonical form of texts, in place. It knows no keys: any text of
//! the language will do.

use super::input::{Content, Input, STANDARD, expect_one_standard, name};
use super::problems::{Found, problems};
use super::sink::Sink;
use crate::output::{complain, line, told};
use anyhow::{Context, Result, bail, ensure};
use meta::text::{Source, parse, print};
use serde_json::json;
use std::io::Write;
use std::path::{Path, PathBuf};

/// A file is replaced, whole or not at all, with its mode and as far as may be its owner;
/// extended attributes and other names (hard links) stay with the old one
#[derive(clap::Args)]
pub struct Arguments {
    /// Texts; `-` reads the standard input and writes the standard output
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Change nothing, name what would change, and exit with 1 if there is any
    #[arg(long)]
    check: bool,
    /// With `--check`, print one JSON object for each file that would change
    #[arg(long, requires = "check")]
    json: bool,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    expect_one_standard(&arguments.files)?;
    let (mut failed, mut differing) = (0, 0);
    for path in &arguments.files {
        match format(path, arguments) {
            Ok(true) => differing += 1,
            Ok(false) => {}
            Err(error) if crate::output::nobody_reads(&error) => return Err(error),
            Err(error) => {
                complain(format_args!("error: {}", told(&error)));
                failed += 1;
            }
        }
    }
    let all = arguments.files.len();
    ensure!(failed == 0, "{failed} of {all} files were left alone");
    ensure!(
        !arguments.check || differing == 0,
        "{differing} of {all} files would change"
    );
    Ok(())
}

/// Whether the text was, or would be, another.
fn format(path: &Path, arguments: &Arguments) -> Result<bool> {
    let input = Input::open(path)?;
    let Content::Text(bytes) = input.content else {
        bail!(
            "{} is binary; `atoll meta decode` makes a text of it",
            input.name
        );
    };
    let formatted = canonical(&bytes).map_err(|found| {
        found.tell(&input.name);
        let count = problems(found.count());
        anyhow::anyhow!("{} has {count}: it is left alone", input.name)
    })?;
    let differs = formatted.as_bytes() != bytes;
    match (arguments.check, path.as_os_str() == STANDARD) {
        (true, _) if differs && arguments.json => {
            let object = json!({ "file": name(path), "change": "format" });
            line(format_args!("{object}"))?;
        }
        (true, _) if differs => line(format_args!("{}", name(path)))?,
        (false, true) => {
            let mut sink = Sink::standard();
            sink.write_all(formatted.as_bytes())?;
            sink.finish()?;
        }
        (false, false) if differs => replace(path, &formatted)?,
        _ => {}
    }
    Ok(differs)
}

fn canonical(bytes: &[u8]) -> Result<String, Found> {
    let parsed = parse(Source::new(bytes)?);
    if parsed.problems.is_empty() {
        Ok(print(&parsed.tree))
    } else {
        Err((parsed.problems, parsed.more_problems).into())
    }
}

fn replace(path: &Path, text: &str) -> Result<()> {
    let mut sink = Sink::file(path)?;
    sink.write_all(text.as_bytes())
        .with_context(|| format!("cannot write beside {}", path.display()))?;
    sink.finish()
}
