//! One item's metadata by path: shown, changed, deleted, or set back to what
//! it was.

use super::Service;
use super::access::Caller;
use super::entry;
use super::input::{self, Json, Query, parse};
use super::lookup;
use super::moment;
use super::tree_edit;
use crate::problem::Problem;
use axum::extract::State;
use base::{ItemId, Name, SpaceId, VersionId};
use http::{HeaderMap, header};
use meta::Metadata;
use serde::Deserialize;
use serde_json::{Value, json};
use state::{Base, Change, Reader, Role, Version};
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

#[derive(Deserialize)]
pub struct Restoration {
    space: String,
    path: String,
    /// RFC 3339, a date, or milliseconds since 1970.
    at: Option<String>,
    /// `item.counter`.
    version: Option<String>,
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

/// `POST /api/restore`: an old state on top of the present one. What is there
/// now stays in the history.
pub async fn restore(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Json(restoration): Json<Restoration>,
) -> Result<axum::Json<Value>, Problem> {
    let names = input::path(&restoration.path)?;
    let path = entry::path(&names);
    let (space, old, changes) = service
        .node
        .read(move |reader| {
            let space = caller.space(reader, &restoration.space, Role::Editor)?.id;
            let (old, metadata) = old_state(reader, space, &names, &restoration)?;
            let changes = changes_to(reader, space, &names, old.id.item, metadata)?;
            Ok((space, old.id, changes))
        })
        .await?;
    let id = tree_edit::commit_last(&service, caller, space, changes).await?;
    Ok(axum::Json(json!({
        "path": path,
        "restored": old.to_string(),
        "version": id.to_string(),
    })))
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

/// The version to go back to, and its state.
fn old_state(
    reader: &Reader,
    space: SpaceId,
    names: &[Name],
    restoration: &Restoration,
) -> Result<(Version, Metadata), Problem> {
    let nothing = |when: &str| {
        Problem::NotFound(format!(
            "there was nothing at `{}` {when}",
            restoration.path
        ))
    };
    let version = match (&restoration.version, &restoration.at) {
        (Some(version), _) => Some(lookup::version(reader, space, version)?),
        (None, Some(at)) => {
            let time = moment::parse_millis(at).ok_or_else(|| {
                Problem::Malformed(format!("time `{at}` is not RFC 3339 or milliseconds"))
            })?;
            let item = lookup::live_or_deleted(reader, space, names)?.id.item;
            reader.version_at(item, time)?
        }
        (None, None) => {
            return Err(Problem::Malformed("say `at` or `version`".to_owned()));
        }
    };
    let version = version.ok_or_else(|| nothing("then"))?;
    match version.state.clone() {
        Some(metadata) => Ok((version, metadata)),
        None => Err(nothing("then: it was deleted")),
    }
}

/// What makes `item` stand at `names` as `metadata` says.
fn changes_to(
    reader: &Reader,
    space: SpaceId,
    names: &[Name],
    item: ItemId,
    metadata: Metadata,
) -> Result<Vec<Change>, Problem> {
    if let Some(now) = lookup::at(reader, space, names)? {
        if now.id.item != item && now.is_directory() != metadata.is_directory() {
            return Err(Problem::Refused(
                "another kind of item stands there now".to_owned(),
            ));
        }
        return Ok(vec![Change::Put {
            base: Base::Version(now.id),
            metadata,
            conflict_of: None,
        }]);
    }
    tree_edit::changes_creating(reader, space, names, metadata)
}
