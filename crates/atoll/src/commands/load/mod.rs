//! `atoll load`: many clients ask a web server, and what came of it is told.
//!
//! The asking is [`httpd::load`]'s. Here are what the flags mean, how far it is while it
//! lasts (`watch`), and the report for people (`told`, `plot`) and for programs (`json`).

mod json;
mod plot;
mod told;
mod watch;

use crate::interrupt;
use crate::output::{WrongUsage, line};
use anyhow::{Context, Result, bail, ensure};
use base::Fingerprint;
use clap::builder::RangedU64ValueParser;
use httpd::limit::parse_period;
use httpd::load::request::{Content, Request};
use httpd::load::{Amount, Course, Pace, Plan, Target, TargetError};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use ureq::http::{HeaderName, HeaderValue, Method, header};

/// Each has a socket, and a machine has 28,000 ports for those to one address.
const MAX_CLIENTS: u64 = 20_000;

/// Each is a loop that wants a core.
const MAX_THREADS: u64 = 256;

/// Clients of a thread that are worth another one: fewer leave a core idle part of the
/// time, which a server on the same machine uses better.
const CLIENTS_PER_THREAD: usize = 256;

/// Requests a second that no machine sends; it bounds what is computed with them.
const MAX_RATE: f64 = 1e8;

/// Requests unless somebody says how many or how long.
const REQUESTS: u64 = 1000;

/// Of a body. All are held in memory, with the heads of their requests, so that no disk is
/// waited for while times are measured.
const MAX_BODY_BYTES: u64 = 1 << 30;

/// Shown below the options.
const EXAMPLES: &str = "\
Examples:
  atoll load http://127.0.0.1:8080/ --clients 100 --requests 100000
  atoll load http://127.0.0.1:8080/ --clients 100 --rate 2000 --duration 30s
  atoll load http://127.0.0.1:8080/metrics --body samples.json --header 'Content-Type: application/json'
  atoll load http://127.0.0.1:8080/metrics --body FOLDER --once --clients 4";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// What is asked, as http://HOST:PORT/PATH or https://HOST/PATH
    url: String,
    /// Clients at the same time: each has a connection, and a request at a time
    #[arg(long, default_value_t = 10, value_name = "N", value_parser = up_to(MAX_CLIENTS))]
    clients: usize,
    /// Requests of all clients together [default: 1000]
    #[arg(long, value_name = "N", conflicts_with_all = ["duration", "once"], value_parser = clap::value_parser!(u64).range(1..))]
    requests: Option<u64>,
    /// Begin requests for so long instead, such as 30s
    #[arg(long, value_name = "TIME", conflicts_with = "once", value_parser = period)]
    duration: Option<Duration>,
    /// Begin so many requests a second, whether or not answers come. Latency then counts
    /// from when a request was due. Otherwise each client asks again when it was answered
    #[arg(long, value_name = "R", value_parser = rate)]
    rate: Option<f64>,
    /// What is done there [default: GET, or POST with a body]
    #[arg(long, value_name = "METHOD")]
    method: Option<Method>,
    /// Add a field to the head of each request, such as 'Accept: text/html'; may be given
    /// many times
    #[arg(long = "header", value_name = "NAME: VALUE", value_parser = field)]
    fields: Vec<(HeaderName, HeaderValue)>,
    /// Send what is in this file, `-` for the standard input, or in each file of this
    /// folder, in the order of their names; of several, clients take one after another
    #[arg(long = "body", value_name = "FILE|FOLDER")]
    bodies: Vec<PathBuf>,
    /// Send each body once and end: of N clients, the first sends the first body, the one
    /// after N more and so on, always in that order
    #[arg(long, requires = "bodies")]
    once: bool,
    /// Send this token, as `Authorization: Bearer`
    #[arg(
        long,
        env = "ATOLL_TOKEN",
        value_name = "TOKEN",
        hide_env_values = true
    )]
    token: Option<String>,
    /// Of the certificate that alone is believed; without it, the authorities of the web are
    #[arg(long, env = "ATOLL_FINGERPRINT", value_name = "sha256:HEX")]
    fingerprint: Option<Fingerprint>,
    /// How long an answer may take
    #[arg(long, default_value = "10s", value_name = "TIME", value_parser = period)]
    timeout: Duration,
    /// Make a connection for each request
    #[arg(long)]
    no_keep_alive: bool,
    /// Threads that run the clients [default: one for each 256 clients, up to as many as
    /// there are cores]
    #[arg(long, value_name = "N", value_parser = up_to(MAX_THREADS))]
    threads: Option<usize>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let target = Target::find(&arguments.url, arguments.timeout).map_err(|error| match error {
        TargetError::Malformed(_) => wrong(error.to_string()),
        unknown => unknown.into(),
    })?;
    let requests = arguments.requests_to(&target)?;
    let plan = arguments.plan(requests.len());
    let trust = sync::tls::config(arguments.fingerprint);
    let course = Arc::new(Course::default());
    let asked = Arc::clone(&course);
    interrupt::first(move || asked.stop())?;
    let report = watch::watching(&course, plan.amount, || {
        httpd::load::run(&plan, &target, &requests, &trust, &course)
    })?;
    if arguments.json {
        let object = json::object(&arguments.url, &plan, &report, course.is_stopped());
        line(format_args!("{object}"))?;
    } else {
        told::tell(&arguments.url, &plan, &report, course.is_stopped())?;
    }
    let failed = report.tally.requests() - report.tally.succeeded();
    ensure!(failed == 0, told::failure(&report.tally));
    Ok(())
}

impl Arguments {
    /// What is done with so many different requests.
    fn plan(&self, requests: usize) -> Plan {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        let usual = || self.clients.div_ceil(CLIENTS_PER_THREAD).min(cores());
        Plan {
            clients: self.clients,
            threads: self.threads.unwrap_or_else(usual).min(self.clients),
            pace: match self.rate {
                Some(per_second) => Pace::Open { per_second },
                None => Pace::Closed,
            },
            amount: match self.duration {
                Some(time) => Amount::Lasting(time),
                None if self.once => Amount::Once(requests as u64),
                None => Amount::Requests(self.requests.unwrap_or(REQUESTS)),
            },
            timeout: self.timeout,
            keeps_connections: !self.no_keep_alive,
        }
    }

    /// A request for each body, or one without.
    fn requests_to(&self, target: &Target) -> Result<Vec<Request>> {
        let mut fields = self.fields.clone();
        if let Some(token) = &self.token {
            let value = HeaderValue::try_from(format!("Bearer {token}"));
            let value =
                value.map_err(|_| wrong("the token has characters that no head can hold"))?;
            fields.push((header::AUTHORIZATION, value));
        }
        let standard = self.bodies.iter().filter(|path| is_standard(path)).count();
        if standard > 1 {
            return Err(wrong("the standard input is one body: name `-` once"));
        }
        let usual = if self.bodies.is_empty() {
            Method::GET
        } else {
            Method::POST
        };
        let method = self.method.as_ref().unwrap_or(&usual);
        let request = |body: Option<&[u8]>| {
            let content = Content {
                method,
                fields: &fields,
                body,
                keeps_connection: !self.no_keep_alive,
            };
            Request::new(target, &content).map_err(|own| wrong(own.to_string()))
        };
        if self.bodies.is_empty() {
            return Ok(vec![request(None)?]);
        }
        let mut requests = Vec::new();
        for path in &self.bodies {
            for file in files_of(path)? {
                requests.push(request(Some(&read_body(&file)?))?);
            }
        }
        Ok(requests)
    }
}

/// The files that are meant by `path`: those in a folder by their names, or itself. Folders
/// in a folder are left out.
fn files_of(path: &Path) -> Result<Vec<PathBuf>> {
    if is_standard(path) || !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let shown = path.display();
    let inside = path.read_dir().and_then(|entries| {
        let paths = entries.map(|entry| Ok(entry?.path()));
        paths.collect::<io::Result<Vec<_>>>()
    });
    let mut files = inside.with_context(|| format!("cannot read {shown}"))?;
    files.retain(|path| !path.is_dir());
    ensure!(!files.is_empty(), "{shown} has no file that could be sent");
    files.sort_unstable();
    Ok(files)
}

fn is_standard(path: &Path) -> bool {
    path.as_os_str() == "-"
}

fn read_body(path: &Path) -> Result<Vec<u8>> {
    let shown = path.display();
    let source: Box<dyn Read> = match is_standard(path) {
        true => Box::new(io::stdin().lock()),
        false => Box::new(File::open(path).with_context(|| format!("cannot read {shown}"))?),
    };
    let mut body = Vec::new();
    let read = source.take(MAX_BODY_BYTES + 1).read_to_end(&mut body);
    read.with_context(|| format!("cannot read {shown}"))?;
    if body.len() as u64 > MAX_BODY_BYTES {
        bail!("{shown} is longer than the {MAX_BODY_BYTES} bytes that a body may have");
    }
    Ok(body)
}

fn wrong(text: impl Into<String>) -> anyhow::Error {
    WrongUsage(text.into()).into()
}

fn up_to(most: u64) -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..=most)
}

fn period(text: &str) -> Result<Duration> {
    let found = parse_period(text).filter(|period| !period.is_zero());
    found.with_context(|| format!("{text:?} is no time, such as 500ms, 30s or 5m"))
}

fn rate(text: &str) -> Result<f64> {
    let found = text
        .parse()
        .ok()
        .filter(|rate| *rate > 0.0 && *rate <= MAX_RATE);
    found.with_context(|| format!("{text:?} is no number of requests a second, such as 2000"))
}

fn field(text: &str) -> Result<(HeaderName, HeaderValue)> {
    let shape = || format!("{text:?} is no field: write it as in 'Accept: text/html'");
    let (name, value) = text.split_once(':').with_context(shape)?;
    let name = name.trim().parse().ok().with_context(shape)?;
    let value = HeaderValue::from_str(value.trim())
        .ok()
        .with_context(shape)?;
    Ok((name, value))
}
