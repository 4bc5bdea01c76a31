//! A client for what wrk cannot do: one connection that stays, is asked on at will,
//! and says what became of it.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::SMALL;

/// Nobody takes longer for one small file.
const LIMIT: Duration = Duration::from_secs(30);

/// A connection to a server.
pub struct Client {
    stream: TcpStream,
    request: Vec<u8>,
    received: Vec<u8>,
}

/// A response that was received whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    /// It is the last on its connection.
    pub closes: bool,
}

impl Client {
    /// Connects; nothing is asked yet.
    pub fn connect(address: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(LIMIT))?;
        Ok(Self {
            stream,
            request: format!("GET {SMALL} HTTP/1.1\r\nHost: {address}\r\n\r\n").into_bytes(),
            received: Vec::new(),
        })
    }

    /// From now on, [`Client::receive`] does not wait.
    pub fn never_wait(&self) -> io::Result<()> {
        self.stream.set_nonblocking(true)
    }

    /// Asks for the small file.
    pub fn ask(&mut self) -> io::Result<()> {
        self.stream.write_all(&self.request)
    }

    /// The next response; what came of it stays for the next call when it is not
    /// whole.
    pub fn receive(&mut self) -> io::Result<Response> {
        let mut piece = [0; 4096];
        loop {
            if let Some((response, length)) = parse(&self.received) {
                self.received.drain(..length);
                return Ok(response);
            }
            match self.stream.read(&mut piece)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => self.received.extend_from_slice(&piece[..read]),
            }
        }
    }
}

/// The response at the start of `received`, and how long it is; `None` when it is not
/// whole, or none that this can read.
fn parse(received: &[u8]) -> Option<(Response, usize)> {
    let end = received.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&received[..end]).ok()?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let (mut length, mut closes) = (0, false);
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        let value = value.trim();
        if name.eq_ignore_ascii_case("content-length") {
            length = value.parse().ok()?;
        } else if name.eq_ignore_ascii_case("connection") {
            closes = value.eq_ignore_ascii_case("close");
        }
    }
    let whole = end + 4 + length;
    (received.len() >= whole).then_some((Response { status, closes }, whole))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(received: &str, expected: Option<(u16, bool, usize)>) {
        let seen = parse(received.as_bytes());
        let seen = seen.map(|(response, length)| (response.status, response.closes, length));
        assert_eq!(seen, expected, "{received}");
    }

    #[test]
    fn a_response_is_known_when_it_is_whole() {
        check("HTTP/1.1 200 OK\r\n", None);
        check("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na", None);
        check(
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab",
            Some((200, false, 40)),
        );
        check(
            "HTTP/1.1 503 Busy\r\nconnection: close\r\n\r\nHTTP",
            Some((503, true, 40)),
        );
    }
}
