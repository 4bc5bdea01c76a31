//! Memory of active series: each has been sent four samples by remote write.

use super::super::report::Row;
use super::Bench;
use super::body::Format;
use super::figures::{self, Bar, bytes};
use super::fleet::{Fleet, STEP, Sample, Series, value};
use super::load::deliver;
use super::now;
use super::server::System;
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
        let ours = look_at(bench, System::Atoll, count)?;
        let theirs = look_at(bench, System::VictoriaMetrics, count)?;
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
fn look_at(bench: &Bench, system: System, count: usize) -> anyhow::Result<f64> {
    let fleet = Fleet {
        metrics: METRICS,
        hosts: count / METRICS,
    };
    let server = system.start(bench)?;
    let before = server.memory()?;
    let first = now() - TIMES as i64 * STEP;
    let bodies = (0..TIMES).flat_map(|step| {
        (0..fleet.hosts).map(move |host| {
            let series: Vec<Series> = fleet.of_host(host).collect();
            let samples = series.iter().enumerate().map(|(number, series)| Sample {
                series,
                value: value(host * METRICS + number, step),
                time: first + step as i64 * STEP,
            });
            Format::RemoteWrite.write(&samples.collect::<Vec<_>>())
        })
    });
    deliver(&server, "/api/v1/write", Format::RemoteWrite, vec![bodies])?;
    std::thread::sleep(REST);
    let grown = server.memory()?.saturating_sub(before);
    eprintln!("  {} {grown} bytes, {count} series", system.name());
    server.expect_series(fleet.len())?;
    server.stop()?;
    Ok(grown as f64 / fleet.len() as f64)
}
