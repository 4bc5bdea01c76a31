//! What `atoll web` does not even begin with, and how it says so: 2 for what cannot
//! be meant, 1 for what cannot be done.

use super::{Place, text};
use crate::{binary, printed, refused};
use std::net::TcpListener;
use std::process::Command;

#[test]
fn wrong_flags_are_named() {
    let place = Place::new();
    let www = place.at("www");
    let web = |flags: &[&str], code, part| {
        let words = ["web", text(&www), "--listen", "127.0.0.1:0"];
        refused(&[&words[..], flags].concat(), code, part);
    };
    web(&["--model", "fibers"], 2, "[possible values: sequential");
    web(&["--balance", "none"], 2, "least-loaded");
    web(&["--listen", "here"], 2, "such as 127.0.0.1:8080");
    web(&["--recycle-memory", "5"], 1, "at least 32 MiB");
    web(&["--workers", "999999999999"], 2, "1..=1024");
    web(&["--limit", "often"], 2, "100 per 1m");
    web(&["--recycle-memory", "much"], 2, "256 MiB");
    web(&["--recycle-age", "old"], 2, "1d");
    web(&["--config", "web.yaml"], 2, "cannot be used with");
    web(&["--workers", "0"], 2, "1..=1024");
    web(&["--min-workers", "0"], 2, "1..=1024");
    web(&["--min-workers", "3", "--workers", "2"], 1, "at least 3");
    web(
        &["--model", "processes", "--workers", "129"],
        1,
        "at most 128",
    );
    web(&["--error-page", "404"], 2, "404=/404.html");
    refused(&["web"], 2, "DIR");
    let missing = place.at("missing");
    refused(&["web", text(&missing)], 1, "missing");
    let file = place.at("www/a.txt");
    refused(&["web", text(&file)], 1, "not a directory");
}

#[test]
fn too_few_files_are_named() {
    let place = Place::new();
    let atoll = text(binary());
    let www = text(&place.at("www")).to_owned();
    let data = text(&place.at("data")).to_owned();
    for words in [
        format!("serve --data {data} --listen 127.0.0.1:0"),
        format!("web {www} --listen 127.0.0.1:0"),
        format!("web {www} --listen 127.0.0.1:0 --model processes"),
        "echo --listen 127.0.0.1:0".to_owned(),
    ] {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("ulimit -n 12; exec {atoll} {words}")]);
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{words}: {said}");
        assert!(said.contains("no more than 12 files may be open"), "{said}");
    }
}

#[test]
fn a_wrong_file_is_named_with_line_and_reason() {
    let place = Place::new();
    let file = place.at("web.yaml");
    for (content, line, part) in [
        ("sites: []\n", 1, "no site"),
        ("sites:\n- folder: www\n", 2, "folder"),
        (
            "sites:\n- directory: www\n  listing: maybe\n",
            3,
            "true or false",
        ),
        (
            "listen: [127.0.0.1:0, here]\nsites: [{directory: www}]\n",
            1,
            "here",
        ),
        (
            "listen: 8080\nsites: [{directory: www}]\n",
            1,
            "such as 127.0.0.1:8080",
        ),
        ("listen: []\nsites: [{directory: www}]\n", 1, "0 addresses"),
        (
            "model: processes\nworkers: 2\nprocesses: {minimum: 3}\nsites: [{directory: www}]\n",
            3,
            "at least 3",
        ),
        (
            "processes:\n  memory: lots\nsites: [{directory: www}]\n",
            2,
            "256 MiB",
        ),
        (
            "limits:\n- {prefix: /a, limit: 1 per 1s}\n- {prefix: /a, limit: none}\n\
             sites: [{directory: www}]\n",
            3,
            "two limits",
        ),
        (
            "limits: [{prefix: api, limit: 1 per 1s}]\nsites: [{directory: www}]\n",
            1,
            "whole segments",
        ),
    ] {
        place.write("web.yaml", content);
        for options in [&["--check"][..], &[]] {
            let words = ["web", "--config", text(&file)];
            let words = [&words[..], options].concat();
            refused(&words, 1, &format!("web.yaml: line {line}: "));
            refused(&words, 1, part);
        }
    }
    place.write("web.yaml", "sites: [{directory: www}]\n");
    refused(
        &["web", text(&place.at("missing")), "--check"],
        1,
        "missing",
    );
    let ok = printed(&["web", "--config", text(&file), "--check"]);
    assert!(ok.contains("web.yaml: ok"), "{ok}");
}

#[test]
fn a_key_is_not_served() {
    let place = Place::new();
    let file = place.at("web.yaml");
    let say = |pem: &str, directory: &str| {
        let listen = "listen: 127.0.0.1:0";
        let text =
            format!("{listen}\ntls: {{self-signed: {pem}}}\nsites: [{{directory: {directory}}}]\n");
        place.write("web.yaml", text);
    };
    let check = ["web", "--config", text(&file), "--check"];
    say("own.pem", "www");
    place.serve_file(&place.read("web.yaml")).stop();
    assert!(printed(&check).contains("web.yaml: ok"));
    // By whatever way the directory is reached.
    for directory in [".", "www/.."] {
        say("own.pem", directory);
        refused(&check, 1, "own.pem lies in");
        refused(&check[..3], 1, "move it elsewhere");
    }
}

#[test]
fn what_is_given_must_listen() {
    let place = Place::new();
    let script = "LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=web exec \"$0\" \"$@\" 3</dev/null";
    let output = Command::new("sh")
        .args(["-c", script])
        .arg(binary())
        .arg("web")
        .arg(place.at("www"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("descriptor 3 (\"web\")"), "{said}");
    assert!(said.contains("ListenStream"), "{said}");
}

#[test]
fn what_cannot_be_opened_is_told_once_by_every_model() {
    let place = Place::new();
    let www = place.at("www");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    for model in ["sequential", "threads", "events", "processes"] {
        let words = ["web", text(&www), "--model", model, "--workers", "2"];
        let listen = ["--listen", &taken];
        refused(
            &[&words[..], &listen].concat(),
            1,
            "another program listens there",
        );
        let log = place.at("missing/access.log");
        let options = ["--listen", "127.0.0.1:0", "--access-log", text(&log)];
        refused(&[&words[..], &options].concat(), 1, "cannot open the log");
    }
}
