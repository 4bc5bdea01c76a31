//! A node and two folders that follow it, any of which may be killed at any
//! moment; and what must hold when all is quiet again (DESIGN.md, "What must
//! always hold").
//!
//! The first folder is edited, the second only follows: so the truth is known.
//! After quiet the first folder is as its user left it and the second is equal;
//! at the end no temporary file is left, another sync does nothing, and every
//! hash of the node is right.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

use crate::compare::{Depth, Snapshot};
use crate::process::Process;
use crate::site::{Folder, Node};

/// The last sync of a folder has ended within this long, and so has a scrub.
const END_LIMIT: Duration = Duration::from_secs(600);

/// Between two looks at whether all is quiet.
const LOOK: Duration = Duration::from_millis(50);

/// Who is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Victim {
    /// The node.
    Node,
    /// The client of the folder that is edited.
    First,
    /// The client of the folder that follows.
    Second,
}

impl Victim {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Node, Self::First, Self::Second];
}

/// All three, running.
#[derive(Debug)]
pub struct Scene {
    node: Node,
    first: Client,
    second: Client,
    quiet_limit: Duration,
}

#[derive(Debug)]
struct Client {
    folder: Folder,
    process: Process,
}

impl Scene {
    /// Starts everything beneath `top`: the node's data in `data`, the folders
    /// `a` and `b`, which may exist, and the logs beside them. Quiet must come
    /// within `quiet_limit` of being asked for.
    ///
    /// # Errors
    /// When something does not start.
    pub fn start(binary: &Path, top: &Path, quiet_limit: Duration) -> anyhow::Result<Self> {
        let node = Node::start(binary, &top.join("data"), &top.join("node.log"))?;
        let space = node.create_space("scene")?;
        let client = |name: &str| {
            let log = top.join(format!("{name}.log"));
            Client::start(node.folder(name, &top.join(name), &space, &log))
        };
        Ok(Self {
            first: client("a")?,
            second: client("b")?,
            node,
            quiet_limit,
        })
    }

    /// The folder to edit.
    pub fn edited(&self) -> &Path {
        &self.first.folder.path
    }

    /// The folder that follows.
    pub fn following(&self) -> &Path {
        &self.second.folder.path
    }

    /// `kill -9` of one, and a new start on what it left.
    ///
    /// # Errors
    /// When it does not start again.
    pub fn kill_and_restart(mut self, victim: Victim) -> anyhow::Result<Self> {
        match victim {
            Victim::Node => self.node = self.node.kill().restart()?,
            Victim::First => self.first.kill_and_restart()?,
            Victim::Second => self.second.kill_and_restart()?,
        }
        Ok(self)
    }

    /// Waits until the second folder equals the first, which nobody edits now.
    ///
    /// # Errors
    /// When the limit passes, with what still differs; when a process has ended;
    /// when the first folder is not as its user left it.
    pub fn quiet(&mut self) -> anyhow::Result<()> {
        let truth = Snapshot::take(self.edited(), Depth::Content)?.without_root();
        let start = Instant::now();
        // Names, sizes and times are looked at until they agree; then the bytes.
        loop {
            let edited = Snapshot::take(self.edited(), Depth::Metadata)?;
            let left = edited.differences(&Snapshot::take(self.following(), Depth::Metadata)?);
            if left.is_empty() {
                break;
            }
            if start.elapsed() > self.quiet_limit {
                let left = left.into_iter().take(10).collect::<Vec<_>>().join("\n");
                bail!(
                    "not quiet after {:?}:\n{left}\n{}",
                    self.quiet_limit,
                    self.tails()
                );
            }
            self.expect_running()?;
            std::thread::sleep(LOOK);
        }
        expect_equal("the edited folder changed by itself", &truth, self.edited())?;
        expect_equal(
            "the following folder has other bytes",
            &truth,
            self.following(),
        )
    }

    /// Waits for quiet, stops everything, and checks what must hold then.
    ///
    /// # Errors
    /// Names the invariant that does not hold.
    pub fn finish(mut self) -> anyhow::Result<()> {
        self.quiet()?;
        let truth = Snapshot::take(self.edited(), Depth::Content)?.without_root();
        let folders = [self.first.end(), self.second.end()];
        for folder in &folders {
            expect_idle(folder)?;
            expect_equal("a sync after quiet changed something", &truth, &folder.path)?;
            expect_no_temporaries(&folder.path.join(".atoll"))?;
        }
        let ended = self.node.stop()?;
        expect_no_temporaries(ended.data())?;
        ended.scrub(END_LIMIT)
    }

    fn expect_running(&mut self) -> anyhow::Result<()> {
        for process in [
            &mut self.node.process,
            &mut self.first.process,
            &mut self.second.process,
        ] {
            ensure!(
                process.is_running(),
                "{} has ended; {}",
                process.name(),
                process.tail()
            );
        }
        Ok(())
    }

    fn tails(&self) -> String {
        [
            &self.node.process,
            &self.first.process,
            &self.second.process,
        ]
        .map(Process::tail)
        .join("\n")
    }
}

impl Client {
    fn start(folder: Folder) -> anyhow::Result<Self> {
        std::fs::create_dir_all(&folder.path)
            .with_context(|| format!("cannot create {}", folder.path.display()))?;
        let mut process = folder.watch()?;
        // Only a folder that has joined waits for a node that is away.
        let marker = folder.path.join(".atoll/marker.json");
        let start = Instant::now();
        while !marker.exists() {
            ensure!(
                process.is_running() && start.elapsed() < END_LIMIT,
                "{} did not join; {}",
                folder.name,
                process.tail()
            );
            std::thread::sleep(LOOK);
        }
        Ok(Self { process, folder })
    }

    fn kill_and_restart(&mut self) -> anyhow::Result<()> {
        self.process.kill();
        self.process = self.folder.watch()?;
        Ok(())
    }

    /// `kill -9`: to a client that is no worse than any other end.
    fn end(mut self) -> Folder {
        self.process.kill();
        self.folder
    }
}

fn expect_equal(complaint: &str, truth: &Snapshot, folder: &Path) -> anyhow::Result<()> {
    let differences = truth.differences(&Snapshot::take(folder, Depth::Content)?.without_root());
    ensure!(
        differences.is_empty(),
        "{complaint}:\n{}",
        differences.join("\n")
    );
    Ok(())
}

/// A sync of the folder finds nothing to do.
///
/// # Errors
/// When it does something, or cannot sync an entry.
pub fn expect_idle(folder: &Folder) -> anyhow::Result<()> {
    let summary = folder.once_json()?;
    let done = [
        "uploaded",
        "fetched",
        "deleted",
        "removed",
        "conflicts",
        "problems",
    ];
    ensure!(
        done.iter().all(|field| summary[field] == 0),
        "the sync of {} after quiet did something: {summary}",
        folder.name
    );
    Ok(())
}

/// The folder of work in progress, wherever it is. A node's `staging` is none: an
/// upload that was given up waits there for a day, to be taken up again.
const PASSING: &str = "tmp";

fn expect_no_temporaries(top: &Path) -> anyhow::Result<()> {
    let snapshot = Snapshot::take(top, Depth::Metadata)?;
    let left: Vec<PathBuf> = snapshot
        .paths()
        .filter(|path| {
            path.components()
                .rev()
                .skip(1)
                .any(|part| part.as_os_str() == PASSING)
        })
        .map(Path::to_owned)
        .collect();
    ensure!(
        left.is_empty(),
        "left behind in {}: {left:?}",
        top.display()
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_in_progress_is_seen() {
        let top = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(top.path().join("a/tmp")).unwrap();
        assert!(expect_no_temporaries(top.path()).is_ok());
        std::fs::write(top.path().join("a/tmp/7"), "").unwrap();
        assert!(expect_no_temporaries(top.path()).is_err());
    }
}
