//! A web server that runs: its listeners, its threads, and how it ends.

use super::check::ConfigError;
use super::config::{AccessLog, Config, Model};
use super::handler::Web;
use super::journal::Journal;
use super::loaded::{Loaded, Shared};
use super::papers::Papers;
use crate::files::{OptionsError, RootError};
use crate::limit::LimitError;
use crate::log::{Format, Log, LogError, Target, Trouble};
use crate::models::activation::{given_listeners, is_activated};
use crate::models::processes::Scoreboard;
use crate::models::{
    Admission, Patience, Slots, TooFewDescriptors, accept_with_data, events, listeners_for,
    raise_descriptors, sequential, threads,
};
use crate::serve::{Settings, Turn};
use crate::tls::{Fingerprint, TlsError};
use crate::yaml::ReadError;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;
use tokio::sync::watch;

/// A web server that runs until it is stopped.
#[derive(Debug)]
pub struct Server {
    config: Config,
    addresses: Vec<SocketAddr>,
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
    /// A key would be served.
    #[error(
        "the key {} lies in {}, which everybody may read: move it elsewhere",
        .key.display(), .directory.display()
    )]
    Exposed {
        /// The key.
        key: PathBuf,
        /// The directory of the site.
        directory: PathBuf,
    },
    /// A page cannot be sent.
    #[error("cannot answer with {path}: {reason}", path = .path.display())]
    Page {
        /// The page.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A limit is wrong.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// A log cannot be written.
    #[error(transparent)]
    Log(#[from] LogError),
    /// An option of a site is wrong.
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// The server cannot prove who it is.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Too few files may be open.
    #[error(transparent)]
    Descriptors(#[from] TooFewDescriptors),
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
    /// The file that says how to serve is wrong.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Listeners that were given cannot be used, workers cannot be kept, or the server
    /// was told to end at once.
    #[error(transparent)]
    Role(io::Error),
    /// A thread could not be started, or its loop failed.
    #[error("a worker failed: {0}")]
    Worker(io::Error),
    /// What cannot be changed while the server runs.
    #[error("{0} cannot change while the server runs: start it anew, or upgrade it (USR2)")]
    Fixed(&'static str),
}

impl WebError {
    /// What it is about, if that is in the file system.
    pub(super) fn path(&self) -> Option<&Path> {
        match self {
            Self::Root(RootError::Open { path, .. } | RootError::Unsupported { path })
            | Self::Log(LogError::Open { path, .. })
            | Self::Page { path, .. }
            | Self::Exposed { key: path, .. } => Some(path),
            Self::Tls(error) => error.path(),
            _ => None,
        }
    }
}

impl Server {
    /// Starts to serve. When this returns, connections are accepted.
    ///
    /// # Errors
    /// The configuration is wrong, what it names cannot be opened, or its model needs
    /// other processes ([`run`](super::run())).
    pub fn start(config: Config) -> Result<Self, WebError> {
        config.check()?;
        let listeners = provide(&config, Vec::new())?;
        Self::start_on(config, listeners)
    }

    /// The same with these listeners, which [`provide`] gave.
    pub(super) fn start_on(config: Config, listeners: Vec<TcpListener>) -> Result<Self, WebError> {
        config.check()?;
        let log = open_log(&config)?.map(Arc::new);
        let loops = Loops::new(&config, &mut Papers::default(), log.clone())?;
        let shared = Arc::clone(&loops.shared);
        let addresses = addresses(&listeners).map_err(WebError::Role)?;
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
            addresses,
            shared,
            stop,
            serving,
            ended,
            log,
        })
    }

    /// Where it listens.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Of the certificate for clients that ask for no other, if connections are
    /// encrypted.
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        fingerprint(&self.shared.current())
    }

    /// Puts another configuration in force, without losing a connection.
    ///
    /// # Errors
    /// The configuration is wrong, or says what only a new start can change; the
    /// former one stays.
    pub fn reload(&mut self, config: Config) -> Result<(), WebError> {
        self.config.expect_same_workers(&config)?;
        let fixed = [
            (
                "the access log",
                config.access_log != self.config.access_log,
            ),
            ("timeouts", config.timeouts != self.config.timeouts),
            (
                "how many connections there may be",
                config.connections != self.config.connections,
            ),
        ];
        expect_same(&fixed)?;
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

impl Config {
    /// Refuses what no reload can change, whatever the model.
    pub(super) fn expect_same_workers(&self, other: &Self) -> Result<(), WebError> {
        expect_same(&[
            ("the address to listen on", other.listen != self.listen),
            (
                "whether connections are encrypted",
                other.tls.is_some() != self.tls.is_some(),
            ),
            ("the model", other.model != self.model),
            ("the number of workers", other.workers != self.workers),
            (
                "what there is to say about processes",
                other.pool != self.pool,
            ),
        ])
    }
}

fn expect_same(fixed: &[(&'static str, bool)]) -> Result<(), WebError> {
    match fixed.iter().find(|(_, has_changed)| *has_changed) {
        Some((what, _)) => Err(WebError::Fixed(what)),
        None => Ok(()),
    }
}

/// What each loop is made from.
pub(super) struct Loops {
    shared: Arc<Shared>,
    log: Option<Arc<Log>>,
    format: Option<Format>,
    settings: Settings,
    slots: Slots,
}

/// What a loop serves: HTTP for those who have a place.
type Served = Admission<Turn<Web>>;

impl Loops {
    pub(super) fn new(
        config: &Config,
        papers: &mut Papers,
        log: Option<Arc<Log>>,
    ) -> Result<Self, WebError> {
        let wanted = config.connections;
        let bounds = wanted.within(raise_descriptors(wanted.descriptors()));
        if bounds != wanted {
            let total = bounds.total;
            tracing::info!("{total} connections at most: no more files may be open at once");
        }
        let slots = Slots::new(bounds);
        Ok(Self {
            shared: Arc::new(Shared::new(config, papers, log.clone(), slots.clone())?),
            slots,
            log,
            format: config.access_log.as_ref().map(|log| log.format),
            settings: Settings {
                timeouts: config.timeouts,
                ..Settings::default()
            },
        })
    }

    /// A loop; `board` is where all workers are, if they are processes.
    pub(super) fn make(&self, board: Option<Rc<Scoreboard>>) -> io::Result<Rc<Served>> {
        let journal = self
            .log
            .as_ref()
            .map(|log| Journal::new(log.lines(), self.format.unwrap_or_default()));
        let shared = Arc::clone(&self.shared);
        let web = Web::new(shared, journal, board).map_err(io::Error::other)?;
        let turn = match self.shared.acceptor() {
            Some(acceptor) => Turn::secured(web, self.settings, acceptor.clone()),
            None => Turn::new(web, self.settings),
        };
        Ok(Rc::new(Admission::new(turn, &self.slots)))
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
    let make = move |_| loops.make(None);
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
        Model::Processes(_) => Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "one process cannot serve by the processes model",
        )),
    }
}

/// Listeners for `config`: those that a service manager gave, as it gave them, whatever
/// the configuration says; or those of the program before this one, `inherited`, and new
/// ones, which wait for a client's first bytes.
pub(super) fn provide(
    config: &Config,
    inherited: Vec<TcpListener>,
) -> Result<Vec<TcpListener>, WebError> {
    let given = given_listeners().map_err(WebError::Role)?;
    if !given.is_empty() {
        return Ok(given);
    }
    if is_activated() && !inherited.is_empty() {
        return Ok(inherited);
    }
    let each = config.model.listeners(config.workers);
    let listeners = listeners_for(&config.listen, each, inherited)
        .map_err(|(address, source)| unable_to_listen(address, source))?;
    for listener in &listeners {
        // It saves work, and nothing depends on it.
        if let Err(error) = accept_with_data(listener) {
            tracing::debug!("connections are accepted before their clients speak: {error}");
        }
    }
    Ok(listeners)
}

pub(super) fn fingerprint(loaded: &Loaded) -> Option<Fingerprint> {
    let certificates = loaded.certificates.as_ref()?;
    Some(certificates.default_identity().fingerprint())
}

/// Where they listen, each once.
pub(super) fn addresses(listeners: &[TcpListener]) -> io::Result<Vec<SocketAddr>> {
    let mut addresses = Vec::new();
    for listener in listeners {
        let address = listener.local_addr()?;
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    Ok(addresses)
}

pub(super) fn open_log(config: &Config) -> Result<Option<Log>, LogError> {
    let open = |log: &AccessLog| Log::open(log.target.clone(), tell_trouble);
    config.access_log.as_ref().map(open).transpose()
}

/// Refuses a log that cannot be opened, and makes none that is not there.
pub(super) fn look_at_log(config: &Config) -> Result<(), LogError> {
    let target = config.access_log.as_ref().map(|log| &log.target);
    let Some(Target::File(path)) = target else {
        return Ok(());
    };
    if path.exists() {
        return open_log(config).map(drop);
    }
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    std::fs::read_dir(folder)
        .map(drop)
        .map_err(|source| LogError::Open {
            path: path.clone(),
            source,
        })
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
