//! What a node is told while it runs, by its files and SIGHUP: limits and the
//! certificate.

use crate::share::Up;
use crate::{LIMIT, await_that, binary, printed, refused};
use harness::process::{Process, Signal, signal};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A node and what it is told by.
struct Node {
    top: tempfile::TempDir,
    up: Up,
}

impl Node {
    fn start(options: &[&str]) -> Self {
        let top = tempfile::tempdir().unwrap();
        let up = Up::start_with(top.path(), "node", "shared", options);
        Self { top, up }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.top.path().join(name)
    }

    fn admin(&self) -> String {
        fs::read_to_string(self.path("node/admin-token")).unwrap()
    }

    fn hang_up(&self) {
        signal(self.up.process.id(), Signal::HUP).unwrap();
    }

    /// Waits until the node's log has `part`.
    fn said(&self, part: &str) {
        let log = self.path("node.log");
        await_that(part, || {
            fs::read_to_string(&log).is_ok_and(|text| text.contains(part))
        });
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// What the administrator is answered who reads.
fn status(node: &Node) -> u16 {
    let url = format!("{}/api/spaces", node.up.text("url"));
    let request = ureq::get(url).header("authorization", format!("Bearer {}", node.admin()));
    let request = request.config().http_status_as_error(false).build();
    request.call().unwrap().status().as_u16()
}

#[test]
fn limits_change_while_the_node_runs_and_wrong_ones_change_nothing() {
    let node = Node::start(&["--listen", "127.0.0.1:0"]);
    let config = node.path("node/atoll.yaml");
    assert_eq!(status(&node), 200);
    fs::write(&config, "limits:\n  devices: {read: 1 per 1d}\n").unwrap();
    node.hang_up();
    await_that("the new limit", || status(&node) == 429);

    fs::write(&config, "limits:\n  devices: {read: none}\n  all: none\n").unwrap();
    node.hang_up();
    node.said("the former configuration stays");
    node.said("atoll.yaml: line 3: there is no key `all`");
    assert_eq!(status(&node), 429);

    fs::write(
        &config,
        "metrics:\n  series: 9\n  acknowledge: write\n  live_copy: true\n",
    )
    .unwrap();
    node.hang_up();
    node.said("the next start on, and not before: metrics.acknowledge, metrics.live_copy");

    fs::remove_file(&config).unwrap();
    node.hang_up();
    await_that("no limit but the usual", || status(&node) == 200);
    node.up.process.stop(LIMIT).unwrap();
}

#[test]
fn a_wrong_configuration_is_named_before_anything_is_made() {
    let top = tempfile::tempdir().unwrap();
    let (data, config) = (top.path().join("data"), top.path().join("other.yaml"));
    let words = ["serve", "--data", text(&data), "--config", text(&config)];
    refused(&words, 1, "cannot read the configuration");
    fs::write(&config, "limits:\n  addresses:\n    reed: none\n").unwrap();
    refused(&words, 1, "other.yaml: line 3: \"reed\" is none of");
    assert!(!data.exists());
}

/// The fingerprint that stands in a line to join by.
fn told_to_join(node: &Node) -> String {
    let data = node.path("node");
    let invite = printed(&["invite", "--data", text(&data), "--space", "shared"]);
    let mut words = invite.split_whitespace();
    words.find(|word| *word == "--fingerprint").unwrap();
    words.next().unwrap().to_owned()
}

#[test]
fn another_certificate_is_shown_once_it_is_told() {
    let beyond = ["--listen", "0.0.0.0:0"];
    let (node, other) = (Node::start(&beyond), Node::start(&beyond));
    let first = node.up.text("fingerprint");
    let second = other.up.text("fingerprint");
    let (_, port) = node.up.text("url").rsplit_once(':').unwrap();
    let url = format!("https://127.0.0.1:{port}");
    let admin = node.admin();
    let shows = |fingerprint: &str| {
        let words = ["status", "--server", &url, "--fingerprint", fingerprint];
        let done = crate::atoll(&[&words[..], &["--token", &admin]].concat());
        done.status.success()
    };
    assert!(shows(first));

    let pem = node.path("node/tls.pem");
    fs::write(&pem, "nothing\n").unwrap();
    node.hang_up();
    node.said("tls.pem has no");
    fs::remove_file(&pem).unwrap();
    node.hang_up();
    node.said("cannot read the certificate");
    assert!(!pem.exists(), "clients know another one");
    assert!(shows(first) && !shows(second));
    assert_eq!(told_to_join(&node), first);

    fs::copy(other.path("node/tls.pem"), &pem).unwrap();
    node.hang_up();
    await_that("the other certificate", || shows(second));
    assert!(!shows(first));
    assert_eq!(told_to_join(&node), second);

    // The node's own folder goes on, with whoever joins now.
    let joined = node.path("joined");
    let token = node.up.text("token");
    let mut command = Command::new(binary());
    command.args(["sync", text(&joined), "--space", "shared"]);
    command.args(["--server", &url, "--fingerprint", second, "--token", token]);
    let client = Process::start("client", &mut command, &node.path("client.log")).unwrap();
    fs::write(node.path("shared/late"), "after it").unwrap();
    await_that("what was made after it", || {
        fs::read(joined.join("late")).is_ok_and(|text| text == b"after it")
    });
    drop(client);
    // Commands in the folder ask who shows it.
    printed(&["history", text(&node.path("shared/late"))]);
    node.up.process.stop(LIMIT).unwrap();
}

/// A terminal, from both sides: the one whose end is its own, and what a program at it
/// has.
pub fn terminal() -> (OwnedFd, File) {
    let window = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&window).unwrap();
    unlockpt(&window).unwrap();
    let name = ptsname(&window, Vec::new()).unwrap();
    // Whoever leads no session gets no terminal by opening it; a test leads none.
    let mut both = File::options();
    let inside = both
        .read(true)
        .write(true)
        .open(name.to_str().unwrap())
        .unwrap();
    (window, inside)
}

#[test]
fn a_node_ends_with_its_terminal() {
    let top = tempfile::tempdir().unwrap();
    let (window, inside) = terminal();
    let mut command = Command::new(binary());
    command.args(["serve", "--listen", "127.0.0.1:0", "--log-level", "info"]);
    command.arg("--data").arg(top.path().join("data"));
    let log = top.path().join("log");
    let node = Process::start_with("node", &mut command, inside.into(), &log).unwrap();
    let said = |part: &str| fs::read_to_string(&log).is_ok_and(|text| text.contains(part));
    await_that("the node", || said("listens on"));
    signal(node.id(), Signal::HUP).unwrap();
    await_that("what it is told", || said("read anew"));
    drop(window);
    signal(node.id(), Signal::HUP).unwrap();
    node.succeed(LIMIT).unwrap();
}
