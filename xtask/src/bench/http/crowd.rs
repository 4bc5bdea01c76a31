//! Clients that are slow in one way: each moves a byte when it is told to.
//!
//! No call here waits: one who moves thousands of them, on time, is `driver`. One that
//! the server lets go comes again.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};

use anyhow::Context;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with, sockopt};

use super::{LARGE, SMALL};

/// What a slow reader has room for; the kernel takes no less.
const ROOM: usize = 4096;

/// In what a client is slow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Head,
    Body,
    Reader,
}

/// All slow clients of a server.
pub struct Crowd {
    kind: Kind,
    address: SocketAddr,
    /// What each of them begins with.
    request: String,
    /// None where the server could not be reached.
    clients: Vec<Option<Slow>>,
    ended: usize,
}

/// One of them.
struct Slow {
    stream: TcpStream,
    /// Its connection stands, and it has sent what it begins with.
    has_begun: bool,
}

impl Crowd {
    /// So many, none of which has come yet.
    ///
    /// # Errors
    /// When `address` is none.
    pub fn new(kind: Kind, address: &str, count: usize) -> anyhow::Result<Self> {
        let (method, target, rest) = match kind {
            Kind::Head => ("GET", SMALL, "X-Slow: "),
            Kind::Body => ("POST", SMALL, "Content-Length: 100000\r\n\r\n"),
            Kind::Reader => ("GET", LARGE, "\r\n"),
        };
        Ok(Self {
            kind,
            request: format!("{method} {target} HTTP/1.1\r\nHost: {address}\r\n{rest}"),
            address: address
                .parse()
                .with_context(|| format!("{address} is no address"))?,
            clients: (0..count).map(|_| None).collect(),
            ended: 0,
        })
    }

    /// How many they are.
    pub fn len(&self) -> usize {
        self.clients.len()
    }

    /// Those whose connection stands.
    pub fn held(&self) -> usize {
        let clients = self.clients.iter().flatten();
        clients.filter(|client| client.has_begun).count()
    }

    /// Connections that the server has ended.
    pub fn ended(&self) -> usize {
        self.ended
    }

    /// Lets those come that have not; the kernel may still be busy with some of them.
    pub fn gather(&mut self) {
        for place in 0..self.clients.len() {
            if !self.clients[place]
                .as_ref()
                .is_some_and(|one| one.has_begun)
            {
                self.step(place);
            }
        }
    }

    /// The client at `place` comes, or moves one byte.
    pub fn step(&mut self, place: usize) {
        let moved = match &mut self.clients[place] {
            Some(client) => client.step(self.kind, &self.request),
            None => false,
        };
        if moved {
            return;
        }
        if self.clients[place].take().is_some_and(|one| one.has_begun) {
            self.ended += 1;
        }
        // One that finds no place tries again when its turn comes.
        self.clients[place] = Slow::come(self.kind, self.address, &self.request).ok();
    }
}

impl Slow {
    /// Connects, and begins if the connection stands at once.
    fn come(kind: Kind, address: SocketAddr, request: &str) -> io::Result<Self> {
        // A server that is started meanwhile must not have it too.
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
        if kind == Kind::Reader {
            // The window is small from the start.
            sockopt::set_socket_recv_buffer_size(&socket, ROOM)?;
        }
        match connect(&socket, &address) {
            Ok(()) | Err(Errno::INPROGRESS) => {}
            Err(error) => return Err(error.into()),
        }
        let mut client = Self {
            stream: TcpStream::from(socket),
            has_begun: false,
        };
        client.begin(request)?;
        Ok(client)
    }

    fn begin(&mut self, request: &str) -> io::Result<()> {
        match self.stream.write(request.as_bytes()) {
            Ok(written) if written == request.len() => {
                self.has_begun = true;
                Ok(())
            }
            // So little always fits into a connection that is new.
            Ok(_) => Err(io::ErrorKind::WriteZero.into()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Moves one byte; false when the connection has ended.
    fn step(&mut self, kind: Kind, request: &str) -> bool {
        if !self.has_begun {
            return self.begin(request).is_ok();
        }
        let mut byte = *b"s";
        let moved = match kind {
            Kind::Head | Kind::Body => self.stream.write(&byte),
            Kind::Reader => self.stream.read(&mut byte),
        };
        match moved {
            Ok(count) => count > 0,
            Err(error) => error.kind() == io::ErrorKind::WouldBlock,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn a_slow_client_moves_a_byte_and_comes_again_after_its_end() {
        for kind in [Kind::Head, Kind::Body, Kind::Reader] {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
            let address = listener.local_addr().expect("an address").to_string();
            let mut crowd = Crowd::new(kind, &address, 2).expect("a crowd");
            while crowd.held() < 2 {
                crowd.gather();
            }
            let (mut server, _) = listener.accept().expect("a connection");
            let mut head = [0; 16];
            server.read_exact(&mut head).expect("a request");
            crowd.step(0);
            assert_eq!(crowd.ended(), 0, "{kind:?} moves, or waits");
            drop(server);
            // The end may take a moment to be seen.
            while crowd.ended() == 0 {
                crowd.step(0);
            }
            while crowd.held() < 2 {
                crowd.gather();
            }
        }
    }
}
