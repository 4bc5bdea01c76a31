//! Clients that are slow in any way, at the node's own listener: each is let go, and
//! nobody else notices. The engine looks at its clock once a second, so these tests
//! take seconds; none of them sleeps.

use crate::site::Site;
use httpd::serve::{Settings, Timeouts};
use serde_json::{Value, json};
use server::listen::{self, Bound, Serving};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;
use tokio::sync::watch;

/// A node behind its listener.
struct Node {
    site: Site,
    address: SocketAddr,
    stop: watch::Sender<bool>,
    serving: Option<Serving>,
    _data: tempfile::TempDir,
}

impl Node {
    /// Treats clients as the node does, but for its patience.
    fn start(timeouts: Timeouts) -> Self {
        let data = tempfile::tempdir().unwrap();
        let site = Site::open(data.path());
        let bound = Bound::new("127.0.0.1:0".parse().unwrap(), 1).unwrap();
        let address = bound.address();
        let (stop, stopped) = watch::channel(false);
        let settings = Settings {
            timeouts,
            ..listen::SETTINGS
        };
        let serving = bound
            .serve(site.router(), None, settings, 1024, stopped, |error| {
                panic!("{error}")
            })
            .unwrap();
        Self {
            site,
            address,
            stop,
            serving: Some(serving),
            _data: data,
        }
    }

    fn connect(&self) -> BufReader<TcpStream> {
        let stream = TcpStream::connect(self.address).unwrap();
        // Only against a test that would hang.
        let patience = Some(Duration::from_secs(30));
        stream.set_read_timeout(patience).unwrap();
        BufReader::new(stream)
    }

    fn head(&self, request: &str) -> String {
        format!(
            "{request} HTTP/1.1\r\nHost: reef\r\nAuthorization: Bearer {}\r\n",
            self.site.admin()
        )
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        let answer = ureq::post(format!("http://{}{path}", self.address))
            .header("authorization", format!("Bearer {}", self.site.admin()))
            .header("content-type", "application/json")
            .send(body.to_string());
        json_of(answer.unwrap())
    }

    fn get(&self, path: &str) -> Value {
        let answer = ureq::get(format!("http://{}{path}", self.address))
            .header("authorization", format!("Bearer {}", self.site.admin()))
            .call();
        json_of(answer.unwrap())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(serving) = self.serving.take() {
            serving.join();
        }
    }
}

fn json_of(mut answer: http::Response<ureq::Body>) -> Value {
    serde_json::from_str(&answer.body_mut().read_to_string().unwrap()).unwrap()
}

fn rest(mut client: BufReader<TcpStream>) -> String {
    let mut rest = Vec::new();
    // A reset is an end like any other here.
    let _ = client.read_to_end(&mut rest);
    String::from_utf8_lossy(&rest).into_owned()
}

#[test]
fn a_slow_head() {
    let node = Node::start(Timeouts {
        head: Duration::ZERO,
        ..listen::SETTINGS.timeouts
    });
    let mut client = node.connect();
    let head = node.head("GET /api/status");
    client.get_mut().write_all(head.as_bytes()).unwrap();
    let answer = rest(client);
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert_eq!(node.get("/api/status")["node"], "reef");
}

/// The node's own patience with a body is longer here: `api::body` has its tests.
#[test]
fn a_slow_body() {
    let node = Node::start(Timeouts {
        body: Duration::ZERO,
        ..listen::SETTINGS.timeouts
    });
    node.post("/api/spaces", &json!({ "slug": "s" }));
    let mut client = node.connect();
    let head = node.head("POST /api/file/upload?space=s&path=f");
    let head = format!(
        "{head}Content-Type: application/octet-stream\r\nContent-Length: 9\r\n\
         Expect: 100-continue\r\n\r\n"
    );
    client.get_mut().write_all(head.as_bytes()).unwrap();
    let mut line = String::new();
    client.read_line(&mut line).unwrap();
    assert_eq!(line, "HTTP/1.1 100 Continue\r\n");
    client.get_mut().write_all(b"half").unwrap();
    let answer = rest(client);
    assert_eq!(answer.trim(), "", "nothing was acknowledged");
    assert_eq!(node.get("/api/tree?space=s")["items"], json!([]));
}

/// Far more than a socket and its peer hold.
const UNREAD: usize = 32 << 20;

#[test]
fn an_answer_that_nobody_reads() {
    let node = Node::start(Timeouts {
        write: Duration::ZERO,
        ..listen::SETTINGS.timeouts
    });
    node.post("/api/spaces", &json!({ "slug": "s" }));
    let upload = format!("http://{}/api/file/upload?space=s&path=large", node.address);
    ureq::post(upload)
        .header("authorization", format!("Bearer {}", node.site.admin()))
        .header("content-type", "application/octet-stream")
        .send(&vec![7; UNREAD][..])
        .unwrap();
    let session = node.post("/api/sync/start", &json!({ "space": "s" }));
    let status = format!(
        "/api/sync/status?session={}",
        session["session"].as_str().unwrap()
    );
    let mut client = node.connect();
    let head = node.head("GET /api/file/download?space=s&path=large");
    client.get_mut().write_all(head.as_bytes()).unwrap();
    client.get_mut().write_all(b"\r\n").unwrap();
    // Counted when its answer has ended, which it does though nobody reads.
    let counted = || node.get(&status)["bytes_down"].as_u64().unwrap();
    while counted() == 0 {}
    let counted = counted();
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).unwrap();
    let head = answer.windows(4).position(|four| four == b"\r\n\r\n");
    let content = answer.len() - (head.unwrap() + 4);
    assert!(content < UNREAD, "{content}");
    assert_eq!(counted, content as u64, "what the client got, and no more");
    assert_eq!(node.get(&status)["files_down"], 0, "no file went whole");
}
