//! What every request passes: it is counted and timed, waits for `at_least`, and is
//! answered with the node's cursor; of faults the log is told. Also the answers to
//! addresses and methods that do not exist.

use super::Service;
use super::access;
use super::body;
use super::input;
use crate::problem::{Fault, Problem};
use crate::throttle::{Class, Peer};
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base::Cursor;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use serde::Deserialize;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// The header that says how far the answering node has applied the log.
const CURSOR: HeaderName = HeaderName::from_static("atoll-cursor");

/// How long a request waits for the cursor it asks for.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Deserialize)]
struct AtLeast {
    at_least: Option<String>,
}

/// Wraps every request.
pub async fn pass(
    State(service): State<Arc<Service>>,
    mut request: Request,
    next: Next,
) -> Response {
    let begun = Instant::now();
    service.requests.fetch_add(1, Ordering::Relaxed);
    let pattern = request.extensions().get::<MatchedPath>();
    let route = service.latencies.route(pattern.map(MatchedPath::as_str));
    let class = Class::of(request.method(), request.uri().path());
    let peer = request.extensions().get::<Peer>().copied();
    request.extensions_mut().insert(class);
    let admitted = peer.map_or(Ok(()), |peer| service.throttle.admit(peer, class));
    // Without any, a browser is only told to open a link.
    let tries = class == Class::Join || access::has_credential(request.headers(), &service);
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let uri = request.uri().clone();
    let encoded = match class {
        // Samples are kept in a form of their own, whatever they came in.
        Class::Push => Ok(()),
        _ => check_coding(request.headers()),
    };
    let waited = match admitted {
        Ok(()) if encoded.is_ok() => wait_for_cursor(&service, &uri).await,
        Ok(()) => encoded,
        Err(refused) => Err(refused.into()),
    };
    // A read shows at least what was applied before it began; a write also its
    // own effect, which is applied before it is answered.
    let before = service.node.cursor();
    let mut response = answer(request, waited, next).await;
    if let Some(peer) = peer
        && tries
        && response.status() == StatusCode::UNAUTHORIZED
        && let Err(refused) = service.throttle.failed(peer)
    {
        response = Problem::from(refused).into_response();
    }
    if let Some(fault) = response.extensions_mut().remove::<Fault>() {
        complain(&service, &fault);
    }
    let cursor = if reads { before } else { service.node.cursor() };
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::try_from(cursor.to_string()) {
        headers.insert(CURSOR, value);
    }
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    route.record(response.status(), begun.elapsed());
    response
}

/// Tells the log of a fault, unless it heard enough of its kind.
fn complain(service: &Service, fault: &Fault) {
    let Fault { name, detail } = fault;
    match service.complaints.note(name, service.node.now()) {
        None => {}
        Some(0) => tracing::warn!(problem = name, "{detail}"),
        Some(untold) => {
            tracing::warn!(problem = name, "{detail} ({untold} more were not written)");
        }
    }
}

/// The handler's answer, or that of whom the door refuses. One that refuses may come
/// before the client has sent all of its body.
async fn answer(request: Request, admitted: Result<(), Problem>, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let waits = parts.headers.contains_key(header::EXPECT);
    let (body, rest) = body::lend(body);
    let response = match admitted {
        Ok(()) => next.run(Request::from_parts(parts, body)).await,
        Err(problem) => {
            drop(body);
            problem.into_response()
        }
    };
    if response.status().is_client_error() || response.status().is_server_error() {
        rest.discard(waits).await;
    }
    response
}

/// No content coding is undone here (RFC 9110, section 8.4): what is kept must be what the
/// client has, and not a compressed form of it.
fn check_coding(headers: &HeaderMap) -> Result<(), Problem> {
    let coding = headers.get(header::CONTENT_ENCODING);
    match coding.map(|value| value.to_str().unwrap_or_default().trim()) {
        Some(coding) if !coding.eq_ignore_ascii_case("identity") => Err(Problem::MediaType(
            format!("a body with `Content-Encoding: {coding}` is not read: send it as it is"),
        )),
        _ => Ok(()),
    }
}

/// The answer for an address that does not exist.
pub async fn unknown(request: Request) -> Problem {
    Problem::NotFound(format!("there is nothing at {}", request.uri().path()))
}

/// The answer for a method that an address does not know.
pub async fn wrong_method(request: Request) -> Problem {
    Problem::Method(request.method().to_string())
}

async fn wait_for_cursor(service: &Service, uri: &Uri) -> Result<(), Problem> {
    if !uri.query().is_some_and(|query| query.contains("at_least=")) {
        return Ok(());
    }
    let query: axum::extract::Query<AtLeast> = axum::extract::Query::try_from_uri(uri)
        .map_err(|rejection| Problem::Malformed(rejection.body_text()))?;
    let Some(text) = query.0.at_least else {
        return Ok(());
    };
    let cursor: Cursor = input::parse("at_least", &text)?;
    service.node.reached(cursor, PATIENCE).await
}
