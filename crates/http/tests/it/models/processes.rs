//! Real processes: workers that come and go under load, and no request that fails.
//!
//! The server is this test binary, which starts itself with the one test
//! [`as_server`]; that becomes a master, and starts itself again for its workers.

use super::PATIENCE;
use axum::Router;
use axum::routing::get;
use harness::load::{self, Answered, Client};
use harness::process::{Signal, signal};
use httpd::models::processes::{Policy, Program, Recycle, Role, role};
use httpd::models::{Drain, Strategy, listeners};
use httpd::serve::{Settings, Tower, Turn};
use std::collections::BTreeSet;
use std::io::{self, BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

/// Tells the server what it is to be: `WORKERS REQUESTS STRATEGY SUCCESSOR`.
const VARIABLE: &str = "HTTPD_TEST_SERVER";

#[derive(Clone, Copy)]
struct Setup {
    workers: usize,
    /// After so many, a worker is replaced; 0 for never.
    requests: u64,
    strategy: Strategy,
    /// The program that takes over does not even start.
    is_broken: bool,
}

const PLAIN: Setup = Setup {
    workers: 2,
    requests: 0,
    strategy: Strategy::PerSlot,
    is_broken: false,
};

impl Setup {
    fn text(self) -> String {
        let strategy = match self.strategy {
            Strategy::PerSlot => "slots",
            Strategy::Shared => "shared",
            Strategy::LeastLoaded => "least",
        };
        let successor = if self.is_broken { "broken" } else { "itself" };
        format!("{} {} {strategy} {successor}", self.workers, self.requests)
    }

    fn parse(text: &str) -> Self {
        let words: Vec<_> = text.split(' ').collect();
        let [workers, requests, strategy, successor] = words[..] else {
            panic!("{text:?} is no setup");
        };
        Self {
            workers: workers.parse().unwrap(),
            requests: requests.parse().unwrap(),
            strategy: match strategy {
                "slots" => Strategy::PerSlot,
                "shared" => Strategy::Shared,
                _ => Strategy::LeastLoaded,
            },
            is_broken: successor == "broken",
        }
    }

    fn policy(self) -> Policy {
        Policy {
            strategy: self.strategy,
            recycle: Recycle {
                requests: (self.requests > 0).then_some(self.requests),
                jitter: 0.3,
                ..Recycle::default()
            },
            drain: Drain {
                // Longer than any client that asks all the time leaves a connection idle.
                grace: Duration::from_secs(2),
                deadline: PATIENCE,
            },
            ..Policy::fixed(self.workers)
        }
    }
}

/// The server; nothing unless another test starts it.
#[test]
#[ignore = "run by the other tests, as a server"]
fn as_server() {
    let Ok(text) = std::env::var(VARIABLE) else {
        return;
    };
    let setup = Setup::parse(&text);
    match role().unwrap() {
        Role::Worker(mut worker) => {
            assert_eq!(worker.take_extras().len(), 1);
            let own = std::process::id().to_string();
            let router = Router::new().route("/", get(move || async move { own }));
            let turn = Turn::new(Tower::new(router), Settings::default());
            worker.run(&turn, || {}).unwrap();
        }
        Role::Master(master) => {
            let mut program = Program::itself().unwrap();
            program.is_pinned = true;
            program.extras = vec![std::fs::File::open("/dev/null").unwrap().into()];
            program.ready = Box::new(|| say("serving", &std::process::id()));
            if setup.is_broken {
                program.successor = Box::new(|| Command::new("false"));
            }
            let any = SocketAddr::from(([127, 0, 0, 1], 0));
            let listen = |count| {
                let bound = listeners(any, count)?;
                say("listening", &bound[0].local_addr()?);
                Ok(bound)
            };
            master.run(setup.policy(), program, listen).unwrap();
        }
    }
    // The harness of the tests has nothing to add.
    std::process::exit(0);
}

fn say(what: &str, value: &dyn std::fmt::Display) {
    println!("\n{what}={value}");
}

/// A master that ends with the test.
struct Server {
    master: Child,
    address: SocketAddr,
    said: Receiver<String>,
}

impl Server {
    fn start(setup: Setup) -> Self {
        let mut master = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "models::processes::as_server"])
            .args(["--ignored", "--nocapture"])
            .env(VARIABLE, setup.text())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, said) = channel();
        let output = BufReader::new(master.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                // The test may be over.
                let _ = sender.send(line);
            }
        });
        let mut server = Self {
            master,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            said,
        };
        server.address = server.hear("listening").parse().unwrap();
        server.hear("serving");
        server
    }

    /// Waits until a master says `what`.
    fn hear(&self, what: &str) -> String {
        loop {
            let line = self.said.recv_timeout(PATIENCE).unwrap();
            if let Some(value) = line
                .strip_prefix(what)
                .and_then(|rest| rest.strip_prefix('='))
            {
                return value.to_owned();
            }
        }
    }

    /// Waits until no process has the output any more.
    fn hear_the_end(&self) {
        loop {
            match self.said.recv_timeout(PATIENCE) {
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => panic!("some process does not end"),
            }
        }
    }

    fn signal(&self, signal: Signal) {
        harness::process::signal(self.master.id(), signal).unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Its workers see that, and end.
        let _ = self.master.kill();
        let _ = self.master.wait();
    }
}

/// The process that answers.
fn ask(client: &mut Client) -> io::Result<u32> {
    client.get("/").map(|content| pid(&content))
}

fn pid(content: &[u8]) -> u32 {
    std::str::from_utf8(content).unwrap().parse().unwrap()
}

/// Clients that ask all the time while `during` runs; which processes answered.
/// No request may fail.
fn under_load(server: &Server, during: impl FnOnce(&Answered)) -> BTreeSet<u32> {
    let load = load::under_load(4, server.address, "/", during);
    load.contents.iter().map(|content| pid(content)).collect()
}

/// The first `count` processes that answer, of those that `counts`.
fn workers(server: &Server, count: usize, counts: impl Fn(u32) -> bool) -> BTreeSet<u32> {
    let mut pids = BTreeSet::new();
    while pids.len() < count {
        // Every connection may come to another one.
        if let Ok(pid) = ask(&mut Client::new(server.address))
            && counts(pid)
        {
            pids.insert(pid);
        }
    }
    pids
}

#[test]
fn workers_are_recycled_under_load_and_no_request_fails() {
    for strategy in [Strategy::PerSlot, Strategy::Shared, Strategy::LeastLoaded] {
        let setup = Setup {
            strategy,
            requests: 300,
            ..PLAIN
        };
        let mut server = Server::start(setup);
        under_load(&server, |_| drop(workers(&server, 7, |_| true)));
        server.signal(Signal::TERM);
        assert!(server.master.wait().unwrap().success());
        server.hear_the_end();
    }
}

#[test]
fn a_reload_replaces_every_worker_and_no_request_fails() {
    let server = Server::start(PLAIN);
    let before = workers(&server, 2, |_| true);
    under_load(&server, |_| {
        server.signal(Signal::HUP);
        workers(&server, 2, |pid| !before.contains(&pid));
    });
}

#[test]
fn another_program_takes_over_under_load_and_no_request_fails() {
    let mut server = Server::start(PLAIN);
    let mut second = 0;
    under_load(&server, |answered| {
        answered.wait_for(500);
        server.signal(Signal::USR2);
        second = server.hear("serving").parse().unwrap();
        assert!(second != server.master.id());
        answered.wait_for(500);
    });
    // The first one ends by itself.
    assert!(server.master.wait().unwrap().success());
    under_load(&server, |answered| answered.wait_for(500));
    signal(second, Signal::TERM).unwrap();
    server.hear_the_end();
}

#[test]
fn a_program_that_cannot_take_over_leaves_everything_as_it_was() {
    let setup = Setup {
        is_broken: true,
        ..PLAIN
    };
    let mut server = Server::start(setup);
    let before = workers(&server, 2, |_| true);
    let after = under_load(&server, |answered| {
        server.signal(Signal::USR2);
        answered.wait_for(2000);
    });
    assert!(after.is_subset(&before), "{before:?} {after:?}");
    assert!(server.master.try_wait().unwrap().is_none());
}

#[test]
fn a_worker_that_is_killed_is_replaced() {
    for strategy in [Strategy::PerSlot, Strategy::LeastLoaded] {
        let server = Server::start(Setup { strategy, ..PLAIN });
        let victim = ask(&mut Client::new(server.address)).unwrap();
        signal(victim, Signal::KILL).unwrap();
        workers(&server, 2, |pid| pid != victim);
    }
}

/// One that ended by itself would leave its slot to nobody: new connections that fall
/// to it would wait for ever.
#[test]
fn a_signal_to_a_worker_leaves_it_where_it_is() {
    for strategy in [Strategy::PerSlot, Strategy::LeastLoaded] {
        let server = Server::start(Setup { strategy, ..PLAIN });
        let before = workers(&server, 2, |_| true);
        let victim = *before.first().unwrap();
        let after = under_load(&server, |answered| {
            for kind in [
                Signal::TERM,
                Signal::INT,
                Signal::HUP,
                Signal::USR1,
                Signal::USR2,
            ] {
                signal(victim, kind).unwrap();
                answered.wait_for(200);
            }
            assert_eq!(workers(&server, 2, |_| true), before, "new connections");
        });
        assert!(after.is_subset(&before), "{before:?} {after:?}");
    }
}

#[test]
fn workers_end_with_their_master_and_finish_what_they_were_asked() {
    let mut server = Server::start(PLAIN);
    let mut client = Client::new(server.address);
    ask(&mut client).unwrap();
    server.master.kill().unwrap();
    server.master.wait().unwrap();
    // Asked of a worker whose master is gone.
    ask(&mut client).unwrap();
    assert_eq!(client.rest().unwrap(), b"");
    server.hear_the_end();
}
