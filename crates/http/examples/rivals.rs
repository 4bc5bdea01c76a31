//! Servers to be measured beside this crate's: `rivals NAME ADDR FILE`.
//!
//! Each runs on one thread and answers from memory, the way its own documentation
//! would have it. `hyper` answers every target with the bytes of FILE; `axum` and
//! `tower` serve one and the same router, the first by `axum::serve`, the second by
//! this crate; `floor` answers with FILE too, and is no HTTP server, but what the kernel
//! demands of one. What is asked of them and what their figures mean is the benchmark's.

use axum::Router;
use axum::extract::Path;
use axum::routing::get;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Request, Response};
use http_body_util::Full;
use httpd::models::events;
use httpd::serve::{Settings, Tower};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, SocketFlags, accept_with, recv, send, sockopt};
use std::collections::HashMap;
use std::convert::Infallible;
use std::error::Error;
use std::net::TcpListener;
use std::os::fd::{AsRawFd, OwnedFd};
use tokio::runtime::{Builder, Runtime};

/// Requests that `floor` answers at once; the benchmark pipelines fewer.
const DEPTH: usize = 64;

/// Room for as many requests as wrk makes them.
const ROOM: usize = 16 * 1024;

/// Connections that one `epoll_wait` of `floor` tells of.
const WOKEN: usize = 256;

/// The listener among them, which has no descriptor's number.
const LISTENER: u64 = u64::MAX;

/// The answers of `floor`.
struct Floor {
    /// [`DEPTH`] times the same one.
    kept: Vec<u8>,
    length: usize,
    /// The one that ends a connection.
    last: Vec<u8>,
    received: Vec<u8>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name, address, file] = arguments.as_slice() else {
        return Err("usage: rivals hyper|axum|tower|floor ADDR FILE".into());
    };
    let listener = TcpListener::bind(address)?;
    match name.as_str() {
        "hyper" => hyper(listener, &Bytes::from(std::fs::read(file)?)),
        "axum" => axum(listener),
        "tower" => tower(listener),
        "floor" => floor(&listener, &std::fs::read(file)?),
        _ => Err(format!("no rival is called {name}").into()),
    }
}

/// hyper's connection on one event loop.
fn hyper(listener: TcpListener, content: &Bytes) -> Result<(), Box<dyn Error>> {
    let local = tokio::task::LocalSet::new();
    local.block_on(&one_loop()?, async {
        let listener = register(listener)?;
        let mut builder = http1::Builder::new();
        // All answers of one read in one write, as its pipelining is meant.
        builder.pipeline_flush(true);
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let content = content.clone();
            let service = service_fn(move |_: Request<Incoming>| {
                let mut response = Response::new(Full::new(content.clone()));
                let text = HeaderValue::from_static("text/plain; charset=utf-8");
                response.headers_mut().insert(CONTENT_TYPE, text);
                async move { Ok::<_, Infallible>(response) }
            });
            let connection = builder.serve_connection(TokioIo::new(stream), service);
            tokio::task::spawn_local(async move {
                // A client that leaves in between is no news.
                let _ = connection.await;
            });
        }
    })
}

fn axum(listener: TcpListener) -> Result<(), Box<dyn Error>> {
    one_loop()?.block_on(async { Ok(axum::serve(register(listener)?, router()).await?) })
}

fn tower(listener: TcpListener) -> Result<(), Box<dyn Error>> {
    let handler = Tower::new(router());
    let forever = std::future::pending();
    Ok(events::run(
        listener,
        handler,
        Settings::default(),
        forever,
    )?)
}

/// An epoll loop that asks nothing twice of the kernel: a connection is accepted with
/// its first request, which is most often there, and waited for only when it stays.
fn floor(listener: &TcpListener, content: &[u8]) -> Result<(), Box<dyn Error>> {
    listener.set_nonblocking(true)?;
    sockopt::set_tcp_nodelay(listener, true)?;
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let wait_for = |fd: &dyn std::os::fd::AsFd, number| {
        epoll::add(&epoll, fd, EventData::new_u64(number), EventFlags::IN)
    };
    wait_for(listener, LISTENER)?;
    let mut floor = Floor::new(content);
    let mut streams: HashMap<u64, OwnedFd> = HashMap::new();
    let mut woken = Vec::with_capacity(WOKEN);
    loop {
        epoll::wait(&epoll, spare_capacity(&mut woken), None)?;
        for event in woken.drain(..) {
            let number = event.data.u64();
            if let Some(stream) = streams.get(&number) {
                if !floor.answer(stream) {
                    streams.remove(&number);
                }
                continue;
            }
            let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
            while let Ok(stream) = accept_with(listener, flags) {
                if floor.answer(&stream) {
                    let number = u64::try_from(stream.as_raw_fd())?;
                    wait_for(&stream, number)?;
                    streams.insert(number, stream);
                }
            }
        }
    }
}

impl Floor {
    fn new(content: &[u8]) -> Self {
        let answer = |connection: &str| {
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\
                 Connection: {connection}\r\n\r\n",
                content.len()
            );
            [head.as_bytes(), content].concat()
        };
        let one = answer("keep-alive");
        Self {
            length: one.len(),
            kept: one.repeat(DEPTH),
            last: answer("close"),
            received: vec![0; ROOM],
        }
    }

    /// As many answers as empty lines have come: requests come whole, as wrk sends
    /// them. False when the connection is over.
    fn answer(&mut self, stream: &OwnedFd) -> bool {
        let received = match recv(stream, &mut self.received[..], RecvFlags::empty()) {
            Ok((0, _)) => return false,
            Ok((length, _)) => &self.received[..length],
            Err(error) => return error == Errno::AGAIN,
        };
        let (mut requests, mut closes) = (0, false);
        for line in received.split(|byte| *byte == b'\n') {
            requests += usize::from(line == b"\r");
            closes |= line == b"Connection: close\r";
        }
        let answers = match closes {
            true => &self.last[..],
            false => &self.kept[..requests.min(DEPTH) * self.length],
        };
        send(stream, answers, SendFlags::NOSIGNAL) == Ok(answers.len()) && !closes
    }
}

/// A small dynamic route: one extractor, one short text.
fn router() -> Router {
    let hello = |Path(name): Path<String>| async move { format!("hello {name}\n") };
    Router::new().route("/hello/{name}", get(hello))
}

fn one_loop() -> std::io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

fn register(listener: TcpListener) -> std::io::Result<tokio::net::TcpListener> {
    listener.set_nonblocking(true)?;
    tokio::net::TcpListener::from_std(listener)
}
