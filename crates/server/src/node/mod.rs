//! A node: the log, the database that projects it, and the blobs, opened from
//! one data directory and kept consistent with each other.
//!
//! Commands enter by [`Node::propose`] and are answered once they are durable
//! and applied. Reads go through [`Node::read`], bytes through [`Node::store`]
//! and [`Node::fetch`]. Nothing here knows HTTP: that is [`crate::api`].

mod apply;
mod directory;
mod failure;
mod housekeeping;
mod recovery;
mod snapshots;

use crate::pool::{Pool, Running};
use crate::problem::Problem;
use crate::token;
use apply::{Growth, Progress, Waiters};
use base::{Clock, Cursor, DeviceId, LogId, Millis, Random};
use failure::Failure;
use metrics::database::{Database, LiveCopy, OpenError, Upkeep};
use state::{Body, Command, Reader, Reply, StateError, TokenHash};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;
use store::blob::{BlobError, BlobStore};
use store::fs::RealFileSystem;
use store::log::{EmbeddedLog, Log, LogError, Proposed};
use sync::Address;
use tokio::sync::{oneshot, watch};

pub use directory::{Directory, DirectoryError, Folder, Identity, running_node};

/// Threads that store blobs: enough that many wait for one fsync.
const STORE_THREADS: usize = 16;

/// Threads that fetch blobs: apart from the others, so that readers do not wait
/// for anyone's fsync.
const FETCH_THREADS: usize = 8;

/// Blob jobs that may wait; upload streams hold at most a few each, downloads
/// one.
const BLOB_QUEUE: usize = 1024;

/// Threads that read the database, each with its own connection.
const READ_THREADS: usize = 4;

/// Reads that may wait: some 50 ms of work.
const READ_QUEUE: usize = 1024;

/// The copy of samples as text, in the data directory.
const LIVE_COPY: &str = "metrics.jsonl";

/// How a node is opened.
#[derive(Clone)]
pub struct Settings {
    /// The data directory.
    pub data: PathBuf,
    /// A new name for the node; otherwise the remembered one stays.
    pub name: Option<String>,
    /// Its clock.
    pub clock: Arc<dyn Clock>,
    /// Its source of ids and tokens.
    pub random: Arc<dyn Random>,
    /// When to make a snapshot.
    pub snapshots: SnapshotPolicy,
    /// How samples of metrics are kept.
    pub metrics: metrics::database::Settings,
    /// Whether they are copied into `metrics.jsonl` as they come.
    pub live_copy: bool,
}

pub use recovery::database;
pub use snapshots::Policy as SnapshotPolicy;

/// Why a node cannot open.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The data directory.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// The log.
    #[error("cannot open the log: {0}")]
    Log(#[from] LogError),
    /// The blobs.
    #[error("cannot open the blob store: {0}")]
    Blobs(#[from] BlobError),
    /// The database or its snapshots.
    #[error("cannot open the database: {0}")]
    State(#[from] StateError),
    /// The database cannot be made from what is there.
    #[error("{0}")]
    Recovery(String),
    /// The metrics.
    #[error(transparent)]
    Metrics(#[from] OpenError),
    /// The copy of samples as text.
    #[error("cannot write {path}: {source}")]
    LiveCopy {
        /// Its file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// Threads.
    #[error("cannot start a thread: {0}")]
    Thread(std::io::Error),
}

/// A command on its way through the log.
pub struct Submitted(oneshot::Receiver<Result<Reply, Problem>>);

/// A running node.
pub struct Node {
    identity: Mutex<Identity>,
    directory: Directory,
    log: Arc<EmbeddedLog>,
    blobs: Arc<BlobStore>,
    readers: Pool<Reader>,
    storers: Pool<()>,
    fetchers: Pool<()>,
    metrics: Arc<Database>,
    /// Dropped to end the upkeep of metrics.
    upkeep: Mutex<Option<Upkeep>>,
    /// Ends when the metrics are closed.
    live_copy: Mutex<Option<LiveCopy>>,
    waiters: Arc<Waiters>,
    applied: watch::Receiver<u64>,
    failure: Failure,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    admin_token: String,
    admin_hash: TokenHash,
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// Dropped to end the housekeeping.
    awake: Mutex<Option<mpsc::Sender<()>>>,
}

impl Node {
    /// Opens a data directory and applies what the log holds beyond the
    /// database; blocks until both agree.
    ///
    /// # Errors
    /// [`NodeError`] says which part refused and what to do.
    pub fn open(settings: &Settings) -> Result<Arc<Self>, NodeError> {
        let directory = Directory::open(&settings.data)?;
        let (clock, random) = (Arc::clone(&settings.clock), Arc::clone(&settings.random));
        directory.check_identity()?;
        let files = Arc::new(RealFileSystem);
        let log = EmbeddedLog::open(files.clone(), &directory.path().join("log"), &*random)?;
        let log = Arc::new(log);
        let identity = directory.identity(log.id(), settings.name.as_deref(), &*random)?;
        let admin_token = directory.admin_token(&*random)?;
        let admin_hash = token::hash(&admin_token)
            .ok_or_else(|| NodeError::Recovery("admin-token is too long to be ours".to_owned()))?;
        let blobs = BlobStore::open(
            files,
            &directory.path().join("blobs"),
            &store::blob::Options::default(),
            &*random,
            clock.now(),
        )?;
        let recovered = recovery::open(directory.path(), &*log)?;
        let database = database(directory.path());
        let open_reader = |_| Reader::open(&database);
        let connections = (0..READ_THREADS)
            .map(open_reader)
            .collect::<Result<Vec<_>, _>>()?;
        let readers = Pool::start("database reads wait", connections, READ_QUEUE)
            .map_err(NodeError::Thread)?;
        let threads =
            |name, count| Pool::start(name, vec![(); count], BLOB_QUEUE).map_err(NodeError::Thread);
        let storers = threads("uploads wait for the disk", STORE_THREADS)?;
        let fetchers = threads("downloads wait for the disk", FETCH_THREADS)?;

        let metrics = Database::open(
            Arc::new(RealFileSystem),
            &directory.path().join("metrics"),
            settings.metrics.clone(),
            Arc::clone(&clock),
            &*random,
        )?;
        let upkeep = Upkeep::start(Arc::clone(&metrics)).map_err(NodeError::Thread)?;

        let live_copy = settings.live_copy.then(|| {
            let path = directory.path().join(LIVE_COPY);
            let copy = LiveCopy::start(&metrics, Arc::new(RealFileSystem), &path);
            copy.map_err(|source| NodeError::LiveCopy { path, source })
        });

        let (applied, applied_now) = watch::channel(recovered.projection.applied());
        let failure = Failure::default();
        let (grown, growth) = watch::channel(Growth::default());
        let node = Arc::new(Self {
            identity: Mutex::new(identity),
            waiters: Arc::default(),
            applied: applied_now,
            failure: failure.clone(),
            directory,
            log,
            blobs: Arc::new(blobs),
            readers,
            storers,
            fetchers,
            metrics,
            upkeep: Mutex::new(Some(upkeep)),
            live_copy: Mutex::new(live_copy.transpose()?),
            clock,
            random,
            admin_token,
            admin_hash,
            threads: Mutex::default(),
            awake: Mutex::default(),
        });
        node.start_applying(
            recovered.projection,
            Progress {
                applied,
                failure,
                grown,
            },
        )?;
        node.start_snapshots(growth, recovered.since_snapshot, settings.snapshots)?;
        node.start_housekeeping()?;
        Ok(node)
    }

    /// The id of the log that this node follows.
    pub fn log_id(&self) -> LogId {
        self.log.id()
    }

    /// The data directory.
    pub fn data(&self) -> &Path {
        self.directory.path()
    }

    /// Who this node is, and its folders.
    pub fn identity(&self) -> Identity {
        self.identity
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Remembers a local folder across restarts; a known path gets the new space.
    ///
    /// # Errors
    /// The file system's; the node then remembers what it did before.
    pub fn remember_folder(&self, folder: Folder) -> Result<(), DirectoryError> {
        let mut identity = self.identity.lock().unwrap_or_else(PoisonError::into_inner);
        let mut changed = identity.clone();
        changed.folders.retain(|known| known.path != folder.path);
        changed.folders.push(folder);
        self.directory.save(&changed)?;
        *identity = changed;
        Ok(())
    }

    /// The administrator's token.
    pub fn admin_token(&self) -> &str {
        &self.admin_token
    }

    /// Whether `hash` is that of the administrator's token.
    pub fn is_admin(&self, hash: &TokenHash) -> bool {
        *hash == self.admin_hash
    }

    /// The time now.
    pub fn now(&self) -> Millis {
        self.clock.now()
    }

    /// The node's source of secrets.
    pub fn random(&self) -> &dyn Random {
        &*self.random
    }

    /// The blob store, for reading. Its calls block: use them inside
    /// [`Node::store`] and [`Node::fetch`]; what changes it goes through
    /// [`Node::change_blobs`].
    pub fn blobs(&self) -> &Arc<BlobStore> {
        &self.blobs
    }

    /// The samples of metrics.
    pub const fn metrics(&self) -> &Arc<Database> {
        &self.metrics
    }

    /// The place up to which everything is applied.
    pub fn cursor(&self) -> Cursor {
        Cursor::after(self.log.id(), *self.applied.borrow())
    }

    /// Follows the applied index.
    pub fn watch_applied(&self) -> watch::Receiver<u64> {
        self.applied.clone()
    }

    /// Follows whether the node had to stop, and why.
    pub fn watch_failure(&self) -> watch::Receiver<Option<String>> {
        self.failure.watch()
    }

    /// Notes that the node cannot go on, because of `why`.
    pub fn fail(&self, why: &str) {
        self.failure.set(why);
    }

    /// Index of the last entry in the log.
    pub fn committed(&self) -> u64 {
        self.log.committed()
    }

    /// Proposes a command. Commands of one caller are decided in the order of
    /// these calls; [`Submitted::wait`] tells what came of it.
    ///
    /// # Errors
    /// [`Problem::Malformed`] for a command that must not become bytes.
    pub fn propose(
        &self,
        device: DeviceId,
        stream: u64,
        sequence: u64,
        body: Body,
    ) -> Result<Submitted, Problem> {
        let command = Command {
            device,
            stream,
            sequence,
            time: self.clock.now(),
            body,
        };
        let (answer, reply) = oneshot::channel();
        let waiters = Arc::clone(&self.waiters);
        let done = move |proposed| match index_of(proposed) {
            Ok(index) => waiters.register(index, answer),
            // Nobody listens any more when this send fails.
            Err(problem) => drop(answer.send(Err(problem))),
        };
        self.log.propose(vec![command.encode()?], Box::new(done));
        Ok(Submitted(reply))
    }

    /// Proposes a command that is not repeated, so not deduplicated, and waits
    /// until it is durable and applied.
    ///
    /// # Errors
    /// As [`Node::propose`] and [`Submitted::wait`].
    pub async fn submit_once(&self, device: DeviceId, body: Body) -> Result<Reply, Problem> {
        self.propose(device, 0, 0, body)?.wait().await
    }

    /// Runs a read on one of the database threads.
    ///
    /// # Errors
    /// [`Problem::Busy`] when too many wait, otherwise the job's own.
    pub async fn read<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Reader) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        self.readers.run(job).await?
    }

    /// Stores blobs, or does other work that waits for the disk.
    ///
    /// # Errors
    /// As [`Node::read`].
    pub async fn store<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        self.start_storing(job)?.wait().await?
    }

    /// Calls the blob store for something that changes it, so blocks: use it
    /// inside [`Node::store`]. The node stops when the store takes nothing more.
    ///
    /// # Errors
    /// What the blob store says.
    pub fn change_blobs<T>(
        &self,
        change: impl FnOnce(&BlobStore) -> Result<T, BlobError>,
    ) -> Result<T, Problem> {
        let changed = change(&self.blobs);
        Ok(changed.inspect_err(|error| self.failure.note(error))?)
    }

    /// Begins to store without waiting for it.
    ///
    /// # Errors
    /// [`Problem::Busy`] when too much waits.
    pub fn start_storing<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<Running<T>, Problem> {
        self.storers.submit(move |()| job())
    }

    /// Reads blobs, or looks them up.
    ///
    /// # Errors
    /// As [`Node::read`].
    pub async fn fetch<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        self.fetchers.run(move |()| job()).await?
    }

    /// Waits until `cursor` is applied here.
    ///
    /// # Errors
    /// [`Problem::CursorGone`] for a cursor of another log or beyond this one's
    /// end, [`Problem::Behind`] after `patience`.
    pub async fn reached(&self, cursor: Cursor, patience: Duration) -> Result<(), Problem> {
        self.check_cursor(cursor)?;
        let mut applied = self.applied.clone();
        let reached = applied.wait_for(|applied| *applied >= cursor.index);
        match tokio::time::timeout(patience, reached).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Problem::Behind(cursor.to_string())),
        }
    }

    /// Checks that a cursor can be followed from.
    ///
    /// # Errors
    /// [`Problem::CursorGone`].
    pub fn check_cursor(&self, cursor: Cursor) -> Result<(), Problem> {
        if cursor.log != self.log.id() {
            return Err(Problem::CursorGone(format!(
                "cursor {cursor} is of another log; this one is {}",
                self.log.id()
            )));
        }
        if cursor.index > self.log.committed() {
            return Err(Problem::CursorGone(format!(
                "cursor {cursor} lies beyond this log's end at {}",
                self.log.committed()
            )));
        }
        Ok(())
    }

    /// Publishes where the node listens.
    ///
    /// # Errors
    /// The file system's.
    pub fn publish_address(&self, address: &Address) -> Result<(), DirectoryError> {
        self.directory.publish_address(address)
    }

    /// Ends the node: everything proposed is answered, everything on disk.
    pub fn close(&self) {
        self.directory.withdraw_address();
        self.log.shutdown();
        *self.upkeep.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.metrics.close();
        *self
            .live_copy
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = None;
        *self.awake.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let threads =
            std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            let _ = thread.join();
        }
    }

    fn start_applying(
        &self,
        projection: state::Projection,
        progress: Progress,
    ) -> Result<(), NodeError> {
        let follow = self.log.follow(projection.applied())?;
        let waiters = Arc::clone(&self.waiters);
        self.start_thread("apply", move || {
            apply::run(projection, follow, &waiters, &progress);
        })
    }

    fn start_snapshots(
        &self,
        mut growth: watch::Receiver<Growth>,
        since_snapshot: Growth,
        policy: SnapshotPolicy,
    ) -> Result<(), NodeError> {
        let keeper = snapshots::Keeper {
            data: self.directory.path().to_owned(),
            log: Arc::clone(&self.log) as Arc<dyn Log>,
            policy,
        };
        self.start_thread("snapshots", move || keeper.run(&mut growth, since_snapshot))
    }

    fn start_housekeeping(&self) -> Result<(), NodeError> {
        let (awake, stop) = mpsc::channel();
        *self.awake.lock().unwrap_or_else(PoisonError::into_inner) = Some(awake);
        let (blobs, clock) = (Arc::clone(&self.blobs), Arc::clone(&self.clock));
        self.start_thread("housekeeping", move || {
            housekeeping::run(&blobs, &clock, &stop);
        })
    }

    fn start_thread(
        &self,
        name: &str,
        body: impl FnOnce() + Send + 'static,
    ) -> Result<(), NodeError> {
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(body);
        self.threads
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(thread.map_err(NodeError::Thread)?);
        Ok(())
    }
}

impl Submitted {
    /// The reply, once the command is durable and applied.
    ///
    /// # Errors
    /// [`Problem::Busy`] when the log's queue is full, [`Problem::Unavailable`]
    /// or [`Problem::DiskFull`] when it cannot be written. What the command
    /// itself came to is in the [`Reply`], refusals included.
    pub async fn wait(self) -> Result<Reply, Problem> {
        let gone = |_| Problem::Unavailable("the node is stopping".to_owned());
        self.0.await.map_err(gone)?
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.close();
    }
}

fn index_of(proposed: Result<Proposed, LogError>) -> Result<u64, Problem> {
    match proposed {
        Ok(Proposed::Committed { indexes }) => indexes
            .first()
            .copied()
            .ok_or_else(|| Problem::Internal("the log gave no place to a command".to_owned())),
        Ok(Proposed::NotLeader { .. } | Proposed::Unknown) => Err(Problem::Unavailable(
            "this node does not lead; try again".to_owned(),
        )),
        Err(LogError::Full { .. }) => Err(Problem::Busy("the log's queue is full")),
        Err(error @ LogError::TooLong { limit, .. }) => {
            tracing::debug!("{error}");
            Err(Problem::TooLong(limit as u64))
        }
        Err(LogError::Write { source, path })
            if source.kind() == std::io::ErrorKind::StorageFull =>
        {
            Err(Problem::DiskFull(format!(
                "no space left for {}; free some and try again",
                path.display()
            )))
        }
        Err(error) => Err(Problem::Unavailable(error.to_string())),
    }
}
