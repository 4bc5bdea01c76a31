//! Echo as a program: over any of the four models, until it is told to end.
//!
//! Signals are heard as [`crate::models::processes`] has them, in every model. What
//! an echo is, is in [`super::tcp`], [`super::udp`] and [`super::websocket`].

use super::udp;
use super::websocket::Messages;
use super::{Echo, Settings};
use crate::models::processes::{Master, Policy, Program, Role, Service, role};
use crate::models::{
    ModelName, Patience, Protocol, Strategy, TooFewDescriptors, events, expect_descriptors,
    listeners_for, sequential, threads,
};
use crate::serve::Turn;
use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::rc::Rc;
use std::thread::JoinHandle;
use tokio::sync::watch;

/// How often a free port is drawn until it is free for datagrams as well.
const DRAWS: usize = 16;

/// What the program does.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// Where it listens; with port 0, at a free one.
    pub listen: SocketAddr,
    /// Who serves which connection.
    pub model: ModelName,
    /// Threads, loops or processes; one in the sequential model.
    pub workers: usize,
    /// What comes back.
    pub content: Content,
    /// How patient it is.
    pub settings: Settings,
}

/// What comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Bytes of connections.
    Streams,
    /// Those, and datagrams to the same port.
    StreamsAndDatagrams,
    /// Messages of WebSockets.
    Messages,
}

/// Why the program ended.
#[derive(Debug, thiserror::Error)]
pub enum EchoError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}{}", hint(source))]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// Too few files may be open.
    #[error(transparent)]
    Descriptors(#[from] TooFewDescriptors),
    /// The model cannot begin or go on.
    #[error("echo ended: {0}")]
    Serve(#[from] io::Error),
}

fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => "; another program has it: choose another, or port 0",
        io::ErrorKind::PermissionDenied => "; ports below 1024 are for root: choose another",
        io::ErrorKind::AddrNotAvailable => "; it is no address of this machine",
        _ => "",
    }
}

/// Serves until a signal ends it; `ready` is told where, once it serves. In the
/// processes model the program is started again for each worker, and this function
/// is what every one of them calls.
///
/// # Errors
/// See [`EchoError`].
pub fn run(config: Config, ready: impl FnMut(SocketAddr) + 'static) -> Result<(), EchoError> {
    match config.content {
        Content::Streams | Content::StreamsAndDatagrams => {
            let settings = config.settings;
            run_with(config, ready, move |datagrams| match datagrams {
                Some(socket) => Echo::with_datagrams(settings, socket),
                None => Echo::new(settings),
            })
        }
        Content::Messages => {
            let mut settings = crate::serve::Settings::default();
            settings.timeouts.idle = config.settings.idle;
            settings.timeouts.silence = config.settings.idle;
            run_with(config, ready, move |_| Turn::new(Messages, settings))
        }
    }
}

/// The same with what makes the protocol of each loop, given its datagrams.
fn run_with<P: Protocol>(
    config: Config,
    mut ready: impl FnMut(SocketAddr) + 'static,
    make: impl Fn(Option<UdpSocket>) -> Rc<P> + Send + Sync + 'static,
) -> Result<(), EchoError> {
    expect_descriptors(config.workers, config.listeners(), 0)?;
    match role()? {
        Role::Worker(mut worker) => {
            let datagrams = worker.take_extras().pop().map(UdpSocket::from);
            Ok(worker.run(&make(datagrams), || {})?)
        }
        Role::Master(mut master) => {
            let sockets = Sockets::bind(&config, master.take_listeners())?;
            let address = sockets.streams[0].local_addr()?;
            if config.model == ModelName::Processes {
                return Ok(keep_workers(master, &config, sockets, move || {
                    ready(address);
                })?);
            }
            let alone = master.alone()?;
            let listeners = sockets.streams.iter().map(TcpListener::try_clone);
            let listeners = listeners.collect::<io::Result<_>>()?;
            let mut serving = Serving::start(config, sockets, make)?;
            ready(address);
            alone.run(&mut serving, listeners, Program::itself()?.successor)?;
            Ok(serving.wait()?)
        }
    }
}

/// The processes model, on this thread.
fn keep_workers(
    master: Master,
    config: &Config,
    sockets: Sockets,
    ready: impl FnMut() + 'static,
) -> io::Result<()> {
    let mut program = Program::itself()?;
    program.ready = Box::new(ready);
    // All workers answer the same ones: none is lost with a worker.
    program.extras = sockets.datagrams.into_iter().map(Into::into).collect();
    let policy = Policy::fixed(config.workers);
    master.run(policy, program, |_| Ok(sockets.streams))
}

/// Where the program listens.
struct Sockets {
    /// At least one.
    streams: Vec<TcpListener>,
    datagrams: Option<UdpSocket>,
}

impl Sockets {
    /// `inherited` are those of the program before this one.
    fn bind(config: &Config, inherited: Vec<TcpListener>) -> Result<Self, EchoError> {
        let address = config.listen;
        let is_free = config.content == Content::StreamsAndDatagrams && address.port() == 0;
        let draws = if is_free && inherited.is_empty() {
            DRAWS
        } else {
            1
        };
        let mut bound = Self::try_bind(config, inherited);
        for _ in 1..draws {
            // The port that was drawn for streams may be taken for datagrams.
            if !matches!(&bound, Err(error) if error.kind() == io::ErrorKind::AddrInUse) {
                break;
            }
            bound = Self::try_bind(config, Vec::new());
        }
        bound.map_err(|source| EchoError::Listen { address, source })
    }

    fn try_bind(config: &Config, inherited: Vec<TcpListener>) -> io::Result<Self> {
        let streams = listeners_for(&[config.listen], config.listeners(), inherited);
        let streams = streams.map_err(|(_, error)| error)?;
        let Some(first) = streams.first() else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let datagrams = match config.content {
            Content::StreamsAndDatagrams => Some(UdpSocket::bind(first.local_addr()?)?),
            Content::Streams | Content::Messages => None,
        };
        Ok(Self { streams, datagrams })
    }
}

impl Config {
    /// How many listeners the model wants.
    fn listeners(&self) -> usize {
        match self.model {
            ModelName::Sequential | ModelName::Threads => 1,
            ModelName::Events | ModelName::Processes => Strategy::default().listeners(self.workers),
        }
    }
}

/// A model that runs on threads of this process.
struct Serving {
    stop: watch::Sender<bool>,
    /// Closed when it has ended.
    ended: watch::Receiver<()>,
    thread: JoinHandle<io::Result<()>>,
}

impl Serving {
    fn start<P: Protocol>(
        config: Config,
        sockets: Sockets,
        make: impl Fn(Option<UdpSocket>) -> Rc<P> + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let (stop, stopped) = watch::channel(false);
        let (end, ended) = watch::channel(());
        let thread = std::thread::Builder::new()
            .name("echo".to_owned())
            .spawn(move || {
                let _end = end;
                serve(&config, sockets, make, &stopped)
            })?;
        Ok(Self {
            stop,
            ended,
            thread,
        })
    }

    fn wait(self) -> io::Result<()> {
        let ended = self.thread.join();
        ended.unwrap_or_else(|_| Err(io::Error::other("a worker panicked")))
    }
}

impl Service for Serving {
    fn reload(&mut self) -> Result<(), String> {
        // There is nothing to read.
        Ok(())
    }

    fn reopen_logs(&mut self) {}

    fn drain(&mut self) {
        self.stop.send_replace(true);
    }

    fn ended(&self) -> impl Future<Output = ()> + 'static {
        let mut ended = self.ended.clone();
        async move { while ended.changed().await.is_ok() {} }
    }
}

/// Serves on this thread and those that the model needs, until it is told to stop.
fn serve<P: Protocol>(
    config: &Config,
    sockets: Sockets,
    make: impl Fn(Option<UdpSocket>) -> Rc<P> + Send + Sync + 'static,
    stopped: &watch::Receiver<bool>,
) -> io::Result<()> {
    let Sockets { streams, datagrams } = sockets;
    let stop = || {
        let mut stopped = stopped.clone();
        // A program that is gone wants no more.
        async move { drop(stopped.wait_for(|stop| *stop).await) }
    };
    let workers = config.workers;
    match config.model {
        ModelName::Sequential => {
            let make = move |_| Ok(make(datagrams));
            sequential::run(streams, make, Patience::default(), stop())
        }
        ModelName::Threads => std::thread::scope(|scope| {
            let stop_datagrams = stop();
            // A worker has a loop only while it has a connection.
            let answering =
                datagrams.map(|socket| scope.spawn(|| udp::run(socket, stop_datagrams)));
            let settings = threads::Settings {
                workers,
                ..threads::Settings::default()
            };
            threads::run(streams, move |_| Ok(make(None)), settings, stop())?;
            match answering.map(std::thread::ScopedJoinHandle::join) {
                Some(Ok(Err(error))) => Err(error),
                _ => Ok(()),
            }
        }),
        ModelName::Events => {
            let make = move |_| {
                let datagrams = datagrams.as_ref().map(UdpSocket::try_clone);
                Ok(make(datagrams.transpose()?))
            };
            events::run_all(streams, workers, make, events::Settings::default(), stop())
        }
        ModelName::Processes => Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "one process cannot serve by the processes model",
        )),
    }
}
