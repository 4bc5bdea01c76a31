//! `atoll web`: a directory as a web server, from flags.

use crate::output::line;
use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use httpd::files::{CacheRule, Links, Options};
use httpd::limit::Limit;
use httpd::log::{Format, Target};
use httpd::web::{AccessLog, Config, Server, SiteConfig};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What is under way may take so long to end after a signal; then it ends.
const GRACE: Duration = Duration::from_secs(30);

/// How often a draining server is looked at, and one whose worker may have failed.
const LOOK_EVERY: Duration = Duration::from_millis(50);

#[derive(clap::Args)]
pub struct Arguments {
    /// The directory to serve
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// Address to listen on; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "ADDR")]
    listen: SocketAddr,
    /// How connections are spread over threads
    #[arg(long, value_enum, default_value_t = Model::Events)]
    model: Model,
    /// How many workers; as many as there are cores unless given
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

/// The models that serve HTTP.
#[derive(Clone, Copy, ValueEnum)]
enum Model {
    /// One event loop and listener per worker
    Events,
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
    // Before anything is served, so that no signal is missed.
    let signals = Signals::new()?;
    let Model::Events = arguments.model;
    let server = Server::start(arguments.config()?)?;
    // It serves whether or not anyone reads this.
    let _ = line(format_args!(
        "atoll: http://{}/ is {}",
        server.address(),
        arguments.directory.display()
    ));
    signals.serve(server)
}

impl Arguments {
    fn config(&self) -> Result<Config> {
        expect_directory(&self.directory)?;
        let defaults = Config::default();
        Ok(Config {
            listen: self.listen,
            workers: self.workers.unwrap_or(defaults.workers),
            sites: vec![SiteConfig {
                links: self.links.into(),
                options: self.options(),
                ..SiteConfig::new(&self.directory)
            }],
            access_log: self.access_log.as_deref().map(|path| AccessLog {
                target: target(path),
                format: self.log_format.into(),
            }),
            limit: self.limit,
            ..defaults
        })
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
            reopen: listen(SignalKind::user_defined1())?,
            runtime,
        })
    }

    /// Does what signals ask for, until one asks to stop and everything that was
    /// under way has ended, or a worker fails.
    fn serve(mut self, server: Server) -> Result<()> {
        self.runtime.block_on(async {
            let mut looks = tokio::time::interval(LOOK_EVERY);
            loop {
                tokio::select! {
                    _ = self.interrupt.recv() => break,
                    _ = self.terminate.recv() => break,
                    _ = self.reopen.recv() => reopen(&server),
                    _ = looks.tick() => if server.has_ended() { return },
                }
            }
            server.drain();
            let ended = async {
                while !server.has_all_ended() {
                    looks.tick().await;
                }
            };
            tokio::select! {
                () = ended => {}
                () = tokio::time::sleep(GRACE) => std::process::exit(1),
                _ = self.interrupt.recv() => std::process::exit(1),
                _ = self.terminate.recv() => std::process::exit(1),
            }
        });
        Ok(server.wait()?)
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
