//! One server-side connection: what was received, what is due, what comes next.
//!
//! This file decides the order of things: one request at a time, its content
//! before the next head, one response to each, and when the connection ends. What
//! the bytes of a response are is in [`super::response`].

use http::{HeaderMap, StatusCode};

use super::body::{BodyReader, BodyStep};
use super::head::{self, Framing, HeaderSlots, RequestHead, Version};
use super::limits::Limits;
use super::reject::Reject;
use super::response::{self, BodyWriter, RespondError, ResponseHead};
use super::scan::Scan;

/// The state of a connection. It holds no bytes: the buffers are the driver's,
/// which may let go of them whenever they are empty.
#[derive(Debug)]
pub struct Connection {
    limits: Limits,
    phase: Phase,
    reading: Reading,
    writing: Writing,
    exchange: Exchange,
    /// Bytes of an unwanted body that were thrown away so far.
    drained: u64,
    /// The client has shut down its side.
    input_ended: bool,
    /// The driver wants no request after this one.
    closing: bool,
}

/// What a driver does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Give the buffer to [`Connection::receive_head`], and read when it asks for
    /// more.
    ReceiveHead,
    /// A response is due or under way. The content of the request may be received
    /// meanwhile, see [`Connection::receive_body`].
    Respond,
    /// The response is out and content of the request is left: give the buffer to
    /// [`Connection::receive_body`] and throw away what it names.
    Drain,
    /// Send what was written, then close. With `linger`, first shut down the
    /// sending side and read for a short while, because bytes that arrive after a
    /// close may destroy the response on its way (RFC 9112 9.6).
    Close {
        /// Whether the client may still be sending.
        linger: bool,
    },
    /// The bytes belong to the new protocol from here on, in both directions.
    Upgraded,
}

/// What the driver is waiting for when it reads, so that it can tell how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// For the first byte of a request.
    Idle,
    /// For the rest of a head. The clock for a head starts with its first byte, and
    /// no further byte may restart it.
    Head,
    /// For content of a request.
    Body,
    /// For nothing from the client.
    Nothing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Open,
    Upgraded,
    Closed { linger: bool },
}

#[derive(Clone, Copy, Debug)]
enum Reading {
    /// Before the end of a head.
    Head(Scan),
    /// In the content of the request whose head was received.
    Body(BodyReader),
    /// The request is whole.
    Whole,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Writing {
    /// No request is there to respond to.
    Nothing,
    /// A request is there, and no byte of its response.
    Due,
    /// The head of the response is out.
    Body(BodyWriter),
    /// The response is out.
    Finished,
}

/// What a response has to know about its request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Exchange {
    pub(super) version: Version,
    /// The method is HEAD: the response has no content.
    pub(super) head_only: bool,
    pub(super) keep_alive: bool,
    pub(super) accepts_trailers: bool,
    /// The client said that it sends no further request.
    client_closes: bool,
    awaits_continue: bool,
    may_upgrade: bool,
    /// Bytes came right behind a request that offered an upgrade.
    early_bytes: bool,
}

impl Connection {
    /// A connection on which nothing has happened yet.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            phase: Phase::Open,
            reading: Reading::Head(Scan::default()),
            writing: Writing::Nothing,
            exchange: Exchange {
                version: Version::Http11,
                head_only: false,
                keep_alive: false,
                accepts_trailers: false,
                client_closes: false,
                awaits_continue: false,
                may_upgrade: false,
                early_bytes: false,
            },
            drained: 0,
            input_ended: false,
            closing: false,
        }
    }

    /// What to do next.
    #[must_use]
    #[inline]
    pub fn next(&self) -> Next {
        match (self.phase, self.writing) {
            (Phase::Closed { linger }, _) => Next::Close { linger },
            (Phase::Upgraded, _) => Next::Upgraded,
            (Phase::Open, Writing::Nothing) => Next::ReceiveHead,
            (Phase::Open, Writing::Due | Writing::Body(_)) => Next::Respond,
            (Phase::Open, Writing::Finished) => Next::Drain,
        }
    }

    /// What a read would wait for.
    #[must_use]
    pub fn waiting(&self) -> Waiting {
        match (self.phase, self.reading) {
            (Phase::Open, Reading::Head(scan)) if scan.is_fresh() => Waiting::Idle,
            (Phase::Open, Reading::Head(_)) => Waiting::Head,
            (Phase::Open, Reading::Body(_)) => Waiting::Body,
            _ => Waiting::Nothing,
        }
    }

    /// Whether content of the current request is still to be received.
    #[must_use]
    #[inline]
    pub fn body_remains(&self) -> bool {
        matches!(self.reading, Reading::Body(_))
    }

    /// Finds a request head at the start of `buffer`, the bytes that were received
    /// and not consumed. `None` asks for more bytes: the same ones come again with
    /// more behind them, and nothing is consumed. After a head, the driver consumes
    /// [`RequestHead::consumed`] bytes and responds.
    ///
    /// # Errors
    /// A request that is refused; the driver answers with [`Connection::reject`].
    #[inline]
    pub fn receive_head<'h, 'b>(
        &mut self,
        buffer: &'b [u8],
        slots: &'h mut HeaderSlots<'b>,
    ) -> Result<Option<RequestHead<'h, 'b>>, Reject> {
        let (Phase::Open, Reading::Head(scan)) = (self.phase, &mut self.reading) else {
            return Ok(None);
        };
        match head::receive(buffer, slots, scan, &self.limits) {
            Ok(Some(head)) => {
                self.begin_exchange(&head, buffer.len())?;
                Ok(Some(head))
            }
            Ok(None) => {
                if self.input_ended {
                    // RFC 9112 8: an incomplete request needs no answer.
                    self.phase = Phase::Closed { linger: false };
                }
                Ok(None)
            }
            Err(reject) => {
                self.exchange.head_only = false;
                Err(self.refuse(reject))
            }
        }
    }

    #[inline]
    fn begin_exchange(
        &mut self,
        head: &RequestHead<'_, '_>,
        buffered: usize,
    ) -> Result<(), Reject> {
        let fields = head.decided();
        self.exchange = Exchange {
            version: head.version(),
            head_only: head.method() == "HEAD",
            keep_alive: fields.keep_alive,
            accepts_trailers: fields.accepts_trailers,
            client_closes: !fields.keep_alive,
            awaits_continue: fields.expect_continue,
            may_upgrade: fields.upgrade.is_some(),
            // Behind content, they are among those that the driver has left.
            early_bytes: fields.upgrade.is_some()
                && fields.framing == Framing::None
                && buffered > head.consumed(),
        };
        self.writing = Writing::Due;
        self.reading = match BodyReader::new(fields.framing, &self.limits) {
            Ok(None) => Reading::Whole,
            Ok(Some(body)) => Reading::Body(body),
            Err(reject) => return Err(self.refuse(reject)),
        };
        Ok(())
    }

    /// Whether the current request is HEAD, whose response has no content.
    #[must_use]
    pub fn is_head(&self) -> bool {
        self.exchange.head_only
    }

    /// Whether the current request offers to switch protocols.
    #[must_use]
    pub fn may_upgrade(&self) -> bool {
        self.exchange.may_upgrade
    }

    /// Lets the content of the current request be no longer than `most` bytes from
    /// here on. It never raises a limit.
    ///
    /// # Errors
    /// 413 when a longer content was announced; a longer one that was not is
    /// refused when it comes.
    pub fn limit_body(&mut self, most: u64) -> Result<(), Reject> {
        match &mut self.reading {
            Reading::Body(body) => body.limit(most).map_err(|reject| self.refuse(reject)),
            _ => Ok(()),
        }
    }

    /// Says what the start of `buffer` is of the request's content. The driver
    /// consumes [`BodyStep::consumed`] bytes each time; what is not consumed comes
    /// again with more behind it.
    ///
    /// # Errors
    /// Content that is refused, or that ended before it was whole. The driver tells
    /// whoever reads the content, and calls [`Connection::reject`].
    pub fn receive_body(&mut self, buffer: &[u8]) -> Result<BodyStep, Reject> {
        let continue_due = self.continue_due();
        let body = match (self.phase, &mut self.reading) {
            (Phase::Open, Reading::Body(body)) => body,
            (_, Reading::Whole) => return Ok(BodyStep::End(0..0)),
            // What came of it so far must never pass for all of it.
            _ => return Err(Reject::bad("the content cannot be received any more")),
        };
        if continue_due {
            if buffer.is_empty() {
                return Ok(BodyStep::ContinueDue);
            }
            // RFC 9110 10.1.1: a server "MAY omit sending a 100 response if it has
            // already received some or all of the content".
            self.exchange.awaits_continue = false;
        }
        let step = match body.decode(buffer, &self.limits) {
            Ok(BodyStep::NeedMore { .. }) if self.input_ended => {
                // RFC 9112 8: such a message MUST be considered incomplete.
                const REASON: &str = "the connection ended before the content did";
                return Err(self.refuse(Reject::bad(REASON)));
            }
            Ok(step) => step,
            Err(reject) => return Err(self.refuse(reject)),
        };
        if body.left() == Some(0) || matches!(step, BodyStep::End(_)) {
            self.reading = Reading::Whole;
        }
        if matches!(self.writing, Writing::Finished) {
            self.drain(step.consumed());
        }
        Ok(step)
    }

    /// RFC 9112 9.3: a server "MUST read the entire request message body or close
    /// the connection after sending its response".
    fn drain(&mut self, consumed: usize) {
        self.drained = self.drained.saturating_add(consumed as u64);
        if matches!(self.reading, Reading::Whole) {
            self.begin_again();
        } else if self.drained > self.limits.drain_bytes {
            self.phase = Phase::Closed { linger: true };
        }
    }

    /// Whether the client sends its content only when it is told to.
    #[must_use]
    pub fn continue_due(&self) -> bool {
        self.exchange.awaits_continue && !self.input_ended
    }

    /// Tells a client that waits for it to send its content. Does nothing when
    /// none waits.
    pub fn send_continue(&mut self, out: &mut Vec<u8>) {
        if self.exchange.awaits_continue {
            self.exchange.awaits_continue = false;
            out.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
        }
    }

    /// Begins the response to the current request at the end of `out`; `date` is
    /// [`crate::date::response_date`] of now.
    ///
    /// # Errors
    /// When no response is due, or `status` is informational.
    #[inline]
    pub fn respond<'c>(
        &'c mut self,
        out: &'c mut Vec<u8>,
        status: StatusCode,
        date: &'c [u8; 29],
    ) -> Result<ResponseHead<'c>, RespondError> {
        if !matches!((self.phase, self.writing), (Phase::Open, Writing::Due)) {
            return Err(RespondError::NotDue);
        }
        if status.is_informational() {
            return Err(RespondError::Informational);
        }
        Ok(ResponseHead::begin(self, out, status, date))
    }

    /// Answers a request that was refused and ends the connection. Writes nothing
    /// when a response has begun already: then the close itself tells the client. Gives
    /// the length of the content that was written.
    pub fn reject(&mut self, out: &mut Vec<u8>, reject: &Reject, date: &[u8; 29]) -> u64 {
        if matches!(self.writing, Writing::Body(_) | Writing::Finished) {
            self.phase = Phase::Closed { linger: false };
            return 0;
        }
        self.phase = Phase::Open;
        self.writing = Writing::Due;
        self.exchange.keep_alive = false;
        self.exchange.client_closes = false;
        let written = ResponseHead::begin(self, out, reject.status, date)
            .static_field("content-type", "text/plain; charset=utf-8")
            .finish_with(reject.reason.as_bytes());
        debug_assert!(written.is_ok(), "a short text is a valid response");
        written.unwrap_or_default()
    }

    /// Sends an interim response, such as 103 Early Hints, before the response.
    ///
    /// # Errors
    /// When no response is due, or `status` is not informational, or is 101, which
    /// is [`Connection::switch_protocols`].
    pub fn inform(
        &mut self,
        out: &mut Vec<u8>,
        status: StatusCode,
        fields: &HeaderMap,
    ) -> Result<(), RespondError> {
        if !matches!((self.phase, self.writing), (Phase::Open, Writing::Due)) {
            return Err(RespondError::NotDue);
        }
        if !status.is_informational() || status == StatusCode::SWITCHING_PROTOCOLS {
            return Err(RespondError::Informational);
        }
        // RFC 9110 15.2: "A server MUST NOT send a 1xx response to an HTTP/1.0
        // client."
        if self.exchange.version == Version::Http11 {
            response::write_interim(out, status, fields);
        }
        Ok(())
    }

    /// Accepts the upgrade that the request offered: writes a 101 with `fields`,
    /// which name the protocol; the connection is no HTTP from there on. `unread` is
    /// how many bytes the driver has received and not consumed.
    ///
    /// # Errors
    /// When no upgrade was offered, content of the request is left, or bytes came
    /// before the 101. A client that waits for the answer, as RFC 9110 7.8 has it,
    /// sends none: what came early was meant for, or by, somebody else, and is taken
    /// as neither frames nor a request.
    pub fn switch_protocols(
        &mut self,
        out: &mut Vec<u8>,
        unread: usize,
        fields: &HeaderMap,
    ) -> Result<(), RespondError> {
        if !matches!((self.phase, self.writing), (Phase::Open, Writing::Due)) {
            return Err(RespondError::NotDue);
        }
        if !self.exchange.may_upgrade || !fields.contains_key(http::header::UPGRADE) {
            return Err(RespondError::NoUpgrade);
        }
        if self.exchange.early_bytes || unread > 0 || !matches!(self.reading, Reading::Whole) {
            self.exchange.keep_alive = false;
            return Err(RespondError::EarlyBytes);
        }
        response::write_switch(out, fields);
        self.phase = Phase::Upgraded;
        Ok(())
    }

    /// The client has shut down its side: no byte comes behind those that were
    /// received. Responses are still sent, and requests in the buffer are still
    /// received.
    pub fn input_ended(&mut self) {
        self.input_ended = true;
    }

    /// Lets no request follow the current one, or the next if none has begun: its
    /// client may have sent it already, and is told with the answer (RFC 9112 9.6).
    pub fn close_soon(&mut self) {
        self.closing = true;
    }

    /// Ends the connection at once, because a response cannot be completed: the
    /// client sees that it is cut.
    pub fn abort(&mut self) {
        self.phase = Phase::Closed { linger: false };
    }

    pub(super) fn exchange(&self) -> &Exchange {
        &self.exchange
    }

    pub(super) fn writing(&mut self) -> &mut Writing {
        &mut self.writing
    }

    pub(super) fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    /// Whether the connection can go on after the response that begins now, as far
    /// as the client, the driver and the unread content are concerned. To be asked
    /// once, as the head of the response is written.
    #[inline]
    pub(super) fn can_persist(&mut self) -> bool {
        let unread_is_small = match &self.reading {
            Reading::Body(body) => {
                // A client that still waits may or may not send its content now, so
                // what follows could not be told apart.
                !self.exchange.awaits_continue
                    && body
                        .left()
                        .is_none_or(|left| left <= self.limits.drain_bytes)
            }
            _ => true,
        };
        self.exchange.awaits_continue = false;
        self.exchange.keep_alive && !self.closing && unread_is_small
    }

    /// The head of the response is written.
    #[inline]
    pub(super) fn response_begun(&mut self, body: Option<BodyWriter>, keep_alive: bool) {
        self.exchange.keep_alive = keep_alive;
        match body {
            Some(writer) => self.writing = Writing::Body(writer),
            None => self.response_ended(),
        }
    }

    /// The last byte of the response is written.
    #[inline]
    pub(super) fn response_ended(&mut self) {
        self.writing = Writing::Finished;
        let whole = matches!(self.reading, Reading::Whole);
        if !self.exchange.keep_alive {
            let client_is_silent = self.input_ended || whole && self.exchange.client_closes;
            self.phase = Phase::Closed {
                linger: !client_is_silent,
            };
        } else if whole {
            self.begin_again();
        }
    }

    #[inline]
    fn begin_again(&mut self) {
        self.reading = Reading::Head(Scan::default());
        self.writing = Writing::Nothing;
        self.drained = 0;
        if self.closing {
            self.phase = Phase::Closed { linger: true };
        }
    }

    /// From here on nothing more is received.
    #[cold]
    fn refuse(&mut self, reject: Reject) -> Reject {
        self.phase = Phase::Closed {
            linger: !self.input_ended,
        };
        reject
    }
}
