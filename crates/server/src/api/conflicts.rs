//! Conflicts that were recorded, and what people kept of them.

use super::Service;
use super::access::Caller;
use super::input::{self, Json, Query, parse};
use super::moment;
use super::spaces;
use crate::problem::Problem;
use axum::extract::{Path, State};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use state::{Body, Conflict, Kept, Role};
use std::sync::Arc;

#[derive(Deserialize)]
pub struct Which {
    /// The last id of the page before.
    since: Option<String>,
    limit: Option<usize>,
    /// Present: resolved ones too.
    all: Option<String>,
}

#[derive(Deserialize)]
pub struct Resolution {
    /// Slug or id.
    space: String,
    id: String,
    /// `local`, `remote` or `both`.
    keep: String,
}

/// `GET /api/spaces/{space}/conflicts`
pub async fn list(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Path(space): Path<String>,
    Query(which): Query<Which>,
) -> Result<axum::Json<Value>, Problem> {
    let since: u64 = which
        .since
        .as_deref()
        .map_or(Ok(0), |text| parse("since", text))?;
    let limit = input::page_limit(which.limit);
    let page = service
        .node
        .read(move |reader| {
            let space = caller.space(reader, &space, Role::Reader)?;
            let mut page = Vec::new();
            for conflict in reader.conflicts(space.id, which.all.is_none(), since, limit)? {
                let copy = conflict.copy.map(|copy| reader.path_of(copy)).transpose()?;
                page.push((conflict, copy.flatten()));
            }
            Ok(page)
        })
        .await?;
    let last = page.last().map(|(conflict, _)| conflict.id.to_string());
    let next = last.filter(|_| page.len() == limit);
    let items: Vec<_> = page
        .iter()
        .map(|(conflict, copy)| conflict_json(conflict, copy.as_deref()))
        .collect();
    Ok(axum::Json(json!({ "items": items, "next": next })))
}

/// `POST /api/conflict`
pub async fn resolve(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Json(resolution): Json<Resolution>,
) -> Result<StatusCode, Problem> {
    let conflict: u64 = parse("id", &resolution.id)?;
    let kept = match resolution.keep.as_str() {
        "local" => Kept::Local,
        "remote" => Kept::Remote,
        "both" => Kept::Both,
        other => {
            return Err(Problem::Malformed(format!(
                "keep `{other}` is not local, remote or both"
            )));
        }
    };
    service
        .node
        .read(move |reader| {
            let space = caller.space(reader, &resolution.space, Role::Editor)?;
            let known = reader
                .conflict(conflict)?
                .filter(|known| known.space == space.id);
            known.map(drop).ok_or_else(|| {
                Problem::NotFound(format!("space `{}` has no conflict {conflict}", space.slug))
            })
        })
        .await?;
    let body = Body::ResolveConflict { conflict, kept };
    spaces::done(&service.node.submit_once(caller.0, body).await?)
}

fn conflict_json(conflict: &Conflict, copy_path: Option<&str>) -> Value {
    let kept = conflict.kept.map(|kept| match kept {
        Kept::Local => "local",
        Kept::Remote => "remote",
        Kept::Both => "both",
    });
    json!({
        "id": conflict.id.to_string(),
        "item": conflict.item.to_string(),
        "path": conflict.path,
        "device": conflict.device.to_string(),
        "base": conflict.base,
        "current": conflict.current,
        "hash": conflict.content.map(|(hash, _)| hash.to_string()),
        "size": conflict.content.map(|(_, size)| size),
        "time": moment::format_millis(conflict.time),
        "copy": conflict.copy.map(|copy| copy.to_string()),
        "copy_path": copy_path,
        "kept": kept,
    })
}
