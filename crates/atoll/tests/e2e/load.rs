//! `atoll load` against `atoll web`, and against nobody.

use crate::web::Place;
use crate::{atoll, printed, refused};
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::Output;
use std::thread;

/// What `atoll load URL --json` measured, and its exit code.
fn measured(url: &str, flags: &[&str]) -> (Value, Option<i32>) {
    let Output { stdout, status, .. } = atoll(&[&["load", url, "--json"], flags].concat());
    (serde_json::from_slice(&stdout).unwrap(), status.code())
}

#[test]
fn a_web_server_is_asked_in_closed_and_open_loops() {
    let place = Place::new();
    let web = place.serve(&[]);
    let url = format!("http://{}/a.txt", web.address());
    let words = ["load", &url, "--clients", "4", "--requests", "200"];
    let told = printed(&words);
    for part in [
        "200 succeeded, 100.00 %\n",
        "  200 answered 200\n",
        "p99.9",
        "█",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let closed: &[&str] = &["--requests", "100", "--threads", "2", "--no-keep-alive"];
    let open = &["--rate", "1000", "--duration", "100ms"];
    for flags in [closed, open] {
        let (found, code) = measured(&url, flags);
        let counts = [
            "requests",
            "answered",
            "succeeded",
            "failed",
            "content_bytes",
        ];
        let counts = counts.map(|key| found[key].as_u64().unwrap());
        assert_eq!(
            (counts, code),
            ([100, 100, 100, 0, 600], Some(0)),
            "{found}"
        );
        assert_eq!(found["statuses"]["200"], 100);
        let times = ["min", "p50", "p90", "p99", "p99_9", "max"];
        let times = times.map(|key| found["latency_us"][key].as_f64().unwrap());
        assert!(times[0] > 0.0 && times.is_sorted(), "{times:?}");
    }
}

#[test]
fn what_failed_is_told_and_is_the_exit_code() {
    let place = Place::new();
    let web = place.serve(&[]);
    let url = format!("http://{}/none", web.address());
    refused(
        &["load", &url, "--requests", "5"],
        1,
        "5 of 5 requests failed: 5 answered 404",
    );
    let (found, code) = measured(&url, &["--requests", "5"]);
    assert_eq!((&found["statuses"]["404"], code), (&5.into(), Some(1)));
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = format!("http://{}/", free.local_addr().unwrap());
    drop(free);
    let (found, code) = measured(&nobody, &["--requests", "5"]);
    let failed = &found["failures"]["refused"];
    assert_eq!((&failed["count"], code), (&5.into(), Some(1)));
    assert!(failed["example"].as_str().unwrap().contains("refused"));
}

/// Answers the requests of one connection until that ends, and gives their bodies.
fn bodies_of_a_connection(listener: &TcpListener) -> Vec<String> {
    let (mut stream, _) = listener.accept().unwrap();
    let mut input = BufReader::new(stream.try_clone().unwrap());
    let (mut bodies, mut length, mut line) = (Vec::new(), 0, String::new());
    while input.read_line(&mut line).unwrap() > 0 {
        if let Some(text) = line.strip_prefix("content-length: ") {
            length = text.trim_end().parse().unwrap();
        }
        if line == "\r\n" {
            let mut body = vec![0; length];
            input.read_exact(&mut body).unwrap();
            bodies.push(String::from_utf8(body).unwrap());
            let answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
            stream.write_all(answer.as_bytes()).unwrap();
        }
        line.clear();
    }
    bodies
}

#[test]
fn the_files_of_a_folder_are_sent_once_in_the_order_of_their_names() {
    let top = tempfile::tempdir().unwrap();
    let (folder, single) = (top.path().join("bodies"), top.path().join("single"));
    fs::create_dir_all(folder.join("1 inner")).unwrap();
    for name in ["9", "0", "10"] {
        fs::write(folder.join(name), format!("body {name}")).unwrap();
    }
    fs::write(&single, "the last").unwrap();
    let (folder, single) = (folder.to_str().unwrap(), single.to_str().unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let served = thread::spawn(move || bodies_of_a_connection(&listener));
    let flags = [
        "--once",
        "--clients",
        "1",
        "--body",
        folder,
        "--body",
        single,
    ];
    let (found, code) = measured(&url, &flags);
    assert_eq!((&found["succeeded"], code), (&4.into(), Some(0)), "{found}");
    assert_eq!(
        (&found["once"], &found["planned_requests"]),
        (&true.into(), &4.into())
    );
    let bodies = served.join().unwrap();
    assert_eq!(bodies, ["body 0", "body 10", "body 9", "the last"]);
    let inner = format!("{folder}/1 inner");
    refused(
        &["load", &url, "--once", "--body", &inner],
        1,
        "has no file",
    );
}

#[test]
fn an_encrypted_server_is_believed_by_its_fingerprint() {
    let place = Place::new();
    let own = format!("--tls-self-signed={}", place.at("own.pem").display());
    let web = place.serve(&[&own]);
    let printed = web.printed();
    let fingerprint = printed.split("the certificate is ").nth(1).unwrap();
    let fingerprint = fingerprint.lines().next().unwrap();
    let url = format!("https://{}/a.txt", web.address());
    let believed = ["--requests", "20", "--fingerprint", fingerprint];
    let (found, code) = measured(&url, &believed);
    assert_eq!(
        (&found["succeeded"], code),
        (&20.into(), Some(0)),
        "{found}"
    );
    let other = format!("sha256:{}", "0".repeat(64));
    let words = ["load", &url, "--requests", "5", "--fingerprint", &other];
    refused(&words, 1, &format!("expected {other}, got {fingerprint}"));
    let (found, code) = measured(&url, &["--requests", "5"]);
    let failed = &found["failures"]["untrusted"]["count"];
    assert_eq!((failed, code), (&5.into(), Some(1)), "{found}");
}

#[test]
fn what_cannot_be_meant_is_wrong_usage() {
    let url = "http://127.0.0.1:1/";
    for (flags, part) in [
        (&["--clients", "0"][..], "--clients"),
        (&["--rate", "none"], "requests a second"),
        (
            &["--duration", "1s", "--requests", "1"],
            "cannot be used with",
        ),
        (&["--header", "Content-Length: 1"], "leave it out"),
        (&["--header", "none"], "no field"),
        (&["--body", "-", "--body", "-"], "name `-` once"),
        (&["--once"], "--body"),
        (
            &["--once", "--body", "-", "--requests", "1"],
            "cannot be used with",
        ),
        (
            &["--once", "--body", "-", "--duration", "1s"],
            "cannot be used with",
        ),
    ] {
        refused(&[&["load", url], flags].concat(), 2, part);
    }
    refused(&["load", "ftp://a/"], 2, "no URL");
}
