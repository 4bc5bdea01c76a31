//! Who sends samples or asks for them: a device of the site, or, where the node is told to
//! allow that, anyone on this machine, told apart by the credential that is sent, whatever
//! it is.

use super::super::Service;
use super::super::access::Caller;
use crate::problem::Problem;
use crate::throttle::{Class, Peer};
use axum::extract::FromRequestParts;
use http::header;
use http::request::Parts;
use serde::Deserialize;
use std::sync::Arc;

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
    service.loopback() >= needed && peer.is_some_and(|peer| peer.0.to_canonical().is_loopback())
}

/// A number for the credential as it was sent; one for all who send none.
fn credential(parts: &Parts) -> u128 {
    let sent = parts.headers.get(header::AUTHORIZATION);
    let hash = base::Hash::of(sent.map_or(&[], |value| value.as_bytes()));
    let first = hash.as_bytes().first_chunk().copied();
    u128::from_le_bytes(first.unwrap_or_default())
}
