//! Metrics over HTTP: samples in, answers out. What samples and queries mean is `metrics`'
//! business; here is who may send and ask, and what of it is worth a thread.
//!
//! Read `push` for the ways in, `prometheus` for the ways out.

mod administration;
mod chosen;
mod client;
mod coding;
mod export;
mod prometheus;
mod push;
mod refusals;
mod room;
mod tally;

use super::Service;
use axum::Router;
use axum::routing::{any, get, post};
use std::sync::Arc;

pub use client::Loopback;
pub use push::Pushes;

/// The addresses of metrics but `/metrics` itself, which has another beside it.
pub fn router() -> Router<Arc<Service>> {
    Router::new()
        .route("/api/v1/write", post(push::remote_write))
        .route("/api/v1/import", post(push::import))
        .route("/api/v1/export", get(export::export).post(export::export))
        .route("/write", post(push::line_protocol))
        .route("/api/v2/write", post(push::line_protocol))
        .route("/ping", any(push::ping))
        .route(
            "/api/v1/admin/tsdb/delete_series",
            post(administration::delete).put(administration::delete),
        )
        .route(
            "/api/v1/admin/tsdb/snapshot",
            post(administration::snapshot).put(administration::snapshot),
        )
        .route(
            "/api/v1/{*rest}",
            get(prometheus::answer).post(prometheus::answer),
        )
}

pub use push::json;
