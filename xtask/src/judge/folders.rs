//! `cargo xtask judge` of folders: real trees and a real history, with `kill -9` at random.
//!
//! 1. A real tree (Debian's kernel source and a large `node_modules`) is synced
//!    for the first time while processes are killed.
//! 2. Folders of that tree come and go; after each change one process is killed
//!    at a random moment and started again, and then everything must be equal.
//! 3. A git history is checked out commit by commit in the edited folder, with
//!    the same kills; `git status` in the other folder must find nothing.
//! 4. At the end rsync, an independent judge, finds no difference, a further sync
//!    does nothing, nothing temporary is left, and every hash is right.
//!
//! `harness::scene` holds the three processes and the invariants. What is
//! downloaded is kept in `target/judge-input` for the next run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use base::SeededRandom;
use clap::Args;
use harness::compare::expect_rsync_agrees;
use harness::scene::{Scene, Victim};

use super::{Killing, Seed};
use crate::packages::{self, GIT, NPM, RSYNC, XZ};
use crate::shell;

/// Everything is quiet within this long of the last change: a whole first sync
/// of the largest tree, on two slow cores.
const QUIET: Duration = Duration::from_secs(900);

/// A kill comes at most this long after a change began to travel.
const LATEST_KILL_MILLIS: u64 = 1500;

/// The kills during the first sync: enough for each process to die in it.
const FIRST_KILLS: usize = 9;

/// What Debian calls the kernel's source.
const LINUX: &str = "linux-source-6.1";

/// What to run.
#[derive(Args)]
pub struct Options {
    #[command(flatten)]
    killing: Killing,
    #[command(flatten)]
    seed: Seed,
    /// A small part of the real tree
    #[arg(long)]
    quick: bool,
    /// The git repository whose history is replayed; this one when not given
    #[arg(long)]
    repository: Option<PathBuf>,
    /// Commits that are replayed, the latest of the first parents
    #[arg(long, default_value_t = 200)]
    commits: usize,
}

/// Runs the judge. What a failure leaves stays in `target/judge`.
///
/// # Errors
/// Names the first thing that does not hold, and the seed.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let seed = options.seed.choose();
    packages::ensure(&[RSYNC, GIT])?;
    let binary = shell::atoll(options.killing.binary.as_deref())?;
    let input = real_tree(options.quick)?;
    let top = shell::root().join("target").join("judge");
    if top.exists() {
        fs::remove_dir_all(&top)?;
    }
    fs::create_dir_all(top.join("a"))?;
    Trial {
        random: SeededRandom::new(seed),
        kills: 0,
        start: Instant::now(),
    }
    .run(options, &binary, &input, &top)
    .with_context(|| format!("seed {seed}; what is left is in {}", top.display()))?;
    fs::remove_dir_all(&top)?;
    Ok(())
}

/// One run of the judge.
struct Trial {
    random: SeededRandom,
    kills: usize,
    start: Instant,
}

impl Trial {
    fn run(
        mut self,
        options: &Options,
        binary: &Path,
        input: &Path,
        top: &Path,
    ) -> anyhow::Result<()> {
        let folder = top.join("a");
        self.say("copying the real tree");
        copy(input, &folder.join("tree"))?;
        let mut scene = Scene::start(binary, top, QUIET)?;
        self.say("first sync");
        for _ in 0..FIRST_KILLS.min(options.killing.kills) {
            scene = self.kill(scene)?;
        }
        scene.quiet()?;
        expect_rsync_agrees(scene.edited(), scene.following())?;

        self.say("folders come and go");
        let parts = parts(input)?;
        let half = options.killing.kills / 2;
        while self.kills < half {
            self.toggle(&parts, input, &folder.join("tree"))?;
            scene = self.kill(scene)?;
            scene.quiet()?;
        }

        self.say("a history is replayed");
        scene = self.replay(options, scene)?;
        expect_rsync_agrees(scene.edited(), scene.following())?;
        let following = scene.following().to_owned();
        scene.finish()?;
        expect_rsync_agrees(&folder, &following)?;
        self.say("everything holds");
        Ok(())
    }

    /// Kills one at a random moment and starts it again.
    fn kill(&mut self, scene: Scene) -> anyhow::Result<Scene> {
        let victim = Victim::ALL[self.below(Victim::ALL.len())];
        std::thread::sleep(Duration::from_millis(self.random.below(LATEST_KILL_MILLIS)));
        self.kills += 1;
        self.say(&format!("kill {}: {victim:?}", self.kills));
        scene.kill_and_restart(victim)
    }

    /// Removes one part of the tree, or puts it back.
    fn toggle(&self, parts: &[PathBuf], input: &Path, tree: &Path) -> anyhow::Result<()> {
        let part = &parts[self.below(parts.len())];
        let place = tree.join(part);
        if place.exists() {
            fs::remove_dir_all(place)?;
            return Ok(());
        }
        copy(&input.join(part), &place)
    }

    fn replay(&mut self, options: &Options, mut scene: Scene) -> anyhow::Result<Scene> {
        let source = options.repository.as_deref().unwrap_or(shell::root());
        let (here, there) = (
            scene.edited().join("repository"),
            scene.following().join("repository"),
        );
        shell::run(
            Command::new("git")
                .args(["clone", "--quiet", "--no-hardlinks"])
                .arg(source)
                .arg(&here),
        )?;
        let limit = format!("--max-count={}", options.commits);
        let log = shell::output(git(&here).args(["log", "--first-parent", "--format=%H", &limit]))?;
        let commits: Vec<&str> = log.lines().rev().collect();
        let kills = options.killing.kills;
        for (done, commit) in commits.iter().enumerate() {
            shell::run(git(&here).args(["checkout", "--quiet", "--force", commit]))?;
            let due = kills / 2 + (done + 1) * kills.div_ceil(2) / commits.len();
            while self.kills < due {
                scene = self.kill(scene)?;
                scene.quiet()?;
                expect_same_commit(&here, &there, commit)?;
            }
        }
        scene.quiet()?;
        if let Some(last) = commits.last() {
            expect_same_commit(&here, &there, last)?;
        }
        Ok(scene)
    }

    fn below(&self, bound: usize) -> usize {
        usize::try_from(self.random.below(bound as u64)).expect("below a usize")
    }

    fn say(&self, what: &str) {
        eprintln!(
            "judge: {:7.1} s  {what}",
            self.start.elapsed().as_secs_f64()
        );
    }
}

fn git(repository: &Path) -> Command {
    let mut command = Command::new("git");
    // Else `status` would rewrite the index of the folder that only follows.
    command.arg("--no-optional-locks").arg("-C").arg(repository);
    command
}

/// The following repository stands at `commit` with nothing changed or untracked.
fn expect_same_commit(here: &Path, there: &Path, commit: &str) -> anyhow::Result<()> {
    for repository in [here, there] {
        let head = shell::output(git(repository).args(["rev-parse", "HEAD"]))?;
        ensure!(
            head == commit,
            "{} is at {head}, not at {commit}",
            repository.display()
        );
        let status = shell::output(git(repository).args(["status", "--porcelain"]))?;
        ensure!(
            status.is_empty(),
            "git status in {}:\n{status}",
            repository.display()
        );
    }
    Ok(())
}

/// The real tree, downloaded once.
///
/// # Errors
/// When it cannot be downloaded or unpacked.
pub fn real_tree(quick: bool) -> anyhow::Result<PathBuf> {
    packages::ensure(&[XZ, NPM])?;
    let cache = shell::root().join("target").join("judge-input");
    let tree = cache.join(if quick { "quick" } else { "whole" });
    if tree.exists() {
        return Ok(tree);
    }
    // Renamed at the end: an interrupted download is not taken for a tree.
    let unfinished = cache.join("unfinished");
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished)?;
    }
    fs::create_dir_all(&unfinished)?;
    unpack_linux(&cache, &unfinished, quick)?;
    install_modules(&unfinished, quick)?;
    fs::rename(&unfinished, &tree)?;
    Ok(tree)
}

fn unpack_linux(cache: &Path, into: &Path, quick: bool) -> anyhow::Result<()> {
    let archive = cache.join(format!("package/usr/src/{LINUX}.tar.xz"));
    if !archive.exists() {
        packages::apt_get(&["update", "--quiet=2"])?;
        shell::run(
            Command::new("apt-get")
                .args(["download", LINUX])
                .current_dir(cache),
        )?;
        let package = packages::downloaded(cache, LINUX)?;
        shell::run(
            Command::new("dpkg-deb")
                .arg("-x")
                .arg(package)
                .arg(cache.join("package")),
        )?;
    }
    let mut tar = Command::new("tar");
    tar.arg("-xf").arg(archive).arg("-C").arg(into);
    if quick {
        tar.args(["kernel", "lib", "scripts"].map(|part| format!("{LINUX}/{part}")));
    }
    shell::run(&mut tar)
}

fn install_modules(into: &Path, quick: bool) -> anyhow::Result<()> {
    let folder = into.join("web");
    fs::create_dir_all(&folder)?;
    let packages: &[&str] = if quick {
        &["webpack"]
    } else {
        &["webpack", "typescript", "eslint", "react-scripts"]
    };
    let mut npm = Command::new("npm");
    npm.args([
        "install",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--silent",
    ]);
    shell::run(npm.args(packages).current_dir(folder))
}

/// Folders two levels down: the parts that come and go, relative to the tree.
fn parts(tree: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for top in subfolders(tree)? {
        for part in subfolders(&tree.join(&top))? {
            found.push(top.join(part));
        }
    }
    found.sort();
    ensure!(!found.is_empty(), "no folders in {}", tree.display());
    Ok(found)
}

/// The names of the folders in a folder.
///
/// # Errors
/// When it cannot be read.
pub fn subfolders(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            names.push(PathBuf::from(entry.file_name()));
        }
    }
    Ok(names)
}

/// As `cp -a`: links stay links, times and permissions are kept.
fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    shell::run(Command::new("cp").arg("-a").arg(from).arg(to))
}
