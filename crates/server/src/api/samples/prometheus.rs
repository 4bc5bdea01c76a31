//! The HTTP API of Prometheus: each request is answered by a thread of a small pool, and
//! ends when who asked has gone or it has taken too long.

use super::super::Service;
use super::super::body;
use super::super::input;
use super::client::Asker;
use crate::problem::Problem;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, Method, StatusCode, Uri, header};
use metrics::api::{Api, ApiError, Endpoint, FORM_BYTES, Interruption, Request, Settings, Status};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// How long a query waits for others: a dashboard that shows something later is as good as
/// none.
const QUEUE_PATIENCE: Duration = Duration::from_secs(10);

/// What a form's type is.
const FORM: &str = "application/x-www-form-urlencoded";

/// Tells a thread that nobody waits for its answer, when it is dropped.
#[derive(Default)]
pub(super) struct Waiting(Arc<AtomicBool>);

/// The thread's end.
pub(super) struct Patience {
    has_gone: Arc<AtomicBool>,
    begun: Instant,
    /// How long it may take, in milliseconds: what it was last asked with.
    most: AtomicU64,
}

impl Waiting {
    /// What the thread asks.
    pub(super) fn patience(&self) -> Patience {
        Patience {
            has_gone: Arc::clone(&self.0),
            begun: Instant::now(),
            most: AtomicU64::new(Settings::default().timeout),
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Patience {
    /// Whether somebody waits.
    pub(super) fn has_gone(&self) -> bool {
        self.has_gone.load(Ordering::Relaxed)
    }

    /// Whether it is over, by the time that it was last asked about.
    fn is_over(&self) -> bool {
        let most = self.most.load(Ordering::Relaxed);
        self.interruption(most).is_some()
    }

    fn interruption(&self, most: u64) -> Option<Interruption> {
        self.most.store(most, Ordering::Relaxed);
        if self.has_gone() {
            return Some(Interruption::Canceled);
        }
        let is_over = self.begun.elapsed() >= Duration::from_millis(most);
        is_over.then_some(Interruption::TimedOut)
    }
}

/// `GET /api/v1/…`, and `POST` with a form.
pub async fn answer(
    State(service): State<Arc<Service>>,
    _: Asker,
    method: Method,
    Path(_): Path<String>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    // As it was sent: names in paths have escapes of their own.
    let path = uri.path().strip_prefix("/api/v1/").unwrap_or_default();
    let endpoint = match Endpoint::at(path) {
        Ok(endpoint) if method != Method::POST || endpoint.takes_forms() => endpoint,
        Ok(_) => return Err(Problem::Method(method.to_string())),
        Err(error) => return Ok(respond(error.into())),
    };
    let form = form(&headers, body).await?;
    let query_string = uri.query().unwrap_or_default().to_owned();
    let waiting = Waiting::default();
    let patience = Arc::new(waiting.patience());
    let asked = Arc::clone(&service);
    let (begun, begins) = oneshot::channel();
    let job = move |(): &mut ()| {
        // Whoever waited for it may have gone.
        let _ = begun.send(());
        let choosing = Arc::clone(&patience);
        let view = asked.node.metrics().view();
        let view = view.until(move || choosing.is_over());
        let api = Api {
            source: &view,
            metadata: asked.node.metrics().kinds(),
            status: &|| status(&asked),
            figures: &|most| view.head_figures(most),
            settings: Settings::default(),
        };
        let request = Request {
            endpoint: &endpoint,
            query_string: &query_string,
            form: &form,
        };
        let now = i64::try_from(asked.node.now()).unwrap_or(i64::MAX);
        api.answer(request, now, &|most| patience.interruption(most))
    };
    let running = service.queries.submit(job)?;
    if tokio::time::timeout(QUEUE_PATIENCE, begins).await.is_err() {
        return Err(Problem::Busy(
            "queries of metrics wait for others that take long",
        ));
    }
    let answered = running.wait().await;
    drop(waiting);
    let response = answered?;
    service.answered.fetch_add(1, Ordering::Relaxed);
    Ok(respond(response))
}

/// The form of a request, empty if it is none.
pub(super) async fn form(headers: &HeaderMap, body: Body) -> Result<Vec<u8>, Problem> {
    let bytes = body::collect(body, FORM_BYTES).await?;
    let is_form = input::media_type(headers).eq_ignore_ascii_case(FORM);
    Ok(if is_form { bytes } else { Vec::new() })
}

/// An error of the API's core, in its own words.
pub(super) fn refuse(error: ApiError) -> Response {
    respond(error.into())
}

fn respond(response: metrics::api::Response) -> Response {
    let metrics::api::Response { status, body } = response;
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let media_type = [(header::CONTENT_TYPE, "application/json")];
    (status, media_type, body).into_response()
}

fn status(service: &Service) -> Status {
    let database = service.node.metrics();
    let days = database.settings().retention.age / 86_400_000;
    Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        hostname: service.node.identity().name,
        started: i64::try_from(service.started).unwrap_or(i64::MAX),
        threads: super::super::QUERIES as u64,
        retention: format!("{days}d"),
    }
}
