//! `cargo xtask judge metrics`: clients push samples at full speed to a node that is killed
//! with `kill -9` again and again. Every sample that was acknowledged must be there.
//!
//! `harness::samples` holds the clients and the check; here is when the node dies: at a random
//! moment of its life, in every third life while a snapshot, and so a flush, is under way, and
//! now and then while it starts. Lives that last more than a second see merges too. What a
//! power cut takes is not judged here: a killed process leaves the operating system what it
//! wrote.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail, ensure};
use base::SeededRandom;
use clap::Args;
use harness::samples::Senders;
use harness::site::{Ended, Node};

use super::{Killing, Seed};
use crate::shell;

/// Clients that send JSON; one more sends line protocol.
const CLIENTS: usize = 8;

/// The kills between two checks.
const BATCH: usize = 20;

/// In one of so many lives a snapshot is made.
const SNAPSHOT: u64 = 3;

/// A kill comes at most so long after a snapshot was asked for: about half of them are made
/// before it.
const SNAPSHOT_MILLIS: u64 = 2000;

/// One of so many starts is killed as well.
const START: u64 = 8;

/// At most so long after it began: about as long as a start takes.
const START_MILLIS: u64 = 300;

/// The samples of now begin so long ago: with a millisecond for each request they stay
/// within the day ahead that a node takes.
const BEGIN: Duration = Duration::from_secs(3600);

/// What to run.
#[derive(Args)]
pub struct Options {
    #[command(flatten)]
    killing: Killing,
    #[command(flatten)]
    seed: Seed,
    /// The longest life of a node, in seconds; the moments of death are even within it
    #[arg(long, default_value_t = 2.0, value_parser = seconds)]
    seconds_between: f64,
}

fn seconds(text: &str) -> Result<f64, String> {
    /// A life in which a client sends about as much as it can note.
    const LONGEST: f64 = 600.0;
    let seconds: f64 = text.parse().map_err(|_| format!("{text:?} is no number"))?;
    match seconds {
        0.001..=LONGEST => Ok(seconds),
        _ => Err(format!("it is between 0.001 and {LONGEST}")),
    }
}

/// Runs the judge. What a failure leaves stays in `target/judge-metrics`.
///
/// # Errors
/// Names what was lost, changed or made up, and the seed.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let seed = options.seed.choose();
    let binary = shell::atoll(options.killing.binary.as_deref())?;
    let top = shell::root().join("target").join("judge-metrics");
    if top.exists() {
        fs::remove_dir_all(&top)?;
    }
    fs::create_dir_all(&top)?;
    let longest = Duration::from_secs_f64(options.seconds_between);
    let begin = SystemTime::now().duration_since(UNIX_EPOCH)? - BEGIN;
    let trial = Trial {
        random: SeededRandom::new(seed),
        longest_millis: u64::try_from(longest.as_millis())?,
        senders: Senders::new(CLIENTS, i64::try_from(begin.as_millis())?),
        kills: 0,
        snapshots: Snapshots::default(),
        starts: Vec::new(),
        begun: Instant::now(),
    };
    trial
        .run(options.killing.kills, &binary, &top)
        .with_context(|| {
            format!(
                "replay with --seed {seed} --kills {} --seconds-between {}; what is left is in {}",
                options.killing.kills,
                options.seconds_between,
                top.display()
            )
        })?;
    fs::remove_dir_all(&top)?;
    Ok(())
}

/// How many snapshots were asked for, and how many of them were made before the kill.
#[derive(Default)]
struct Snapshots {
    asked: usize,
    made: usize,
}

/// One run of the judge.
struct Trial {
    random: SeededRandom,
    longest_millis: u64,
    senders: Senders,
    kills: usize,
    snapshots: Snapshots,
    /// How long each start took after a kill.
    starts: Vec<Duration>,
    begun: Instant,
}

impl Trial {
    fn run(mut self, kills: usize, binary: &Path, top: &Path) -> anyhow::Result<()> {
        let mut node = Node::start(binary, &top.join("data"), &top.join("node.log"))?;
        while self.kills < kills {
            let due = (self.kills + BATCH).min(kills);
            while self.kills < due {
                let ended = self.live_and_die(node)?;
                node = self.restart(ended)?;
            }
            self.judge(&node)?;
        }
        eprintln!("judge: everything that was acknowledged is there, and nothing else");
        node.stop()?;
        Ok(())
    }

    /// Has clients push until a random moment, at which it is killed.
    fn live_and_die(&mut self, node: Node) -> anyhow::Result<Ended> {
        self.kills += 1;
        let life = Duration::from_millis(self.random.below(self.longest_millis.max(1)));
        let snapshot = self.random.below(SNAPSHOT) == 0;
        let after = Duration::from_millis(self.random.below(SNAPSHOT_MILLIS));
        let name = format!("of-kill-{}", self.kills);
        let snapshots = &mut self.snapshots;
        let ended = self.senders.push_while(node, |node| {
            std::thread::sleep(life);
            Ok(match snapshot {
                true => snapshots.kill_during(node, &name, after),
                false => node.kill(),
            })
        })?;
        remove(&ended.data().join("metrics").join("snapshots"))?;
        Ok(ended)
    }

    /// Starts it again, now and then at the second attempt.
    fn restart(&mut self, mut ended: Ended) -> anyhow::Result<Node> {
        if self.random.below(START) == 0 {
            self.kills += 1;
            let later = Duration::from_millis(self.random.below(START_MILLIS));
            ended = ended.restart_and_kill(later)?;
        }
        let start = Instant::now();
        let node = ended.restart()?;
        self.starts.push(start.elapsed());
        Ok(node)
    }

    fn judge(&mut self, node: &Node) -> anyhow::Result<()> {
        let checked = self.senders.check(node)?;
        self.starts.sort_unstable();
        let millis = |at: usize| self.starts.get(at).map_or(0, Duration::as_millis);
        eprintln!(
            "judge: {:6.1} s  {} kills, {} samples acknowledged and {} more: {} lost, {} changed, \
             {} never sent; {} of {} snapshots were made; a start takes {} ms, {} at worst",
            self.begun.elapsed().as_secs_f64(),
            self.kills,
            checked.acknowledged,
            checked.unacknowledged,
            checked.lost,
            checked.changed,
            checked.invented,
            self.snapshots.made,
            self.snapshots.asked,
            millis(self.starts.len() / 2),
            millis(self.starts.len().saturating_sub(1)),
        );
        ensure!(checked.acknowledged > 0, "nothing was acknowledged at all");
        if !checked.holds() {
            bail!(
                "samples are not as they should be: {}",
                checked.examples.join("; ")
            );
        }
        Ok(())
    }
}

impl Snapshots {
    /// Asks for one and kills the node a while later, whether it is made or not.
    fn kill_during(&mut self, node: Node, name: &str, after: Duration) -> Ended {
        let administrator = node.administrator();
        let path = format!("/api/v1/admin/tsdb/snapshot?name={name}");
        let asking = std::thread::spawn(move || administrator.ask("POST", &path));
        std::thread::sleep(after);
        let ended = node.kill();
        self.asked += 1;
        // One that is not answered was under way, as is wanted.
        self.made += usize::from(asking.join().is_ok_and(|answer| answer.is_ok()));
        ended
    }
}

fn remove(folder: &Path) -> anyhow::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", folder.display()))
        }
        _ => Ok(()),
    }
}
