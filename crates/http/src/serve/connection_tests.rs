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

/// Content that is always there: so many pieces, which count themselves as they are asked
/// for.
struct Ready {
    piece: &'static [u8],
    pieces: u64,
    given: Arc<AtomicU64>,
}

impl Handler for Ready {
    fn file(&self, _: &RequestHead<'_, '_>, _: Moment) -> Option<Answer> {
        None
    }

    fn call(&self, _: SocketAddr, _: Request<Incoming>) -> Answering {
        let (piece, pieces, given) = (self.piece, self.pieces, Arc::clone(&self.given));
        let content = stream::iter(std::iter::from_fn(move || {
            let before = given.fetch_add(1, Ordering::Relaxed);
            (before < pieces).then(|| Ok(Frame::data(Bytes::from_static(piece))))
        }));
        let body = StreamBody::new(content).boxed_unsync();
        Box::pin(async { Response::new(body) })
    }
}

/// Serves one client, who takes it as fast as it comes on a thread of its own: how many
/// pieces were asked for in a row at most, and how many bytes came.
fn longest_turn(piece: &'static [u8], pieces: u64) -> (u64, u64) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let client = std::thread::spawn(move || {
        let mut client = std::net::TcpStream::connect(address).unwrap();
        let get = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        client.write_all(get).unwrap();
        std::io::copy(&mut client, &mut std::io::sink()).unwrap()
    });
    let given = Arc::new(AtomicU64::new(0));
    let ready = Ready {
        piece,
        pieces,
        given: Arc::clone(&given),
    };
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().build().unwrap();
    let mut longest = 0;
    LocalSet::new().block_on(&runtime, async {
        let (accepted, peer) = listener.accept().unwrap();
        accepted.set_nonblocking(true).unwrap();
        let turn = Turn::new(ready, Settings::default());
        let serving = spawn_local(serve(turn, accepted, peer));
        while !serving.is_finished() {
            let before = given.load(Ordering::Relaxed);
            yield_now().await;
            longest = longest.max(given.load(Ordering::Relaxed) - before);
        }
    });
    (longest, client.join().unwrap())
}

#[test]
fn content_that_is_always_there_lets_others_have_their_turns() {
    const PIECE: &[u8] = &[b'x'; 4096];
    // Far more than a turn, and than sockets hold.
    const PIECES: u64 = 16 << 10;
    let (longest, received) = longest_turn(PIECE, PIECES);
    let bytes = longest * PIECE.len() as u64;
    assert!(bytes <= 2 * TURN_BYTES, "{bytes} in a row");
    assert!(
        received > PIECES * PIECE.len() as u64,
        "{received} bytes came"
    );
}

#[test]
fn content_without_bytes_lets_others_have_their_turns() {
    let (longest, _) = longest_turn(&[], 10_000);
    assert!(longest <= 2, "{longest} in a row");
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
