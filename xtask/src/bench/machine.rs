//! What the figures were measured on, and how fast its disk is in this hour.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use base::{Random, SeededRandom};

use super::latency::percentile;
use super::{SEED, settle};
use crate::shell;

/// Bytes written for the disk's rate: beyond what a cache of its own hides.
const WRITTEN: usize = 1 << 30;

/// Appends for the latency of an fsync.
const APPENDS: usize = 300;

/// One paragraph about this machine; `folder` is on the disk to be measured.
///
/// # Errors
/// When the disk cannot be written.
pub fn describe(folder: &Path) -> anyhow::Result<String> {
    let (median, worst) = fsync_latency(folder)?;
    let rate = write_rate(folder)?;
    Ok(format!(
        "{machine}, {file_system}. \
         4 KiB append + fdatasync: median {median:.2} ms, p99 {worst:.2} ms. \
         Writing 1 GiB + fsync: {rate:.0} MB/s. {rsync}.",
        machine = hardware()?,
        file_system = shell::output(
            Command::new("findmnt")
                .args(["-no", "FSTYPE,OPTIONS", "-T"])
                .arg(folder)
        )?
        .split_ascii_whitespace()
        .collect::<Vec<_>>()
        .join(" "),
        median = milliseconds(median),
        worst = milliseconds(worst),
        rsync = shell::output(Command::new("rsync").arg("--version"))?
            .lines()
            .next()
            .unwrap_or_default()
            .replace("  ", " "),
    ))
}

/// Processor, memory and kernel.
///
/// # Errors
/// When `uname` fails.
pub fn hardware() -> anyhow::Result<String> {
    Ok(format!(
        "{model}, {cores} cores, {memory} GiB memory, Linux {kernel}",
        model = proc_field("/proc/cpuinfo", "model name"),
        cores = std::thread::available_parallelism()?,
        memory = proc_field("/proc/meminfo", "MemTotal")
            .trim_end_matches(" kB")
            .parse::<u64>()
            .map_or(0, |kilobytes| kilobytes.div_ceil(1 << 20)),
        kernel = shell::output(Command::new("uname").arg("-r"))?,
    ))
}

/// Median and 99th percentile of an append made durable.
///
/// # Errors
/// When the disk cannot be written.
pub fn fsync_latency(folder: &Path) -> anyhow::Result<(Duration, Duration)> {
    let path = folder.join("latency");
    let mut file = OpenOptions::new().create(true).append(true).open(&path)?;
    let page = [7; 4096];
    let mut times = Vec::with_capacity(APPENDS);
    for _ in 0..APPENDS {
        let start = Instant::now();
        file.write_all(&page)?;
        file.sync_data()?;
        times.push(start.elapsed());
    }
    fs::remove_file(path)?;
    times.sort();
    Ok((percentile(&times, 50), percentile(&times, 99)))
}

/// What `dd conv=fsync` of incompressible bytes would say, in MB/s.
fn write_rate(folder: &Path) -> anyhow::Result<f64> {
    let path = folder.join("rate");
    let mut piece = vec![0; 1 << 20];
    SeededRandom::new(SEED).fill(&mut piece);
    settle();
    let start = Instant::now();
    let mut file = File::create(&path)?;
    for _ in 0..WRITTEN / piece.len() {
        file.write_all(&piece)?;
    }
    file.sync_all()?;
    let rate = WRITTEN as f64 / 1e6 / start.elapsed().as_secs_f64();
    fs::remove_file(path)?;
    Ok(rate)
}

fn proc_field(file: &str, name: &str) -> String {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.lines()
        .find_map(|line| line.strip_prefix(name)?.split_once(':'))
        .map_or_else(
            || "unknown".to_owned(),
            |(_, value)| value.trim().to_owned(),
        )
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
