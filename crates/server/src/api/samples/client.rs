//! Who sends samples or asks for them: a device of the site, or, where the node is told to
//! allow that, anyone on this machine, told apart by the credential that is sent, whatever
//! it is.

use super::super::Service;
use super::super::access::{Caller, check_origin};
use crate::problem::Problem;
use crate::throttle::{Class, Peer};
use axum::extract::FromRequestParts;
use http::request::Parts;
use http::uri::Authority;
use http::{HeaderMap, header};
use serde::Deserialize;
use std::net::IpAddr;
use std::sync::Arc;

/// What the page is to the node that a browser sends something for (W3C Fetch Metadata,
/// section 2.4).
const SITE: &str = "sec-fetch-site";

/// The node's own page, and no page: who typed the address.
const OWN_SITES: [&str; 2] = ["same-origin", "none"];

/// What a client on this machine needs no token for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Loopback {
    /// Nothing: it is as any other.
    #[default]
    Closed,
    /// To send samples.
    Write,
    /// To send samples and to ask.
    Open,
}

/// Who sends samples.
#[derive(Debug, Clone, Copy)]
pub struct Sender(pub u128);

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub struct Asker;

impl FromRequestParts<Arc<Service>> for Sender {
    type Rejection = Problem;

    async fn from_request_parts(
        parts: &mut Parts,
        service: &Arc<Service>,
    ) -> Result<Self, Problem> {
        if is_free(parts, service, Loopback::Write) {
            let client = credential(parts);
            service.throttle.admit_known(client, Class::Push)?;
            return Ok(Self(client));
        }
        let caller = Caller::from_request_parts(parts, service).await?;
        Ok(Self(caller.number()))
    }
}

impl FromRequestParts<Arc<Service>> for Asker {
    type Rejection = Problem;

    async fn from_request_parts(
        parts: &mut Parts,
        service: &Arc<Service>,
    ) -> Result<Self, Problem> {
        if is_free(parts, service, Loopback::Open) {
            service
                .throttle
                .admit_known(credential(parts), Class::Read)?;
            return Ok(Self);
        }
        Caller::from_request_parts(parts, service).await?;
        Ok(Self)
    }
}

/// Whether a request comes from this machine and needs no token for this.
fn is_free(parts: &Parts, service: &Service, needed: Loopback) -> bool {
    let peer = parts.extensions.get::<Peer>();
    service.loopback() >= needed
        && peer.is_some_and(|peer| peer.0.to_canonical().is_loopback())
        && !is_of_another_page(&parts.headers)
}

/// Whether a browser of this machine may have been made to send this by a page that is not
/// this node's: it says so (of an image, say, by `Sec-Fetch-Site` alone), or knows the node
/// by a name that somebody else gave to this machine (DNS rebinding). What is no browser says
/// none of it.
fn is_of_another_page(headers: &HeaderMap) -> bool {
    let is_told = headers.contains_key(header::ORIGIN) && check_origin(headers).is_err();
    let site = headers.get(SITE);
    let is_told = is_told || site.is_some_and(|site| !OWN_SITES.iter().any(|own| site == own));
    let host = headers.get(header::HOST);
    is_told || host.is_some_and(|host| !host.to_str().is_ok_and(is_this_machine))
}

/// Whether a `Host` is a name or address that only this machine has, with any port.
fn is_this_machine(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else {
        return false;
    };
    let name = authority.host();
    let address = name.trim_start_matches('[').trim_end_matches(']');
    let address = address.parse::<IpAddr>();
    name.eq_ignore_ascii_case("localhost")
        || address.is_ok_and(|address| address.to_canonical().is_loopback())
}

/// A number for the credential as it was sent; one for all who send none.
fn credential(parts: &Parts) -> u128 {
    let sent = parts.headers.get(header::AUTHORIZATION);
    let hash = base::Hash::of(sent.map_or(&[], |value| value.as_bytes()));
    let first = hash.as_bytes().first_chunk().copied();
    u128::from_le_bytes(first.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn pages_of_others() {
        let check = |host: &'static str, origin: Option<&'static str>, expected: bool| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_static(host));
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, HeaderValue::from_static(origin));
            }
            assert_eq!(is_of_another_page(&headers), expected, "{host} {origin:?}");
        };
        for host in [
            "localhost",
            "LocalHost:8080",
            "127.0.0.1:8080",
            "127.1.2.3",
            "[::1]:8080",
            "[::1]",
        ] {
            check(host, None, false);
        }
        for host in [
            "evil.example:8080",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "192.0.2.1",
            "[2001:db8::1]:8080",
            "",
        ] {
            check(host, None, true);
        }
        check("localhost:8080", Some("http://localhost:8080"), false);
        check("localhost:8080", Some("http://localhost:3000"), true);
        check("localhost:8080", Some("http://evil.example"), true);
        check("localhost:8080", Some("null"), true);
        check("evil.example:8080", Some("http://evil.example:8080"), true);
        assert!(!is_of_another_page(&HeaderMap::new()));
        for (site, expected) in [
            ("none", false),
            ("same-origin", false),
            ("same-site", true),
            ("cross-site", true),
            ("", true),
        ] {
            let headers = [(SITE, site)].map(|(name, value)| {
                let name = header::HeaderName::from_static(name);
                (name, HeaderValue::from_static(value))
            });
            let headers = HeaderMap::from_iter(headers);
            assert_eq!(is_of_another_page(&headers), expected, "{site}");
        }
    }
}
