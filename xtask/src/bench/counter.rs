//! A TCP proxy on loopback that counts the bytes of both directions.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts what passes between its clients and one server.
#[derive(Debug, Clone)]
pub struct Counter {
    address: String,
    port: u16,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    up: AtomicU64,
    down: AtomicU64,
}

/// Bytes that passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Passed {
    /// From clients to the server.
    pub up: u64,
    /// From the server to clients.
    pub down: u64,
}

impl Passed {
    /// Both directions.
    pub fn total(self) -> u64 {
        self.up + self.down
    }
}

impl Counter {
    /// Listens on a free port and forwards to `server`, for as long as this
    /// program runs.
    ///
    /// # Errors
    /// When it cannot listen.
    pub fn start(server: &str) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let counts = Arc::new(Counts::default());
        let (server, shared) = (server.to_owned(), Arc::clone(&counts));
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // A server that is down looks like one to the client too.
                if let Ok(server) = TcpStream::connect(&server) {
                    forward(&client, &server, &shared);
                }
            }
        });
        Ok(Self {
            address: address.to_string(),
            port: address.port(),
            counts,
        })
    }

    /// Where it listens, as `host:port`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What passed since the last call.
    pub fn take(&self) -> Passed {
        Passed {
            up: self.counts.up.swap(0, Ordering::SeqCst),
            down: self.counts.down.swap(0, Ordering::SeqCst),
        }
    }
}

fn forward(client: &TcpStream, server: &TcpStream, counts: &Arc<Counts>) {
    for stream in [client, server] {
        // Only a delay more when it cannot be set.
        let _ = stream.set_nodelay(true);
    }
    let pairs = [(client, server, true), (server, client, false)];
    for (from, to, is_up) in pairs {
        let (Ok(from), Ok(to)) = (from.try_clone(), to.try_clone()) else {
            return;
        };
        let counts = Arc::clone(counts);
        std::thread::spawn(move || {
            pump(from, to, if is_up { &counts.up } else { &counts.down });
        });
    }
}

/// Copies until either side ends; then both hear of it.
fn pump(mut from: TcpStream, mut to: TcpStream, count: &AtomicU64) {
    let mut piece = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut piece) {
        count.fetch_add(length as u64, Ordering::SeqCst);
        if to.write_all(&piece[..length]).is_err() {
            break;
        }
    }
    // A stream that is already closed needs no closing.
    let _ = to.shutdown(Shutdown::Write);
    let _ = from.shutdown(Shutdown::Read);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_each_direction() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let counter = Counter::start(&server.local_addr().unwrap().to_string()).unwrap();
        let mut client = TcpStream::connect(counter.address()).unwrap();
        client.write_all(b"question").unwrap();
        client.shutdown(Shutdown::Write).unwrap();

        let mut accepted = server.accept().unwrap().0;
        let mut question = String::new();
        accepted.read_to_string(&mut question).unwrap();
        accepted.write_all(b"yes").unwrap();
        drop(accepted);

        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        assert_eq!((question.as_str(), answer.as_str()), ("question", "yes"));
        assert_eq!(counter.take(), Passed { up: 8, down: 3 });
        assert_eq!(counter.take().total(), 0);
    }
}
