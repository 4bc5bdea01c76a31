//! How long one connection holds its loop: everything here runs on one thread, so that
//! who had a turn can be counted.

use super::{TURNS_IN_A_ROW, serve};
use crate::files::{Answer, Moment};
use crate::h1::RequestHead;
use crate::serve::handler::{Answering, Handler, plain};
use crate::serve::incoming::Incoming;
use crate::serve::turn::{Settings, Turn};
use http::{Request, StatusCode};
use std::cell::Cell;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
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
