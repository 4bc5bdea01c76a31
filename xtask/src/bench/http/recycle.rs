//! Workers that are replaced again and again, and half-way the whole program, while
//! clients ask and count what fails.
//!
//! A client keeps its connection until it is told that it was the last answer, as the
//! protocol has it, and forgives nothing: what breaks, is refused or is no success
//! has failed.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use rustix::process::{Pid, Signal, kill_process};

use super::Bench;
use super::client::Client;
use super::servers::{CORE, Server};
use crate::bench::report::verdict;

/// Clients that ask at the same time.
const CLIENTS: usize = 32;

/// Processes that serve, and how many requests each answers before it is replaced,
/// as a part of all.
const WORKERS: &str = "4";
const LIVES: u64 = 50;

/// How often the processes are counted.
const LOOK: Duration = Duration::from_millis(50);

/// An upgrade and an end take less.
const LIMIT: Duration = Duration::from_secs(60);

/// What the clients have seen together.
#[derive(Default)]
struct Tally {
    asked: AtomicU64,
    failed: AtomicU64,
    connections: AtomicU64,
}

/// All processes that there were at an address; those that are left end with it. They are
/// known by their arguments: a program that takes over has no parent any more.
struct Family {
    address: String,
    members: BTreeSet<u32>,
}

/// The section of the report.
///
/// # Errors
/// When the server does not start, or the upgrade does not happen.
pub fn run(bench: &Bench) -> anyhow::Result<String> {
    let requests = bench.scale.recycle_requests;
    let lives = (requests / LIVES).to_string();
    let flags = [
        "--model",
        "processes",
        "--workers",
        WORKERS,
        "--recycle-requests",
        &lives,
    ];
    eprintln!("Recycle: {requests} requests, an upgrade half-way");
    let mut running = Server::Atoll.start_as(bench, CORE, &flags)?;
    let address = running.address().to_owned();
    let mut family = Family {
        address: address.clone(),
        members: BTreeSet::new(),
    };
    let tally = Tally::default();
    let begun = Instant::now();
    let upgraded = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| scope.spawn(|| tally.ask_until(&address, requests)))
            .collect();
        let mut upgraded = Ok(());
        let mut is_first = true;
        while clients.iter().any(|client| !client.is_finished()) {
            if is_first && tally.asked.load(Ordering::Relaxed) >= requests / 2 {
                is_first = false;
                upgraded = signal(running.pid(), Signal::USR2);
            }
            family.look();
            std::thread::sleep(LOOK);
        }
        upgraded
    });
    upgraded?;
    let took = begun.elapsed();
    while running.is_running() {
        ensure!(
            begun.elapsed() < took + LIMIT,
            "no program took over after USR2"
        );
        std::thread::sleep(LOOK);
    }
    let failed = tally.failed.load(Ordering::Relaxed);
    let asked = tally.asked.load(Ordering::Relaxed);
    Ok(format!(
        "\n### Recycling and upgrade\n\n\
         {CLIENTS} clients ask {WORKERS} workers, each of which is replaced after {lives} requests \
         or a little less; half-way, the program is replaced by `USR2`.\n\n\
         | requests | failed | connections | processes that there were | requests/s | bar | |\n\
         |---|---|---|---|---|---|---|\n\
         | {asked} | {failed} | {} | {} | {:.0} | 0 failed | {} |\n",
        tally.connections.load(Ordering::Relaxed),
        family.members.len(),
        asked as f64 / took.as_secs_f64(),
        verdict(failed == 0)
    ))
}

impl Tally {
    /// A client, until all have asked so often together.
    fn ask_until(&self, address: &str, requests: u64) {
        let mut client = None;
        while self.asked.fetch_add(1, Ordering::Relaxed) < requests {
            match self.ask(client.take(), address) {
                Ok(kept) => client = kept,
                Err(error) => {
                    self.failed.fetch_add(1, Ordering::Relaxed);
                    eprintln!("Recycle: a request failed: {error}");
                }
            }
        }
        // This one was not asked.
        self.asked.fetch_sub(1, Ordering::Relaxed);
    }

    /// Asks once; gives the connection unless it has ended.
    fn ask(&self, client: Option<Client>, address: &str) -> io::Result<Option<Client>> {
        let mut client = match client {
            Some(client) => client,
            None => {
                self.connections.fetch_add(1, Ordering::Relaxed);
                Client::connect(address)?
            }
        };
        client.ask()?;
        let response = client.receive()?;
        if response.status != 200 {
            return Err(io::Error::other(format!(
                "it was answered {}",
                response.status
            )));
        }
        Ok((!response.closes).then_some(client))
    }
}

impl Family {
    /// Takes up those that are new.
    fn look(&mut self) {
        let alive = self.alive();
        self.members.extend(alive);
    }

    /// Those that run.
    fn alive(&self) -> Vec<u32> {
        let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        pids.filter(|pid| self.has(*pid)).collect()
    }

    fn has(&self, pid: u32) -> bool {
        // One that has just ended is none.
        let arguments = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let mut arguments = arguments.split(|&byte| byte == 0);
        arguments.any(|argument| argument == self.address.as_bytes())
    }
}

impl Drop for Family {
    fn drop(&mut self) {
        let begun = Instant::now();
        for pid in self.alive() {
            // One that has just ended needs no end.
            let _ = signal(pid, Signal::TERM);
        }
        while !self.alive().is_empty() && begun.elapsed() < LIMIT {
            std::thread::sleep(LOOK);
        }
        for pid in self.alive() {
            let _ = signal(pid, Signal::KILL);
        }
    }
}

fn signal(pid: u32, signal: Signal) -> anyhow::Result<()> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let pid = pid.context("a process id above 0")?;
    kill_process(pid, signal).context("the server does not run")
}
