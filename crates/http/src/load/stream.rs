//! Bytes to a server and back, encrypted or not; nothing here ever waits.

use super::target::Target;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use socket2::{Domain, Protocol, Socket, Type};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

/// A connection that may not be made yet: what it cannot do now is
/// [`io::ErrorKind::WouldBlock`].
#[derive(Debug)]
pub(super) enum Stream {
    Plain(TcpStream),
    Sealed(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Stream {
    /// Begins a connection to `target`.
    pub(super) fn connect(target: &Target, trust: &Arc<ClientConfig>) -> io::Result<Self> {
        let address = target.address();
        let socket = Socket::new(
            Domain::for_address(address),
            Type::STREAM,
            Some(Protocol::TCP),
        )?;
        socket.set_nonblocking(true)?;
        // A request leaves whole and at once; nothing would be gained by waiting.
        socket.set_tcp_nodelay(true)?;
        match socket.connect(&address.into()) {
            Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => {}
            done => done?,
        }
        let socket = TcpStream::from(socket);
        let Some(name) = target.name() else {
            return Ok(Self::Plain(socket));
        };
        let connection = ClientConnection::new(Arc::clone(trust), name.clone());
        let connection = connection.map_err(io::Error::other)?;
        Ok(Self::Sealed(Box::new(StreamOwned::new(connection, socket))))
    }

    /// Why it could not be made, once the system says that something is known about it.
    pub(super) fn take_error(&self) -> io::Result<()> {
        self.socket().take_error()?.map_or(Ok(()), Err)
    }

    /// Whether the other side has not proved yet who it is.
    pub(super) fn is_handshaking(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Sealed(stream) => stream.conn.is_handshaking(),
        }
    }

    fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(socket) => socket,
            Self::Sealed(stream) => stream.get_ref(),
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(buffer),
            Self::Sealed(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(bytes),
            Self::Sealed(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(_) => Ok(()),
            Self::Sealed(stream) => stream.flush(),
        }
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket().as_fd()
    }
}
