//! A web server as a program runs it: signals, other programs that take over, and
//! workers, as the model needs them.
//!
//! What this process is, a worker or what people started, is heard from whoever
//! started it ([`crate::models::processes`]). A [`Server`] is all of it but for the
//! processes model, whose workers each have what a server's loop has.

use super::config::{Config, Model};
use super::loaded::{Loaded, LoadedSite};
use super::papers::Papers;
use super::proof::expect_in_force;
use super::server::{
    Loops, Server, WebError, addresses, fingerprint, look_at_log, open_log, provide,
};
use super::source::{Source, hold};
use crate::models::processes::{Load, Master};
use crate::models::processes::{Policy, Program, Role, Service, Worker, role};
use crate::models::{TooFewDescriptors, expect_descriptors};
use crate::tls::Fingerprint;
use rustls::pki_types::UnixTime;
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
    let lines = config.lines.clone();
    let server =
        Server::start_on(config, listeners).map_err(|error| source.placed(&lines, error))?;
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
        let lines = config.lines.clone();
        let reloaded = self.server.reload(config);
        reloaded.map_err(|error| self.source.placed(&lines, error).to_string())
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
    let loaded = expect_servable(&config, &mut Papers::default())
        .map_err(|error| source.placed(&config.lines, error))?;
    let fingerprint = fingerprint(&loaded);
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
            .map_err(|error| source.placed(&next.lines, error).to_string())?;
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
    expect_sound(&config).map_err(|error| source.placed(&config.lines, error))
}

/// Whether `config` can be served, and all of it does what it says: more than a server
/// insists on, which goes on when a certificate runs out.
fn expect_sound(config: &Config) -> Result<(), WebError> {
    let mut papers = Papers::of_onlooker();
    let loaded = Loaded::open(config, &mut papers, None)?;
    expect_in_force(config, &mut papers, UnixTime::now())?;
    let mut sites = loaded.sites.iter();
    sites.try_for_each(LoadedSite::expect_pages)?;
    Ok(look_at_log(config)?)
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

#[cfg(test)]
mod tests {
    use super::{Source, check};
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};
    use std::fs;
    use std::path::Path;

    /// A certificate that ran out long ago, and its key.
    fn write_expired(folder: &Path) {
        let mut parameters = CertificateParams::new(["a.example".to_owned()]).unwrap();
        parameters.not_before = date_time_ymd(2000, 1, 1);
        parameters.not_after = date_time_ymd(2001, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = parameters.self_signed(&key).unwrap();
        fs::write(folder.join("old.pem"), certificate.pem()).unwrap();
        fs::write(folder.join("key.pem"), key.serialize_pem()).unwrap();
    }

    #[test]
    fn a_check_names_what_does_not_do_what_it_says_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let www = folder.path().join("www");
        fs::create_dir(&www).unwrap();
        fs::write(www.join("index.html"), "hello").unwrap();
        write_expired(folder.path());
        let file = folder.path().join("web.yaml");
        let source = Source::File(file.clone());
        let expect = |text: &str, line: u32, part: &str| {
            fs::write(&file, text).unwrap();
            let wrong = check(&source).unwrap_err().to_string();
            let start = format!("{}: line {line}: ", file.display());
            assert!(wrong.starts_with(&start) && wrong.contains(part), "{wrong}");
        };
        let pair = "{certificate: old.pem, key: key.pem}";
        let site = "sites:\n- directory: www\n";
        expect(&format!("{site}  spa: /app.html\n"), 3, "app.html");
        expect(
            &format!("{site}  error-pages:\n    404: /index.html\n    500: /sorry\n"),
            5,
            "sorry",
        );
        expect(
            &format!("tls: {pair}\n{site}"),
            1,
            "expired on Mon, 01 Jan 2001",
        );
        expect(
            &format!("tls: {{self-signed: own.pem}}\n{site}  hosts: [a]\n  tls: {pair}\n"),
            5,
            "expired",
        );
        expect(&format!("{site}- directory: none\n"), 3, "none");
        expect(
            &format!("access-log: {{file: none/log}}\n{site}"),
            1,
            "none/log",
        );
        expect(
            &format!("tls: {{certificate: old.pem,\n  key: none.pem}}\n{site}"),
            2,
            "none.pem",
        );
        let pages = "  spa: /\n  error-pages: {404: /index.html}\n";
        fs::write(&file, format!("{site}{pages}")).unwrap();
        check(&source).unwrap();
    }
}
