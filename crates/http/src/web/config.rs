//! What a web server is told: plain values and their defaults.
//!
//! Where they come from (flags, a file) is not known here; what they cannot be is in
//! [`super::check`], what becomes of them in [`super::loaded`].

use super::check::ConfigError;
use super::cors::Cors;
use super::lines::Lines;
use super::proof::{Pair, Tls};
use super::redirect::Redirect;
use super::users::Users;
use crate::files::{Links, Options};
use crate::limit::Limit;
use crate::log::{Format, Target};
use crate::models::processes::Recycle;
use crate::models::{Bounds, ModelName, Strategy};
use crate::serve::Timeouts;
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
    /// Where a file says it.
    pub lines: Lines,
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
            lines: Lines::default(),
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

#[cfg(test)]
mod tests {
    use super::parse_bytes;

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
