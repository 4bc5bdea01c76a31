//! Everything that can go wrong with a request, and the one mapping of it to an
//! answer: RFC 9457 problem details with a stable `type`.
//!
//! Handlers return [`Problem`]; nothing else in the crate writes an error
//! answer. Faults of the node are told in the log by whoever sends the answer
//! (`api::frontdoor`, by [`Fault`]). The list for clients is in `docs/protocol.md`.

use crate::throttle::TooOften;
use axum::response::{IntoResponse, Response};
use base::{Hash, limits};
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};
use state::{CommandError, Denial, StateError};
use store::blob::BlobError;
use sync::wire::WireError;

/// Seconds after which a refused request is worth repeating.
const RETRY_AFTER_SECONDS: u32 = 1;

/// Why a request was not done.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Problem {
    /// No token, or one that nobody holds.
    #[error("{0}")]
    Unauthorized(&'static str),
    /// The caller is known but may not do this.
    #[error("{0}")]
    Forbidden(String),
    /// What was named does not exist, or the caller may not know of it.
    #[error("{0}")]
    NotFound(String),
    /// The path exists with other methods.
    #[error("this address does not answer {0}")]
    Method(String),
    /// A query, header or JSON body that does not say what it must.
    #[error("{0}")]
    Malformed(String),
    /// A text of the metadata language in which something is wrong, at least one thing.
    #[error("{}", first(.0))]
    Document(Vec<meta::text::Problem>),
    /// Samples of which none, or not all, were taken.
    #[error("{detail}")]
    Samples {
        /// How many, and why the first was not.
        detail: String,
        /// Each that was not, with its place.
        refused: Value,
    },
    /// A path that climbs out or holds a name no item can have.
    #[error("{0}")]
    Path(String),
    /// A stream that is not the frames it should be.
    #[error("{0}")]
    Frames(String),
    /// A body beyond its limit, in bytes.
    #[error("the body is longer than the limit of {0} bytes")]
    TooLong(u64),
    /// A body in a form that this address does not read.
    #[error("{0}")]
    MediaType(String),
    /// An answer in a form that this address does not have; it has these.
    #[error("the answer can be {}: let `Accept` take one of them", .0.join(", "))]
    NotAcceptable(&'static [&'static str]),
    /// The client sent nothing for too long.
    #[error("the body stood still for {0} s")]
    Idle(u64),
    /// The client sent too little for too long; the least is given, in bytes per
    /// second.
    #[error("the body came too slowly: at least {0} bytes per second are expected")]
    Slow(u64),
    /// The request's body broke off.
    #[error("the body broke off: {0}")]
    Cut(String),
    /// A cursor that cannot be followed from; the client compares trees.
    #[error("{0}")]
    CursorGone(String),
    /// A base that is not current any more; `current` is what stands there.
    #[error("{detail}")]
    Conflict {
        /// What was based on what.
        detail: String,
        /// The current version, `null` when deleted.
        current: Value,
    },
    /// Content that this device has to send first.
    #[error("content {0} is not here for this device: upload it and commit again")]
    UploadAgain(Hash),
    /// The base of a delta that this device may not use or that has no map.
    #[error("{0} cannot serve as a base here: send the file whole")]
    NoBase(Hash),
    /// A commit that cannot be: its parent is missing, its target not empty…
    #[error("{0}")]
    Refused(String),
    /// A (device, stream, sequence) used before with another body.
    #[error("{0}")]
    SequenceReused(String),
    /// A range outside the content, whose length is given.
    #[error("the range is outside the {0} bytes of this content")]
    Range(u64),
    /// This device has as much unfinished as it may.
    #[error("{0}")]
    TooMany(String),
    /// The client asks too often.
    #[error("too many requests of the sort `{}`: wait as long as `Retry-After` says", .0.name)]
    TooOften(TooOften),
    /// Queues are full.
    #[error("{0}")]
    Busy(&'static str),
    /// `at_least` was not reached in time.
    #[error("this node has not reached cursor {0} yet")]
    Behind(String),
    /// The node stopped working and says why.
    #[error("{0}")]
    Unavailable(String),
    /// No space left for new content.
    #[error("{0}")]
    DiskFull(String),
    /// A fault of the node.
    #[error("{0}")]
    Internal(String),
}

/// What an answer carries of a problem that is none of the client's, for the log.
#[derive(Debug, Clone)]
pub struct Fault {
    /// [`Problem::name`].
    pub name: &'static str,
    /// What the client is told.
    pub detail: String,
}

/// What [`Problem`] looks like from outside.
struct Face {
    name: &'static str,
    title: &'static str,
    status: StatusCode,
}

impl Problem {
    /// The status of its answer.
    pub fn status(&self) -> StatusCode {
        self.face().status
    }

    /// The last part of its `type`, which programs may rely on.
    pub fn name(&self) -> &'static str {
        self.face().name
    }

    fn face(&self) -> Face {
        let (name, title, status) = match self {
            Self::Unauthorized(_) => (
                "unauthorized",
                "a valid token is needed",
                StatusCode::UNAUTHORIZED,
            ),
            Self::Forbidden(_) => ("forbidden", "not allowed", StatusCode::FORBIDDEN),
            Self::NotFound(_) => ("not-found", "not found", StatusCode::NOT_FOUND),
            Self::Method(_) => (
                "method",
                "method not allowed",
                StatusCode::METHOD_NOT_ALLOWED,
            ),
            Self::Malformed(_) | Self::Document(_) => {
                ("malformed", "malformed request", StatusCode::BAD_REQUEST)
            }
            Self::Samples { .. } => ("samples", "samples refused", StatusCode::BAD_REQUEST),
            Self::Path(_) => ("path", "not a path of an item", StatusCode::BAD_REQUEST),
            Self::Frames(_) => ("frames", "not a stream of frames", StatusCode::BAD_REQUEST),
            Self::TooLong(_) => ("too-long", "body too long", StatusCode::PAYLOAD_TOO_LARGE),
            Self::MediaType(_) => (
                "media-type",
                "unsupported media type",
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
            ),
            Self::NotAcceptable(_) => (
                "not-acceptable",
                "no acceptable form",
                StatusCode::NOT_ACCEPTABLE,
            ),
            Self::Idle(_) | Self::Slow(_) => {
                ("idle", "request timed out", StatusCode::REQUEST_TIMEOUT)
            }
            Self::Cut(_) => ("cut", "request broke off", StatusCode::BAD_REQUEST),
            Self::CursorGone(_) => ("cursor-gone", "cursor cannot be followed", StatusCode::GONE),
            Self::Conflict { .. } => ("conflict", "changed meanwhile", StatusCode::CONFLICT),
            Self::UploadAgain(_) => (
                "upload-again",
                "content has to be sent first",
                StatusCode::CONFLICT,
            ),
            Self::NoBase(_) => ("no-base", "no such base", StatusCode::CONFLICT),
            Self::Refused(_) => ("refused", "the change cannot be made", StatusCode::CONFLICT),
            Self::SequenceReused(_) => (
                "sequence-reused",
                "sequence used with another body",
                StatusCode::UNPROCESSABLE_ENTITY,
            ),
            Self::Range(_) => (
                "range",
                "range not satisfiable",
                StatusCode::RANGE_NOT_SATISFIABLE,
            ),
            Self::TooMany(_) => (
                "too-many",
                "too much unfinished",
                StatusCode::TOO_MANY_REQUESTS,
            ),
            Self::TooOften(_) => (
                "too-often",
                "too many requests",
                StatusCode::TOO_MANY_REQUESTS,
            ),
            Self::Busy(_) => ("busy", "too much at once", StatusCode::SERVICE_UNAVAILABLE),
            Self::Behind(_) => ("behind", "node is behind", StatusCode::SERVICE_UNAVAILABLE),
            Self::Unavailable(_) => (
                "unavailable",
                "node cannot do its work",
                StatusCode::SERVICE_UNAVAILABLE,
            ),
            Self::DiskFull(_) => ("disk-full", "disk full", StatusCode::INSUFFICIENT_STORAGE),
            Self::Internal(_) => (
                "internal",
                "fault of the node",
                StatusCode::INTERNAL_SERVER_ERROR,
            ),
        };
        Face {
            name,
            title,
            status,
        }
    }

    fn add_fields(&self, body: &mut Value) {
        match self {
            Self::Conflict { current, .. } => body["current"] = current.clone(),
            Self::Samples { refused, .. } => body["refused"] = refused.clone(),
            Self::UploadAgain(hash) | Self::NoBase(hash) => body["hash"] = hash.to_string().into(),
            Self::TooLong(limit) => body["limit"] = (*limit).into(),
            Self::Range(length) => body["length"] = (*length).into(),
            Self::NotAcceptable(forms) => body["available"] = json!(forms),
            Self::Document(problems) => {
                body["problems"] = problems.iter().map(|problem| problem.to_json()).collect();
            }
            _ => {}
        }
    }

    fn add_headers(&self, response: &mut Response) {
        let headers = response.headers_mut();
        match self {
            Self::Unauthorized(_) => {
                headers.insert(
                    header::WWW_AUTHENTICATE,
                    HeaderValue::from_static("Bearer realm=\"atoll\""),
                );
            }
            Self::TooMany(_) | Self::Busy(_) | Self::Behind(_) | Self::Unavailable(_) => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SECONDS));
            }
            Self::NotAcceptable(_) => {
                headers.insert(header::VARY, HeaderValue::from_static("Accept"));
            }
            Self::TooOften(refused) => refused.decision.put_fields(refused.name, headers),
            Self::Range(length) => {
                if let Ok(value) = HeaderValue::try_from(format!("bytes */{length}")) {
                    headers.insert(header::CONTENT_RANGE, value);
                }
            }
            _ => {}
        }
    }
}

/// The first of them, in one line.
fn first(problems: &[meta::text::Problem]) -> String {
    problems
        .first()
        .map(ToString::to_string)
        .unwrap_or_default()
}

impl From<BlobError> for Problem {
    fn from(error: BlobError) -> Self {
        match error {
            BlobError::NotBegun { hash, .. } | BlobError::Incomplete { hash, .. } => {
                Self::UploadAgain(hash)
            }
            BlobError::NoBase { base } => Self::NoBase(base),
            BlobError::WrongHash { .. } | BlobError::Invalid { .. } | BlobError::Map { .. } => {
                Self::Frames(error.to_string())
            }
            BlobError::Busy { .. } => Self::TooMany(error.to_string()),
            BlobError::Crowded { .. } => Self::Busy("too many uploads are unfinished"),
            BlobError::Full { .. } | BlobError::Reserved { .. } => {
                Self::DiskFull(error.to_string())
            }
            BlobError::Poisoned { .. } => Self::Unavailable(error.to_string()),
            BlobError::Damaged { .. } | BlobError::Io { .. } | BlobError::Index { .. } => {
                Self::Internal(error.to_string())
            }
        }
    }
}

impl From<TooOften> for Problem {
    fn from(refused: TooOften) -> Self {
        Self::TooOften(refused)
    }
}

impl From<StateError> for Problem {
    fn from(error: StateError) -> Self {
        Self::Internal(error.to_string())
    }
}

impl From<CommandError> for Problem {
    fn from(error: CommandError) -> Self {
        Self::Malformed(error.to_string())
    }
}

impl From<WireError> for Problem {
    fn from(error: WireError) -> Self {
        match error {
            WireError::FileTooLong(_) => Self::TooLong(limits::FILE_BYTES),
            _ => Self::Frames(error.to_string()),
        }
    }
}

impl From<Denial> for Problem {
    fn from(denial: Denial) -> Self {
        let detail = denial.to_string();
        match denial {
            Denial::UnknownDevice | Denial::RevokedDevice => {
                Self::Unauthorized("this device is not registered (any more): join with an invite")
            }
            Denial::UnknownInvite => {
                Self::Unauthorized("this token is not known: ask for a new invite")
            }
            Denial::ExpiredInvite
            | Denial::UsedInvite
            | Denial::AdminOnly
            | Denial::RoleMissing { .. } => Self::Forbidden(detail),
            Denial::UnknownSpace | Denial::UnknownMember | Denial::UnknownConflict => {
                Self::NotFound(detail)
            }
            Denial::SequenceReused => Self::SequenceReused(detail),
            Denial::TokenInUse | Denial::SequenceTooOld | Denial::ApplyVersion => {
                Self::Refused(detail)
            }
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Face {
            name,
            title,
            status,
        } = self.face();
        let detail = self.to_string();
        let mut body = json!({
            "type": format!("urn:atoll:problem:{name}"),
            "title": title,
            "status": status.as_u16(),
            "detail": detail,
        });
        self.add_fields(&mut body);
        let media_type = [(header::CONTENT_TYPE, "application/problem+json")];
        let mut response = (status, media_type, body.to_string()).into_response();
        self.add_headers(&mut response);
        if status.is_server_error() {
            response.extensions_mut().insert(Fault { name, detail });
        }
        response
    }
}
