//! Remote write of 10,000 series, as a Prometheus sends it: some senders, each with series
//! of its own, and times that rise.
//!
//! Each sample is sent once. The same bodies again would measure how late samples are kept,
//! which an agent does not send.

use std::path::{Path, PathBuf};

use super::super::report::Row;
use super::Bench;
use super::body::Format;
use super::figures::{self, Bar, thousands};
use super::fleet::Fleet;
use super::load::{self, Load, Outcome};
use super::server::{Server, System};

/// Senders, each with one body for each time.
const SENDERS: usize = 10;

/// Where both take it.
const TARGET: &str = "/api/v1/write";

/// The series.
pub const FLEET: Fleet = Fleet {
    metrics: 1000,
    hosts: SENDERS,
};

/// Measures it.
///
/// # Errors
/// When a server does not run, or loses samples that it took.
pub fn run(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    let bodies = bodies(bench, bench.scale.remote_write_times)?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..bench.rounds {
        let mut systems = [System::Atoll, System::VictoriaMetrics];
        systems.rotate_left(round % 2);
        for system in systems {
            let server = system.start(bench)?;
            let outcome = send(bench, &server, &bodies)?;
            eprintln!("  {} {outcome:?}", system.name());
            server.expect_series(FLEET.len())?;
            server.stop()?;
            match system {
                System::Atoll => ours.push(outcome),
                _ => theirs.push(outcome),
            }
        }
    }
    let samples = (FLEET.len() * bench.scale.remote_write_times) as f64;
    let row = |what, of: fn(&Outcome) -> f64, bar| {
        let figures = |all: &[Outcome]| all.iter().map(|one| samples / of(one)).collect::<Vec<_>>();
        figures::row(
            &format!("remote write, {} series, {what}", FLEET.len()),
            &figures(&ours),
            (System::VictoriaMetrics.name(), &figures(&theirs)),
            bar,
            thousands,
        )
    };
    Ok(vec![
        row(
            "samples per CPU-second",
            |outcome| outcome.cpu.as_secs_f64(),
            Some(Bar::AtLeast(1.5)),
        ),
        row("samples a second", |outcome| outcome.seconds, None),
    ])
}

/// Those of each sender, at so many times.
///
/// # Errors
/// When they cannot be written.
pub fn bodies(bench: &Bench, times: usize) -> anyhow::Result<PathBuf> {
    load::bodies(bench, Format::RemoteWrite, FLEET, times)
}

/// Sends them: each sender has those with its series, in the order of time.
///
/// # Errors
/// When one is not taken.
pub fn send(bench: &Bench, server: &Server, bodies: &Path) -> anyhow::Result<Outcome> {
    let load = Load {
        target: TARGET,
        format: Format::RemoteWrite,
        bodies,
        clients: SENDERS,
        rate: None,
    };
    load.deliver(bench, server)
}
