//! The socket of a connection: calls that `tokio` does not offer, such as writing
//! with more to come and sending a file, and none that are not needed.
//!
//! A loop knows of a socket from the first time that its connection waits. One that
//! was asked before it was accepted, and ends with the answer, is read, written and
//! closed, and that is all that it costs.

use rustix::net::{
    RecvFlags, SendAncillaryBuffer, SendFlags, Shutdown, recv, send, sendmsg, shutdown,
};
use std::cell::{OnceCell, RefCell};
use std::fs::File;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};
use std::task::{Context, Poll, ready};
use tokio::io::Interest;
use tokio::net::TcpStream as AsyncStream;

/// Bytes of a file sent in one call, which holds the loop for the time it takes to
/// copy as much.
const SEND_FILE_BYTES: u64 = 256 * 1024;

/// See the module. Nothing of it blocks: what cannot be done now is
/// [`io::ErrorKind::WouldBlock`].
#[derive(Debug)]
pub(super) struct Socket {
    /// Before the loop knows of it.
    fresh: RefCell<Option<TcpStream>>,
    /// Afterwards.
    known: OnceCell<AsyncStream>,
}

impl Socket {
    /// A socket that does not block.
    pub(super) fn new(stream: TcpStream) -> Self {
        Self {
            fresh: RefCell::new(Some(stream)),
            known: OnceCell::new(),
        }
    }

    /// Reads what is there; 0 when the client has said all.
    pub(super) fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut read = 0;
        let attempt = self.attempt(Interest::READABLE, |socket| {
            (read, _) = recv(socket, &mut *buffer, RecvFlags::empty())?;
            // The buffer was larger than all there was: to ask whether there is
            // more would be one call in vain for each request. What comes after
            // this call, the end too, wakes the connection.
            match 0 < read && read < buffer.len() {
                true => Err(io::ErrorKind::WouldBlock.into()),
                false => Ok(()),
            }
        });
        match attempt {
            Err(error) if read == 0 => Err(error),
            _ => Ok(read),
        }
    }

    /// Writes what fits; `more` says that something follows at once, so that the
    /// kernel does not send a small segment of its own for the head of a file.
    pub(super) fn send(&self, bytes: &[u8], more: bool) -> io::Result<usize> {
        let mut flags = SendFlags::NOSIGNAL;
        if more {
            flags |= SendFlags::MORE;
        }
        self.attempt(Interest::WRITABLE, |socket| Ok(send(socket, bytes, flags)?))
    }

    /// The same for several pieces that follow each other, with nothing behind them.
    pub(super) fn send_pieces(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        self.attempt(Interest::WRITABLE, |socket| {
            let mut nothing = SendAncillaryBuffer::default();
            let sent = sendmsg(socket, pieces, &mut nothing, SendFlags::NOSIGNAL)?;
            Ok(sent)
        })
    }

    /// Sends up to `length` bytes of `file` from `offset`; 0 when the file ends there.
    pub(super) fn send_file(&self, file: &File, mut offset: u64, length: u64) -> io::Result<u64> {
        let length = length.min(SEND_FILE_BYTES) as usize;
        self.attempt(Interest::WRITABLE, |socket| {
            let sent = rustix::fs::sendfile(socket, file, Some(&mut offset), length)?;
            Ok(sent as u64)
        })
    }

    /// Whether anything was received that nobody has read. The kernel is asked, since
    /// the loop may not have heard of it yet.
    pub(super) fn has_unread(&self) -> bool {
        self.now(peek).is_ok_and(|length| length > 0)
    }

    /// Lets the client see the end, while its last bytes are still read.
    pub(super) fn shut_down_writing(&self) {
        self.shut_down(Shutdown::Write);
    }

    /// Makes whoever reads see the end.
    pub(super) fn shut_down_reading(&self) {
        self.shut_down(Shutdown::Read);
    }

    /// Makes whoever reads or writes see the end.
    pub(super) fn shut_down_both(&self) {
        self.shut_down(Shutdown::Both);
    }

    /// Waits until something can be read. A waiter of `tokio`'s own would be larger than
    /// all else that a connection keeps for it.
    pub(super) async fn readable(&self) -> io::Result<()> {
        self.known()?;
        poll_fn(|context| self.poll_readable(context)).await;
        Ok(())
    }

    /// The same, by hand.
    pub(super) fn poll_readable(&self, context: &mut Context<'_>) -> Poll<()> {
        match self.known() {
            Ok(stream) => stream.poll_read_ready(context).map(drop),
            // Whoever reads meets the error.
            Err(_) => Poll::Ready(()),
        }
    }

    /// Ready when the other side has closed, or the connection is broken. While something
    /// lies unread before that, it is not known.
    pub(super) fn poll_closed(&self, context: &mut Context<'_>) -> Poll<()> {
        loop {
            ready!(self.poll_readable(context));
            match self.attempt(Interest::READABLE, peek) {
                Ok(0) => return Poll::Ready(()),
                Ok(_) => return Poll::Pending,
                // Then the loop tells of what comes next.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return Poll::Ready(()),
            }
        }
    }

    /// Waits until something can be written.
    pub(super) async fn writable(&self) -> io::Result<()> {
        self.known()?;
        poll_fn(|context| self.poll_writable(context)).await;
        Ok(())
    }

    /// The same, by hand.
    pub(super) fn poll_writable(&self, context: &mut Context<'_>) -> Poll<()> {
        match self.known() {
            Ok(stream) => stream.poll_write_ready(context).map(drop),
            // Whoever writes meets the error.
            Err(_) => Poll::Ready(()),
        }
    }

    /// The stream for whoever reads and writes it next.
    pub(super) fn into_stream(self) -> io::Result<AsyncStream> {
        self.known()?;
        self.known
            .into_inner()
            .ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// An attempt at `what` that the loop hears of: where it cannot be done now,
    /// the next wait is one.
    fn attempt<T>(
        &self,
        interest: Interest,
        what: impl FnOnce(BorrowedFd<'_>) -> io::Result<T>,
    ) -> io::Result<T> {
        match self.known.get() {
            Some(stream) => stream.try_io(interest, || what(stream.as_fd())),
            None => self.now(what),
        }
    }

    /// Does `what`, whatever the loop knows.
    fn now<T>(&self, what: impl FnOnce(BorrowedFd<'_>) -> io::Result<T>) -> io::Result<T> {
        match (self.known.get(), &*self.fresh.borrow()) {
            (Some(stream), _) => what(stream.as_fd()),
            (None, Some(stream)) => what(stream.as_fd()),
            (None, None) => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// The socket as the loop knows it, from now on. When that fails, for memory or
    /// descriptors that are short, there is no socket any more.
    fn known(&self) -> io::Result<&AsyncStream> {
        if let Some(stream) = self.known.get() {
            return Ok(stream);
        }
        let fresh = self.fresh.take().ok_or(io::ErrorKind::NotConnected)?;
        let stream = AsyncStream::from_std(fresh)?;
        Ok(self.known.get_or_init(|| stream))
    }

    fn shut_down(&self, how: Shutdown) {
        // An error means that the connection is gone already.
        let _ = self.now(|socket| Ok(shutdown(socket, how)?));
    }
}

/// How many bytes can be read, as 0 or 1: 0 at the end of what comes.
fn peek(socket: BorrowedFd<'_>) -> io::Result<usize> {
    let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
    Ok(recv(socket, &mut [0; 1][..], flags)?.0)
}
