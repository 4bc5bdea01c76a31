//! How long a node needs to be ready again after `kill -9`, with samples in its log, and how
//! much memory that takes beside what it had.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::ensure;

use super::super::report::{Row, megabytes};
use super::Bench;
use super::disk::bytes_below;
use super::figures::median;
use super::remote_write::{FLEET, bodies, send};
use super::server::{System, data_folder};

/// Seconds for [`BAR_SAMPLES`].
const BAR: f64 = 2.0;
const BAR_SAMPLES: f64 = 1e7;

/// What one start took.
struct Start {
    wall: Duration,
    /// Samples that were in the log.
    samples: usize,
    log_bytes: u64,
    resident_before: u64,
    peak: u64,
}

/// Measures it.
///
/// # Errors
/// When the node does not come back, or without its samples.
pub fn run(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    let bodies = bodies(bench, bench.scale.replay_times)?;
    let starts = (0..bench.rounds).map(|_| look_at(bench, &bodies));
    let starts: Vec<Start> = starts.collect::<Result<_, _>>()?;
    let scaled = starts
        .iter()
        .map(|start| start.wall.as_secs_f64() * BAR_SAMPLES / start.samples as f64);
    let scaled = median(&scaled.collect::<Vec<_>>());
    let last = &starts[starts.len() - 1];
    let work = format!(
        "start after kill -9, {:.1} M samples of {} series in the log ({})",
        last.samples as f64 / 1e6,
        FLEET.len(),
        megabytes(last.log_bytes)
    );
    let wall = median(
        &starts
            .iter()
            .map(|start| start.wall.as_secs_f64())
            .collect::<Vec<_>>(),
    );
    Ok(vec![
        Row::figure(
            &format!("{work}, until ready"),
            format!("{wall:.2} s, {scaled:.2} s per 10 M"),
            String::new(),
            format!("≤ {BAR:.0} s per 10 M"),
            scaled <= BAR,
        ),
        Row::note(
            &format!("{work}, peak memory of the start, and resident memory before the kill"),
            format!(
                "{}, {}",
                megabytes(last.peak),
                megabytes(last.resident_before)
            ),
            String::new(),
        ),
    ])
}

fn look_at(bench: &Bench, bodies: &Path) -> anyhow::Result<Start> {
    let data = data_folder(bench, "data")?;
    let server = System::Atoll.start_on(bench, &data)?;
    send(bench, &server, bodies)?;
    let resident_before = server.resident()?;
    server.kill();
    let in_parts = bytes_below(&data.join("metrics").join("parts"))?;
    ensure!(
        in_parts == 0,
        "the log was flushed before the kill: {in_parts} bytes are in parts"
    );
    let log_bytes = bytes_below(&data.join("metrics"))?;
    let begun = Instant::now();
    let server = System::Atoll.start_on(bench, &data)?;
    let wall = begun.elapsed();
    let peak = server.peak_memory()?;
    server.expect_series(FLEET.len())?;
    server.stop()?;
    Ok(Start {
        wall,
        samples: bench.scale.replay_times * FLEET.len(),
        log_bytes,
        resident_before,
        peak,
    })
}
