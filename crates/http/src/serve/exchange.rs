//! One request that a service answers: its content goes in while the answer comes
//! out, each at the pace of the slower side.
//!
//! An answer may end HTTP on the connection; what comes then is in
//! [`super::switched`].

use super::begun::{Begun, Taken, Unfinished};
use super::handler::{Answering, BoxBody, Handler};
use super::incoming::{BodyError, Incoming, Slot};
use super::record::Kept;
use super::turn::{Turn, Watched};
use super::upgrade::{Switch, Talk, Upgrade};
use super::wire::{TURN_BYTES, Wire};
use crate::files::{FileRange, Part};
use crate::h1::{BodyPlan, BodySize, BodyStep, Connection, Reject, RespondError, trailer_fields};
use crate::models::Phase;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Request, Response, StatusCode, header, response};
use http_body::{Body, Frame};
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// Written before it is sent, while the service has more at hand.
const FLUSH_BYTES: usize = 64 * 1024;

/// An exchange that needs time.
pub(super) struct Open {
    answer: Answer,
    slot: Option<Arc<Slot>>,
    /// Where its response is to be told of.
    pub(super) kept: Option<Kept>,
}

enum Answer {
    Awaited(Answering),
    There(Box<Unfinished>),
}

/// What became of a request that a service was asked to answer.
pub(super) enum Asking {
    /// The answer is written, with so many bytes of content.
    Answered(StatusCode, u64),
    /// The exchange goes on.
    Open(Box<Open>),
}

/// Lets the handler answer a request whose content is still to be received. An
/// answer that is there at once, and whole, is written to `output`; another is left
/// open.
pub(super) fn begin<H: Handler>(
    turn: &Turn<H>,
    protocol: &mut Connection,
    watched: &Watched,
    parts: Parts,
    output: &mut Vec<u8>,
    context: &mut Context<'_>,
) -> Asking {
    let (body, slot) = if protocol.body_remains() {
        let slot = Arc::new(Slot::default());
        let length = announced(&parts);
        (Incoming::from_slot(Arc::clone(&slot), length), Some(slot))
    } else {
        (Incoming::empty(), None)
    };
    let mut request = Request::from_parts(parts, body);
    if protocol.may_upgrade() {
        request.extensions_mut().insert(Upgrade::offered());
    }
    let answer = match turn.handler.begin(watched.peer, request, context) {
        Begun::Awaited(answering) => Answer::Awaited(answering),
        Begun::Whole(head, content) if slot.is_none() => {
            let given = respond_at_once(turn, protocol, &head, &content, output);
            turn.room.borrow_mut().take_back(head.headers);
            return Asking::Answered(head.status, given);
        }
        Begun::Whole(head, content) => Answer::There(Unfinished::whole(head, content)),
        Begun::Open(unfinished) => Answer::There(unfinished),
    };
    turn.expect_nothing(watched);
    let kept = None;
    Asking::Open(Box::new(Open { answer, slot, kept }))
}

/// Writes a response whose content is whole; gives how much of the content was
/// written.
fn respond_at_once<H>(
    turn: &Turn<H>,
    protocol: &mut Connection,
    head: &response::Parts,
    content: &[u8],
    output: &mut Vec<u8>,
) -> u64 {
    let lacks_length = lacks_length(protocol, content.len() as u64);
    let written = protocol
        .respond(output, head.status, &turn.date())
        .map(|begun| begun.fields(&head.headers))
        .and_then(|begun| match lacks_length {
            true => begun.finish(BodySize::Streaming).map(|_| 0),
            false => begun.finish_with(content),
        });
    written.unwrap_or_else(|error| {
        tracing::warn!("a response could not be sent: {error}");
        protocol.abort();
        0
    })
}

/// Whether content of `length` bytes says nothing about the length that is to be
/// announced: to HEAD a service may have left away content of a length that it did not
/// know (RFC 9110 8.6).
fn lacks_length(protocol: &Connection, length: u64) -> bool {
    length == 0 && protocol.is_head()
}

/// Waits for what is still to come of an exchange, and sends it. If that ends HTTP,
/// gives what is said then.
///
/// # Errors
/// The connection broke.
pub(super) async fn run<H: Handler>(
    turn: &Turn<H>,
    protocol: &mut Connection,
    wire: &mut Wire,
    open: Box<Open>,
) -> io::Result<Option<Talk>> {
    let Open { answer, slot, kept } = *open;
    let mut exchange = Exchange {
        turn,
        protocol,
        wire,
        slot,
        refused: None,
        wants_more: false,
        content_bytes: 0,
        flushed: 0,
    };
    // Earlier answers come first, and nobody shall wait for them while a service works.
    exchange.wire.send_all(turn).await?;
    let (mut response, taken) = match answer {
        Answer::Awaited(mut answering) => (exchange.answer(&mut answering).await?, None),
        Answer::There(unfinished) => (unfinished.response, unfinished.taken),
    };
    let mut status = response.status();
    let talk = Switch::take(response.extensions_mut());
    let sent = match (exchange.refused.take(), talk) {
        // The client hears what is wrong with its content from whoever saw that.
        (Some(reject), _) => {
            status = reject.status;
            exchange.refuse(&reject).await.map(|()| None)
        }
        (None, Some(talk)) => exchange.switch(response.headers(), talk, &mut status).await,
        (None, None) => exchange.respond(response, taken).await.map(|()| None),
    };
    if let Some(kept) = kept {
        let given = exchange.content_bytes;
        let bytes = given.saturating_sub(exchange.wire.unsent_length());
        let peer = exchange.wire.watched.peer;
        turn.tell(peer, Some(kept.asked()), status, bytes, kept.begun);
    }
    sent
}

struct Exchange<'a, H> {
    turn: &'a Turn<H>,
    protocol: &'a mut Connection,
    wire: &'a mut Wire,
    /// Where the content goes, as long as some is left and wanted.
    slot: Option<Arc<Slot>>,
    /// Why some of the content was refused.
    refused: Option<Reject>,
    /// What lies unread is the beginning of something whose rest has to come first.
    wants_more: bool,
    /// How much content the response has had up to now.
    content_bytes: u64,
    /// Bytes that were sent since others had their turn: a service that always has more
    /// at hand, and a client as fast, must not hold the loop.
    flushed: u64,
}

/// Whoever still waits for content when the exchange is over hears that none comes.
impl<H> Drop for Exchange<'_, H> {
    fn drop(&mut self) {
        if let Some(slot) = self.slot.take() {
            slot.fail(BodyError::CutOff);
        }
    }
}

impl<H: Handler> Exchange<'_, H> {
    /// Waits for the head of the response, and feeds the service meanwhile.
    ///
    /// # Errors
    /// The connection broke, or the client has left and nobody need answer it.
    async fn answer(&mut self, answering: &mut Answering) -> io::Result<Response<BoxBody>> {
        loop {
            let step = poll_fn(|context| match answering.as_mut().poll(context) {
                Poll::Ready(response) => Poll::Ready(Step::Answer(response)),
                Poll::Pending if self.slot.is_none() => {
                    self.poll_left(context).map(|()| Step::Leave)
                }
                Poll::Pending => self.poll_readable(context).map(|()| Step::Feed),
            });
            match step.await {
                Step::Answer(response) => return Ok(response),
                Step::Feed => self.feed().await?,
                Step::Leave => return Err(io::ErrorKind::ConnectionAborted.into()),
            }
        }
    }

    /// Sends the response, of whose content some was taken already.
    async fn respond(&mut self, response: Response<BoxBody>, taken: Taken) -> io::Result<()> {
        let (mut head, mut body) = response.into_parts();
        self.wire.send_all(self.turn).await?;
        let range = head.extensions.remove::<FileRange>();
        let size = match &range {
            Some(range) => BodySize::Known(range.span.length),
            None => {
                let frame = taken
                    .as_ref()
                    .and_then(|taken| taken.as_ref()?.as_ref().ok());
                let first = frame.and_then(Frame::data_ref).map_or(0, Bytes::len);
                let left = body.size_hint().exact();
                let length = left.map(|left| left + first as u64);
                length
                    .filter(|&length| !lacks_length(self.protocol, length))
                    .map_or(BodySize::Streaming, BodySize::Known)
            }
        };
        self.turn.now();
        if self.turn.phase() != Phase::Serving {
            self.protocol.close_soon();
        }
        let mut out = Vec::with_capacity(512);
        let begun = self
            .protocol
            .respond(&mut out, head.status, &self.turn.date())
            .and_then(|begun| begun.fields(&head.headers).finish(size));
        match (begun, range) {
            (Ok(BodyPlan::Nothing), _) => self.wire.send_now(&out)?,
            (Ok(BodyPlan::Send), Some(range)) => self.send_file(out, range)?,
            (Ok(BodyPlan::Send), None) => self.stream(out, taken, &mut body).await?,
            (Err(error), _) => {
                tracing::warn!("a response could not be sent: {error}");
                self.protocol.abort();
            }
        }
        self.wire.send_all(self.turn).await
    }

    /// Sends the 101, or the refusal of what came too early.
    async fn switch(
        &mut self,
        fields: &HeaderMap,
        talk: Talk,
        status: &mut StatusCode,
    ) -> io::Result<Option<Talk>> {
        self.wire.send_all(self.turn).await?;
        self.turn.now();
        let mut out = Vec::with_capacity(256);
        let unread = self.wire.held.len() + usize::from(self.wire.has_unread());
        let switched = self.protocol.switch_protocols(&mut out, unread, fields);
        if let Err(error) = switched {
            let refusal = refusal(error);
            *status = refusal.status;
            self.refuse(&refusal).await?;
            return Ok(None);
        }
        self.wire.send_now(&out)?;
        self.wire.send_all(self.turn).await?;
        Ok(Some(talk))
    }

    /// Sends the answer to what is refused; nothing follows it.
    async fn refuse(&mut self, reject: &Reject) -> io::Result<()> {
        self.wire.send_all(self.turn).await?;
        self.turn.now();
        let mut out = Vec::with_capacity(256);
        let date = self.turn.date();
        self.content_bytes = self.protocol.reject(&mut out, reject, &date);
        self.wire.send_now(&out)?;
        self.wire.send_all(self.turn).await
    }

    /// Instead of the equivalent body, the file itself.
    fn send_file(&mut self, mut out: Vec<u8>, range: FileRange) -> io::Result<()> {
        let length = range.span.length;
        self.content_bytes = length;
        let written = self
            .protocol
            .announce_body(&mut out, length)
            .and_then(|_| self.protocol.end_body(&mut out, None));
        if written.is_err() {
            self.protocol.abort();
            return Ok(());
        }
        self.wire.unsent.push_back(Part::File(range));
        self.wire.send_now(&out)
    }

    /// Sends the pieces of `body` as they come, and feeds the service meanwhile.
    async fn stream(
        &mut self,
        mut out: Vec<u8>,
        mut taken: Taken,
        body: &mut BoxBody,
    ) -> io::Result<()> {
        let mut trailers = None;
        loop {
            let step = poll_fn(|context| match Pin::new(&mut *body).poll_frame(context) {
                Poll::Ready(frame) => Poll::Ready(Some(frame)),
                Poll::Pending if !out.is_empty() => Poll::Ready(None),
                Poll::Pending => self.poll_readable(context).map(|()| None),
            });
            let next = match taken.take() {
                Some(taken) => Some(taken),
                None => step.await,
            };
            let frame = match next {
                // Nothing at hand: what was written goes out first.
                None if !out.is_empty() => {
                    self.flush(&mut out).await?;
                    continue;
                }
                None => {
                    self.feed().await?;
                    continue;
                }
                Some(None) => break,
                Some(Some(Ok(frame))) => frame,
                Some(Some(Err(error))) => {
                    tracing::warn!("a response broke off: {error}");
                    self.protocol.abort();
                    return Ok(());
                }
            };
            match frame.into_data() {
                // A service that has nothing to say, and says so for ever, leaves the
                // loop to the others all the same.
                Ok(content) if content.is_empty() => {
                    self.flush(&mut out).await?;
                    tokio::task::yield_now().await;
                }
                Ok(content) => {
                    self.content_bytes += content.len() as u64;
                    if self.protocol.send_body(&mut out, &content).is_err() {
                        return self.flush(&mut out).await;
                    }
                }
                // Nothing follows them.
                Err(frame) => {
                    trailers = frame.into_trailers().ok();
                    break;
                }
            }
            if out.len() >= FLUSH_BYTES {
                self.flush(&mut out).await?;
            }
        }
        if let Err(error) = self.protocol.end_body(&mut out, trailers.as_ref()) {
            tracing::warn!("a response could not be ended: {error}");
        }
        self.flush(&mut out).await
    }

    async fn flush(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        self.flushed += out.len() as u64;
        self.wire.send_now(out)?;
        out.clear();
        if self.flushed >= TURN_BYTES {
            self.flushed = 0;
            tokio::task::yield_now().await;
        }
        self.wire.send_all(self.turn).await
    }

    /// Ready when the client has left, and the service is to leave with it.
    fn poll_left(&self, context: &mut Context<'_>) -> Poll<()> {
        match self.turn.settings.leaves_with_client {
            true => self.wire.poll_closed(context),
            false => Poll::Pending,
        }
    }

    /// Ready when the service wants content and some may be there.
    fn poll_readable(&self, context: &mut Context<'_>) -> Poll<()> {
        let Some(slot) = &self.slot else {
            return Poll::Pending;
        };
        if slot.poll_wanted(context).is_pending() {
            // The client may have sent all of what is wanted: nobody waits for it.
            self.turn.expect_nothing(&self.wire.watched);
            return Poll::Pending;
        }
        // Whoever waits for a word of ours sends nothing before it.
        let lies_here = !self.wire.held.is_empty() && !self.wants_more;
        if lies_here || self.protocol.continue_due() {
            return Poll::Ready(());
        }
        let patience = self.turn.settings.timeouts.body;
        self.turn
            .expect(&self.wire.watched, self.turn.now(), patience);
        self.wire.poll_readable(context)
    }

    /// Gives the service the next piece of content, if there is one.
    async fn feed(&mut self) -> io::Result<()> {
        let Some(slot) = self.slot.clone() else {
            return Ok(());
        };
        let mut reply = Vec::new();
        let fed = self.take_piece(&slot, &mut reply);
        self.turn.expect_nothing(&self.wire.watched);
        self.wire.send_now(&reply)?;
        self.wire.send_all(self.turn).await?;
        match fed {
            Ok(Fed::More) => {}
            Ok(Fed::Whole) => self.slot = None,
            Err(Refused::Request(reject)) => {
                slot.fail(BodyError::Refused(reject.reason));
                self.slot = None;
                self.refused = Some(reject);
            }
            Err(Refused::Connection(error)) => {
                slot.fail(BodyError::CutOff);
                return Err(error);
            }
        }
        Ok(())
    }

    fn take_piece(&mut self, slot: &Slot, reply: &mut Vec<u8>) -> Result<Fed, Refused> {
        let mut input = self.turn.input.borrow_mut();
        self.wants_more = false;
        let held = self.wire.held.len();
        input[..held].copy_from_slice(&self.wire.held);
        let mut length = held;
        loop {
            let step = self
                .protocol
                .receive_body(&input[..length])
                .map_err(Refused::Request)?;
            let consumed = step.consumed();
            match step {
                BodyStep::Data(range) => {
                    slot.put(Bytes::copy_from_slice(&input[range]));
                    self.keep(&input[consumed..length]);
                    let is_whole = !self.protocol.body_remains();
                    if is_whole {
                        slot.end(HeaderMap::new());
                    }
                    return Ok(if is_whole { Fed::Whole } else { Fed::More });
                }
                BodyStep::End(range) => {
                    slot.end(trailer_fields(&input[range]));
                    self.keep(&input[consumed..length]);
                    return Ok(Fed::Whole);
                }
                BodyStep::ContinueDue => self.protocol.send_continue(reply),
                BodyStep::NeedMore { consumed } => {
                    input.copy_within(consumed..length, 0);
                    length -= consumed;
                    if self.wire.watched.is_expired.get() {
                        return Err(Refused::Connection(io::ErrorKind::TimedOut.into()));
                    }
                    match self.wire.try_read(&mut input[length..]) {
                        Ok(0) => self.protocol.input_ended(),
                        Ok(read) => length += read,
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                            self.keep(&input[..length]);
                            self.wants_more = true;
                            return Ok(Fed::More);
                        }
                        Err(error) => return Err(Refused::Connection(error)),
                    }
                }
            }
        }
    }

    fn keep(&mut self, rest: &[u8]) {
        self.wire.held.clear();
        self.wire.held.extend_from_slice(rest);
    }
}

enum Step {
    Answer(Response<BoxBody>),
    Feed,
    Leave,
}

enum Fed {
    More,
    Whole,
}

enum Refused {
    Request(Reject),
    Connection(io::Error),
}

/// What a client is told whose connection cannot switch though the service would.
fn refusal(error: RespondError) -> Reject {
    match error {
        RespondError::EarlyBytes => Reject::new(
            StatusCode::BAD_REQUEST,
            "wait for the answer before you speak another protocol",
        ),
        _ => {
            tracing::warn!("a connection could not switch protocols: {error}");
            Reject::new(StatusCode::INTERNAL_SERVER_ERROR, "no switch was offered")
        }
    }
}

fn announced(parts: &Parts) -> Option<u64> {
    let length = parts.headers.get(header::CONTENT_LENGTH)?;
    length.to_str().ok()?.parse().ok()
}
