//! The servers: how each is told to keep samples on one core, watched and ended.
//!
//! The rivals run as they are from Debian, with as few flags as they need here.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use harness::process::{self, Process};
use harness::site::Node;

use super::client::Client;
use super::cores::on_server_core;
use super::fleet::JOB;
use super::{Bench, fresh};

/// A server is there, or gone, within this time.
const LIMIT: Duration = Duration::from_secs(120);

/// Between two looks at one that starts or works.
const LOOK: Duration = Duration::from_millis(10);

/// VictoriaMetrics shows samples a second or more after it took them.
const SHOWN: Duration = Duration::from_secs(60);

/// Samples as old as any corpus are kept.
const RETENTION: &str = "10y";

/// A server that can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum System {
    /// A node, which acknowledges what is on the disk.
    Atoll,
    /// One that acknowledges what the operating system has.
    AtollWritten,
    VictoriaMetrics,
    Prometheus,
}

/// A server that runs. Dropping it kills it.
pub struct Server {
    system: System,
    process: Running,
    address: String,
    data: PathBuf,
}

enum Running {
    Node(Node),
    Rival(Process),
}

impl System {
    /// What the table calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Atoll => "atoll",
            Self::AtollWritten => "atoll, acknowledge: write",
            Self::VictoriaMetrics => "VictoriaMetrics",
            Self::Prometheus => "Prometheus",
        }
    }

    /// Starts it without any data.
    ///
    /// # Errors
    /// As [`System::start_on`].
    pub fn start(self, bench: &Bench) -> anyhow::Result<Server> {
        self.start_on(bench, &fresh(&bench.folder.join("data"))?)
    }

    /// Starts it on `data` and a free port, and waits until it answers.
    ///
    /// # Errors
    /// When it does not; the message has the end of its log.
    pub fn start_on(self, bench: &Bench, data: &Path) -> anyhow::Result<Server> {
        if !self.is_atoll() {
            return self.start_with(bench, data, "global: {}\n");
        }
        let log = emptied_log(bench)?;
        fs::write(data.join("atoll.yaml"), self.settings())?;
        let node = on_server_core(|| Node::start(&bench.atoll, data, &log))?;
        let mut server = Server {
            system: self,
            address: node.address().to_owned(),
            process: Running::Node(node),
            data: data.to_owned(),
        };
        server.wait()?;
        Ok(server)
    }

    /// Starts a rival with these settings, if it is Prometheus.
    ///
    /// # Errors
    /// As [`System::start_on`].
    pub fn start_with(self, bench: &Bench, data: &Path, settings: &str) -> anyhow::Result<Server> {
        let log = emptied_log(bench)?;
        let address = free_address()?;
        let mut command = self.command(bench, data, &address, settings)?;
        let process = on_server_core(|| Process::start(self.name(), &mut command, &log))?;
        let mut server = Server {
            system: self,
            address,
            process: Running::Rival(process),
            data: data.to_owned(),
        };
        server.wait()?;
        Ok(server)
    }

    fn is_atoll(self) -> bool {
        matches!(self, Self::Atoll | Self::AtollWritten)
    }

    /// Nobody needs a token, nobody is throttled, and a million series are few.
    fn settings(self) -> String {
        let acknowledge = match self {
            Self::AtollWritten => "write",
            _ => "sync",
        };
        format!(
            "limits:\n  \
               devices: {{push: none, read: none}}\n  \
               addresses: {{push: none, read: none}}\n\
             metrics:\n  \
               loopback: open\n  \
               acknowledge: {acknowledge}\n  \
               series: 4000000\n  \
               client_series: 4000000\n  \
               retention: {RETENTION}\n"
        )
    }

    fn command(
        self,
        bench: &Bench,
        data: &Path,
        address: &str,
        settings: &str,
    ) -> anyhow::Result<Command> {
        let data = data.display();
        if self == Self::VictoriaMetrics {
            let mut command = Command::new(&bench.programs.victoria_metrics);
            command.arg(format!("-storageDataPath={data}"));
            command.arg(format!("-httpListenAddr={address}"));
            command.arg(format!("-retentionPeriod={RETENTION}"));
            // What a query may read, so that all series can be counted.
            command.arg("-search.maxUniqueTimeseries=10000000");
            return Ok(command);
        }
        let file = bench.folder.join("prometheus.yml");
        fs::write(&file, settings)?;
        let mut command = Command::new(&bench.programs.prometheus);
        command.arg(format!("--config.file={}", file.display()));
        command.arg(format!("--storage.tsdb.path={data}"));
        command.arg(format!("--storage.tsdb.retention.time={RETENTION}"));
        command.arg(format!("--web.listen-address={address}"));
        Ok(command)
    }

    /// What answers when it is ready.
    fn readiness(self) -> &'static str {
        match self {
            Self::Atoll | Self::AtollWritten => "/ready",
            Self::VictoriaMetrics => "/health",
            Self::Prometheus => "/-/ready",
        }
    }
}

impl Server {
    /// Where it listens, as `host:port`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// To ask it.
    pub fn client(&self) -> Client {
        Client::new(&self.address)
    }

    /// Its CPU time until now.
    ///
    /// # Errors
    /// When it has ended.
    pub fn cpu(&self) -> anyhow::Result<Duration> {
        process::cpu(self.process().id()).with_context(|| format!("{} ended", self.system.name()))
    }

    /// Bytes of its memory that are no files'.
    ///
    /// # Errors
    /// When it has ended.
    pub fn memory(&self) -> anyhow::Result<u64> {
        self.status("RssAnon:")
    }

    /// Bytes of its memory.
    ///
    /// # Errors
    /// When it has ended.
    pub fn resident(&self) -> anyhow::Result<u64> {
        self.status("VmRSS:")
    }

    /// The most bytes of memory that were resident at once.
    ///
    /// # Errors
    /// When it has ended.
    pub fn peak_memory(&self) -> anyhow::Result<u64> {
        self.status("VmHWM:")
    }

    /// Writes what it holds in memory into files.
    ///
    /// # Errors
    /// When it cannot.
    pub fn flush(&self) -> anyhow::Result<()> {
        match self.system {
            System::Atoll | System::AtollWritten => {
                let token = fs::read_to_string(self.data.join("admin-token"))?;
                let bearer = format!("Bearer {}", token.trim());
                // A copy begins with a flush.
                let target = "/api/v1/admin/tsdb/snapshot?name=flushed";
                let fields = [("authorization", bearer.as_str())];
                self.client().post(target, &fields, b"")?;
            }
            System::VictoriaMetrics => drop(self.client().get("/internal/force_flush")?),
            System::Prometheus => {}
        }
        Ok(())
    }

    /// Waits until a query finds `count` series of the fleet: what was answered with
    /// success was kept.
    ///
    /// # Errors
    /// When it does not.
    pub fn expect_series(&self, count: usize) -> anyhow::Result<()> {
        let query = format!("count({{job=\"{JOB}\"}})");
        let client = self.client();
        let begun = Instant::now();
        loop {
            let found = client.ask("/api/v1/query", &[("query", &query), ("nocache", "1")])?;
            let found = &found["result"][0]["value"][1];
            if found.as_str().is_some_and(|text| text == count.to_string()) {
                return Ok(());
            }
            if begun.elapsed() > SHOWN {
                bail!("{} has {found} of {count} series", self.system.name());
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// Ends it in order.
    ///
    /// # Errors
    /// When it does not end in time, or fails.
    pub fn stop(self) -> anyhow::Result<()> {
        match self.process {
            Running::Node(node) => drop(node.stop()?),
            Running::Rival(process) => drop(process.stop(LIMIT)?),
        }
        Ok(())
    }

    /// `kill -9`.
    pub fn kill(self) {
        match self.process {
            Running::Node(node) => drop(node.kill()),
            Running::Rival(process) => drop(process),
        }
    }

    fn process(&self) -> &Process {
        match &self.process {
            Running::Node(node) => &node.process,
            Running::Rival(process) => process,
        }
    }

    fn process_mut(&mut self) -> &mut Process {
        match &mut self.process {
            Running::Node(node) => &mut node.process,
            Running::Rival(process) => process,
        }
    }

    /// A line of `/proc/PID/status` that counts kilobytes, in bytes.
    fn status(&self, name: &str) -> anyhow::Result<u64> {
        let text = fs::read_to_string(format!("/proc/{}/status", self.process().id()))?;
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        let line = line.with_context(|| format!("no {name}"))?;
        let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kilobytes * 1024)
    }

    fn wait(&mut self) -> anyhow::Result<()> {
        let begun = Instant::now();
        let client = self.client();
        while client.get(self.system.readiness()).is_err() {
            if !self.process_mut().is_running() || begun.elapsed() > LIMIT {
                let log = self.process().tail();
                bail!("{} does not serve; {log}", self.system.name());
            }
            std::thread::sleep(LOOK);
        }
        Ok(())
    }
}

/// The file that servers print into; what another has said is no news of this one.
fn emptied_log(bench: &Bench) -> anyhow::Result<PathBuf> {
    let log = bench.folder.join("server.log");
    fs::write(&log, "")?;
    Ok(log)
}

/// An address that was free a moment ago: whoever takes it in between makes the start fail,
/// and nothing worse.
pub fn free_address() -> anyhow::Result<String> {
    let free = TcpListener::bind("127.0.0.1:0")?;
    Ok(free.local_addr()?.to_string())
}

/// A folder of its own in that of the benchmark, for data that is started on more than once.
pub fn data_folder(bench: &Bench, name: &str) -> anyhow::Result<PathBuf> {
    fresh(&bench.folder.join(name))
}
