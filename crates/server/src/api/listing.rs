//! Directories with their Merkle hashes, and the history of an item or a path.

use super::Service;
use super::access::Caller;
use super::entry;
use super::input::{self, Query};
use super::lookup;
use crate::problem::Problem;
use axum::extract::{Path, State};
use base::{Name, SpaceId};
use serde::Deserialize;
use serde_json::{Value, json};
use state::{Reader, Role, Version};
use std::sync::Arc;

#[derive(Deserialize)]
pub struct Which {
    /// Slug or id.
    space: String,
    path: Option<String>,
    item: Option<String>,
    /// The last name of the page before.
    since: Option<String>,
    limit: Option<usize>,
}

#[derive(Deserialize)]
pub struct Whose {
    path: Option<String>,
    item: Option<String>,
    limit: Option<usize>,
}

/// `GET /api/tree`
pub async fn tree(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Query(which): Query<Which>,
) -> Result<axum::Json<Value>, Problem> {
    let log = service.node.log_id();
    let since = which.since.as_deref().map(Name::new).transpose();
    let since = since.map_err(|error| Problem::Malformed(format!("since: {error}")))?;
    let limit = input::page_limit(which.limit);
    let answer = service
        .node
        .read(move |reader| {
            let space = caller.space(reader, &which.space, Role::Reader)?.id;
            let directory = find(reader, space, which.path.as_deref(), which.item.as_deref())?;
            if !directory.is_directory() {
                return Err(Problem::NotFound("this is not a directory".to_owned()));
            }
            let children = reader.tree(directory.id.item, since.as_ref(), limit)?;
            let next = (children.len() == limit)
                .then(|| {
                    children
                        .last()
                        .map(|child| child.version.name.as_str().to_owned())
                })
                .flatten();
            let items: Vec<_> = children
                .iter()
                .map(|child| {
                    let mut item = entry::version(&child.version, log);
                    item["node_hash"] = child.hash.to_string().into();
                    item
                })
                .collect();
            Ok(json!({ "item": directory.id.item.to_string(), "items": items, "next": next }))
        })
        .await?;
    Ok(axum::Json(answer))
}

/// `GET /api/spaces/{space}/history`
pub async fn history(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Path(space): Path<String>,
    Query(whose): Query<Whose>,
) -> Result<axum::Json<Value>, Problem> {
    let log = service.node.log_id();
    let limit = input::page_limit(whose.limit);
    let items = service
        .node
        .read(move |reader| {
            let space = caller.space(reader, &space, Role::Reader)?.id;
            let path = whose.path.as_deref().unwrap_or_default();
            let versions = match whose.item.as_deref() {
                Some(item) => reader.history(lookup::item(reader, space, item)?.id.item, limit)?,
                None => reader.path_history(space, &input::path(path)?, limit)?,
            };
            if versions.is_empty() {
                return Err(Problem::NotFound(format!(
                    "there never was anything at `{path}`"
                )));
            }
            Ok(versions
                .iter()
                .map(|version| entry::version(version, log))
                .collect::<Vec<_>>())
        })
        .await?;
    Ok(axum::Json(json!({ "items": items, "next": Value::Null })))
}

/// The current version of an item named by id or path; the root by neither.
fn find(
    reader: &Reader,
    space: SpaceId,
    path: Option<&str>,
    item: Option<&str>,
) -> Result<Version, Problem> {
    match item {
        Some(item) => lookup::item(reader, space, item),
        None => lookup::live(reader, space, path.unwrap_or_default()),
    }
}
