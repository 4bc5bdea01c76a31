//! Thousands of clients that are slow in one way, and what the others notice.
//!
//! Healthy clients ask for the small file before and while the slow ones are there.
//! The slow ones move a byte a second each, spread over the second; one that the
//! server lets go comes again.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context;
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with, sockopt};

use super::load::{self, Load};
use super::servers::{Running, Server};
use super::table::{Figures, verdict};
use super::{Bench, LARGE, SMALL};

/// Healthy clients.
const HEALTHY: usize = 16;

/// The healthy clients' p99 may become so many times what it was.
const BAR: f64 = 2.0;

/// The slow ones are visited in so many groups, one after another, each second.
const GROUPS: usize = 100;
const PAUSE: Duration = Duration::from_millis(10);

/// What a slow reader has room for; the kernel takes no less.
const ROOM: usize = 4096;

/// In what a client is slow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Head,
    Body,
    Reader,
}

const KINDS: [(Kind, &str); 3] = [
    (Kind::Head, "sending a head"),
    (Kind::Body, "sending a body"),
    (Kind::Reader, "reading 1 MiB"),
];

const SERVERS: [Server; 3] = [Server::Atoll, Server::Nginx, Server::Lighttpd];

/// What came of the slow ones.
#[derive(Debug, Clone, Copy, Default)]
struct Crowd {
    /// Connections at the end.
    held: usize,
    /// Connections that the server ended.
    ended: usize,
}

/// The section of the report.
///
/// # Errors
/// When a server does not start, or refuses healthy clients.
pub fn run(bench: &Bench) -> anyhow::Result<String> {
    let count = bench.scale.slow_connections;
    let mut section = format!(
        "\n### Slow clients\n\n\
         {HEALTHY} healthy clients ask for the 1 KiB file, before and while {count} others are \
         slow; those move a byte a second.\n\n\
         | {count} are slow in | server | healthy p99 before | during | | requests/s before | \
         during | slow ones at the end | the server ended | bar | |\n\
         |---|---|---|---|---|---|---|---|---|---|---|\n"
    );
    for (kind, what) in KINDS {
        for server in SERVERS {
            eprintln!("Slow: {what}, {}", server.name());
            let running = server.start(bench)?;
            let before = healthy(&running, bench)?;
            let (during, crowd) = among_slow(&running, kind, bench)?;
            let ratio = during.p99 / before.p99;
            let (bar, verdict) = match server {
                Server::Atoll => (format!("≤ {BAR:.0} ×"), verdict(ratio <= BAR)),
                _ => (String::new(), ""),
            };
            section += &format!(
                "| {what} | {} | {:.2} ms | {:.2} ms | {ratio:.2} × | {:.0} | {:.0} | {} | {} \
                 | {bar} | {verdict} |\n",
                server.name(),
                before.p99 * 1e3,
                during.p99 * 1e3,
                before.rate,
                during.rate,
                crowd.held,
                crowd.ended,
            );
        }
    }
    Ok(section)
}

fn healthy(running: &Running, bench: &Bench) -> anyhow::Result<Figures> {
    let load = Load {
        connections: HEALTHY,
        ..Load::default()
    };
    load::look(running, &load, bench, bench.scale.glance)
}

/// What healthy clients see while the others are there.
fn among_slow(running: &Running, kind: Kind, bench: &Bench) -> anyhow::Result<(Figures, Crowd)> {
    let address = running.address();
    let mut slow = (0..bench.scale.slow_connections)
        .map(|_| begin(kind, address).map(Some))
        .collect::<io::Result<Vec<_>>>()
        .with_context(|| format!("{} refused a slow client", running.name()))?;
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let crowd = scope.spawn(|| dawdle(kind, address, &mut slow, &is_over));
        let figures = healthy(running, bench);
        is_over.store(true, Ordering::Relaxed);
        let crowd = crowd.join().unwrap_or_default();
        Ok((figures?, crowd))
    })
}

/// Visits all of them again and again until it is over.
fn dawdle(
    kind: Kind,
    address: &str,
    slow: &mut [Option<TcpStream>],
    is_over: &AtomicBool,
) -> Crowd {
    let group = slow.len().div_ceil(GROUPS).max(1);
    let mut ended = 0;
    while !is_over.load(Ordering::Relaxed) {
        for some in slow.chunks_mut(group) {
            for one in some {
                let moved = one.as_mut().is_some_and(|stream| step(kind, stream));
                if !moved {
                    ended += 1;
                    // One that finds no place tries again when its turn comes.
                    *one = begin(kind, address).ok();
                }
            }
            std::thread::sleep(PAUSE);
            if is_over.load(Ordering::Relaxed) {
                break;
            }
        }
    }
    Crowd {
        held: slow.iter().flatten().count(),
        ended,
    }
}

/// A client that has begun to be slow.
fn begin(kind: Kind, address: &str) -> io::Result<TcpStream> {
    let mut stream = match kind {
        Kind::Reader => connect_narrow(address)?,
        _ => TcpStream::connect(address)?,
    };
    let (method, target, rest) = match kind {
        Kind::Head => ("GET", SMALL, "X-Slow: "),
        Kind::Body => ("POST", SMALL, "Content-Length: 100000\r\n\r\n"),
        Kind::Reader => ("GET", LARGE, "\r\n"),
    };
    write!(
        stream,
        "{method} {target} HTTP/1.1\r\nHost: {address}\r\n{rest}"
    )?;
    stream.set_nonblocking(true)?;
    Ok(stream)
}

/// A connection that never has room for much: its window is small from the start.
fn connect_narrow(address: &str) -> io::Result<TcpStream> {
    let address: SocketAddr = address.parse().map_err(io::Error::other)?;
    // wrk, which is started meanwhile, must not have it too.
    let flags = SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
    sockopt::set_socket_recv_buffer_size(&socket, ROOM)?;
    connect(&socket, &address)?;
    Ok(TcpStream::from(socket))
}

/// Moves one byte; false when the server has ended the connection.
fn step(kind: Kind, stream: &mut TcpStream) -> bool {
    let mut byte = *b"s";
    let moved = match kind {
        Kind::Head | Kind::Body => stream.write(&byte),
        Kind::Reader => stream.read(&mut byte),
    };
    match moved {
        Ok(count) => count > 0,
        Err(error) => error.kind() == io::ErrorKind::WouldBlock,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn a_slow_client_moves_a_byte_and_sees_the_end() {
        for (kind, _) in KINDS {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
            let address = listener.local_addr().expect("an address").to_string();
            let mut client = begin(kind, &address).expect("a client");
            let (mut server, _) = listener.accept().expect("a connection");
            let mut head = [0; 16];
            server.read_exact(&mut head).expect("a request");
            assert!(step(kind, &mut client), "{kind:?} moves, or waits");
            drop(server);
            // The end may take a moment to be seen.
            while step(kind, &mut client) {}
        }
    }
}
