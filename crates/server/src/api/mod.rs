//! The HTTP interface: one file per group of addresses, all behind one router.
//!
//! The router is a `tower` service; what carries it is [`crate::listen`]'s
//! business. Addresses, frames, limits and errors are listed for clients in
//! `docs/protocol.md`. Start reading at [`router`].

mod accept;
mod access;
mod arriving;
mod body;
mod changes;
mod conflicts;
mod delta;
mod diff;
mod document;
mod download;
mod entry;
mod frontdoor;
mod identities;
mod input;
mod intake;
mod invites;
mod lazy;
mod listing;
mod lookup;
mod maps;
mod metadata;
mod moment;
mod opening;
mod plain;
mod proof;
mod range;
mod register;
mod restore;
mod restore_tree;
mod samples;
mod spaces;
mod status;
mod syncing;
mod tree_edit;
mod upload;
mod web;

pub use access::Caller;
pub use samples::Loopback;
pub use spaces::make as make_space;

use crate::address::Endpoint;
use crate::complaints::Complaints;
use crate::config::Config;
use crate::figures::Latencies;
use crate::folders::Folders;
use crate::node::Node;
use crate::pool::Pool;
use crate::problem::Problem;
use crate::sessions::{Browsers, Syncs};
use crate::throttle::Throttle;
use axum::Router;
use axum::routing::{get, post};
use base::Millis;
use httpd::limit::LimitError;
use std::io;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// Upload streams served at once; each may hold some 8 MiB while it is read.
const UPLOADS: usize = 64;

/// Downloads and feeds served at once; each may hold about 1 MiB.
const STREAMS: usize = 1024;

/// Queries of metrics answered at once: a dashboard asks a dozen, each for some
/// milliseconds of one core.
const QUERIES: usize = 4;

/// Exports at once. Each may take an hour.
const EXPORTS: usize = 4;

/// Exports that may wait: whoever comes after is told to come again.
const EXPORT_QUEUE: usize = 1;

/// Queries that may wait: those of some dashboards that are opened at once.
const QUERY_QUEUE: usize = 256;

/// What every handler may use.
pub struct Service {
    /// The node.
    pub node: Arc<Node>,
    /// Its own folders.
    pub folders: Arc<Folders>,
    /// Browsers signed in.
    browsers: Browsers,
    /// Folders that sync.
    pub(crate) syncs: Syncs,
    /// Who may ask how often.
    pub(crate) throttle: Throttle,
    /// Requests received.
    pub(crate) requests: AtomicU64,
    /// How long they took.
    pub(crate) latencies: Latencies,
    /// Faults that the log was told of.
    complaints: Complaints,
    /// Contents that were asked for and could not be read.
    pub(crate) unreadable: AtomicU64,
    /// Where the node listens; none in tests.
    endpoint: RwLock<Option<Endpoint>>,
    /// Holds true once the node is asked to stop: open streams then end.
    stop: watch::Receiver<bool>,
    /// Devices proving that they hold what the node has.
    proofs: proof::Proofs,
    scrubs: Arc<Semaphore>,
    uploads: Semaphore,
    /// Memory for the block maps of files that are opened or sent.
    maps: maps::MapMemory,
    /// Comparisons that may be read at once.
    comparisons: Semaphore,
    streams: Arc<Semaphore>,
    /// Room for samples that arrive.
    pub(crate) pushes: samples::Pushes,
    /// Threads for queries of metrics.
    queries: Pool<()>,
    /// Threads for exports of metrics, which go as slowly as their readers.
    exports: Pool<()>,
    /// When it was made, in milliseconds since 1970.
    started: Millis,
    /// Queries of metrics that were answered.
    pub(crate) answered: AtomicU64,
    /// What clients on this machine need no token for.
    loopback: RwLock<Loopback>,
    /// Tokens that were looked up.
    identities: identities::Identities,
}

impl Service {
    /// The service of `node`; `stop` ends its open streams.
    ///
    /// # Errors
    /// The operating system gives no threads.
    pub fn new(
        node: Arc<Node>,
        folders: Arc<Folders>,
        stop: watch::Receiver<bool>,
    ) -> io::Result<Arc<Self>> {
        let queries = Pool::start("queries of metrics wait", vec![(); QUERIES], QUERY_QUEUE)?;
        let started = node.now();
        let exports = Pool::start("exports of metrics wait", vec![(); EXPORTS], EXPORT_QUEUE)?;
        Ok(Arc::new(Self {
            node,
            folders,
            browsers: Browsers::default(),
            syncs: Syncs::default(),
            throttle: Throttle::default(),
            requests: AtomicU64::new(0),
            latencies: Latencies::default(),
            complaints: Complaints::default(),
            unreadable: AtomicU64::new(0),
            endpoint: RwLock::default(),
            stop,
            proofs: proof::Proofs::default(),
            scrubs: Arc::new(Semaphore::new(1)),
            uploads: Semaphore::new(UPLOADS),
            maps: maps::MapMemory::default(),
            comparisons: Semaphore::new(diff::COMPARISONS),
            streams: Arc::new(Semaphore::new(STREAMS)),
            pushes: samples::Pushes::default(),
            loopback: RwLock::default(),
            identities: identities::Identities::default(),
            queries,
            exports,
            started,
            answered: AtomicU64::new(0),
        }))
    }

    /// Notes where the node listens, and with which certificate.
    pub fn listens_at(&self, endpoint: Endpoint) {
        *self
            .endpoint
            .write()
            .unwrap_or_else(PoisonError::into_inner) = Some(endpoint);
    }

    /// Where the node listens, once it does.
    fn endpoint(&self) -> Option<Endpoint> {
        *self.endpoint.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts what `config` says in force, for every request from now on.
    ///
    /// # Errors
    /// A limit is out of range.
    pub fn adopt(&self, config: &Config) -> Result<(), LimitError> {
        self.throttle.adopt(&config.limits)?;
        let mut loopback = self
            .loopback
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *loopback = config.metrics.loopback;
        self.node.metrics().set_series_limits(config.metrics.series);
        Ok(())
    }

    /// What clients on this machine need no token for.
    fn loopback(&self) -> Loopback {
        *self.loopback.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns when the node is asked to stop.
    async fn stopping(&self) {
        let mut stop = self.stop.clone();
        // The sender's end means the same.
        let _ = stop.wait_for(|stop| *stop).await;
    }

    /// A place among the streamed answers.
    ///
    /// # Errors
    /// [`Problem::Busy`] when too many answers are streaming.
    fn stream_slot(&self) -> Result<OwnedSemaphorePermit, Problem> {
        Arc::clone(&self.streams)
            .try_acquire_owned()
            .map_err(|_| Problem::Busy("too many downloads are running"))
    }

    /// Runs the sender of a streamed answer beside it, while a slot is free.
    ///
    /// # Errors
    /// [`Problem::Busy`] when too many answers are streaming.
    fn stream(
        &self,
        sender: impl Future<Output = Result<(), body::Gone>> + Send + 'static,
    ) -> Result<(), Problem> {
        let slot = self.stream_slot()?;
        tokio::spawn(async move {
            // A client that has gone needs no answer.
            let _ = sender.await;
            drop(slot);
        });
        Ok(())
    }
}

/// Every address of the node.
pub fn router(service: Arc<Service>) -> Router {
    let api = Router::new()
        .route("/register", post(register::register))
        .route("/sync/start", post(syncing::start))
        .route("/sync/status", get(syncing::status))
        .route("/sync/diff", post(diff::diff))
        .route("/file/upload", post(upload::upload))
        .route("/file/download", get(download::download))
        .route("/changes", get(changes::changes))
        .route("/tree", get(listing::tree))
        .route(
            "/metadata",
            get(metadata::show)
                .put(metadata::replace)
                .delete(metadata::remove),
        )
        .route("/spaces", get(spaces::list).post(spaces::create))
        .route(
            "/spaces/{space}/members",
            get(spaces::members).post(spaces::grant),
        )
        .route("/spaces/{space}/conflicts", get(conflicts::list))
        .route("/spaces/{space}/history", get(listing::history))
        .route("/conflict", post(conflicts::resolve))
        .route("/restore", post(restore::restore))
        .route("/invites", post(invites::invite))
        .route("/folders", post(status::add_folder))
        .route("/scrub", post(status::scrub))
        .route("/status", get(status::status))
        .route("/servers", get(status::servers));
    Router::new()
        .nest("/api", api)
        .merge(samples::router())
        .route("/link", get(web::link_page).post(web::redeem))
        .route("/health", get(status::health))
        .route("/ready", get(status::ready))
        .route("/metrics", get(status::metrics).post(samples::json))
        .route("/", get(web::page))
        .route("/web/{file}", get(web::file))
        .fallback(frontdoor::unknown)
        .method_not_allowed_fallback(frontdoor::wrong_method)
        .layer(axum::middleware::from_fn_with_state(
            Arc::clone(&service),
            frontdoor::pass,
        ))
        .with_state(service)
}
