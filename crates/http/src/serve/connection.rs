//! One HTTP/1.1 connection over a socket, in turns: read once, answer everything
//! that the read brought, write once.
//!
//! Between two turns a connection owns only what it must: the start of a head that
//! has not ended, and bytes that the client did not take yet.

use super::exchange::{self, Asking, Open};
use super::handler::Handler;
use super::http2;
use super::record::{Asked, Kept};
use super::sealed::{self, SealedStream};
use super::switched::{self, Place};
use super::turn::Turn;
use super::upgrade::Talk;
use super::wire::Wire;
use crate::files::{Answer, Body, Moment, Part};
use crate::h1::{
    BodyPlan, BodySize, BodyStep, Connection, HeaderSlots, Next, Reject, RequestHead, RequestLine,
    RespondError, Waiting,
};
use crate::models::Phase;
use http::StatusCode;
use std::future::{Future, poll_fn};
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

/// What is written before a turn ends early: answers to a long pipeline must not
/// pile up faster than the client takes them.
const OUTPUT_BYTES: usize = 256 * 1024;

/// Turns of a connection before others have theirs, a full buffer counting as many:
/// one whose requests are there before they are asked for must not hold the loop. A
/// request that a service answers counts as one, too.
const TURNS_IN_A_ROW: u16 = 32;

/// How long a connection waits for its next request when connections are to end. One
/// whose last answer began before that was told that it goes on, and its client may
/// have asked already.
const LAST_REQUEST: Duration = Duration::from_secs(1);

/// Received bytes that count as one more turn.
const BYTES_OF_A_TURN: usize = 4096;

/// Serves `stream` to its end. It never fails: a connection that breaks is over.
///
/// Every byte of the future is held by every connection: it keeps one driver in
/// place and hands out borrows of it, since an `async fn` stores an argument that it
/// takes by value twice.
pub fn serve<H: Handler>(
    turn: Rc<Turn<H>>,
    stream: TcpStream,
    peer: SocketAddr,
) -> impl Future<Output = ()> {
    let (watched, sealed) = turn.enter(stream, peer);
    let mut driver = Driver {
        protocol: Connection::new(turn.settings.limits),
        wire: Wire::new(watched, sealed),
        turn,
        pending: None,
        has_left: false,
        turns_in_a_row: 0,
    };
    async move {
        // An error means that whoever it was has gone.
        if let Ok(Some(departure)) = driver.run().await {
            // Boxed: a connection that stays with HTTP/1.1 stays small.
            Box::pin(driver.depart(departure)).await;
        }
    }
}

struct Driver<H: Handler> {
    turn: Rc<Turn<H>>,
    protocol: Connection,
    wire: Wire,
    /// A response under way that is to be told of.
    pending: Option<Box<Pending>>,
    /// The connection goes on without it.
    has_left: bool,
    /// Since others had theirs.
    turns_in_a_row: u16,
}

/// A response whose content is being sent.
struct Pending {
    kept: Kept,
    status: StatusCode,
    bytes: u64,
}

/// What a turn ended with.
enum After {
    /// Nothing can be done until more is received.
    Read,
    /// What was written waits to be sent.
    Send,
    /// A service has not answered yet, or not all.
    Exchange(Box<Open>),
    /// The connection is over.
    Close { linger: bool },
}

/// How a connection goes on without HTTP/1.1.
enum Departure {
    /// Both sides agreed on HTTP/2.
    Http2,
    /// A service accepted another protocol.
    Talk(Talk),
}

/// However a connection ends: by itself, with its loop, or by a panic.
impl<H: Handler> Drop for Driver<H> {
    fn drop(&mut self) {
        self.tell_pending();
        self.turn.forget(&self.wire.watched);
        if !self.has_left {
            self.turn.leave();
        }
    }
}

impl<H: Handler> Driver<H> {
    /// Ends with the connection, or with HTTP/1.1 on it.
    async fn run(&mut self) -> io::Result<Option<Departure>> {
        if self.wire.sealed.is_some() {
            let is_http_2 = Box::pin(sealed::shake_hands(&self.turn, &mut self.wire)).await?;
            if is_http_2 {
                return Ok(Some(Departure::Http2));
            }
        }
        loop {
            if self.turns_in_a_row >= TURNS_IN_A_ROW {
                self.turns_in_a_row = 0;
                tokio::task::yield_now().await;
            }
            let turn = poll_fn(|context| Poll::Ready(self.take_turn(context)));
            match turn.await? {
                After::Read => self.wait_to_read().await?,
                After::Send => {
                    self.wire.send_all(&self.turn).await?;
                    self.tell_pending();
                }
                After::Exchange(open) => {
                    let Self {
                        turn,
                        protocol,
                        wire,
                        ..
                    } = &mut *self;
                    // Boxed: a connection that only serves files stays small.
                    let exchange = Box::pin(exchange::run(turn, protocol, wire, open));
                    if let Some(talk) = exchange.await? {
                        return Ok(Some(Departure::Talk(talk)));
                    }
                }
                After::Close { linger } => {
                    self.close(linger).await?;
                    return Ok(None);
                }
            }
        }
    }

    /// What comes instead of HTTP/1.1.
    fn depart(mut self, departure: Departure) -> impl Future<Output = ()> {
        self.has_left = true;
        let place = Place(Rc::clone(&self.turn));
        let watched = Rc::clone(&self.wire.watched);
        let sealed = self.wire.sealed.take();
        drop(self);
        // The driver was the only other one who had it.
        let left = Rc::into_inner(watched).map(|watched| (watched.socket, watched.peer));
        async move {
            match (left, sealed, departure) {
                (Some((socket, peer)), Some(sealed), Departure::Http2) => {
                    http2::serve(place, SealedStream::new(socket, sealed), peer).await;
                }
                (Some((socket, _)), Some(sealed), Departure::Talk(talk)) => {
                    switched::run(place, SealedStream::new(socket, sealed), talk).await;
                }
                (Some((socket, _)), None, Departure::Talk(talk)) => {
                    if let Ok(stream) = socket.into_stream() {
                        switched::run(place, stream, talk).await;
                    }
                }
                // HTTP/2 is agreed on in a handshake only.
                (_, None, Departure::Http2) | (None, ..) => {}
            }
        }
    }

    async fn wait_to_read(&mut self) -> io::Result<()> {
        let timeouts = &self.turn.settings.timeouts;
        let watched = &self.wire.watched;
        let waiting = self.protocol.waiting();
        watched.is_idle.set(waiting == Waiting::Idle);
        // The turn that has just ended read the clock.
        let now = self.turn.moment();
        let patience = match waiting {
            Waiting::Idle if self.turn.phase() == Phase::Ending => LAST_REQUEST,
            Waiting::Idle => timeouts.idle,
            Waiting::Head => timeouts.head,
            // What a service wants is received elsewhere: this nobody does.
            Waiting::Body | Waiting::Nothing => timeouts.body,
        };
        self.turn.expect_whole(watched, waiting, now, patience);
        self.wire.readable().await;
        watched.is_idle.set(false);
        Ok(())
    }

    /// Reads once and answers all of it.
    fn take_turn(&mut self, context: &mut Context<'_>) -> io::Result<After> {
        if self.wire.has_unsent() {
            return Ok(After::Send);
        }
        let turn = Rc::clone(&self.turn);
        let mut input = turn.input.borrow_mut();
        let mut output = turn.output.borrow_mut();
        output.clear();
        let length = self.receive(&mut input)?;
        if length > 0 {
            self.wire.watched.is_idle.set(false);
        }
        self.turns_in_a_row += 1 + (length / BYTES_OF_A_TURN) as u16;
        let now = turn.now();
        let date = turn.date();
        if turn.phase() != Phase::Serving {
            self.protocol.close_soon();
        }
        let mut at = 0;
        // Services that were asked: each may take as long as a whole turn of files.
        let mut asked = 0;
        let after = loop {
            let rest = &input[at..length];
            match self.protocol.next() {
                Next::ReceiveHead => {
                    let mut slots = HeaderSlots::new();
                    let head = match self.protocol.receive_head(rest, &mut slots) {
                        Ok(Some(head)) => head,
                        Ok(None) => match self.expired_head() {
                            Some(reject) => {
                                self.reject(&mut output, &reject, rest, &date, now);
                                continue;
                            }
                            None if self.protocol.next() == Next::ReceiveHead => break After::Read,
                            None => continue,
                        },
                        Err(reject) => {
                            self.reject(&mut output, &reject, rest, &date, now);
                            continue;
                        }
                    };
                    at += head.consumed();
                    self.wire.watched.has_come();
                    turn.count_request();
                    let peer = self.wire.watched.peer;
                    let screened = turn.handler.screen(peer, &head, now);
                    match screened.or_else(|| turn.handler.file(&head, now)) {
                        Some(answer) => {
                            let status = answer.status;
                            let bytes = self.write_answer(&mut output, answer, &date);
                            if turn.handler.records() {
                                self.tell_answer(Asked::of(&head), status, bytes, now);
                            }
                        }
                        None => match self.ask(&head, &mut output, &date, now, context) {
                            Some(open) => break After::Exchange(open),
                            None => asked += 1,
                        },
                    }
                    let is_much = output.len() >= OUTPUT_BYTES || asked == TURNS_IN_A_ROW;
                    if is_much || !self.wire.unsent.is_empty() {
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
        self.turns_in_a_row += asked;
        self.wire.held.clear();
        self.wire.held.extend_from_slice(&input[at..length]);
        if self.wire.held.is_empty() {
            self.wire.held = Vec::new();
        }
        match after {
            // The end of the connection goes in the same segment.
            After::Close { .. } => self.wire.send_last(&output)?,
            _ => self.wire.send_now(&output)?,
        }
        Ok(match after {
            After::Read if self.wire.has_unsent() => After::Send,
            after => after,
        })
    }

    /// Lets a service answer, as far as it does so at once; gives what is left to do.
    fn ask(
        &mut self,
        head: &RequestHead<'_, '_>,
        output: &mut Vec<u8>,
        date: &[u8; 29],
        now: Moment,
        context: &mut Context<'_>,
    ) -> Option<Box<Open>> {
        let parts = head.to_parts(&mut self.turn.room.borrow_mut());
        let parts = match parts {
            Ok(parts) => parts,
            Err(reject) => {
                self.reject(output, &reject, head.raw(), date, now);
                return None;
            }
        };
        let turn = &*self.turn;
        let records = turn.handler.records();
        let (protocol, watched) = (&mut self.protocol, &self.wire.watched);
        match exchange::begin(turn, protocol, watched, parts, output, context) {
            Asking::Answered(status, bytes) => {
                if records {
                    self.tell_answer(Asked::of(head), status, bytes, now);
                }
                None
            }
            Asking::Open(mut open) => {
                open.kept = records.then(|| Asked::of(head).keep(now));
                Some(open)
            }
        }
    }

    /// Fills `input` with what was held and what came; returns how much that is.
    fn receive(&mut self, input: &mut [u8]) -> io::Result<usize> {
        let held = self.wire.held.len();
        input[..held].copy_from_slice(&self.wire.held);
        match self.wire.try_read(&mut input[held..]) {
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
        self.wire.watched.is_head_late().then_some(Reject {
            status: StatusCode::REQUEST_TIMEOUT,
            reason: "the request took too long to arrive",
        })
    }

    /// Answers the request at the start of `input`, of which no more than its first
    /// line may have been understood.
    fn reject(
        &mut self,
        output: &mut Vec<u8>,
        reject: &Reject,
        input: &[u8],
        date: &[u8; 29],
        begun: Moment,
    ) {
        let bytes = self.protocol.reject(output, reject, date);
        if self.turn.handler.records() {
            let line = RequestLine::find(input, &self.turn.settings.limits);
            let asked = line.map(Asked::of_line);
            let peer = self.wire.watched.peer;
            self.turn.tell(peer, asked, reject.status, bytes, begun);
        }
    }

    /// Tells of an answer, at once or when its content has been sent.
    fn tell_answer(&mut self, asked: Asked<'_>, status: StatusCode, bytes: u64, begun: Moment) {
        if self.wire.unsent.is_empty() {
            let peer = self.wire.watched.peer;
            self.turn.tell(peer, Some(asked), status, bytes, begun);
        } else {
            let kept = asked.keep(begun);
            self.pending = Some(Box::new(Pending {
                kept,
                status,
                bytes,
            }));
        }
    }

    fn tell_pending(&mut self) {
        if let Some(pending) = self.pending.take() {
            let sent = pending.bytes.saturating_sub(self.wire.unsent_length());
            let peer = self.wire.watched.peer;
            let Pending { kept, status, .. } = *pending;
            let asked = Some(kept.asked());
            self.turn.tell(peer, asked, status, sent, kept.begun);
        }
    }

    /// Writes an answer, or sets its content aside; gives the length of that content.
    fn write_answer(&mut self, output: &mut Vec<u8>, answer: Answer, date: &[u8; 29]) -> u64 {
        if let Some(fault) = &answer.fault {
            tracing::warn!("{fault}");
        }
        let written = self.try_write_answer(output, answer, date);
        written.unwrap_or_else(|_| {
            self.protocol.abort();
            0
        })
    }

    fn try_write_answer(
        &mut self,
        output: &mut Vec<u8>,
        answer: Answer,
        date: &[u8; 29],
    ) -> Result<u64, RespondError> {
        let head = self.protocol.respond(output, answer.status, date)?;
        let head = head.lines(answer.fields.as_bytes());
        if let Body::Bytes(content) = &answer.body {
            return head.finish_with(content);
        }
        let plan = head.finish(BodySize::Known(answer.length))?;
        match answer.body {
            Body::Bytes(_) | Body::Empty => Ok(0),
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
    ) -> Result<u64, RespondError> {
        if plan == BodyPlan::Nothing {
            return Ok(0);
        }
        let mut length = 0;
        for part in parts {
            length += part.length();
            self.protocol.announce_body(output, part.length())?;
            self.wire.unsent.push_back(part);
        }
        self.protocol.end_body(output, None)?;
        Ok(length)
    }

    async fn close(&mut self, linger: bool) -> io::Result<()> {
        self.wire.send_all(&self.turn).await?;
        if let Some(sealed) = &mut self.wire.sealed {
            sealed.say_goodbye(&self.wire.watched.socket);
        }
        // With it go the last bytes. A close alone would throw them away where
        // something lies unread.
        self.wire.watched.socket.shut_down_writing();
        if linger && self.turn.phase() != Phase::Ending {
            self.wire.linger(&self.turn).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "connection_tests.rs"]
mod tests;
