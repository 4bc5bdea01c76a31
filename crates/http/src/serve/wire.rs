//! The socket of a connection with what lies before and behind it: bytes that were
//! received and not consumed, and parts of answers that the client has no room for yet.
//!
//! It sends and receives, encrypted or not, and decides nothing: what is read and
//! written is [`super::connection`]'s and [`super::exchange`]'s.

use super::fault;
use super::sealed::Sealed;
use super::socket::Socket;
use super::turn::{Turn, Watched};
use crate::files::{FileRange, Part};
use bytes::{Buf, Bytes};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll};

/// What a connection sends before others have their turn: one that takes a large file
/// as fast as it comes must not make them wait for the end of it.
pub(super) const TURN_BYTES: u64 = 256 * 1024;

/// See the module.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) watched: Rc<Watched>,
    /// What lies between, when the connection is encrypted.
    pub(super) sealed: Option<Box<Sealed>>,
    /// Received and not consumed.
    pub(super) held: Vec<u8>,
    /// To be sent.
    pub(super) unsent: VecDeque<Part>,
}

impl Wire {
    pub(super) fn new(watched: Rc<Watched>, sealed: Option<Box<Sealed>>) -> Self {
        Self {
            watched,
            sealed,
            held: Vec::new(),
            unsent: VecDeque::new(),
        }
    }

    /// Reads what has come.
    #[inline]
    pub(super) fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let socket = &self.watched.socket;
        match &mut self.sealed {
            None => socket.receive(buffer),
            Some(sealed) => sealed.read(socket, buffer),
        }
    }

    /// Whether anything was received that nobody has read.
    pub(super) fn has_unread(&self) -> bool {
        let sealed = self.sealed.as_ref();
        sealed.is_some_and(|sealed| sealed.has_unread()) || self.watched.socket.has_unread()
    }

    /// Waits until something can be read.
    pub(super) async fn readable(&self) {
        poll_fn(|context| self.poll_readable(context)).await;
    }

    /// The same, for whoever waits for other things, too.
    pub(super) fn poll_readable(&self, context: &mut Context<'_>) -> Poll<()> {
        match &self.sealed {
            Some(sealed) if sealed.has_opened() => Poll::Ready(()),
            _ => self.watched.socket.poll_readable(context),
        }
    }

    /// Ready when the client has closed its side. Of one that is encrypted that is not
    /// known: its last record, and the end behind it, are only seen by whoever reads.
    pub(super) fn poll_closed(&self, context: &mut Context<'_>) -> Poll<()> {
        match &self.sealed {
            Some(_) => Poll::Pending,
            None => self.watched.socket.poll_closed(context),
        }
    }

    /// Sends what the socket takes of `output` at once; the rest is kept, before
    /// what is kept already.
    pub(super) fn send_now(&mut self, output: &[u8]) -> io::Result<()> {
        self.send_or_keep(output, !self.unsent.is_empty())
    }

    /// The same for the last bytes, which the kernel need not send before it hears, at
    /// once, that the connection or this side of it ends.
    pub(super) fn send_last(&mut self, output: &[u8]) -> io::Result<()> {
        self.send_or_keep(output, true)
    }

    fn send_or_keep(&mut self, output: &[u8], has_more: bool) -> io::Result<()> {
        if output.is_empty() {
            return Ok(());
        }
        let sent = match try_send(&self.watched.socket, &mut self.sealed, output, has_more) {
            Ok(sent) => sent,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            Err(error) => return Err(error),
        };
        if sent < output.len() {
            let rest = Bytes::copy_from_slice(&output[sent..]);
            self.unsent.push_front(Part::Bytes(rest));
        }
        Ok(())
    }

    /// Reads what the client still sends after the last that it is told, for a while:
    /// a socket that is closed before that is reset, and what it was told with it.
    pub(super) async fn linger<H>(&self, turn: &Turn<H>) -> io::Result<()> {
        let watched = &self.watched;
        // Nothing is lost with it any more.
        watched.is_idle.set(true);
        turn.expect(watched, turn.now(), turn.settings.timeouts.linger);
        let mut left = turn.settings.limits.drain_bytes;
        while left > 0 && !watched.is_expired.get() {
            watched.socket.readable().await?;
            // A buffer of its own would make every connection as large.
            match watched.socket.receive(&mut turn.input.borrow_mut()) {
                Ok(0) => break,
                Ok(read) => left = left.saturating_sub(read as u64),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Sends everything that is kept.
    pub(super) async fn send_all<H>(&mut self, turn: &Turn<H>) -> io::Result<()> {
        let mut sent = 0;
        while self.has_unsent() {
            if sent >= TURN_BYTES {
                sent = 0;
                tokio::task::yield_now().await;
            }
            match self.send_some(turn) {
                Ok(bytes) => sent += bytes,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.wait_to_write(turn).await?;
                }
                Err(error) => return Err(error),
            }
        }
        // A queue that was long must not stay so.
        self.unsent = VecDeque::new();
        turn.expect_nothing(&self.watched);
        Ok(())
    }

    /// Sends what the socket takes of the first part, says how much that is, and keeps
    /// the rest.
    fn send_some<H>(&mut self, turn: &Turn<H>) -> io::Result<u64> {
        let has_more = self.unsent.len() > 1;
        let (socket, sealed) = (&self.watched.socket, &mut self.sealed);
        let sent = match (self.unsent.front_mut(), sealed) {
            (None, None) => 0,
            (None, Some(sealed)) => {
                sealed.flush(socket)?;
                0
            }
            (Some(Part::Bytes(bytes)), sealed) => {
                let sent = try_send(socket, sealed, bytes, has_more)?;
                bytes.advance(sent);
                sent as u64
            }
            (Some(Part::File(range)), sealed) => {
                let sent = match sealed {
                    None => socket.send_file(&range.file, range.span.offset, range.span.length),
                    // Between two turns nothing lies in the buffer.
                    Some(sealed) => {
                        sealed.send_file(socket, range, &mut turn.input.borrow_mut(), has_more)
                    }
                };
                let sent = sent.and_then(|sent| advance(range, sent));
                sent.inspect_err(|error| fault::tell(range, error))?
            }
        };
        if self.unsent.front().is_some_and(|part| part.length() == 0) {
            self.unsent.pop_front();
        }
        Ok(sent)
    }

    /// Whether something waits for the client to take it.
    #[inline]
    pub(super) fn has_unsent(&self) -> bool {
        !self.unsent.is_empty()
            || self
                .sealed
                .as_ref()
                .is_some_and(|sealed| sealed.has_sealed())
    }

    /// How many bytes are kept.
    pub(super) fn unsent_length(&self) -> u64 {
        self.unsent.iter().map(Part::length).sum()
    }

    async fn wait_to_write<H>(&self, turn: &Turn<H>) -> io::Result<()> {
        turn.expect(&self.watched, turn.now(), turn.settings.timeouts.write);
        self.watched.awaits_room.set(true);
        let writable = self.watched.socket.writable().await;
        self.watched.awaits_room.set(false);
        writable?;
        if self.watched.is_expired.get() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(())
    }
}

#[inline]
fn try_send(
    socket: &Socket,
    sealed: &mut Option<Box<Sealed>>,
    bytes: &[u8],
    has_more: bool,
) -> io::Result<usize> {
    match sealed {
        None => socket.send(bytes, has_more),
        Some(sealed) => sealed.send(socket, bytes, has_more),
    }
}

/// Takes what was sent off `range`; says how much that is.
fn advance(range: &mut FileRange, sent: u64) -> io::Result<u64> {
    if sent == 0 {
        // The file was cut: what was announced cannot be kept.
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    range.advance(sent);
    Ok(sent)
}
