//! How long one connection holds its loop: everything here runs on one thread, so that
//! who had a turn can be counted.

use super::{TURNS_IN_A_ROW, serve};
use crate::files::{Answer, Moment};
use crate::h1::RequestHead;
use crate::serve::handler::{Answering, Handler, plain};
use crate::serve::incoming::Incoming;
use crate::serve::turn::{Settings, Turn};
use crate::serve::wire::TURN_BYTES;
use bytes::Bytes;
use futures_util::stream;
use http::{Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use std::cell::Cell;
use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::{LocalSet, spawn_local, yield_now};

/// Answers at once, and counts.
struct Counted(Rc<Cell<u32>>);

impl Handler for Counted {
    fn file(&self, _: &RequestHead<'_, '_>, _: Moment) -> Option<Answer> {
        None
    }

    fn call(&self, _: SocketAddr, _: Request<Incoming>) -> Answering {
        self.0.set(self.0.get() + 1);
        Box::pin(async { plain(StatusCode::OK) })
    }
}

/// Content that is always there; it counts what was asked for of it.
struct Ready(Arc<AtomicU64>);

const PIECE: &[u8] = &[b'x'; 4096];

/// How much there is: far more than a turn, and than sockets hold.
const CONTENT: u64 = 64 << 20;

impl Handler for Ready {
    fn file(&self, _: &RequestHead<'_, '_>, _: Moment) -> Option<Answer> {
        None
    }

    fn call(&self, _: SocketAddr, _: Request<Incoming>) -> Answering {
        let given = Arc::clone(&self.0);
        let pieces = stream::iter(std::iter::from_fn(move || {
            let before = given.fetch_add(PIECE.len() as u64, Ordering::Relaxed);
            (before < CONTENT).then(|| Ok(Frame::data(Bytes::from_static(PIECE))))
        }));
        let body = StreamBody::new(pieces).boxed_unsync();
        Box::pin(async { Response::new(body) })
    }
}

/// Its client takes it as fast as it comes, on a thread of its own.
#[test]
fn content_that_is_always_there_lets_others_have_their_turns() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let client = std::thread::spawn(move || {
        let mut client = std::net::TcpStream::connect(address).unwrap();
        let get = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        client.write_all(get).unwrap();
        std::io::copy(&mut client, &mut std::io::sink()).unwrap()
    });
    let given = Arc::new(AtomicU64::new(0));
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, async {
        let (accepted, peer) = listener.accept().unwrap();
        accepted.set_nonblocking(true).unwrap();
        let turn = Turn::new(Ready(Arc::clone(&given)), Settings::default());
        let serving = spawn_local(serve(turn, accepted, peer));
        let mut longest = 0;
        while !serving.is_finished() {
            let before = given.load(Ordering::Relaxed);
            yield_now().await;
            longest = longest.max(given.load(Ordering::Relaxed) - before);
        }
        assert!(longest <= 2 * TURN_BYTES, "{longest} in a row");
    });
    let received = client.join().unwrap();
    assert!(received > CONTENT, "{received} bytes came");
}

#[test]
fn a_long_pipeline_lets_others_have_their_turns() {
    const REQUESTS: u32 = 500;
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, async {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let (accepted, peer) = listener.accept().unwrap();
        accepted.set_nonblocking(true).unwrap();
        let request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        let pipeline = request.repeat(REQUESTS as usize);
        client.write_all(pipeline.as_bytes()).await.unwrap();

        let answered = Rc::new(Cell::new(0));
        let turn = Turn::new(Counted(Rc::clone(&answered)), Settings::default());
        spawn_local(serve(turn, accepted, peer));
        let mut longest = 0;
        while answered.get() < REQUESTS {
            let before = answered.get();
            yield_now().await;
            longest = longest.max(answered.get() - before);
        }
        assert!(longest > 1, "what one read brought is answered together");
        assert!(
            longest <= 2 * u32::from(TURNS_IN_A_ROW),
            "{longest} in a row"
        );

        let mut answers = vec![0; REQUESTS as usize];
        client.read_exact(&mut answers).await.unwrap();
        assert!(answers.starts_with(b"HTTP/1.1 200 OK\r\n"));
    });
}
