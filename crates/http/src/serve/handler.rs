//! What answers requests: files at once, services in their time.

use super::begun::Begun;
use super::incoming::Incoming;
use super::record::Record;
use crate::files::{Answer, Method, Moment, Request as FileRequest, Site, Wanted};
use crate::h1::RequestHead;
use crate::models::Figures;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use std::borrow::Cow;
use std::cell::RefCell;
use std::convert::Infallible;
use std::error::Error;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use tower::{Service, ServiceExt};

/// The body of a response.
pub type BoxBody = http_body_util::combinators::UnsyncBoxBody<Bytes, Box<dyn Error + Send + Sync>>;

/// A response in the making.
pub type Answering = Pin<Box<dyn Future<Output = Response<BoxBody>>>>;

/// Answers the requests of one event loop.
pub trait Handler: 'static {
    /// The answer that needs no waiting, if it is one: a file.
    fn file(&self, head: &RequestHead<'_, '_>, now: Moment) -> Option<Answer>;

    /// Any other answer, for the client at an address.
    fn call(&self, peer: SocketAddr, request: Request<Incoming>) -> Answering;

    /// The same, as far as it is at once; `context` is woken when there is more.
    /// A handler overrides it that has answers at hand, for which a future of its own
    /// would be too much.
    fn begin(
        &self,
        peer: SocketAddr,
        request: Request<Incoming>,
        context: &mut Context<'_>,
    ) -> Begun {
        let mut answering = self.call(peer, request);
        match answering.as_mut().poll(context) {
            Poll::Ready(response) => Begun::with(response, context),
            Poll::Pending => Begun::Awaited(answering),
        }
    }

    /// The answer that hangs on who asks, before anything else is done for the
    /// request: to a client that asks too often, for instance.
    #[inline]
    fn screen(&self, _: SocketAddr, _: &RequestHead<'_, '_>, _: Moment) -> Option<Answer> {
        None
    }

    /// Whether [`Handler::record`] is to be called.
    #[inline]
    fn records(&self) -> bool {
        false
    }

    /// A response has ended.
    fn record(&self, _: &Record<'_>) {}

    /// Numbers that a pool of processes adds up.
    fn figures(&self) -> Figures {
        Figures::default()
    }

    /// About a second has passed, or the last connection has ended.
    fn tick(&self) {}
}

/// Files and nothing else.
#[derive(Debug)]
pub struct Files(RefCell<Site>);

impl Files {
    /// The files of `site`.
    pub fn new(site: Site) -> Self {
        Self(RefCell::new(site))
    }

    /// The answer to any request.
    pub(crate) fn answer(&self, head: &RequestHead<'_, '_>, now: Moment) -> Answer {
        let mut wanted = Wanted::default();
        for (name, value) in head.fields() {
            wanted.note(name.as_bytes(), value);
        }
        self.0.borrow_mut().answer(&FileRequest {
            method: Method::from_bytes(head.method().as_bytes()),
            target: origin_form(head).as_bytes(),
            wanted,
            now,
        })
    }
}

impl Handler for Files {
    fn file(&self, head: &RequestHead<'_, '_>, now: Moment) -> Option<Answer> {
        Some(self.answer(head, now))
    }

    fn call(&self, _: SocketAddr, _: Request<Incoming>) -> Answering {
        Box::pin(async { plain(StatusCode::NOT_FOUND) })
    }
}

/// A `tower` service and nothing else: an `axum` router, for instance.
#[derive(Debug)]
pub struct Tower<S>(S);

impl<S> Tower<S> {
    /// The answers of `service`, which is cloned for each request.
    pub fn new(service: S) -> Self {
        Self(service)
    }
}

impl<S, B> Handler for Tower<S>
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + 'static,
    S::Future: 'static,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    fn file(&self, _: &RequestHead<'_, '_>, _: Moment) -> Option<Answer> {
        None
    }

    fn call(&self, _: SocketAddr, request: Request<Incoming>) -> Answering {
        let answering = self.0.clone().oneshot(request);
        Box::pin(async move { boxed(answering.await) })
    }

    fn begin(&self, _: SocketAddr, request: Request<Incoming>, context: &mut Context<'_>) -> Begun {
        let mut answering = Box::pin(self.0.clone().oneshot(request));
        match answering.as_mut().poll(context) {
            Poll::Ready(response) => Begun::with(boxed(response), context),
            Poll::Pending => Begun::Awaited(Box::pin(async move { boxed(answering.await) })),
        }
    }
}

/// The answer of any service as one type.
fn boxed<B>(answer: Result<Response<B>, Infallible>) -> Response<BoxBody>
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    match answer {
        Ok(response) => response.map(|body| body.map_err(Into::into).boxed_unsync()),
        Err(never) => match never {},
    }
}

/// A service, and files beneath a prefix that are answered before it.
#[derive(Debug)]
pub struct Layered<S> {
    files: Files,
    /// Targets that begin so are files.
    prefix: String,
    service: Tower<S>,
}

impl<S> Layered<S> {
    /// Files beneath `prefix`, `service` for the rest.
    pub fn new(prefix: impl Into<String>, files: Files, service: S) -> Self {
        Self {
            files,
            prefix: prefix.into(),
            service: Tower::new(service),
        }
    }
}

impl<S> Handler for Layered<S>
where
    Tower<S>: Handler,
{
    fn file(&self, head: &RequestHead<'_, '_>, now: Moment) -> Option<Answer> {
        let is_file = head.target().path().starts_with(&self.prefix);
        is_file.then(|| self.files.answer(head, now))
    }

    fn call(&self, peer: SocketAddr, request: Request<Incoming>) -> Answering {
        self.service.call(peer, request)
    }

    fn begin(
        &self,
        peer: SocketAddr,
        request: Request<Incoming>,
        context: &mut Context<'_>,
    ) -> Begun {
        self.service.begin(peer, request, context)
    }
}

/// The target without scheme and authority.
fn origin_form<'b>(head: &RequestHead<'_, 'b>) -> Cow<'b, str> {
    let target = head.target();
    let raw = target.raw();
    let Some(authority) = target.authority() else {
        return raw.into();
    };
    let behind = raw.split_once("://").map_or("", |(_, behind)| behind);
    let form = behind.strip_prefix(authority).unwrap_or_default();
    match form.starts_with('/') {
        true => form.into(),
        // An absolute form without a path means `/` (RFC 9112 3.2.1).
        false => format!("/{form}").into(),
    }
}

/// A response of one line.
pub(crate) fn plain(status: StatusCode) -> Response<BoxBody> {
    let text = format!("{}\n", status.canonical_reason().unwrap_or("Error"));
    let body = Full::new(Bytes::from(text)).map_err(|never| match never {});
    let mut response = Response::new(body.boxed_unsync());
    *response.status_mut() = status;
    response
}
