//! How long connections of a loop wait, as its watch sees it: no time passes here.

use super::{NEVER, Settings, Turn, Watched};
use crate::files::{Answer, Body, Fields, FileRange, Moment, Span};
use crate::h1::{RequestHead, Waiting};
use crate::models::Phase;
use crate::serve::connection;
use crate::serve::handler::{Answering, Handler, plain};
use crate::serve::incoming::Incoming;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use std::cell::RefCell;
use std::fs::File;
use std::future::Future;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::{LocalSet, spawn_local, yield_now};

/// An end that no clock of these tests gives.
const MARK: u32 = 7;

/// Answers, but not at once.
struct Later;

impl Handler for Later {
    fn file(&self, _: &RequestHead<'_, '_>, _: Moment) -> Option<Answer> {
        None
    }

    fn call(&self, _: SocketAddr, _: Request<Incoming>) -> Answering {
        Box::pin(async {
            yield_now().await;
            plain(StatusCode::OK)
        })
    }
}

/// Never answers.
struct Mute;

impl Handler for Mute {
    fn file(&self, _: &RequestHead<'_, '_>, _: Moment) -> Option<Answer> {
        None
    }

    fn call(&self, _: SocketAddr, _: Request<Incoming>) -> Answering {
        Box::pin(std::future::pending())
    }
}

/// Reads content until it has enough, and never answers.
#[derive(Clone, Default)]
struct Reader {
    /// What came of it.
    heard: Rc<RefCell<Vec<u8>>>,
    /// It shall let go of it.
    enough: Rc<Notify>,
}

impl Handler for Reader {
    fn file(&self, _: &RequestHead<'_, '_>, _: Moment) -> Option<Answer> {
        None
    }

    fn call(&self, _: SocketAddr, request: Request<Incoming>) -> Answering {
        let Self { heard, enough } = self.clone();
        Box::pin(async move {
            let mut content = request.into_body();
            let read = async {
                while let Some(Ok(piece)) = content.frame().await {
                    heard.borrow_mut().extend(piece.into_data().unwrap());
                }
            };
            tokio::select! {
                () = enough.notified() => {}
                () = read => {}
            }
            drop((content, enough));
            std::future::pending().await
        })
    }
}

/// Sends zeros, more than any socket takes at once.
struct Download(Arc<File>);

const ZEROS: u64 = 32 << 20;

impl Download {
    fn new() -> Self {
        let file = tempfile::tempfile().unwrap();
        file.set_len(ZEROS).unwrap();
        Self(Arc::new(file))
    }
}

impl Handler for Download {
    fn file(&self, _: &RequestHead<'_, '_>, _: Moment) -> Option<Answer> {
        let span = Span {
            offset: 0,
            length: ZEROS,
        };
        let file = Arc::clone(&self.0);
        Some(Answer {
            status: StatusCode::OK,
            fields: Fields::default(),
            length: ZEROS,
            body: Body::File(FileRange {
                file,
                span,
                tally: None,
            }),
            fault: None,
        })
    }

    fn call(&self, _: SocketAddr, _: Request<Incoming>) -> Answering {
        unreachable!("everything is a file")
    }
}

/// The client of the only connection of a loop.
struct Client<H> {
    turn: Rc<Turn<H>>,
    stream: TcpStream,
}

impl<H: Handler> Client<H> {
    async fn connect(handler: H) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap());
        let stream = stream.await.unwrap();
        let (accepted, peer) = listener.accept().unwrap();
        accepted.set_nonblocking(true).unwrap();
        let turn = Turn::new(handler, Settings::default());
        spawn_local(connection::serve(Rc::clone(&turn), accepted, peer));
        Self { turn, stream }
    }

    fn watched(&self) -> Rc<Watched> {
        self.turn.watched.borrow().open().next().unwrap()
    }

    fn deadline(&self) -> u32 {
        self.watched().deadline.get()
    }

    /// What is waited for now is to have come by [`MARK`].
    fn mark(&self, waiting: Waiting) {
        self.watched().awaited.set(Some((waiting, MARK)));
    }

    /// Sends what is not answered; gives the end of the wait for more.
    async fn send(&mut self, bytes: &str) -> u32 {
        self.watched().deadline.set(0);
        self.stream.write_all(bytes.as_bytes()).await.unwrap();
        while self.deadline() == 0 {
            yield_now().await;
        }
        self.deadline()
    }

    /// Sends what is answered; gives the end of the wait behind the answer.
    async fn ask(&mut self, bytes: &str) -> u32 {
        self.stream.write_all(bytes.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\nOK\n") {
            answer.push(self.stream.read_u8().await.unwrap());
        }
        // The connection did not stop between its answer and its next wait.
        self.deadline()
    }
}

fn run<H: Handler, F: Future<Output = ()>>(handler: H, test: impl FnOnce(Client<H>) -> F) {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, async {
        test(Client::connect(handler).await).await;
    });
}

#[track_caller]
fn is_new(deadline: u32) {
    assert!(deadline != MARK && deadline != NEVER, "{deadline}");
}

#[test]
fn a_head_has_one_time_and_each_head_its_own() {
    run(Later, |mut client| async move {
        is_new(client.send("GET / HTTP/1.1\r\nHo").await);
        client.mark(Waiting::Head);
        assert_eq!(client.send("s").await, MARK);
        // Behind an answer that took its time, the start of the next one.
        is_new(client.ask("t: a\r\n\r\nG").await);
        client.mark(Waiting::Head);
        assert_eq!(client.send("ET / HTTP/1.1\r\n").await, MARK);
        is_new(client.ask("Host: a\r\n\r\n").await);
        is_new(client.send("G").await);
    });
}

#[test]
fn content_that_nobody_wants_has_one_time() {
    run(Later, |mut client| async move {
        let post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n";
        for _ in 0..2 {
            is_new(client.ask(post).await);
            client.mark(Waiting::Body);
            assert_eq!(client.send("x").await, MARK);
            assert_eq!(client.send(&"x".repeat(98)).await, MARK);
            is_new(client.send("xG").await);
            is_new(client.ask("ET / HTTP/1.1\r\nHost: a\r\n\r\n").await);
        }
    });
}

#[test]
fn content_that_a_service_wants_has_its_time_for_each_piece() {
    let reader = Reader::default();
    let heard = Rc::clone(&reader.heard);
    run(reader, |mut client| async move {
        let post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n";
        is_new(client.send(post).await);
        is_new(client.send("x").await);
        is_new(client.send("yz").await);
        client.watched().deadline.set(0);
        client.turn.end_expired();
        assert_eq!(
            client.stream.read(&mut [0]).await.unwrap(),
            0,
            "it is cut off"
        );
        assert_eq!(*heard.borrow(), b"xyz");
    });
}

#[test]
fn content_that_a_service_wants_no_more_has_no_end() {
    let reader = Reader::default();
    let enough = Rc::clone(&reader.enough);
    run(reader, |mut client| async move {
        let post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n";
        is_new(client.send(post).await);
        enough.notify_one();
        while Rc::strong_count(&enough) > 2 {
            yield_now().await;
        }
        assert_eq!(client.deadline(), NEVER);
    });
}

/// Its answer said that the connection goes on, before anyone knew that it would not.
#[test]
fn a_download_that_outlasts_its_server_leaves_its_client_a_moment() {
    run(Download::new(), |mut client| async move {
        let get = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        client.stream.write_all(get).await.unwrap();
        while client.stream.read_u8().await.unwrap() != 0 {}
        client.turn.enter_phase(Phase::Ending);
        let mut rest = Vec::new();
        let mut left = (&mut client.stream).take(ZEROS - 1);
        left.read_to_end(&mut rest).await.unwrap();
        while !client.watched().is_idle.get() {
            yield_now().await;
        }
        let most = client.turn.seconds() + 2;
        assert!(client.deadline() <= most, "{}", client.deadline());
        client.stream.write_all(get).await.unwrap();
        while client.stream.read_u8().await.unwrap() != 0 {}
    });
}

#[test]
fn a_first_request_is_not_idle() {
    run(Mute, |mut client| async move {
        assert!(client.watched().is_idle.get());
        let post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n";
        client.stream.write_all(post.as_bytes()).await.unwrap();
        while client.turn.counts().requests == 0 {
            yield_now().await;
        }
        assert!(!client.watched().is_idle.get());
    });
}
