//! One item's metadata by path: shown, changed, deleted. Setting items back to
//! what they were is [`super::restore`]'s.

use super::Service;
use super::access::Caller;
use super::entry;
use super::input::{self, Json, Query, parse};
use super::lookup;
use super::tree_edit;
use crate::problem::Problem;
use axum::extract::State;
use base::{Name, SpaceId, VersionId};
use http::{HeaderMap, header};
use serde::Deserialize;
use serde_json::{Value, json};
use state::{Base, Change, Role, Version};
use std::sync::Arc;

#[derive(Deserialize)]
pub struct Which {
    /// Slug or id.
    space: String,
    path: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Octal digits.
    mode: Option<String>,
    /// RFC 3339.
    mtime: Option<String>,
}

/// `GET /api/metadata`
pub async fn show(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Query(which): Query<Which>,
) -> Result<axum::Json<Value>, Problem> {
    let log = service.node.log_id();
    let (_, names, version) = current(&service, caller, which, Role::Reader).await?;
    let mut answer = entry::version(&version, log);
    answer["path"] = entry::path(&names).into();
    Ok(axum::Json(answer))
}

/// `PUT /api/metadata`
pub async fn replace(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Query(which): Query<Which>,
    headers: HeaderMap,
    Json(wanted): Json<Wanted>,
) -> Result<axum::Json<Value>, Problem> {
    let (space, _, version) = current(&service, caller, which, Role::Editor).await?;
    let base = base_version(&headers, version.id)?;
    let Some(mut metadata) = version.state else {
        return Err(Problem::NotFound("the item is deleted".to_owned()));
    };
    if let Some(mode) = &wanted.mode {
        metadata.mode = entry::mode(mode)?;
    }
    if let Some(mtime) = &wanted.mtime {
        metadata.modified = entry::time(mtime)?;
    }
    let change = Change::Put {
        base: Base::Version(base),
        metadata,
        conflict_of: None,
    };
    let id = tree_edit::commit_one(&service, caller, space, change).await?;
    Ok(axum::Json(json!({ "version": id.to_string() })))
}

/// `DELETE /api/metadata`
pub async fn remove(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Query(which): Query<Which>,
    headers: HeaderMap,
) -> Result<axum::Json<Value>, Problem> {
    let (space, _, version) = current(&service, caller, which, Role::Editor).await?;
    let base = base_version(&headers, version.id)?;
    let id = tree_edit::commit_one(&service, caller, space, Change::Delete { base }).await?;
    Ok(axum::Json(json!({ "version": id.to_string() })))
}

async fn current(
    service: &Service,
    caller: Caller,
    which: Which,
    needed: Role,
) -> Result<(SpaceId, Vec<Name>, Version), Problem> {
    let names = input::path(&which.path)?;
    service
        .node
        .read(move |reader| {
            let space = caller.space(reader, &which.space, needed)?.id;
            let version = lookup::live(reader, space, &which.path)?;
            Ok((space, names, version))
        })
        .await
}

/// The version a change is based on: what `If-Match` says, else the current one.
fn base_version(headers: &HeaderMap, current: VersionId) -> Result<VersionId, Problem> {
    match headers
        .get(header::IF_MATCH)
        .map(|value| value.to_str().unwrap_or_default())
    {
        Some(text) => parse("If-Match", text.trim().trim_matches('"')),
        None => Ok(current),
    }
}
