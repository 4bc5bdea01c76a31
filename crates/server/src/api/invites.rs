//! Invites: tokens that let another device join, or a browser in.

use super::Service;
use super::access::Caller;
use super::input::Json;
use super::moment;
use super::spaces;
use crate::address::{Endpoint, shell_word};
use crate::problem::Problem;
use crate::token;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use base::limits;
use http::{HeaderMap, StatusCode, header};
use serde::Deserialize;
use serde_json::json;
use state::{Body, InviteKind, Role, TokenHash};
use std::net::SocketAddr;
use std::sync::Arc;
use sync::Address;

#[derive(Deserialize)]
pub struct NewInvite {
    /// Slug or id; absent: every space, those to come included.
    space: Option<String>,
    /// `editor` unless said.
    role: Option<String>,
    /// `join` unless said, or `link`.
    kind: Option<String>,
}

/// `POST /api/invites`
pub async fn invite(
    State(service): State<Arc<Service>>,
    caller: Caller,
    headers: HeaderMap,
    Json(wanted): Json<NewInvite>,
) -> Result<Response, Problem> {
    let role = wanted
        .role
        .as_deref()
        .map_or(Ok(Role::Editor), spaces::role)?;
    let (kind, prefix) = match wanted.kind.as_deref() {
        None | Some("join") => (InviteKind::Join, token::Kind::Join),
        Some("link") => (InviteKind::Link, token::Kind::Link),
        Some(other) => {
            return Err(Problem::Malformed(format!(
                "kind `{other}` is not join or link"
            )));
        }
    };
    let space = match wanted.space {
        Some(name) => Some(
            service
                .node
                .read(move |reader| caller.space(reader, &name, Role::Owner))
                .await?,
        ),
        None => None,
    };
    let token = token::draw(prefix, service.node.random());
    let expires = service.node.now() + limits::LEASE_MILLIS;
    let body = Body::Invite {
        token: TokenHash::of(&token),
        kind,
        space: space.as_ref().map(|space| space.id),
        role,
        expires,
    };
    spaces::done(&service.node.submit_once(caller.0, body).await?)?;
    let address = node_address(service.endpoint(), &headers);
    let url = address.url();
    let mut answer = json!({ "token": token, "expires": moment::format_millis(expires) });
    if let Some(fingerprint) = address.fingerprint() {
        answer["fingerprint"] = fingerprint.to_string().into();
    }
    match kind {
        // After `#`: a browser keeps it to itself, no log ever holds it.
        InviteKind::Link => answer["url"] = format!("{url}/link#{token}").into(),
        InviteKind::Join => {
            answer["url"] = url.into();
            let slug = space.as_ref().map_or("SPACE", |space| space.slug.as_str());
            let server = shell_word(url);
            let known_by = address
                .fingerprint()
                .map(|fingerprint| format!(" --fingerprint {fingerprint}"))
                .unwrap_or_default();
            answer["join"] = format!(
                "atoll sync ./{slug} --server {server}{known_by} --space {slug} --token {token}"
            )
            .into();
        }
    }
    Ok((StatusCode::CREATED, axum::Json(answer)).into_response())
}

/// How others reach this node: as the caller did, unless that was by a way that
/// only this machine has and there is another.
fn node_address(endpoint: Option<Endpoint>, headers: &HeaderMap) -> Address {
    let host = headers
        .get(header::HOST)
        .and_then(|value| value.to_str().ok());
    let is_local = |host: &str| {
        host.parse::<SocketAddr>()
            .is_ok_and(|address| address.ip().is_loopback())
            || host.split(':').next() == Some("localhost")
    };
    match (host, endpoint) {
        (Some(host), Some(endpoint))
            if !(is_local(host) && endpoint.address.ip().is_unspecified()) =>
        {
            endpoint.known_as(host)
        }
        (_, Some(endpoint)) => endpoint.public(),
        (host, None) => Address::new(&format!("http://{}", host.unwrap_or("localhost")), None),
    }
}
