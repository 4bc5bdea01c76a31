//! A web server as a program runs it: signals, other programs that take over, and
//! workers, as the model needs them.
//!
//! What this process is, a worker or what people started, is heard from whoever
//! started it ([`crate::models::processes`]). A [`Server`] is all of it but for the
//! processes model, whose workers each have what a server's loop has.

use super::config::{Config, Model};
use super::loaded::Loaded;
use super::papers::Papers;
use super::server::{
    Loops, Server, WebError, addresses, fingerprint, look_at_log, open_log, provide,
};
use super::source::{Source, hold};
use crate::models::processes::{Load, Master};
use crate::models::processes::{Policy, Program, Role, Service, Worker, role};
use crate::models::{TooFewDescriptors, expect_descriptors};
use crate::tls::Fingerprint;
use std::net::SocketAddr;
use std::sync::Arc;

/// What there is to say about a server that serves.
#[derive(Debug, Clone, Copy)]
pub struct Announcement<'a> {
    /// Where it listens.
    pub addresses: &'a [SocketAddr],
    /// Of its certificate, if connections are encrypted.
    pub fingerprint: Option<Fingerprint>,
}

/// Serves what `source` says until it is told to end. `announce` is called once, when
/// connections are served.
///
/// # Errors
/// The configuration is wrong, what it names cannot be opened, or a worker failed.
pub fn run(source: &Source, announce: impl Fn(Announcement<'_>) + 'static) -> Result<(), WebError> {
    // What this process is, it hears by files as well.
    expect_descriptors(0, 0, 0)?;
    let master = match role().map_err(WebError::Role)? {
        Role::Worker(worker) => return work(worker, source),
        Role::Master(master) => master,
    };
    let config = source.read()?;
    // Before anything is made as large as it says.
    config.check()?;
    expect_room(&config)?;
    match config.model {
        Model::Processes(_) => keep_workers(master, source, config, announce),
        Model::Sequential | Model::Threads | Model::Events(_) => {
            serve_alone(master, source, config, announce)
        }
    }
}

/// Refuses to start where fewer files may be open than that takes. Processes have one
/// loop each, and their master a connection to each of them.
fn expect_room(config: &Config) -> Result<(), TooFewDescriptors> {
    let loops = match config.model {
        Model::Sequential => 1,
        Model::Threads | Model::Events(_) | Model::Processes(_) => config.workers,
    };
    let listeners = config.listen.len() * config.model.listeners(config.workers);
    expect_descriptors(loops, listeners, config.sites.len())
}

fn serve_alone(
    mut master: Master,
    source: &Source,
    config: Config,
    announce: impl Fn(Announcement<'_>),
) -> Result<(), WebError> {
    let program = Program::itself().map_err(WebError::Role)?;
    let listeners = provide(&config, master.take_listeners())?;
    let copies = listeners.iter().map(|one| one.try_clone());
    let copies = copies.collect::<Result<_, _>>().map_err(WebError::Role)?;
    // Before anything is served, so that no signal is missed.
    let alone = master.alone().map_err(WebError::Role)?;
    let server = Server::start_on(config, listeners)?;
    announce(Announcement {
        addresses: server.addresses(),
        fingerprint: server.fingerprint(),
    });
    let mut serving = Serving { server, source };
    alone
        .run(&mut serving, copies, program.successor)
        .map_err(WebError::Role)?;
    serving.server.wait()
}

/// A server and where it is told what to be.
struct Serving<'a> {
    server: Server,
    source: &'a Source,
}

impl Service for Serving<'_> {
    fn reload(&mut self) -> Result<(), String> {
        let config = self.source.read().map_err(|error| error.to_string())?;
        self.server
            .reload(config)
            .map_err(|error| error.to_string())
    }

    fn reopen_logs(&mut self) {
        if let Err(error) = self.server.reopen_logs() {
            tracing::error!("{error}");
        }
    }

    fn drain(&mut self) {
        self.server.drain();
    }

    fn ended(&self) -> impl Future<Output = ()> + 'static {
        self.server.ended()
    }
}

fn keep_workers(
    mut master: Master,
    source: &Source,
    config: Config,
    announce: impl Fn(Announcement<'_>) + 'static,
) -> Result<(), WebError> {
    // What is wrong is told here, and not by the first worker.
    let fingerprint = fingerprint(&expect_servable(&config, &mut Papers::default())?);
    let listeners = provide(&config, master.take_listeners())?;
    let addresses = addresses(&listeners).map_err(WebError::Role)?;
    let mut program = Program::itself().map_err(WebError::Role)?;
    program.is_pinned = config.pool.is_pinned;
    program.ready = Box::new(move || {
        announce(Announcement {
            addresses: &addresses,
            fingerprint,
        });
    });
    let policy = policy(&config);
    let source = source.clone();
    program.check = Box::new(move || {
        let (next, text) = source
            .read_for_workers()
            .map_err(|error| error.to_string())?;
        let mut papers = Papers::default();
        let checked = config.expect_same_workers(&next);
        checked
            .and_then(|()| expect_servable(&next, &mut papers).map(drop))
            .map_err(|error| error.to_string())?;
        let papers = hold(&papers.bytes()).map_err(|error| error.to_string())?;
        Ok(vec![text, papers])
    });
    master
        .run(policy, program, |_| Ok(listeners))
        .map_err(WebError::Role)
}

/// Refuses what `source` says if it could not be served. Nothing is made: neither a
/// certificate of its own nor a log.
///
/// # Errors
/// The configuration is wrong, or what it names cannot be opened.
pub fn check(source: &Source) -> Result<(), WebError> {
    let config = source.read()?;
    Loaded::open(&config, &mut Papers::of_onlooker(), None)?;
    Ok(look_at_log(&config)?)
}

/// Whether workers could begin; gives what they will have.
fn expect_servable(config: &Config, papers: &mut Papers) -> Result<Loaded, WebError> {
    let loaded = Loaded::open(config, papers, None)?;
    open_log(config)?;
    Ok(loaded)
}

fn policy(config: &Config) -> Policy {
    let strategy = match config.model {
        Model::Processes(strategy) | Model::Events(strategy) => strategy,
        Model::Sequential | Model::Threads => Policy::default().strategy,
    };
    Policy {
        minimum: config.pool.minimum.unwrap_or(config.workers),
        strategy,
        load: Load::default(),
        recycle: config.pool.recycle,
        ..Policy::fixed(config.workers)
    }
}

/// This process as one of the workers.
fn work(mut worker: Worker, source: &Source) -> Result<(), WebError> {
    let (config, mut papers) = source.read_as(&mut worker)?;
    config.check()?;
    let log = open_log(&config)?.map(Arc::new);
    let loops = Loops::new(&config, &mut papers, log.clone())?;
    let turn = loops
        .make(Some(worker.scoreboard()))
        .map_err(WebError::Worker)?;
    let reopen = || {
        if let Some(Err(error)) = log.as_ref().map(|log| log.reopen()) {
            tracing::error!("{error}");
        }
    };
    worker.run(&turn, reopen).map_err(WebError::Worker)
}
