//! A web server as a program starts it: what it answers, limits, logs and reloads.

use httpd::limit::Limit;
use httpd::log::{Format, Target};
use httpd::web::{AccessLog, Config, Server, SiteConfig, WebError};
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

/// A server of `folder` with one worker on a free port.
fn config(folder: &TempDir) -> Config {
    fs::write(folder.path().join("a.txt"), "hello\n").unwrap();
    Config {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        workers: 1,
        sites: vec![SiteConfig::new(folder.path())],
        ..Config::default()
    }
}

/// Sends `request`, whose connection ends with it, and gives all that comes back.
fn ask(server: &Server, request: &str) -> String {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    // Only against a test that would hang.
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn get(server: &Server, host: &str, target: &str) -> String {
    ask(
        server,
        &format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"),
    )
}

fn stop(server: Server) {
    server.drain();
    server.wait().unwrap();
}

#[track_caller]
fn expect(answer: &str, status: &str, content: &str) {
    assert!(
        answer.starts_with(&format!("HTTP/1.1 {status} ")),
        "{answer}"
    );
    assert!(answer.ends_with(content), "{answer}");
}

#[test]
fn each_host_has_its_site_and_the_first_has_the_rest() {
    let (first, second) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let mut config = config(&first);
    fs::write(second.path().join("a.txt"), "second\n").unwrap();
    config.sites.push(SiteConfig {
        hosts: vec!["b.example".to_owned()],
        ..SiteConfig::new(second.path())
    });
    let server = Server::start(config).unwrap();
    for (host, expected) in [
        ("a.example", "hello\n"),
        ("b.example", "second\n"),
        ("B.Example:8080", "second\n"),
        ("", "hello\n"),
    ] {
        expect(&get(&server, host, "/a.txt"), "200", expected);
    }
    stop(server);
}

#[test]
fn who_asks_too_often_is_told_when_to_come_back() {
    let folder = TempDir::new().unwrap();
    let limit = Limit::Window {
        count: 2,
        period: Duration::from_secs(3600),
    };
    let server = Server::start(Config {
        limit: Some(limit),
        ..config(&folder)
    })
    .unwrap();
    for _ in 0..2 {
        expect(&get(&server, "a", "/a.txt"), "200", "hello\n");
    }
    let answer = get(&server, "a", "/a.txt");
    expect(&answer, "429", "Too Many Requests\n");
    assert!(answer.contains("\r\nretry-after: "), "{answer}");
    assert!(
        answer.contains("\r\nratelimit-policy: \"web\";q=2;w=3600"),
        "{answer}"
    );
    stop(server);
}

#[test]
fn the_access_log_has_one_line_per_response_and_moves_to_a_new_file() {
    let folder = TempDir::new().unwrap();
    let logs = TempDir::new().unwrap();
    let path = logs.path().join("access.log");
    let large = vec![b'x'; 3 << 20];
    fs::write(folder.path().join("large.bin"), &large).unwrap();
    let server = Server::start(Config {
        access_log: Some(AccessLog {
            target: Target::File(path.clone()),
            format: Format::Combined,
        }),
        ..config(&folder)
    })
    .unwrap();
    get(&server, "a", "/a.txt");
    get(&server, "a", "/none?q=1");
    ask(&server, "GET /a.txt HTTP/1.1\r\n\r\n");
    // What was not handed over yet goes to whichever file is open.
    let moved = logs.path().join("access.log.1");
    fs::rename(&path, &moved).unwrap();
    server.reopen_logs().unwrap();
    get(&server, "a", "/large.bin");
    ask(
        &server,
        "HEAD /a.txt HTTP/1.0\r\nReferer: here\r\nUser-Agent: me\r\n\r\n",
    );
    stop(server);
    let read = |path: &Path| fs::read_to_string(path).unwrap();
    let log = read(&moved) + &read(&path);
    let lines: Vec<&str> = log
        .lines()
        .map(|line| line.split_once("] ").unwrap().1)
        .collect();
    let expected = [
        "\"GET /a.txt HTTP/1.1\" 200 6 \"-\" \"-\"",
        "\"GET /none?q=1 HTTP/1.1\" 404 10 \"-\" \"-\"",
        "\"-\" 400 ",
        "\"GET /large.bin HTTP/1.1\" 200 3145728 \"-\" \"-\"",
        "\"HEAD /a.txt HTTP/1.0\" 200 0 \"here\" \"me\"",
    ];
    assert_eq!(lines.len(), expected.len(), "{log}");
    for (line, expected) in lines.iter().zip(expected) {
        assert!(line.starts_with(expected), "{line} is not {expected}");
    }
    assert!(read(&path).contains("/large.bin"), "{log}");
}

#[test]
fn a_response_that_broke_off_is_told_with_what_was_sent() {
    let folder = TempDir::new().unwrap();
    let logs = TempDir::new().unwrap();
    let path = logs.path().join("access.log");
    fs::File::create(folder.path().join("huge.bin"))
        .unwrap()
        .set_len(1 << 30)
        .unwrap();
    let server = Server::start(Config {
        access_log: Some(AccessLog {
            target: Target::File(path.clone()),
            format: Format::Common,
        }),
        ..config(&folder)
    })
    .unwrap();
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream
        .write_all(b"GET /huge.bin HTTP/1.1\r\nHost: a\r\n\r\n")
        .unwrap();
    stream.read_exact(&mut [0; 1000]).unwrap();
    drop(stream);
    stop(server);
    let log = fs::read_to_string(path).unwrap();
    let bytes: u64 = log.trim().rsplit(' ').next().unwrap().parse().unwrap();
    assert!((1..1 << 30).contains(&bytes), "{log}");
}

#[test]
fn a_reload_takes_effect_at_the_next_request_and_a_bad_one_not_at_all() {
    let (first, second) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let config = config(&first);
    fs::write(second.path().join("a.txt"), "second\n").unwrap();
    let mut server = Server::start(config.clone()).unwrap();
    expect(&get(&server, "a", "/a.txt"), "200", "hello\n");
    let other = |directory: &Path| Config {
        sites: vec![SiteConfig::new(directory)],
        ..config.clone()
    };
    server.reload(other(second.path())).unwrap();
    expect(&get(&server, "a", "/a.txt"), "200", "second\n");
    let missing = second.path().join("missing");
    assert!(matches!(
        server.reload(other(&missing)),
        Err(WebError::Root(_))
    ));
    let workers = Config {
        workers: 2,
        ..config.clone()
    };
    assert!(matches!(server.reload(workers), Err(WebError::Fixed(_))));
    expect(&get(&server, "a", "/a.txt"), "200", "second\n");
    stop(server);
}

#[test]
fn a_port_that_is_taken_is_refused() {
    let folder = TempDir::new().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap();
    let check = |listen| {
        let error = Server::start(Config {
            listen,
            ..config(&folder)
        })
        .unwrap_err();
        let text = error.to_string();
        assert!(text.contains("another program listens there"), "{text}");
    };
    check(listen);
    // A server of our own, whose listeners would share.
    let server = Server::start(config(&folder)).unwrap();
    check(server.address());
    stop(server);
}
