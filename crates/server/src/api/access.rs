//! Who asks, and what they may see: tokens, cookies, roles on spaces.
//!
//! A space that a caller may not read is answered like one that does not exist.
//! Roles are checked here so that nothing is read or stored in vain; `apply`
//! checks them again, and that check decides.

use super::Service;
use crate::problem::Problem;
use crate::throttle::{self, Class};
use crate::token;
use axum::extract::FromRequestParts;
use base::{DeviceId, SpaceId};
use http::request::Parts;
use http::{HeaderMap, Method, header};
use state::{Reader, Role, Space};
use std::sync::Arc;

/// The name of the browser's session cookie at the node's port: browsers keep
/// one jar for all ports of a machine, and its nodes must not take turns in it.
pub fn cookie_name(service: &Service) -> String {
    match service.endpoint() {
        Some(endpoint) => format!("{COOKIE}_{}", endpoint.address.port()),
        None => COOKIE.to_owned(),
    }
}

/// How its name begins.
const COOKIE: &str = "atoll_session";

/// Whoever made a request: a registered device or the administrator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller(pub DeviceId);

/// A caller who proved to be the administrator.
pub struct Administrator;

impl Caller {
    /// Whether this is the administrator.
    pub fn is_admin(self) -> bool {
        self.0 == DeviceId::ADMIN
    }

    /// The number by which it is known among clients.
    pub fn number(self) -> u128 {
        throttle::number(self.0)
    }

    /// The space named by slug or id, if the caller has `needed` on it.
    ///
    /// # Errors
    /// [`Problem::NotFound`] for a space that is not there for this caller,
    /// [`Problem::Forbidden`] for one that is but in a lesser role.
    pub fn space(self, reader: &Reader, name: &str, needed: Role) -> Result<Space, Problem> {
        let missing = || Problem::NotFound(format!("there is no space `{name}`"));
        let space = find_space(reader, name)?.ok_or_else(missing)?;
        let role = reader.role(self.0, space.id)?.ok_or_else(missing)?;
        if role < needed {
            return Err(Problem::Forbidden(format!(
                "this needs the role {needed} on space `{}`, not {role}",
                space.slug
            )));
        }
        Ok(space)
    }
}

fn find_space(reader: &Reader, name: &str) -> Result<Option<Space>, Problem> {
    if let Ok(slug) = name.parse()
        && let Some(space) = reader.space_by_slug(&slug)?
    {
        return Ok(Some(space));
    }
    match name.parse::<SpaceId>() {
        Ok(id) => Ok(reader.space(id)?),
        Err(_) => Ok(None),
    }
}

impl FromRequestParts<Arc<Service>> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(
        parts: &mut Parts,
        service: &Arc<Service>,
    ) -> Result<Self, Problem> {
        let caller = Self::of(parts, service).await?;
        if let Some(class) = parts.extensions.get::<Class>() {
            service.throttle.admit_device(caller.0, *class)?;
        }
        Ok(caller)
    }
}

/// Whether a request comes with something that may prove who asks.
pub fn has_credential(headers: &HeaderMap, service: &Service) -> bool {
    headers.contains_key(header::AUTHORIZATION) || cookie(headers, &cookie_name(service)).is_some()
}

impl Caller {
    async fn of(parts: &Parts, service: &Service) -> Result<Self, Problem> {
        if let Some(token) = bearer(&parts.headers)? {
            return identify(service, token).await;
        }
        let Some(cookie) = cookie(&parts.headers, &cookie_name(service)) else {
            return Err(Problem::Unauthorized(
                "send a device's token as `Authorization: Bearer TOKEN`",
            ));
        };
        let device =
            service
                .browsers
                .device(cookie, service.node.now())
                .ok_or(Problem::Unauthorized(
                    "this browser's session is over: open a new link",
                ))?;
        if !matches!(parts.method, Method::GET | Method::HEAD) {
            check_origin(&parts.headers)?;
        }
        Ok(Self(device))
    }
}

impl FromRequestParts<Arc<Service>> for Administrator {
    type Rejection = Problem;

    async fn from_request_parts(
        parts: &mut Parts,
        service: &Arc<Service>,
    ) -> Result<Self, Problem> {
        if Caller::from_request_parts(parts, service).await?.is_admin() {
            Ok(Self)
        } else {
            Err(Problem::Forbidden(
                "this needs the node's admin token".to_owned(),
            ))
        }
    }
}

/// The token of an `Authorization: Bearer` header, if there is such a header.
///
/// # Errors
/// [`Problem::Unauthorized`] when it holds something else.
pub fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let Some(value) = headers.get(header::AUTHORIZATION) else {
        return Ok(None);
    };
    let text = value.to_str().unwrap_or_default();
    match text.split_once(' ') {
        // Clients of Influx 2 say `Token`.
        Some((scheme, token))
            if scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("token") =>
        {
            Ok(Some(token.trim()))
        }
        _ => Err(Problem::Unauthorized(
            "only `Authorization: Bearer TOKEN` is understood",
        )),
    }
}

/// Refuses what another site's page makes a browser send.
///
/// # Errors
/// [`Problem::Forbidden`] unless `Origin` is this node as the browser knows it.
pub fn check_origin(headers: &HeaderMap) -> Result<(), Problem> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let origin = text(header::ORIGIN).and_then(|origin| origin.split_once("://"));
    match (origin, text(header::HOST)) {
        (Some((_, origin)), Some(host)) if origin.eq_ignore_ascii_case(host) => Ok(()),
        _ => Err(Problem::Forbidden(
            "this request comes from another site's page".to_owned(),
        )),
    }
}

async fn identify(service: &Service, text: &str) -> Result<Caller, Problem> {
    const WRONG: Problem =
        Problem::Unauthorized("this token is not a device's, or no longer: join again");
    let hash = token::hash(text).ok_or(WRONG)?;
    if service.node.is_admin(&hash) {
        return Ok(Caller(DeviceId::ADMIN));
    }
    let applied = service.node.cursor().index;
    if let Some(device) = service.identities.find(&hash, applied) {
        return Ok(Caller(device));
    }
    let device = service
        .node
        .read(move |reader| Ok(reader.device_by_token(&hash)?))
        .await?;
    let device = device.ok_or(WRONG)?.id;
    service.identities.remember(hash, device, applied);
    Ok(Caller(device))
}

fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(';'))
        .find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};

    fn headers(pairs: &[(HeaderName, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn origins() {
        let check = |origin, host, allowed: bool| {
            let headers = headers(&[(header::ORIGIN, origin), (header::HOST, host)]);
            assert_eq!(check_origin(&headers).is_ok(), allowed, "{origin} {host}");
        };
        check("http://127.0.0.1:8080", "127.0.0.1:8080", true);
        check("http://evil.example", "127.0.0.1:8080", false);
        check("null", "127.0.0.1:8080", false);
        check(
            "http://127.0.0.1:8080.evil.example",
            "127.0.0.1:8080",
            false,
        );
        assert!(check_origin(&headers(&[(header::HOST, "h")])).is_err());
    }

    #[test]
    fn credentials() {
        let good = headers(&[(header::AUTHORIZATION, "bearer abc")]);
        assert_eq!(bearer(&good).unwrap(), Some("abc"));
        assert!(bearer(&headers(&[(header::AUTHORIZATION, "Basic abc")])).is_err());
        assert_eq!(bearer(&HeaderMap::new()).unwrap(), None);
        let cookies = headers(&[(header::COOKIE, "a=b; atoll_session=ses_1")]);
        assert_eq!(cookie(&cookies, COOKIE), Some("ses_1"));
        assert_eq!(
            cookie(&headers(&[(header::COOKIE, "atoll_session_80=x")]), COOKIE),
            None
        );
    }
}
