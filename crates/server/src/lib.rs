//! A node assembled: log, database and blobs opened from one data directory
//! ([`node`]), an HTTP interface over them ([`api`]), and the node's own folders
//! ([`folders`]), started and stopped together by [`Server`].
//!
//! What a command means is `state`'s, what a folder's client does is `sync`'s
//! business. The endpoints are described in `docs/protocol.md`.

pub mod address;
pub mod api;
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
use folders::Folders;
use httpd::models::raise_descriptors;
use httpd::tls::{Acceptor, Certificates, Identity, TlsError};
use listen::{Bound, ListenError, Serving};
use node::{DirectoryError, Node, NodeError};
use security::Security;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use sync::Address;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// A running node with its listener and folders.
pub struct Server {
    service: Arc<Service>,
    serving: Serving,
    stop: watch::Sender<bool>,
    runtime: Runtime,
    endpoint: Endpoint,
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
    /// Threads or signals.
    #[error("cannot start the server: {0}")]
    Io(#[from] io::Error),
}

impl From<DirectoryError> for StartError {
    fn from(error: DirectoryError) -> Self {
        Self::Node(error.into())
    }
}

impl Server {
    /// Opens the node, listens on `listen` as `security` says and starts the node's
    /// folders.
    ///
    /// # Errors
    /// [`StartError`] names the part that refused and what to do.
    pub fn start(
        settings: &node::Settings,
        listen: SocketAddr,
        security: &Security,
    ) -> Result<Self, StartError> {
        let descriptors = raise_descriptors(listen::DESCRIPTORS);
        // The lock comes before the port: a second `up` must find the node, not
        // its port.
        let node = Node::open(settings)?;
        let loops = std::thread::available_parallelism().map_or(1, usize::from);
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
        let (stop, stopped) = watch::channel(false);
        let folders = Folders::new(Arc::clone(&node));
        let service = Service::new(Arc::clone(&node), Arc::clone(&folders), stopped.clone());
        service.listens_at(endpoint);
        let router = api::router(Arc::clone(&service));
        let failing = Arc::clone(&node);
        let serving = bound.serve(
            router,
            acceptor,
            listen::SETTINGS,
            descriptors,
            stopped,
            move |error| {
                failing.fail(&format!("it cannot serve requests any more: {error}"));
            },
        )?;
        node.publish_address(&endpoint.local())?;
        runtime.block_on(folders.start(endpoint.local()));
        Ok(Self {
            service,
            serving,
            stop,
            runtime,
            endpoint,
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

    /// Waits until SIGINT or SIGTERM asks the process to end.
    ///
    /// # Errors
    /// When the node could not go on; the text says why.
    pub fn wait(&self) -> Result<(), String> {
        let mut failure = self.service.node.watch_failure();
        self.runtime.block_on(async {
            let signals = |kind| signal(kind).map_err(|error| format!("no signals: {error}"));
            let mut interrupt = signals(SignalKind::interrupt())?;
            let mut terminate = signals(SignalKind::terminate())?;
            tokio::select! {
                _ = interrupt.recv() => Ok(()),
                _ = terminate.recv() => Ok(()),
                failed = failure.wait_for(Option::is_some) => {
                    let why = failed.ok().and_then(|why| why.clone());
                    Err(why.unwrap_or_else(|| "the node stopped".to_owned()))
                }
            }
        })
    }

    /// Stops accepting, lets running requests end, and closes the node.
    pub fn stop(self) {
        self.service.folders.ask_to_stop();
        // Ends the feeds too, at which the folders' clients wait.
        self.stop.send_replace(true);
        self.service.folders.join();
        self.serving.join();
        self.service.node.close();
    }
}
