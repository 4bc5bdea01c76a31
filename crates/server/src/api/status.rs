//! How the node is: for people, for probes, for Prometheus; and what only its
//! administrator may ask of it.

use super::Service;
use super::access::{Administrator, Caller};
use super::input::Json;
use super::moment;
use crate::figures;
use crate::problem::Problem;
use crate::scrub;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use metrics::database::Unpaced;
use serde::Deserialize;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use sync::Address;

#[derive(Deserialize)]
pub struct NewFolder {
    /// Absolute; on this machine.
    path: PathBuf,
    /// Slug or id of an existing space; absent: one of the folder's own.
    space: Option<String>,
}

/// `GET /api/status`
pub async fn status(
    State(service): State<Arc<Service>>,
    caller: Caller,
) -> Result<axum::Json<Value>, Problem> {
    let node = &service.node;
    let identity = node.identity();
    let mut answer = json!({
        "node": identity.name,
        "id": identity.id,
        "log": node.log_id().to_string(),
        "version": env!("CARGO_PKG_VERSION"),
        "role": "leader",
        "cursor": node.cursor().to_string(),
        "applied": node.cursor().index,
        "committed": node.committed(),
        "time": moment::format_millis(node.now()),
        "sync_sessions": service.syncs.count(node.now()),
        "requests": service.requests.load(Ordering::Relaxed),
        "problem": service.ready().await.err().map(|problem| problem.to_string()),
    });
    // Paths of this machine are its administrator's business.
    if caller.is_admin() {
        answer["data"] = node.data().display().to_string().into();
        answer["folders"] = service.folders.states().into();
    }
    Ok(axum::Json(answer))
}

/// `GET /api/servers`
pub async fn servers(
    State(service): State<Arc<Service>>,
    _: Caller,
) -> Result<axum::Json<Value>, Problem> {
    let identity = service.node.identity();
    let endpoint = service.endpoint();
    let address = endpoint.map(|endpoint| endpoint.known_as(&endpoint.address.to_string()));
    let this = json!({
        "id": identity.id,
        "name": identity.name,
        "address": address.as_ref().map(Address::url),
        "fingerprint": endpoint.and_then(|endpoint| endpoint.fingerprint).map(|it| it.to_string()),
        "role": "leader",
        "healthy": service.ready().await.is_ok(),
    });
    Ok(axum::Json(json!({ "items": [this], "next": Value::Null })))
}

/// `GET /health`: the process answers.
pub async fn health() -> &'static str {
    "ok\n"
}

/// `GET /ready`: the node can do its work.
pub async fn ready(State(service): State<Arc<Service>>) -> Result<&'static str, Problem> {
    service.ready().await.map(|()| "ready\n")
}

impl Service {
    /// Refuses while nothing can be written: for good, or until the disk has
    /// space again. Whatever the reason, that is 503 to who asks.
    async fn ready(&self) -> Result<(), Problem> {
        if let Some(why) = &*self.node.watch_failure().borrow() {
            return Err(Problem::Unavailable(why.clone()));
        }
        let node = Arc::clone(&self.node);
        let space = self.node.fetch(move || Ok(node.blobs().check_space(0)?));
        space.await.map_err(|problem| match problem {
            Problem::DiskFull(why) => Problem::Unavailable(why),
            other => Problem::Unavailable(other.to_string()),
        })
    }
}

/// `GET /metrics`: Prometheus text.
pub async fn metrics(State(service): State<Arc<Service>>) -> Response {
    let text = figures::render(&figures::gather(&service));
    ([(header::CONTENT_TYPE, figures::MEDIA_TYPE)], text).into_response()
}

/// `POST /api/folders`
pub async fn add_folder(
    State(service): State<Arc<Service>>,
    _: Administrator,
    Json(wanted): Json<NewFolder>,
) -> Result<Response, Problem> {
    let space = service
        .folders
        .add(&service, wanted.path, wanted.space)
        .await?;
    let answer = json!({
        "space": { "id": space.id.to_string(), "slug": space.slug.as_str() },
        "name": service.node.identity().name,
    });
    Ok((StatusCode::CREATED, axum::Json(answer)).into_response())
}

/// `POST /api/scrub`: reads and verifies every blob; may take long.
pub async fn scrub(
    State(service): State<Arc<Service>>,
    _: Administrator,
) -> Result<axum::Json<Value>, Problem> {
    let one_at_a_time = Arc::clone(&service.scrubs)
        .try_acquire_owned()
        .map_err(|_| Problem::Busy("a scrub is running"))?;
    let node = Arc::clone(&service.node);
    let job = move || {
        let _one_at_a_time = one_at_a_time;
        let metrics = node.metrics().scrub(&Unpaced)?;
        scrub::run(node.data(), node.blobs(), &metrics)
            .map_err(|error| Problem::Internal(error.to_string()))
    };
    Ok(axum::Json(service.node.store(job).await?))
}
