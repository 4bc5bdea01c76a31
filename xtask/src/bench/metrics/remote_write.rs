//! Remote write of 10,000 series, as a Prometheus sends it: some senders, each with series
//! of its own, and times that rise.
//!
//! Each sample is sent once. What would send the same bodies again, as `atoll load` does,
//! would measure how late samples are kept, which an agent does not send.

use super::super::report::Row;
use super::Bench;
use super::body::Format;
use super::figures::{self, Bar, thousands};
use super::fleet::{Fleet, STEP, Sample, Series, value};
use super::load::{Delivery, deliver};
use super::now;
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
    let bodies = bodies(bench.scale.remote_write_times);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..bench.rounds {
        let mut systems = [System::Atoll, System::VictoriaMetrics];
        systems.rotate_left(round % 2);
        for system in systems {
            let server = system.start(bench)?;
            let delivery = send(&server, &bodies)?;
            eprintln!("  {} {delivery:?}", system.name());
            server.expect_series(FLEET.len())?;
            server.stop()?;
            match system {
                System::Atoll => ours.push(delivery),
                _ => theirs.push(delivery),
            }
        }
    }
    let samples = (FLEET.len() * bench.scale.remote_write_times) as f64;
    let row = |what, of: fn(&Delivery) -> f64, bar| {
        let figures =
            |all: &[Delivery]| all.iter().map(|one| samples / of(one)).collect::<Vec<_>>();
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
            |delivery| delivery.cpu.as_secs_f64(),
            Some(Bar::AtLeast(1.5)),
        ),
        row(
            "samples a second",
            |delivery| delivery.wall.as_secs_f64(),
            None,
        ),
    ])
}

/// A sample of each series for each of so many times, the last of which is now: those of each
/// sender, in the order of time. They are all written before any is sent, so that it does not
/// matter how fast they are written.
pub fn bodies(times: usize) -> Vec<Vec<Vec<u8>>> {
    let series: Vec<Series> = FLEET.series().collect();
    let first = now() - times as i64 * STEP;
    let body = |sender: usize, step: usize| {
        let numbers = sender * FLEET.metrics..(sender + 1) * FLEET.metrics;
        let samples = numbers.map(|number| Sample {
            series: &series[number],
            value: value(number, step),
            time: first + step as i64 * STEP,
        });
        Format::RemoteWrite.write(&samples.collect::<Vec<_>>())
    };
    (0..SENDERS)
        .map(|sender| (0..times).map(|step| body(sender, step)).collect())
        .collect()
}

/// Sends them.
///
/// # Errors
/// When one is not taken.
pub fn send(server: &Server, bodies: &[Vec<Vec<u8>>]) -> anyhow::Result<Delivery> {
    let senders = bodies.iter().map(|bodies| bodies.iter());
    deliver(server, TARGET, Format::RemoteWrite, senders.collect())
}
