//! A node in a temporary directory and the requests that tests make of it.

use crate::frames::blob;
use axum::Router;
use axum::body::Body;
use axum::body::Bytes;
use base::{
    Clock, DeviceId, Hash, ItemId, ManualClock, Name, SeededRandom, SpaceId, SystemRandom,
    VersionId,
};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use meta::{Metadata, Mode, Timestamp};
use serde_json::{Value, json};
use server::api::{self, Service};
use server::folders::Folders;
use server::node::{Node, Settings, SnapshotPolicy};
use state::{Base, Change, Commit, Outcome, Parent};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use sync::wire::{Decoder, Frame, MEDIA_TYPE};
use tempfile::TempDir;
use tokio::sync::watch;
use tower::ServiceExt;

/// Where every test's clock begins.
pub const START: u64 = 1_800_000_000_000;

/// A node and its router.
pub struct Site {
    pub node: Arc<Node>,
    pub clock: Arc<ManualClock>,
    pub service: Arc<Service>,
    router: Router,
    sequence: AtomicU64,
    stream: u64,
    _stop: watch::Sender<bool>,
}

/// An answer, read to its end.
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub bytes: Vec<u8>,
}

impl Site {
    /// A node on `data`.
    pub fn open(data: &Path) -> Self {
        Self::set_up(data, |_| ())
    }

    /// A node in a new directory, which goes when it is dropped, and its space `s`.
    pub async fn fresh() -> (TempDir, Self, SpaceId) {
        let data = tempfile::tempdir().unwrap();
        let site = Self::open(data.path());
        let space = site.space("s").await;
        (data, site, space)
    }

    pub fn open_with(data: &Path, snapshots: SnapshotPolicy) -> Self {
        Self::set_up(data, |settings| settings.snapshots = snapshots)
    }

    /// A node on `data` with settings of its own.
    pub fn set_up(data: &Path, change: impl FnOnce(&mut Settings)) -> Self {
        let clock = Arc::new(ManualClock::new(START));
        let mut settings = Settings {
            data: data.to_owned(),
            name: Some("reef".to_owned()),
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            random: Arc::new(SystemRandom),
            snapshots: SnapshotPolicy::default(),
            metrics: Default::default(),
            live_copy: false,
        };
        change(&mut settings);
        let node = Node::open(&settings).unwrap();
        let (stop, stopped) = watch::channel(false);
        let service = Service::new(Arc::clone(&node), Folders::new(Arc::clone(&node)), stopped);
        let service = service.unwrap();
        let stream = base::Random::next_u64(&SystemRandom) | 1;
        let router = api::router(Arc::clone(&service));
        Self {
            node,
            clock,
            service,
            router,
            sequence: AtomicU64::new(0),
            stream,
            _stop: stop,
        }
    }

    pub fn admin(&self) -> String {
        self.node.admin_token().to_owned()
    }

    /// What its listener would serve.
    pub fn router(&self) -> Router {
        self.router.clone()
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes().to_vec();
        Answer {
            status: parts.status,
            headers: parts.headers,
            bytes,
        }
    }

    /// The answer's head at once, its body as it comes.
    pub async fn open_stream(&self, token: &str, path: &str, accept: &str) -> Body {
        let request = request(Method::GET, path, token).header("accept", accept);
        let request = request.body(Body::empty()).unwrap();
        self.router
            .clone()
            .oneshot(request)
            .await
            .unwrap()
            .into_body()
    }

    pub async fn get(&self, token: &str, path: &str) -> Answer {
        self.send(
            request(Method::GET, path, token)
                .body(Body::empty())
                .unwrap(),
        )
        .await
    }

    pub async fn post(&self, token: &str, path: &str, body: Value) -> Answer {
        self.with_json(Method::POST, token, path, body).await
    }

    pub async fn with_json(&self, method: Method, token: &str, path: &str, body: Value) -> Answer {
        let request = request(method, path, token).header("content-type", "application/json");
        self.send(request.body(Body::from(body.to_string())).unwrap())
            .await
    }

    /// Makes a space as the administrator.
    pub async fn space(&self, slug: &str) -> SpaceId {
        let answer = self
            .post(&self.admin(), "/api/spaces", json!({ "slug": slug }))
            .await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text());
        answer.json()["id"].as_str().unwrap().parse().unwrap()
    }

    /// Registers a device with `role` on `space`; the result is its token.
    pub async fn device(&self, space: &str, role: &str) -> String {
        let wanted = json!({ "space": space, "role": role });
        let invite = self
            .post(&self.admin(), "/api/invites", wanted)
            .await
            .json();
        let registration = json!({ "token": invite["token"], "name": "laptop" });
        let answer = self.post("", "/api/register", registration).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text());
        answer.json()["token"].as_str().unwrap().to_owned()
    }

    /// Sends frames to a space.
    pub async fn upload(&self, token: &str, space: SpaceId, frames: &[Frame]) -> Answer {
        let mut body = Vec::new();
        frames.iter().for_each(|frame| frame.encode(&mut body));
        self.upload_bytes(token, space, body).await
    }

    pub async fn upload_bytes(&self, token: &str, space: SpaceId, body: Vec<u8>) -> Answer {
        let request = request(
            Method::POST,
            &format!("/api/file/upload?space={space}"),
            token,
        )
        .header("content-type", MEDIA_TYPE);
        self.send(request.body(Body::from(body)).unwrap()).await
    }

    /// A commit under the next sequence number.
    pub fn commit(&self, space: SpaceId, changes: Vec<Change>) -> Frame {
        let sequence = self.sequence.fetch_add(1, Ordering::SeqCst) + 1;
        Frame::Commit {
            stream: self.stream,
            sequence,
            commit: Commit { space, changes }.encode().into(),
        }
    }

    /// Puts one small file at the root; the result is its version.
    pub async fn put(&self, token: &str, space: SpaceId, name: &str, bytes: &[u8]) -> VersionId {
        let commit = self.commit(space, vec![new_file(space, name, bytes)]);
        let frames = [blob(bytes), commit];
        self.upload(token, space, &frames).await.version()
    }
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|_| panic!("not JSON: {}", self.text()))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    pub fn frames(&self) -> Vec<Frame> {
        let mut decoder = Decoder::new();
        decoder.push(Bytes::copy_from_slice(&self.bytes));
        let mut frames = Vec::new();
        while let Some(frame) = decoder.next_frame().unwrap() {
            frames.push(frame);
        }
        decoder.end().unwrap();
        frames
    }

    /// The outcomes of the only commit.
    pub fn outcomes(&self) -> Vec<Outcome> {
        let frames = self.frames();
        let commits: Vec<_> = frames
            .iter()
            .filter_map(|frame| match frame {
                Frame::Outcomes { outcomes, .. } => Some(outcomes),
                _ => None,
            })
            .collect();
        assert_eq!(commits.len(), 1, "{frames:?}");
        state::decode_outcomes(commits[0]).unwrap()
    }

    /// The version that the only change of the only commit made.
    pub fn version(&self) -> VersionId {
        assert_eq!(self.status, StatusCode::OK, "{}", self.text());
        match self.outcomes().as_slice() {
            [Outcome::Committed(id)] => *id,
            other => panic!("{other:?}"),
        }
    }

    /// Checks that this is a problem answer of that status and name.
    pub fn assert_problem(&self, status: u16, name: &str) {
        assert_eq!(self.status.as_u16(), status, "{}", self.text());
        assert_eq!(self.header("content-type"), "application/problem+json");
        let problem = self.json();
        assert_eq!(
            problem["type"],
            format!("urn:atoll:problem:{name}"),
            "{problem}"
        );
        assert_eq!(problem["status"], status);
        assert!(!problem["detail"].as_str().unwrap().is_empty());
        assert!(!self.header("atoll-cursor").is_empty());
    }
}

pub fn request(method: Method, path: &str, token: &str) -> http::request::Builder {
    let request = Request::builder().method(method).uri(path);
    if token.is_empty() {
        request
    } else {
        request.header("authorization", format!("Bearer {token}"))
    }
}

pub fn file(bytes: &[u8]) -> Metadata {
    let modified = Timestamp::new(1_700_000_000, 5).unwrap();
    Metadata::file(Hash::of(bytes), bytes.len() as u64, Mode::FILE, modified).unwrap()
}

pub fn new_file(space: SpaceId, name: &str, bytes: &[u8]) -> Change {
    let parent = Parent::Item(ItemId::root_of(space));
    let base = Base::Absent {
        parent,
        name: Name::new(name).unwrap(),
    };
    Change::Put {
        base,
        metadata: file(bytes),
        conflict_of: None,
    }
}

/// Bytes that no chunk repeats; the same for the same seed.
pub fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    base::Random::fill(&SeededRandom::new(seed), &mut bytes);
    bytes
}

/// A device that exists nowhere, for ids in wrong places.
pub const NOBODY: DeviceId = DeviceId::new(999, 9);
