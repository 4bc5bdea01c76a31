//! 100 clients that push 100 samples a request, as fast as they are answered: our JSON beside
//! the nearest that VictoriaMetrics takes, and the same line protocol in both.
//!
//! The same bodies are sent again and again, so ours carry no times: the server's
//! clock counts. VictoriaMetrics' JSON Lines must have them; there are as many bodies of
//! other times as of other values.

use std::path::PathBuf;

use super::super::report::Row;
use super::Bench;
use super::body::Format;
use super::figures::{self, Bar, milliseconds, percent, thousands};
use super::fleet::Fleet;
use super::load::{self, Load, Outcome};
use super::server::System;

/// Clients, and bodies of different series: each series is in one.
pub const CLIENTS: usize = 100;

/// Samples of a request.
pub const SAMPLES: usize = 100;

/// Bodies of the same series with other values.
const TIMES: usize = 4;

/// The series of all clients.
pub const FLEET: Fleet = Fleet {
    metrics: SAMPLES,
    hosts: CLIENTS,
};

/// Something that is pushed to somebody.
#[derive(Clone, Copy)]
struct Way {
    system: System,
    target: &'static str,
    format: Format,
}

const WAYS: [Way; 4] = [
    Way {
        system: System::Atoll,
        target: "/metrics",
        format: Format::Json,
    },
    Way {
        system: System::VictoriaMetrics,
        target: "/api/v1/import",
        format: Format::JsonLines,
    },
    Way {
        system: System::Atoll,
        target: "/write",
        format: Format::LineProtocol,
    },
    Way {
        system: System::VictoriaMetrics,
        target: "/write",
        format: Format::LineProtocol,
    },
];

/// Measures it.
///
/// # Errors
/// When a server does not run, or lost samples that it took.
pub fn run(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    let mut outcomes: [Vec<Outcome>; WAYS.len()] = Default::default();
    for round in 0..bench.rounds {
        for turn in 0..WAYS.len() {
            let place = (round + turn) % WAYS.len();
            let outcome = look_at(bench, WAYS[place])?;
            eprintln!("  {} {outcome:?}", WAYS[place].system.name());
            outcomes[place].push(outcome);
        }
    }
    let [json, json_lines, ours, theirs] = &outcomes;
    let mut rows = rows(
        "100 clients, JSON × 100",
        json,
        ("VictoriaMetrics, JSON lines,", json_lines),
        Some(Bar::AtLeast(2.0)),
    );
    let rival = ("VictoriaMetrics", &theirs[..]);
    rows.extend(self::rows(
        "100 clients, line protocol × 100",
        ours,
        rival,
        None,
    ));
    Ok(rows)
}

fn look_at(bench: &Bench, way: Way) -> anyhow::Result<Outcome> {
    let server = way.system.start(bench)?;
    let bodies = bodies(bench, way.format)?;
    let load = Load {
        target: way.target,
        format: way.format,
        bodies: &bodies,
        clients: CLIENTS,
        rate: None,
    };
    let outcome = load.measure(bench, &server, bench.scale.load)?;
    server.expect_series(FLEET.len())?;
    server.stop()?;
    Ok(outcome)
}

/// First one of each client, then those with the next values.
///
/// # Errors
/// When they cannot be written.
pub fn bodies(bench: &Bench, format: Format) -> anyhow::Result<PathBuf> {
    load::bodies(bench, format, FLEET, TIMES)
}

fn rows(work: &str, ours: &[Outcome], rival: (&str, &[Outcome]), bar: Option<Bar>) -> Vec<Row> {
    let row = |what: &str, of: fn(&Outcome) -> f64, bar, show| {
        let figures = |outcomes: &[Outcome]| outcomes.iter().map(of).collect::<Vec<f64>>();
        figures::row(
            &format!("{work}, {what}"),
            &figures(ours),
            (rival.0, &figures(rival.1)),
            bar,
            show,
        )
    };
    let succeeded = |outcomes: &[Outcome]| {
        let rates = outcomes.iter().map(|outcome| outcome.success_rate);
        rates.fold(1.0, f64::min)
    };
    vec![
        row("samples per CPU-second", per_cpu_second, bar, thousands),
        row("samples a second", per_second, None, thousands),
        row("mean", |outcome| outcome.latency.mean, None, milliseconds),
        row("p50", |outcome| outcome.latency.p50, None, milliseconds),
        row("p99", |outcome| outcome.latency.p99, None, milliseconds),
        Row::figure(
            &format!("{work}, requests that succeeded"),
            percent(succeeded(ours)),
            format!("{} {}", rival.0, percent(succeeded(rival.1))),
            "100 %".to_owned(),
            succeeded(ours) == 1.0,
        ),
    ]
}

fn per_cpu_second(outcome: &Outcome) -> f64 {
    samples(outcome) / outcome.cpu.as_secs_f64()
}

fn per_second(outcome: &Outcome) -> f64 {
    samples(outcome) / outcome.seconds
}

fn samples(outcome: &Outcome) -> f64 {
    outcome.succeeded as f64 * SAMPLES as f64
}
