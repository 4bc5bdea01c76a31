//! 100 clients that push at a rate: how long a request takes where there is time for it, on
//! a disk that takes its own. What takes it without the disk is shown beside it.

use super::super::machine;
use super::super::report::Row;
use super::body::Format;
use super::figures::{median, milliseconds, percent};
use super::load::{Load, Outcome};
use super::server::System;
use super::{Bench, push};

/// Requests of all clients in a second.
const RATE: u32 = 2000;

/// Milliseconds that the mean stays below.
const MEAN_BAR: f64 = 3.0;

/// How many times the sum of an fsync and a request without one the p99 may be.
const P99_BAR: f64 = 3.0;

/// Measures it.
///
/// # Errors
/// When a server does not run.
pub fn run(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    let bodies = push::bodies(bench, Format::Json)?;
    let look_at = |system: System, clients, rate| -> anyhow::Result<Outcome> {
        let server = system.start(bench)?;
        let load = Load {
            target: "/metrics",
            format: Format::Json,
            bodies: &bodies,
            clients,
            rate,
        };
        let outcome = load.measure(bench, &server, bench.scale.paced)?;
        eprintln!("  {} {outcome:?}", system.name());
        server.stop()?;
        Ok(outcome)
    };
    let (mut loaded, mut written, mut floors) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..bench.rounds {
        let (fsync, _) = machine::fsync_latency(&bench.folder)?;
        let unloaded = look_at(System::AtollWritten, 1, None)?;
        floors.push(fsync.as_secs_f64() * 1e3 + unloaded.latency.p50);
        loaded.push(look_at(System::Atoll, push::CLIENTS, Some(RATE))?);
        let without_disk = look_at(System::AtollWritten, push::CLIENTS, Some(RATE))?;
        written.push(without_disk.latency.p99);
    }
    let of = |figure: fn(&Outcome) -> f64| loaded.iter().map(figure).collect::<Vec<f64>>();
    let mean = median(&of(|outcome| outcome.latency.mean));
    let p99s = of(|outcome| outcome.latency.p99);
    let ratios = p99s.iter().zip(&floors).map(|(p99, floor)| p99 / floor);
    let ratio = median(&ratios.collect::<Vec<_>>());
    let succeeded = of(|outcome| outcome.success_rate);
    let succeeded = succeeded.into_iter().fold(1.0, f64::min);
    let cpu = median(&of(|outcome| outcome.cpu.as_secs_f64() / outcome.seconds));
    let work = format!("100 clients, JSON × 100, {RATE} requests a second in all");
    Ok(vec![
        Row::figure(
            &format!("{work}, mean"),
            milliseconds(mean),
            String::new(),
            "< 3 ms".to_owned(),
            mean < MEAN_BAR,
        ),
        Row {
            ratio: format!("{ratio:.2} ×"),
            ..Row::figure(
                &format!("{work}, p99"),
                milliseconds(median(&p99s)),
                format!("fsync + unloaded request {}", milliseconds(median(&floors))),
                format!("≤ {P99_BAR:.1} ×"),
                ratio <= P99_BAR,
            )
        },
        Row::figure(
            &format!("{work}, requests that succeeded"),
            percent(succeeded),
            String::new(),
            "100 %".to_owned(),
            succeeded == 1.0,
        ),
        Row::note(&format!("{work}, of a core"), percent(cpu), String::new()),
        Row::note(
            &format!("{work}, acknowledged before they are synced, p99"),
            milliseconds(median(&written)),
            String::new(),
        ),
    ])
}
