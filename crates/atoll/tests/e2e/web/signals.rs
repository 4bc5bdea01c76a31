//! Signals, programs that take over, and workers that die: nothing of it costs a
//! request.

use super::{Place, Web, connect, expect};
use crate::{LIMIT, await_that, binary};
use harness::load::{self, Answered};
use harness::process::{Signal, signal};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Command, Stdio};

/// So many answers show that the server goes on.
const SOME: u64 = 200;

const MODELS: [&str; 4] = ["sequential", "threads", "events", "processes"];

/// Clients that ask all the time while `during` runs, and go on for a while after it.
/// No request may fail; how many there were.
fn under_load(web: &mut Web, during: impl FnOnce(&mut Web, &Answered)) -> u64 {
    let load = load::under_load(3, web.address(), "/a.txt", |answered| {
        answered.wait_for(SOME);
        during(web, answered);
        answered.wait_for(SOME);
    });
    assert_eq!(load.contents, [b"hello\n".to_vec()].into());
    load.answers
}

#[test]
fn an_answer_under_way_is_finished_before_the_end() {
    const SIZE: usize = 8 << 20;
    for model in MODELS {
        let place = Place::new();
        place.write("www/large.bin", vec![b'x'; SIZE]);
        let mut web = place.serve(&["--model", model, "--workers", "2"]);
        let mut stream = connect(web.address());
        stream
            .write_all(b"GET /large.bin HTTP/1.1\r\nHost: a\r\n\r\n")
            .unwrap();
        let mut first = [0; 1000];
        stream.read_exact(&mut first).unwrap();
        web.signal(Signal::TERM);
        web.told("STOPPING=1");
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap();
        let head = first.windows(4).position(|part| part == b"\r\n\r\n");
        let content = first.len() - head.unwrap() - 4 + rest.len();
        assert_eq!(content, SIZE, "{model}");
        let process = web.process.take().unwrap();
        process.succeed(LIMIT).unwrap();
    }
}

#[test]
fn a_wrong_file_changes_nothing_and_a_right_one_everything() {
    for model in ["events", "processes"] {
        let place = Place::new();
        place.write("other/a.txt", "other\n");
        let start = format!("listen: 127.0.0.1:0\nmodel: {model}\nworkers: 2\nstatus: /-/status\n");
        let mut web = place.serve_file(&format!("{start}sites: [{{directory: www}}]\n"));
        for (wrong, reason) in [
            ("sites: [{directory: www, listing: maybe}]\n", "line 5"),
            ("sites: [{directory: missing}]\n", "missing"),
            ("sites: [{directory: www}]\nworkers: 3\n", "line 6"),
        ] {
            place.write("web.yaml", format!("{start}{wrong}"));
            web.signal(Signal::HUP);
            web.told("RELOADING=1");
            web.told("READY=1");
            let printed = web.printed();
            let last = printed.lines().last().unwrap();
            assert!(
                last.contains("the former configuration stays") && last.contains(reason),
                "{model}: {printed}"
            );
            expect(&web.get("/a.txt"), "200", &["hello\n"]);
        }
        // A worker that begins now has what is in force, and not what the file says.
        for pid in web.workers() {
            signal(pid, Signal::KILL).unwrap();
            await_that("another worker", || {
                let workers = web.workers();
                workers.len() == 2 && !workers.contains(&pid)
            });
            expect(&web.get("/a.txt"), "200", &["hello\n"]);
        }
        under_load(&mut web, |web, _| {
            // The clients ask for the same at both.
            fs::write(place.at("other/b.txt"), "new\n").unwrap();
            fs::write(place.at("other/a.txt"), "hello\n").unwrap();
            place.write(
                "web.yaml",
                format!("{start}sites: [{{directory: other}}]\n"),
            );
            web.signal(Signal::HUP);
            web.told("RELOADING=1");
            await_that("the other directory", || {
                (0..8).all(|_| web.get("/b.txt").contains("new\n"))
            });
        });
        web.stop();
    }
}

#[test]
fn a_log_that_moves_loses_and_splits_no_record() {
    for model in ["threads", "events", "processes"] {
        let place = Place::new();
        let log = place.at("access.log");
        let flags = ["--model", model, "--workers", "2", "--access-log"];
        let mut web = place.serve(&[&flags[..], &[super::text(&log)]].concat());
        let asked = under_load(&mut web, |web, answered| {
            for number in 0..3 {
                fs::rename(&log, place.at(&format!("access.log.{number}"))).unwrap();
                web.signal(Signal::USR1);
                await_that("the new file", || !place.read("access.log").is_empty());
                answered.wait_for(SOME);
            }
        });
        web.stop();
        let mut records = 0;
        for name in ["access.log.0", "access.log.1", "access.log.2", "access.log"] {
            let text = place.read(name);
            assert!(text.ends_with('\n'), "{model} {name}");
            for line in text.lines() {
                let is_whole = line.starts_with("127.0.0.1 - - [")
                    && line.ends_with("] \"GET /a.txt HTTP/1.1\" 200 6 \"-\" \"-\"");
                assert!(is_whole, "{model} {name}: {line}");
                records += 1;
            }
        }
        assert_eq!(records, asked, "{model}");
    }
}

#[test]
fn another_program_takes_over_without_a_failed_request() {
    for model in MODELS {
        let place = Place::new();
        let mut web = place.serve(&["--model", model, "--workers", "2"]);
        let first = web.pid;
        under_load(&mut web, |web, answered| {
            web.upgrade();
            answered.wait_for(SOME);
        });
        assert_ne!(web.pid, first);
        assert_eq!(web.addresses().len(), 2);
        assert_eq!(web.addresses()[0], web.addresses()[1]);
        web.stop_heir();
    }
}

#[test]
fn a_program_that_cannot_take_over_leaves_the_one_before() {
    for model in ["events", "processes"] {
        let place = Place::new();
        let text = format!("listen: 127.0.0.1:0\nmodel: {model}\nsites: [{{directory: www}}]\n");
        let mut web = place.serve_file(&text);
        under_load(&mut web, |web, _| {
            place.write("web.yaml", "sites: 3\n");
            web.signal(Signal::USR2);
            await_that("the failure", || web.printed().contains("this one stays"));
        });
        assert!(web.printed().contains("web.yaml: line 1"));
        web.stop();
    }
}

/// One that takes over and has not said that it serves would be left alone, with the
/// listeners.
#[test]
fn an_end_is_the_end_of_a_program_that_was_to_take_over() {
    for model in ["events", "processes"] {
        let place = Place::new();
        let text = format!(
            "listen: 127.0.0.1:0\nmodel: {model}\nworkers: 1\nsites: [{{directory: www}}]\n"
        );
        let web = place.serve_file(&text);
        // Whoever reads the file waits for somebody to write it.
        fs::remove_file(place.at("web.yaml")).unwrap();
        let made = Command::new("mkfifo").arg(place.at("web.yaml")).status();
        assert!(made.unwrap().success());
        let before = children(web.pid);
        web.signal(Signal::USR2);
        let mut heir = None;
        await_that("the program that is to take over", || {
            heir = children(web.pid)
                .into_iter()
                .find(|pid| !before.contains(pid));
            heir.is_some()
        });
        await_that("the start to be told", || {
            web.printed().contains("an upgrade is under way")
        });
        web.signal(Signal::USR2);
        await_that("the second order to be answered", || {
            web.printed().contains("no second upgrade begins")
        });
        web.stop();
        let left = format!("/proc/{}", heir.unwrap());
        assert!(!Path::new(&left).exists(), "{model}: it is still there");
    }
}

/// The processes that `pid` has started.
fn children(pid: u32) -> Vec<u32> {
    let path = format!("/proc/{pid}/task/{pid}/children");
    let text = fs::read_to_string(path).unwrap();
    text.split_whitespace()
        .map(|child| child.parse().unwrap())
        .collect()
}

#[test]
fn a_killed_worker_is_replaced() {
    let place = Place::new();
    let mut web = place.serve_file(
        "listen: 127.0.0.1:0\nmodel: processes\nworkers: 2\nstatus: /-/status\n\
         sites: [{directory: www}]\n",
    );
    let before = web.workers();
    assert_eq!(before.len(), 2);
    let responses = |page: &str| {
        let (_, rest) = page.split_once("\nresponses: ").unwrap();
        rest.split('\n').next().unwrap().parse::<u64>().unwrap()
    };
    for _ in 0..50 {
        web.get("/a.txt");
    }
    await_that("what was done on the board", || {
        responses(&web.get("/-/status")) >= 50
    });
    let counted = responses(&web.get("/-/status"));
    for pid in &before {
        signal(*pid, Signal::KILL).unwrap();
        await_that("another worker", || {
            let workers = web.workers();
            workers.len() == 2 && !workers.contains(pid)
        });
    }
    assert!(web.workers().iter().all(|pid| !before.contains(pid)));
    // What the dead did still counts, but for what they had not told yet.
    assert!(responses(&web.get("/-/status")) + 20 >= counted);
    under_load(&mut web, |_, _| {});
    assert!(web.printed().contains("a worker died and is replaced"));
    web.stop();
}

#[test]
fn workers_are_replaced_after_their_share() {
    let place = Place::new();
    let mut web = place.serve_file(
        "listen: 127.0.0.1:0\nmodel: processes\nworkers: 2\nstatus: /-/status\n\
         processes: {requests: 300}\nsites: [{directory: www}]\n",
    );
    let before = web.workers();
    under_load(&mut web, |web, _| {
        await_that("other workers", || {
            let workers = web.workers();
            workers.iter().all(|pid| !before.contains(pid))
        });
    });
    web.stop();
}

/// As systemd starts it: a listener is descriptor 3, and the environment says so.
#[test]
fn a_listener_that_is_given_is_used() {
    for model in MODELS {
        let place = Place::new();
        let given = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = given.local_addr().unwrap();
        let script = "exec 3<&0 </dev/null; \
                      LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=web exec \"$0\" \"$@\"";
        let mut command = Command::new("sh");
        command.args(["-c", script]).arg(binary());
        command.arg("web").arg(place.at("www"));
        // Not where it is told to listen, but where it is given to.
        command.args(["--listen", "127.0.0.1:1", "--model", model]);
        command.args(["--workers", "2"]);
        let mut web = place.start_with(command, Stdio::from(OwnedFd::from(given)));
        assert_eq!(web.addresses(), [address]);
        under_load(&mut web, |web, _| web.upgrade());
        assert_eq!(web.addresses(), [address, address]);
        web.stop_heir();
    }
}
