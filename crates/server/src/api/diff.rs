//! A dry comparison: what a client's changes would come to, and what changed
//! here since it last looked. Reads only; the commit decides.

use super::Service;
use super::access::Caller;
use super::entry;
use super::input::{self, Json, parse};
use crate::problem::Problem;
use axum::extract::{FromRequest, Request, State};
use base::{Cursor, Hash, LogId, SpaceId, VersionId, limits};
use serde::Deserialize;
use serde_json::{Value, json};
use state::{FeedKind, Reader, Role, Version};
use std::collections::HashSet;
use std::sync::Arc;

/// Changes compared in one request: some 50 ms of reading.
const CHANGES: usize = 10_000;

/// Longest body: as many changes with long paths.
const BODY_BYTES: usize = 16 << 20;

/// Comparisons at once, for each holds its body and what was read from it.
pub const COMPARISONS: usize = 8;

#[derive(Deserialize)]
pub struct Comparison {
    /// Slug or id.
    space: String,
    #[serde(default)]
    changes: Vec<LocalChange>,
    /// Where the client's last look ended; absent: what changed here is left out.
    since: Option<String>,
}

#[derive(Deserialize)]
struct LocalChange {
    path: String,
    /// `file`, `directory`, `symlink` or `deleted`.
    kind: String,
    hash: Option<String>,
    size: Option<u64>,
    /// `item.counter` of the version the change was made on; absent for none.
    base: Option<String>,
}

/// Where each path ends up.
#[derive(Default)]
struct Verdict {
    upload: Vec<Value>,
    have: Vec<Value>,
    conflicts: Vec<Value>,
    download: Vec<Value>,
    delete: Vec<Value>,
}

/// `POST /api/sync/diff`
pub async fn diff(
    State(service): State<Arc<Service>>,
    caller: Caller,
    request: Request,
) -> Result<axum::Json<Value>, Problem> {
    let _slot = service
        .comparisons
        .try_acquire()
        .map_err(|_| Problem::Busy("too many comparisons are running"))?;
    let Json(comparison) = Json::<Comparison, BODY_BYTES>::from_request(request, &()).await?;
    if comparison.changes.len() > CHANGES {
        return Err(Problem::Malformed(format!(
            "{} changes are more than the limit of {CHANGES}: ask in parts",
            comparison.changes.len()
        )));
    }
    let log = service.node.log_id();
    let since = comparison
        .since
        .as_deref()
        .map(|text| parse::<Cursor>("since", text))
        .transpose()?;
    if let Some(since) = since {
        service.node.check_cursor(since)?;
    }
    let answer = service
        .node
        .read(move |reader| {
            let space = caller.space(reader, &comparison.space, Role::Reader)?.id;
            let mut verdict = Verdict::default();
            let mut mentioned = HashSet::new();
            for change in &comparison.changes {
                mentioned.insert(compare(reader, space, log, change, &mut verdict)?);
            }
            let next = match since {
                Some(since) => Some(look_since(
                    reader,
                    space,
                    log,
                    since,
                    &mentioned,
                    &mut verdict,
                )?),
                None => None,
            };
            Ok(json!({
                "upload": verdict.upload,
                "have": verdict.have,
                "conflicts": verdict.conflicts,
                "download": verdict.download,
                "delete": verdict.delete,
                "next": next,
            }))
        })
        .await?;
    Ok(axum::Json(answer))
}

/// Sorts one local change into the verdict; the result is its path.
fn compare(
    reader: &Reader,
    space: SpaceId,
    log: LogId,
    change: &LocalChange,
    verdict: &mut Verdict,
) -> Result<String, Problem> {
    let path = entry::path(&input::path(&change.path)?);
    let base: Option<VersionId> = change
        .base
        .as_deref()
        .map(|base| parse("base", base))
        .transpose()?;
    let current = reader.resolve(space, &path)?;
    if is_already_so(change, current.as_ref())? {
        verdict.have.push(path.clone().into());
    } else if base != current.as_ref().map(|current| current.id) {
        verdict.conflicts.push(json!({
            "path": path,
            "base": change.base,
            "current": current.as_ref().map(|current| entry::version(current, log)),
        }));
    } else {
        verdict
            .upload
            .push(json!({ "path": path, "content": needs_content(reader, space, change)? }));
    }
    Ok(path)
}

fn is_already_so(change: &LocalChange, current: Option<&Version>) -> Result<bool, Problem> {
    let Some(state) = current.and_then(|current| current.state.as_ref()) else {
        return Ok(change.kind == "deleted");
    };
    match (change.kind.as_str(), state.content()) {
        ("file", Some((hash, size))) => {
            Ok(local_hash(change)? == Some(hash) && change.size.is_none_or(|local| local == size))
        }
        ("directory", _) => Ok(state.is_directory()),
        ("file" | "symlink" | "deleted", _) => Ok(false),
        (other, _) => Err(Problem::Malformed(format!(
            "kind `{other}` is not file, directory, symlink or deleted"
        ))),
    }
}

/// Whether bytes have to travel too: those that no version of the space has.
fn needs_content(reader: &Reader, space: SpaceId, change: &LocalChange) -> Result<bool, Problem> {
    match local_hash(change)? {
        Some(hash) if change.kind == "file" => Ok(!reader.hash_in_space(space, &hash)?),
        _ => Ok(false),
    }
}

fn local_hash(change: &LocalChange) -> Result<Option<Hash>, Problem> {
    change
        .hash
        .as_deref()
        .map(|hash| parse("hash", hash))
        .transpose()
}

/// Adds what changed here after `since` and the client did not touch.
fn look_since(
    reader: &Reader,
    space: SpaceId,
    log: LogId,
    since: Cursor,
    mentioned: &HashSet<String>,
    verdict: &mut Verdict,
) -> Result<Value, Problem> {
    let page = reader.feed(space, since.place(), limits::PAGE_ITEMS, FeedKind::Latest)?;
    for version in &page.versions {
        let path = reader.path_of(version.id.item)?.unwrap_or_default();
        if mentioned.contains(&path) {
            continue;
        }
        let mut change = entry::version(version, log);
        change["path"] = path.into();
        match version.state {
            Some(_) => verdict.download.push(change),
            None => verdict.delete.push(change),
        }
    }
    let next = Cursor {
        log,
        index: page.next.0,
        ordinal: page.next.1,
    };
    Ok(json!({ "cursor": next.to_string(), "more": page.more }))
}
