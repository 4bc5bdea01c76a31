//! The rival: rsync through its daemon on loopback, as its users run it.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use harness::process::{self, Process};

use crate::shell;

/// No work here takes rsync longer.
const LIMIT: Duration = Duration::from_secs(1800);

/// What one push took.
#[derive(Debug, Clone, Copy)]
pub struct Push {
    /// From its start to its end.
    pub wall: Duration,
    /// User and system time of client and daemon.
    pub cpu: Duration,
}

/// A daemon with one writable module. Dropping it kills it.
pub struct Daemon {
    process: Process,
    port: u16,
    log: PathBuf,
}

impl Daemon {
    /// Starts a daemon that serves `module`; its files lie in `folder`.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn start(folder: &Path, module: &Path) -> anyhow::Result<Self> {
        let port = free_port()?;
        let (configuration, log) = (folder.join("rsyncd.conf"), folder.join("rsyncd.log"));
        // A daemon started by root would otherwise turn into `nobody`.
        let is_root = shell::output(Command::new("id").arg("-u"))? == "0";
        let identity = if is_root { "uid = 0\ngid = 0\n" } else { "" };
        fs::write(
            &configuration,
            format!(
                "use chroot = no\nreverse lookup = no\n{identity}\
                 [module]\npath = {}\nread only = no\n",
                module.display()
            ),
        )?;
        let mut command = Command::new("rsync");
        command.args(["--daemon", "--no-detach", "--address=127.0.0.1"]);
        command.arg(format!("--port={port}"));
        command.arg(format!("--config={}", configuration.display()));
        let mut daemon = Self {
            process: Process::start("rsync daemon", &mut command, &log)?,
            port,
            log,
        };
        daemon.await_answer()?;
        Ok(daemon)
    }

    /// Pushes `source` into the module with these options beside `-a`.
    ///
    /// # Errors
    /// When rsync fails.
    pub fn push(&self, source: &Path, options: &[&str]) -> anyhow::Result<Push> {
        self.push_through(self.port, source, options)
    }

    /// As [`Daemon::push`], through another port, such as that of a proxy.
    ///
    /// # Errors
    /// When rsync fails.
    pub fn push_through(&self, port: u16, source: &Path, options: &[&str]) -> anyhow::Result<Push> {
        let before = self.cpu()?;
        let mut command = Command::new("rsync");
        command.args(["-a", "--exclude=/.atoll"]).args(options);
        command.arg(format!("{}/", source.display()));
        command.arg(format!("rsync://127.0.0.1:{port}/module/"));
        let client = Process::start("rsync", &mut command, &self.log)?.succeed(LIMIT)?;
        Ok(Push {
            wall: client.wall,
            cpu: client.usage.cpu + self.cpu()?.saturating_sub(before),
        })
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// CPU time of all connections so far, once their processes have ended.
    fn cpu(&self) -> anyhow::Result<Duration> {
        let pid = self.process.id();
        let children = format!("/proc/{pid}/task/{pid}/children");
        let start = Instant::now();
        while !fs::read_to_string(&children)?.trim().is_empty() {
            ensure!(start.elapsed() < LIMIT, "an rsync connection does not end");
            std::thread::sleep(Duration::from_millis(1));
        }
        process::cpu(pid)
    }

    fn await_answer(&mut self) -> anyhow::Result<()> {
        while std::net::TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            if !self.process.is_running() {
                bail!("the rsync daemon has ended; {}", self.process.tail());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    }
}

/// A port that was free a moment ago: rsync cannot be handed a listener.
fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
