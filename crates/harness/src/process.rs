//! One program under test: started, measured, waited for with a limit, killed.
//!
//! Measurements come from `/proc`: CPU time of the process and of the children
//! it has waited for, and the peak of its resident memory. Linux only.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
pub use rustix::process::Signal;
use rustix::process::{Pid, WaitId, WaitIdOptions};

/// Between two looks at a process that is waited for: what a measured time may
/// be off by.
const LOOK: Duration = Duration::from_millis(1);

/// One tick of `/proc/PID/stat`: Linux's `USER_HZ` is 100 on every machine.
const TICK: Duration = Duration::from_millis(10);

/// What a process has used so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// User and system time, of finished children too.
    pub cpu: Duration,
    /// Most memory that was resident at once, in bytes.
    pub peak_bytes: u64,
}

/// How a process ended.
#[derive(Debug, Clone, Copy)]
pub struct Finished {
    /// Its exit status.
    pub status: ExitStatus,
    /// From start to end.
    pub wall: Duration,
    /// What it used.
    pub usage: Usage,
}

/// A running program. Dropping it kills it.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
    start: Instant,
}

impl Process {
    /// Starts `command`; what it prints is appended to the file `log`.
    ///
    /// # Errors
    /// When the program cannot be started or the log not be written.
    pub fn start(name: &str, command: &mut Command, log: &Path) -> anyhow::Result<Self> {
        Self::start_with(name, command, Stdio::null(), log)
    }

    /// The same with `input` for its standard input.
    ///
    /// # Errors
    /// As [`Process::start`].
    pub fn start_with(
        name: &str,
        command: &mut Command,
        input: Stdio,
        log: &Path,
    ) -> anyhow::Result<Self> {
        let output = append(log)?;
        let child = command
            .stdin(input)
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .with_context(|| format!("{name} did not start: {}", line(command)))?;
        Ok(Self {
            name: name.to_owned(),
            child,
            log: log.to_owned(),
            start: Instant::now(),
        })
    }

    /// What it is called in messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has not ended.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// What it has used until now.
    ///
    /// # Errors
    /// When it has ended.
    pub fn usage(&self) -> anyhow::Result<Usage> {
        let pid = self.child.id();
        let peak_bytes = peak(pid).with_context(|| format!("{} has ended", self.name))?;
        Ok(Usage {
            cpu: cpu(pid)?,
            peak_bytes,
        })
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// When it still runs after `limit`; it is killed then, and the message
    /// carries the end of its log.
    pub fn wait(mut self, limit: Duration) -> anyhow::Result<Finished> {
        let mut peak_bytes = 0;
        while !self.is_zombie()? {
            if self.start.elapsed() > limit {
                bail!("{} still runs after {limit:?}; {}", self.name, self.tail());
            }
            peak_bytes = peak(self.child.id()).unwrap_or(peak_bytes);
            std::thread::sleep(LOOK);
        }
        let wall = self.start.elapsed();
        let cpu = cpu(self.child.id())?;
        let status = self.child.wait()?;
        Ok(Finished {
            status,
            wall,
            usage: Usage { cpu, peak_bytes },
        })
    }

    /// Waits for its end and expects success.
    ///
    /// # Errors
    /// As [`Process::wait`], and when it fails; the message carries the end of
    /// its log.
    pub fn succeed(self, limit: Duration) -> anyhow::Result<Finished> {
        let (name, log) = (self.name.clone(), self.log.clone());
        let finished = self.wait(limit)?;
        if !finished.status.success() {
            bail!("{name} failed: {}; {}", finished.status, tail(&log));
        }
        Ok(finished)
    }

    /// `kill -9`, and waits until it is gone; nothing when it already is.
    pub fn kill(&mut self) {
        // Both fail only when it is already gone, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Asks it to stop, as a user with Ctrl-C does, and expects success.
    ///
    /// # Errors
    /// When it is not gone after `limit` or ends with another status.
    pub fn stop(self, limit: Duration) -> anyhow::Result<Finished> {
        signal(self.child.id(), Signal::INT)
            .with_context(|| format!("{} cannot be stopped; {}", self.name, self.tail()))?;
        let limit = self.start.elapsed() + limit;
        self.succeed(limit)
    }

    /// The end of what it printed, for messages.
    pub fn tail(&self) -> String {
        tail(&self.log)
    }

    fn is_zombie(&self) -> anyhow::Result<bool> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let pid = pid.context("a process id above 0")?;
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        Ok(rustix::process::waitid(WaitId::Pid(pid), options)?.is_some())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Sends `wanted` to a process.
///
/// # Errors
/// When there is no such process.
pub fn signal(pid: u32, wanted: Signal) -> anyhow::Result<()> {
    let raw = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let raw = raw.context("a process id above 0")?;
    rustix::process::kill_process(raw, wanted)
        .with_context(|| format!("process {pid} cannot be told {wanted:?}"))
}

/// CPU time of a process that is not ours to wait for, such as the daemon that
/// a rival forked.
///
/// # Errors
/// When there is no such process.
pub fn cpu(pid: u32) -> anyhow::Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The second field is a name in brackets and may hold anything.
    let (_, fields) = stat
        .rsplit_once(')')
        .context("a /proc/PID/stat without a name")?;
    let ticks = fields.split_ascii_whitespace().skip(11).take(4);
    let ticks: u64 = ticks.map(|field| field.parse().unwrap_or(0)).sum();
    Ok(TICK * u32::try_from(ticks)?)
}

fn peak(pid: u32) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .context("no VmHWM")?;
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kilobytes * 1024)
}

fn append(log: &Path) -> anyhow::Result<File> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(log)
        .with_context(|| format!("cannot write {}", log.display()))
}

fn tail(log: &Path) -> String {
    const LINES: usize = 20;
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let end = &lines[lines.len().saturating_sub(LINES)..];
    format!("the end of {}:\n{}", log.display(), end.join("\n"))
}

/// A command as one would type it, without quotes.
pub fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(30);

    fn shell(script: &str, folder: &tempfile::TempDir) -> Process {
        let log = folder.path().join("log");
        Process::start("a shell", Command::new("sh").args(["-c", script]), &log).unwrap()
    }

    #[test]
    fn measures_what_children_used() {
        let folder = tempfile::tempdir().unwrap();
        let finished = shell(
            "sh -c 'i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done'; true",
            &folder,
        )
        .succeed(LIMIT)
        .unwrap();
        assert!(finished.usage.cpu >= TICK, "{finished:?}");
        assert!(finished.usage.peak_bytes > 100_000, "{finished:?}");
        assert!(finished.wall >= finished.usage.cpu / 2, "{finished:?}");
    }

    #[test]
    fn a_failure_shows_what_was_printed() {
        let folder = tempfile::tempdir().unwrap();
        let error = shell("echo it broke; exit 3", &folder)
            .succeed(LIMIT)
            .unwrap_err();
        assert!(error.to_string().contains("it broke"), "{error}");
    }

    #[test]
    fn a_limit_ends_the_wait_and_the_process() {
        let folder = tempfile::tempdir().unwrap();
        let process = shell("exec sleep 1000", &folder);
        let pid = process.id();
        assert!(process.wait(Duration::from_millis(10)).is_err());
        assert!(cpu(pid).is_err(), "still there");
    }
}
