//! The load generator against servers that behave well, badly and not at all.

use httpd::load::request::{Content, Request};
use httpd::load::tally::Failure;
use httpd::load::{self, Amount, Course, Pace, Plan, Report, Target};
use rustls::{ClientConfig, RootCertStore};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

/// Long enough that nothing but a hang takes it.
const PLAN: Plan = Plan {
    clients: 3,
    threads: 1,
    pace: Pace::Closed,
    amount: Amount::Requests(12),
    timeout: Duration::from_secs(30),
    keeps_connections: true,
};

/// Believes nobody: nothing here is encrypted by somebody who could be believed.
fn trust() -> Arc<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let builder = builder.with_root_certificates(RootCertStore::empty());
    Arc::new(builder.with_no_client_auth())
}

/// Asks `url` as `plan` says, with each of `bodies`.
fn ask_with(url: &str, plan: &Plan, bodies: &[Option<&[u8]>], course: &Course) -> Report {
    let target = Target::find(url, plan.timeout).unwrap();
    let requests: Vec<_> = bodies
        .iter()
        .map(|body| {
            let method = if body.is_some() { "POST" } else { "GET" };
            let content = Content {
                method: &method.parse().unwrap(),
                fields: &[],
                body: *body,
                keeps_connection: plan.keeps_connections,
            };
            Request::new(&target, &content).unwrap()
        })
        .collect();
    load::run(plan, &target, &requests, &trust(), course).unwrap()
}

fn ask(url: &str, plan: &Plan) -> Report {
    ask_with(url, plan, &[None], &Course::default())
}

/// Serves each connection by `serve` on a thread of its own, for as long as the test
/// lasts; gives its URL.
fn server(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let serve = Arc::new(serve);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (serve, stream) = (Arc::clone(&serve), stream.unwrap());
            thread::spawn(move || serve(stream));
        }
    });
    url
}

/// Answers each request on a connection with `answer`, until the client is gone or, if
/// `closes`, once.
fn answering(answer: impl Into<Vec<u8>>, closes: bool) -> String {
    let answer = answer.into();
    server(move |mut stream| {
        let mut input = BufReader::new(stream.try_clone().unwrap());
        while next_request(&mut input).is_some() {
            if stream.write_all(&answer).is_err() || closes {
                break;
            }
        }
    })
}

/// The body of the next request.
fn next_request(input: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if input.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let length = head.split_once("content-length: ");
    let length = length.map_or(0, |(_, rest)| {
        rest.split("\r\n").next().unwrap().parse().unwrap()
    });
    let mut body = vec![0; length];
    input.read_exact(&mut body).ok()?;
    Some(body)
}

#[test]
fn every_request_of_a_good_server_succeeds() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    let until_end = "HTTP/1.1 200 OK\r\n\r\nhello";
    for (answer, closes) in [(OK, false), (chunked, false), (until_end, true)] {
        let url = answering(answer, closes);
        for threads in [1, 2] {
            for keeps_connections in [true, false] {
                let plan = Plan {
                    threads,
                    keeps_connections,
                    ..PLAN
                };
                let report = ask(&url, &plan);
                let tally = &report.tally;
                assert_eq!(tally.failures().len(), 0, "{:?}", tally.failures());
                let counts = (tally.requests(), tally.succeeded(), tally.content_bytes());
                assert_eq!(counts, (12, 12, 60));
                assert_eq!(tally.latencies().count(), 12);
            }
        }
    }
}

#[test]
fn long_bodies_go_and_come_and_clients_take_them_in_turn() {
    const LENGTH: usize = 3 << 20;
    let mut answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {LENGTH}\r\n\r\n").into_bytes();
    answer.resize(answer.len() + LENGTH, b'a');
    let (heard, hears) = std::sync::mpsc::channel();
    let url = server(move |mut stream| {
        let mut input = BufReader::new(stream.try_clone().unwrap());
        while let Some(body) = next_request(&mut input) {
            heard.send(body.len()).unwrap();
            stream.write_all(&answer).unwrap();
        }
    });
    let (long, short) = (vec![b'b'; LENGTH], b"short");
    let bodies = [Some(&long[..]), Some(&short[..])];
    let plan = Plan { clients: 2, ..PLAN };
    let report = ask_with(&url, &plan, &bodies, &Course::default());
    assert_eq!(report.tally.succeeded(), 12);
    assert_eq!(report.tally.content_bytes(), 12 * LENGTH as u64);
    let heard: Vec<_> = hears.try_iter().collect();
    let long = heard.iter().filter(|length| **length == LENGTH).count();
    assert_eq!((heard.len(), heard.contains(&short.len())), (12, true));
    // A client that is faster takes more of them, but each takes both in turn.
    assert!((5..=7).contains(&long), "{long} long ones");
}

/// The bodies that each client's connection brought, when `count` of them are sent once by
/// `clients`; each body is its number.
fn dealt(clients: usize, threads: usize, pace: Pace, count: usize) -> Vec<Vec<usize>> {
    let (heard, hears) = std::sync::mpsc::channel();
    let url = server(move |mut stream| {
        let mut input = BufReader::new(stream.try_clone().unwrap());
        let mut bodies = Vec::new();
        while let Some(body) = next_request(&mut input) {
            bodies.push(String::from_utf8(body).unwrap().parse().unwrap());
            stream.write_all(OK.as_bytes()).unwrap();
        }
        heard.send(bodies).unwrap();
    });
    let numbers: Vec<_> = (0..count).map(|number| number.to_string()).collect();
    let bodies: Vec<_> = numbers.iter().map(|text| Some(text.as_bytes())).collect();
    let plan = Plan {
        clients,
        threads,
        pace,
        amount: Amount::Once(count as u64),
        ..PLAN
    };
    let report = ask_with(&url, &plan, &bodies, &Course::default());
    assert_eq!(report.tally.failures().len(), 0);
    assert_eq!(report.tally.succeeded(), count as u64);
    let mut heard: Vec<_> = hears.iter().take(clients.min(count)).collect();
    heard.sort();
    heard
}

#[test]
fn bodies_that_are_sent_once_are_dealt_to_the_clients_and_keep_their_order() {
    let quick = Pace::Open { per_second: 5000.0 };
    for (clients, count, expected) in [
        (1, 5, &[&[0, 1, 2, 3, 4][..]][..]),
        (3, 7, &[&[0, 3, 6], &[1, 4], &[2, 5]]),
        (3, 6, &[&[0, 3], &[1, 4], &[2, 5]]),
        (4, 2, &[&[0], &[1]]),
    ] {
        for threads in 1..=clients {
            for pace in [Pace::Closed, quick] {
                let found = dealt(clients, threads, pace, count);
                assert_eq!(found, expected, "{clients} clients, {threads} threads");
            }
        }
    }
}

#[test]
fn a_body_that_failed_is_not_sent_again_and_those_behind_it_are() {
    let url = answering("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhel", true);
    let plan = Plan {
        amount: Amount::Once(12),
        ..PLAN
    };
    let bodies = [Some(&b"a"[..]); 12];
    let report = ask_with(&url, &plan, &bodies, &Course::default());
    assert_eq!(report.tally.failures()[&Failure::Broken].count, 12);
    let patient = Plan {
        timeout: Duration::from_millis(25),
        amount: Amount::Once(1000),
        ..PLAN
    };
    let bodies = [Some(&b"a"[..]); 1000];
    let silent = answering("", false);
    let report = ask_with(&silent, &patient, &bodies, &Course::default());
    let failures = report.tally.failures();
    let (late, unsent) = (&failures[&Failure::Late], &failures[&Failure::Unsent]);
    assert!(report.gave_up && unsent.example.contains("left alone"));
    assert_eq!(late.count + unsent.count, 1000);
}

/// What goes wrong at `url` when `plan` is carried out: all of it in one way.
#[track_caller]
fn check(url: &str, plan: &Plan, expected: Failure, example: &str) {
    let report = ask(url, plan);
    let failures = report.tally.failures();
    assert_eq!(report.tally.answered(), 0);
    assert_eq!(failures.len(), 1, "{failures:?}");
    let failed = &failures[&expected];
    assert_eq!(failed.count, 12);
    assert!(failed.example.contains(example), "{}", failed.example);
}

#[test]
fn what_goes_wrong_is_counted_by_its_kind() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = format!("http://{}/", free.local_addr().unwrap());
    drop(free);
    check(&nobody, &PLAN, Failure::Refused, "refused");
    let cut = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhel";
    check(
        &answering(cut, true),
        &PLAN,
        Failure::Broken,
        "in the middle",
    );
    check(
        &answering("", true),
        &PLAN,
        Failure::Broken,
        "before an answer",
    );
    let other = answering("220 mail.example.org\r\n", false);
    check(&other, &PLAN, Failure::Malformed, "not HTTP/1.1");
    let quick = Plan {
        timeout: Duration::from_millis(30),
        clients: 12,
        ..PLAN
    };
    check(
        &answering("", false),
        &quick,
        Failure::Late,
        "within 0.03 s",
    );
    let plain = answering("HTTP/1.1 400 Plain\r\n\r\n", true).replace("http", "https");
    let report = ask(&plain, &PLAN);
    assert_eq!(report.tally.failures()[&Failure::Untrusted].count, 12);
}

#[test]
fn a_server_that_is_dead_holds_nobody_up() {
    let plan = Plan {
        timeout: Duration::from_millis(25),
        amount: Amount::Requests(u64::MAX),
        ..PLAN
    };
    let report = ask(&answering("", false), &plan);
    assert!(report.gave_up);
    assert!(report.tally.failures()[&Failure::Late].count >= 3);
}

/// The server answers nothing for a while; those who asked later than that would not have
/// waited less if they had not been held up by their client.
#[test]
fn waiting_for_a_client_counts_in_the_open_loop() {
    const PAUSE: Duration = Duration::from_millis(400);
    let url = server(|mut stream| {
        let mut input = BufReader::new(stream.try_clone().unwrap());
        next_request(&mut input).unwrap();
        // Nothing comes, so this is over when the pause is.
        stream.set_read_timeout(Some(PAUSE)).unwrap();
        assert!(input.read(&mut [0]).is_err());
        stream.set_read_timeout(None).unwrap();
        stream.write_all(OK.as_bytes()).unwrap();
        while next_request(&mut input).is_some() {
            stream.write_all(OK.as_bytes()).unwrap();
        }
    });
    let plan = Plan {
        clients: 1,
        pace: Pace::Open { per_second: 1000.0 },
        ..PLAN
    };
    let report = ask(&url, &plan);
    assert_eq!(report.tally.succeeded(), 12);
    // The last was due 11 ms after the first.
    assert!(report.tally.latencies().least() >= Duration::from_millis(380));
    let lasting = Plan {
        amount: Amount::Lasting(Duration::from_millis(50)),
        ..plan
    };
    let report = ask(&url, &lasting);
    let unsent = &report.tally.failures()[&Failure::Unsent];
    assert_eq!((report.tally.succeeded(), unsent.count), (1, 49));
}

#[test]
fn a_run_that_is_stopped_tells_what_it_has() {
    let course = Arc::new(Course::default());
    let asked = Arc::clone(&course);
    let url = server(move |mut stream| {
        let mut input = BufReader::new(stream.try_clone().unwrap());
        while next_request(&mut input).is_some() {
            stream.write_all(OK.as_bytes()).unwrap();
            if asked.answered() > 20 {
                asked.stop();
            }
        }
    });
    let plan = Plan {
        amount: Amount::Requests(u64::MAX),
        ..PLAN
    };
    let report = ask_with(&url, &plan, &[None], &course);
    assert!(report.tally.succeeded() > 20);
    assert_eq!(report.tally.requests(), course.answered());
}
