//! Memory of active series: each has been sent four samples by remote write.

use super::super::report::Row;
use super::Bench;
use super::body::Format;
use super::figures::{self, Bar, bytes};
use super::fleet::Fleet;
use super::load::{self, Load};
use super::server::System;
use std::path::Path;
use std::time::Duration;

/// Metrics of a host.
const METRICS: usize = 1000;

/// Samples of each series.
const TIMES: usize = 4;

/// Bytes of a series at the greater count.
const BAR: f64 = 1024.0;

/// After the last sample, before memory is looked at: what is done in the background
/// afterwards belongs to what was sent.
const REST: Duration = Duration::from_secs(3);

/// Measures it, once: memory repeats itself.
///
/// # Errors
/// When a server does not run, or loses series.
pub fn run(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (place, count) in bench.scale.memory_series.into_iter().enumerate() {
        let fleet = Fleet {
            metrics: METRICS,
            hosts: count / METRICS,
        };
        let bodies = load::bodies(bench, Format::RemoteWrite, fleet, TIMES)?;
        let ours = look_at(bench, System::Atoll, fleet, &bodies)?;
        let theirs = look_at(bench, System::VictoriaMetrics, fleet, &bodies)?;
        let work = format!("memory of an active series, {count} of them");
        let rival = (System::VictoriaMetrics.name(), &[theirs][..]);
        rows.push(figures::row(
            &work,
            &[ours],
            rival,
            Some(Bar::AtMost(1.0)),
            bytes,
        ));
        let is_last = place + 1 == bench.scale.memory_series.len();
        if is_last {
            let (ours_text, bar) = (bytes(ours), "≤ 1 KiB".to_owned());
            rows.push(Row::figure(
                &work,
                ours_text,
                String::new(),
                bar,
                ours <= BAR,
            ));
        }
    }
    Ok(rows)
}

/// Bytes of a series.
fn look_at(bench: &Bench, system: System, fleet: Fleet, bodies: &Path) -> anyhow::Result<f64> {
    let server = system.start(bench)?;
    let before = server.memory()?;
    let load = Load {
        target: "/api/v1/write",
        format: Format::RemoteWrite,
        bodies,
        clients: 1,
        rate: None,
    };
    load.deliver(bench, &server)?;
    std::thread::sleep(REST);
    let grown = server.memory()?.saturating_sub(before);
    eprintln!("  {} {grown} bytes, {} series", system.name(), fleet.len());
    server.expect_series(fleet.len())?;
    server.stop()?;
    Ok(grown as f64 / fleet.len() as f64)
}
