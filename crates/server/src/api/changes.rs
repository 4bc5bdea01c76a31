//! The feed of a space from any cursor: one JSON page, server-sent events, or
//! frames; the last two can stay open and wake when something is applied.
//!
//! Every page is read afresh from the database, so a slow follower costs one
//! page of memory and never a queue.

use super::Service;
use super::access::Caller;
use super::body::{self, Gone, Outgoing};
use super::entry;
use super::input::{self, Query};
use crate::problem::Problem;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use base::{Cursor, SpaceId};
use http::{HeaderMap, header};
use serde::Deserialize;
use serde_json::json;
use state::{FeedKind, FeedPage, Role};
use std::sync::Arc;
use std::time::Duration;
use sync::wire::{Frame, MEDIA_TYPE};

/// An open feed says that it lives this often; proxies cut at 30 to 60 s.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Versions read at once for a stream: some 30 KiB, and 1 MiB where all are links
/// with the longest targets. A feed holds a few such pages.
const PAGE_VERSIONS: usize = 250;

#[derive(Deserialize)]
pub struct Which {
    /// Slug or id.
    space: String,
    since: Option<String>,
    limit: Option<usize>,
    /// Present: versions that are no longer current are left out.
    latest: Option<String>,
    /// Present: frames go on after the last.
    follow: Option<String>,
}

/// How a stream is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Events,
    Frames,
}

/// One open feed.
struct Feed {
    service: Arc<Service>,
    caller: Caller,
    space: SpaceId,
    kind: FeedKind,
    form: Form,
    place: (u64, u16),
}

/// `GET /api/changes`
pub async fn changes(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Query(which): Query<Which>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let text = |name| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or("")
    };
    let accept = text(header::ACCEPT);
    let resumed = text(header::HeaderName::from_static("last-event-id"));
    let since = if resumed.is_empty() {
        which.since.as_deref()
    } else {
        Some(resumed)
    };
    let since = input::cursor(since, Cursor::start(service.node.log_id()))?;
    service.node.check_cursor(since)?;
    let name = which.space;
    let space = service
        .node
        .read(move |reader| caller.space(reader, &name, Role::Reader))
        .await?;
    let kind = if which.latest.is_some() {
        FeedKind::Latest
    } else {
        FeedKind::All
    };
    let feed = |form| Feed {
        service: Arc::clone(&service),
        caller,
        space: space.id,
        kind,
        form,
        place: since.place(),
    };
    if accept.contains("text/event-stream") {
        return feed(Form::Events).start(true);
    }
    if accept.contains(MEDIA_TYPE) {
        return feed(Form::Frames).start(which.follow.is_some());
    }
    page(
        &service,
        space.id,
        since,
        input::page_limit(which.limit),
        kind,
    )
    .await
}

async fn page(
    service: &Service,
    space: SpaceId,
    since: Cursor,
    limit: usize,
    kind: FeedKind,
) -> Result<Response, Problem> {
    let log = service.node.log_id();
    let page = service
        .node
        .read(move |reader| Ok(reader.feed(space, since.place(), limit, kind)?))
        .await?;
    let items: Vec<_> = page
        .versions
        .iter()
        .map(|version| entry::version(version, log))
        .collect();
    let next = Cursor {
        log,
        index: page.next.0,
        ordinal: page.next.1,
    };
    let answer = json!({ "items": items, "next": next.to_string(), "more": page.more });
    Ok(axum::Json(answer).into_response())
}

impl Feed {
    fn start(self, follow: bool) -> Result<Response, Problem> {
        let media_type = match self.form {
            Form::Events => "text/event-stream",
            Form::Frames => MEDIA_TYPE,
        };
        let (outgoing, body) = body::stream(None);
        let service = Arc::clone(&self.service);
        service.stream(self.run(outgoing, follow))?;
        Ok(([(header::CONTENT_TYPE, media_type)], Body::new(body)).into_response())
    }

    async fn run(mut self, outgoing: Outgoing, follow: bool) -> Result<(), Gone> {
        let mut applied = self.service.node.watch_applied();
        let service = Arc::clone(&self.service);
        let mut told = None;
        loop {
            let reached = *applied.borrow_and_update();
            self.catch_up(&outgoing, reached, &mut told).await?;
            if !follow {
                return self.end(&outgoing).await;
            }
            tokio::select! {
                changed = applied.changed() => changed.map_err(|_| Gone)?,
                () = tokio::time::sleep(KEEP_ALIVE) => self.keep_alive(&outgoing).await?,
                () = outgoing.closed() => return Err(Gone),
                () = service.stopping() => return Err(Gone),
            }
        }
    }

    /// Sends everything up to entry `reached`, and where that leaves the reader
    /// unless it was `told` so before and nothing came since.
    async fn catch_up(
        &mut self,
        outgoing: &Outgoing,
        reached: u64,
        told: &mut Option<(u64, u16)>,
    ) -> Result<(), Gone> {
        loop {
            let page = self.read_page().await?;
            let (empty, more) = (page.versions.is_empty(), page.more);
            self.place = page.next;
            if !more {
                // Entries of other spaces count as seen.
                self.place = self.place.max((reached, u16::MAX));
            }
            if !empty || more || told.is_none() {
                outgoing.send(self.encode(&page)).await?;
                *told = Some(self.place);
            }
            if !more {
                return Ok(());
            }
        }
    }

    async fn read_page(&self) -> Result<FeedPage, Gone> {
        let (caller, space, place, kind) = (self.caller, self.space, self.place, self.kind);
        let page = self.service.node.read(move |reader| {
            // Whoever lost the right to read sees the feed end.
            caller.space(reader, &space.to_string(), Role::Reader)?;
            Ok(reader.feed(space, place, PAGE_VERSIONS, kind)?)
        });
        page.await.map_err(|problem| {
            tracing::debug!("a feed ended: {problem}");
            Gone
        })
    }

    fn encode(&self, page: &FeedPage) -> Vec<u8> {
        let log = self.service.node.log_id();
        let cursor = Cursor {
            log,
            index: self.place.0,
            ordinal: self.place.1,
        };
        let mut bytes = Vec::new();
        match self.form {
            Form::Frames => {
                for version in &page.versions {
                    Frame::Version(version.encode().into()).encode(&mut bytes);
                }
                Frame::Cursor(cursor).encode(&mut bytes);
            }
            Form::Events => {
                for version in &page.versions {
                    let event = entry::version(version, log);
                    let id = event["cursor"].as_str().unwrap_or_default();
                    bytes.extend_from_slice(format!("id: {id}\ndata: {event}\n\n").as_bytes());
                }
                // An id without data moves the reader's `Last-Event-ID` along.
                bytes.extend_from_slice(format!("id: {cursor}\n\n").as_bytes());
            }
        }
        bytes
    }

    async fn keep_alive(&self, outgoing: &Outgoing) -> Result<(), Gone> {
        let mut bytes = Vec::new();
        match self.form {
            Form::Frames => Frame::KeepAlive.encode(&mut bytes),
            Form::Events => bytes.extend_from_slice(b": alive\n\n"),
        }
        outgoing.send(bytes).await
    }

    async fn end(&self, outgoing: &Outgoing) -> Result<(), Gone> {
        let mut bytes = Vec::new();
        Frame::End.encode(&mut bytes);
        outgoing.send(bytes).await
    }
}
