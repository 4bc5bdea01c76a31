//! Debian's Prometheus as a process: found or downloaded, started, filled and asked.
//!
//! Samples go in through its remote-write receiver, which takes markers of staleness as
//! its text formats do not.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use harness::process::Process;
use prost::Message;
use serde_json::Value;

use super::series::Memory;
use crate::{packages, shell};

const NAME: &str = "prometheus";

/// It is ready within this time.
const LIMIT: Duration = Duration::from_secs(30);

/// Between two looks at whether it is.
const LOOK: Duration = Duration::from_millis(50);

/// A Prometheus that runs. Dropping it ends it.
pub struct Prometheus {
    address: String,
    agent: ureq::Agent,
    process: Process,
}

/// The body of a remote write, as its specification has it:
/// <https://prometheus.io/docs/specs/prw/remote_write_spec/>.
#[derive(Clone, PartialEq, Message)]
struct WriteRequest {
    #[prost(message, repeated, tag = "1")]
    series: Vec<TimeSeries>,
}

#[derive(Clone, PartialEq, Message)]
struct TimeSeries {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<Label>,
    #[prost(message, repeated, tag = "2")]
    samples: Vec<Sample>,
}

#[derive(Clone, PartialEq, Message)]
struct Label {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, PartialEq, Message)]
struct Sample {
    #[prost(double, tag = "1")]
    value: f64,
    #[prost(int64, tag = "2")]
    timestamp: i64,
}

impl Prometheus {
    /// Starts it in a folder of its own on a free port and waits until it is ready.
    ///
    /// # Errors
    /// When it is not there, cannot be downloaded, or does not start.
    pub fn start(folder: &Path) -> anyhow::Result<Self> {
        let binary = binary()?;
        let configuration = folder.join("prometheus.yml");
        fs::write(&configuration, "")?;
        // Whoever takes the port in between makes this fail, and nothing worse.
        let free = TcpListener::bind("127.0.0.1:0")?;
        let address = free.local_addr()?.to_string();
        drop(free);
        let mut command = Command::new(binary);
        command
            .arg(format!("--config.file={}", configuration.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                folder.join("data").display()
            ))
            .arg(format!("--web.listen-address={address}"))
            // Samples are as old as they like to be.
            .args(["--storage.tsdb.retention.time=100y", "--log.level=warn"])
            .arg("--web.enable-remote-write-receiver");
        let process = Process::start(NAME, &mut command, &folder.join("prometheus.log"))?;
        // What it refuses is an answer too.
        let agent = ureq::Agent::config_builder().http_status_as_error(false);
        let mut prometheus = Self {
            address,
            agent: agent.build().into(),
            process,
        };
        prometheus.wait()?;
        Ok(prometheus)
    }

    /// Gives it all series.
    ///
    /// # Errors
    /// When it does not take them.
    pub fn fill(&self, memory: &Memory) -> anyhow::Result<()> {
        let series = memory.series.iter().map(|(labels, samples)| TimeSeries {
            labels: labels
                .iter()
                .map(|(name, value)| Label {
                    name: name.to_owned(),
                    value: value.to_owned(),
                })
                .collect(),
            samples: samples
                .iter()
                .map(|sample| Sample {
                    value: sample.value,
                    timestamp: sample.time,
                })
                .collect(),
        });
        let request = WriteRequest {
            series: series.collect(),
        };
        let body = snap::raw::Encoder::new().compress_vec(&request.encode_to_vec())?;
        let mut response = self.agent.post(self.url("/api/v1/write")).send(&body[..])?;
        let text = response.body_mut().read_to_string()?;
        ensure!(
            response.status().is_success(),
            "prometheus refuses samples: {text}"
        );
        Ok(())
    }

    /// What it answers to these parameters, errors too.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn ask(&self, path: &str, parameters: &[(&str, String)]) -> anyhow::Result<Value> {
        let form = parameters
            .iter()
            .map(|(name, value)| (*name, value.as_str()));
        let mut response = self.agent.post(self.url(path)).send_form(form)?;
        let text = response.body_mut().read_to_string()?;
        serde_json::from_str(&text).with_context(|| format!("no JSON: {text}"))
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn wait(&mut self) -> anyhow::Result<()> {
        let begun = Instant::now();
        let is_ready = |answer: Result<ureq::http::Response<_>, _>| {
            answer.is_ok_and(|answer| answer.status().is_success())
        };
        while !is_ready(self.agent.get(self.url("/-/ready")).call()) {
            if !self.process.is_running() || begun.elapsed() > LIMIT {
                bail!("{NAME} does not serve; {}", self.process.tail());
            }
            std::thread::sleep(LOOK);
        }
        Ok(())
    }
}

/// The program: that on `PATH`, or the one out of Debian's package, which is downloaded
/// once and not installed.
fn binary() -> anyhow::Result<PathBuf> {
    if shell::is_installed(NAME) {
        return Ok(NAME.into());
    }
    let cache = shell::root().join("target").join("judge-input");
    let package = cache.join(NAME);
    let binary = package.join("usr/bin").join(NAME);
    if !binary.exists() {
        fs::create_dir_all(&cache)?;
        let mut download = Command::new("apt-get");
        shell::run(download.args(["download", NAME]).current_dir(&cache))?;
        let archive = packages::downloaded(&cache, NAME)?;
        shell::run(Command::new("dpkg").arg("-x").arg(archive).arg(&package))?;
    }
    Ok(binary)
}
