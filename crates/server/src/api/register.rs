//! Devices: an invite or the admin token in, a device token out.

use super::Service;
use super::access;
use super::input::Json;
use super::spaces::space_json;
use crate::problem::Problem;
use crate::token;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use base::DeviceId;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::json;
use state::{Body, Denial, Label, Reply, Role, TokenHash};
use std::sync::Arc;

#[derive(Deserialize)]
pub struct Registration {
    /// A join token or the admin token; may also stand in `Authorization`.
    token: Option<String>,
    name: String,
}

/// `POST /api/register`
pub async fn register(
    State(service): State<Arc<Service>>,
    headers: HeaderMap,
    Json(registration): Json<Registration>,
) -> Result<Response, Problem> {
    let name = Label::new(registration.name.trim())
        .map_err(|error| Problem::Malformed(error.to_string()))?;
    let invite = match &registration.token {
        Some(token) => token.as_str(),
        None => access::bearer(&headers)?.ok_or(Problem::Unauthorized(
            "send the join token you were given as `token`",
        ))?,
    };
    // A link opens a browser session, which ends; it makes no lasting device.
    let invite = Some(invite)
        .filter(|invite| !invite.starts_with(token::Kind::Link.prefix()))
        .and_then(token::hash)
        .ok_or(Problem::Unauthorized("this is not a join token"))?;
    let device_token = token::draw(token::Kind::Device, service.node.random());
    let body = command(&service, invite, TokenHash::of(&device_token), name).await?;
    let device = registered(service.node.submit_once(DeviceId::ADMIN, body).await?)?;
    let spaces = service
        .node
        .read(move |reader| Ok(reader.spaces_of(device)?))
        .await?;
    let spaces: Vec<_> = spaces
        .iter()
        .map(|(space, role)| space_json(space, *role))
        .collect();
    let mut answer = json!({
        "client_id": device.to_string(),
        "token": device_token,
        "spaces": spaces,
    });
    if let [only] = spaces.as_slice() {
        answer["space"] = only.clone();
    }
    Ok((StatusCode::CREATED, axum::Json(answer)).into_response())
}

/// The device of a registration's reply.
///
/// # Errors
/// [`Problem::Unauthorized`] for an invite that does not work: to whoever
/// guesses, every wrong token looks the same.
pub fn registered(reply: Reply) -> Result<DeviceId, Problem> {
    match reply {
        Reply::Registered { device } => Ok(device),
        Reply::Denied(denial) => Err(denial.into()),
        other => Err(Problem::Internal(format!(
            "a registration was answered {other:?}"
        ))),
    }
}

/// The administrator's devices may do everything in the spaces there are.
async fn command(
    service: &Service,
    invite: TokenHash,
    device_token: TokenHash,
    name: Label,
) -> Result<Body, Problem> {
    if !service.node.is_admin(&invite) {
        check_invite(service, invite).await?;
        return Ok(Body::Register {
            invite,
            device_token,
            name,
        });
    }
    let spaces = service.node.read(|reader| Ok(reader.spaces()?)).await?;
    let grants = spaces.iter().map(|space| (space.id, Role::Owner)).collect();
    Ok(Body::RegisterLocal {
        device_token,
        name,
        grants,
    })
}

/// Refuses a guessed token before it costs an entry in the log. Whether a known
/// invite still works is decided when the entry is applied.
///
/// # Errors
/// [`Problem::Unauthorized`].
pub async fn check_invite(service: &Service, invite: TokenHash) -> Result<(), Problem> {
    if service
        .node
        .read(move |reader| Ok(reader.knows_invite(&invite)?))
        .await?
    {
        Ok(())
    } else {
        Err(Denial::UnknownInvite.into())
    }
}
