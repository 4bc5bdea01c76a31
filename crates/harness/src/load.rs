//! Clients of a web server that ask for one file all the time, while a test restarts it,
//! kills a part of it or lets another take over: no request may fail.
//!
//! They speak just enough HTTP/1.1 to tell an answer from a broken one, and repeat
//! nothing. Measuring is the benchmarks' business, not theirs.

use std::collections::BTreeSet;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Only against a test that would hang.
const PATIENCE: Duration = Duration::from_secs(60);

/// A client that keeps its connection as long as it may, and repeats nothing.
pub struct Client {
    address: SocketAddr,
    connection: Option<BufReader<TcpStream>>,
}

impl Client {
    /// Of the server at `address`; connects when it first asks.
    pub fn new(address: SocketAddr) -> Self {
        Self {
            address,
            connection: None,
        }
    }

    /// The content of `target`.
    ///
    /// # Errors
    /// When the connection fails or breaks off, or the answer is not 200 with a length.
    pub fn get(&mut self, target: &str) -> io::Result<Vec<u8>> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => {
                let stream = TcpStream::connect(self.address)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                BufReader::new(stream)
            }
        };
        let request = format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n");
        connection.get_mut().write_all(request.as_bytes())?;
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if connection.read_line(&mut head)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        let head = head.to_ascii_lowercase();
        let wrong = || io::Error::other(format!("{target} is answered with {head:?}"));
        let length = content_length(&head).ok_or_else(wrong)?;
        let mut content = vec![0; length];
        connection.read_exact(&mut content)?;
        if !head.contains("connection: close") {
            self.connection = Some(connection);
        }
        Ok(content)
    }

    /// All that comes over its connection until that ends; nothing if it has none.
    ///
    /// # Errors
    /// When the connection breaks off.
    pub fn rest(&mut self) -> io::Result<Vec<u8>> {
        let mut rest = Vec::new();
        if let Some(mut connection) = self.connection.take() {
            connection.read_to_end(&mut rest)?;
        }
        Ok(rest)
    }
}

/// The length of the content of a good answer, whose head is in lower case.
fn content_length(head: &str) -> Option<usize> {
    let (_, length) = head
        .strip_prefix("http/1.1 200")?
        .split_once("\r\ncontent-length: ")?;
    length.split("\r\n").next()?.parse().ok()
}

/// How many requests were answered so far.
#[derive(Default)]
pub struct Answered(AtomicU64);

impl Answered {
    /// The number.
    pub fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Waits until `count` more were answered.
    ///
    /// # Panics
    /// When they are not within a minute.
    pub fn wait_for(&self, count: u64) {
        let goal = self.count() + count;
        let start = Instant::now();
        while self.count() < goal {
            assert!(start.elapsed() < PATIENCE, "{} answers, no more", goal);
            std::thread::yield_now();
        }
    }
}

/// What clients got.
pub struct Load {
    /// How many answers.
    pub answers: u64,
    /// Which contents they had.
    pub contents: BTreeSet<Vec<u8>>,
}

/// Has `clients` ask `address` for `target` all the time while `during` runs.
///
/// # Panics
/// When `during` does, or a request fails.
pub fn under_load(
    clients: usize,
    address: SocketAddr,
    target: &str,
    during: impl FnOnce(&Answered),
) -> Load {
    let is_over = AtomicBool::new(false);
    let answered = Answered::default();
    let ask = || {
        let mut client = Client::new(address);
        let mut contents = BTreeSet::new();
        while !is_over.load(Ordering::Relaxed) {
            let content = client
                .get(target)
                .map_err(|error| format!("a request failed after {}: {error}", answered.count()))?;
            contents.insert(content);
            answered.0.fetch_add(1, Ordering::Relaxed);
        }
        Ok::<_, String>(contents)
    };
    let contents = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..clients).map(|_| scope.spawn(ask)).collect();
        {
            // Also if it panics: the clients would go on for ever.
            let _over = Over(&is_over);
            during(&answered);
        }
        let ended = clients.into_iter().map(|client| client.join());
        ended
            .flat_map(|contents| {
                let contents = contents.expect("a client that fails says so");
                contents.unwrap_or_else(|failure| panic!("{failure}"))
            })
            .collect()
    });
    Load {
        answers: answered.count(),
        contents,
    }
}

/// Tells the clients that it is over.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
