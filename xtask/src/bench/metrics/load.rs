//! What is sent, and what a server spent on it: by `atoll load`, the same bodies again and
//! again, or each once.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::Value;

use super::super::settle;
use super::body::Format;
use super::fleet::{Fleet, STEP, Sample, Series, value};
use super::server::{Server, data_folder};
use super::{Bench, now};

/// How long an answer may take where each must come, whatever the server does meanwhile.
const PATIENCE: &str = "300s";

/// Requests that `atoll load` sends.
pub struct Load<'a> {
    pub target: &'a str,
    pub format: Format,
    /// A folder of them; clients take one after another.
    pub bodies: &'a Path,
    pub clients: usize,
    /// Of all clients, a second; as fast as they are answered otherwise.
    pub rate: Option<u32>,
}

/// What came of it.
#[derive(Debug, Clone, Copy)]
pub struct Outcome {
    /// CPU time of the server.
    pub cpu: Duration,
    pub seconds: f64,
    pub succeeded: u64,
    /// Of all requests, 0 to 1.
    pub success_rate: f64,
    pub latency: Latency,
}

/// Of a request, in milliseconds.
#[derive(Debug, Clone, Copy, Default)]
pub struct Latency {
    pub mean: f64,
    pub p50: f64,
    pub p99: f64,
}

impl Load<'_> {
    /// Loads `server` for `time`, after it was warmed up.
    ///
    /// # Errors
    /// When `atoll load` cannot be run, or the server has ended. Requests that fail are
    /// figures.
    pub fn measure(
        &self,
        bench: &Bench,
        server: &Server,
        time: Duration,
    ) -> anyhow::Result<Outcome> {
        let lasting = |time: Duration| format!("--duration={}ms", time.as_millis());
        self.run(bench, server, &[&lasting(bench.scale.warm_up)])?;
        self.run(bench, server, &[&lasting(time)])
    }

    /// Sends each body to `server` once, those of each client in their order.
    ///
    /// # Errors
    /// As [`Load::measure`], and when one is not answered with success.
    pub fn deliver(&self, bench: &Bench, server: &Server) -> anyhow::Result<Outcome> {
        let outcome = self.run(bench, server, &["--once", "--timeout", PATIENCE])?;
        ensure!(
            outcome.success_rate == 1.0,
            "only {} bodies were taken",
            outcome.succeeded
        );
        Ok(outcome)
    }

    fn run(&self, bench: &Bench, server: &Server, flags: &[&str]) -> anyhow::Result<Outcome> {
        let before = server.cpu()?;
        let report = self.report(bench, server, flags)?;
        let cpu = server.cpu()?.saturating_sub(before);
        read(&report, cpu).with_context(|| format!("atoll load printed {report}"))
    }

    fn report(&self, bench: &Bench, server: &Server, flags: &[&str]) -> anyhow::Result<Value> {
        let mut command = Command::new(&bench.atoll);
        command
            .args(["load", "--json", "--clients", &self.clients.to_string()])
            .arg("--body")
            .arg(self.bodies)
            .args(flags)
            .arg(format!("http://{}{}", server.address(), self.target));
        if let Some(rate) = self.rate {
            command.args(["--rate", &rate.to_string()]);
        }
        for (name, value) in self.format.fields() {
            command.args(["--header", &format!("{name}: {value}")]);
        }
        // It fails when a request did, and prints its report all the same.
        let output = command.output().context("atoll load did not start")?;
        serde_json::from_slice(&output.stdout).with_context(|| {
            let said = String::from_utf8_lossy(&output.stderr);
            format!("atoll load: {}: {said}", output.status)
        })
    }
}

fn read(report: &Value, cpu: Duration) -> Option<Outcome> {
    let latency = |name: &str| Some(report["latency_us"][name].as_f64()? / 1e3);
    Some(Outcome {
        cpu,
        seconds: report["seconds"].as_f64()?,
        succeeded: report["succeeded"].as_u64()?,
        success_rate: report["success_rate"].as_f64()?,
        latency: Latency {
            mean: latency("mean")?,
            p50: latency("p50")?,
            p99: latency("p99")?,
        },
    })
}

/// A folder of bodies with so many samples of each series of `fleet`, the last of which is
/// just now: for each time one of each host. They are all written before any is sent, so that
/// it does not matter how fast they are written.
///
/// # Errors
/// When they cannot be written.
pub fn bodies(
    bench: &Bench,
    format: Format,
    fleet: Fleet,
    times: usize,
) -> anyhow::Result<PathBuf> {
    let first = now() - times as i64 * STEP;
    let body = |(step, host): (usize, usize)| {
        let series: Vec<Series> = fleet.of_host(host).collect();
        let samples = series.iter().enumerate().map(|(metric, series)| Sample {
            series,
            value: value(host * fleet.metrics + metric, step),
            time: first + step as i64 * STEP,
        });
        format.write(&samples.collect::<Vec<_>>())
    };
    let steps = 0..times;
    let places = steps.flat_map(|step| (0..fleet.hosts).map(move |host| (step, host)));
    write(bench, places.map(body))
}

/// Writes bodies into files of a folder, whose names have their order.
///
/// # Errors
/// When they cannot be written.
pub fn write(bench: &Bench, bodies: impl Iterator<Item = Vec<u8>>) -> anyhow::Result<PathBuf> {
    let folder = data_folder(bench, "bodies")?;
    for (number, body) in bodies.enumerate() {
        let path = folder.join(format!("{number:06}"));
        fs::write(&path, body).with_context(|| format!("cannot write {}", path.display()))?;
    }
    settle();
    Ok(folder)
}
