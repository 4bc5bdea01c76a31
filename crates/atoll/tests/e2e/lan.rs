//! A node that other machines reach: encrypted, and known by its certificate.

use crate::share::Up;
use crate::{LIMIT, atoll, await_that, binary, printed, refused};
use harness::process::Process;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The words of a printed join line, behind `sync ./SPACE`, for this machine: its
/// own address out of those that the node listens at.
fn join_words(join: &str, port: &str) -> Vec<String> {
    let words = join.split(' ').skip(3);
    words
        .map(|word| match word.strip_prefix("https://") {
            Some(_) => format!("https://127.0.0.1:{port}"),
            None => word.to_owned(),
        })
        .collect()
}

fn port(url: &str) -> &str {
    url.rsplit(':').next().unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A folder that has joined by the printed line, and the address it joined.
struct Joined {
    top: tempfile::TempDir,
    up: Up,
    folder: PathBuf,
}

impl Joined {
    fn start() -> Self {
        let top = tempfile::tempdir().unwrap();
        let up = Up::start_with(top.path(), "node", "shared", &["--listen", "0.0.0.0:0"]);
        fs::write(top.path().join("shared/first"), "from the node's folder").unwrap();
        let folder = top.path().join("joined");
        let words = join_words(up.text("join"), port(up.text("url")));
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        printed(&[&["sync", text(&folder), "--once"], &words[..]].concat());
        Self { top, up, folder }
    }

    fn data(&self) -> PathBuf {
        self.top.path().join("node")
    }
}

#[test]
fn the_printed_line_joins_safely_and_is_needed_once() {
    let site = Joined::start();
    let (url, fingerprint) = (site.up.text("url"), site.up.text("fingerprint"));
    assert!(url.starts_with("https://"), "{url}");
    assert!(fingerprint.starts_with("sha256:"), "{fingerprint}");
    assert!(site.up.text("link").starts_with(&format!("{url}/link#")));
    let join = site.up.text("join");
    assert!(
        join.contains(&format!("--server {url} --fingerprint {fingerprint} ")),
        "{join}"
    );

    // Without a flag: the folder knows the address and the certificate.
    let mut command = Command::new(binary());
    command.arg("sync").arg(&site.folder);
    let log = site.top.path().join("client.log");
    let client = Process::start("client", &mut command, &log).unwrap();
    let shared = site.top.path().join("shared");
    await_that("the first file to arrive", || {
        fs::read(site.folder.join("first")).is_ok_and(|text| text == b"from the node's folder")
    });
    let large = vec![7; 3 << 20];
    fs::write(site.folder.join("large"), &large).unwrap();
    await_that("a large file to arrive at the node's folder", || {
        fs::read(shared.join("large")).is_ok_and(|bytes| bytes == large)
    });
    drop(client);

    // Commands on the same machine find both in the data directory.
    let data = site.data();
    let status = printed(&["status", "--data", text(&data)]);
    assert!(status.contains("at https://127.0.0.1:"), "{status}");
    let invite = printed(&["invite", "--data", text(&data), "--space", "shared"]);
    assert!(
        invite.contains(&format!("--fingerprint {fingerprint}")),
        "{invite}"
    );
    let other = site.top.path().join("other");
    let second = printed(&["up", text(&other), "--data", text(&data), "--json"]);
    let second: serde_json::Value = serde_json::from_str(&second).unwrap();
    assert_eq!(second["fingerprint"], fingerprint);
    let history = printed(&["history", text(&site.folder.join("large")), "--json"]);
    assert!(history.contains("large"), "{history}");
}

#[test]
fn another_certificate_is_refused_until_the_folder_joins_again() {
    let site = Joined::start();
    let port = port(site.up.text("url")).to_owned();
    let known = site.up.text("fingerprint").to_owned();
    site.up.process.stop(LIMIT).unwrap();
    fs::remove_file(site.top.path().join("node/tls.pem")).unwrap();
    let listen = format!("0.0.0.0:{port}");
    let up = Up::start_with(site.top.path(), "node", "shared", &["--listen", &listen]);
    let new = up.text("fingerprint");
    assert_ne!(new, known);

    fs::write(site.folder.join("mine"), "mine").unwrap();
    let once = ["sync", text(&site.folder), "--once"];
    refused(&once, 1, &format!("expected {known}, got {new}"));
    refused(
        &once,
        1,
        "join again with the line that `atoll invite` prints",
    );
    // Not even who watches waits for it: this is no node that is away.
    refused(&["sync", text(&site.folder)], 1, &known);
    // A fingerprint alone does not bring the kept token to another.
    refused(
        &[&once[..], &["--fingerprint", new]].concat(),
        1,
        "its token is not sent",
    );
    assert!(!site.top.path().join("shared/mine").exists());

    let words = join_words(up.text("join"), &port);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    printed(&[&once[..], &words[..]].concat());
    printed(&once);
    await_that("what was made meanwhile", || {
        site.top.path().join("shared/mine").exists()
    });
}

#[test]
fn who_is_not_vouched_for_is_not_believed() {
    let site = Joined::start();
    let port = port(site.up.text("url")).to_owned();
    let folder = site.top.path().join("third");
    let token = site.up.text("token");
    let join = |server: &str, options: &[&str], part: &str| {
        let words = ["sync", text(&folder), "--once", "--server", server];
        let words = [
            &words[..],
            &["--space", "shared", "--token", token],
            options,
        ]
        .concat();
        refused(&words, 1, part);
    };
    let there = format!("https://127.0.0.1:{port}");
    join(&there, &[], "its certificate is not vouched for");
    let other = format!("sha256:{}", "0".repeat(64));
    join(
        &there,
        &["--fingerprint", &other],
        &format!("expected {other}"),
    );
    let plain = format!("http://127.0.0.1:{port}");
    join(&plain, &["--fingerprint", &other], "is not encrypted");
    // The downgrade of a folder that has joined is a move elsewhere.
    let words = ["sync", text(&site.folder), "--once", "--server", &plain];
    refused(&words, 1, "its token is not sent");
}

#[test]
fn plain_stays_plain_and_files_show_their_certificate() {
    let top = tempfile::tempdir().unwrap();
    let start = |data: &str, options: &[&str]| {
        let folder = format!("{data}-folder");
        Up::start_with(top.path(), data, &folder, options)
    };
    let plain = start("plain", &["--listen", "0.0.0.0:0", "--plain"]);
    assert!(plain.text("url").starts_with("http://"), "{}", plain.line);
    assert!(plain.line["fingerprint"].is_null(), "{}", plain.line);
    assert!(!plain.text("join").contains("--fingerprint"));
    assert!(!top.path().join("plain/tls.pem").exists());
    let tls = format!("https://127.0.0.1:{}", port(plain.text("url")));
    let folder = top.path().join("folder");
    let words = [
        "sync",
        text(&folder),
        "--once",
        "--server",
        &tls,
        "--token",
        "join_1",
    ];
    refused(
        &[&words[..], &["--space", "plain-folder"]].concat(),
        1,
        "does not speak TLS",
    );

    let first = start("first", &["--listen", "0.0.0.0:0"]);
    let pem = top.path().join("first/tls.pem");
    let files = ["--tls-cert", text(&pem), "--tls-key", text(&pem)];
    let second = start(
        "second",
        &[&["--listen", "127.0.0.1:0"], &files[..]].concat(),
    );
    assert!(
        second.text("url").starts_with("https://127.0.0.1:"),
        "{}",
        second.line
    );
    assert_eq!(second.text("fingerprint"), first.text("fingerprint"));
    let alone = atoll(&["serve", "--tls-cert", text(&pem)]);
    assert_eq!(alone.status.code(), Some(2), "{alone:?}");
}
