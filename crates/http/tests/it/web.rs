//! A web server as a program starts it: what it answers, limits, logs and reloads.

use httpd::limit::Limit;
use httpd::log::{Format, Target};
use httpd::models::Strategy;
use httpd::web::{
    AccessLog, Config, Cors, Model, Monitoring, Proof, Redirect, Server, SiteConfig, Tls, Users,
    WebError, read,
};
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
        listen: vec![SocketAddr::from(([127, 0, 0, 1], 0))],
        workers: 1,
        sites: vec![SiteConfig::new(folder.path())],
        ..Config::default()
    }
}

/// Sends `request`, whose connection ends with it, and gives all that comes back.
fn ask(server: &Server, request: &str) -> String {
    let mut stream = TcpStream::connect(server.addresses()[0]).unwrap();
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
fn every_model_serves_and_logs_the_same() {
    for model in [
        Model::Sequential,
        Model::Threads,
        Model::Events(Strategy::PerSlot),
        Model::Events(Strategy::Shared),
        Model::Events(Strategy::LeastLoaded),
    ] {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("access.log");
        let server = Server::start(Config {
            model,
            workers: 2,
            access_log: Some(AccessLog {
                target: Target::File(path.clone()),
                format: Format::Json,
            }),
            ..config(&folder)
        })
        .unwrap();
        for _ in 0..3 {
            expect(&get(&server, "a", "/a.txt"), "200", "hello\n");
        }
        stop(server);
        let log = fs::read_to_string(path).unwrap();
        assert_eq!(log.lines().count(), 3, "{model:?}: {log}");
    }
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
fn who_finds_no_place_is_told_so() {
    let folder = TempDir::new().unwrap();
    let mut config = config(&folder);
    config.connections.total = 1;
    config.monitoring.metrics = Some("/metrics".to_owned());
    let server = Server::start(config).unwrap();
    let mut held = TcpStream::connect(server.addresses()[0]).unwrap();
    // Who says nothing has no place yet.
    held.write_all(b"GET").unwrap();
    let refused = get(&server, "a", "/a.txt");
    expect(&refused, "503", "Service Unavailable\n");
    assert!(refused.contains("\r\nretry-after: 1\r\n"), "{refused}");
    drop(held);
    // Its place is free when the loop has seen its end.
    let served = |target: &str| -> String {
        loop {
            let mut stream = TcpStream::connect(server.addresses()[0]).unwrap();
            let request = format!("GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
            let mut answer = String::new();
            // One that is refused right after another may see its end and not why.
            let _ = stream.write_all(request.as_bytes());
            let _ = stream.read_to_string(&mut answer);
            if answer.starts_with("HTTP/1.1 200 ") {
                return answer;
            }
        }
    };
    served("/a.txt");
    let figures = served("/metrics");
    assert!(figures.contains("\nhttp_connections_refused_total "));
    assert!(!figures.contains("\nhttp_connections_refused_total 0\n"));
    stop(server);
}

/// Over TLS in what a client of TLS can read: a fatal alert.
#[test]
fn who_finds_no_place_over_tls_is_told_so_by_an_alert() {
    let (folder, keys) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let mut config = config(&folder);
    config.tls = Some(Tls {
        proof: Proof::SelfSigned(keys.path().join("own.pem")),
        hsts: None,
    });
    config.connections.total = 1;
    let server = Server::start(config).unwrap();
    let connect = || {
        let mut stream = TcpStream::connect(server.addresses()[0]).unwrap();
        stream.write_all(&[22]).unwrap();
        stream
    };
    let held = connect();
    let mut heard = Vec::new();
    connect().read_to_end(&mut heard).unwrap();
    assert_eq!(heard, [21, 3, 3, 0, 2, 2, 80]);
    drop(held);
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
    ask(&server, "GET /a.txt\r\n\r\n");
    let length = "Host: a\r\nContent-Length: x\r\nUser-Agent: me\r\n\r\n";
    ask(&server, &format!("PUT /b.txt?c HTTP/1.1\r\n{length}"));
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
    let text = |path: &Path| fs::read_to_string(path).unwrap();
    let log = text(&moved) + &text(&path);
    let lines: Vec<&str> = log
        .lines()
        .map(|line| line.split_once("] ").unwrap().1)
        .collect();
    let expected = [
        "\"GET /a.txt HTTP/1.1\" 200 6 \"-\" \"-\"",
        "\"GET /none?q=1 HTTP/1.1\" 404 10 \"-\" \"-\"",
        "\"-\" 400 ",
        "\"PUT /b.txt?c HTTP/1.1\" 400 ",
        "\"GET /large.bin HTTP/1.1\" 200 3145728 \"-\" \"-\"",
        "\"HEAD /a.txt HTTP/1.0\" 200 0 \"here\" \"me\"",
    ];
    assert_eq!(lines.len(), expected.len(), "{log}");
    for (line, expected) in lines.iter().zip(expected) {
        assert!(line.starts_with(expected), "{line} is not {expected}");
    }
    assert!(text(&path).contains("/large.bin"), "{log}");
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
    let mut stream = TcpStream::connect(server.addresses()[0]).unwrap();
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
            listen: vec![listen],
            ..config(&folder)
        })
        .unwrap_err();
        let text = error.to_string();
        assert!(text.contains("another program listens there"), "{text}");
    };
    check(listen);
    // A server of our own, whose listeners would share.
    let server = Server::start(config(&folder)).unwrap();
    check(server.addresses()[0]);
    stop(server);
}

/// The figure called `name` on a page of figures.
fn figure(page: &str, name: &str) -> Option<u64> {
    let line = page.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim_start_matches(": ").trim().parse().ok()
}

#[test]
fn rules_of_a_site_come_before_its_files() {
    let folder = TempDir::new().unwrap();
    let logs = TempDir::new().unwrap();
    let path = logs.path().join("access.log");
    let mut config = Config {
        access_log: Some(AccessLog {
            target: Target::File(path.clone()),
            format: Format::Common,
        }),
        ..config(&folder)
    };
    let site = &mut config.sites[0];
    site.users = Users::new([("alice", "secret")]).unwrap();
    site.redirects = vec![Redirect {
        from: "/old/*".to_owned(),
        to: "/*".to_owned(),
        status: 308,
    }];
    site.cors = Some(Cors {
        origins: vec!["https://b.example".to_owned()],
        headers: Vec::new(),
        max_age: Duration::from_secs(60),
    });
    let server = Server::start(config).unwrap();
    let send = |line: &str, fields: &str| {
        let head = format!("{line} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{fields}\r\n");
        ask(&server, &head)
    };
    let alice = "Authorization: Basic YWxpY2U6c2VjcmV0\r\n";
    let origin = "Origin: https://b.example\r\n";
    let allowed = "\r\naccess-control-allow-origin: https://b.example\r\nvary: origin\r\n";

    let answer = send("GET /a.txt", "");
    expect(&answer, "401", "Unauthorized\n");
    let challenge = "\r\nwww-authenticate: Basic realm=\"restricted\", charset=\"UTF-8\"\r\n";
    assert!(answer.contains(challenge), "{answer}");
    expect(&send("GET /old/a.txt", ""), "401", "Unauthorized\n");
    expect(
        &send("GET /a.txt", "Authorization: Basic YWxpY2U6d3Jvbmc=\r\n"),
        "401",
        "Unauthorized\n",
    );

    let answer = send("GET /a.txt", &format!("{alice}{origin}"));
    expect(&answer, "200", "hello\n");
    assert!(answer.contains(allowed), "{answer}");
    let other = send(
        "GET /a.txt",
        &format!("{alice}Origin: https://c.example\r\n"),
    );
    expect(&other, "200", "hello\n");
    assert!(!other.contains("access-control-allow-origin"), "{other}");

    let answer = send("GET /old/a.txt?q=1", alice);
    expect(&answer, "308", "Permanent Redirect\n");
    assert!(answer.contains("\r\nlocation: /a.txt?q=1\r\n"), "{answer}");
    expect(&send("HEAD /old/a.txt", alice), "308", "\r\n\r\n");

    let asked_first = format!("{origin}Access-Control-Request-Method: GET\r\n");
    let answer = send("OPTIONS /a.txt", &asked_first);
    expect(&answer, "204", "\r\n\r\n");
    assert!(answer.contains(allowed), "{answer}");
    assert!(
        answer.contains("\r\naccess-control-max-age: 60\r\n"),
        "{answer}"
    );

    stop(server);
    let log = fs::read_to_string(path).unwrap();
    let users: Vec<&str> = log
        .lines()
        .map(|line| line.split(' ').nth(2).unwrap())
        .collect();
    let expected = ["-", "-", "-", "alice", "alice", "alice", "alice", "-"];
    assert_eq!(users, expected, "{log}");
    assert!(
        log.contains("\"HEAD /old/a.txt HTTP/1.1\" 308 0\n"),
        "{log}"
    );
}

#[test]
fn figures_are_for_this_machine_and_those_who_are_named() {
    let folder = TempDir::new().unwrap();
    let config = Config {
        monitoring: Monitoring {
            status: Some("/-/status".to_owned()),
            metrics: Some("/-/metrics".to_owned()),
            clients: Vec::new(),
        },
        ..config(&folder)
    };
    let mut server = Server::start(config.clone()).unwrap();
    get(&server, "a", "/a.txt");
    get(&server, "a", "/none");
    let page = get(&server, "a", "/-/status");
    expect(&page, "200", "\n");
    assert_eq!(figure(&page, "responses_2xx"), Some(1), "{page}");
    assert_eq!(figure(&page, "responses_4xx"), Some(1), "{page}");
    assert_eq!(figure(&page, "workers"), Some(1), "{page}");
    let page = get(&server, "a", "/-/metrics");
    assert!(
        page.contains("\r\ncontent-type: text/plain; version=0.0.4"),
        "{page}"
    );
    assert!(
        page.contains("http_responses_total{class=\"2xx\"} 2\n"),
        "{page}"
    );
    let refused = ask(
        &server,
        "POST /-/status HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    );
    expect(&refused, "405", "Method Not Allowed\n");
    server
        .reload(Config {
            monitoring: Monitoring::default(),
            ..config
        })
        .unwrap();
    expect(&get(&server, "a", "/-/status"), "404", "Not Found\n");
    stop(server);
}

#[test]
fn a_file_says_it_all() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("a.txt"), "hello\n").unwrap();
    let path = folder.path().join("web.yaml");
    fs::write(
        &path,
        "listen: 127.0.0.1:0\nworkers: 1\nsites:\n- directory: .\n  listing: true\n",
    )
    .unwrap();
    let server = Server::start(read(&path).unwrap()).unwrap();
    let answer = get(&server, "a", "/");
    assert!(answer.contains("a.txt"), "{answer}");
    stop(server);
    fs::write(&path, "sites:\n- folder: .\n").unwrap();
    let error = read(&path).unwrap_err().to_string();
    assert!(error.contains("web.yaml: line 2: "), "{error}");
    fs::remove_file(&path).unwrap();
    let error = read(&path).unwrap_err().to_string();
    assert!(error.contains("cannot read the configuration"), "{error}");
}
