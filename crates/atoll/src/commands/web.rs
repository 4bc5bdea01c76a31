//! `atoll web`: directories as a web server, from flags or from a file.

use crate::output::{line, told};
use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use httpd::files::{CacheRule, Links, Options};
use httpd::limit::Limit;
use httpd::log::{Format, Target};
use httpd::models::Strategy;
use httpd::web::{AccessLog, Config, Model, Server, SiteConfig};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use tokio::signal::unix::{Signal, SignalKind, signal};

#[derive(clap::Args)]
pub struct Arguments {
    /// Serve what this YAML file says, in place of all other flags
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Only say whether that file says nothing wrong
    #[arg(long, requires = "config")]
    check: bool,
    #[command(flatten)]
    flags: Flags,
}

/// One directory, as flags describe it.
#[derive(clap::Args)]
#[group(id = "flags", multiple = true, conflicts_with = "config")]
struct Flags {
    /// The directory to serve
    #[arg(value_name = "DIR", required_unless_present = "config")]
    directory: Option<PathBuf>,
    /// Address to listen on; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "ADDR")]
    listen: SocketAddr,
    /// Who serves which connection
    #[arg(long, value_enum, default_value_t = ModelName::Events)]
    model: ModelName,
    /// How the events model spreads connections over its workers
    #[arg(long, value_enum, default_value_t = Balance::PerSlot)]
    balance: Balance,
    /// How many workers, unless the model is sequential; as many as there are
    /// cores unless given
    #[arg(long, value_name = "N")]
    workers: Option<usize>,
    /// Write every request to this file; `-` for the standard output
    #[arg(long, value_name = "FILE")]
    access_log: Option<PathBuf>,
    /// How requests are written there
    #[arg(long, value_enum, default_value_t = LogFormat::Combined)]
    log_format: LogFormat,
    /// How often one address may ask, such as "100 per 1s" or "20 per 1s burst 50"
    #[arg(long, value_name = "LIMIT")]
    limit: Option<Limit>,
    /// Show what is in a directory that has no index.html
    #[arg(long)]
    listing: bool,
    /// Serve names that start with a dot
    #[arg(long)]
    hidden: bool,
    /// Where symbolic links may lead
    #[arg(long, value_enum, default_value_t = Follow::Inside)]
    links: Follow,
    /// Answer with this page what is not found, as single-page applications want
    #[arg(long, value_name = "PAGE")]
    spa: Option<String>,
    /// Answer an error with a page of the directory, such as 404=/404.html
    #[arg(long, value_name = "STATUS=PAGE", value_parser = error_page)]
    error_page: Vec<(u16, String)>,
    /// `Cache-Control` of what matches, such as "assets/**=max-age=31536000";
    /// the first that matches counts
    #[arg(long, value_name = "PATTERN=VALUE", value_parser = cache_rule)]
    cache: Vec<CacheRule>,
    /// A header field for every answer with content
    #[arg(long, value_name = "NAME: VALUE", value_parser = header)]
    header: Vec<(String, String)>,
    /// Do not compress texts that have no compressed file beside them
    #[arg(long)]
    no_compress: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum ModelName {
    /// One connection after another
    Sequential,
    /// One thread for each of as many connections as there are workers
    Threads,
    /// One event loop per worker, with any number of connections each
    Events,
}

#[derive(Clone, Copy, ValueEnum)]
enum Balance {
    /// A listener for each worker; the kernel spreads connections
    PerSlot,
    /// One listener; the first worker that is free takes the next connection
    Shared,
    /// The worker with the fewest connections gets the next
    LeastLoaded,
}

#[derive(Clone, Copy, ValueEnum)]
enum LogFormat {
    /// The Common Log Format
    Common,
    /// The same with referer and user agent
    Combined,
    /// One JSON object per line
    Json,
}

#[derive(Clone, Copy, ValueEnum)]
enum Follow {
    /// To what is in the directory
    Inside,
    /// Nowhere
    Never,
    /// Anywhere
    Anywhere,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    if arguments.check {
        arguments.config()?;
        line(format_args!("{}: ok", arguments.what().display()))?;
        return Ok(());
    }
    // Before anything is served, so that no signal is missed.
    let signals = Signals::new()?;
    let server = Server::start(arguments.config()?)?;
    // It serves whether or not anyone reads this.
    let _ = line(format_args!(
        "atoll: http://{}/ is {}",
        server.address(),
        arguments.what().display()
    ));
    signals.serve(server, arguments)
}

impl Arguments {
    /// What they say now: a file may have changed.
    fn config(&self) -> Result<Config> {
        match &self.config {
            Some(file) => Ok(httpd::web::read(file)?),
            None => self.flags.config(),
        }
    }

    /// What is served, in a word.
    fn what(&self) -> &Path {
        let named = self.config.as_deref().or(self.flags.directory.as_deref());
        named.unwrap_or(Path::new(""))
    }
}

impl Flags {
    fn config(&self) -> Result<Config> {
        let directory = self.directory.as_deref().context("name a directory")?;
        expect_directory(directory)?;
        let defaults = Config::default();
        Ok(Config {
            listen: self.listen,
            model: self.model(),
            workers: self.workers.unwrap_or(defaults.workers),
            sites: vec![SiteConfig {
                links: self.links.into(),
                options: self.options(),
                ..SiteConfig::new(directory)
            }],
            access_log: self.access_log.as_deref().map(|path| AccessLog {
                target: target(path),
                format: self.log_format.into(),
            }),
            limit: self.limit,
            ..defaults
        })
    }

    fn model(&self) -> Model {
        match self.model {
            ModelName::Sequential => Model::Sequential,
            ModelName::Threads => Model::Threads,
            ModelName::Events => Model::Events(match self.balance {
                Balance::PerSlot => Strategy::PerSlot,
                Balance::Shared => Strategy::Shared,
                Balance::LeastLoaded => Strategy::LeastLoaded,
            }),
        }
    }

    fn options(&self) -> Options {
        Options {
            listing: self.listing,
            dotfiles: self.hidden,
            compress: !self.no_compress,
            fallback: self.spa.clone(),
            error_pages: self.error_page.clone(),
            cache_rules: self.cache.clone(),
            extra_fields: self.header.clone(),
            ..Options::default()
        }
    }
}

/// Signals that a server hears, from the start.
struct Signals {
    runtime: tokio::runtime::Runtime,
    interrupt: Signal,
    terminate: Signal,
    reload: Signal,
    reopen: Signal,
}

impl Signals {
    fn new() -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("cannot listen for signals")?;
        let listen = |kind| {
            let _inside = runtime.enter();
            signal(kind).context("cannot listen for signals")
        };
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            reload: listen(SignalKind::hangup())?,
            reopen: listen(SignalKind::user_defined1())?,
            runtime,
        })
    }

    /// Does what signals ask for, until the server has ended: because one asked to,
    /// or because a worker failed. What is under way has the time that the models
    /// give it; a second signal to stop gives it none.
    fn serve(mut self, mut server: Server, arguments: &Arguments) -> Result<()> {
        self.runtime.block_on(async {
            let mut ended = std::pin::pin!(server.ended());
            let mut is_draining = false;
            loop {
                let asked = tokio::select! {
                    _ = self.interrupt.recv() => Asked::Stop,
                    _ = self.terminate.recv() => Asked::Stop,
                    _ = self.reload.recv() => Asked::Reload,
                    _ = self.reopen.recv() => Asked::Reopen,
                    () = &mut ended => return,
                };
                match asked {
                    Asked::Reload => reload(&mut server, arguments),
                    Asked::Reopen => reopen(&server),
                    Asked::Stop if is_draining => std::process::exit(1),
                    Asked::Stop => {
                        is_draining = true;
                        server.drain();
                    }
                }
            }
        });
        Ok(server.wait()?)
    }
}

/// What a signal asks for.
enum Asked {
    Stop,
    Reload,
    Reopen,
}

/// What is wrong changes nothing.
fn reload(server: &mut Server, arguments: &Arguments) {
    let reloaded = arguments
        .config()
        .and_then(|config| Ok(server.reload(config)?));
    match reloaded {
        Ok(()) => tracing::info!("the configuration has been read anew"),
        Err(error) => tracing::error!("the former configuration stays: {}", told(&error)),
    }
}

fn reopen(server: &Server) {
    if let Err(error) = server.reopen_logs() {
        tracing::error!("{error}");
    }
}

/// What opening it would say less clearly.
fn expect_directory(path: &Path) -> Result<()> {
    let facts =
        std::fs::metadata(path).with_context(|| format!("cannot serve {}", path.display()))?;
    if !facts.is_dir() {
        bail!(
            "cannot serve {}: it is not a directory; name the one that it is in",
            path.display()
        );
    }
    Ok(())
}

fn target(path: &Path) -> Target {
    match path.as_os_str() == "-" {
        true => Target::Stdout,
        false => Target::File(path.to_owned()),
    }
}

fn error_page(text: &str) -> Result<(u16, String)> {
    let (status, page) = halves(text, "=", "404=/404.html")?;
    let status = status
        .parse()
        .with_context(|| format!("{status:?} is no status"))?;
    Ok((status, page.to_owned()))
}

fn cache_rule(text: &str) -> Result<CacheRule> {
    let (pattern, value) = halves(text, "=", "*.css=max-age=3600")?;
    Ok(CacheRule {
        pattern: pattern.to_owned(),
        value: value.to_owned(),
    })
}

fn header(text: &str) -> Result<(String, String)> {
    let (name, value) = halves(text, ":", "X-Frame-Options: DENY")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

fn halves<'a>(text: &'a str, between: &str, example: &str) -> Result<(&'a str, &'a str)> {
    text.split_once(between)
        .with_context(|| format!("{text:?} has no `{between}`: write it as in {example:?}"))
}

impl From<LogFormat> for Format {
    fn from(format: LogFormat) -> Self {
        match format {
            LogFormat::Common => Self::Common,
            LogFormat::Combined => Self::Combined,
            LogFormat::Json => Self::Json,
        }
    }
}

impl From<Follow> for Links {
    fn from(follow: Follow) -> Self {
        match follow {
            Follow::Inside => Self::Inside,
            Follow::Never => Self::Refused,
            Follow::Anywhere => Self::Anywhere,
        }
    }
}
