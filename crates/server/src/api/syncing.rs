//! Sync sessions: where a client learns what it deals with, and where anyone
//! sees how far it is. Sessions are this node's own and may vanish.

use super::Service;
use super::access::Caller;
use super::download::ITEMS;
use super::input::{Json, Query};
use super::moment;
use super::upload::STREAM_BYTES;
use crate::problem::Problem;
use crate::sessions::SYNC_MILLIS;
use axum::extract::State;
use base::limits;
use serde::Deserialize;
use serde_json::{Value, json};
use state::Role;
use std::sync::Arc;

#[derive(Deserialize)]
pub struct Start {
    /// Slug or id.
    space: String,
}

#[derive(Deserialize)]
pub struct Which {
    session: String,
}

/// `POST /api/sync/start`
pub async fn start(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Json(start): Json<Start>,
) -> Result<axum::Json<Value>, Problem> {
    // The cursor first: the root hash may then be newer, never older.
    let cursor = service.node.cursor();
    let (space, role, root) = service
        .node
        .read(move |reader| {
            let space = caller.space(reader, &start.space, Role::Reader)?;
            let role = reader.role(caller.0, space.id)?.unwrap_or(Role::Reader);
            let root = reader.root_hash(space.id)?;
            Ok((space, role, root))
        })
        .await?;
    let node = &service.node;
    let session = service
        .syncs
        .start(caller.0, space.id, node.now(), node.random());
    let identity = node.identity();
    Ok(axum::Json(json!({
        "session": session.id,
        "space": { "id": space.id.to_string(), "slug": space.slug.as_str() },
        "node": identity.name,
        "log": node.log_id().to_string(),
        "cursor": cursor.to_string(),
        "root_hash": root.map(|root| root.to_string()),
        "role": role.to_string(),
        "device": caller.0.to_string(),
        "expires_in_ms": SYNC_MILLIS,
        "limits": {
            "small_file_bytes": limits::SMALL_FILE_BYTES,
            "whole_file_bytes": limits::WHOLE_FILE_BYTES,
            "file_bytes": limits::FILE_BYTES,
            "frame_bytes": limits::FRAME_BYTES,
            "stream_bytes": STREAM_BYTES,
            "changes_per_commit": limits::CHANGES_PER_COMMAND,
            "items_per_download": ITEMS,
            "page_items": limits::PAGE_ITEMS,
        },
    })))
}

/// `GET /api/sync/status`
pub async fn status(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Query(which): Query<Which>,
) -> Result<axum::Json<Value>, Problem> {
    let now = service.node.now();
    let (space, session) = service
        .syncs
        .find(caller.0, &which.session, now)
        .ok_or_else(|| Problem::NotFound("there is no such session: start another".to_owned()))?;
    // Idle times count too: this is what a person saw arrive, not a link's speed.
    let elapsed = now.saturating_sub(session.started).max(1);
    let rate = |bytes: u64| bytes.saturating_mul(1000) / elapsed;
    Ok(axum::Json(json!({
        "session": session.id,
        "space": space.to_string(),
        "state": "active",
        "started": moment::format_millis(session.started),
        "files_up": session.files.up,
        "files_down": session.files.down,
        "bytes_up": session.bytes.up,
        "bytes_down": session.bytes.down,
        "bytes_up_per_second": rate(session.bytes.up),
        "bytes_down_per_second": rate(session.bytes.down),
    })))
}
