//! Encrypted connections: both versions of HTTP over real handshakes, with clients
//! that trust the server's certificate and nothing else.

use axum::body::Bytes;
use axum::routing::{get, post};
use axum::{Extension, Router};
use futures_util::stream::{self, StreamExt};
use http::header::{CONTENT_LENGTH, HeaderName};
use http::{Method, Request, Response, StatusCode, Version};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use httpd::files::{
    Answer, Body, Fields, FileRange, Links, Moment, Options, Root, Site, Span, Tally,
};
use httpd::h1::RequestHead;
use httpd::models::events;
use httpd::serve::{
    Answering, Files, Handler, Incoming, Layered, Record, Settings, Timeouts, Turn,
};
use httpd::tls::{Acceptor, Certificates, Identity};
use httpd::websocket::{self, Refusal};
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::convert::Infallible;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio_tungstenite::tungstenite::{self, Message};

type Told = (Option<String>, u64);

/// A server of a folder and a router, with a certificate of its own.
pub struct Server {
    address: SocketAddr,
    folder: TempDir,
    acceptor: Acceptor,
    /// What was sent of each `/huge` whose answer is over.
    counted: mpsc::Receiver<u64>,
    /// What was asked and how much was sent, of every answer as the log has it.
    told: mpsc::Receiver<Told>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What the folder has: a small and a large file.
fn large() -> Vec<u8> {
    (0..3_000_001_u32).map(|n| (n % 251) as u8).collect()
}

fn identity(folder: &Path, name: &str) -> Identity {
    let path = folder.join(format!("{name}.pem"));
    Identity::kept(&path, &[name.to_owned()]).unwrap()
}

impl Server {
    pub fn start() -> Self {
        Self::with(Settings::default())
    }

    pub fn with(settings: Settings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("small.txt"), "small").unwrap();
        std::fs::write(folder.path().join("large.bin"), large()).unwrap();
        let certificates = Certificates::new(identity(folder.path(), "localhost"))
            .with("Other.Example", identity(folder.path(), "other.example"));
        let acceptor = Acceptor::new(certificates).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let (path, secure) = (folder.path().to_owned(), acceptor.clone());
        let (counts, counted) = mpsc::channel();
        let (tells, told) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            let stop = async move { drop(stopped.await) };
            let make = move |_| -> std::io::Result<Rc<Turn<Guarded>>> {
                let handler = Guarded(handler(&path, counts.clone()), tells.clone());
                Ok(Turn::secured(handler, settings, secure.clone()))
            };
            let shape = events::Settings::default();
            events::run_all(vec![listener], 1, make, shape, stop).unwrap();
        });
        Self {
            address,
            folder,
            acceptor,
            counted,
            told,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// A client that trusts the certificate for `name` and speaks `protocols`.
    pub fn client(&self, name: &str, protocols: &[&[u8]]) -> ClientConfig {
        let path = self.folder.path().join(format!("{name}.pem"));
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_file(path).unwrap())
            .unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        config
    }

    /// A connection for HTTP/1.1.
    pub fn connect(&self) -> StreamOwned<ClientConnection, TcpStream> {
        self.connect_as("localhost", self.client("localhost", &[b"http/1.1"]))
    }

    pub fn connect_as(
        &self,
        name: &'static str,
        config: ClientConfig,
    ) -> StreamOwned<ClientConnection, TcpStream> {
        let name = ServerName::try_from(name).unwrap();
        let connection = ClientConnection::new(Arc::new(config), name).unwrap();
        let socket = TcpStream::connect(self.address).unwrap();
        // Only against a test that would hang.
        socket
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        StreamOwned::new(connection, socket)
    }

    fn stop(&mut self) {
        drop(self.stop.take());
    }

    fn join(&mut self) {
        self.thread.take().unwrap().join().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Says that one path is asked for too often.
struct Guarded(Layered<Router>, mpsc::Sender<Told>);

impl Handler for Guarded {
    fn screen(&self, _: SocketAddr, head: &RequestHead<'_, '_>, _: Moment) -> Option<Answer> {
        let is_refused = head.target().path() == "/busy";
        is_refused.then(|| Answer {
            status: StatusCode::TOO_MANY_REQUESTS,
            fields: Fields::default(),
            length: 5,
            body: Body::Bytes(Bytes::from("later")),
            fault: None,
        })
    }

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
        let asked = record.asked.map(|asked| {
            let (method, target, version) = (asked.method, asked.target, asked.version);
            format!("{method} {target} {version:?}")
        });
        // The test may have failed meanwhile.
        let _ = self.1.send((asked, record.bytes));
    }
}

/// Files beneath `/s/`, a router for the rest.
fn handler(folder: &Path, counted: mpsc::Sender<u64>) -> Layered<Router> {
    let root = Arc::new(Root::open(folder, Links::default()).unwrap());
    let options = Options {
        prefix: "/s".to_owned(),
        ..Options::default()
    };
    let files = Files::new(Site::new(root, Arc::new(options), 7).unwrap());
    let count = |content: Bytes| async move { format!("{} bytes", content.len()) };
    let host = |headers: http::HeaderMap| async move {
        let text = |name: &str| {
            headers
                .get(name)
                .map(|value| value.to_str().unwrap().to_owned())
        };
        format!("{:?} {:?}", text("host"), text("cookie"))
    };
    let router = Router::new()
        .route("/count", post(count))
        .route("/host", get(host))
        .route("/huge", get(move || async move { huge(counted.clone()) }))
        .route("/nothing", get(nothing))
        .route("/socket", get(socket));
    Layered::new("/s/", files, router)
}

/// Content that is always there and never has a byte.
async fn nothing() -> axum::body::Body {
    let pieces = stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::new()));
    axum::body::Body::from_stream(pieces)
}

/// Far more than sockets and windows hold.
const HUGE: u64 = 64 << 20;

/// Counts what is sent, and tells it when nothing more is.
#[derive(Debug)]
struct Counted(AtomicU64, mpsc::Sender<u64>);

impl Tally for Counted {
    fn add(&self, bytes: u64) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        // The test may have failed meanwhile.
        let _ = self.1.send(*self.0.get_mut());
    }
}

/// A run of a file, as services answer it to an engine that sends files itself.
fn huge(counted: mpsc::Sender<u64>) -> ([(HeaderName, String); 1], Extension<FileRange>) {
    let file = tempfile::tempfile().unwrap();
    file.set_len(HUGE).unwrap();
    let range = FileRange {
        file: Arc::new(file),
        span: Span {
            offset: 0,
            length: HUGE,
        },
        tally: Some(Arc::new(Counted(AtomicU64::new(0), counted))),
    };
    ([(CONTENT_LENGTH, HUGE.to_string())], Extension(range))
}

/// A handler that opens a WebSocket, as a router's handlers do.
async fn socket(request: axum::extract::Request) -> axum::response::Response {
    let (request, _) = request.into_parts();
    websocket::handshake(&request, &[], websocket::same_origin)
        .and_then(|handshake| {
            let settings = websocket::Settings::default();
            websocket::accept(&request, handshake, settings, websocket::echo)
        })
        .unwrap_or_else(Refusal::response)
}

fn ask(server: &Server, request: impl AsRef<[u8]>) -> Vec<u8> {
    let mut stream = server.connect();
    stream.write_all(request.as_ref()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    answer
}

/// The content of the only response in `answer`.
fn content(answer: &[u8]) -> &[u8] {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
    &answer[end.unwrap() + 4..]
}

#[test]
fn http_1_1_is_the_same_over_tls() {
    let server = Server::start();
    let get = |path: &str, more: &str| format!("GET {path} HTTP/1.1\r\nHost: a\r\n{more}\r\n");
    let last = "Connection: close\r\n";
    assert_eq!(content(&ask(&server, get("/s/small.txt", last))), b"small");
    assert!(content(&ask(&server, get("/s/large.bin", last))) == large());
    let host = ask(&server, get("/host", last));
    assert_eq!(content(&host), b"Some(\"a\") None");

    let head =
        "POST /count HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 300000\r\n\r\n";
    let mut post = head.as_bytes().to_vec();
    post.extend(std::iter::repeat_n(b'x', 300_000));
    assert_eq!(content(&ask(&server, post)), b"300000 bytes");

    let pipeline = [
        get("/s/small.txt", ""),
        get("/s/large.bin", "Range: bytes=0-99999\r\n"),
        get("/s/small.txt", last),
    ];
    let answers = ask(&server, pipeline.concat());
    let bodies = [b"small".as_slice(), &large()[..100_000], b"small"];
    let mut rest = answers.as_slice();
    for body in bodies {
        rest = content(rest);
        assert!(rest.starts_with(body));
        rest = &rest[body.len()..];
    }
    assert_eq!(rest, b"");
}

#[test]
fn a_host_has_its_certificate_and_may_get_another() {
    let server = Server::start();
    let greet = |name: &'static str, trusted: &str| {
        let mut stream = server.connect_as(name, server.client(trusted, &[]));
        stream.write_all(b"GET /s/small.txt HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")?;
        stream.read_to_end(&mut Vec::new())
    };
    greet("localhost", "localhost").unwrap();
    greet("other.example", "other.example").unwrap();
    let refused = greet("other.example", "localhost").unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InvalidData, "{refused}");
    let path = server.folder.path().join("new.pem");
    let new = Identity::kept(&path, &["localhost".to_owned()]).unwrap();
    server.acceptor.replace(Certificates::new(new));
    greet("localhost", "localhost").unwrap_err();
    greet("localhost", "new").unwrap();
}

#[test]
fn what_is_no_handshake_ends() {
    let settings = Settings {
        timeouts: Timeouts {
            handshake: Duration::ZERO,
            ..Timeouts::default()
        },
        ..Settings::default()
    };
    let mut server = Server::with(settings);
    let half = [0x16, 3, 1, 2, 0, 1].as_slice();
    for sent in [half, b"\0GET / HTTP/1.1\r\n\r\n", b""] {
        let mut stream = TcpStream::connect(server.address).unwrap();
        stream.write_all(sent).unwrap();
        let mut answer = Vec::new();
        // An alert, or nothing.
        stream.read_to_end(&mut answer).unwrap_or_default();
        assert!(answer.len() < 10, "{answer:?}");
    }
    server.stop();
    server.join();
}

/// However much of it comes, and however it is cut.
#[test]
fn http_in_clear_is_told_where_it_is() {
    let mut server = Server::start();
    let long = format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(100_000));
    for sent in [
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "G",
        "PRI * HTTP/2.0\r\n",
        &long,
    ] {
        let mut stream = TcpStream::connect(server.address).unwrap();
        stream.write_all(sent.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, content) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{head}");
        assert!(head.contains("\r\nconnection: close\r\n"), "{head}");
        assert!(head.contains("\r\ndate: "), "{head}");
        assert!(content.contains("https://"), "{content}");
        let length = format!("\r\ncontent-length: {}\r\n", content.len());
        assert!(head.contains(&length), "{head}");
    }
    server.stop();
    server.join();
}

#[test]
fn a_server_that_drains_says_goodbye() {
    let mut server = Server::start();
    let mut idle = server.connect();
    idle.write_all(b"GET /s/small.txt HTTP/1.1\r\nHost: a\r\n\r\n")
        .unwrap();
    let mut answer = [0; 64];
    let read = idle.read(&mut answer).unwrap();
    assert!(answer[..read].starts_with(b"HTTP/1.1 200 OK"));
    server.stop();
    // A cut without the alert would be an error.
    idle.read_to_end(&mut Vec::new()).unwrap();
    server.join();
}

/// A client of HTTP/2 in a runtime of its own.
struct Http2<B = Full<Bytes>> {
    runtime: tokio::runtime::Runtime,
    sender: SendRequest<B>,
}

impl<B> Http2<B>
where
    B: http_body::Body<Data = Bytes, Error = Infallible> + Send + Unpin + 'static,
{
    fn connect(server: &Server) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let config = server.client("localhost", &[b"h2", b"http/1.1"]);
        let sender = runtime.block_on(async {
            let socket = tokio::net::TcpStream::connect(server.address)
                .await
                .unwrap();
            let name = ServerName::try_from("localhost").unwrap();
            let stream = tokio_rustls::TlsConnector::from(Arc::new(config))
                .connect(name, socket)
                .await
                .unwrap();
            assert_eq!(stream.get_ref().1.alpn_protocol(), Some(b"h2".as_slice()));
            let (sender, connection) =
                hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
                    .await
                    .unwrap();
            tokio::spawn(connection);
            sender
        });
        Self { runtime, sender }
    }

    fn send(&self, request: Request<B>) -> Response<Bytes> {
        let mut sender = self.sender.clone();
        self.runtime.block_on(async {
            let (head, body) = sender.send_request(request).await.unwrap().into_parts();
            Response::from_parts(head, body.collect().await.unwrap().to_bytes())
        })
    }
}

fn request(method: Method, path: &str, content: impl Into<Bytes>) -> Request<Full<Bytes>> {
    Request::builder()
        .method(method)
        .uri(format!("https://localhost{path}"))
        .body(Full::new(content.into()))
        .unwrap()
}

#[test]
fn http_2_has_the_same_handlers() {
    let server = Server::start();
    let client = Http2::connect(&server);
    let get = |path: &str| client.send(request(Method::GET, path, ""));

    let small = get("/s/small.txt");
    assert_eq!(
        (small.status(), small.version()),
        (StatusCode::OK, Version::HTTP_2)
    );
    assert_eq!(small.body(), "small");
    assert_eq!(small.headers()["content-length"], "5");
    assert_eq!(small.headers()["content-type"], "text/plain; charset=utf-8");
    assert!(small.headers().contains_key("date"));
    assert!(*get("/s/large.bin").body() == large());
    assert_eq!(get("/s/none").status(), StatusCode::NOT_FOUND);

    let mut conditional = request(Method::GET, "/s/small.txt", "");
    let tag = small.headers()["etag"].clone();
    conditional.headers_mut().insert("if-none-match", tag);
    let answer = client.send(conditional);
    assert_eq!(answer.status(), StatusCode::NOT_MODIFIED);
    assert!(!answer.headers().contains_key("content-length"));

    let head = client.send(request(Method::HEAD, "/s/large.bin", ""));
    assert_eq!(head.headers()["content-length"], "3000001");

    let mut range = request(Method::GET, "/s/large.bin", "");
    let value = http::HeaderValue::from_static("bytes=5-9, 20000-20029");
    range.headers_mut().insert("range", value);
    let answer = client.send(range);
    assert_eq!(answer.status(), StatusCode::PARTIAL_CONTENT);
    for part in [&large()[5..10], &large()[20_000..20_030]] {
        assert!(
            answer
                .body()
                .windows(part.len())
                .any(|window| window == part)
        );
    }

    let answer = client.send(request(Method::POST, "/count", vec![b'x'; 1_500_000]));
    assert_eq!(answer.body(), "1500000 bytes");

    let mut cookies = request(Method::GET, "/host", "");
    for cookie in ["a=1", "b=2"] {
        let cookie = http::HeaderValue::from_static(cookie);
        cookies.headers_mut().append("cookie", cookie);
    }
    let answer = client.send(cookies);
    assert_eq!(answer.body(), "Some(\"localhost\") Some(\"a=1; b=2\")");
}

/// The rules of HTTP/1.1 hold: a host has one value.
#[test]
fn what_is_refused_over_http_2_is_told() {
    let server = Server::start();
    let client = Http2::connect(&server);
    let mut double = request(Method::GET, "/s/small.txt?a", "");
    let other = http::HeaderValue::from_static("other");
    double.headers_mut().insert("host", other);
    let answer = client.send(double);
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    let asked = Some("GET /s/small.txt?a HTTP/2.0".to_owned());
    // Only against a test that would hang.
    let told = server.told.recv_timeout(Duration::from_secs(30)).unwrap();
    assert_eq!(told, (asked, answer.body().len() as u64));
}

/// Whoever answers: files, the guard, a service, or the rules of HTTP.
#[test]
fn head_has_no_content_over_http_2_either() {
    let server = Server::start();
    let client = Http2::connect(&server);
    for (path, host) in [
        ("/s/small.txt", None),
        ("/s/none", None),
        ("/busy", None),
        ("/host", None),
        ("/s/small.txt", Some("other")),
    ] {
        let ask = |method| {
            let mut request = request(method, path, "");
            if let Some(host) = host {
                let host = http::HeaderValue::from_static(host);
                request.headers_mut().insert("host", host);
            }
            client.send(request)
        };
        let (get, head) = (ask(Method::GET), ask(Method::HEAD));
        assert!(!get.body().is_empty(), "{path}");
        assert_eq!(head.body(), "", "{path}");
        assert_eq!(head.status(), get.status(), "{path}");
        for name in ["content-length", "content-type"] {
            assert_eq!(head.headers().get(name), get.headers().get(name), "{path}");
        }
    }
}

#[test]
fn a_file_of_a_service_is_held_and_counted_until_its_answer_ends() {
    let server = Server::start();
    let client = Http2::connect(&server);
    let ask = || {
        let mut sender = client.sender.clone();
        let request = request(Method::GET, "/huge", "");
        client
            .runtime
            .block_on(async move { sender.send_request(request).await.unwrap() })
    };
    let mut content = ask().into_body();
    client.runtime.block_on(content.frame()).unwrap().unwrap();
    let early = server.counted.try_recv();
    assert_eq!(early, Err(mpsc::TryRecvError::Empty), "it is being sent");
    // The client resets the stream when it is heard next.
    drop(content);
    let whole = ask().into_body().collect();
    assert_eq!(
        client.runtime.block_on(whole).unwrap().to_bytes().len() as u64,
        HUGE
    );
    let counted: Vec<u64> = server.counted.iter().take(2).collect();
    assert!((1..HUGE).contains(&counted[0]), "{counted:?}");
    assert_eq!(counted[1], HUGE);
    let told: Vec<u64> = server.told.iter().take(2).map(|told| told.1).collect();
    assert_eq!(told, counted);

    let mut stream = server.connect();
    stream
        .write_all(b"GET /huge HTTP/1.1\r\nHost: a\r\n\r\n")
        .unwrap();
    stream.read_exact(&mut [0; 1000]).unwrap();
    drop(stream);
    let counted = server.counted.recv().unwrap();
    assert!((1..HUGE).contains(&counted), "{counted}");
    assert_eq!(server.told.recv().unwrap().1, counted);
}

#[test]
fn content_of_http_2_that_stops_is_not_waited_for() {
    let server = Server::with(Settings {
        timeouts: Timeouts {
            body: Duration::ZERO,
            ..Timeouts::default()
        },
        ..Settings::default()
    });
    let client = Http2::connect(&server);
    let start = stream::iter([Ok(Frame::data(Bytes::from("some of it")))]);
    let content = StreamBody::new(start.chain(stream::pending()));
    let answer = client.send(request(Method::POST, "/count", "").map(|_| content));
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
}

#[test]
fn a_service_that_says_nothing_for_ever_leaves_others_of_http_2_their_turns() {
    let server = Server::start();
    let client = Http2::connect(&server);
    let mut sender = client.sender.clone();
    let asked = sender.send_request(request(Method::GET, "/nothing", ""));
    let nothing = client.runtime.block_on(asked).unwrap();
    assert_eq!(nothing.status(), StatusCode::OK);
    let other = Http2::connect(&server);
    let answer = other.send(request(Method::GET, "/s/small.txt", ""));
    assert_eq!(answer.body(), "small");
    drop(nothing);
}

#[test]
fn many_requests_share_a_connection_of_http_2() {
    let server = Server::start();
    let client = Http2::connect(&server);
    let expected = &large()[..100_000];
    client.runtime.block_on(async {
        let mut asked = tokio::task::JoinSet::new();
        for _ in 0..200 {
            let mut sender = client.sender.clone();
            asked.spawn(async move {
                let mut request = request(Method::GET, "/s/large.bin", "");
                let range = http::HeaderValue::from_static("bytes=0-99999");
                request.headers_mut().insert("range", range);
                let answer = sender.send_request(request).await;
                answer
                    .unwrap()
                    .into_body()
                    .collect()
                    .await
                    .unwrap()
                    .to_bytes()
            });
        }
        while let Some(answer) = asked.join_next().await {
            assert!(answer.unwrap() == expected);
        }
    });
}

#[test]
fn a_connection_of_http_2_drains_and_ends_when_idle() {
    let mut server = Server::start();
    let client = Http2::connect(&server);
    let small = || request(Method::GET, "/s/small.txt", "");
    assert_eq!(client.send(small()).body(), "small");
    server.stop();
    let mut sender = client.sender.clone();
    client.runtime.block_on(async {
        // The client goes on answering meanwhile.
        tokio::task::spawn_blocking(move || server.join())
            .await
            .unwrap();
        sender.send_request(small()).await.unwrap_err();
    });

    let settings = Settings {
        timeouts: Timeouts {
            head: Duration::ZERO,
            idle: Duration::ZERO,
            linger: Duration::ZERO,
            ..Timeouts::default()
        },
        ..Settings::default()
    };
    let mut server = Server::with(settings);
    let client = <Http2>::connect(&server);
    client.runtime.block_on(async {
        let mut sender = client.sender.clone();
        // Ends with its connection.
        while sender.ready().await.is_ok() {
            tokio::task::yield_now().await;
        }
    });
    server.stop();
    server.join();
}

#[test]
fn a_websocket_is_opened_over_tls_and_http_1_1_only() {
    let mut server = Server::start();
    let (mut socket, _) = tungstenite::client("ws://localhost/socket", server.connect()).unwrap();
    for message in [Message::text("κόσμε"), Message::binary(vec![7; 1 << 20])] {
        socket.send(message.clone()).unwrap();
        assert_eq!(socket.read().unwrap(), message);
    }
    let client = Http2::connect(&server);
    let refused = client.send(request(Method::GET, "/socket", ""));
    assert_eq!(refused.status(), StatusCode::UPGRADE_REQUIRED);
    drop(client);

    server.stop();
    assert!(matches!(socket.read().unwrap(), Message::Close(Some(_))));
    // It answers, and then it is over.
    assert!(socket.read().is_err());
    drop(socket);
    server.join();
}

/// The records of the client's next words.
fn sealed(client: &mut ClientConnection, words: &str) -> Vec<u8> {
    client.writer().write_all(words.as_bytes()).unwrap();
    let mut records = Vec::new();
    while client.wants_write() {
        client.write_tls(&mut records).unwrap();
    }
    records
}

/// What comes before the 101 is refused, also when it cannot be opened yet.
#[test]
fn the_start_of_a_record_comes_too_early_as_well() {
    let server = Server::start();
    let request = "GET /socket HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\
        Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
        Sec-WebSocket-Version: 13\r\n\r\n";
    let status = |early: usize| {
        let mut stream = server.connect();
        stream.conn.complete_io(&mut stream.sock).unwrap();
        let mut sent = sealed(&mut stream.conn, request);
        let next = sealed(&mut stream.conn, "early");
        sent.extend(&next[..early.min(next.len())]);
        stream.sock.write_all(&sent).unwrap();
        let mut status = [0; 12];
        stream.read_exact(&mut status).unwrap();
        String::from_utf8_lossy(&status).into_owned()
    };
    assert_eq!(status(0), "HTTP/1.1 101");
    for early in [1, 4, 5, 6, 20, usize::MAX] {
        assert_eq!(status(early), "HTTP/1.1 400", "{early} bytes");
    }
}
