//! One request of a connection: to the handler, and its answer back.

use super::content::{Content, Source, Story};
use super::head;
use super::streams::Streams;
use crate::files::{Answer, Body as FileBody, FileRange, Moment, Part};
use crate::h1::{Connection, HeaderSlots, Reject, RequestHead, RequestLine, Room};
use crate::serve::handler::{BoxBody, Handler};
use crate::serve::incoming::Incoming;
use crate::serve::record::Asked;
use crate::serve::turn::Turn;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version};
use http_body::Body;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::rc::Rc;

/// What all requests of a connection need.
pub(super) struct Requests<H> {
    turn: Rc<Turn<H>>,
    peer: SocketAddr,
    streams: Rc<Streams>,
}

/// What a request is answered with.
enum Answered {
    File(Answer),
    /// By whoever gets these parts.
    Call(http::request::Parts),
    Refused(Reject),
}

impl<H: Handler> Requests<H> {
    pub(super) fn new(turn: Rc<Turn<H>>, peer: SocketAddr, streams: Rc<Streams>) -> Self {
        Self {
            turn,
            peer,
            streams,
        }
    }

    /// Answers `request`.
    pub(super) async fn answer(
        self: Rc<Self>,
        request: Request<hyper::body::Incoming>,
    ) -> Result<Response<Content<H>>, Infallible> {
        let turn = &self.turn;
        let mut story = Story::begin(Rc::clone(turn), Rc::clone(&self.streams), self.peer);
        let is_head = request.method() == Method::HEAD;
        let answered = self.decide(&request, &mut story);
        let response = match answered {
            Answered::File(answer) => from_file(answer, is_head),
            Answered::Refused(reject) => from_reject(&reject, is_head),
            Answered::Call(parts) => {
                let timeouts = &turn.settings.timeouts;
                let most = turn.settings.limits.body_bytes;
                let body = Incoming::from_http_2(request.into_body(), timeouts.body, most);
                let request = Request::from_parts(parts, body);
                let called = turn.handler.call(self.peer, request);
                from_service(called.await, is_head)
            }
        };
        story.status = response.status();
        Ok(response.map(|source| Content::new(source, story)))
    }

    fn decide(&self, request: &Request<hyper::body::Incoming>, story: &mut Story<H>) -> Answered {
        let turn = &self.turn;
        let now = turn.now();
        turn.count_request();
        let bytes = head::write(request);
        let mut slots = HeaderSlots::new();
        // Only its head is of HTTP/1.1: it begins and ends with it.
        let mut connection = Connection::new(turn.settings.limits);
        let head = match connection.receive_head(&bytes, &mut slots) {
            Ok(Some(head)) => head,
            Ok(None) => {
                const REASON: &str = "the head of the request is malformed";
                return Answered::Refused(Reject::new(StatusCode::BAD_REQUEST, REASON));
            }
            Err(reject) => {
                let line = RequestLine::find(&bytes, &turn.settings.limits);
                self.note(|| line.map(Asked::of_line), now, story);
                return Answered::Refused(reject);
            }
        };
        self.note(|| Some(Asked::of(&head)), now, story);
        let screened = turn.handler.screen(self.peer, &head, now);
        match screened.or_else(|| turn.handler.file(&head, now)) {
            Some(answer) => Answered::File(answer),
            None => match to_parts(&head, &mut turn.room.borrow_mut()) {
                Ok(parts) => Answered::Call(parts),
                Err(reject) => Answered::Refused(reject),
            },
        }
    }

    /// Keeps what was asked until its answer is told of, if it is.
    fn note<'a>(
        &self,
        asked: impl FnOnce() -> Option<Asked<'a>>,
        now: Moment,
        story: &mut Story<H>,
    ) {
        if self.turn.handler.records() {
            story.kept = asked().map(|asked| {
                let version = Version::HTTP_2;
                Asked { version, ..asked }.keep(now)
            });
        }
    }
}

fn to_parts(head: &RequestHead<'_, '_>, room: &mut Room) -> Result<http::request::Parts, Reject> {
    let mut parts = head.to_parts(room)?;
    parts.version = Version::HTTP_2;
    Ok(parts)
}

fn from_file(answer: Answer, is_head: bool) -> Response<Source> {
    if let Some(fault) = &answer.fault {
        tracing::warn!("{fault}");
    }
    let has_length = !matches!(
        answer.status,
        StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED
    );
    let mut fields = HeaderMap::with_capacity(12);
    for (name, value) in answer.fields.iter() {
        // They were checked when they were written.
        if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(name), HeaderValue::from_bytes(value))
        {
            fields.append(name, value);
        }
    }
    if has_length {
        fields.insert(CONTENT_LENGTH, answer.length.into());
    }
    let parts = match answer.body {
        _ if is_head => VecDeque::new(),
        FileBody::Empty => VecDeque::new(),
        FileBody::Bytes(bytes) => [Part::Bytes(bytes)].into(),
        FileBody::File(range) => [Part::File(range)].into(),
        FileBody::Parts(parts) => parts.into(),
    };
    response(answer.status, fields, Source::Parts(parts))
}

fn from_reject(reject: &Reject, is_head: bool) -> Response<Source> {
    let text = format!("{}\n", reject.reason);
    let mut fields = HeaderMap::new();
    fields.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    fields.insert(CONTENT_LENGTH, text.len().into());
    let part = (!is_head).then(|| Part::Bytes(text.into()));
    response(
        reject.status,
        fields,
        Source::Parts(part.into_iter().collect()),
    )
}

fn from_service(answered: Response<BoxBody>, is_head: bool) -> Response<Source> {
    let (mut head, body) = answered.into_parts();
    let range = head.extensions.remove::<FileRange>();
    let length = range
        .as_ref()
        .map_or_else(|| body.size_hint().exact(), |range| Some(range.span.length));
    let has_none = matches!(
        head.status,
        StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED
    );
    if has_none || is_head {
        // What RFC 9110 9.3.2 lets HEAD say. Content that is not there says nothing about
        // the length that it would have had (RFC 9110 8.6).
        if let Some(length) = length.filter(|&length| !has_none && length > 0) {
            head.headers
                .entry(CONTENT_LENGTH)
                .or_insert_with(|| length.into());
        }
        return response(head.status, head.headers, Source::Parts(VecDeque::new()));
    }
    let source = match range {
        Some(range) => Source::Parts([Part::File(range)].into()),
        None => Source::Service(body),
    };
    response(head.status, head.headers, source)
}

fn response(status: StatusCode, fields: HeaderMap, source: Source) -> Response<Source> {
    let mut response = Response::new(source);
    *response.status_mut() = status;
    *response.headers_mut() = fields;
    response
}
