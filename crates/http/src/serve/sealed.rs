//! TLS between a connection and its socket: opens what comes, seals what goes, and
//! waits for nothing.
//!
//! Every call does what the socket allows at once, and says `WouldBlock` when that is
//! nothing, as the socket itself does. Who waits is the connection's business; the
//! handshake alone is driven here, in [`shake_hands`], which also answers those who
//! speak HTTP in clear.

use super::handler::Handler;
use super::socket::Socket;
use super::turn::Turn;
use super::wire::Wire;
use crate::files::FileRange;
use crate::tls::{HTTP_2, RecordPlace, clear};
use http::StatusCode;
use rustls::ServerConnection;
use std::io::{self, IoSlice, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The TLS of one connection.
#[derive(Debug)]
pub(super) struct Sealed {
    connection: ServerConnection,
    /// Bytes that were opened and not read.
    opened: usize,
    /// How far the client's records have come.
    received: RecordPlace,
    has_ended: bool,
    /// The first byte that the client sent.
    first: Option<u8>,
}

/// Ends when both sides have agreed; gives whether it was on HTTP/2.
///
/// # Errors
/// They have not: the client has gone, was too slow, wants what is not offered, or
/// speaks in clear.
pub(super) async fn shake_hands<H: Handler>(turn: &Turn<H>, wire: &mut Wire) -> io::Result<bool> {
    let watched = &wire.watched;
    let Some(sealed) = &mut wire.sealed else {
        return Ok(false);
    };
    turn.expect(watched, turn.now(), turn.settings.timeouts.handshake);
    loop {
        match sealed.shake(&watched.socket) {
            Ok(()) => break,
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => {
                if sealed.hears_request() {
                    turn_away(turn, wire).await?;
                }
                return Err(error);
            }
            Err(_) if sealed.has_sealed() => watched.socket.writable().await?,
            Err(_) => watched.socket.readable().await?,
        }
    }
    turn.expect_nothing(watched);
    watched.is_shaking.set(false);
    Ok(sealed.connection.alpn_protocol() == Some(HTTP_2))
}

/// Tells a client that speaks in clear that this is not the place for it.
async fn turn_away<H: Handler>(turn: &Turn<H>, wire: &Wire) -> io::Result<()> {
    let (watched, now) = (&wire.watched, turn.now());
    // A new connection has room for a few words.
    watched.socket.send(&clear::answer(&turn.date()), false)?;
    watched.socket.shut_down_writing();
    if turn.handler.records() {
        let (status, bytes) = (StatusCode::BAD_REQUEST, clear::CONTENT_BYTES);
        turn.tell(watched.peer, None, status, bytes, now);
    }
    wire.linger(turn).await
}

impl Sealed {
    pub(super) fn new(connection: ServerConnection) -> Self {
        Self {
            connection,
            opened: 0,
            received: RecordPlace::default(),
            has_ended: false,
            first: None,
        }
    }

    /// Whether what the client said first is a request in clear.
    fn hears_request(&self) -> bool {
        self.first.is_some_and(clear::begins_request)
    }

    /// Goes on with the handshake as far as the socket allows.
    fn shake(&mut self, socket: &Socket) -> io::Result<()> {
        loop {
            self.flush(socket)?;
            if !self.connection.is_handshaking() {
                return Ok(());
            }
            self.receive(socket)?;
            if self.has_ended {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Reads what has come; 0 at the end.
    pub(super) fn read(&mut self, socket: &Socket, buffer: &mut [u8]) -> io::Result<usize> {
        while self.opened == 0 && !self.has_ended {
            self.receive(socket)?;
        }
        if self.opened == 0 {
            // Whether the client said so or was cut off: how long its messages are,
            // they say themselves.
            return Ok(0);
        }
        let read = self.connection.reader().read(buffer)?;
        self.opened -= read;
        Ok(read)
    }

    /// Seals what there is room for, and sends it unless `more` follows at once. 0 is
    /// never given: what cannot be taken now would block.
    pub(super) fn send(&mut self, socket: &Socket, bytes: &[u8], more: bool) -> io::Result<usize> {
        let mut taken = 0;
        while taken < bytes.len() {
            let sealed = self.connection.writer().write(&bytes[taken..])?;
            taken += sealed;
            if sealed == 0 {
                match self.flush(socket) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock && taken > 0 => {
                        return Ok(taken);
                    }
                    flushed => flushed?,
                }
            }
        }
        match self.flush_unless(more, socket) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            // What was sealed is as good as sent: whoever waits to read sends it first.
            _ => Ok(taken),
        }
    }

    /// Sends a piece of a file, through `buffer`; 0 when the file ends there.
    pub(super) fn send_file(
        &mut self,
        socket: &Socket,
        range: &FileRange,
        buffer: &mut [u8],
        more: bool,
    ) -> io::Result<u64> {
        // When nothing waits, all that is read is taken.
        self.flush(socket)?;
        let read = range.read(buffer)?;
        let sent = if read == 0 {
            0
        } else {
            self.send(socket, &buffer[..read], more)?
        };
        Ok(sent as u64)
    }

    fn flush_unless(&mut self, more: bool, socket: &Socket) -> io::Result<()> {
        if more { Ok(()) } else { self.flush(socket) }
    }

    /// Sends all that was sealed.
    pub(super) fn flush(&mut self, socket: &Socket) -> io::Result<()> {
        while self.connection.wants_write() {
            self.connection.write_tls(&mut Records(socket))?;
        }
        Ok(())
    }

    /// Tells the client that nothing follows, as far as the socket takes it at once.
    pub(super) fn say_goodbye(&mut self, socket: &Socket) {
        self.connection.send_close_notify();
        // Without it the end of the socket is the end, too.
        let _ = self.flush(socket);
    }

    /// Whether something can be read without the socket.
    pub(super) fn has_opened(&self) -> bool {
        self.opened > 0
    }

    /// Whether anything was taken from the socket that nobody has read, be it only the
    /// start of a record, which cannot be opened yet.
    pub(super) fn has_unread(&self) -> bool {
        self.has_opened() || self.received.is_within()
    }

    /// Whether something waits for the socket to take it.
    pub(super) fn has_sealed(&self) -> bool {
        self.connection.wants_write()
    }

    /// Takes what the socket has, and opens it.
    fn receive(&mut self, socket: &Socket) -> io::Result<()> {
        let mut inflow = Inflow {
            socket,
            received: &mut self.received,
            first: &mut self.first,
        };
        if self.connection.read_tls(&mut inflow)? == 0 {
            self.has_ended = true;
            return Ok(());
        }
        if self.hears_request() {
            // An alert would be nothing that its sender could read.
            return Err(io::ErrorKind::InvalidData.into());
        }
        match self.connection.process_new_packets() {
            Ok(state) => {
                self.opened = state.plaintext_bytes_to_read();
                self.has_ended |= state.peer_has_closed();
                Ok(())
            }
            Err(error) => {
                // The alert that says why.
                let _ = self.flush(socket);
                Err(io::Error::new(io::ErrorKind::InvalidData, error))
            }
        }
    }
}

/// A connection that has left our HTTP/1.1, as others read and write it.
pub(super) struct SealedStream {
    socket: Socket,
    sealed: Box<Sealed>,
}

impl SealedStream {
    pub(super) fn new(socket: Socket, sealed: Box<Sealed>) -> Self {
        Self { socket, sealed }
    }
}

impl AsyncRead for SealedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Self { socket, sealed } = &mut *self;
        loop {
            match sealed.read(socket, buffer.initialize_unfilled()) {
                Ok(read) => {
                    buffer.advance(read);
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
            ready!(socket.poll_readable(context));
        }
    }
}

impl AsyncWrite for SealedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let Self { socket, sealed } = &mut *self;
        loop {
            match sealed.send(socket, bytes, false) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                sent => return Poll::Ready(sent),
            }
            ready!(socket.poll_writable(context));
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { socket, sealed } = &mut *self;
        loop {
            match sealed.flush(socket) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                flushed => return Poll::Ready(flushed),
            }
            ready!(socket.poll_writable(context));
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.as_mut().poll_flush(context))?;
        let Self { socket, sealed } = &mut *self;
        sealed.say_goodbye(socket);
        socket.shut_down_writing();
        Poll::Ready(Ok(()))
    }
}

/// The socket as `rustls` reads it.
struct Inflow<'a> {
    socket: &'a Socket,
    received: &'a mut RecordPlace,
    first: &'a mut Option<u8>,
}

impl Read for Inflow<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.socket.receive(buffer)?;
        *self.first = self.first.or(buffer[..read].first().copied());
        self.received.pass(&buffer[..read]);
        Ok(read)
    }
}

/// The socket as `rustls` writes it.
struct Records<'a>(&'a Socket);

impl Write for Records<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.send(bytes, false)
    }

    fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.send_pieces(pieces)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
