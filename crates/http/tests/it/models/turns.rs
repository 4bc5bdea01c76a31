//! Who gets a turn: crowds, full queues, loads, and the last ones in line.

use super::{MODELS, Model, Running, receive, rest};
use axum::Router;
use axum::routing::get;
use httpd::models::{Counts, Phase, Protocol, Strategy};
use httpd::serve::{Handler, Settings, Tower, Turn};
use std::cell::Cell;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::rc::Rc;
use std::time::Duration;

fn hello(_: usize) -> std::io::Result<Rc<Turn<impl Handler>>> {
    let router = Router::new().route("/", get(|| async { "hello" }));
    Ok(Turn::new(Tower::new(router), Settings::default()))
}

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// One request; returns the head of the answer.
fn ask(stream: &mut TcpStream) -> String {
    stream.write_all(REQUEST).unwrap();
    answer(stream)
}

fn answer(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    assert_eq!(receive(stream, 5), "hello");
    String::from_utf8(head).unwrap().to_ascii_lowercase()
}

const ONE_WORKER: Model = Model::Threads {
    workers: 1,
    queue: 0,
};

/// A connection that has the only worker, once that has begun to wait for one.
fn served(server: &Running) -> TcpStream {
    loop {
        let mut client = server.connect();
        let mut start = [0; 12];
        let asked = client.write_all(REQUEST);
        if asked.and_then(|()| client.read_exact(&mut start)).is_ok() && start.ends_with(b"200") {
            answer(&mut client);
            return client;
        }
    }
}

#[test]
fn a_full_queue_is_said_before_anything_is_asked() {
    let server = ONE_WORKER.start(hello);
    let mut served = served(&server);
    for _ in 0..3 {
        let refused = rest(&mut server.connect());
        assert!(refused.starts_with("HTTP/1.1 503 "), "{refused}");
        assert!(refused.contains("retry-after: 1\r\n"), "{refused}");
        assert!(refused.ends_with("\r\n\r\nService Unavailable\n"));
        let (head, body) = refused.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("content-length: {}", body.len())));
    }
    // Whoever is refused after it asked sees the refusal too, and no reset.
    let mut asked = server.connect();
    asked.write_all(REQUEST).unwrap();
    assert!(rest(&mut asked).starts_with("HTTP/1.1 503 "));
    assert!(ask(&mut served).starts_with("http/1.1 200"));
}

/// More clients that keep their connections than can be served at the same time:
/// each gets its answer, though none of them ever goes away.
#[test]
fn a_crowd_is_served_in_turns() {
    let few = Model::Threads {
        workers: 2,
        queue: 64,
    };
    for model in [Model::Sequential, few] {
        let server = model.start(hello);
        let mut clients: Vec<_> = (0..8).map(|_| server.connect()).collect();
        for client in &mut clients {
            client.write_all(REQUEST).unwrap();
        }
        for client in &mut clients {
            assert!(answer(client).starts_with("http/1.1 200"), "{model:?}");
        }
    }
}

#[test]
fn a_request_that_was_sent_before_the_stop_is_answered() {
    for model in MODELS {
        let mut server = model.start(hello);
        let mut first = server.connect();
        assert!(!ask(&mut first).contains("connection: close"));
        // For some of the models these wait behind the first, in one queue or another.
        let mut others: Vec<_> = (0..5).map(|_| server.connect()).collect();
        for other in &mut others {
            other.write_all(REQUEST).unwrap();
        }
        server.stop();
        for other in &mut others {
            assert!(answer(other).starts_with("http/1.1 200"), "{model:?}");
            assert_eq!(rest(other), "", "{model:?}");
        }
        assert_eq!(rest(&mut first), "", "{model:?}");
        server.join().unwrap();
    }
}

/// Whoever finds the server stopped before it was even accepted has asked in time too.
#[test]
fn a_connection_that_waits_when_the_server_stops_is_served() {
    for model in MODELS {
        let listening = model.listen();
        let mut clients: Vec<_> = (0..5).map(|_| listening.connect()).collect();
        for client in &mut clients {
            client.write_all(REQUEST).unwrap();
        }
        // The server hears of its end before it looks at its listeners.
        let mut server = listening.start_stopped(model, hello);
        for client in &mut clients {
            assert!(answer(client).starts_with("http/1.1 200"), "{model:?}");
            assert_eq!(rest(client), "", "{model:?}");
        }
        server.join().unwrap();
    }
}

/// A client that keeps its connection busy learns of the stop from an answer, and
/// loses none.
#[test]
fn the_last_answer_says_so() {
    for model in MODELS {
        let mut server = model.start(hello);
        let mut client = server.connect();
        ask(&mut client);
        server.stop();
        while !ask(&mut client).contains("connection: close") {}
        assert_eq!(rest(&mut client), "", "{model:?}");
        server.join().unwrap();
    }
}

/// A client that takes its answer too slowly does not keep a server from ending.
#[test]
fn the_deadline_is_the_end() {
    let endless = |_: usize| {
        let much = || async { vec![b'x'; 64 << 20] };
        let router = Router::new().route("/", get(much));
        Ok(Turn::new(Tower::new(router), Settings::default()))
    };
    for model in MODELS {
        let mut server = model.start_until(Duration::from_millis(100), endless);
        let mut slow = server.connect();
        slow.write_all(REQUEST).unwrap();
        receive(&mut slow, 1000);
        server.stop();
        server.join().unwrap();
    }
}

#[test]
fn a_worker_that_cannot_begin_ends_the_server() {
    for model in MODELS {
        let mut server = model.start(|index| match index {
            0 => Err(std::io::Error::other("no such site")),
            index => hello(index),
        });
        assert_eq!(server.join().unwrap_err().to_string(), "no such site");
    }
}

/// Says which loop it is, and waits for the client to go.
struct Who {
    index: usize,
    counts: Cell<Counts>,
}

impl Protocol for Who {
    async fn serve(self: Rc<Self>, stream: TcpStream, _: SocketAddr) {
        let stream = tokio::net::TcpStream::from_std(stream).unwrap();
        stream.writable().await.unwrap();
        stream.try_write(&[self.index as u8]).unwrap();
        stream.readable().await.unwrap();
    }

    async fn watch(self: Rc<Self>) {}

    fn enter(&self, _: Phase) {}

    async fn emptied(&self) {}

    fn counts(&self) -> Counts {
        self.counts.get()
    }
}

#[test]
fn the_least_loaded_gets_the_next() {
    let model = Model::Events {
        workers: 4,
        strategy: Strategy::LeastLoaded,
    };
    let server = model.start(|index| {
        let counts = Cell::default();
        Ok(Rc::new(Who { index, counts }))
    });
    let who = |client: &mut TcpStream| {
        let mut index = [0];
        client.read_exact(&mut index).unwrap();
        usize::from(index[0])
    };
    let mut loads = [0; 4];
    let mut clients = Vec::new();
    for _ in 0..20 {
        let mut client = server.connect();
        loads[who(&mut client)] += 1;
        clients.push(client);
    }
    assert_eq!(loads, [5; 4]);
}
