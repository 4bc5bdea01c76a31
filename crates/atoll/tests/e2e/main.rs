//! The binary as a user runs it: real processes, real folders, real sockets.
//!
//! Run by `cargo xtask test` on the release build; what single parts do is
//! tested beside their code. [`follow`]: two folders and a node, edited and
//! killed. [`shapes`]: trees that change shape. [`share`]: `atoll up` and joining. [`keep`]: conflicts, old versions
//! and damage. [`guard`]: what is refused, left alone, and how that is said. [`web`]:
//! the web server, its signals and its workers. [`echo`]: the models, as a program.
//! [`lan`]: a node that other machines reach, and its certificate. [`told`]: what a
//! node is told while it runs. [`meta`]: documents and manifests, which need no node.
//! [`load`]: the load generator, against the web server. [`metrics`]: the commands for
//! samples, against a server that says what a test wants. [`samples`]: a node that keeps them.

mod echo;
mod follow;
mod guard;
mod keep;
mod lan;
mod load;
mod meta;
mod metrics;
mod samples;
mod shapes;
mod share;
mod told;
mod web;

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

/// The binary under test.
fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_atoll"))
}

/// What waiting for anything may take on a slow machine.
const LIMIT: Duration = Duration::from_secs(60);

/// Runs `atoll` to its end. No setting of the caller's environment reaches it.
fn atoll<S: AsRef<OsStr>>(arguments: &[S]) -> Output {
    let mut command = Command::new(binary());
    for name in [
        "ATOLL_SERVER",
        "ATOLL_FINGERPRINT",
        "ATOLL_TOKEN",
        "ATOLL_DATA",
    ] {
        command.env_remove(name);
    }
    command.args(arguments).output().expect("the binary runs")
}

/// What a successful `atoll` printed.
fn printed<S: AsRef<OsStr>>(arguments: &[S]) -> String {
    let output = atoll(arguments);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Expects exit code `code` and `part` in what was said about it.
fn refused<S: AsRef<OsStr>>(arguments: &[S], code: i32, part: &str) {
    let output = atoll(arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    assert!(said.contains(part), "`{part}` is not in: {said}");
}

/// Waits until `condition` holds.
fn await_that(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < LIMIT, "not in {LIMIT:?}: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
