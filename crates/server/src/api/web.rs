//! The web page and the way in: a link's token is shown to the node by a POST
//! from the page it leads to, so that no preview or prefetch can use it up.
//!
//! The page's files are in `crates/server/web/` and are part of the binary.

use super::Service;
use super::access;
use super::body;
use super::register::{check_invite, registered};
use crate::problem::Problem;
use crate::sessions::BROWSER_MILLIS;
use crate::token;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use base::DeviceId;
use http::{HeaderMap, StatusCode, header};
use state::{Body, Label, TokenHash};
use std::sync::Arc;

/// Only the node's own files run or style, and nobody frames the page.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Longest form that redeems a link: one token.
const FORM_BYTES: usize = 1024;

/// What browsers are called until people name them.
const BROWSER: &str = "browser";

/// `GET /`
pub async fn page() -> Response {
    asset(
        "text/html; charset=utf-8",
        include_str!("../../web/index.html"),
    )
}

/// `GET /link`
pub async fn link_page() -> Response {
    asset(
        "text/html; charset=utf-8",
        include_str!("../../web/link.html"),
    )
}

/// `GET /web/{file}`
pub async fn file(Path(name): Path<String>) -> Result<Response, Problem> {
    let (media_type, text) = match name.as_str() {
        "style.css" => ("text/css", include_str!("../../web/style.css")),
        "app.js" => ("text/javascript", include_str!("../../web/app.js")),
        "api.js" => ("text/javascript", include_str!("../../web/api.js")),
        "format.js" => ("text/javascript", include_str!("../../web/format.js")),
        "link.js" => ("text/javascript", include_str!("../../web/link.js")),
        "icon.svg" => ("image/svg+xml", include_str!("../../web/icon.svg")),
        _ => return Err(Problem::NotFound(format!("the page has no file `{name}`"))),
    };
    Ok(asset(media_type, text))
}

/// `POST /link`: a link's token in, a session cookie out.
pub async fn redeem(
    State(service): State<Arc<Service>>,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, Problem> {
    access::check_origin(&headers)?;
    let form = body::collect(request.into_body(), FORM_BYTES).await?;
    let link = std::str::from_utf8(&form)
        .ok()
        .and_then(|form| form.trim().strip_prefix("token="))
        .filter(|link| link.starts_with(token::Kind::Link.prefix()))
        .and_then(token::hash)
        .ok_or_else(|| Problem::Malformed("send the link's token as `token=link_…`".to_owned()))?;
    check_invite(&service, link).await?;
    let node = &service.node;
    // The device lives in the log, so that its commits have an author; its token
    // is drawn and forgotten: the cookie stands for it, on this node only.
    let forgotten = TokenHash::of(&token::draw(token::Kind::Device, node.random()));
    let name = Label::new(BROWSER).map_err(|error| Problem::Internal(error.to_string()))?;
    let body = Body::Register {
        invite: link,
        device_token: forgotten,
        name,
    };
    let device = registered(node.submit_once(DeviceId::ADMIN, body).await?)?;
    let cookie = service.browsers.start(device, node.now(), node.random());
    let endpoint = service.endpoint();
    let is_encrypted = endpoint.is_some_and(|endpoint| endpoint.fingerprint.is_some());
    let cookie = format!(
        "{}={cookie}; Path=/; HttpOnly; SameSite=Strict; Max-Age={}{}",
        access::cookie_name(&service),
        BROWSER_MILLIS / 1000,
        if is_encrypted { "; Secure" } else { "" }
    );
    let fields = [
        (header::SET_COOKIE, cookie),
        (header::LOCATION, "/".to_owned()),
    ];
    Ok((StatusCode::SEE_OTHER, fields).into_response())
}

fn asset(media_type: &'static str, text: &'static str) -> Response {
    let fields = [
        (header::CONTENT_TYPE, media_type),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (fields, text).into_response()
}
