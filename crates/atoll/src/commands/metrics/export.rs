//! `atoll metrics export`: samples of a node as JSON Lines, which `import` takes back.

use super::moment::{Moment, now, seconds};
use crate::client::{Client, encode};
use crate::output::complain;
use crate::place::Reach;
use anyhow::{Context, Result};
use std::fs::OpenOptions;
use std::io::{self, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;
use ureq::Body;
use ureq::http::Method;

/// What has a name: every series.
const ALL: &str = "{__name__!=\"\"}";

/// Read and written at once.
const PIECE_BYTES: usize = 256 * 1024;

/// From one word on how far it is to the next.
const TOLD_EVERY: u64 = 64 << 20;

#[derive(clap::Args)]
pub struct Arguments {
    /// Series to write, as a selector such as 'up{job="a"}'; may be given many times
    /// [default: all]
    #[arg(long = "match", value_name = "SELECTOR")]
    selectors: Vec<String>,
    /// Only samples from then on: a date, RFC 3339, seconds since 1970, or how long ago
    #[arg(long, value_name = "TIME", value_parser = Moment::read, allow_hyphen_values = true)]
    from: Option<Moment>,
    /// Only samples up to then
    #[arg(long, value_name = "TIME", value_parser = Moment::read, allow_hyphen_values = true)]
    to: Option<Moment>,
    /// Where they go [default: the standard output]
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    reach: Reach,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let client = arguments.reach.client_of_any_server()?;
    let response = client.exchange(Method::GET, &arguments.path(), "application/json", ())?;
    let status = response.status();
    if !status.is_success() {
        let answer = client.read(response)?;
        return Err(client.refusal(status, &answer));
    }
    let body = response.into_body();
    match &arguments.output {
        None => copy(&client, body, &mut io::stdout().lock()),
        Some(path) => write(&client, body, path),
    }
}

impl Arguments {
    fn path(&self) -> String {
        let all = [ALL.to_owned()];
        let selectors = if self.selectors.is_empty() {
            &all[..]
        } else {
            &self.selectors
        };
        let matched = selectors
            .iter()
            .map(|selector| format!("match[]={}", encode(selector)));
        let bound = |name, moment: Option<Moment>| {
            moment.map(|moment| format!("{name}={}", seconds(moment.milliseconds(now()))))
        };
        let bounds = bound("start", self.from)
            .into_iter()
            .chain(bound("end", self.to));
        let fields: Vec<_> = matched.chain(bounds).collect();
        format!("/api/v1/export?{}", fields.join("&"))
    }
}

/// Writes a file that is there only when it is whole. What is no file, such as a pipe, is
/// written to as it comes.
fn write(client: &Client, body: Body, path: &Path) -> Result<()> {
    let what = || format!("cannot write {}", path.display());
    let is_other = std::fs::metadata(path).is_ok_and(|found| !found.is_file());
    if is_other {
        let mut out = OpenOptions::new()
            .write(true)
            .open(path)
            .with_context(what)?;
        return copy(client, body, &mut out).with_context(what);
    }
    // A link stays one.
    let target = std::fs::canonicalize(path);
    let path = target.as_deref().unwrap_or(path);
    let beside = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let mut file = NamedTempFile::new_in(beside.unwrap_or(Path::new("."))).with_context(what)?;
    copy(client, body, file.as_file_mut()).with_context(what)?;
    file.as_file().sync_all().with_context(what)?;
    file.persist(path).with_context(what)?;
    Ok(())
}

fn copy(client: &Client, body: Body, out: &mut impl Write) -> Result<()> {
    let mut input = body.into_reader();
    let mut piece = vec![0; PIECE_BYTES];
    let (mut written, mut told) = (0, TOLD_EVERY);
    let tells = io::stderr().is_terminal();
    loop {
        let length = input.read(&mut piece);
        let broken = || format!("{} broke off after {written} bytes", client.server());
        let length = length.with_context(broken)?;
        if length == 0 {
            return Ok(out.flush()?);
        }
        out.write_all(&piece[..length])?;
        written += length as u64;
        if tells && written >= told {
            complain(format_args!("{} MB", written / 1_000_000));
            told += TOLD_EVERY;
        }
    }
}
