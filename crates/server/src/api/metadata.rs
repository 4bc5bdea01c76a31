//! One item's metadata by path: shown and changed in any of three forms, deleted. What
//! documents say is [`super::document`]'s; setting items back to what they were
//! [`super::restore`]'s.

use super::Service;
use super::access::Caller;
use super::document::DOCUMENT_BYTES;
use super::input::{self, Json, Query, parse};
use super::{accept, body, document, entry, lookup, tree_edit};
use crate::problem::Problem;
use axum::extract::{FromRequest, Request, State};
use axum::response::{IntoResponse, Response};
use base::{LogId, Name, VersionId};
use http::{HeaderMap, HeaderValue, header};
use meta::{FileMetadata, Metadata, NodeName};
use serde::Deserialize;
use serde_json::{Value, json};
use state::{Base, Change, Role, Space, Version};
use std::sync::Arc;

#[derive(Deserialize)]
pub struct Which {
    /// Slug or id.
    space: String,
    path: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Octal digits.
    mode: Option<String>,
    /// RFC 3339.
    mtime: Option<String>,
}

/// The forms of an item's metadata.
#[derive(Clone, Copy)]
enum Form {
    Json,
    Text,
    Binary,
}

const FORMS: [Form; 3] = [Form::Json, Form::Text, Form::Binary];

/// The media types of [`FORMS`], in the same order; the first is the default.
const MEDIA_TYPES: [&str; 3] = [
    "application/json",
    "text/vnd.atoll.metadata",
    "application/vnd.atoll.metadata",
];

/// What all texts are in.
const CHARSET: &str = "utf-8";

/// What stands at a path.
struct Found {
    space: Space,
    names: Vec<Name>,
    version: Version,
}

/// `GET /api/metadata`
pub async fn show(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Query(which): Query<Which>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let place =
        accept::choose(&headers, &MEDIA_TYPES).ok_or(Problem::NotAcceptable(&MEDIA_TYPES))?;
    let found = current(&service, caller, which, Role::Reader).await?;
    let mut response = match FORMS[place] {
        Form::Json => {
            let mut answer = entry::version(&found.version, service.node.log_id());
            answer["path"] = entry::path(&found.names).into();
            axum::Json(answer).into_response()
        }
        Form::Text => {
            let text = document::to_text(&found.document(&service)?);
            let media_type = format!("{}; charset={CHARSET}", MEDIA_TYPES[place]);
            ([(header::CONTENT_TYPE, media_type)], text).into_response()
        }
        Form::Binary => {
            let bytes = document::to_binary(&found.document(&service)?);
            ([(header::CONTENT_TYPE, MEDIA_TYPES[place])], bytes).into_response()
        }
    };
    let vary = HeaderValue::from_static("Accept");
    response.headers_mut().insert(header::VARY, vary);
    Ok(response)
}

/// `PUT /api/metadata`
pub async fn replace(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Query(which): Query<Which>,
    headers: HeaderMap,
    request: Request,
) -> Result<axum::Json<Value>, Problem> {
    let wish = Wish::read(request).await?;
    let found = current(&service, caller, which, Role::Editor).await?;
    let (base, metadata) = match wish {
        Wish::Changes(wanted) => (
            base_version(&headers, &found.version, service.node.log_id())?,
            wanted.applied(found.metadata()?.clone())?,
        ),
        Wish::Document(file) => {
            let log = service.node.log_id();
            let base = document_base(&headers, file.record.version, &found.version, log)?;
            (
                base,
                document::applied(&file, &found.name()?, found.metadata()?)?,
            )
        }
    };
    let change = Change::Put {
        base: Base::Version(base),
        metadata,
        conflict_of: None,
    };
    let id = tree_edit::commit_one(&service, caller, found.space.id, change).await?;
    Ok(axum::Json(json!({ "version": id.to_string() })))
}

/// `DELETE /api/metadata`
pub async fn remove(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Query(which): Query<Which>,
    headers: HeaderMap,
) -> Result<axum::Json<Value>, Problem> {
    let found = current(&service, caller, which, Role::Editor).await?;
    let base = base_version(&headers, &found.version, service.node.log_id())?;
    let change = Change::Delete { base };
    let id = tree_edit::commit_one(&service, caller, found.space.id, change).await?;
    Ok(axum::Json(json!({ "version": id.to_string() })))
}

/// What a request asks of an item.
enum Wish {
    Changes(Wanted),
    /// That it be as the document says.
    Document(Box<FileMetadata>),
}

impl Wish {
    async fn read(request: Request) -> Result<Self, Problem> {
        let media_type = input::media_type(request.headers());
        let known = MEDIA_TYPES
            .iter()
            .position(|known| known.eq_ignore_ascii_case(media_type));
        let Some(place) = known else {
            return Err(Problem::MediaType(format!(
                "send one of {} as `Content-Type`",
                MEDIA_TYPES.join(", ")
            )));
        };
        let charset = input::charset(request.headers()).unwrap_or(CHARSET);
        let is_read = [CHARSET, "utf8"]
            .iter()
            .any(|one| one.eq_ignore_ascii_case(charset));
        if matches!(FORMS[place], Form::Text) && !is_read {
            return Err(Problem::MediaType(format!(
                "`{charset}` is not read: send it as {CHARSET}"
            )));
        }
        let read = match FORMS[place] {
            Form::Json => {
                let Json(wanted) = Json::<Wanted>::from_request(request, &()).await?;
                return Ok(Self::Changes(wanted));
            }
            Form::Text => document::from_text,
            Form::Binary => document::from_binary,
        };
        let bytes = body::collect(request.into_body(), DOCUMENT_BYTES).await?;
        read(&bytes).map(Box::new).map(Self::Document)
    }
}

impl Wanted {
    fn applied(&self, mut metadata: Metadata) -> Result<Metadata, Problem> {
        if let Some(mode) = &self.mode {
            metadata.mode = entry::mode(mode)?;
        }
        if let Some(mtime) = &self.mtime {
            metadata.modified = entry::time(mtime)?;
        }
        Ok(metadata)
    }
}

impl Found {
    fn metadata(&self) -> Result<&Metadata, Problem> {
        let deleted = || Problem::NotFound("the item is deleted".to_owned());
        self.version.state.as_ref().ok_or_else(deleted)
    }

    /// The item's name in documents: the root has none of its own.
    fn name(&self) -> Result<Name, Problem> {
        if !self.version.is_root() {
            return Ok(self.version.name.clone());
        }
        Name::new(self.space.slug.as_str()).map_err(|error| Problem::Internal(error.to_string()))
    }

    fn document(&self, service: &Service) -> Result<FileMetadata, Problem> {
        let identity = service.node.identity();
        // A name that people gave may be none in a document; the id is one.
        let names = [identity.name, identity.id];
        Ok(document::of(document::Shown {
            name: self.name()?,
            version: &self.version,
            metadata: self.metadata()?,
            node: names.iter().find_map(|name| NodeName::new(name).ok()),
        }))
    }
}

async fn current(
    service: &Service,
    caller: Caller,
    which: Which,
    needed: Role,
) -> Result<Found, Problem> {
    let names = input::path(&which.path)?;
    service
        .node
        .read(move |reader| {
            let space = caller.space(reader, &which.space, needed)?;
            let version = lookup::live(reader, space.id, &which.path)?;
            Ok(Found {
                space,
                names,
                version,
            })
        })
        .await
}

/// The version a change is based on: what `If-Match` says, else the current one.
fn base_version(headers: &HeaderMap, current: &Version, log: LogId) -> Result<VersionId, Problem> {
    let wanted = wanted_of(headers, current, log)?;
    Ok(wanted.unwrap_or(current.id))
}

/// The version that `If-Match` says, which must be one of the item that is here.
fn wanted_of(
    headers: &HeaderMap,
    current: &Version,
    log: LogId,
) -> Result<Option<VersionId>, Problem> {
    let wanted = if_match(headers)?;
    if wanted.is_some_and(|wanted| wanted.item != current.id.item) {
        // It stands there no more, and another does.
        return Err(Problem::Conflict {
            detail: format!(
                "`If-Match` is of another item than what stands at this path, {}",
                current.id
            ),
            current: entry::version(current, log),
        });
    }
    Ok(wanted)
}

/// The current version, which a document must be based on: its `version` says so, and
/// `If-Match` if it is there.
fn document_base(
    headers: &HeaderMap,
    counter: u64,
    current: &Version,
    log: LogId,
) -> Result<VersionId, Problem> {
    let wanted = wanted_of(headers, current, log)?;
    if let Some(wanted) = wanted
        && wanted.counter != counter
    {
        return Err(Problem::Malformed(format!(
            "the document is based on version {counter}, and `If-Match` on {wanted}"
        )));
    }
    if counter != current.id.counter || wanted.is_some_and(|wanted| wanted != current.id) {
        return Err(Problem::Conflict {
            detail: format!(
                "the document is based on version {counter}, and the item is at version {}",
                current.id.counter
            ),
            current: entry::version(current, log),
        });
    }
    Ok(current.id)
}

fn if_match(headers: &HeaderMap) -> Result<Option<VersionId>, Problem> {
    let Some(value) = headers.get(header::IF_MATCH) else {
        return Ok(None);
    };
    match value.to_str().unwrap_or_default().trim() {
        // Whichever is there (RFC 9110, section 13.1.1).
        "*" => Ok(None),
        text => parse("If-Match", text.trim_matches('"')).map(Some),
    }
}
