//! A node assembled: log, database and blobs opened from one data directory
//! ([`node`]), an HTTP interface over them ([`api`]), and the node's own folders
//! ([`folders`]), started and stopped together by [`Server`].
//!
//! What a command means is `state`'s, what a folder's client does is `sync`'s
//! business. The endpoints are described in `docs/protocol.md`.

pub mod address;
pub mod api;
mod complaints;
pub mod config;
pub mod figures;
mod folder_told;
pub mod folders;
pub mod listen;
pub mod node;
pub mod pool;
pub mod problem;
pub mod scrub;
pub mod security;
mod sessions;
pub mod throttle;
pub mod token;

use address::Endpoint;
use api::Service;
use config::Source;
use figures::Keeper;
use folders::Folders;
use httpd::limit::LimitError;
use httpd::models::{TooFewDescriptors, expect_descriptors, raise_descriptors};
use httpd::tls::{Acceptor, Certificates, Identity, TlsError};
use httpd::yaml::ReadError;
use listen::{Bound, ListenError, Serving};
use node::{DirectoryError, Node, NodeError};
use security::Security;
use std::io::{self, IsTerminal};
use std::net::SocketAddr;
use std::sync::Arc;
use sync::Address;
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// A running node with its listener and folders.
pub struct Server {
    service: Arc<Service>,
    serving: Serving,
    /// Stores the node's own figures.
    figures: Keeper,
    stop: watch::Sender<bool>,
    runtime: Runtime,
    endpoint: Endpoint,
    /// Where it is told what to be, which `HUP` has it read anew.
    source: Source,
    /// What it said at the start about metrics, part of which stays until the next one.
    begun_with: config::Metrics,
    security: Security,
    /// Holds handshakes, if connections are encrypted.
    acceptor: Option<Acceptor>,
    /// Heard from the start on: before that, it would end the process.
    hangup: Signal,
    /// Somebody started it at a terminal, which may go.
    at_terminal: bool,
}

/// Why a server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The listener.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The data directory, its log, database or blobs.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// The certificate.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The configuration cannot be read, or says something that cannot be.
    #[error(transparent)]
    Config(#[from] ReadError),
    /// A limit.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// The process may not open enough files.
    #[error(
        "no more than {} files may be open at once, and a node with a few clients needs {}: \
         allow more (`ulimit -n`)", .0.there, .0.needed
    )]
    Descriptors(TooFewDescriptors),
    /// Threads or signals.
    #[error("cannot start the server: {0}")]
    Io(#[from] io::Error),
}

/// What it says itself is for servers with a choice of workers.
impl From<TooFewDescriptors> for StartError {
    fn from(error: TooFewDescriptors) -> Self {
        Self::Descriptors(error)
    }
}

impl From<DirectoryError> for StartError {
    fn from(error: DirectoryError) -> Self {
        Self::Node(error.into())
    }
}

impl Server {
    /// Opens the node, listens on `listen` as `security` and `source` say and starts
    /// the node's folders.
    ///
    /// # Errors
    /// [`StartError`] names the part that refused and what to do.
    pub fn start(
        settings: &node::Settings,
        listen: SocketAddr,
        security: Security,
        source: Source,
    ) -> Result<Self, StartError> {
        // What is wrong with it is told before anything is made.
        let config = source.read()?;
        let loops = std::thread::available_parallelism().map_or(1, usize::from);
        let own = listen::OWN_DESCRIPTORS + listen::LEAST_FOR_CLIENTS;
        expect_descriptors(loops, loops, own)?;
        let descriptors = raise_descriptors(listen::DESCRIPTORS);
        // The lock comes before the port: a second `up` must find the node, not
        // its port.
        let node = Node::open(&node::Settings {
            metrics: config.metrics.settings(),
            live_copy: config.metrics.live_copy,
            ..settings.clone()
        })?;
        let identity = security.identity(listen, node.data())?;
        let bound = Bound::new(listen, loops)?;
        let endpoint = Endpoint {
            address: bound.address(),
            fingerprint: identity.as_ref().map(Identity::fingerprint),
        };
        let acceptor = identity.map(|identity| Acceptor::new(Certificates::new(identity)));
        let acceptor = acceptor.transpose()?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let hangup = {
            let _inside = runtime.enter();
            signal(SignalKind::hangup())?
        };
        let (stop, stopped) = watch::channel(false);
        let folders = Folders::new(Arc::clone(&node));
        let service = Service::new(Arc::clone(&node), Arc::clone(&folders), stopped.clone())?;
        service.adopt(&config)?;
        service.listens_at(endpoint);
        let router = api::router(Arc::clone(&service));
        let failing = Arc::clone(&node);
        let serving = bound.serve(
            router,
            acceptor.clone(),
            listen::SETTINGS,
            descriptors,
            stopped,
            move |error| {
                failing.fail(&format!("it cannot serve requests any more: {error}"));
            },
        )?;
        node.publish_address(&endpoint.local())?;
        runtime.block_on(folders.start(&endpoint.local()));
        let figures = Keeper::start(Arc::clone(&service))?;
        Ok(Self {
            service,
            serving,
            figures,
            stop,
            runtime,
            endpoint,
            source,
            begun_with: config.metrics,
            security,
            acceptor,
            hangup,
            at_terminal: io::stdin().is_terminal(),
        })
    }

    /// Where it listens.
    pub const fn endpoint(&self) -> Endpoint {
        self.endpoint
    }

    /// Its address as other commands on this machine reach it.
    pub fn address(&self) -> Address {
        self.endpoint.local()
    }

    /// The node.
    pub fn node(&self) -> &Arc<Node> {
        &self.service.node
    }

    /// Waits until SIGINT or SIGTERM asks the process to end, or its terminal goes. At
    /// any other SIGHUP it reads anew what it is told; if that is wrong, everything
    /// stays as it was, and the log says why.
    ///
    /// # Errors
    /// When the node could not go on; the text says why.
    pub fn wait(&mut self) -> Result<(), String> {
        let mut failure = self.service.node.watch_failure();
        let signals = |kind| {
            let _inside = self.runtime.enter();
            signal(kind).map_err(|error| format!("no signals: {error}"))
        };
        let mut interrupt = signals(SignalKind::interrupt())?;
        let mut terminate = signals(SignalKind::terminate())?;
        loop {
            let ends = self.runtime.block_on(async {
                tokio::select! {
                    _ = interrupt.recv() => Ok(true),
                    _ = terminate.recv() => Ok(true),
                    _ = self.hangup.recv() => Ok(false),
                    failed = failure.wait_for(Option::is_some) => {
                        let why = failed.ok().and_then(|why| why.clone());
                        Err(why.unwrap_or_else(|| "the node stopped".to_owned()))
                    }
                }
            })?;
            let has_lost_terminal = self.at_terminal && !io::stdin().is_terminal();
            if ends || has_lost_terminal {
                return Ok(());
            }
            match self.reload() {
                Ok(()) => tracing::info!("the configuration was read anew"),
                Err(error) => tracing::error!("the former configuration stays: {error}"),
            }
        }
    }

    /// Puts in force what the files say now: limits, and the certificate for every
    /// handshake from now on.
    fn reload(&mut self) -> Result<(), StartError> {
        let config = self.source.read()?;
        let (address, node) = (self.endpoint.address, &self.service.node);
        let identity = self.security.identity_now(address, node.data())?;
        let endpoint = Endpoint {
            fingerprint: identity.as_ref().map(Identity::fingerprint),
            ..self.endpoint
        };
        // What may fail comes first: all of it is in force afterwards, or nothing.
        node.publish_address(&endpoint.local())?;
        self.service.adopt(&config)?;
        if let (Some(acceptor), Some(identity)) = (&self.acceptor, identity) {
            acceptor.replace(Certificates::new(identity));
        }
        // Lines to join by name the certificate, and the node's own folders believe it.
        self.service.listens_at(endpoint);
        self.service.folders.listens_at(&endpoint.local());
        self.endpoint = endpoint;
        let waiting = self.begun_with.waiting_for_a_start(&config.metrics);
        if !waiting.is_empty() {
            tracing::warn!(
                "in force from the next start on, and not before: {}",
                waiting.join(", ")
            );
        }
        Ok(())
    }

    /// Stops accepting, lets running requests end, and closes the node.
    pub fn stop(self) {
        self.service.folders.ask_to_stop();
        // Ends the feeds too, at which the folders' clients wait.
        self.stop.send_replace(true);
        self.service.folders.join();
        self.serving.join();
        drop(self.figures);
        self.service.node.close();
    }
}
