//! `atoll metrics import`: JSON Lines, as `export` writes them, to a node.

use super::retry;
use crate::client::Client;
use crate::output::{complain, line};
use crate::place::Reach;
use anyhow::{Context, Result, anyhow, bail, ensure};
use serde::Deserialize;
use serde_json::{Value, json};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::PathBuf;
use sync::printable::printable;
use ureq::http::Method;

/// A request is sent when it has so many bytes: enough to make the way there and back
/// cheap, few enough for any server to hold.
const REQUEST_BYTES: usize = 4 << 20;

/// The longest line, which is a series with its samples.
const MAX_LINE_BYTES: u64 = 32 << 20;

/// From one word on how far it is to the next.
const TOLD_EVERY: u64 = 100_000;

const JSON_LINES: &str = "application/x-ndjson";

#[derive(clap::Args)]
pub struct Arguments {
    /// JSON Lines {"metric": {"__name__": …}, "values": […], "timestamps": […]}; `-` is the
    /// standard input
    file: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    reach: Reach,
}

/// What has to be in a line; the rest is for the server to judge.
#[derive(Deserialize)]
struct Line {
    metric: serde_json::Map<String, Value>,
    values: Vec<Option<Value>>,
    timestamps: Vec<i64>,
}

/// What a server may say of the lines of a request, the first being 1.
#[derive(Deserialize)]
struct Refusal {
    line: u64,
    reason: String,
}

/// Lines on their way.
struct Importing {
    client: Client,
    request: Vec<u8>,
    /// The number of the first line of the request, from 1, and of the next one.
    first: u64,
    next: u64,
    samples: u64,
    refused: u64,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let shown = arguments.file.display();
    let input: Box<dyn Read> = match arguments.file.as_os_str() == "-" {
        true => Box::new(io::stdin().lock()),
        false => {
            let file = File::open(&arguments.file);
            Box::new(file.with_context(|| format!("cannot read {shown}"))?)
        }
    };
    let mut importing = Importing {
        client: arguments.reach.client_of_any_server()?,
        request: Vec::new(),
        first: 1,
        next: 1,
        samples: 0,
        refused: 0,
    };
    importing.lines(BufReader::new(input))?;
    importing.tell(arguments.json)
}

impl Importing {
    fn lines(&mut self, mut input: impl BufRead) -> Result<()> {
        let mut told = TOLD_EVERY;
        loop {
            let start = self.request.len();
            let number = self.next;
            let read = input
                .by_ref()
                .take(MAX_LINE_BYTES)
                .read_until(b'\n', &mut self.request);
            let length = read.with_context(|| format!("cannot read line {number}"))?;
            if length == 0 {
                return self.send();
            }
            self.next += 1;
            let judged = judge(&self.request[start..]);
            match judged {
                Ok(samples) => self.samples += samples,
                // What was read before it is good, and is sent.
                Err(fault) => {
                    self.request.truncate(start);
                    self.send()?;
                    bail!("line {number}: {fault}; the lines before it were sent");
                }
            }
            if !self.request.ends_with(b"\n") {
                self.request.push(b'\n');
            }
            if self.request.len() >= REQUEST_BYTES {
                self.send()?;
            }
            if number >= told {
                complain(format_args!("{number} lines, {} samples", self.samples));
                told += TOLD_EVERY;
            }
        }
    }

    /// Sends what waits, again and again while the server has no room.
    fn send(&mut self) -> Result<()> {
        if !self.request.is_empty() {
            let response = retry::until_there_is_room(|| {
                let body = &self.request[..];
                self.client
                    .exchange(Method::POST, "/api/v1/import", JSON_LINES, body)
            })?;
            let status = response.status();
            let answer = self.client.read(response)?;
            let refusals = Vec::<Refusal>::deserialize(&answer["refused"]).unwrap_or_default();
            for Refusal { line, reason } in &refusals {
                let line = self.first + line.saturating_sub(1);
                complain(format_args!("refused line {line}: {}", printable(reason)));
            }
            self.refused += refusals.len() as u64;
            if !status.is_success() && refusals.is_empty() {
                let (first, last) = (self.first, self.next - 1);
                let refusal = self.client.refusal(status, &answer);
                return Err(refusal.context(format!("lines {first} to {last} were not taken")));
            }
        }
        self.request.clear();
        self.first = self.next;
        Ok(())
    }

    fn tell(&self, as_json: bool) -> Result<()> {
        let (lines, samples, refused) = (self.next - 1, self.samples, self.refused);
        if as_json {
            let object = json!({ "lines": lines, "samples": samples, "refused_lines": refused });
            line(format_args!("{object}"))?;
        } else {
            line(format_args!(
                "{lines} lines with {samples} samples were sent"
            ))?;
        }
        ensure!(refused == 0, "{refused} lines were refused");
        Ok(())
    }
}

/// How many samples a line has, if it is one. An empty one has none.
fn judge(bytes: &[u8]) -> Result<u64> {
    ensure!(
        (bytes.len() as u64) < MAX_LINE_BYTES,
        "it is longer than {MAX_LINE_BYTES} bytes"
    );
    if bytes.trim_ascii().is_empty() {
        return Ok(0);
    }
    let line: Line = serde_json::from_slice(bytes).map_err(|error| {
        // It is one line of many, and its number is said already.
        anyhow!(
            "{}",
            error.to_string().replace(" at line 1 column", " at byte")
        )
    })?;
    ensure!(
        line.metric.contains_key("__name__"),
        "the metric has no __name__"
    );
    let (values, timestamps) = (line.values.len(), line.timestamps.len());
    ensure!(
        values == timestamps,
        "there are {values} values and {timestamps} timestamps"
    );
    Ok(values as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: Result<u64, &str>) {
        let found = judge(line.as_bytes()).map_err(|error| error.to_string());
        match (found, expected) {
            (Err(found), Err(part)) => assert!(found.contains(part), "{found}"),
            (found, expected) => assert_eq!(found, expected.map_err(str::to_owned), "{line}"),
        }
    }

    #[test]
    fn lines_are_judged_before_they_are_sent() {
        let good = r#"{"metric":{"__name__":"a"},"values":[1,null,"NaN"],"timestamps":[1,2,3]}"#;
        check(good, Ok(3));
        check(" \n", Ok(0));
        check("{", Err("at byte 1"));
        check("[]", Err("expected"));
        check(
            r#"{"metric":{},"values":[],"timestamps":[]}"#,
            Err("no __name__"),
        );
        let uneven = r#"{"metric":{"__name__":"a"},"values":[1],"timestamps":[]}"#;
        check(uneven, Err("1 values and 0 timestamps"));
    }
}
