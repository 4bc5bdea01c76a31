//! `cargo xtask bench http`: the web server beside nginx, lighttpd, hyper and axum.
//!
//! 1. Build the release binary and the rivals that are Rust; install the others.
//! 2. Each work starts every server anew in every round, in an order that moves on
//!    by one each round, pinned to core 0; wrk loads it from core 1. What counts is
//!    the server's CPU time for each request, as the kernel accounts for it, since
//!    that is what noise on the machine disturbs least. The median of the rounds
//!    counts. A bare epoll loop runs along: what it costs is the kernel's share, below
//!    which nobody comes.
//! 3. `table` puts the medians beside the bars and into BENCHMARKS.md.
//!
//! 4. Some works answer questions of their own, with tables of their own: `models`
//!    puts the models side by side, `scaling` gives them more cores, `recycle` counts
//!    what fails while workers are replaced, `slow` holds thousands of slow clients.
//!    They run once, whatever the rounds.
//!
//! `servers` starts the servers, `accounting` reads what they used, `load` runs wrk,
//! `idle` holds connections open, `driver` asks on time and moves the slow clients of
//! `crowd`. What fails is told at the end, and the rest goes on. Nothing here is a test:
//! a missed bar is a figure.

mod accounting;
mod client;
mod crowd;
mod driver;
mod idle;
mod load;
mod models;
mod recycle;
mod scaling;
mod servers;
mod slow;
mod table;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::ValueEnum;

use super::failures::Failures;
use super::{Run, fresh, machine};
use crate::{packages, shell};
use load::Load;
use servers::Server;
use table::{Figures, Measured};

/// The name of the file of 1 KiB, of that of 1 MiB, and of the dynamic route.
const SMALL: &str = "/1k.txt";
const LARGE: &str = "/1m.bin";
const ROUTE: &str = "/hello/world";

/// The works, as in the bars of BENCHMARKS.md.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Work {
    /// A file of 1 KiB over 64 connections that stay
    KeepAlive,
    /// The same, 16 requests at once
    Pipelined,
    /// A file of 1 MiB
    Large,
    /// A new connection for each request
    Connect,
    /// Connections that stay and ask nothing
    Idle,
    /// A small route of an axum router
    Dynamic,
    /// All models, with more and more workers, and all ways to spread connections
    Models,
    /// More and more cores
    Scaling,
    /// Workers that are replaced, and a program that is, under load
    Recycle,
    /// Thousands of clients that are slow in one way
    Slow,
}

/// How long and how much.
struct Scale {
    warm_up: Duration,
    load: Duration,
    idle_connections: usize,
    /// For each row of a table that has many.
    glance: Duration,
    /// Connections that come at once.
    crowd: usize,
    recycle_requests: u64,
    slow_connections: usize,
    /// Before the slow ones come; twice that while they are there.
    slow_load: Duration,
}

/// Long enough that a tick of the kernel's accounting (10 ms) is 0.2 %.
const FULL: Scale = Scale {
    warm_up: Duration::from_secs(1),
    load: Duration::from_secs(5),
    idle_connections: 10_000,
    glance: Duration::from_secs(2),
    crowd: 1000,
    recycle_requests: 1_000_000,
    slow_connections: 5000,
    // 8000 requests, and 16,000: enough for a p99 that stays.
    slow_load: Duration::from_secs(4),
};

const QUICK: Scale = Scale {
    warm_up: Duration::from_secs(1),
    load: Duration::from_secs(2),
    idle_connections: 1000,
    glance: Duration::from_secs(1),
    crowd: 100,
    recycle_requests: 100_000,
    slow_connections: 500,
    slow_load: Duration::from_secs(1),
};

/// One run of the benchmark.
struct Bench {
    atoll: PathBuf,
    /// The example of `crates/http` that is several servers.
    rivals: PathBuf,
    folder: PathBuf,
    rounds: usize,
    scale: &'static Scale,
}

/// Runs the benchmark.
///
/// # Errors
/// When a program fails, or a server answers with an error; what else there is to
/// measure is measured and shown all the same.
pub fn run(options: &Run<Work>) -> anyhow::Result<()> {
    options.check()?;
    let cores = std::thread::available_parallelism()?.get();
    ensure!(
        cores >= 2,
        "this needs two cores: one for servers, one for load"
    );
    packages::ensure(&[packages::NGINX, packages::LIGHTTPD, packages::WRK])?;
    let bench = Bench {
        atoll: shell::atoll(options.binary.as_deref())?,
        rivals: shell::example("httpd", "rivals")?,
        folder: fresh(&shell::root().join("target").join("bench-http"))?,
        rounds: options.rounds,
        scale: if options.quick { &QUICK } else { &FULL },
    };
    bench.make_site()?;
    idle::allow_connections(
        bench
            .scale
            .idle_connections
            .max(bench.scale.slow_connections),
    )?;
    let machine = describe()?;
    eprintln!("{machine}");
    load::stay_off_the_server()?;
    let mut failures = Failures::default();
    let mut measured = Vec::new();
    let mut sections = String::new();
    for work in options.works() {
        let section = match work {
            Work::Models => models::run(&bench, &mut failures),
            Work::Scaling => scaling::run(&bench, cores, &mut failures),
            Work::Recycle => {
                let section = failures.keep("Recycle", recycle::run(&bench));
                section.unwrap_or_default()
            }
            Work::Slow => slow::run(&bench, &mut failures),
            _ => {
                measured.push(bench.measure(*work, &mut failures));
                continue;
            }
        };
        sections += &section;
    }
    let report = table::text(&machine, bench.rounds, &measured) + &sections;
    options.finish("http", &bench.folder, &report, &failures)
}

impl Work {
    /// Who does it, Atoll first.
    fn servers(self) -> &'static [Server] {
        match self {
            Self::Dynamic => &[Server::Tower, Server::Axum, Server::Floor(ROUTE)],
            Self::Large => &[Server::Atoll, Server::Nginx, Server::Lighttpd],
            Self::Idle => &[
                Server::Atoll,
                Server::Nginx,
                Server::Lighttpd,
                Server::Hyper,
            ],
            _ => &[
                Server::Atoll,
                Server::Nginx,
                Server::Lighttpd,
                Server::Hyper,
                Server::Floor(SMALL),
            ],
        }
    }

    /// What is asked, where it is a load.
    fn load(self) -> Load {
        let plain = Load {
            target: SMALL,
            connections: 64,
            ..Load::default()
        };
        match self {
            Self::Pipelined => Load {
                is_pipelined: true,
                ..plain
            },
            Self::Large => Load {
                target: LARGE,
                // What is under way at the end is not counted: few are enough.
                connections: 8,
                ..plain
            },
            Self::Connect => Load {
                closes: true,
                ..plain
            },
            Self::Dynamic => Load {
                target: ROUTE,
                ..plain
            },
            _ => plain,
        }
    }
}

impl Bench {
    /// Where the files lie.
    fn site(&self) -> PathBuf {
        self.folder.join("site")
    }

    /// The file that is the content of `target`.
    fn file(&self, target: &str) -> PathBuf {
        self.site().join(target.trim_start_matches('/'))
    }

    fn make_site(&self) -> anyhow::Result<()> {
        let site = fresh(&self.site())?;
        let write = |target: &str, bytes: &[u8]| {
            let path = self.file(target);
            std::fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))
        };
        write(SMALL, &[b'a'; 1024])?;
        write(LARGE, &vec![b'b'; 1 << 20])?;
        // What the router says, for the one that has none.
        fresh(&site.join("hello"))?;
        write(ROUTE, b"hello world\n")
    }

    /// A server that fails once is not measured again.
    fn measure(&self, work: Work, failures: &mut Failures) -> Measured {
        let servers = work.servers();
        let mut measured = Measured::new(work, servers);
        let mut failed = Vec::new();
        for round in 0..self.rounds {
            for turn in 0..servers.len() {
                let place = (round + turn) % servers.len();
                if failed.contains(&place) {
                    continue;
                }
                let name = format!("{work:?}, {}", servers[place].name());
                eprintln!("{name}, round {}", round + 1);
                match failures.keep(&name, self.look_at(work, servers[place])) {
                    Some(figures) => {
                        eprintln!("  {}", table::cost_text(work, figures.cost));
                        measured.add(place, figures);
                    }
                    None => {
                        measured.fail(place);
                        failed.push(place);
                    }
                }
            }
        }
        eprint!("{}", measured.lines());
        measured
    }

    fn look_at(&self, work: Work, server: Server) -> anyhow::Result<Figures> {
        let running = server.start(self)?;
        match work {
            Work::Idle => idle::hold(&running, self.scale.idle_connections),
            _ => load::measure(&running, &work.load(), self),
        }
    }
}

/// One paragraph about the machine and the rivals.
fn describe() -> anyhow::Result<String> {
    let says = |program: &str, argument: &str| -> anyhow::Result<String> {
        let output = Command::new(program)
            .arg(argument)
            .output()
            .with_context(|| format!("{program} did not start"))?;
        // nginx says it on its standard error, wrk with a failure.
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text);
        Ok(text.lines().next().unwrap_or_default().trim().to_owned())
    };
    let short = |text: String, words: usize| {
        let words: Vec<&str> = text.split_ascii_whitespace().take(words).collect();
        words.join(" ")
    };
    Ok(format!(
        "{machine}. The server on core 0, the load on core 1. {nginx}, {lighttpd}, hyper {hyper}, \
         axum {axum}, {wrk}.",
        machine = machine::hardware()?,
        nginx = says("nginx", "-v")?.replace("nginx version: ", ""),
        lighttpd = short(says("lighttpd", "-v")?, 1),
        hyper = locked("hyper")?,
        axum = locked("axum")?,
        wrk = short(says("wrk", "-v")?, 2),
    ))
}

/// The version of a package in Cargo.lock.
fn locked(package: &str) -> anyhow::Result<String> {
    let path: &Path = &shell::root().join("Cargo.lock");
    let text = std::fs::read_to_string(path)?;
    let after = text
        .split_once(&format!("name = \"{package}\"\nversion = \""))
        .with_context(|| format!("{} names no {package}", path.display()))?
        .1;
    Ok(after.split('"').next().unwrap_or_default().to_owned())
}
