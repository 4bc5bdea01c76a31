//! `atoll web`: directories as a web server, from flags or from a file.

use crate::named::named;
use crate::output::line;
use crate::place::user_data;
use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use clap::builder::RangedU64ValueParser;
use httpd::files::{CacheRule, Links, Options};
use httpd::limit::{Limit, parse_period};
use httpd::log::{Format, Target};
use httpd::models::processes::Recycle;
use httpd::models::{Bounds, ModelName, Strategy};
use httpd::web::{
    AccessLog, Announcement, Config, Model, Pair, Pool, Proof, SiteConfig, Source, Tls, parse_bytes,
};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Shown below the options.
const EXAMPLES: &str = "\
Examples:
  atoll web public --listing
  atoll web public --listen 0.0.0.0:8443 --tls-self-signed
  atoll web --config web.yaml --check";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// Serve what this YAML file says, in place of all other flags
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Only say whether that can be served
    #[arg(long)]
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
    /// Address to listen on, or several; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "ADDR", value_parser = address)]
    listen: Vec<SocketAddr>,
    /// Encrypt connections, with this certificate in PEM form and those above it
    #[arg(
        long,
        value_name = "FILE",
        requires = "tls_key",
        help_heading = "Encryption"
    )]
    tls_cert: Option<PathBuf>,
    /// The key of that certificate
    #[arg(
        long,
        value_name = "FILE",
        requires = "tls_cert",
        help_heading = "Encryption"
    )]
    tls_key: Option<PathBuf>,
    /// Encrypt connections, with a certificate that nobody else has signed: it is made
    /// at first use, and kept in this file [default: $XDG_DATA_HOME/atoll-web.pem]
    #[arg(
        long,
        value_name = "FILE",
        num_args = 0..=1,
        require_equals = true,
        conflicts_with = "tls_cert",
        help_heading = "Encryption"
    )]
    tls_self_signed: Option<Option<PathBuf>>,
    /// Who serves which connection: one after another, a thread for each of as many as
    /// there are workers, an event loop per worker, or a process with a loop per worker
    #[arg(long, value_parser = named(ModelName::NAMES), default_value = "events", help_heading = "Workers")]
    model: ModelName,
    /// How the last two spread connections: a listener for each worker, one for all, or
    /// whoever has the fewest
    #[arg(long, value_parser = named(Strategy::NAMES), default_value = "per-slot", help_heading = "Workers")]
    balance: Strategy,
    /// How many workers, unless the model is sequential; as many as there are
    /// cores unless given
    #[arg(long, value_name = "N", value_parser = some(), help_heading = "Workers")]
    workers: Option<usize>,
    /// Fewer processes than that when there is little to do, but so many
    #[arg(long, value_name = "N", value_parser = some(), help_heading = "Workers")]
    min_workers: Option<usize>,
    /// Replace a process after so many requests, less up to a tenth
    #[arg(long, value_name = "N", help_heading = "Workers")]
    recycle_requests: Option<u64>,
    /// Replace a process at this age, such as 1d, less up to a tenth
    #[arg(long, value_name = "AGE", value_parser = age, help_heading = "Workers")]
    recycle_age: Option<Duration>,
    /// Replace a process that holds so much memory, such as 256MiB
    #[arg(long, value_name = "BYTES", value_parser = parse_bytes, help_heading = "Workers")]
    recycle_memory: Option<u64>,
    /// Keep each process on one processor
    #[arg(long, help_heading = "Workers")]
    pin: bool,
    /// Write every request to this file; `-` for the standard output
    #[arg(long, value_name = "FILE", help_heading = "Log")]
    access_log: Option<PathBuf>,
    /// How requests are written there
    #[arg(long, value_enum, default_value_t = LogFormat::Combined, help_heading = "Log")]
    log_format: LogFormat,
    /// How many connections a process holds; fewer if it may not open so many files
    #[arg(long, value_name = "N", help_heading = "Bounds")]
    connections: Option<usize>,
    /// Of those, from one address (IPv6 by its first 64 bits); this machine is exempt
    #[arg(long, value_name = "N", help_heading = "Bounds")]
    connections_per_address: Option<usize>,
    /// How often one address may ask, such as "100 per 1s" or "20 per 1s burst 50"
    #[arg(long, value_name = "LIMIT", help_heading = "Bounds")]
    limit: Option<Limit>,
    /// Show what is in a directory that has no index.html
    #[arg(long, help_heading = "Files")]
    listing: bool,
    /// Serve names that start with a dot
    #[arg(long, help_heading = "Files")]
    hidden: bool,
    /// Where symbolic links may lead
    #[arg(long, value_enum, default_value_t = Follow::Inside, help_heading = "Files")]
    links: Follow,
    /// Answer with this page what is not found, as single-page applications want
    #[arg(long, value_name = "PAGE", help_heading = "Files")]
    spa: Option<String>,
    /// Answer an error with a page of the directory, such as 404=/404.html
    #[arg(long, value_name = "STATUS=PAGE", value_parser = error_page, help_heading = "Files")]
    error_page: Vec<(u16, String)>,
    /// `Cache-Control` of what matches, such as "assets/**=max-age=31536000";
    /// the first that matches counts
    #[arg(long, value_name = "PATTERN=VALUE", value_parser = cache_rule, help_heading = "Files")]
    cache: Vec<CacheRule>,
    /// A header field for every answer with content
    #[arg(long, value_name = "NAME: VALUE", value_parser = header, help_heading = "Files")]
    header: Vec<(String, String)>,
    /// Do not compress texts that have no compressed file beside them
    #[arg(long, help_heading = "Files")]
    no_compress: bool,
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
    let source = arguments.source()?;
    let what = arguments.what().to_owned();
    if arguments.check {
        httpd::web::check(&source)?;
        line(format_args!("{}: ok", what.display()))?;
        return Ok(());
    }
    // It serves whether or not anyone reads what it says.
    httpd::web::run(&source, move |server| drop(announce(&what, server)))?;
    Ok(())
}

fn announce(what: &Path, server: Announcement<'_>) -> Result<()> {
    let scheme = match server.fingerprint {
        Some(_) => "https",
        None => "http",
    };
    for address in server.addresses {
        line(format_args!(
            "atoll: {scheme}://{address}/ is {}",
            what.display()
        ))?;
    }
    if let Some(fingerprint) = server.fingerprint {
        line(format_args!("atoll: the certificate is {fingerprint}"))?;
    }
    Ok(())
}

impl Arguments {
    fn source(&self) -> Result<Source> {
        Ok(match &self.config {
            Some(file) => Source::File(file.clone()),
            None => Source::Told(Box::new(self.flags.config()?)),
        })
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
            listen: self.listen.clone(),
            tls: self.tls()?,
            model: Model::from((self.model, self.balance)),
            pool: self.pool(),
            connections: self.connections(defaults.connections),
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

    fn tls(&self) -> Result<Option<Tls>> {
        let proof = match (&self.tls_cert, &self.tls_key, &self.tls_self_signed) {
            (Some(certificate), Some(key), _) => Proof::Files(Pair {
                certificate: certificate.clone(),
                key: key.clone(),
            }),
            (_, _, Some(Some(file))) => Proof::SelfSigned(file.clone()),
            (_, _, Some(None)) => Proof::SelfSigned(user_data()?.join("atoll-web.pem")),
            _ => return Ok(None),
        };
        Ok(Some(Tls { proof, hsts: None }))
    }

    fn connections(&self, defaults: Bounds) -> Bounds {
        let per_address = self.connections_per_address;
        Bounds {
            total: self.connections.unwrap_or(defaults.total),
            per_address: per_address.unwrap_or(defaults.per_address),
        }
    }

    fn pool(&self) -> Pool {
        let defaults = Pool::default();
        Pool {
            minimum: self.min_workers,
            recycle: Recycle {
                requests: self.recycle_requests,
                age: self.recycle_age,
                resident_bytes: self.recycle_memory,
                ..defaults.recycle
            },
            is_pinned: self.pin,
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

/// How many of what there must be at least one of, and no more than there can be.
fn some() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..=Config::MAX_WORKERS as u64)
}

fn address(text: &str) -> Result<SocketAddr> {
    let wrong = || format!("{text:?} is no address and port, such as 127.0.0.1:8080");
    text.parse().ok().with_context(wrong)
}

fn age(text: &str) -> Result<Duration> {
    let wrong = || format!("{text:?} is no time, such as 12h or 1d");
    parse_period(text).with_context(wrong)
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
