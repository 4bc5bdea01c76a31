//! Why a request is refused by the protocol itself, before any service sees it.
//!
//! A refused request ends its connection: after bytes that two parsers could
//! read differently, nothing that follows can be trusted (RFC 9112 11.2). The
//! answer is written by [`super::Connection::reject`].

use http::StatusCode;

/// The answer to bytes that are no acceptable request; the connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("request refused with {status}: {reason}")]
pub struct Reject {
    /// The status to answer with.
    pub status: StatusCode,
    /// What is wrong, in words that may be sent to the client.
    pub reason: &'static str,
}

impl Reject {
    /// A refusal with `status` because of `reason`.
    #[must_use]
    pub const fn new(status: StatusCode, reason: &'static str) -> Self {
        Self { status, reason }
    }

    pub(super) const fn bad(reason: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, reason)
    }

    pub(super) const fn too_large(reason: &'static str) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, reason)
    }

    pub(super) const fn fields_too_large(reason: &'static str) -> Self {
        Self::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, reason)
    }
}
