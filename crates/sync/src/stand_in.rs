//! A node for the tests of this crate: one space in memory, behind a real socket.
//!
//! It commits whatever comes on a current base, remembers who asked for what, and
//! refuses what a test tells it to. It checks no token and keeps nothing.

use crate::observer::{Event, Observer};
use crate::wire::{Decoder, Frame};
use crate::{Mode, Settings, Stop, Strategy, Summary, SyncError};
use base::{Cursor, DeviceId, ItemId, LogId, Name, SpaceId, VersionId};
use meta::{Metadata, Timestamp};
use serde_json::json;
use state::{Base, Change, Commit, Outcome, Parent, Refusal, Version};
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// The device of everyone who asks.
pub const DEVICE: DeviceId = DeviceId::new(3, 0);
/// The device of somebody else.
pub const OTHER: DeviceId = DeviceId::new(4, 0);

/// What was asked.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Path and query.
    pub what: String,
    /// The bearer token, or the one in the body of a registration.
    pub token: String,
    pub body: Vec<u8>,
}

/// What a test says to something, if anything.
pub type Judge<Of, Word> = Box<dyn FnMut(&Of) -> Option<Word> + Send>;

/// The space, and what a test says about it.
pub struct World {
    pub log: u64,
    pub role: &'static str,
    pub asked: Vec<Asked>,
    /// Status and problem with which a request is refused.
    pub refuse: Judge<Asked, (u16, &'static str)>,
    /// What comes of a change instead.
    pub outcome: Judge<Change, Outcome>,
    /// Content frames that came with uploads.
    pub blobs: usize,
    /// Changes that came.
    pub changes: usize,
    versions: Vec<Version>,
    contents: HashMap<VersionId, Vec<u8>>,
}

/// See the module.
pub struct StandIn {
    pub url: String,
    pub world: Arc<Mutex<World>>,
    thread: Option<JoinHandle<()>>,
}

impl StandIn {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let world = Arc::new(Mutex::new(World::new()));
        let shared = Arc::clone(&world);
        let thread = std::thread::spawn(move || {
            let mut serving = Vec::new();
            for stream in listener.incoming() {
                let world = Arc::clone(&shared);
                let mut stream = stream.unwrap();
                let mut first = [0];
                // Only the end of a test sends this.
                if matches!(stream.peek(&mut first), Ok(1)) && first == [b'.'] {
                    break;
                }
                // Who asks may be gone before the answer.
                serving.push(std::thread::spawn(move || drop(serve(&mut stream, &world))));
            }
            serving
                .into_iter()
                .for_each(|thread| thread.join().unwrap());
        });
        Self {
            url: format!("http://{address}"),
            world,
            thread: Some(thread),
        }
    }

    /// The space with whom a test deals.
    pub fn with<T>(&self, act: impl FnOnce(&mut World) -> T) -> T {
        act(&mut self.world.lock().unwrap())
    }

    /// How to sync `dir` with it.
    pub fn settings(&self, dir: &Path, token: Option<&str>) -> Settings {
        Settings {
            dir: dir.to_owned(),
            server: Some(self.url.clone()),
            fingerprint: None,
            space: Some(base::Slug::new("space").unwrap()),
            token: token.map(str::to_owned),
            device_name: "tester".to_owned(),
            strategy: Strategy::KeepBoth,
            joined: false,
        }
    }

    /// Syncs `dir` once.
    pub fn sync(&self, dir: &Path) -> Result<Summary, SyncError> {
        self.sync_in(dir, Mode::Once)
    }

    /// Syncs `dir` in `mode`.
    pub fn sync_in(&self, dir: &Path, mode: Mode) -> Result<Summary, SyncError> {
        let settings = self.settings(dir, Some("dev_a"));
        crate::run(&settings, mode, &Stop::new(), Arc::new(crate::Silent))
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        let address = self.url.trim_start_matches("http://");
        TcpStream::connect(address)
            .unwrap()
            .write_all(b".")
            .unwrap();
        let ended = self.thread.take().unwrap().join();
        assert!(ended.is_ok() || std::thread::panicking());
    }
}

impl World {
    fn new() -> Self {
        let root = ItemId::root_of(space());
        let mut world = Self {
            log: 7,
            role: "editor",
            asked: Vec::new(),
            refuse: Box::new(|_| None),
            outcome: Box::new(|_| None),
            blobs: 0,
            changes: 0,
            versions: Vec::new(),
            contents: HashMap::new(),
        };
        let metadata = Metadata::directory(meta::Mode::DIRECTORY, Timestamp::default());
        let id = VersionId {
            item: root,
            counter: 1,
        };
        world.push(id, root, Version::ROOT_NAME, Some(metadata), OTHER);
        world
    }

    /// Somebody else gives a file; the result is its version.
    pub fn put(&mut self, parent: ItemId, name: &str, content: &[u8]) -> VersionId {
        let hash = base::Hash::of(content);
        let time = Timestamp::new(1_700_000_000, 5).unwrap();
        let size = content.len() as u64;
        let metadata = Metadata::file(hash, size, meta::Mode::FILE, time).unwrap();
        let id = self.put_state(parent, name, metadata);
        self.contents.insert(id, content.to_vec());
        id
    }

    /// Somebody else makes a directory.
    pub fn make(&mut self, parent: ItemId, name: &str) -> ItemId {
        let time = Timestamp::new(1_700_000_000, 7).unwrap();
        let metadata = Metadata::directory(meta::Mode::DIRECTORY, time);
        self.put_state(parent, name, metadata).item
    }

    fn put_state(&mut self, parent: ItemId, name: &str, metadata: Metadata) -> VersionId {
        let standing = self.live(parent, name).map(|version| version.id);
        let id = match standing {
            Some(id) => VersionId {
                counter: id.counter + 1,
                ..id
            },
            None => self.new_item(),
        };
        self.push(id, parent, name, Some(metadata), OTHER);
        id
    }

    /// Somebody else deletes what stands at `name`.
    pub fn delete(&mut self, parent: ItemId, name: &str) {
        let id = self.live(parent, name).unwrap().id;
        let next = VersionId {
            counter: id.counter + 1,
            ..id
        };
        self.push(next, parent, name, None, OTHER);
    }

    /// What stands at `name` of `parent`.
    pub fn live(&self, parent: ItemId, name: &str) -> Option<Version> {
        let mut newest = HashMap::new();
        for version in &self.versions {
            newest.insert(version.id.item, version);
        }
        newest
            .into_values()
            .find(|v| v.state.is_some() && v.parent == parent && v.name.as_str() == name)
            .cloned()
    }

    fn new_item(&self) -> VersionId {
        VersionId {
            item: ItemId::new(self.versions.len() as u64 + 100, 0),
            counter: 1,
        }
    }

    fn push(
        &mut self,
        id: VersionId,
        parent: ItemId,
        name: &str,
        state: Option<Metadata>,
        device: DeviceId,
    ) {
        self.versions.push(Version {
            id,
            parent,
            name: Name::new(name).unwrap(),
            state,
            device,
            time: 0,
            index: self.versions.len() as u64 + 1,
            ordinal: 0,
        });
    }

    fn cursor(&self) -> Cursor {
        Cursor::after(LogId::from_u64(self.log), self.versions.len() as u64)
    }

    fn commit(&mut self, change: &Change) -> Outcome {
        self.changes += 1;
        if let Some(outcome) = (self.outcome)(change) {
            return outcome;
        }
        let newest = |item: ItemId| self.versions.iter().rfind(|v| v.id.item == item).cloned();
        let (base, state) = match change {
            Change::Put { base, metadata, .. } => (base.clone(), Some(metadata.clone())),
            Change::Delete { base } => (Base::Version(*base), None),
            Change::Move { .. } => return Outcome::Refused(Refusal::NoSuchItem),
        };
        let (id, parent, name) = match base {
            Base::Version(base) => match newest(base.item) {
                Some(now) if now.id == base && now.state.is_some() => {
                    let next = VersionId {
                        counter: base.counter + 1,
                        ..base
                    };
                    (next, now.parent, now.name)
                }
                now => {
                    return Outcome::Conflict {
                        current: now.filter(|now| now.state.is_some()),
                    };
                }
            },
            Base::Absent {
                parent: Parent::Item(parent),
                name,
            } => {
                if let Some(current) = self.live(parent, name.as_str()) {
                    return Outcome::Conflict {
                        current: Some(current),
                    };
                }
                (self.new_item(), parent, name)
            }
            Base::Absent { .. } => return Outcome::Refused(Refusal::NoSuchItem),
        };
        self.push(id, parent, name.as_str(), state, DEVICE);
        Outcome::Committed(id)
    }

    fn answer(&mut self, asked: &Asked) -> (u16, Vec<u8>) {
        let (path, query) = asked.what.split_once('?').unwrap_or((&asked.what, ""));
        let value = |key: &str| {
            let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            pairs.find(|(name, _)| *name == key).map(|(_, value)| value)
        };
        let text = |value: serde_json::Value| value.to_string().into_bytes();
        let answer = match path {
            "/api/register" => text(json!({ "token": "dev_new" })),
            "/api/sync/start" => text(json!({
                "node": "stand-in",
                "space": { "id": space().to_string(), "slug": "space" },
                "log": LogId::from_u64(self.log).to_string(),
                "cursor": self.cursor().to_string(),
                "root_hash": "",
                "device": DEVICE.to_string(),
                "role": self.role,
            })),
            "/api/changes" => {
                let since: Cursor = value("since").unwrap().parse().unwrap();
                let news = self.versions.iter().filter(|v| v.place() > since.place());
                let news = news.map(|version| Frame::Version(version.encode().into()));
                encode(news.chain([Frame::Cursor(self.cursor())]))
            }
            "/api/file/download" => encode(value("items").unwrap().split(',').map(|version| {
                let version: VersionId = version.parse().unwrap();
                match self.contents.get(&version) {
                    Some(bytes) => Frame::Content {
                        version,
                        bytes: bytes.clone().into(),
                    },
                    None => Frame::Missing(version),
                }
            })),
            "/api/file/upload" => self.upload(&asked.body),
            path if path.ends_with("/history") => {
                let item: ItemId = value("item").unwrap().parse().unwrap();
                let past = self.versions.iter().rev().filter(|v| v.id.item == item);
                let items: Vec<_> = past
                    .map(|v| {
                        let content = v.state.as_ref().and_then(Metadata::content);
                        let hash = content.map(|(hash, _)| hash.to_string());
                        json!({ "version": v.id.to_string(), "hash": hash })
                    })
                    .collect();
                text(json!({ "items": items }))
            }
            other => panic!("nobody asks for {other}"),
        };
        (200, answer)
    }

    fn upload(&mut self, body: &[u8]) -> Vec<u8> {
        let mut decoder = Decoder::new();
        decoder.push(body.to_vec().into());
        let mut answers = Vec::new();
        while let Some(frame) = decoder.next_frame().unwrap() {
            match frame {
                Frame::Blob { .. } => self.blobs += 1,
                Frame::Commit {
                    sequence, commit, ..
                } => {
                    let changes = Commit::decode(&commit).unwrap().changes;
                    let outcomes: Vec<_> = changes.iter().map(|c| self.commit(c)).collect();
                    answers.push(Frame::Outcomes {
                        sequence,
                        outcomes: state::encode_outcomes(&outcomes).into(),
                        cursor: self.cursor(),
                    });
                }
                other => panic!("not for a stand-in: {other:?}"),
            }
        }
        encode(answers)
    }
}

/// The one space there is.
pub fn space() -> SpaceId {
    SpaceId::new(1, 0)
}

/// Its root.
pub fn root() -> ItemId {
    ItemId::root_of(space())
}

fn encode(frames: impl IntoIterator<Item = Frame>) -> Vec<u8> {
    let mut bytes = Vec::new();
    frames
        .into_iter()
        .for_each(|frame| frame.encode(&mut bytes));
    bytes
}

fn serve(stream: &mut TcpStream, world: &Mutex<World>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let what = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let (mut token, mut length) = (String::new(), 0);
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        match name.to_ascii_lowercase().as_str() {
            "authorization" => token = value.trim_start_matches("Bearer ").to_owned(),
            "content-length" => length = value.parse().unwrap(),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    if what == "/api/register" {
        let registration: serde_json::Value = serde_json::from_slice(&body)?;
        token = registration["token"].as_str().unwrap().to_owned();
    }
    let asked = Asked { what, token, body };
    let (status, answer) = {
        let mut world = world.lock().unwrap();
        world.asked.push(asked.clone());
        match (world.refuse)(&asked) {
            Some((status, kind)) => {
                let problem =
                    json!({ "type": format!("urn:atoll:problem:{kind}"), "detail": "no" });
                (status, problem.to_string().into_bytes())
            }
            None => world.answer(&asked),
        }
    };
    let length = answer.len();
    let again = if status == 429 {
        "retry-after: 0\r\n"
    } else {
        ""
    };
    let head = format!(
        "HTTP/1.1 {status} x\r\nconnection: close\r\n{again}content-length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(&answer)
}

/// Ends the client in the middle of its work, as a kill would, once so many files
/// have come.
pub struct Killer(pub std::sync::atomic::AtomicUsize);

impl Observer for Killer {
    fn event(&self, event: &Event<'_>) {
        if matches!(event, Event::Fetched { .. })
            && self.0.fetch_sub(1, std::sync::atomic::Ordering::SeqCst) == 1
        {
            std::panic::panic_any(Killed);
        }
    }
}

/// What a [`Killer`] ends a client with.
#[derive(Debug)]
pub struct Killed;
