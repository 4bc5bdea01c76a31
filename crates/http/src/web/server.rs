//! A web server that runs: its listeners, its threads, and how it ends.

use super::config::{Config, ConfigError, Model};
use super::handler::Web;
use super::journal::Journal;
use super::loaded::Shared;
use crate::files::{OptionsError, RootError};
use crate::limit::LimitError;
use crate::log::{Format, Log, LogError, Trouble};
use crate::models::{Patience, events, listeners, sequential, threads};
use crate::serve::{Settings, Turn};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;
use tokio::sync::watch;

/// A web server that runs until it is stopped.
#[derive(Debug)]
pub struct Server {
    config: Config,
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    /// Runs the model, and ends with it.
    serving: JoinHandle<io::Result<()>>,
    /// Closed when it does.
    ended: watch::Receiver<()>,
    log: Option<Arc<Log>>,
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
        config.check()?;
        let log = match &config.access_log {
            Some(log) => Some(Arc::new(Log::open(log.target.clone(), tell_trouble)?)),
            None => None,
        };
        let shared = Arc::new(Shared::new(&config, log.clone())?);
        let listeners = listen(config.listen, config.model.listeners(config.workers))?;
        let address = listeners
            .first()
            .map_or(Ok(config.listen), TcpListener::local_addr)
            .map_err(|source| unable_to_listen(config.listen, source))?;
        let loops = Loops {
            shared: Arc::clone(&shared),
            log: log.clone(),
            format: config.access_log.as_ref().map(|log| log.format),
            settings: Settings {
                timeouts: config.timeouts,
                ..Settings::default()
            },
        };
        let (stop, stopped) = watch::channel(false);
        let (model, workers) = (config.model, config.workers);
        let (end, ended) = watch::channel(());
        let serving = std::thread::Builder::new()
            .name("web".to_owned())
            .spawn(move || {
                let _end = end;
                serve(model, workers, listeners, loops, stopped)
            })
            .map_err(WebError::Worker)?;
        Ok(Self {
            config,
            address,
            shared,
            stop,
            serving,
            ended,
            log,
        })
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

    /// Ends when it serves no more: all connections have ended after
    /// [`Server::drain`], or a worker has failed.
    pub fn ended(&self) -> impl Future<Output = ()> + 'static {
        let mut ended = self.ended.clone();
        async move { while ended.changed().await.is_ok() {} }
    }

    /// Waits until it has ended; the log is complete then.
    ///
    /// # Errors
    /// A worker has failed.
    pub fn wait(self) -> Result<(), WebError> {
        let ended = self.serving.join();
        ended
            .unwrap_or_else(|_| Err(io::Error::other("a worker panicked")))
            .map_err(WebError::Worker)
    }
}

/// What each loop is made from.
struct Loops {
    shared: Arc<Shared>,
    log: Option<Arc<Log>>,
    format: Option<Format>,
    settings: Settings,
}

impl Loops {
    fn make(&self) -> io::Result<Rc<Turn<Web>>> {
        let journal = self
            .log
            .as_ref()
            .map(|log| Journal::new(log.lines(), self.format.unwrap_or_default()));
        let web = Web::new(Arc::clone(&self.shared), journal).map_err(io::Error::other)?;
        Ok(Turn::new(web, self.settings))
    }
}

/// Serves on this thread and those that the model needs, until it is told to stop.
fn serve(
    model: Model,
    workers: usize,
    listeners: Vec<TcpListener>,
    loops: Loops,
    mut stopped: watch::Receiver<bool>,
) -> io::Result<()> {
    let stop = async move {
        // A server that is gone wants no more.
        let _ = stopped.wait_for(|stop| *stop).await;
    };
    let make = move |_| loops.make();
    match model {
        Model::Sequential => sequential::run(listeners, make, Patience::default(), stop),
        Model::Threads => {
            let settings = threads::Settings {
                workers,
                ..threads::Settings::default()
            };
            threads::run(listeners, make, settings, stop)
        }
        Model::Events(strategy) => {
            let settings = events::Settings {
                strategy,
                ..events::Settings::default()
            };
            events::run_all(listeners, workers, make, settings, stop)
        }
    }
}

/// `count` listeners that share an address.
fn listen(address: SocketAddr, count: usize) -> Result<Vec<TcpListener>, WebError> {
    let fails = |source| unable_to_listen(address, source);
    if address.port() != 0 {
        // They would share it with another server of the same user as well; one
        // that does not share finds out.
        drop(TcpListener::bind(address).map_err(fails)?);
    }
    listeners(address, count).map_err(fails)
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
