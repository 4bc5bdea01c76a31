//! `atoll metrics` against a server that answers what a test tells it to: what is sent, and
//! what is made of the answers.

use crate::{binary, printed};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;

/// A request as it came: its first line, and its body.
type Asked = (String, String);

/// A server that answers one request after another.
struct Server {
    url: String,
    asked: Receiver<Asked>,
}

impl Server {
    /// Answers with each of `answers`, which are a status and what follows it in the head,
    /// and a body; then no more.
    fn start(answers: Vec<(&'static str, String)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (tells, asked) = mpsc::channel();
        thread::spawn(move || {
            for (status, body) in answers {
                let (mut stream, _) = listener.accept().unwrap();
                tells.send(request(&mut BufReader::new(&stream))).unwrap();
                let length = body.len();
                let head = format!(
                    "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
                );
                stream
                    .write_all(format!("{head}{body}").as_bytes())
                    .unwrap();
            }
        });
        Self { url, asked }
    }

    fn next(&self) -> Asked {
        self.asked.recv().unwrap()
    }
}

fn request(input: &mut impl BufRead) -> Asked {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(input.read_line(&mut head).unwrap() > 0, "{head}");
    }
    let lower = head.to_ascii_lowercase();
    let length = lower
        .split_once("content-length: ")
        .map_or(0, |(_, rest)| rest.lines().next().unwrap().parse().unwrap());
    let mut body = vec![0; length];
    input.read_exact(&mut body).unwrap();
    let first = head.lines().next().unwrap().to_owned();
    (first, String::from_utf8(body).unwrap())
}

/// Runs `atoll metrics` with `input` for its standard input.
fn metrics(words: &[&str], server: &Server, input: &str) -> Output {
    let mut command = Command::new(binary());
    command.env_remove("ATOLL_TOKEN").env_remove("COLUMNS");
    command
        .arg("metrics")
        .args(words)
        .args(["--server", &server.url]);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // One that needs none may have ended.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

#[track_caller]
fn expect(output: &Output, code: i32, printed: &str, complained: &str) {
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    let texts = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    assert!(texts[0].contains(printed), "{printed}: {output:?}");
    assert!(texts[1].contains(complained), "{complained}: {output:?}");
}

fn accepted(count: u64) -> (&'static str, String) {
    (
        "200 OK",
        json!({"accepted": count, "refused": []}).to_string(),
    )
}

#[test]
fn one_sample_is_pushed_again_until_there_is_room() {
    let full = ("503 Busy\r\nRetry-After: 0", String::new());
    let server = Server::start(vec![full, accepted(1)]);
    let words = [
        "push", "a", "-1.5", "--tag", "x=y", "--time", "1.5", "--type", "counter",
    ];
    expect(
        &metrics(&words, &server, ""),
        0,
        "1 of 1 samples were accepted",
        "",
    );
    let (first, again) = (server.next(), server.next());
    assert_eq!(first, again);
    assert_eq!(first.0, "POST /metrics HTTP/1.1");
    let expected = json!({"metrics": [{
        "name": "a", "value": -1.5, "type": "counter", "tags": {"x": "y"}, "timestamp": 1500,
    }]});
    assert_eq!(serde_json::from_str::<Value>(&first.1).unwrap(), expected);
}

#[test]
fn many_samples_are_pushed_in_batches_and_what_is_refused_is_told() {
    let refusal = json!({"index": 1, "reason": "too many"});
    let some = (
        "200 OK",
        json!({"accepted": 1, "refused": [refusal]}).to_string(),
    );
    let server = Server::start(vec![accepted(1000), some]);
    let lines = |count| (0..count).map(|number| format!("a{number} {number} x=\"b c\"\n"));
    let input: String = lines(1002).collect();
    let output = metrics(&["push", "--tag", "z=1"], &server, &input);
    expect(&output, 1, "1001 of 1002", "refused 1001 (a1001): too many");
    let counts = [server.next(), server.next()].map(|(_, body)| {
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(body["metrics"][0]["tags"], json!({"x": "b c", "z": "1"}));
        body["metrics"].as_array().unwrap().len()
    });
    assert_eq!(counts, [1000, 2]);
    let server = Server::start(vec![accepted(2)]);
    let input = r#"{"name": "a", "value": 1} {"metrics": [{"name": "b", "type": "counter"}]}"#;
    let output = metrics(
        &["push", "--json-input", "--atomic", "--json"],
        &server,
        input,
    );
    expect(&output, 0, r#"{"accepted":2,"refused":[],"sent":2}"#, "");
    let (head, body) = server.next();
    assert_eq!(head, "POST /metrics?atomic=1 HTTP/1.1");
    let body: Value = serde_json::from_str(&body).unwrap();
    let kinds = [0, 1].map(|index| body["metrics"][index]["type"].clone());
    assert_eq!(kinds, ["gauge", "counter"]);
}

#[test]
fn what_cannot_be_pushed_is_said_with_its_line() {
    let server = Server::start(Vec::new());
    let output = metrics(&["push"], &server, "# none\nup high\n");
    expect(&output, 2, "", "line 2: \"high\" is no finite number");
    let wrong = metrics(&["push", "up", "NaN"], &server, "");
    expect(&wrong, 2, "", "no finite number");
}

fn series(mode: &str, key: &str, value: Value) -> Value {
    json!({"metric": {"__name__": "cpu", "job": "a", "mode": mode}, key: value})
}

fn success(kind: &str, result: Value) -> (&'static str, String) {
    let answer = json!({"status": "success", "data": {"resultType": kind, "result": result}});
    ("200 OK", answer.to_string())
}

#[test]
fn a_query_is_a_table() {
    let found = [
        series("idle", "value", json!([1.5, "0.25"])),
        series("user", "value", json!([1.5, "10"])),
    ];
    let server = Server::start(vec![success("vector", json!(found))]);
    let table = "cpu{job=\"a\"}\nmode  value\nidle   0.25\nuser     10\n";
    let words = ["query", "cpu", "--at", "1970-01-01T00:00:01.5Z"];
    expect(&metrics(&words, &server, ""), 0, table, "");
    let (head, body) = server.next();
    assert_eq!(head, "POST /api/v1/query HTTP/1.1");
    assert_eq!(body, "query=cpu&time=1.5");
}

#[test]
fn a_query_of_a_range_is_a_plot_or_numbers() {
    let values = |from: u32| (0..=60).map(move |step| json!([step, (from + step).to_string()]));
    let found = |from| Value::from(values(from).collect::<Vec<_>>());
    let both = json!([
        series("idle", "values", found(0)),
        series("user", "values", found(40))
    ]);
    let answers = vec![success("matrix", both.clone()), success("matrix", both)];
    let server = Server::start(answers);
    let words = ["query", "cpu", "--at", "60", "--range", "1m"];
    let output = metrics(&words, &server, "");
    expect(
        &output,
        0,
        "1970-01-01 00:00:00 to 00:01:00 UTC, every 1 s\n",
        "",
    );
    expect(
        &output,
        0,
        "* {mode=\"idle\"}  last 60.00\no {mode=\"user\"}  last 100.0\n",
        "",
    );
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.lines().all(|line| line.chars().count() <= 80),
        "{text}"
    );
    let (head, body) = server.next();
    assert_eq!(head, "POST /api/v1/query_range HTTP/1.1");
    assert_eq!(body, "query=cpu&start=0&end=60&step=1");
    let output = metrics(&[&words[..], &["--table"]].concat(), &server, "");
    expect(
        &output,
        0,
        "time                  mode  value\n1970-01-01T00:00:00Z  idle      0\n",
        "",
    );
}

#[test]
fn an_error_points_at_its_place() {
    let error = json!({"status": "error", "errorType": "bad_data", "error": "1:5: parse error: x"});
    let answers = vec![
        ("400 Bad", error.to_string()),
        ("400 Bad", error.to_string()),
    ];
    let server = Server::start(answers);
    let output = metrics(&["query", "up ) 1"], &server, "");
    expect(
        &output,
        1,
        "",
        "  up ) 1\n      ^\natoll: 1:5: parse error: x\n",
    );
    let output = metrics(&["query", "up ) 1", "--json"], &server, "");
    expect(&output, 1, "\"errorType\":\"bad_data\"", "parse error");
}

#[test]
fn what_is_exported_is_imported() {
    let line = |name: &str| {
        let metric = json!({ "__name__": name });
        format!(
            "{}\n",
            json!({"metric": metric, "values": [1, 2], "timestamps": [5, 6]})
        )
    };
    let lines = line("a") + &line("b");
    let refusal = json!({"refused": [{"line": 2, "reason": "no room"}]}).to_string();
    let answers = vec![
        ("200 OK", lines.clone()),
        ("204 Done", String::new()),
        ("200 OK", refusal),
    ];
    let server = Server::start(answers);
    let top = tempfile::tempdir().unwrap();
    let file = top.path().join("all.jsonl");
    let file = file.to_str().unwrap();
    let words = [
        "export",
        "--match",
        "{job=\"a\"}",
        "--from",
        "1",
        "--to",
        "2",
        "-o",
        file,
    ];
    expect(&metrics(&words, &server, ""), 0, "", "");
    assert_eq!(std::fs::read_to_string(file).unwrap(), lines);
    let asked = "GET /api/v1/export?match[]=%7Bjob%3D%22a%22%7D&start=1&end=2 HTTP/1.1";
    assert_eq!(server.next().0, asked);
    expect(
        &metrics(&["import", file], &server, ""),
        0,
        "2 lines with 4 samples were sent",
        "",
    );
    assert_eq!(
        server.next(),
        ("POST /api/v1/import HTTP/1.1".to_owned(), lines.clone())
    );
    let output = metrics(&["import", "-"], &server, &lines);
    expect(
        &output,
        1,
        "2 lines with 4 samples",
        "refused line 2: no room",
    );
}

#[test]
fn why_a_server_refuses_is_told() {
    let error = r#"{"status":"error","errorType":"bad_data","error":"1:2: parse error"}"#;
    let problem = r#"{"type":"urn:atoll:problem:forbidden","detail":"not allowed here"}"#;
    let good = r#"{"metric":{"__name__":"a"},"values":[1],"timestamps":[5]}"#;
    for (status, body, said) in [
        ("400 Bad", error, "refused (400): 1:2: parse error"),
        ("403 No", problem, "refused (403): not allowed here"),
    ] {
        let server = Server::start(vec![(status, body.to_owned()); 3]);
        for words in [
            &["export", "--match", "{"][..],
            &["push", "a", "1"],
            &["import", "-"],
        ] {
            expect(&metrics(words, &server, good), 1, "", said);
            server.next();
        }
    }
}

#[test]
fn a_wrong_line_ends_an_import_behind_those_before_it() {
    let good = r#"{"metric":{"__name__":"a"},"values":[1],"timestamps":[5]}"#;
    let server = Server::start(vec![("204 Done", String::new())]);
    let output = metrics(
        &["import", "-"],
        &server,
        &format!("{good}\n{{}}\n{good}\n"),
    );
    expect(&output, 1, "", "line 2: missing field");
    assert_eq!(server.next().1, format!("{good}\n"));
}

#[test]
fn every_command_explains_itself() {
    for command in ["push", "query", "import", "export"] {
        let told = printed(&["metrics", command, "--help"]);
        assert!(told.contains("--server"), "{told}");
    }
}
