//! What only the administrator may do with metrics: delete some, and copy all.

use super::super::Service;
use super::super::access::Administrator;
use super::chosen::Chosen;
use crate::problem::Problem;
use axum::extract::{Query, State};
use http::StatusCode;
use metrics::database::{Deletion, UpkeepError};
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;

#[derive(Deserialize)]
pub struct SnapshotOptions {
    name: Option<String>,
}

/// `POST /api/v1/admin/tsdb/delete_series?match[]=…&start=…&end=…`
pub async fn delete(
    State(service): State<Arc<Service>>,
    _: Administrator,
    Chosen(selection): Chosen,
) -> Result<StatusCode, Problem> {
    let node = Arc::clone(&service.node);
    let job = move || {
        for text in &selection.texts {
            let deletion = Deletion::new(text, selection.range);
            let deletion = deletion.map_err(|error| Problem::Malformed(error.to_string()))?;
            node.metrics().delete(deletion)?;
        }
        Ok(())
    };
    service.node.store(job).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /api/v1/admin/tsdb/snapshot?name=…`
pub async fn snapshot(
    State(service): State<Arc<Service>>,
    _: Administrator,
    Query(options): Query<SnapshotOptions>,
) -> Result<axum::Json<serde_json::Value>, Problem> {
    let now = service.node.now();
    let name = options.name.unwrap_or_else(|| format!("at-{now}"));
    let node = Arc::clone(&service.node);
    let made = name.clone();
    let job = move || Ok(node.metrics().snapshot(&made)?);
    service.node.store(job).await?;
    Ok(axum::Json(
        json!({ "status": "success", "data": { "name": name } }),
    ))
}

impl From<UpkeepError> for Problem {
    fn from(error: UpkeepError) -> Self {
        match error {
            UpkeepError::SnapshotName => Self::Malformed(error.to_string()),
            UpkeepError::SnapshotExists(_) => Self::Refused(error.to_string()),
            UpkeepError::Deletions => Self::TooMany(error.to_string()),
            UpkeepError::Write(error) => error.into(),
            UpkeepError::Stopped => Self::Unavailable(error.to_string()),
            other => Self::Internal(other.to_string()),
        }
    }
}
