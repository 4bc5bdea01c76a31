//! One HTTP/1.1 connection over a socket, in turns: read once, answer everything
//! that the read brought, write once.
//!
//! Between two turns a connection owns only what it must: the start of a head that
//! has not ended, and bytes that the client did not take yet.

use super::exchange;
use super::handler::Handler;
use super::socket::{send, send_file, shut_down_writing};
use super::turn::{Turn, Watched};
use crate::files::{Answer, Body, FileRange, Part};
use crate::h1::{
    BodyPlan, BodySize, BodyStep, Connection, HeaderSlots, Next, Reject, RespondError, Waiting,
};
use bytes::Bytes;
use http::StatusCode;
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use tokio::net::TcpStream;

/// What is written before a turn ends early: answers to a long pipeline must not
/// pile up faster than the client takes them.
const OUTPUT_BYTES: usize = 256 * 1024;

/// Serves `stream` to its end. It never fails: a connection that breaks is over.
pub async fn serve<H: Handler>(turn: Rc<Turn<H>>, stream: TcpStream) {
    // Answers are written whole; waiting for more would only delay them.
    let _ = stream.set_nodelay(true);
    let wire = Wire {
        watched: turn.enter(stream),
        held: Vec::new(),
        unsent: VecDeque::new(),
    };
    let driver = Driver {
        protocol: Connection::new(turn.settings.limits),
        wire,
        turn: Rc::clone(&turn),
    };
    // Whoever it was has gone.
    let _ = driver.run().await;
    turn.leave();
}

/// The two ends of the socket.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) watched: Rc<Watched>,
    /// Received and not consumed.
    pub(super) held: Vec<u8>,
    /// To be sent.
    pub(super) unsent: VecDeque<Part>,
}

struct Driver<H: Handler> {
    turn: Rc<Turn<H>>,
    protocol: Connection,
    wire: Wire,
}

/// What a turn ended with.
enum After {
    /// Nothing can be done until more is received.
    Read,
    /// What was written waits to be sent.
    Send,
    /// A service answers.
    Call(Box<http::request::Parts>),
    /// The connection is over.
    Close { linger: bool },
}

impl<H: Handler> Driver<H> {
    async fn run(mut self) -> io::Result<()> {
        loop {
            match self.take_turn()? {
                After::Read => self.wait_to_read().await?,
                After::Send => self.wire.send_all(&self.turn).await?,
                After::Call(parts) => {
                    let Self {
                        turn,
                        protocol,
                        wire,
                    } = &mut self;
                    // Boxed: a connection that only serves files stays small.
                    Box::pin(exchange::run(turn, protocol, wire, *parts)).await?;
                }
                After::Close { linger } => return self.close(linger).await,
            }
        }
    }

    async fn wait_to_read(&mut self) -> io::Result<()> {
        let timeouts = &self.turn.settings.timeouts;
        let watched = &self.wire.watched;
        let waiting = self.protocol.waiting();
        watched.is_idle.set(waiting == Waiting::Idle);
        match waiting {
            Waiting::Idle => self.turn.expect(watched, timeouts.idle),
            // The clock for a head runs from its first byte: it is not set again.
            Waiting::Head if watched.awaits_head.replace(true) => {}
            Waiting::Head => self.turn.expect(watched, timeouts.head),
            Waiting::Body | Waiting::Nothing => self.turn.expect(watched, timeouts.body),
        }
        if waiting != Waiting::Head {
            watched.awaits_head.set(false);
        }
        watched.stream.readable().await?;
        watched.is_idle.set(false);
        Ok(())
    }

    /// Reads once and answers all of it.
    fn take_turn(&mut self) -> io::Result<After> {
        if !self.wire.unsent.is_empty() {
            return Ok(After::Send);
        }
        let turn = Rc::clone(&self.turn);
        let mut input = turn.input.borrow_mut();
        let mut output = turn.output.borrow_mut();
        output.clear();
        let length = self.receive(&mut input)?;
        let now = turn.now();
        let date = turn.date();
        if turn.is_draining() {
            self.protocol.close_soon();
        }
        let mut at = 0;
        let after = loop {
            let rest = &input[at..length];
            match self.protocol.next() {
                Next::ReceiveHead => {
                    let mut slots = HeaderSlots::new();
                    let head = match self.protocol.receive_head(rest, &mut slots) {
                        Ok(Some(head)) => head,
                        Ok(None) => match self.expired_head() {
                            Some(reject) => {
                                self.protocol.reject(&mut output, &reject, &date);
                                continue;
                            }
                            None if self.protocol.next() == Next::ReceiveHead => break After::Read,
                            None => continue,
                        },
                        Err(reject) => {
                            self.protocol.reject(&mut output, &reject, &date);
                            continue;
                        }
                    };
                    at += head.consumed();
                    match turn.handler.file(&head, now) {
                        Some(answer) => self.write_answer(&mut output, answer, &date),
                        None => match head.to_parts() {
                            Ok(parts) => break After::Call(Box::new(parts)),
                            Err(reject) => self.protocol.reject(&mut output, &reject, &date),
                        },
                    }
                    if !self.wire.unsent.is_empty() || output.len() >= OUTPUT_BYTES {
                        break After::Send;
                    }
                }
                Next::Drain => match self.protocol.receive_body(rest) {
                    Ok(BodyStep::NeedMore { consumed }) => {
                        at += consumed;
                        break After::Read;
                    }
                    Ok(step) => at += step.consumed(),
                    Err(_) => self.protocol.abort(),
                },
                Next::Close { linger } => break After::Close { linger },
                // Answered at once, or given to an exchange: never left so.
                Next::Respond | Next::Upgraded => self.protocol.abort(),
            }
        };
        self.wire.held.clear();
        self.wire.held.extend_from_slice(&input[at..length]);
        if self.wire.held.is_empty() {
            self.wire.held = Vec::new();
        }
        self.wire.send_now(&output)?;
        Ok(match after {
            After::Read if !self.wire.unsent.is_empty() => After::Send,
            after => after,
        })
    }

    /// Fills `input` with what was held and what came; returns how much that is.
    fn receive(&mut self, input: &mut [u8]) -> io::Result<usize> {
        let held = self.wire.held.len();
        input[..held].copy_from_slice(&self.wire.held);
        match self.wire.watched.stream.try_read(&mut input[held..]) {
            Ok(0) => {
                self.protocol.input_ended();
                Ok(held)
            }
            Ok(read) => Ok(held + read),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(held),
            Err(error) => Err(error),
        }
    }

    /// A head that took too long is answered (RFC 9110 15.5.9).
    fn expired_head(&self) -> Option<Reject> {
        let is_late = self.wire.watched.is_expired.get() && self.wire.watched.awaits_head.get();
        is_late.then_some(Reject {
            status: StatusCode::REQUEST_TIMEOUT,
            reason: "the request took too long to arrive",
        })
    }

    fn write_answer(&mut self, output: &mut Vec<u8>, answer: Answer, date: &[u8; 29]) {
        if let Some(fault) = &answer.fault {
            tracing::warn!("{fault}");
        }
        if self.try_write_answer(output, answer, date).is_err() {
            self.protocol.abort();
        }
    }

    fn try_write_answer(
        &mut self,
        output: &mut Vec<u8>,
        answer: Answer,
        date: &[u8; 29],
    ) -> Result<(), RespondError> {
        let head = self.protocol.respond(output, answer.status, date)?;
        let head = head.lines(answer.fields.as_bytes());
        if let Body::Bytes(content) = &answer.body {
            return head.finish_with(content);
        }
        let plan = head.finish(BodySize::Known(answer.length))?;
        match answer.body {
            Body::Bytes(_) | Body::Empty => Ok(()),
            Body::File(range) => self.queue(plan, output, [Part::File(range)]),
            Body::Parts(parts) => self.queue(plan, output, parts),
        }
    }

    /// Sets the content of a response aside to be sent behind its head.
    fn queue(
        &mut self,
        plan: BodyPlan,
        output: &mut Vec<u8>,
        parts: impl IntoIterator<Item = Part>,
    ) -> Result<(), RespondError> {
        if plan == BodyPlan::Nothing {
            return Ok(());
        }
        for part in parts {
            self.protocol.announce_body(output, part.length())?;
            self.wire.unsent.push_back(part);
        }
        self.protocol.end_body(output, None)
    }

    async fn close(mut self, linger: bool) -> io::Result<()> {
        self.wire.send_all(&self.turn).await?;
        let watched = &self.wire.watched;
        shut_down_writing(&watched.stream);
        if linger {
            self.turn
                .expect(watched, self.turn.settings.timeouts.linger);
            let mut sink = [0; 4096];
            let mut left = self.turn.settings.limits.drain_bytes;
            while left > 0 && !watched.is_expired.get() {
                watched.stream.readable().await?;
                match watched.stream.try_read(&mut sink) {
                    Ok(0) => break,
                    Ok(read) => left = left.saturating_sub(read as u64),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }
}

impl Wire {
    /// Sends what the socket takes of `output` at once; the rest is kept, before
    /// what is kept already.
    pub(super) fn send_now(&mut self, output: &[u8]) -> io::Result<()> {
        if output.is_empty() {
            return Ok(());
        }
        let has_more = !self.unsent.is_empty();
        let sent = match send(&self.watched.stream, output, has_more) {
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

    /// Sends everything that is kept.
    pub(super) async fn send_all<H>(&mut self, turn: &Turn<H>) -> io::Result<()> {
        while let Some(part) = self.unsent.pop_front() {
            let has_more = !self.unsent.is_empty();
            match part {
                Part::Bytes(bytes) => self.send_bytes(turn, &bytes, has_more).await?,
                Part::File(range) => self.send_range(turn, &range).await?,
            }
        }
        // A queue that was long must not stay so.
        self.unsent = VecDeque::new();
        turn.expect_nothing(&self.watched);
        Ok(())
    }

    async fn send_bytes<H>(&self, turn: &Turn<H>, bytes: &[u8], more: bool) -> io::Result<()> {
        let mut sent = 0;
        while sent < bytes.len() {
            match send(&self.watched.stream, &bytes[sent..], more) {
                Ok(length) => sent += length,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.wait_to_write(turn).await?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn send_range<H>(&self, turn: &Turn<H>, range: &FileRange) -> io::Result<()> {
        let mut offset = range.span.offset;
        while offset < range.span.end() {
            let left = range.span.end() - offset;
            match send_file(&self.watched.stream, &range.file, offset, left) {
                // The file was cut: what was announced cannot be kept.
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(sent) => offset += sent,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.wait_to_write(turn).await?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn wait_to_write<H>(&self, turn: &Turn<H>) -> io::Result<()> {
        turn.expect(&self.watched, turn.settings.timeouts.write);
        self.watched.stream.writable().await?;
        if self.watched.is_expired.get() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(())
    }
}
