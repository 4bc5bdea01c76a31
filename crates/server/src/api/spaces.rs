//! Spaces and who may do what in them.

use super::Service;
use super::access::Caller;
use super::input::{Json, parse};
use crate::problem::Problem;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use base::{MemberId, Slug, SpaceId};
use http::StatusCode;
use meta::{Metadata, Mode, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};
use state::{Body, Reply, Role, Space};
use std::sync::Arc;

#[derive(Deserialize)]
pub struct NewSpace {
    slug: String,
}

#[derive(Deserialize)]
pub struct NewGrant {
    member: String,
    /// `null` takes the role away.
    role: Option<String>,
}

/// `GET /api/spaces`
pub async fn list(
    State(service): State<Arc<Service>>,
    caller: Caller,
) -> Result<axum::Json<Value>, Problem> {
    let items = service
        .node
        .read(move |reader| {
            let mut items = Vec::new();
            for (space, role) in reader.spaces_of(caller.0)? {
                let counts = reader.counts(space.id)?;
                let mut item = space_json(&space, role);
                item["files"] = counts.files.into();
                item["directories"] = counts.directories.into();
                item["bytes"] = counts.bytes.into();
                items.push(item);
            }
            Ok(items)
        })
        .await?;
    Ok(axum::Json(json!({ "items": items, "next": Value::Null })))
}

/// `POST /api/spaces`
pub async fn create(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Json(wanted): Json<NewSpace>,
) -> Result<Response, Problem> {
    let slug = Slug::new(&wanted.slug).map_err(|error| Problem::Malformed(error.to_string()))?;
    let (id, slug) = make(&service, caller, slug).await?;
    let answer = json!({ "id": id.to_string(), "slug": slug.as_str(), "role": "owner" });
    Ok((StatusCode::CREATED, axum::Json(answer)).into_response())
}

/// Makes a space for `caller`; the slug may come back numbered.
///
/// # Errors
/// As [`crate::node::Node::submit_once`], and when the caller is nobody any more.
pub async fn make(
    service: &Service,
    caller: Caller,
    slug: Slug,
) -> Result<(SpaceId, Slug), Problem> {
    let seconds = (service.node.now() / 1000) as i64;
    let modified = Timestamp::new(seconds, 0).unwrap_or_default();
    let root = Metadata::directory(Mode::DIRECTORY, modified);
    match service
        .node
        .submit_once(caller.0, Body::CreateSpace { slug, root })
        .await?
    {
        Reply::Space { id, slug } => Ok((id, slug)),
        Reply::Denied(denial) => Err(denial.into()),
        other => Err(Problem::Internal(format!(
            "a new space was answered {other:?}"
        ))),
    }
}

/// `GET /api/spaces/{space}/members`
pub async fn members(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Path(space): Path<String>,
) -> Result<axum::Json<Value>, Problem> {
    let items = service
        .node
        .read(move |reader| {
            let space = caller.space(reader, &space, Role::Reader)?;
            let member = |member: &state::Membership| {
                json!({
                    "member": member.member.to_string(),
                    "name": member.name,
                    "role": member.role.to_string(),
                })
            };
            Ok(reader
                .members(space.id)?
                .iter()
                .map(member)
                .collect::<Vec<_>>())
        })
        .await?;
    Ok(axum::Json(json!({ "items": items, "next": Value::Null })))
}

/// `POST /api/spaces/{space}/members`
pub async fn grant(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Path(space): Path<String>,
    Json(grant): Json<NewGrant>,
) -> Result<StatusCode, Problem> {
    let member: MemberId = parse("member", &grant.member)?;
    let role = grant.role.as_deref().map(role).transpose()?;
    let space = service
        .node
        .read(move |reader| caller.space(reader, &space, Role::Owner))
        .await?
        .id;
    let body = Body::Grant {
        space,
        member,
        role,
    };
    done(&service.node.submit_once(caller.0, body).await?)
}

/// The answer to a command that tells nothing but that it was done.
///
/// # Errors
/// Its denial.
pub fn done(reply: &Reply) -> Result<StatusCode, Problem> {
    match reply {
        Reply::Denied(denial) => Err((*denial).into()),
        _ => Ok(StatusCode::NO_CONTENT),
    }
}

/// A role by its name.
///
/// # Errors
/// [`Problem::Malformed`].
pub fn role(text: &str) -> Result<Role, Problem> {
    [Role::Reader, Role::Editor, Role::Owner]
        .into_iter()
        .find(|role| role.to_string() == text)
        .ok_or_else(|| Problem::Malformed(format!("role `{text}` is not reader, editor or owner")))
}

/// A space as lists show it.
pub fn space_json(space: &Space, role: Role) -> Value {
    json!({
        "id": space.id.to_string(),
        "slug": space.slug.as_str(),
        "role": role.to_string(),
    })
}
