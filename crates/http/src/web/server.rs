//! A web server that runs: its listeners, its threads, and how it ends.

use super::config::{Config, ConfigError};
use super::handler::Web;
use super::journal::Journal;
use super::loaded::Shared;
use crate::files::{OptionsError, RootError};
use crate::limit::LimitError;
use crate::log::{Format, Log, LogError, Trouble};
use crate::models::events;
use crate::serve::Settings;
use rustix::net::sockopt::{set_socket_reuseaddr, set_socket_reuseport};
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use tokio::sync::watch;

/// Connections that may wait to be accepted: a burst of this size loses none.
const BACKLOG: i32 = 4096;

/// A web server that runs until it is stopped.
#[derive(Debug)]
pub struct Server {
    config: Config,
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    threads: Vec<JoinHandle<io::Result<()>>>,
    log: Option<Log>,
}

/// Why a server cannot run as it is told.
#[derive(Debug, thiserror::Error)]
pub enum WebError {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A directory cannot be served.
    #[error(transparent)]
    Root(#[from] RootError),
    /// A limit is wrong.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// A log cannot be written.
    #[error(transparent)]
    Log(#[from] LogError),
    /// An option of a site is wrong.
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}{hint}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
        /// What to do.
        hint: &'static str,
    },
    /// A thread could not be started, or its loop failed.
    #[error("a worker failed: {0}")]
    Worker(io::Error),
    /// What cannot be changed while the server runs.
    #[error("{0} cannot change while the server runs: start it anew")]
    Fixed(&'static str),
}

impl Server {
    /// Starts to serve. When this returns, connections are accepted.
    ///
    /// # Errors
    /// The configuration is wrong, or what it names cannot be opened.
    pub fn start(config: Config) -> Result<Self, WebError> {
        let shared = Arc::new(Shared::new(&config)?);
        let log = match &config.access_log {
            Some(log) => Some(Log::open(log.target.clone(), tell_trouble)?),
            None => None,
        };
        let listeners = listen(config.listen, config.workers)?;
        let address = listeners
            .first()
            .map_or(Ok(config.listen), TcpListener::local_addr)
            .map_err(|source| unable_to_listen(config.listen, source))?;
        let mut server = Self {
            config,
            address,
            shared,
            stop: watch::channel(false).0,
            threads: Vec::new(),
            log,
        };
        for (number, listener) in listeners.into_iter().enumerate() {
            server.start_worker(number, listener)?;
        }
        Ok(server)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Puts another configuration in force, without losing a connection.
    ///
    /// # Errors
    /// The configuration is wrong, or says what only a new start can change; the
    /// former one stays.
    pub fn reload(&mut self, config: Config) -> Result<(), WebError> {
        let fixed = [
            (
                "the address to listen on",
                config.listen != self.config.listen,
            ),
            (
                "the number of workers",
                config.workers != self.config.workers,
            ),
            (
                "the access log",
                config.access_log != self.config.access_log,
            ),
            ("timeouts", config.timeouts != self.config.timeouts),
        ];
        if let Some((what, _)) = fixed.iter().find(|(_, has_changed)| *has_changed) {
            return Err(WebError::Fixed(what));
        }
        self.shared.reload(&config)?;
        self.config = config;
        Ok(())
    }

    /// Opens the log anew, after its file was renamed.
    ///
    /// # Errors
    /// The file cannot be opened; everything goes on going to the old one.
    pub fn reopen_logs(&self) -> Result<(), WebError> {
        match &self.log {
            Some(log) => Ok(log.reopen()?),
            None => Ok(()),
        }
    }

    /// Lets no request begin that has not begun; [`Server::wait`] ends with the
    /// last connection.
    pub fn drain(&self) {
        self.stop.send_replace(true);
    }

    /// Whether a worker has ended, for whatever reason.
    pub fn has_ended(&self) -> bool {
        self.threads.iter().any(JoinHandle::is_finished)
    }

    /// Whether all workers have ended.
    pub fn has_all_ended(&self) -> bool {
        self.threads.iter().all(JoinHandle::is_finished)
    }

    /// Waits until all workers have ended; the log is complete then.
    ///
    /// # Errors
    /// One of them failed.
    pub fn wait(self) -> Result<(), WebError> {
        let Self { threads, stop, .. } = self;
        for thread in threads {
            let ended = thread
                .join()
                .unwrap_or_else(|_| Err(io::Error::other("it panicked")));
            if let Err(error) = ended {
                // The others serve on; alone they are not what was asked for.
                stop.send_replace(true);
                return Err(WebError::Worker(error));
            }
        }
        Ok(())
    }

    fn start_worker(&mut self, number: usize, listener: TcpListener) -> Result<(), WebError> {
        let format = self.config.access_log.as_ref().map(|log| log.format);
        let journal = self
            .log
            .as_ref()
            .map(|log| Journal::new(log.lines(), format.unwrap_or(Format::default())));
        let shared = Arc::clone(&self.shared);
        let settings = Settings {
            timeouts: self.config.timeouts,
            ..Settings::default()
        };
        let mut stopped = self.stop.subscribe();
        let thread = std::thread::Builder::new()
            .name(format!("web {number}"))
            .spawn(move || {
                let web = Web::new(shared, journal).map_err(io::Error::other)?;
                let stop = async move {
                    // A server that is gone wants no more.
                    let _ = stopped.wait_for(|stop| *stop).await;
                };
                events::run(listener, web, settings, stop)
            })
            .map_err(WebError::Worker)?;
        self.threads.push(thread);
        Ok(())
    }
}

/// One listener for each loop, over which the kernel spreads connections.
fn listen(address: SocketAddr, count: usize) -> Result<Vec<TcpListener>, WebError> {
    let fails = |source| unable_to_listen(address, source);
    if address.port() != 0 {
        // Listeners that share a port would share it with another server of the
        // same user as well; one that does not share finds out.
        drop(TcpListener::bind(address).map_err(fails)?);
    }
    let mut at = address;
    let mut listeners = Vec::with_capacity(count);
    for _ in 0..count {
        let listener = listen_shared(at).map_err(fails)?;
        at = listener.local_addr().map_err(fails)?;
        listeners.push(listener);
    }
    Ok(listeners)
}

fn listen_shared(address: SocketAddr) -> io::Result<TcpListener> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let flags = SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
    set_socket_reuseaddr(&socket, true)?;
    set_socket_reuseport(&socket, true)?;
    rustix::net::bind(&socket, &address)?;
    rustix::net::listen(&socket, BACKLOG)?;
    Ok(TcpListener::from(socket))
}

fn unable_to_listen(address: SocketAddr, source: io::Error) -> WebError {
    let hint = match source.kind() {
        io::ErrorKind::AddrInUse => "; another program listens there: choose another port",
        io::ErrorKind::PermissionDenied => {
            "; ports below 1024 need root or CAP_NET_BIND_SERVICE: choose another port"
        }
        io::ErrorKind::AddrNotAvailable => "; no interface of this machine has this address",
        _ => "",
    };
    WebError::Listen {
        address,
        source,
        hint,
    }
}

fn tell_trouble(trouble: Trouble) {
    match trouble {
        Trouble::Dropped(count) => {
            tracing::warn!("{count} records of the access log were dropped: its disk is too slow");
        }
        Trouble::Failed(count, error) => {
            tracing::error!("{count} records of the access log were lost: {error}");
        }
    }
}
