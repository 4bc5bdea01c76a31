//! What a web server is told: plain values, checked without opening anything.
//!
//! Where they come from (flags, a file) is not known here; what becomes of them is
//! in [`super::loaded`].

use super::cors::{Cors, CorsError};
use super::proof::{Pair, Tls};
use super::redirect::{Redirect, RedirectError};
use super::users::{UserError, Users};
use crate::files::{Links, Options, OptionsError};
use crate::limit::{Limit, LimitError};
use crate::log::{Format, Target};
use crate::models::processes::{MAX_SLOTS, Recycle};
use crate::models::{Bounds, Strategy};
use crate::serve::Timeouts;
use serde::Deserialize;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// How a server is to be.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where it listens; port 0 takes a free one. At most [`Config::MAX_ADDRESSES`].
    pub listen: Vec<SocketAddr>,
    /// How connections are encrypted, if they are.
    pub tls: Option<Tls>,
    /// Who serves which connection.
    pub model: Model,
    /// How many workers the model has, unless it is sequential; 1 to
    /// [`Config::MAX_WORKERS`].
    pub workers: usize,
    /// More about the workers of the processes model.
    pub pool: Pool,
    /// How many connections a process holds; each is 1 to [`Config::MAX_CONNECTIONS`].
    pub connections: Bounds,
    /// What is served. The first is for hosts that no other is for.
    pub sites: Vec<SiteConfig>,
    /// Where requests are written down, if they are.
    pub access_log: Option<AccessLog>,
    /// How often each address may ask.
    pub limit: Option<Limit>,
    /// The same for some paths; the first that fits counts, in place of `limit`.
    pub limits: Vec<PathLimit>,
    /// How long clients are waited for.
    pub timeouts: Timeouts,
    /// What is told about the server itself.
    pub monitoring: Monitoring,
}

/// What is told about the server itself, on every host, and to whom.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Monitoring {
    /// The path of a page of figures, for people.
    pub status: Option<String>,
    /// The path of the same figures, for Prometheus.
    pub metrics: Option<String>,
    /// Who may see them beside this machine.
    pub clients: Vec<IpAddr>,
}

/// How often each address may ask for paths that begin alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathLimit {
    /// Whole segments, with the first slash: `/api` is for `/api` and `/api/x`.
    pub prefix: String,
    /// None for no limit.
    pub limit: Option<Limit>,
}

/// What else there is to say about workers that are processes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pool {
    /// How many there are when there is little to do; as many as ever, if it is not
    /// said.
    pub minimum: Option<usize>,
    /// When one is replaced that serves well.
    pub recycle: Recycle,
    /// Each stays on one processor.
    pub is_pinned: bool,
}

impl Default for Pool {
    /// Workers that began together are not replaced together.
    fn default() -> Self {
        Self {
            minimum: None,
            recycle: Recycle {
                jitter: 0.1,
                ..Recycle::default()
            },
            is_pinned: false,
        }
    }
}

/// The models, as people name them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ModelName {
    /// [`Model::Sequential`].
    Sequential,
    /// [`Model::Threads`].
    Threads,
    /// [`Model::Events`].
    #[default]
    Events,
    /// [`Model::Processes`].
    Processes,
}

impl ModelName {
    /// All of them, with their names.
    pub const NAMES: [(&'static str, Self); 4] = [
        ("sequential", Self::Sequential),
        ("threads", Self::Threads),
        ("events", Self::Events),
        ("processes", Self::Processes),
    ];
}

/// Who serves which connection; see [`crate::models`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Model {
    /// One connection after another.
    Sequential,
    /// A thread for each of as many connections as there are workers.
    Threads,
    /// A loop for each worker, and connections spread so.
    Events(Strategy),
    /// A process with a loop for each worker, and connections spread so.
    Processes(Strategy),
}

impl From<(ModelName, Strategy)> for Model {
    /// Models in which nobody chooses have no strategy.
    fn from((name, strategy): (ModelName, Strategy)) -> Self {
        match name {
            ModelName::Sequential => Self::Sequential,
            ModelName::Threads => Self::Threads,
            ModelName::Events => Self::Events(strategy),
            ModelName::Processes => Self::Processes(strategy),
        }
    }
}

/// A directory, and how it is served.
#[derive(Debug, Clone)]
pub struct SiteConfig {
    /// The hosts it is for, without port and in any case.
    pub hosts: Vec<String>,
    /// What it proves itself with to clients that ask for one of them, in place of
    /// what the server has.
    pub certificate: Option<Pair>,
    /// The directory.
    pub directory: PathBuf,
    /// What symbolic links may do.
    pub links: Links,
    /// How its files are served.
    pub options: Options,
    /// What has moved; the first that fits counts.
    pub redirects: Vec<Redirect>,
    /// Who may see it; everybody, if there is nobody.
    pub users: Users,
    /// What a browser calls the site when it asks for name and password.
    pub realm: String,
    /// Which other sites' scripts may read it.
    pub cors: Option<Cors>,
}

/// Where requests are written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessLog {
    /// The file or stream.
    pub target: Target,
    /// How.
    pub format: Format,
}

/// What a configuration cannot say.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ConfigError {
    /// There is nothing to serve.
    #[error("no site is configured: name at least one directory to serve")]
    NoSite,
    /// More sites than one server is for.
    #[error("{0} sites: use at most {max}", max = Config::MAX_SITES)]
    TooManySites(usize),
    /// Too few or too many workers.
    #[error("{0} workers: use 1 to {max}", max = Config::MAX_WORKERS)]
    Workers(usize),
    /// Too few or too many connections.
    #[error("{0} connections: use 1 to {max}", max = Config::MAX_CONNECTIONS)]
    Connections(usize),
    /// Nowhere to listen, or at too many addresses.
    #[error("{0} addresses to listen on: use 1 to {max}", max = Config::MAX_ADDRESSES)]
    Addresses(usize),
    /// An address is there twice.
    #[error("{0} is there twice: listen on it once")]
    AddressTwice(SocketAddr),
    /// More processes, or listeners for them, than a pool has.
    #[error("{0} processes with a listener each: use at most {MAX_SLOTS} listeners in all")]
    Slots(usize),
    /// Fewer workers at least than one, or than at most.
    #[error("at least {minimum} workers of {workers}: use 1 to {workers}")]
    Minimum {
        /// At least.
        minimum: usize,
        /// At most.
        workers: usize,
    },
    /// No number of bytes.
    #[error("{0:?} is no number of bytes, such as 256 MiB")]
    Bytes(String),
    /// A worker that would be replaced at once.
    #[error("workers would be replaced all the time: {0}")]
    Recycle(&'static str),
    /// A limit is for paths that cannot be told in a header.
    #[error(
        "limit for {0:?}: write whole segments of letters, digits, '-', '_' and '.', \
         such as /api or /a/b"
    )]
    LimitPrefix(String),
    /// A path has two limits.
    #[error("two limits for {0:?}: the second would never count")]
    LimitTwice(String),
    /// Two sites claim a host.
    #[error("host {0:?} is named by two sites: remove it from one")]
    HostTwice(String),
    /// A host cannot be asked for.
    #[error("host {0:?} cannot be asked for: write a name or an address without port")]
    Host(String),
    /// An option of a site is wrong.
    #[error("site {directory}: {source}")]
    Options {
        /// Of the site.
        directory: PathBuf,
        /// What is wrong.
        source: OptionsError,
    },
    /// A redirect leads nowhere.
    #[error(transparent)]
    Redirect(#[from] RedirectError),
    /// A user cannot be known.
    #[error(transparent)]
    User(#[from] UserError),
    /// A rule for other sites' scripts is wrong.
    #[error(transparent)]
    Cors(#[from] CorsError),
    /// Nobody could ask for a certificate.
    #[error("site {0}: a certificate of its own needs `hosts`, and `tls` of the server")]
    Certificate(PathBuf),
    /// A realm would end its quotes.
    #[error("realm {0:?}: leave out quotes, backslashes and control characters")]
    Realm(String),
    /// A path can never be asked for.
    #[error("path {0:?} must begin with a slash and be of visible ASCII without query")]
    MonitoringPath(String),
    /// The limit is out of range.
    #[error(transparent)]
    Limit(#[from] LimitError),
}

impl Model {
    /// How many listeners `workers` need for each address.
    pub fn listeners(self, workers: usize) -> usize {
        match self {
            Self::Sequential | Self::Threads => 1,
            Self::Events(strategy) | Self::Processes(strategy) => strategy.listeners(workers),
        }
    }
}

impl Config {
    /// More loops than any machine has cores that this was tried on.
    pub const MAX_WORKERS: usize = 1024;

    /// More than the descriptors of any system are for, twice.
    pub const MAX_CONNECTIONS: usize = 1 << 20;

    /// A worker that is younger has hardly begun.
    pub const MIN_AGE: Duration = Duration::from_secs(1);

    /// One that has just begun holds about a third of that.
    pub const MIN_MEMORY: u64 = 32 << 20;

    /// Every loop looks at each of them when it accepts.
    pub const MAX_ADDRESSES: usize = 64;

    /// Every loop looks for a host in all of them, and holds files of each open.
    pub const MAX_SITES: usize = 1000;
}

/// An idle connection costs a kilobyte, over TLS some thirty: half a gigabyte for all.
/// Those of one address are many browsers behind one router, but never all.
const CONNECTIONS: Bounds = Bounds {
    total: 16_384,
    per_address: 512,
};

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 8080))],
            tls: None,
            model: Model::Events(Strategy::default()),
            workers: std::thread::available_parallelism().map_or(1, usize::from),
            pool: Pool::default(),
            connections: CONNECTIONS,
            sites: Vec::new(),
            access_log: None,
            limit: None,
            limits: Vec::new(),
            timeouts: Timeouts::default(),
            monitoring: Monitoring::default(),
        }
    }
}

impl SiteConfig {
    /// A directory as the defaults serve it.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            hosts: Vec::new(),
            certificate: None,
            directory: directory.into(),
            links: Links::default(),
            options: Options::default(),
            redirects: Vec::new(),
            users: Users::default(),
            realm: "restricted".to_owned(),
            cors: None,
        }
    }

    /// Refuses what could never be served.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.options
            .check()
            .map_err(|source| ConfigError::Options {
                directory: self.directory.clone(),
                source,
            })?;
        for host in &self.hosts {
            check_host(host)?;
        }
        for redirect in &self.redirects {
            redirect.check()?;
        }
        if let Some(cors) = &self.cors {
            cors.check()?;
        }
        let breaks_quotes = |c: char| matches!(c, '"' | '\\') || c.is_control();
        match self.realm.contains(breaks_quotes) {
            true => Err(ConfigError::Realm(self.realm.clone())),
            false => Ok(()),
        }
    }
}

impl Monitoring {
    /// Refuses paths that can never be asked for.
    ///
    /// # Errors
    /// The path.
    pub fn check(&self) -> Result<(), ConfigError> {
        let mut paths = self.status.iter().chain(&self.metrics);
        paths.try_for_each(|path| check_path(path))
    }
}

pub(super) fn check_addresses(addresses: &[SocketAddr]) -> Result<(), ConfigError> {
    if !(1..=Config::MAX_ADDRESSES).contains(&addresses.len()) {
        return Err(ConfigError::Addresses(addresses.len()));
    }
    let twice = addresses.iter().enumerate().find(|(place, address)| {
        // Each port 0 is another one.
        address.port() != 0 && addresses[..*place].contains(address)
    });
    twice.map_or(Ok(()), |(_, address)| {
        Err(ConfigError::AddressTwice(*address))
    })
}

/// A number of bytes: `1048576`, `512 KiB`, `256 MiB` or `2 GiB`.
///
/// # Errors
/// It is none.
pub fn parse_bytes(text: &str) -> Result<u64, ConfigError> {
    let wrong = || ConfigError::Bytes(text.to_owned());
    let end = text.find(|c: char| !c.is_ascii_digit());
    let (digits, unit) = text.split_at(end.unwrap_or(text.len()));
    let unit: u64 = match unit.trim() {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err(wrong()),
    };
    let number: u64 = digits.parse().map_err(|_| wrong())?;
    number.checked_mul(unit).ok_or_else(wrong)
}

pub(super) fn check_workers(workers: usize) -> Result<(), ConfigError> {
    match (1..=Config::MAX_WORKERS).contains(&workers) {
        true => Ok(()),
        false => Err(ConfigError::Workers(workers)),
    }
}

pub(super) fn check_connections(bounds: Bounds) -> Result<(), ConfigError> {
    let known = 1..=Config::MAX_CONNECTIONS;
    let mut numbers = [bounds.total, bounds.per_address].into_iter();
    let wrong = numbers.find(|number| !known.contains(number));
    wrong.map_or(Ok(()), |number| Err(ConfigError::Connections(number)))
}

pub(super) fn check_path(path: &str) -> Result<(), ConfigError> {
    let is_sent = |byte: u8| byte.is_ascii_graphic() && !b"?#".contains(&byte);
    match path.starts_with('/') && path.bytes().all(is_sent) {
        true => Ok(()),
        false => Err(ConfigError::MonitoringPath(path.to_owned())),
    }
}

impl Config {
    /// Refuses what could never be served.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), ConfigError> {
        if self.sites.is_empty() {
            return Err(ConfigError::NoSite);
        }
        if self.sites.len() > Self::MAX_SITES {
            return Err(ConfigError::TooManySites(self.sites.len()));
        }
        check_addresses(&self.listen)?;
        check_workers(self.workers)?;
        self.check_pool()?;
        check_connections(self.connections)?;
        if let Some(limit) = &self.limit {
            limit.check()?;
        }
        self.check_limits()?;
        self.monitoring.check()?;
        let mut known = Vec::new();
        for site in &self.sites {
            site.check()?;
            if site.certificate.is_some() && (site.hosts.is_empty() || self.tls.is_none()) {
                return Err(ConfigError::Certificate(site.directory.clone()));
            }
            for host in &site.hosts {
                let host = host.to_ascii_lowercase();
                if known.contains(&host) {
                    return Err(ConfigError::HostTwice(host));
                }
                known.push(host);
            }
        }
        Ok(())
    }

    /// Refuses a pool that these workers cannot be.
    pub(super) fn check_pool(&self) -> Result<(), ConfigError> {
        let (pool, workers) = (&self.pool, self.workers);
        if matches!(self.model, Model::Processes(_)) {
            let listeners = self.listen.len() * self.model.listeners(workers);
            if workers.max(listeners) > MAX_SLOTS {
                return Err(ConfigError::Slots(workers.max(listeners)));
            }
        }
        if let Some(minimum) = pool.minimum
            && !(1..=workers).contains(&minimum)
        {
            return Err(ConfigError::Minimum { minimum, workers });
        }
        let Recycle {
            requests,
            age,
            resident_bytes,
            ..
        } = pool.recycle;
        let churns = [
            (requests == Some(0), "give each at least one request"),
            (
                age.is_some_and(|age| age < Self::MIN_AGE),
                "give each at least 1s",
            ),
            (
                resident_bytes.is_some_and(|bytes| bytes < Self::MIN_MEMORY),
                "give each at least 32 MiB",
            ),
        ];
        match churns.iter().find(|(churns, _)| *churns) {
            Some((_, advice)) => Err(ConfigError::Recycle(advice)),
            None => Ok(()),
        }
    }

    /// Refuses limits that could never count.
    pub(super) fn check_limits(&self) -> Result<(), ConfigError> {
        for (place, PathLimit { prefix, limit }) in self.limits.iter().enumerate() {
            let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            let mut segments = prefix.strip_prefix('/').into_iter().flat_map(|rest| {
                let rest = rest.strip_suffix('/').unwrap_or(rest);
                rest.split('/')
            });
            let is_path = |name: &str| !name.is_empty() && name.chars().all(is_plain);
            if !prefix.starts_with('/') || !segments.all(is_path) {
                return Err(ConfigError::LimitPrefix(prefix.clone()));
            }
            if self.limits[..place].iter().any(|one| one.prefix == *prefix) {
                return Err(ConfigError::LimitTwice(prefix.clone()));
            }
            limit.map_or(Ok(()), |limit| limit.check())?;
        }
        Ok(())
    }
}

/// A name, an IPv4 address, or an IPv6 address in brackets.
fn check_host(host: &str) -> Result<(), ConfigError> {
    let is_address = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .is_some_and(|address| address.parse::<std::net::Ipv6Addr>().is_ok());
    let is_name = !host.is_empty()
        && host
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
    match is_address || is_name {
        true => Ok(()),
        false => Err(ConfigError::Host(host.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::{Config, ConfigError, Model, PathLimit, SiteConfig, parse_bytes};
    use crate::files::OptionsError;
    use crate::limit::{Limit, LimitError};
    use crate::models::Strategy;
    use std::time::Duration;

    fn config(hosts: &[&[&str]]) -> Config {
        Config {
            sites: hosts
                .iter()
                .map(|hosts| SiteConfig {
                    hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
                    ..SiteConfig::new("www")
                })
                .collect(),
            ..Config::default()
        }
    }

    #[test]
    fn what_cannot_be_served_is_refused() {
        let check = |config: Config, expected| assert_eq!(config.check(), expected);
        check(config(&[&[]]), Ok(()));
        check(config(&[&["a.example", "[::1]"], &["127.0.0.1"]]), Ok(()));
        check(config(&[]), Err(ConfigError::NoSite));
        for host in ["", "a:80", "a/b", "::1", "[x]", "a b"] {
            check(config(&[&[host]]), Err(ConfigError::Host(host.to_owned())));
        }
        check(
            config(&[&["a"], &["A"]]),
            Err(ConfigError::HostTwice("a".to_owned())),
        );
        for workers in [0, Config::MAX_WORKERS + 1] {
            let config = Config {
                workers,
                ..config(&[&[]])
            };
            check(config, Err(ConfigError::Workers(workers)));
        }
        for number in [0, Config::MAX_CONNECTIONS + 1] {
            let mut config = config(&[&[]]);
            config.connections.per_address = number;
            check(config, Err(ConfigError::Connections(number)));
        }
        let limit = Limit::Window {
            count: 0,
            period: Duration::from_secs(1),
        };
        let limited = Config {
            limit: Some(limit),
            ..config(&[&[]])
        };
        assert!(matches!(
            limited.check(),
            Err(ConfigError::Limit(LimitError::Range(_)))
        ));
        let any = "127.0.0.1:0".parse().unwrap();
        let one = "127.0.0.1:80".parse().unwrap();
        let listening = |listen: &[_]| Config {
            listen: listen.to_vec(),
            ..config(&[&[]])
        };
        check(listening(&[any, any, one]), Ok(()));
        check(
            listening(&[one, any, one]),
            Err(ConfigError::AddressTwice(one)),
        );
        check(listening(&[]), Err(ConfigError::Addresses(0)));
        let processes = |count, workers| Config {
            listen: vec![any; count],
            model: Model::Processes(Strategy::PerSlot),
            workers,
            ..config(&[&[]])
        };
        check(processes(2, 64), Ok(()));
        check(processes(2, 65), Err(ConfigError::Slots(130)));
        let limited = |prefix: &str| Config {
            limits: vec![PathLimit {
                prefix: prefix.to_owned(),
                limit: None,
            }],
            ..config(&[&[]])
        };
        for prefix in ["/a", "/a/", "/a/b-c_d.e"] {
            check(limited(prefix), Ok(()));
        }
        for prefix in ["", "/", "a", "//a", "/a//b", "/a b", "/%61"] {
            check(
                limited(prefix),
                Err(ConfigError::LimitPrefix(prefix.to_owned())),
            );
        }
        let mut prefixed = config(&[&[]]);
        prefixed.sites[0].options.prefix = "s/".to_owned();
        check(
            prefixed,
            Err(ConfigError::Options {
                directory: "www".into(),
                source: OptionsError::Prefix("s/".to_owned()),
            }),
        );
    }

    #[test]
    fn bytes_have_units() {
        for (text, expected) in [
            ("7", Some(7)),
            ("7 B", Some(7)),
            ("2KiB", Some(2048)),
            ("256 MiB", Some(256 << 20)),
            ("1 GiB", Some(1 << 30)),
            ("", None),
            ("MiB", None),
            ("-1", None),
            ("1 MB", None),
            ("99999999999999 GiB", None),
        ] {
            assert_eq!(parse_bytes(text).ok(), expected, "{text:?}");
        }
    }
}
