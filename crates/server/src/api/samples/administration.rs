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
        if let Some(path) = error.no_room_for() {
            let path = path.display();
            return Self::DiskFull(format!("no space left for {path}; free some and try again"));
        }
        match error {
            UpkeepError::SnapshotName => Self::Malformed(error.to_string()),
            UpkeepError::SnapshotExists(_) | UpkeepError::SnapshotBegun(_) => {
                Self::Refused(error.to_string())
            }
            UpkeepError::Deletions => Self::TooMany(error.to_string()),
            UpkeepError::Write(error) => error.into(),
            UpkeepError::Stopped => Self::Unavailable(error.to_string()),
            other => Self::Internal(other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use metrics::database::WriteError;
    use metrics::part::PartError;
    use std::io::ErrorKind;
    use std::path::PathBuf;
    use store::log::LogError;

    #[track_caller]
    fn check(error: UpkeepError, status: u16, detail: &str) {
        let problem = Problem::from(error);
        assert_eq!(problem.status(), status, "{problem}");
        assert_eq!(problem.to_string(), detail);
    }

    #[test]
    fn what_is_wrong_with_the_store_is_answered_as_what_it_is() {
        let path = || PathBuf::from("metrics/file");
        let io = |kind: ErrorKind| UpkeepError::Io {
            what: "copy to",
            path: path(),
            source: kind.into(),
        };
        let log = |kind: ErrorKind| {
            UpkeepError::Write(WriteError::Log(LogError::Write {
                path: path(),
                source: Arc::new(kind.into()),
            }))
        };
        let full = "no space left for metrics/file; free some and try again";
        check(io(ErrorKind::StorageFull), 507, full);
        check(io(ErrorKind::QuotaExceeded), 507, full);
        check(UpkeepError::Part(PartError::Full(path())), 507, full);
        check(log(ErrorKind::StorageFull), 507, full);
        let denied = "cannot copy to metrics/file: permission denied";
        check(io(ErrorKind::PermissionDenied), 500, denied);
        let refused = "metrics/file: cannot write to the log: permission denied; try again";
        check(log(ErrorKind::PermissionDenied), 503, refused);
        let exists = "there is a snapshot \"x\" already";
        check(UpkeepError::SnapshotExists("x".to_owned()), 409, exists);
        check(UpkeepError::Stopped, 503, "the store is shut down");
    }
}
