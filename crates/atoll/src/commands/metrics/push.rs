//! `atoll metrics push`: samples to a node, one from the arguments or many from the
//! standard input.

use super::line::{self, LineFault};
use super::moment::{Moment, now};
use super::retry;
use crate::client::Client;
use crate::output::{WrongUsage, complain, line as write_line};
use crate::place::Reach;
use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;
use serde::Deserialize;
use serde_json::{Deserializer, Map, Value, json};
use std::io::{self, BufRead, Read};
use sync::printable::printable;
use ureq::http::Method;

/// Samples of one request, as many as a node takes.
const BATCH: usize = 1000;

/// The longest line: a name and tags, all of them as long as a node takes.
const MAX_LINE_BYTES: u64 = 1 << 20;

/// The longest JSON, of which one value at a time is held.
const MAX_JSON_BYTES: u64 = 1 << 30;

/// Shown below the options.
const EXAMPLES: &str = "\
Examples:
  atoll metrics push room_temperature 21.5 --tag room=kitchen
  echo 'room_temperature 21.5 room=kitchen' | atoll metrics push
  atoll metrics push --json-input < samples.json";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// What is measured; without it, the standard input has lines of NAME VALUE tag=value…
    #[arg(requires = "value", conflicts_with = "json_input")]
    name: Option<String>,
    /// How much it is
    #[arg(value_parser = line::number, allow_hyphen_values = true)]
    value: Option<f64>,
    /// Of what kind the samples are that do not say it themselves
    #[arg(long = "type", value_enum, default_value_t = Kind::Gauge)]
    kind: Kind,
    /// Add this tag to every sample; may be given many times
    #[arg(long = "tag", value_name = "NAME=VALUE", value_parser = line::tag)]
    tags: Vec<(String, String)>,
    /// When samples are from that do not say it themselves: a date, RFC 3339, seconds since
    /// 1970, or how long ago, such as 5m [default: when they arrive]
    #[arg(long, value_name = "TIME", value_parser = Moment::read, allow_hyphen_values = true)]
    time: Option<Moment>,
    /// Read JSON from the standard input: objects {"name", "value", "type", "tags",
    /// "timestamp"}, lists of them, or {"metrics": [...]}
    #[arg(long)]
    json_input: bool,
    /// Keep nothing of a batch of 1000 of which one sample is refused
    #[arg(long)]
    atomic: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    reach: Reach,
}

#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    /// What goes up and down
    Gauge,
    /// What only goes up, until it starts anew
    Counter,
    /// A part of a histogram
    Histogram,
    /// A part of a summary
    Summary,
}

/// What a node says of a batch.
#[derive(Deserialize)]
struct Outcome {
    #[serde(default)]
    accepted: u64,
    #[serde(default)]
    refused: Vec<Refusal>,
}

#[derive(Deserialize)]
struct Refusal {
    index: u64,
    reason: String,
}

/// Samples on their way.
struct Pushing<'a> {
    arguments: &'a Arguments,
    client: Client,
    batch: Vec<Value>,
    /// Samples of the batches before.
    sent: u64,
    accepted: u64,
    refused: Vec<Value>,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let mut pushing = Pushing {
        arguments,
        client: arguments.reach.client_of_any_server()?,
        batch: Vec::with_capacity(BATCH),
        sent: 0,
        accepted: 0,
        refused: Vec::new(),
    };
    let input = io::stdin().lock();
    match (&arguments.name, arguments.value) {
        (Some(name), Some(value)) => pushing.add(json!({ "name": name, "value": value }))?,
        _ if arguments.json_input => pushing.add_json(input)?,
        _ => pushing.add_lines(input)?,
    }
    pushing.send()?;
    pushing.tell()
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Counter => "counter",
            Self::Histogram => "histogram",
            Self::Summary => "summary",
        }
    }
}

impl Pushing<'_> {
    /// All lines are read before the last batch is sent, but a wrong one ends it there: what
    /// is before it was sent, as it says.
    fn add_lines(&mut self, mut input: impl BufRead) -> Result<()> {
        let mut text = String::new();
        for number in 1_u64.. {
            text.clear();
            let length = input.by_ref().take(MAX_LINE_BYTES).read_line(&mut text);
            let length = length.with_context(|| format!("cannot read line {number}"))?;
            if length == 0 {
                break;
            }
            ensure!(
                (length as u64) < MAX_LINE_BYTES,
                "line {number} is longer than {MAX_LINE_BYTES} bytes"
            );
            if let Some(written) = line::read(&text).map_err(|fault| self.wrong(number, &fault))? {
                let tags: Map<_, _> = written.tags.into_iter().map(pair).collect();
                self.add(json!({ "name": written.name, "value": written.value, "tags": tags }))?;
            }
        }
        Ok(())
    }

    fn wrong(&self, number: u64, fault: &LineFault) -> anyhow::Error {
        let sent = self.sent;
        WrongUsage(format!(
            "line {number}: {fault}; {sent} samples before it were sent"
        ))
        .into()
    }

    fn add_json(&mut self, input: impl Read) -> Result<()> {
        let values = Deserializer::from_reader(io::BufReader::new(input.take(MAX_JSON_BYTES)));
        for value in values.into_iter() {
            let items = match value.context("cannot read the JSON on the standard input")? {
                Value::Array(items) => items,
                Value::Object(mut object) => match object.remove("metrics") {
                    Some(Value::Array(items)) => items,
                    Some(other) => bail!("\"metrics\" is no list but {other}"),
                    None => vec![Value::Object(object)],
                },
                other => bail!("{other} is no sample: it has to be an object"),
            };
            for item in items {
                self.add(item)?;
            }
        }
        Ok(())
    }

    /// Adds a sample, with what it does not say itself.
    fn add(&mut self, mut sample: Value) -> Result<()> {
        // What is no object is for the node to refuse, by its index.
        if let Value::Object(fields) = &mut sample {
            let arguments = self.arguments;
            fields
                .entry("type")
                .or_insert_with(|| arguments.kind.word().into());
            if let Some(time) = arguments.time {
                fields
                    .entry("timestamp")
                    .or_insert_with(|| time.milliseconds(now()).into());
            }
            let tags = fields.entry("tags").or_insert_with(|| json!({}));
            if let Value::Object(tags) = tags {
                for (name, value) in arguments.tags.iter().cloned().map(pair) {
                    tags.entry(name).or_insert(value);
                }
            }
        }
        self.batch.push(sample);
        if self.batch.len() == BATCH {
            self.send()?;
        }
        Ok(())
    }

    /// Sends what waits, again and again while the node has no room.
    fn send(&mut self) -> Result<()> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let path = if self.arguments.atomic {
            "/metrics?atomic=1"
        } else {
            "/metrics"
        };
        let body = json!({ "metrics": self.batch }).to_string();
        let response = retry::until_there_is_room(|| {
            self.client
                .exchange(Method::POST, path, "application/json", &body)
        })?;
        let status = response.status();
        let answer = self.client.read(response)?;
        let outcome = Outcome::deserialize(&answer).ok();
        let outcome = outcome.filter(|outcome| status.is_success() || !outcome.refused.is_empty());
        let outcome = outcome.ok_or_else(|| self.client.refusal(status, &answer))?;
        self.accepted += outcome.accepted;
        for Refusal { index, reason } in outcome.refused {
            let name = usize::try_from(index)
                .ok()
                .and_then(|index| self.batch.get(index));
            let name = name
                .and_then(|sample| sample["name"].as_str())
                .unwrap_or_default();
            let index = self.sent + index;
            complain(format_args!(
                "refused {index} ({}): {}",
                printable(name),
                printable(&reason)
            ));
            self.refused
                .push(json!({ "index": index, "name": name, "reason": reason }));
        }
        self.sent += self.batch.len() as u64;
        self.batch.clear();
        Ok(())
    }

    fn tell(&self) -> Result<()> {
        let (sent, accepted) = (self.sent, self.accepted);
        if self.arguments.json {
            let object = json!({ "sent": sent, "accepted": accepted, "refused": self.refused });
            write_line(format_args!("{object}"))?;
        } else {
            write_line(format_args!("{accepted} of {sent} samples were accepted"))?;
        }
        ensure!(
            accepted == sent,
            "{} samples were refused",
            sent - accepted.min(sent)
        );
        Ok(())
    }
}

fn pair((name, value): (String, String)) -> (String, Value) {
    (name, value.into())
}
