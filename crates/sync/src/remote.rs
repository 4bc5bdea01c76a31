//! The node as a client sees it: one function for each endpoint.
//!
//! Requests are blocking; whoever wants several at once has threads. Nothing is
//! retried here: [`RemoteError::is_passing`] tells the caller whether trying
//! again can help. The endpoints are described in `docs/protocol.md`.

use crate::address::Address;
use crate::tls::{Secured, TrustError};
use crate::wire::{Decoder, Frame, MEDIA_TYPE, WireError};
use base::{Cursor, DeviceId, Fingerprint, Hash, ItemId, LogId, Slug, SpaceId, VersionId};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::io::Read;
use std::time::Duration;
use store::blob::BlockMap;
use ureq::http::Response;
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{Connector, TcpConnector};
use ureq::{Agent, Body};

/// A node is on this network or it is not: connecting takes no longer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A feed says something every 15 s; two silences in a row are a dead peer.
const READ_TIMEOUT: Duration = Duration::from_secs(40);

/// A node that takes nothing for so long is dead or stuck.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// Read from a socket at once.
const READ_BYTES: usize = 64 * 1024;

/// The longest problem or JSON answer that is read.
const ANSWER_BYTES: u64 = 1 << 20;

/// What a node says of when to ask again is believed up to this: one that is wrong
/// about it, or a proxy, costs a minute.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// How the type of every problem of a node begins.
const PROBLEM: &str = "urn:atoll:problem:";

/// A node, and the right to talk to it.
#[derive(Debug, Clone)]
pub struct Node {
    agent: Agent,
    address: Address,
    token: String,
}

/// What a node says when a client begins.
#[derive(Debug, Clone, Deserialize)]
pub struct Session {
    /// Name of the node, for messages.
    #[serde(default)]
    pub node: String,
    /// The space.
    pub space: SpaceName,
    #[serde(rename = "log")]
    log_text: String,
    #[serde(rename = "cursor")]
    cursor_text: String,
    /// Merkle hash of the whole tree at that cursor.
    pub root_hash: String,
    #[serde(rename = "device")]
    device_text: String,
    /// What this device may do in the space.
    #[serde(default)]
    role: String,
}

/// A space by both its names.
#[derive(Debug, Clone, Deserialize)]
pub struct SpaceName {
    id: serde_json::Value,
    slug: String,
}

/// What a node says when a device registers.
#[derive(Debug, Clone, Deserialize)]
pub struct Registration {
    /// The device's own token, to be kept secret.
    pub token: String,
    /// The space that the invite opened, if it was for one.
    #[serde(default)]
    pub space: Option<SpaceName>,
}

#[derive(Serialize)]
struct Register<'a> {
    token: &'a str,
    name: &'a str,
}

#[derive(Deserialize, Default)]
struct Problem {
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    title: String,
    #[serde(default)]
    detail: String,
}

/// A request that brought no answer, or not the wanted one.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// No answer.
    #[error("node {server} cannot be reached: {reason}")]
    Unreachable {
        /// Its address.
        server: String,
        /// As the operating system or the protocol says.
        reason: String,
    },
    /// Who is there did not prove to be the node.
    #[error("node {server} is not believed: {reason}")]
    Distrusted {
        /// Its address.
        server: String,
        /// What is wrong.
        reason: TrustError,
    },
    /// The answer is a problem.
    #[error(
        "node {server} refused {what} ({status} {kind}): {detail}{again}",
        again = told(*retry_after)
    )]
    Refused {
        /// Its address.
        server: String,
        /// The request.
        what: String,
        /// HTTP status.
        status: u16,
        /// The problem's stable type, without its prefix.
        kind: String,
        /// The node's own words.
        detail: String,
        /// How long it says to wait before asking again, a minute at most.
        retry_after: Option<Duration>,
    },
    /// Something else answers there.
    #[error("{server} does not answer like an atoll node ({status} to {what})")]
    NotANode {
        /// Its address.
        server: String,
        /// The request.
        what: String,
        /// HTTP status.
        status: u16,
    },
    /// The answer is not what the protocol promises.
    #[error("node {server} answered {what} with something else: {reason}")]
    Nonsense {
        /// Its address.
        server: String,
        /// The request.
        what: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl RemoteError {
    /// Why an agent brought no answer from `server`.
    pub fn of(server: &str, error: &ureq::Error) -> Self {
        let server = server.to_owned();
        let distrust = match error {
            ureq::Error::Other(other) => other.downcast_ref::<TrustError>().cloned(),
            _ => None,
        };
        match distrust {
            Some(reason) => Self::Distrusted { server, reason },
            None => Self::Unreachable {
                server,
                reason: error.to_string(),
            },
        }
    }

    /// Whether the same request may succeed later: the node is away, starting,
    /// busy, or out of room.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            // A proxy before a node that is away answers in its own words.
            Self::Refused { status, .. } | Self::NotANode { status, .. } => {
                matches!(status, 408 | 429 | 500 | 502 | 503 | 504 | 507)
            }
            Self::Nonsense { .. } | Self::Distrusted { .. } => false,
        }
    }

    /// How long the node says to wait before asking again, a minute at most.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { retry_after, .. } => *retry_after,
            Self::Unreachable { .. }
            | Self::Distrusted { .. }
            | Self::NotANode { .. }
            | Self::Nonsense { .. } => None,
        }
    }

    /// Whether the node refused with this kind of problem.
    pub fn is_kind(&self, wanted: &str) -> bool {
        matches!(self, Self::Refused { kind, .. } if kind == wanted)
    }

    /// Whether this device may not, or no longer, read the space: a node answers
    /// the removed with 401, and those without a role as if there were no space.
    pub fn is_without_access(&self) -> bool {
        [401, 403, 404]
            .into_iter()
            .any(|status| self.is_status(status))
    }

    /// Whether the node refused with this status.
    pub fn is_status(&self, wanted: u16) -> bool {
        matches!(self, Self::Refused { status, .. } if *status == wanted)
    }
}

impl Session {
    /// The space's id.
    ///
    /// # Errors
    /// A reason when the node sent none.
    pub fn space_id(&self) -> Result<SpaceId, String> {
        self.space.id().ok_or_else(|| "no space id".to_owned())
    }

    /// The device that this client is.
    ///
    /// # Errors
    /// A reason when the node sent none.
    pub fn device(&self) -> Result<DeviceId, String> {
        self.device_text.parse().map_err(|error| format!("{error}"))
    }

    /// Whether this device may only read the space.
    pub fn is_reader(&self) -> bool {
        self.role == "reader"
    }

    /// Where the feed stands.
    ///
    /// # Errors
    /// A reason when the node sent no cursor of its own log.
    pub fn cursor(&self) -> Result<Cursor, String> {
        let log: LogId = self.log_text.parse().map_err(|error| format!("{error}"))?;
        let cursor: Cursor = self
            .cursor_text
            .parse()
            .map_err(|error| format!("{error}"))?;
        if cursor.log == log {
            Ok(cursor)
        } else {
            Err("a cursor of another log".to_owned())
        }
    }
}

impl SpaceName {
    /// The id, sent as a number or as text.
    pub fn id(&self) -> Option<SpaceId> {
        match &self.id {
            serde_json::Value::Number(number) => number.as_u64().and_then(SpaceId::from_u64),
            serde_json::Value::String(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// The slug.
    pub fn slug(&self) -> Option<Slug> {
        Slug::new(&self.slug).ok()
    }
}

/// How a node is spoken to over HTTP: no proxy, no redirects; a status is an
/// answer, not an error. Where it is encrypted, the certificate with `fingerprint`
/// is believed or, without one, any that the web's authorities vouch for. A node
/// that is silent for `silence` while it is awaited is dead; `None` for what may
/// take it any time.
pub fn agent(fingerprint: Option<Fingerprint>, silence: Option<Duration>) -> Agent {
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .proxy(None)
        .timeout_connect(Some(CONNECT_TIMEOUT))
        .timeout_per_read(silence)
        .timeout_per_write(Some(WRITE_TIMEOUT))
        .user_agent("atoll")
        .max_idle_connections_per_host(16)
        .output_buffer_size(READ_BYTES)
        .input_buffer_size(READ_BYTES)
        .build();
    let connector = ().chain(TcpConnector::default()).chain(Secured::new(fingerprint));
    Agent::with_parts(config, connector, DefaultResolver::default())
}

impl Node {
    /// The node at `address`; nothing is sent yet.
    pub fn new(address: Address, token: &str) -> Self {
        Self {
            agent: agent(address.fingerprint(), Some(READ_TIMEOUT)),
            address,
            token: token.to_owned(),
        }
    }

    /// The same node with another token.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self {
            token: token.to_owned(),
            ..self.clone()
        }
    }

    /// Where it is.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Its address as text.
    pub fn server(&self) -> &str {
        self.address.url()
    }

    fn url(&self, what: &str) -> String {
        format!("{}{what}", self.address.url())
    }

    /// Exchanges the token, a join token, for a device's own.
    ///
    /// # Errors
    /// [`RemoteError`].
    pub fn register(&self, device_name: &str) -> Result<Registration, RemoteError> {
        let body = Register {
            token: &self.token,
            name: device_name,
        };
        self.post_json("/api/register", &body, false)
    }

    /// Begins or continues a session on a space.
    ///
    /// # Errors
    /// [`RemoteError`].
    pub fn start(&self, space: &str) -> Result<Session, RemoteError> {
        self.post_json(
            "/api/sync/start",
            &serde_json::json!({ "space": space }),
            true,
        )
    }

    /// Whether `hash` is the content of a version of `item` later than number
    /// `after`, as far back as the node lists in one answer.
    ///
    /// # Errors
    /// [`RemoteError`].
    pub fn has_had(
        &self,
        space: SpaceId,
        item: ItemId,
        after: u64,
        hash: &Hash,
    ) -> Result<bool, RemoteError> {
        let what = format!("/api/spaces/{space}/history?item={item}");
        let history: History = self.get_json(&what)?;
        let hash = hash.to_string();
        Ok(history.items.iter().any(|version| {
            let counter = version
                .version
                .rsplit('.')
                .next()
                .and_then(|text| text.parse().ok());
            counter.is_some_and(|counter: u64| counter > after)
                && version.hash.as_deref() == Some(hash.as_str())
        }))
    }

    /// The feed after `since`, newest versions only; it ends, or follows for
    /// ever.
    ///
    /// # Errors
    /// [`RemoteError`].
    pub fn feed(&self, space: SpaceId, since: Cursor, follow: bool) -> Result<Frames, RemoteError> {
        let follow = if follow { "&follow=1" } else { "" };
        self.get_frames(&format!(
            "/api/changes?space={space}&since={since}&latest=1{follow}"
        ))
    }

    /// Sends frames and returns the answer's.
    ///
    /// # Errors
    /// [`RemoteError`].
    pub fn upload(&self, space: SpaceId, frames: &[u8]) -> Result<Vec<Frame>, RemoteError> {
        let what = format!("/api/file/upload?space={space}");
        let response = self
            .agent
            .post(self.url(&what))
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", MEDIA_TYPE)
            .send(frames)
            .map_err(|error| self.unreachable(&error))?;
        let mut frames = self.frames(self.accept(response, &what)?, what);
        let mut answers = Vec::new();
        while let Some(frame) = frames.next_frame()? {
            answers.push(frame);
        }
        Ok(answers)
    }

    /// The content of small versions, in the order asked for.
    ///
    /// # Errors
    /// [`RemoteError`].
    pub fn contents(&self, space: SpaceId, versions: &[VersionId]) -> Result<Frames, RemoteError> {
        let items: Vec<String> = versions.iter().map(ToString::to_string).collect();
        self.get_frames(&format!(
            "/api/file/download?space={space}&items={}",
            items.join(",")
        ))
    }

    /// The bytes of one version from `start` on.
    ///
    /// # Errors
    /// [`RemoteError`].
    pub fn content(
        &self,
        space: SpaceId,
        version: VersionId,
        start: u64,
    ) -> Result<Box<dyn Read + Send>, RemoteError> {
        let what = format!("/api/file/download?space={space}&version={version}");
        let mut request = self
            .agent
            .get(self.url(&what))
            .header("authorization", format!("Bearer {}", self.token));
        if start > 0 {
            request = request.header("range", format!("bytes={start}-"));
        }
        let response = request.call().map_err(|error| self.unreachable(&error))?;
        let response = self.accept(response, &what)?;
        let wanted = if start > 0 { 206 } else { 200 };
        if response.status() != wanted {
            return Err(self.nonsense(&what, &format!("status {}", response.status())));
        }
        Ok(Box::new(response.into_body().into_reader()))
    }

    /// One version as pieces of another.
    ///
    /// # Errors
    /// [`RemoteError`].
    pub fn delta(
        &self,
        space: SpaceId,
        version: VersionId,
        base: VersionId,
    ) -> Result<Frames, RemoteError> {
        self.get_frames(&format!(
            "/api/file/download?space={space}&version={version}&base={base}"
        ))
    }

    /// The block map of one version.
    ///
    /// # Errors
    /// [`RemoteError`].
    pub fn map(&self, space: SpaceId, version: VersionId) -> Result<BlockMap, RemoteError> {
        let what = format!("/api/file/download?space={space}&version={version}&map=1");
        let mut frames = self.get_frames(&what)?;
        let mut chunks = Vec::new();
        loop {
            match frames.next_frame()? {
                Some(Frame::Map(more)) => chunks.extend(more),
                Some(Frame::End) => {
                    return BlockMap::new(chunks)
                        .map_err(|error| self.nonsense(&what, &error.to_string()));
                }
                _ => return Err(self.nonsense(&what, "no block map")),
            }
        }
    }

    fn get_frames(&self, what: &str) -> Result<Frames, RemoteError> {
        Ok(self.frames(self.get(what, MEDIA_TYPE)?, what.to_owned()))
    }

    fn get_json<T: serde::de::DeserializeOwned>(&self, what: &str) -> Result<T, RemoteError> {
        self.json(self.get(what, "application/json")?, what)
    }

    fn get(&self, what: &str, media_type: &str) -> Result<Response<Body>, RemoteError> {
        let response = self
            .agent
            .get(self.url(what))
            .header("authorization", format!("Bearer {}", self.token))
            .header("accept", media_type)
            .call()
            .map_err(|error| self.unreachable(&error))?;
        self.accept(response, what)
    }

    fn post_json<T: serde::de::DeserializeOwned>(
        &self,
        what: &str,
        body: &impl Serialize,
        authorized: bool,
    ) -> Result<T, RemoteError> {
        let bytes =
            serde_json::to_vec(body).map_err(|error| self.nonsense(what, &error.to_string()))?;
        let mut request = self
            .agent
            .post(self.url(what))
            .header("content-type", "application/json");
        if authorized {
            request = request.header("authorization", format!("Bearer {}", self.token));
        }
        let response = request
            .send(&bytes[..])
            .map_err(|error| self.unreachable(&error))?;
        self.json(self.accept(response, what)?, what)
    }

    fn json<T: serde::de::DeserializeOwned>(
        &self,
        response: Response<Body>,
        what: &str,
    ) -> Result<T, RemoteError> {
        let status = response.status().as_u16();
        let answer = response.into_body().into_reader().take(ANSWER_BYTES);
        serde_json::from_reader(answer).map_err(|error| match error.is_io() {
            true => self.broken_off(&error.into()),
            false => self.not_a_node(what, status),
        })
    }

    fn accept(&self, response: Response<Body>, what: &str) -> Result<Response<Body>, RemoteError> {
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let retry_after = matches!(status.as_u16(), 429 | 503)
            .then(|| response.headers().get("retry-after")?.to_str().ok())
            .flatten()
            .and_then(wait_of);
        let mut text = Vec::new();
        response
            .into_body()
            .into_reader()
            .take(ANSWER_BYTES)
            .read_to_end(&mut text)
            .map_err(|error| self.broken_off(&error))?;
        let problem: Problem = serde_json::from_slice(&text).unwrap_or_default();
        if !problem.kind.starts_with(PROBLEM) {
            return Err(self.not_a_node(what, status.as_u16()));
        }
        let kind = problem
            .kind
            .rsplit([':', '/'])
            .next()
            .unwrap_or_default()
            .to_owned();
        let detail = if problem.detail.is_empty() {
            problem.title
        } else {
            problem.detail
        };
        Err(RemoteError::Refused {
            server: self.server().to_owned(),
            what: what.split('?').next().unwrap_or_default().to_owned(),
            status: status.as_u16(),
            kind,
            detail,
            retry_after,
        })
    }

    fn frames(&self, response: Response<Body>, what: String) -> Frames {
        Frames {
            node: self.clone(),
            what,
            reader: Box::new(response.into_body().into_reader()),
            decoder: Decoder::new(),
            buffer: vec![0; READ_BYTES],
        }
    }

    fn unreachable(&self, error: &ureq::Error) -> RemoteError {
        RemoteError::of(self.server(), error)
    }

    fn broken_off(&self, error: &std::io::Error) -> RemoteError {
        RemoteError::Unreachable {
            server: self.server().to_owned(),
            reason: error.to_string(),
        }
    }

    fn not_a_node(&self, what: &str, status: u16) -> RemoteError {
        RemoteError::NotANode {
            server: self.server().to_owned(),
            what: what.split('?').next().unwrap_or_default().to_owned(),
            status,
        }
    }

    fn nonsense(&self, what: &str, reason: &str) -> RemoteError {
        RemoteError::Nonsense {
            server: self.server().to_owned(),
            what: what.split('?').next().unwrap_or_default().to_owned(),
            reason: reason.to_owned(),
        }
    }
}

/// The wait that a `Retry-After` names in seconds (RFC 9110 section 10.2.3); a date is
/// not understood, nodes send none.
fn wait_of(text: &str) -> Option<Duration> {
    let seconds = text.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(LONGEST_WAIT))
}

/// The end of a message: when to ask again.
fn told(retry_after: Option<Duration>) -> String {
    retry_after.map_or_else(String::new, |wait| {
        format!("; to be asked again in {} s", wait.as_secs())
    })
}

/// The versions of one item, newest first.
#[derive(Deserialize)]
struct History {
    items: Vec<Past>,
}

/// One of them, as far as it matters here.
#[derive(Deserialize)]
struct Past {
    version: String,
    hash: Option<String>,
}

/// Frames as they arrive.
pub struct Frames {
    node: Node,
    what: String,
    reader: Box<dyn Read + Send>,
    decoder: Decoder,
    buffer: Vec<u8>,
}

impl Frames {
    /// The next frame; `None` at the end of the answer.
    ///
    /// # Errors
    /// [`RemoteError`]: the connection broke, or a frame did.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, RemoteError> {
        loop {
            if let Some(frame) = self
                .decoder
                .next_frame()
                .map_err(|error| self.wire(&error))?
            {
                return Ok(Some(frame));
            }
            let read = self
                .reader
                .read(&mut self.buffer)
                .map_err(|error| self.node.broken_off(&error))?;
            if read == 0 {
                self.decoder.end().map_err(|error| self.wire(&error))?;
                return Ok(None);
            }
            let piece = &self.buffer[..read];
            self.decoder.push(Bytes::copy_from_slice(piece));
        }
    }

    fn wire(&self, error: &WireError) -> RemoteError {
        match error {
            // Cut, not wrong: the connection ended early.
            WireError::Cut(_) => RemoteError::Unreachable {
                server: self.node.server().to_owned(),
                reason: error.to_string(),
            },
            _ => self.node.nonsense(&self.what, &error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_that_nodes_tell() {
        let check = |text, expected: Option<u64>| {
            assert_eq!(wait_of(text), expected.map(Duration::from_secs), "{text}");
        };
        check("0", Some(0));
        check(" 2 ", Some(2));
        check("3600", Some(60));
        for text in ["", "-1", "1.5", "Fri, 20 Nov 2026 20:00:00 GMT"] {
            check(text, None);
        }
    }
}
