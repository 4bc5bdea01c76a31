//! Uploads: frames in, frames out. Bytes become durable before the commit that
//! names them is proposed, and a commit may name only what this device sent or
//! may read in the space.
//!
//! A stream is read while it arrives. Whole frames are gathered into pieces of
//! about 1 MiB and handed to workers, so a slow client never holds one; a few
//! pieces are under way at a time. The answer is gathered and sent at the end:
//! a client writes its whole request before it reads. Whole files without
//! frames are [`super::plain`]'s.

use super::Service;
use super::access::Caller;
use super::arriving::Arriving;
use super::body::Incoming;
use super::input::{self, Query};
use super::intake::{self, Worked};
use super::maps;
use super::opening::Opening;
use super::plain;
use crate::node::Submitted;
use crate::pool::Running;
use crate::problem::Problem;
use crate::sessions::Traffic;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use base::{Cursor, DeviceId, Hash, Name, SpaceId};
use bytes::Bytes;
use http::header;
use meta::Metadata;
use serde::Deserialize;
use state::{Body, Change, Commit, Reply, Role, encode_outcomes};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use store::blob::{Base, CHUNK_ENCODED_BYTES, MAP_CHUNKS};
use sync::wire::{Decoder, Frame, MEDIA_TYPE};

/// Longest stream of frames in one request: the opening of the largest file is
/// one, 144 MiB when all its chunks are the smallest. A client splits what is
/// more, and loses at most this when a connection drops.
pub const STREAM_BYTES: u64 = 160 << 20;

const _: () = assert!(
    (STREAM_BYTES as usize) > MAP_CHUNKS * CHUNK_ENCODED_BYTES + MAP_CHUNKS,
    "a stream holds the opening of any file"
);

/// Files whose content one request brings, and hashes that it finishes: a client
/// sends some hundred.
const CONTENTS: usize = 65_536;

/// Openings, finishings and commits of one request, and pieces handed to
/// workers: a client sends some hundred.
const STEPS: usize = 16_384;

/// Longest answer of one request, held until its end: one commit whose every
/// change meets a link with the longest target takes 20 MiB.
const ANSWER_BYTES: usize = 32 << 20;

/// Commits of one request that are decided together; a client sends one.
const COMMITS: usize = 8;

/// Frames are gathered to about this many bytes before a worker gets them.
const GATHER_BYTES: usize = 1 << 20;

/// Pieces of one stream that workers may have at once.
const UNDER_WAY: usize = 4;

#[derive(Deserialize)]
pub struct Target {
    /// Slug or id.
    pub space: String,
    /// The rest is for whole files without frames.
    #[serde(flatten)]
    pub plain: plain::Place,
}

/// `POST /api/file/upload`
pub async fn upload(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Query(target): Query<Target>,
    request: Request,
) -> Result<Response, Problem> {
    let _slot = service
        .uploads
        .try_acquire()
        .map_err(|_| Problem::Busy("too many uploads are running"))?;
    let name = target.space;
    let space = service
        .node
        .read(move |reader| caller.space(reader, &name, Role::Editor))
        .await?
        .id;
    let media_type = request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|v| v.to_str().ok());
    match media_type {
        Some(MEDIA_TYPE) => frames(&service, caller.0, space, request).await,
        Some("application/octet-stream") => {
            plain::put(&service, caller.0, space, target.plain, request).await
        }
        _ => Err(Problem::MediaType(format!(
            "send `{MEDIA_TYPE}`, or one file as `application/octet-stream`"
        ))),
    }
}

async fn frames(
    service: &Arc<Service>,
    device: DeviceId,
    space: SpaceId,
    request: Request,
) -> Result<Response, Problem> {
    let mut incoming = Incoming::new(request.into_body(), STREAM_BYTES);
    let mut stream = Stream::new(Arc::clone(service), device, space);
    let answer = stream.run(&mut incoming).await?;
    Ok(([(header::CONTENT_TYPE, MEDIA_TYPE)], answer).into_response())
}

/// One upload stream being read.
struct Stream {
    service: Arc<Service>,
    device: DeviceId,
    space: SpaceId,
    /// Small files gathered for the next worker.
    blobs: Vec<(Hash, Bytes)>,
    /// Chunks gathered for the next worker.
    chunks: Vec<(Hash, u64, Bytes)>,
    /// Files that come whole.
    arriving: Arriving,
    /// Bytes of the stream since a worker got what was gathered: content keeps
    /// what it came in from being given back.
    gathered: usize,
    /// The upload whose runs are still arriving.
    opening: Option<Opening>,
    /// Content this stream brought, with its length: may be committed.
    brought: HashMap<Hash, u64>,
    /// Hashes that were to be finished so far.
    finishing: usize,
    /// What has been started, in the order of its answers.
    steps: Vec<Step>,
    /// The steps before this one are not [`Step::Working`].
    settled: usize,
    /// Where the commits are that have no answer yet.
    committing: VecDeque<usize>,
    /// Bytes of the answers so far.
    answered: usize,
    /// Step after which chunks, openings and finishings may be started: those of
    /// one file must not overtake each other.
    ordered: usize,
    traffic: Traffic,
}

/// A piece of work and its place in the answer.
enum Step {
    Answered(Vec<u8>),
    Working(Running<Result<Worked, Problem>>),
    Committing(u64, Submitted),
}

impl Stream {
    fn new(service: Arc<Service>, device: DeviceId, space: SpaceId) -> Self {
        Self {
            service,
            device,
            space,
            blobs: Vec::new(),
            chunks: Vec::new(),
            arriving: Arriving::default(),
            gathered: 0,
            opening: None,
            brought: HashMap::new(),
            finishing: 0,
            steps: Vec::new(),
            settled: 0,
            committing: VecDeque::new(),
            answered: 0,
            ordered: 0,
            traffic: Traffic::default(),
        }
    }

    /// Reads the stream to its end; the result is the whole answer.
    async fn run(&mut self, incoming: &mut Incoming) -> Result<Vec<u8>, Problem> {
        let mut decoder = Decoder::new();
        while let Some(bytes) = incoming.next().await? {
            self.traffic.up += bytes.len() as u64;
            self.gathered += bytes.len();
            decoder.push(bytes);
            while let Some(frame) = decoder.next_frame()? {
                self.take(frame).await?;
            }
        }
        decoder.end()?;
        if self.opening.is_some() {
            return Err(Problem::Frames(
                "the stream ended before all runs of a file came".to_owned(),
            ));
        }
        if self.arriving.awaits_bytes() {
            return Err(Problem::Frames(
                "the stream ended before all bytes of a file came".to_owned(),
            ));
        }
        self.hand_over().await?;
        self.place_arrived().await?;
        let answer = self.answer().await?;
        self.note_traffic();
        Ok(answer)
    }

    async fn take(&mut self, frame: Frame) -> Result<(), Problem> {
        if self.opening.is_some() && !matches!(frame, Frame::Runs(_)) {
            return Err(Problem::Frames(
                "runs were announced but something else came".to_owned(),
            ));
        }
        if self.arriving.awaits_bytes() && !matches!(frame, Frame::Piece(_)) {
            return Err(Problem::Frames(
                "bytes of a file were announced but something else came".to_owned(),
            ));
        }
        match frame {
            Frame::Blob { hash, bytes } => self.take_blob(hash, bytes).await,
            Frame::Whole { hash, size } => self.take_whole(hash, size).await,
            Frame::Piece(bytes) => {
                self.arriving.go_on(bytes)?;
                self.hand_over_when_full().await
            }
            Frame::Open(open) => {
                self.opening = Some(Opening::begin(open, &self.service.maps)?);
                self.open_when_complete().await
            }
            Frame::Runs(runs) => {
                let Some(opening) = &mut self.opening else {
                    return Err(Problem::Frames(
                        "runs came that no `open` announced".to_owned(),
                    ));
                };
                opening.go_on(runs, &self.service.maps)?;
                self.open_when_complete().await
            }
            Frame::Chunk {
                file,
                offset,
                bytes,
            } => self.take_chunk(file, offset, bytes).await,
            Frame::Finish(files) => self.finish(files).await,
            Frame::Commit {
                stream,
                sequence,
                commit,
            } => self.commit(stream, sequence, &commit).await,
            Frame::KeepAlive => Ok(()),
            _ => Err(Problem::Frames(
                "a frame came that belongs into an answer".to_owned(),
            )),
        }
    }

    async fn take_blob(&mut self, hash: Hash, bytes: Bytes) -> Result<(), Problem> {
        if !self.chunks.is_empty() || !self.arriving.is_empty() {
            self.hand_over().await?;
        }
        self.blobs.push((hash, bytes));
        self.hand_over_when_full().await
    }

    async fn take_chunk(&mut self, file: Hash, offset: u64, bytes: Bytes) -> Result<(), Problem> {
        if !self.blobs.is_empty() || !self.arriving.is_empty() {
            self.hand_over().await?;
        }
        self.chunks.push((file, offset, bytes));
        self.hand_over_when_full().await
    }

    async fn take_whole(&mut self, hash: Hash, size: u64) -> Result<(), Problem> {
        if !self.blobs.is_empty() || !self.chunks.is_empty() {
            self.hand_over().await?;
        }
        if self.arriving.is_full() {
            self.hand_over().await?;
            self.place_arrived().await?;
        }
        self.arriving.begin(hash, size)
    }

    async fn hand_over_when_full(&mut self) -> Result<(), Problem> {
        if self.gathered >= GATHER_BYTES {
            self.hand_over().await
        } else {
            Ok(())
        }
    }

    /// Gives what was gathered to a worker.
    async fn hand_over(&mut self) -> Result<(), Problem> {
        self.gathered = 0;
        let (service, device) = (Arc::clone(&self.service), self.device);
        if !self.blobs.is_empty() {
            let blobs = std::mem::take(&mut self.blobs);
            self.make_room().await?;
            return self.start(move || intake::put_blobs(&service, device, &blobs));
        }
        if !self.chunks.is_empty() {
            let chunks = std::mem::take(&mut self.chunks);
            self.settle(self.ordered).await?;
            self.make_room().await?;
            self.start(move || intake::write_chunks(&service, device, &chunks))?;
            self.ordered = self.steps.len();
        } else if !self.arriving.is_empty() {
            self.settle(self.ordered).await?;
            self.make_room().await?;
            let (parts, desk) = self.arriving.take_parts();
            self.start(move || desk.take(&service, device, parts))?;
            self.ordered = self.steps.len();
        }
        Ok(())
    }

    /// Has the files that came whole put in their places, together.
    async fn place_arrived(&mut self) -> Result<(), Problem> {
        let Some(desk) = self.arriving.take_waiting() else {
            return Ok(());
        };
        let (service, device) = (Arc::clone(&self.service), self.device);
        self.settle(self.ordered).await?;
        self.make_room().await?;
        self.start(move || desk.place(&service, device))?;
        self.ordered = self.steps.len();
        Ok(())
    }

    async fn open_when_complete(&mut self) -> Result<(), Problem> {
        let Some(opening) = self.opening.take_if(|opening| opening.is_complete()) else {
            return Ok(());
        };
        let (open, mut share) = opening.into_parts(&self.service.maps)?;
        self.hand_over().await?;
        let may_have = self.may_read(open.file).await?;
        let base = match open.base {
            Some(hash) if !self.may_read(hash).await? => return Err(Problem::NoBase(hash)),
            Some(hash) => {
                let map = maps::load(&self.service, hash, &mut share).await?;
                Some(Base { hash, map })
            }
            None => None,
        };
        let (service, device) = (Arc::clone(&self.service), self.device);
        self.settle(self.ordered).await?;
        self.make_room().await?;
        self.start(move || {
            let begun = intake::begin(&service, device, &open, base, may_have);
            drop(share);
            begun
        })?;
        self.ordered = self.steps.len();
        Ok(())
    }

    async fn finish(&mut self, files: Vec<Hash>) -> Result<(), Problem> {
        if files.is_empty() {
            return Err(Problem::Frames(
                "a `finish` names no file: leave it out".to_owned(),
            ));
        }
        self.finishing += files.len();
        if self.finishing > CONTENTS {
            return Err(Problem::Frames(format!(
                "more than {CONTENTS} files to finish in one request: send another"
            )));
        }
        self.hand_over().await?;
        let (service, device) = (Arc::clone(&self.service), self.device);
        self.settle(self.ordered).await?;
        self.make_room().await?;
        self.start(move || intake::finish(&service, device, &files))
    }

    async fn commit(&mut self, stream: u64, sequence: u64, bytes: &[u8]) -> Result<(), Problem> {
        if stream == 0 || sequence == 0 {
            return Err(Problem::Malformed(
                "stream and sequence of a commit begin at 1".to_owned(),
            ));
        }
        let commit = Commit::decode(bytes)?;
        if commit.space != self.space {
            return Err(Problem::Malformed(format!(
                "the commit is for space {}, the request for {}",
                commit.space, self.space
            )));
        }
        input::check_not_reserved(commit.changes.iter().filter_map(new_name))?;
        self.hand_over().await?;
        self.place_arrived().await?;
        // Bytes first: what the commit names is durable before it is proposed.
        self.settle(self.steps.len()).await?;
        self.check_content(&commit).await?;
        while self.committing.len() >= COMMITS {
            self.answer_commit().await?;
        }
        let submitted =
            self.service
                .node
                .propose(self.device, stream, sequence, Body::Commit(commit))?;
        self.committing.push_back(self.steps.len());
        self.push(Step::Committing(sequence, submitted))
    }

    /// Refuses a commit of content that this device neither brought nor may read.
    async fn check_content(&self, commit: &Commit) -> Result<(), Problem> {
        let mut unproven = HashMap::new();
        for change in &commit.changes {
            let Some((hash, size)) = content_of(change) else {
                continue;
            };
            match self.brought.get(&hash) {
                Some(&length) => check_size(hash, size, length)?,
                None => drop(unproven.insert(hash, size)),
            }
        }
        if unproven.is_empty() {
            return Ok(());
        }
        let (space, device) = (self.space, self.device);
        let unproven = self
            .service
            .node
            .read(move |reader| {
                let mut asked = Vec::new();
                for (hash, size) in unproven {
                    asked.push((hash, size, reader.hash_in_space(space, &hash)?));
                }
                Ok(asked)
            })
            .await?;
        let service = Arc::clone(&self.service);
        self.service
            .node
            .fetch(move || {
                let (blobs, now) = (service.node.blobs(), service.node.now());
                for (hash, size, in_space) in unproven {
                    let allowed = in_space || blobs.has_lease(device, now, &hash)?;
                    let length = if allowed { blobs.length(&hash)? } else { None };
                    check_size(hash, size, length.ok_or(Problem::UploadAgain(hash))?)?;
                }
                Ok(())
            })
            .await
    }

    /// Whether this device may know that the node has `hash`.
    async fn may_read(&self, hash: Hash) -> Result<bool, Problem> {
        let (space, device) = (self.space, self.device);
        if self
            .service
            .node
            .read(move |reader| Ok(reader.hash_in_space(space, &hash)?))
            .await?
        {
            return Ok(true);
        }
        let service = Arc::clone(&self.service);
        let leased = move || {
            let node = &service.node;
            Ok(node.blobs().has_lease(device, node.now(), &hash)?)
        };
        self.service.node.fetch(leased).await
    }

    fn start(
        &mut self,
        job: impl FnOnce() -> Result<Worked, Problem> + Send + 'static,
    ) -> Result<(), Problem> {
        let running = self.service.node.start_storing(job)?;
        self.push(Step::Working(running))
    }

    fn push(&mut self, step: Step) -> Result<(), Problem> {
        if self.steps.len() >= STEPS {
            return Err(Problem::Frames(format!(
                "more than {STEPS} things to do in one request: send another"
            )));
        }
        self.steps.push(step);
        Ok(())
    }

    /// Waits until few enough pieces are with workers.
    async fn make_room(&mut self) -> Result<(), Problem> {
        let settled = self.settled;
        let working: Vec<usize> = self.steps[settled..]
            .iter()
            .enumerate()
            .filter_map(|(place, step)| matches!(step, Step::Working(_)).then_some(settled + place))
            .collect();
        match working.len().checked_sub(UNDER_WAY) {
            Some(excess) => self.settle(working[excess] + 1).await,
            None => Ok(()),
        }
    }

    /// Waits for the workers of the first `count` steps.
    async fn settle(&mut self, count: usize) -> Result<(), Problem> {
        for place in self.settled..count {
            if !matches!(self.steps[place], Step::Working(_)) {
                continue;
            }
            if let Step::Working(running) = self.take_step(place) {
                let worked = running.wait().await??;
                self.brought.extend(worked.stored);
                if self.brought.len() > CONTENTS {
                    return Err(Problem::Frames(format!(
                        "more than {CONTENTS} files in one request: send another"
                    )));
                }
                self.put_answer(place, worked.answer)?;
            }
        }
        self.settled = self.settled.max(count);
        Ok(())
    }

    /// Waits for the commit that was proposed first.
    async fn answer_commit(&mut self) -> Result<(), Problem> {
        let Some(place) = self.committing.pop_front() else {
            return Ok(());
        };
        if let Step::Committing(sequence, submitted) = self.take_step(place) {
            let mut answer = Vec::new();
            let frame = self.outcomes(sequence, submitted.wait().await?)?;
            frame.encode(&mut answer);
            self.put_answer(place, answer)?;
        }
        Ok(())
    }

    fn take_step(&mut self, place: usize) -> Step {
        std::mem::replace(&mut self.steps[place], Step::Answered(Vec::new()))
    }

    fn put_answer(&mut self, place: usize, answer: Vec<u8>) -> Result<(), Problem> {
        self.answered += answer.len();
        if self.answered > ANSWER_BYTES {
            return Err(Problem::Frames(format!(
                "the answer is longer than {ANSWER_BYTES} bytes: ask in several requests"
            )));
        }
        self.steps[place] = Step::Answered(answer);
        Ok(())
    }

    async fn answer(&mut self) -> Result<Vec<u8>, Problem> {
        self.settle(self.steps.len()).await?;
        while !self.committing.is_empty() {
            self.answer_commit().await?;
        }
        let mut answer = Vec::with_capacity(self.answered);
        for step in std::mem::take(&mut self.steps) {
            if let Step::Answered(bytes) = step {
                answer.extend(bytes);
            }
        }
        Ok(answer)
    }

    fn outcomes(&self, sequence: u64, reply: Reply) -> Result<Frame, Problem> {
        match reply {
            Reply::Commit(outcomes) => {
                let cursor: Cursor = self.service.node.cursor();
                Ok(Frame::Outcomes {
                    sequence,
                    outcomes: encode_outcomes(&outcomes).into(),
                    cursor,
                })
            }
            Reply::Denied(denial) => Err(denial.into()),
            other => Err(Problem::Internal(format!(
                "a commit was answered {other:?}"
            ))),
        }
    }

    fn note_traffic(&self) {
        let node = &self.service.node;
        let files = Traffic {
            up: self.brought.len() as u64,
            down: 0,
        };
        self.service
            .syncs
            .note(self.device, self.space, node.now(), files, self.traffic);
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.arriving.leave(&self.service.node);
    }
}

fn content_of(change: &Change) -> Option<(Hash, u64)> {
    match change {
        Change::Put { metadata, .. } => Metadata::content(metadata),
        Change::Move { .. } | Change::Delete { .. } => None,
    }
}

/// The name that a change gives.
fn new_name(change: &Change) -> Option<&Name> {
    match change {
        Change::Put {
            base: state::Base::Absent { name, .. },
            ..
        }
        | Change::Move { name, .. } => Some(name),
        Change::Put { .. } | Change::Delete { .. } => None,
    }
}

fn check_size(hash: Hash, size: u64, length: u64) -> Result<(), Problem> {
    if size == length {
        return Ok(());
    }
    Err(Problem::Malformed(format!(
        "content {hash} has {length} bytes, not {size}"
    )))
}
