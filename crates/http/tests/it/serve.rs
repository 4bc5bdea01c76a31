//! Connections over real sockets: what a client sends, and every byte it gets.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::routing::{get, post};
use futures_util::stream;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use httpd::files::{Answer, Links, Moment, Options, Root, Site};
use httpd::h1::{Limits, RequestHead};
use httpd::models::events;
use httpd::serve::{
    Answering, Files, Handler, Incoming, Layered, Record, Settings, Timeouts, Tower,
};
use rustix::net::sockopt::set_socket_recv_buffer_size;
use rustix::net::{AddressFamily, SocketType, connect, socket};
use std::convert::Infallible;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::oneshot;

/// A server on a thread of its own, which ends with the test.
pub struct Server {
    pub address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub fn start<H: Handler>(
        settings: Settings,
        handler: impl FnOnce() -> H + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            let stop = async move { drop(stopped.await) };
            events::run(listener, handler(), settings, stop).unwrap();
        });
        Self {
            address,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    pub fn connect(&self) -> Client {
        let stream = TcpStream::connect(self.address).unwrap();
        // Only against a test that would hang.
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        Client(BufReader::new(stream))
    }

    /// A client that has room for a few kilobytes.
    fn connect_narrow(&self) -> Client {
        let socket = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        set_socket_recv_buffer_size(&socket, 4096).unwrap();
        connect(&socket, &self.address).unwrap();
        Client(BufReader::new(socket.into()))
    }

    /// No request begins any more; ends with the last connection.
    pub fn stop(&mut self) {
        drop(self.stop.take());
    }

    pub fn join(&mut self) {
        self.thread.take().unwrap().join().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

pub struct Client(pub BufReader<TcpStream>);

impl Client {
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.get_mut().write_all(bytes.as_ref()).unwrap();
    }

    /// Status line, header lines, and content, of a response with a length.
    pub fn receive(&mut self) -> (String, String, Vec<u8>) {
        let (status, fields) = self.receive_head();
        let length = field(&fields, "content-length").map_or(0, |text| text.parse().unwrap());
        let mut content = vec![0; length];
        self.0.read_exact(&mut content).unwrap();
        (status, fields, content)
    }

    pub fn receive_head(&mut self) -> (String, String) {
        let mut status = String::new();
        self.0.read_line(&mut status).unwrap();
        let mut fields = String::new();
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line).unwrap();
            if line.trim().is_empty() {
                return (status.trim().to_owned(), fields);
            }
            fields.push_str(&line);
        }
    }

    pub fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        self.0.read_to_end(&mut rest).unwrap();
        rest
    }
}

pub fn field<'a>(fields: &'a str, name: &str) -> Option<&'a str> {
    fields.lines().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

fn site(directory: &std::path::Path, prefix: &str) -> Files {
    let root = Arc::new(Root::open(directory, Links::default()).unwrap());
    let options = Options {
        prefix: prefix.to_owned(),
        ..Options::default()
    };
    Files::new(Site::new(root, Arc::new(options), 7).unwrap())
}

fn limited(limits: Limits) -> Settings {
    Settings {
        limits,
        ..Settings::default()
    }
}

fn timed(timeouts: Timeouts) -> Settings {
    Settings {
        timeouts,
        ..Settings::default()
    }
}

/// A folder with a small and a large file.
fn folder() -> (tempfile::TempDir, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let large: Vec<u8> = (0..3_000_001_u32).map(|n| (n % 251) as u8).collect();
    std::fs::write(folder.path().join("small.txt"), "small").unwrap();
    std::fs::write(folder.path().join("large.bin"), &large).unwrap();
    (folder, large)
}

fn files(folder: &tempfile::TempDir) -> Server {
    let path = folder.path().to_owned();
    Server::start(Settings::default(), move || site(&path, ""))
}

#[test]
fn a_pipeline_of_small_and_large_files_is_answered_in_order() {
    let (folder, large) = folder();
    let server = files(&folder);
    let mut client = server.connect();
    let request = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
    let pipeline = [
        request("/small.txt"),
        request("/large.bin"),
        request("/none"),
        request("/small.txt"),
        request("/large.bin"),
    ];
    client.send(pipeline.concat());
    for expected in [
        b"small".as_slice(),
        &large,
        b"Not Found\n",
        b"small",
        &large,
    ] {
        let (_, _, content) = client.receive();
        assert!(content == expected, "{} bytes came", content.len());
    }
}

#[test]
fn a_request_byte_by_byte_is_the_same_request() {
    let (folder, large) = folder();
    let server = files(&folder);
    let mut client = server.connect();
    for byte in b"GET /large.bin HTTP/1.1\r\nHost: a\r\nRange: bytes=5-9, 20000-20029\r\n\r\n" {
        client.send([*byte]);
    }
    let (status, fields, content) = client.receive();
    assert_eq!(status, "HTTP/1.1 206 Partial Content");
    assert!(fields.contains("multipart/byteranges"), "{fields}");
    for part in [&large[5..10], &large[20_000..20_030]] {
        assert!(content.windows(part.len()).any(|window| window == part));
    }
}

#[test]
fn head_and_unread_content_leave_the_connection_usable() {
    let (folder, _) = folder();
    let server = files(&folder);
    let mut client = server.connect();
    client.send("HEAD /small.txt HTTP/1.1\r\nHost: a\r\n\r\n");
    let (status, fields) = client.receive_head();
    assert_eq!(
        (status.as_str(), field(&fields, "content-length")),
        ("HTTP/1.1 200 OK", Some("5"))
    );
    client.send("POST /small.txt HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nunwanted!");
    assert_eq!(client.receive().0, "HTTP/1.1 405 Method Not Allowed");
    client.send("GET /small.txt HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert_eq!(client.receive().2, b"small");
    assert_eq!(client.rest(), b"");
}

#[test]
fn what_is_refused_is_answered_and_ends_the_connection() {
    let (folder, _) = folder();
    let server = files(&folder);
    for (request, status) in [
        ("GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 400 Bad Request"),
        ("nonsense\r\n\r\n", "HTTP/1.1 400 Bad Request"),
        (
            "GET / HTTP/2.0\r\nHost: a\r\n\r\n",
            "HTTP/1.1 505 HTTP Version Not Supported",
        ),
    ] {
        let mut client = server.connect();
        client.send(request);
        assert_eq!(client.receive().0, status, "{request}");
        assert_eq!(client.rest(), b"", "{request}");
    }
}

/// A body without a length.
fn in_pieces(pieces: &'static [&'static str]) -> Body {
    Body::from_stream(stream::iter(
        pieces.iter().copied().map(Ok::<_, Infallible>),
    ))
}

async fn count(content: Bytes) -> String {
    format!("{} bytes", content.len())
}

fn router() -> Server {
    Server::start(Settings::default(), || {
        let stream = || async { in_pieces(&["one ", "two ", "three"]) };
        let router = Router::new()
            .route("/count", post(count))
            .route("/hello", get(|| async { "hello" }))
            .route("/stream", get(stream));
        Tower::new(router)
    })
}

#[test]
fn a_router_reads_content_however_it_is_framed() {
    let server = router();
    let mut client = server.connect();
    client.send("POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n12345");
    assert_eq!(client.receive().2, b"5 bytes");
    client.send(
        "POST /count HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
         3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n",
    );
    assert_eq!(client.receive().2, b"7 bytes");
    client.send("POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n");
    for _ in 0..1000 {
        client.send([b'x'; 1000]);
    }
    assert_eq!(client.receive().2, b"1000000 bytes");
    client.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.receive().2, b"hello");
}

/// A client that has no room for what it asked for, and asks for more.
#[test]
fn earlier_answers_come_before_anything_else() {
    // More than any socket takes.
    const LARGE: usize = 253;
    const LENGTH: usize = 60_000;
    let server = Server::start(Settings::default(), || {
        let large = || async { vec![b'l'; LENGTH] };
        let router = Router::new().route("/count", post(count));
        Tower::new(router.route("/large", get(large)))
    });
    for expect in [true, false] {
        let mut client = server.connect_narrow();
        client.send("GET /large HTTP/1.1\r\nHost: a\r\n\r\n".repeat(LARGE));
        let line = if expect {
            "Expect: 100-continue\r\n"
        } else {
            ""
        };
        client.send(format!(
            "POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n{line}\r\n"
        ));
        for _ in 0..LARGE {
            assert!(client.receive().2 == [b'l'; LENGTH]);
        }
        if expect {
            assert_eq!(client.receive_head().0, "HTTP/1.1 100 Continue");
        }
        client.send("1234");
        assert_eq!(client.receive().2, b"4 bytes");
    }
}

/// The length of content that was left away is not that of what GET is sent.
#[test]
fn head_announces_what_is_known() {
    let server = router();
    let mut client = server.connect();
    for (path, expected) in [("/hello", Some("5")), ("/stream", None), ("/none", None)] {
        client.send(format!("HEAD {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
        let (_, fields) = client.receive_head();
        assert_eq!(field(&fields, "content-length"), expected, "{path}");
        assert_eq!(field(&fields, "transfer-encoding"), None, "{path}");
    }
    client.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.receive().2, b"hello");
}

#[test]
fn a_target_may_name_the_host() {
    let (folder, _) = folder();
    let server = files(&folder);
    let mut client = server.connect();
    for (target, expected) in [
        ("http://a/small.txt", "200"),
        ("HTTPS://a:1/small.txt?x=1", "200"),
        ("http://a/", "404"),
        ("http://a", "404"),
        ("http://a?", "404"),
        ("http://a?x=/small.txt", "404"),
        ("http://a?x", "404"),
    ] {
        client.send(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n"));
        let status = client.receive().0;
        assert!(
            status.starts_with(&format!("HTTP/1.1 {expected}")),
            "{target}: {status}"
        );
    }
}

/// Counts what comes, and minds no end.
async fn count_pieces(mut content: Body) -> String {
    let mut pieces = 0;
    while let Some(Ok(_)) = content.frame().await {
        pieces += 1;
    }
    format!("{pieces} pieces")
}

/// Whether the service takes it for a mistake of the client, or does not care.
#[test]
fn content_that_is_refused_is_answered_by_those_who_refuse_it() {
    let settings = limited(Limits {
        body_bytes: 10,
        ..Limits::default()
    });
    let server = Server::start(settings, || {
        let router = Router::new()
            .route("/count", post(count))
            .route("/pieces", post(count_pieces));
        Tower::new(router)
    });
    for path in ["/count", "/pieces"] {
        for (content, status) in [
            ("3\r\nabc\r\nz\r\n", "HTTP/1.1 400 Bad Request"),
            ("3\r\nabcd\r\n0\r\n\r\n", "HTTP/1.1 400 Bad Request"),
            (
                "3\r\nabc\r\n8\r\nabcdefgh\r\n0\r\n\r\n",
                "HTTP/1.1 413 Payload Too Large",
            ),
        ] {
            let mut client = server.connect();
            let chunked = "HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked";
            client.send(format!("POST {path} {chunked}\r\n\r\n{content}"));
            // It goes on, and sees the answer and no reset.
            client.send("more of it");
            let (found, fields, reason) = client.receive();
            assert_eq!(found, status, "{path} {content:?}");
            assert_eq!(field(&fields, "connection"), Some("close"));
            assert!(!reason.is_empty());
            assert_eq!(client.rest(), b"");
        }
    }
}

/// Tells of the status and the bytes of each response.
struct Told<H>(H, std::sync::mpsc::Sender<(u16, u64)>);

impl<H: Handler> Handler for Told<H> {
    fn file(&self, head: &RequestHead<'_, '_>, now: Moment) -> Option<Answer> {
        self.0.file(head, now)
    }

    fn call(&self, peer: SocketAddr, request: Request<Incoming>) -> Answering {
        self.0.call(peer, request)
    }

    fn records(&self) -> bool {
        true
    }

    fn record(&self, record: &Record<'_>) {
        self.1.send((record.status.as_u16(), record.bytes)).unwrap();
    }
}

#[test]
fn what_is_told_is_what_was_sent() {
    let (folder, _) = folder();
    let path = folder.path().to_owned();
    let (sender, told) = std::sync::mpsc::channel();
    let server = Server::start(Settings::default(), move || {
        let later = || async {
            tokio::task::yield_now().await;
            "later"
        };
        let router = Router::new()
            .route("/hello", get(|| async { "hello" }))
            .route("/later", get(later))
            .route("/none", get(|| async { StatusCode::NO_CONTENT }))
            .route(
                "/wrong",
                get(|| async { ([("content-length", "9")], "five!") }),
            )
            .route("/count", post(count));
        Told(Layered::new("/s/", site(&path, "/s"), router), sender)
    });
    let chunked = "Transfer-Encoding: chunked\r\n\r\nz\r\n";
    for (request, expected) in [
        ("GET /s/small.txt", (200, 5)),
        ("HEAD /s/small.txt", (200, 0)),
        ("GET /s/large.bin", (200, 3_000_001)),
        ("HEAD /s/large.bin", (200, 0)),
        ("GET /hello", (200, 5)),
        ("HEAD /hello", (200, 0)),
        ("GET /later", (200, 5)),
        ("HEAD /later", (200, 0)),
        ("GET /none", (204, 0)),
        ("GET /wrong", (200, 0)),
    ] {
        let mut client = server.connect();
        client.send(format!("{request} HTTP/1.1\r\nHost: a\r\n"));
        client.send("Connection: close\r\n\r\n");
        let received = client.rest();
        let head = received.windows(4).position(|four| four == b"\r\n\r\n");
        let content = head.map_or(0, |head| received.len() - head - 4);
        assert_eq!(content as u64, expected.1, "{request}");
        assert_eq!(told.recv().unwrap(), expected, "{request}");
    }
    let mut client = server.connect();
    client.send(format!("POST /count HTTP/1.1\r\nHost: a\r\n{chunked}"));
    let (_, _, reason) = client.receive();
    assert_eq!(told.recv().unwrap(), (400, reason.len() as u64));
}

#[test]
fn a_client_that_asks_first_is_told_to_go_on() {
    let server = router();
    let mut client = server.connect();
    client.send(
        "POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n",
    );
    assert_eq!(client.receive_head().0, "HTTP/1.1 100 Continue");
    client.send("1234");
    assert_eq!(client.receive().2, b"4 bytes");
}

/// What came of a trailer section is kept until the rest of it comes, and nobody
/// waits for that but the service which reads it.
#[test]
fn half_a_trailer_section_holds_nobody_up() {
    let server = router();
    let mut slow = server.connect();
    slow.send(
        "POST /count HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
         3\r\nabc\r\n0\r\nX",
    );
    let mut other = server.connect();
    other.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(other.receive().2, b"hello");
    slow.send("-A: b\r");
    other.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(other.receive().2, b"hello");
    slow.send("\n\r\n");
    assert_eq!(slow.receive().2, b"3 bytes");
}

#[test]
fn a_stream_without_length_comes_in_chunks() {
    let server = router();
    let mut client = server.connect();
    client.send("GET /stream HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    let (_, fields) = client.receive_head();
    assert_eq!(field(&fields, "transfer-encoding"), Some("chunked"));
    let rest = String::from_utf8(client.rest()).unwrap();
    assert_eq!(rest, "4\r\none \r\n4\r\ntwo \r\n5\r\nthree\r\n0\r\n\r\n");
}

#[test]
fn files_are_answered_before_the_router() {
    let (folder, large) = folder();
    let path = folder.path().to_owned();
    let server = Server::start(Settings::default(), move || {
        let router = Router::new().route("/hello", get(|| async { "hello" }));
        Layered::new("/s/", site(&path, "/s"), router)
    });
    let mut client = server.connect();
    client
        .send("GET /s/large.bin HTTP/1.1\r\nHost: a\r\n\r\nGET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(client.receive().2 == large);
    assert_eq!(client.receive().2, b"hello");
}

/// Services that answer at once, that wait, that stream and that read what the client
/// has still to send, all asked for in one write.
#[test]
fn a_pipeline_of_services_is_answered_in_order() {
    let server = Server::start(Settings::default(), || {
        let stream = || async { in_pieces(&["one ", "two "]) };
        let later = || async {
            tokio::task::yield_now().await;
            "later"
        };
        let router = Router::new()
            .route("/count", post(count))
            .route("/hello", get(|| async { "hello" }))
            .route("/later", get(later))
            .route("/stream", get(stream));
        Tower::new(router)
    });
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
    let post = "POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n12345";
    let some = [
        get("/hello"),
        get("/hello"),
        get("/later"),
        post.to_owned(),
        get("/hello"),
        get("/none"),
        get("/hello"),
        post.to_owned(),
        get("/stream"),
        get("/hello"),
    ];
    let mut client = server.connect();
    client.send(some.concat().repeat(20));
    for _ in 0..20 {
        for content in [
            "hello", "hello", "later", "5 bytes", "hello", "", "hello", "5 bytes",
        ] {
            assert_eq!(client.receive().2, content.as_bytes());
        }
        let (_, fields) = client.receive_head();
        assert_eq!(field(&fields, "transfer-encoding"), Some("chunked"));
        let mut chunks = [0; "4\r\none \r\n4\r\ntwo \r\n0\r\n\r\n".len()];
        client.0.read_exact(&mut chunks).unwrap();
        assert!(chunks.ends_with(b"\r\n0\r\n\r\n"));
        assert_eq!(client.receive().2, b"hello");
    }
}

/// A client that is slow in any way holds its connection for a bounded time.
#[test]
fn slow_clients_are_let_go() {
    let (folder, _) = folder();
    let path = folder.path().to_owned();
    let settings = timed(Timeouts {
        idle: Duration::ZERO,
        head: Duration::ZERO,
        ..Timeouts::default()
    });
    let server = Server::start(settings, move || site(&path, ""));
    let mut idle = server.connect();
    assert_eq!(idle.rest(), b"");
    let mut slow = server.connect();
    slow.send("GET / HTTP/1.1\r\nHo");
    assert_eq!(slow.receive().0, "HTTP/1.1 408 Request Timeout");
    assert_eq!(slow.rest(), b"");
}

/// Tells when it is let go.
struct Held(std::sync::mpsc::Sender<()>);

impl Drop for Held {
    fn drop(&mut self) {
        // The test may have failed meanwhile.
        let _ = self.0.send(());
    }
}

/// Its socket is full, and nothing that could be read wakes who waits to write.
#[test]
fn a_client_that_does_not_read_is_let_go() {
    let settings = timed(Timeouts {
        write: Duration::ZERO,
        ..Timeouts::default()
    });
    let (sender, dropped) = std::sync::mpsc::channel();
    let server = Server::start(settings, move || {
        let endless = move || {
            let pieces = stream::unfold(Held(sender.clone()), |held| async {
                let piece = Bytes::from_static(&[b'x'; 4096]);
                Some((Ok::<_, Infallible>(piece), held))
            });
            std::future::ready(Body::from_stream(pieces))
        };
        Tower::new(Router::new().route("/endless", get(endless)))
    });
    let mut client = server.connect();
    client.send("GET /endless HTTP/1.1\r\nHost: a\r\n\r\n");
    // Only against a test that would hang.
    dropped.recv_timeout(Duration::from_secs(30)).unwrap();
}

/// Where heads may be long, the longest fits; one that is longer is refused.
#[test]
fn heads_may_be_longer_than_what_is_read_at_once() {
    let settings = limited(Limits {
        head_bytes: 150_000,
        ..Limits::default()
    });
    let server = Server::start(settings, || {
        Tower::new(Router::new().route("/hello", get(|| async { "hello" })))
    });
    let request = |length| {
        let value = "v".repeat(length);
        format!("GET /hello HTTP/1.1\r\nHost: a\r\nx-long: {value}\r\n\r\n")
    };
    let mut client = server.connect();
    client.send(request(149_900));
    assert_eq!(client.receive().2, b"hello");
    // One empty line may come before any request.
    for before in ["", "\r\n"] {
        let mut client = server.connect();
        client.send(before);
        client.send(request(150_000));
        assert_eq!(
            client.receive().0,
            "HTTP/1.1 431 Request Header Fields Too Large"
        );
    }
}

#[test]
fn a_server_that_drains_lets_idle_clients_go_and_finishes_the_others() {
    let (folder, large) = folder();
    let mut server = files(&folder);
    let mut idle = server.connect();
    idle.send("GET /small.txt HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(idle.receive().2, b"small");
    let mut busy = server.connect();
    busy.send("GET /large.bin HTTP/1.1\r\nHost: a\r\n\r\n");
    let (_, fields) = busy.receive_head();
    assert_eq!(field(&fields, "content-length"), Some("3000001"));
    server.stop();
    assert_eq!(idle.rest(), b"");
    assert!(busy.rest() == large);
    server.join();
}
