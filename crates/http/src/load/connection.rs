//! One client's connection: a request goes out, an answer comes in, and what goes wrong
//! on the way has a name.
//!
//! It is advanced whenever the system says that its socket is ready, and never waits.

use super::answer::{Answer, Malformed, Reader};
use super::request::Request;
use super::stream::Stream;
use super::tally::Failure;
use super::target::Target;
use rustls::{CertificateError, ClientConfig};
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

/// A connection, with the request that is under way on it.
#[derive(Debug)]
pub(super) struct Connection {
    stream: Stream,
    /// The system said that it is made.
    is_made: bool,
    /// How much of the request is out.
    sent: usize,
    reader: Reader,
    /// What came and cannot be understood before more does.
    unread: Vec<u8>,
}

/// How far a request is.
#[derive(Debug)]
pub(super) enum Step {
    /// The socket is to say when it goes on.
    Waits,
    /// It is done.
    Answered(Answer),
    /// It is over, and so is the connection.
    Failed(Failure, String),
}

impl Connection {
    /// Begins one, for `request`.
    pub(super) fn connect(
        target: &Target,
        trust: &Arc<ClientConfig>,
        request: &Request,
    ) -> Result<Self, Step> {
        match Stream::connect(target, trust) {
            Ok(stream) => Ok(Self {
                stream,
                is_made: false,
                sent: 0,
                reader: Reader::new(request.is_head()),
                unread: Vec::new(),
            }),
            Err(error) => Err(unmade(&error)),
        }
    }

    /// Begins the next request on a connection whose last answer is done.
    pub(super) fn ask(&mut self, request: &Request) -> Step {
        self.sent = 0;
        self.reader = Reader::new(request.is_head());
        match self.send(request) {
            Ok(()) => Step::Waits,
            Err(error) => self.broke(&error),
        }
    }

    /// Goes on with `request`, as far as it goes: to be called when the socket is ready.
    /// Then `buffer` holds nothing that is needed.
    pub(super) fn advance(&mut self, request: &Request, buffer: &mut [u8]) -> Step {
        if !self.is_made {
            if let Err(error) = self.stream.take_error() {
                return unmade(&error);
            }
            self.is_made = true;
        }
        // A server may answer before it has read all of a request, and then read no more:
        // that it cannot be sent to is told only if it did not answer.
        let sent = self.send(request);
        match (self.receive(request, buffer), sent) {
            (Step::Waits, Err(error)) => self.broke(&error),
            (step, _) => step,
        }
    }

    /// Whether there is somebody on the other side.
    pub(super) fn is_made(&self) -> bool {
        self.is_made
    }

    /// Whether nothing has come while nothing was asked, so that it may be used again.
    pub(super) fn is_quiet(&mut self, buffer: &mut [u8]) -> bool {
        matches!(self.stream.read(buffer), Err(error) if error.kind() == ErrorKind::WouldBlock)
    }

    fn send(&mut self, request: &Request) -> io::Result<()> {
        while self.sent < request.bytes().len() {
            match self.stream.write(&request.bytes()[self.sent..]) {
                Ok(written) => self.sent += written,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        match self.stream.flush() {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
            flushed => flushed,
        }
    }

    fn receive(&mut self, request: &Request, buffer: &mut [u8]) -> Step {
        loop {
            let length = match self.stream.read(buffer) {
                Ok(0) => return self.ended(),
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Step::Waits,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                // Many servers over TLS just leave.
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return self.ended(),
                Err(error) => return self.broke(&error),
            };
            match self.understand(&buffer[..length]) {
                Ok(Some(mut answer)) => {
                    // What comes behind an answer belongs to no request.
                    answer.keeps_connection &=
                        self.sent == request.bytes().len() && self.unread.is_empty();
                    return Step::Answered(answer);
                }
                Ok(None) => {}
                Err(malformed) => return Step::Failed(Failure::Malformed, malformed.to_string()),
            }
        }
    }

    fn understand(&mut self, received: &[u8]) -> Result<Option<Answer>, Malformed> {
        if self.unread.is_empty() {
            let read = self.reader.read(received)?;
            self.unread.extend_from_slice(&received[read.consumed..]);
            return Ok(read.answer);
        }
        self.unread.extend_from_slice(received);
        let read = self.reader.read(&self.unread)?;
        self.unread.drain(..read.consumed);
        Ok(read.answer)
    }

    /// The other side says no more.
    fn ended(&self) -> Step {
        if self.stream.is_handshaking() {
            let example = "the connection ended before it was encrypted".to_owned();
            return Step::Failed(Failure::Untrusted, example);
        }
        match self.reader.end(self.unread.len()) {
            Ok(answer) => Step::Answered(answer),
            Err(malformed) => Step::Failed(Failure::Broken, malformed.to_string()),
        }
    }

    fn broke(&self, error: &io::Error) -> Step {
        let failure = match error.get_ref() {
            Some(cause) if cause.is::<rustls::Error>() => Failure::Untrusted,
            _ if self.stream.is_handshaking() => Failure::Untrusted,
            _ => Failure::Broken,
        };
        Step::Failed(failure, said(error))
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

/// What went wrong, in the words of whoever decides whom to believe if it was that.
fn said(error: &io::Error) -> String {
    let cause = error.get_ref();
    match cause.and_then(|cause| cause.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InvalidCertificate(CertificateError::Other(own))) => own.0.to_string(),
        _ => error.to_string(),
    }
}

fn unmade(error: &io::Error) -> Step {
    let failure = match error.kind() {
        ErrorKind::ConnectionRefused => Failure::Refused,
        _ => Failure::Unreachable,
    };
    Step::Failed(failure, error.to_string())
}
